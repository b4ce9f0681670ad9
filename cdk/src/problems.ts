/**
 * What is wrong with settings, whatever function they are for, in sentences that say what to do.
 *
 * Pure, and all of it together. What is a token is not judged: it is known at deployment only. Must not: quote a secret.
 */
import { Token } from 'aws-cdk-lib';
import { formatOptionProblems, headerOfToken, resolveBackend } from './backends';
import { BackstopSink } from './fallback';
import { isAlias, isName } from './grants';
import { REGISTER } from './register';
import { backendOf, BackstopFormat, BackstopPrimary, BackstopProps, BackstopSignal, fallbackOf, variablesOf } from './settings';

/** Everything that is wrong with what is wanted, in sentences that say what to do. */
export function problemsOf(props: BackstopProps): string[] {
  const fromRegister = registerProblems(variablesOf(props));
  return [...sinkProblems(props), ...addressProblems(props), ...primaryProblems(props), ...fromRegister, ...tagProblems(props)];
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
    problems.push('Neither primary nor fallback is set, so nothing could be delivered: set primary.url, primary.backend, fallback.archive, fallback.stream or fallback.bucket.');
  }
  const { archive, order: _order, ...others } = given;
  if (archive && Object.values(others).some((value) => value !== undefined)) {
    problems.push('fallback.archive and another setting in fallback both say where the archive is: keep one of the two.');
  }
  for (const [one, other] of [['stream', 'firehoseStream'], ['bucket', 's3Bucket'], ['encryptionKey', 's3KmsKeyId']] as const) {
    if (!archive && given[one] !== undefined && given[other] !== undefined) problems.push(`fallback.${one} and fallback.${other} set the same thing: keep one of the two.`);
  }
  const setsS3 = [fallback.s3Prefix, fallback.s3Region, fallback.s3KmsKeyId, fallback.s3ExpectedBucketOwner].some((value) => value !== undefined);
  if (!fallback.s3Bucket && (setsS3 || order.includes(BackstopSink.S3))) {
    problems.push('fallback sets S3 options but no bucket: set fallback.bucket or fallback.s3Bucket, or remove s3Prefix, s3Region, encryptionKey, s3KmsKeyId, s3ExpectedBucketOwner and S3 in order.');
  }
  if (!fallback.firehoseStream && order.includes(BackstopSink.FIREHOSE)) {
    problems.push('fallback.order names FIREHOSE but there is no stream: set fallback.stream or fallback.firehoseStream, or remove FIREHOSE from order.');
  }
  if (isAlias(fallback.s3KmsKeyId ?? '') && (fallback.kmsKeyArns ?? []).length === 0) {
    problems.push("fallback.s3KmsKeyId is an alias, and a policy cannot grant an alias: give the key's ARN in fallback.kmsKeyArns as well.");
  }
  if ((fallback.kmsKeyArns ?? []).some(isAlias)) {
    problems.push("fallback.kmsKeyArns has an alias, and a policy cannot grant an alias: give the key's own ARN.");
  }
  if ((fallback.kmsKeyArns ?? []).some((arn) => isName(arn) || isOdd(arn, /^arn:aws[a-z0-9-]*:kms:[a-z0-9*-]+:(\d{12}|\*):key\/[a-z0-9*-]+$/i))) {
    problems.push('fallback.kmsKeyArns has an entry that is not the ARN of a key: give key.keyArn.');
  }
  const { firehoseStream, s3Bucket, s3Prefix, s3Region, s3KmsKeyId, s3ExpectedBucketOwner } = fallback;
  if (isOdd(firehoseStream, /^(arn:aws[a-z0-9-]*:firehose:[a-z0-9-]+:\d{12}:deliverystream\/)?[A-Za-z0-9_.-]{1,64}$/)) {
    problems.push('fallback.firehoseStream is neither the name nor the ARN of a delivery stream: give one of them.');
  }
  if (isOdd(s3Bucket, /^(arn:aws[a-z0-9-]*:s3:::)?(?!.*\.\.)(?!(\d+\.){3}\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/)) {
    problems.push('fallback.s3Bucket is not a bucket: give its name, 3 to 63 lowercase letters, digits, dots and hyphens, or arn:aws:s3:::NAME.');
  }
  // `*` is taken by the extension; in a policy it is a pattern.
  if (isOdd(s3Prefix, /^\/*(?!.{513})(?!\.{1,2}(\/|$))[A-Za-z0-9!\-_.'()=]+(\/(?!\.{1,2}(\/|$))[A-Za-z0-9!\-_.'()=]+)*\/*$/)) {
    problems.push("fallback.s3Prefix is invalid: use at most 512 letters, digits and !-_.'()=, with single slashes between parts, and no part that is . or .. .");
  }
  if (isOdd(s3Region, /^[a-z0-9]+(-[a-z0-9]+)*$/)) problems.push('fallback.s3Region is not the name of a region: give one such as us-east-1.');
  if (isOdd(s3KmsKeyId, new RegExp(`^((${KMS_ARN})?alias/[A-Za-z0-9/_-]{1,250}|${KMS_ARN}key/${KEY_ID}|${KEY_ID})$`, 'i'))) {
    problems.push('fallback.s3KmsKeyId is not a KMS key: give its id, its alias (alias/NAME) or its ARN.');
  }
  if (isOdd(s3ExpectedBucketOwner, /^\d{12}$/)) problems.push('fallback.s3ExpectedBucketOwner is not the id of an account: give its 12 digits.');
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

/** Whether a text is the name of a site, which its format makes an address of. */
const isSite = (format: BackstopFormat | undefined, url: string) =>
  (format === BackstopFormat.DATADOG && /^[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+$/.test(url))
  || (format === BackstopFormat.NEWRELIC && /^(us|eu|gov)$/i.test(url));

function urlProblems({ url, format, allowPlaintext }: BackstopPrimary): string[] {
  if (url !== undefined && !Token.isUnresolved(url) && !isSite(format, url)) {
    if (!/^https?:\/\//i.test(url)) {
      return ['primary.url does not begin with https://. Only the format datadog also accepts a site such as datadoghq.eu, and newrelic a region (us, eu or gov).'];
    }
    return addressOf('url', url, allowPlaintext);
  }
  return [];
}

/** What is wrong with an address that begins as one. */
function addressOf(property: string, url: string, allowPlaintext?: boolean): string[] {
  if (!URL.canParse(url) || !/^https?:\/\/([\w-]+(\.[\w-]+)*|\[[0-9A-Fa-f:.]+\])(:[1-9]\d{0,4})?([/?][!$%&'()*+,./:;=?@[\]_~A-Za-z0-9-]*)?$/i.test(url)) {
    return [`primary.${property} is not an address of the form https://host/path: it may have a port and a query, no user name, password, fragment or space. For credentials use primary.token or primary.headers.`];
  }
  if (/^http:/i.test(url) && !/^http:\/\/(localhost|127(\.\d{1,3}){3}|\[::1\])([:/?]|$)/i.test(url) && !allowPlaintext) {
    return [`primary.${property} is plain http and its host is not loopback: use https, or set primary.allowPlaintext to true.`];
  }
  return [];
}

/** What is wrong with the signals, and with where those go that have another address. */
function signalProblems({ signals, format, otlpUrl, allowPlaintext }: BackstopPrimary): string[] {
  const problems: string[] = [];
  if (otlpUrl !== undefined && !Token.isUnresolved(otlpUrl)) problems.push(...addressOf('otlpUrl', otlpUrl, allowPlaintext));
  if (signals !== undefined && (signals.length === 0 || new Set(signals).size < signals.length)) {
    problems.push('primary.signals is empty, or names a signal twice: name each once, or leave it out.');
  }
  const takesLogs = [BackstopFormat.ELASTIC, BackstopFormat.LOKI, BackstopFormat.SPLUNK, BackstopFormat.DATADOG];
  const others = signals?.filter((signal) => signal !== BackstopSignal.LOGS) ?? [];
  if (format !== undefined && takesLogs.includes(format) && otlpUrl === undefined && others.length > 0) {
    problems.push(`primary.signals names ${others.join(' and ')}, which the format ${format} does not take: set primary.otlpUrl to where they go, or take them out.`);
  }
  return problems;
}

/** What is wrong with where records go, and with the options of the format. */
function addressProblems(props: BackstopProps): string[] {
  const { primary } = props;
  if (!primary) return [];
  const sentence = (text: string) => `primary: ${text}${text.endsWith('?') ? '' : '.'}`;
  const problems = [...urlProblems(primary), ...signalProblems(primary)];
  if ((primary.url === undefined) === (primary.backend === undefined)) {
    problems.push('primary has neither url nor backend, or both: set one of them, or leave primary out.');
  }
  if (primary.backend !== undefined && primary.format !== undefined) {
    problems.push('primary.format is set, and the backend sets it too: remove one of the two.');
  }
  if (primary.backend === undefined && Object.keys(primary.backendOptions ?? {}).length > 0) {
    problems.push('primary has backendOptions but no backend: name it in primary.backend.');
  }
  if (primary.backend !== undefined) {
    problems.push(...resolveBackend(primary.backend, primary.backendOptions ?? {}).problems.map(sentence));
  }
  const backend = backendOf(props);
  if (backend?.needsToken && !primary.token && Object.keys(primary.headers ?? {}).length === 0) {
    problems.push('primary: the backend needs a token: give it in primary.token.');
  }
  if (backend?.tokenHeader && primary.token?._isPlain() && primary.token._value().includes(',')) {
    problems.push('primary.token goes into a header of the backend, and contains a comma: give the bare token.');
  }
  const format = backend?.format ?? primary.format ?? BackstopFormat.NDJSON;
  return [...problems, ...formatOptionProblems(format, primary.options ?? {}).map(sentence)];
}

function primaryProblems(props: BackstopProps): string[] {
  const { primary } = props;
  if (!primary) return [];
  const problems: string[] = [];
  const backend = backendOf(props);
  const tokenHeader = backend?.tokenHeader ?? headerOfToken(backend?.format ?? primary.format ?? BackstopFormat.NDJSON);
  const headers = Object.entries(primary.headers ?? {});
  const names = headers.map(([name]) => name.toLowerCase());
  if (primary.token && names.includes(tokenHeader)) {
    problems.push(`primary.token and the header ${tokenHeader} in primary.headers set the same header: keep one of the two.`);
  }
  for (const [name] of (backend?.headers ?? []).filter(([header]) => names.includes(header.toLowerCase()))) {
    problems.push(`the backend ${primary.backend} sets the header ${name.toLowerCase()}: remove it from primary.headers.`);
  }
  if (names.some((name) => OWN_HEADERS.includes(name))) {
    problems.push('primary.headers sets a header that the extension or the connection sets: remove Content-Type, Content-Encoding, Host, Idempotency-Key and the like.');
  }
  if (headers.some(([name]) => !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name))) {
    problems.push('primary.headers has a name that is not valid for a header: use letters, digits and hyphens.');
  }
  if (headers.some(([, secret]) => secret._isPlain() && !/^[!-+\--~]([ -+\--~]*[!-+\--~])?$/.test(secret._value()))) {
    problems.push('primary.headers has a value that cannot be sent: it is empty, contains a comma, a line break or a character that is not ASCII, or begins or ends with a space.');
  }
  const plain = headers.filter(([, secret]) => secret._isPlain()).map(([name, secret]) => [name.toLowerCase(), secret._value()]);
  if (names.some((name) => QUOTED.test(name)) || plain.some(([, value]) => QUOTED.test(value))) {
    problems.push('primary.headers has a quote at the beginning or the end of a name or a value, which would be sent: remove it.');
  }
  if (plain.some(([name, value]) => name !== 'cookie' && hasAnotherHeader(value))) {
    problems.push('primary.headers has a value with more than one header in it: give each header its own name.');
  }
  if (new Set(names).size < names.length) {
    problems.push('primary.headers sets one header twice, in two spellings: set it once.');
  }
  if (primary.token?._isPlain() && !/^[!-~]+$/.test(primary.token._value())) {
    problems.push('primary.token is empty, or contains a space, a line break or a character that is not ASCII: give the bare token, without a word such as "Bearer".');
  }
  if ([primary.token, ...Object.values(primary.headers ?? {})].some((secret) => secret?._isSecureString())) {
    problems.push('primary has a SecureString parameter, and CloudFormation puts no SecureString into the environment of a function: use BackstopSecret.readFromParameter.');
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
      return fits ? [] : [`${variable.name} would be ${value}: use a whole number from ${variable.min} to ${variable.max}.`];
    }
    if (variable.kind === 'someOf') {
      const items = value.split(',');
      const fits = items.every((item) => variable.values!.includes(item)) && new Set(items).size === items.length;
      return fits ? [] : [`${variable.name} would be "${value}": use some of ${variable.values!.join(', ')}, each once.`];
    }
    if (variable.kind === 'oneOf' && !variable.values!.includes(value)) {
      return [`${variable.name} would be "${value}": use one of ${variable.values!.join(', ')}.`];
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
    problems.push('tags has a key that is empty, contains a comma or an equals sign, or begins or ends with a space, or a value that is not text or contains a comma: correct it.');
  }
  if (all.some(([key]) => OWN_TAGS.includes(key.toLowerCase()))) {
    problems.push(`tags sets attributes that every record already has: remove ${OWN_TAGS.join(', ')}.`);
  }
  if (all.some(([key]) => /[\p{Cc};|&\uff0c\uff1b]/u.test(key) || QUOTED.test(key))
    || plain.some(([, value]) => /\p{Cc}/u.test(value) || QUOTED.test(value))) {
    problems.push('tags has a key or a value that contains a line break, or begins or ends with a quote, or a key with a separator: remove it.');
  }
  // As the extension looks for pairs that another separator than a comma divides.
  if (plain.some(([, value]) => /[\s;|&\uff0c\uff1b]\s*[\p{Alphabetic}\p{N}_./:@-]+\s*=|[;\uff1b]$/u.test(value))) {
    problems.push('tags has a value with more than one pair in it: give each pair its own key.');
  }
  return problems;
}
