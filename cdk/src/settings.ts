/**
 * What is wanted of Backstop, and the environment that says so to the extension.
 *
 * Pure: from props to variables and problems, all of them together. What is a token is not judged: it is
 * known at deployment only.
 */
import { Duration, Size, SizeRoundingBehavior, Token } from 'aws-cdk-lib';
import { BackstopArchive } from './archive';
import { isAlias, isName } from './grants';
import { IBackstopLayer } from './layer';
import { REGISTER } from './register';
import { BackstopSecret } from './secret';

/** The form of a batch. */
export enum BackstopFormat {
  /** One JSON object a line. */
  NDJSON = 'ndjson',
  /** One JSON array. */
  JSON = 'json',
}

/** How the body of a request to the primary is compressed. */
export enum BackstopCompression {
  /** By gzip. */
  GZIP = 'gzip',
  /** Not at all. */
  NONE = 'none',
}

/** A fallback. */
export enum BackstopSink {
  /** A delivery stream of Firehose. */
  FIREHOSE = 'firehose',
  /** A bucket of S3. */
  S3 = 's3',
}

/** When records are sent. */
export enum BackstopFlushStrategy {
  /** Chosen by the rate of invocations. */
  AUTO = 'auto',
  /** All of them before the invocation is over. */
  END = 'end',
  /** At the flush interval. */
  PERIODIC = 'periodic',
  /** While handlers run. */
  CONTINUOUS = 'continuous',
}

/** What the extension subscribes to. */
export enum BackstopTelemetryType {
  /** The platform's own records, such as reports. */
  PLATFORM = 'platform',
  /** The function's log lines. */
  FUNCTION = 'function',
  /** The log lines of extensions. */
  EXTENSION = 'extension',
}

/** The least severe of Backstop's own log lines that is written. */
export enum BackstopLogLevel {
  /** Losses. */
  ERROR = 'error',
  /** What was recovered from, too. */
  WARN = 'warn',
  /** Starts and ends, too. */
  INFO = 'info',
  /** Everything. */
  DEBUG = 'debug',
}

/** Where records go first. */
export interface BackstopPrimary {
  /** The full address that a batch is posted to, `https://host/path` (`BACKSTOP_PRIMARY_URL`). */
  readonly url: string;
  /**
   * The form of a batch (`BACKSTOP_PRIMARY_FORMAT`).
   * @default - the extension's own, `ndjson`
   */
  readonly format?: BackstopFormat;
  /**
   * Sent as `Authorization: Bearer …`; the bare token (`BACKSTOP_PRIMARY_TOKEN`).
   * @default - none
   */
  readonly token?: BackstopSecret;
  /**
   * Further headers of every request (`BACKSTOP_PRIMARY_HEADERS`).
   * @default - none
   */
  readonly headers?: { [name: string]: BackstopSecret };
  /**
   * How requests are compressed (`BACKSTOP_PRIMARY_COMPRESSION`).
   * @default - the extension's own, `gzip`
   */
  readonly compression?: BackstopCompression;
  /**
   * The longest that one request may take, 100 to 60000 ms (`BACKSTOP_PRIMARY_TIMEOUT_MS`).
   * @default - the extension's own, 5 seconds
   */
  readonly timeout?: Duration;
  /**
   * Whether the address may be plain http on a host that is not loopback (`BACKSTOP_ALLOW_PLAINTEXT`).
   * @default false
   */
  readonly allowPlaintext?: boolean;
}

/** Where records go when the primary does not take them. */
export interface BackstopFallback {
  /**
   * An archive of this library: stream, bucket, prefix and owner at once, and functions are granted to write
   * to it. Not together with `firehoseStream` and what begins with `s3`.
   * @default - none
   */
  readonly archive?: BackstopArchive;
  /**
   * A delivery stream, by name or ARN; a token of which CDK does not know which is taken for an ARN
   * (`BACKSTOP_FIREHOSE_STREAM`).
   * @default - none
   */
  readonly firehoseStream?: string;
  /**
   * A bucket, by name or ARN; a token of which CDK does not know which is taken for a name
   * (`BACKSTOP_S3_BUCKET`).
   * @default - none
   */
  readonly s3Bucket?: string;
  /**
   * What the keys begin with (`BACKSTOP_S3_PREFIX`).
   * @default - the extension's own, `backstop`
   */
  readonly s3Prefix?: string;
  /**
   * The region of the bucket (`BACKSTOP_S3_REGION`).
   * @default - the function's
   */
  readonly s3Region?: string;
  /**
   * The key to encrypt objects with, where it is not the bucket's own default; a token of which CDK does not know what
   * it is is taken for an ARN (`BACKSTOP_S3_KMS_KEY_ID`).
   * @default - the bucket's own encryption
   */
  readonly s3KmsKeyId?: string;
  /**
   * The account that owns the bucket (`BACKSTOP_S3_EXPECTED_BUCKET_OWNER`).
   * @default - any
   */
  readonly s3ExpectedBucketOwner?: string;
  /**
   * Which to try, in this order (`BACKSTOP_FALLBACK`).
   * @default - the extension's own, the stream and then the bucket
   */
  readonly order?: BackstopSink[];
  /**
   * ARNs of the keys that the bucket encrypts with by default, for the function's policy.
   * @default - none
   */
  readonly kmsKeyArns?: string[];
}

/** When records are sent, and what waiting may cost. */
export interface BackstopFlush {
  /**
   * When records are sent (`BACKSTOP_FLUSH_STRATEGY`).
   * @default - the extension's own, `auto`
   */
  readonly strategy?: BackstopFlushStrategy;
  /**
   * How long a record waits at most for a flush by timer, 100 to 600000 ms (`BACKSTOP_FLUSH_INTERVAL_MS`).
   * @default - the extension's own, 1 second
   */
  readonly interval?: Duration;
  /**
   * The most time that sending may add to an invocation, 0 to 10000 ms (`BACKSTOP_MAX_ADDED_MS`).
   * @default - the extension's own, 500 ms
   */
  readonly maxAdded?: Duration;
  /**
   * The most memory that waiting records may take, 1 to 256 MiB (`BACKSTOP_BUFFER_MAX_BYTES`).
   * @default - the extension's own, by the function's memory
   */
  readonly bufferMax?: Size;
  /**
   * The most that the spool in /tmp may take, up to 1 GiB; nothing turns it off (`BACKSTOP_SPOOL_MAX_BYTES`).
   * @default - the extension's own, 64 MiB
   */
  readonly spoolMax?: Size;
}

/** What Backstop shall do for a function. */
export interface BackstopProps {
  /**
   * Where the extension comes from. Container images need none: it is in the image.
   * @default - none, which is a mistake for a function that takes layers
   */
  readonly layer?: IBackstopLayer;
  /**
   * Where records go first.
   * @default - records go to the fallbacks
   */
  readonly primary?: BackstopPrimary;
  /**
   * Where records go when the primary does not take them.
   * @default - none
   */
  readonly fallback?: BackstopFallback;
  /**
   * When records are sent.
   * @default - the extension's own settings
   */
  readonly flush?: BackstopFlush;
  /**
   * Resource attributes added to every record (`BACKSTOP_TAGS`).
   * @default - none
   */
  readonly tags?: { [key: string]: string };
  /**
   * What to deliver (`BACKSTOP_TELEMETRY_TYPES`).
   * @default - the extension's own, all of them
   */
  readonly telemetryTypes?: BackstopTelemetryType[];
  /**
   * The least severe of Backstop's own log lines that is written (`BACKSTOP_LOG_LEVEL`).
   * @default - the extension's own, `warn`
   */
  readonly logLevel?: BackstopLogLevel;
}

/** The archive's settings, wherever they come from: with an archive these are its own. */
export function fallbackOf(props: BackstopProps): BackstopFallback {
  const fallback = props.fallback ?? {};
  return fallback.archive ? { ...fallback.archive.fallback, order: fallback.order } : fallback;
}

const pairs = (entries: [string, string][]): string | undefined =>
  entries.length === 0 ? undefined : entries.map(([key, value]) => `${key}=${value}`).join(',');

/** Every variable that is said; the rest keeps the extension's own default, and takes none of the 4 KB. */
export function variablesOf(props: BackstopProps): Record<string, string> {
  const { primary, flush } = props;
  const fallback = fallbackOf(props);
  const bytes = (size?: Size) => (size?.isUnresolved() ? 'known later' : size?.toBytes({ rounding: SizeRoundingBehavior.NONE }));
  const milliseconds = (time?: Duration) => (time?.isUnresolved() ? 'known later' : time?.toMilliseconds({ integral: false }));
  const headers = Object.entries(primary?.headers ?? {}).map(([name, secret]): [string, string] => [name, secret._value()]);
  const all: Record<string, string | number | boolean | undefined> = {
    BACKSTOP_PRIMARY_URL: primary?.url,
    BACKSTOP_PRIMARY_FORMAT: primary?.format,
    BACKSTOP_PRIMARY_HEADERS: pairs(headers),
    BACKSTOP_PRIMARY_TOKEN: primary?.token?._value(),
    BACKSTOP_PRIMARY_COMPRESSION: primary?.compression,
    BACKSTOP_PRIMARY_TIMEOUT_MS: milliseconds(primary?.timeout),
    BACKSTOP_ALLOW_PLAINTEXT: primary?.allowPlaintext,
    BACKSTOP_FALLBACK: fallback.order?.join(','),
    BACKSTOP_FIREHOSE_STREAM: fallback.firehoseStream,
    BACKSTOP_S3_BUCKET: fallback.s3Bucket,
    BACKSTOP_S3_PREFIX: fallback.s3Prefix,
    BACKSTOP_S3_REGION: fallback.s3Region,
    BACKSTOP_S3_KMS_KEY_ID: fallback.s3KmsKeyId,
    BACKSTOP_S3_EXPECTED_BUCKET_OWNER: fallback.s3ExpectedBucketOwner,
    BACKSTOP_TELEMETRY_TYPES: props.telemetryTypes?.join(','),
    BACKSTOP_FLUSH_STRATEGY: flush?.strategy,
    BACKSTOP_FLUSH_INTERVAL_MS: milliseconds(flush?.interval),
    BACKSTOP_MAX_ADDED_MS: milliseconds(flush?.maxAdded),
    BACKSTOP_BUFFER_MAX_BYTES: bytes(flush?.bufferMax),
    BACKSTOP_SPOOL_MAX_BYTES: bytes(flush?.spoolMax),
    BACKSTOP_TAGS: pairs(Object.entries(props.tags ?? {})),
    BACKSTOP_LOG_LEVEL: props.logLevel,
  };
  return Object.fromEntries(
    Object.entries(all).filter(([, value]) => value !== undefined).map(([name, value]) => [name, String(value)]),
  );
}

/** Everything that is wrong with what is wanted, in sentences that say what to do. */
export function problemsOf(props: BackstopProps): string[] {
  return [...sinkProblems(props), ...primaryProblems(props), ...registerProblems(variablesOf(props)), ...tagProblems(props)];
}

/** Whether something is said that is not of its form; what is known later is not judged. */
const isOdd = (text: string | undefined, form: RegExp) =>
  text !== undefined && !Token.isUnresolved(text) && !text.includes('{{resolve:') && !form.test(text);

function sinkProblems(props: BackstopProps): string[] {
  const problems: string[] = [];
  const given = props.fallback ?? {};
  const fallback = fallbackOf(props);
  const order = fallback.order ?? [];
  if (!props.primary && !fallback.firehoseStream && !fallback.s3Bucket) {
    problems.push('There is neither primary nor fallback, so that nothing could be delivered: give primary.url, fallback.archive, fallback.firehoseStream or fallback.s3Bucket.');
  }
  const { archive, order: _order, ...others } = given;
  if (archive && Object.values(others).some((value) => value !== undefined)) {
    problems.push('fallback.archive says where the archive is, and something else in fallback says it too: keep one of the two.');
  }
  const speaksOfS3 = [fallback.s3Prefix, fallback.s3Region, fallback.s3KmsKeyId, fallback.s3ExpectedBucketOwner].some((value) => value !== undefined);
  if (!fallback.s3Bucket && (speaksOfS3 || order.includes(BackstopSink.S3))) {
    problems.push('The fallback s3 is spoken of, and there is no bucket: give fallback.s3Bucket, or take s3Prefix, s3Region, s3KmsKeyId, s3ExpectedBucketOwner and S3 in order out.');
  }
  if (!fallback.firehoseStream && order.includes(BackstopSink.FIREHOSE)) {
    problems.push('fallback.order names firehose, and there is no stream: give fallback.firehoseStream, or take FIREHOSE out.');
  }
  if (isAlias(fallback.s3KmsKeyId ?? '') && (fallback.kmsKeyArns ?? []).length === 0) {
    problems.push("fallback.s3KmsKeyId is an alias, which grants nothing in a policy: give the key's ARN in fallback.kmsKeyArns as well.");
  }
  if ((fallback.kmsKeyArns ?? []).some(isAlias)) {
    problems.push("fallback.kmsKeyArns holds an alias, which grants nothing in a policy: give the key's own ARN.");
  }
  if ((fallback.kmsKeyArns ?? []).some((arn) => isName(arn) || isOdd(arn, /^arn:aws[a-z0-9-]*:kms:[a-z0-9*-]+:(\d{12}|\*):key\/[a-z0-9*-]+$/i))) {
    problems.push('fallback.kmsKeyArns holds something that is not the ARN of a key: give key.keyArn.');
  }
  const { firehoseStream, s3Bucket, s3Prefix, s3Region, s3KmsKeyId, s3ExpectedBucketOwner } = fallback;
  if (isOdd(firehoseStream, /^(arn:aws[a-z0-9-]*:firehose:[a-z0-9-]+:\d{12}:deliverystream\/)?[A-Za-z0-9_.-]{1,64}$/)) {
    problems.push('fallback.firehoseStream is neither the name nor the ARN of a delivery stream.');
  }
  if (isOdd(s3Bucket, /^(arn:aws[a-z0-9-]*:s3:::)?(?!.*\.\.)(?!(\d+\.){3}\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/)) {
    problems.push('fallback.s3Bucket is neither the name of a bucket, 3 to 63 lowercase letters, digits, dots and hyphens, nor arn:aws:s3:::NAME.');
  }
  // `*` is taken by the extension; in a policy it is a pattern.
  if (isOdd(s3Prefix, /^\/*(?!.{513})(?!\.{1,2}(\/|$))[A-Za-z0-9!\-_.'()=]+(\/(?!\.{1,2}(\/|$))[A-Za-z0-9!\-_.'()=]+)*\/*$/)) {
    problems.push("fallback.s3Prefix is not made of at most 512 letters, digits and !-_.'()=, with single slashes between its parts and no part . or .. .");
  }
  if (isOdd(s3Region, /^[a-z0-9]+(-[a-z0-9]+)*$/)) problems.push('fallback.s3Region is not the name of a region, such as us-east-1.');
  if (isOdd(s3KmsKeyId, new RegExp(`^((${KMS_ARN})?alias/[A-Za-z0-9/_-]{1,250}|${KMS_ARN}key/${KEY_ID}|${KEY_ID})$`, 'i'))) {
    problems.push('fallback.s3KmsKeyId is not the id, the alias (alias/NAME) or the ARN of a KMS key.');
  }
  if (isOdd(s3ExpectedBucketOwner, /^\d{12}$/)) problems.push('fallback.s3ExpectedBucketOwner is not the 12 digits of an account.');
  return problems;
}

// As patterns: before what an ARN is of, and the id of a key.
const KMS_ARN = 'arn:aws[a-z0-9-]*:kms:[a-z0-9-]+:\\d{12}:';
const KEY_ID = '(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})';

/** What frames a request, belongs to one connection, or is the extension's to set. */
const OWN_HEADERS = ['connection', 'content-encoding', 'content-length', 'content-type', 'expect', 'host', 'idempotency-key',
  'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'];

/** As the extension does: after a separator, a name with a hyphen, or after a semicolon one with a capital. */
const hasAnotherHeader = (value: string) => {
  const name = "[!#$%'*+.^_`~0-9A-Za-z-]*";
  return new RegExp(`[ ;|&] *${name}-${name} *=[^=]|; *[A-Z]${name} *=[^=]`).test(value);
};

function primaryProblems({ primary }: BackstopProps): string[] {
  if (!primary) return [];
  const problems: string[] = [];
  const { url } = primary;
  if (!Token.isUnresolved(url)) {
    if (!/^https?:\/\//i.test(url)) {
      problems.push('primary.url does not begin with https://.');
    } else if (!URL.canParse(url) || !/^https?:\/\/([\w-]+(\.[\w-]+)*|\[[0-9A-Fa-f:.]+\])(:[1-9]\d{0,4})?([/?][!$%&'()*+,./:;=?@[\]_~A-Za-z0-9-]*)?$/i.test(url)) {
      problems.push('primary.url is not an address of the form https://host/path: it may have a port and a query, no user name, password, fragment or space. For credentials use primary.token or primary.headers.');
    } else if (/^http:/i.test(url) && !/^http:\/\/(localhost|127(\.\d{1,3}){3}|\[::1\])([:/?]|$)/i.test(url) && !primary.allowPlaintext) {
      problems.push('primary.url is plain http, and its host is not loopback: use https, or set primary.allowPlaintext to true.');
    }
  }
  const headers = Object.entries(primary.headers ?? {});
  const names = headers.map(([name]) => name.toLowerCase());
  if (primary.token && names.includes('authorization')) {
    problems.push('primary.token and the header Authorization in primary.headers say the same twice: keep one of the two.');
  }
  if (names.some((name) => OWN_HEADERS.includes(name))) {
    problems.push('primary.headers sets a header that the extension or the connection sets: remove Content-Type, Content-Encoding, Host, Idempotency-Key and the like.');
  }
  if (headers.some(([name]) => !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name))) {
    problems.push("primary.headers holds a name that is no header's: use letters, digits and hyphens.");
  }
  if (headers.some(([, secret]) => secret._isPlain() && !/^[!-+\--~]([ -+\--~]*[!-+\--~])?$/.test(secret._value()))) {
    problems.push('primary.headers holds a value that cannot be sent: it is empty, or has a comma, a space at an end, a line break or a character that is not ASCII.');
  }
  const plain = headers.filter(([, secret]) => secret._isPlain()).map(([name, secret]) => [name.toLowerCase(), secret._value()]);
  if (names.some((name) => QUOTED.test(name)) || plain.some(([, value]) => QUOTED.test(value))) {
    problems.push('primary.headers holds a quote at an end of a name or a value, which would be sent: remove it.');
  }
  if (plain.some(([name, value]) => name !== 'cookie' && hasAnotherHeader(value))) {
    problems.push('primary.headers holds a value with more than one header in it: give each header its own name.');
  }
  if (new Set(names).size < names.length) {
    problems.push('primary.headers sets a header twice, in two spellings: set it once.');
  }
  if (primary.token?._isPlain() && !/^[!-~]+$/.test(primary.token._value())) {
    problems.push('primary.token is empty, or holds a space, a line break or a character that is not ASCII: give the bare token, "Bearer" is added to it.');
  }
  if ([primary.token, ...Object.values(primary.headers ?? {})].some((secret) => secret?._isSecureString())) {
    problems.push('primary holds a SecureString parameter, and CloudFormation puts none into the environment of a function: use BackstopSecret.fromSecretsManager.');
  }
  return problems;
}

/** What the register's bounds say; texts and addresses have rules of their own. */
function registerProblems(variables: Record<string, string>): string[] {
  return REGISTER.flatMap((variable) => {
    const value = variables[variable.name];
    if (value === undefined || Token.isUnresolved(value)) return [];
    if (variable.kind === 'integer') {
      const number = Number(value);
      const fits = Number.isInteger(number) && number >= variable.min! && number <= variable.max!;
      return fits ? [] : [`${variable.name} would be ${value}: a whole number from ${variable.min} to ${variable.max} is taken.`];
    }
    if (variable.kind === 'someOf') {
      const items = value.split(',');
      const fits = items.every((item) => variable.values!.includes(item)) && new Set(items).size === items.length;
      return fits ? [] : [`${variable.name} would be "${value}": some of ${variable.values!.join(', ')} are taken, each once.`];
    }
    if (variable.kind === 'oneOf' && !variable.values!.includes(value)) {
      return [`${variable.name} would be "${value}": one of ${variable.values!.join(', ')} is taken.`];
    }
    return [];
  });
}

/** A quote that a file or a shell would have taken away. */
const QUOTED = /^["'`\u201c\u201d\u2018\u2019]|["'`\u201c\u201d\u2018\u2019]$/;

/** What every record has already. */
const OWN_TAGS = ['cloud.account.id', 'cloud.provider', 'cloud.region', 'faas.instance', 'faas.name', 'faas.version'];

function tagProblems({ tags }: BackstopProps): string[] {
  const all = Object.entries(tags ?? {});
  const plain = all.filter(([, value]) => typeof value === 'string' && !Token.isUnresolved(value));
  const problems: string[] = [];
  const wrong = all.some(([key, value]) =>
    typeof value !== 'string' || !/^[^,=\s]([^,=]*[^,=\s])?$/.test(key) || (!Token.isUnresolved(value) && value.includes(',')));
  if (wrong) {
    problems.push('tags holds a key that is empty or has a comma, an equals sign or a space at an end, or a value that is no text or has a comma.');
  }
  if (all.some(([key]) => OWN_TAGS.includes(key.toLowerCase()))) {
    problems.push(`tags sets what every record has already: remove ${OWN_TAGS.join(', ')}.`);
  }
  if (all.some(([key]) => /[\p{Cc};|&\uff0c\uff1b]/u.test(key) || QUOTED.test(key))
    || plain.some(([, value]) => /\p{Cc}/u.test(value) || QUOTED.test(value))) {
    problems.push('tags holds a key or a value with a line break or with a quote at an end, or a key with a separator: remove it.');
  }
  // As the extension looks for pairs that another separator than a comma divides.
  if (plain.some(([, value]) => /[\s;|&\uff0c\uff1b]\s*[\p{Alphabetic}\p{N}_./:@-]+\s*=|[;\uff1b]$/u.test(value))) {
    problems.push('tags holds a value with more than one pair in it: give each pair its own key.');
  }
  return problems;
}
