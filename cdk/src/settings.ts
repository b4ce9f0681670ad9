/**
 * What is wanted of Backstop, and the environment that says so to the extension.
 *
 * Pure: from props to variables. What is wrong with them is in `problems`.
 */
import { Duration, Size, SizeRoundingBehavior } from 'aws-cdk-lib';
import { ResolvedBackend, resolveBackend } from './backends';
import { BackstopFallback, keyBehind } from './fallback';
import { IBackstopLayer } from './layer-base';
import { RuntimeReference } from './runtime-reference';
import { BackstopSecret } from './secret';

/** The format of a batch. */
export enum BackstopFormat {
  /** One JSON object a line. */
  NDJSON = 'ndjson',
  /** One JSON array. */
  JSON = 'json',
  /** OpenTelemetry's protocol over HTTP. */
  OTLP = 'otlp',
  /** The bulk API of Elasticsearch and OpenSearch. */
  ELASTIC = 'elastic',
  /** The push API of Grafana Loki. */
  LOKI = 'loki',
  /** Splunk's HTTP Event Collector. */
  SPLUNK = 'splunk',
  /** Datadog's intake of logs. */
  DATADOG = 'datadog',
  /** New Relic's Log API. */
  NEWRELIC = 'newrelic',
}

/** The compression of request bodies to the primary. */
export enum BackstopCompression {
  /** Gzip. */
  GZIP = 'gzip',
  /** No compression. */
  NONE = 'none',
}

/** When to send records. */
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

/** A signal to deliver. */
export enum BackstopSignal {
  /** Logs. */
  LOGS = 'logs',
  /** Metrics, from platform events and from log lines in the embedded metric format. */
  METRICS = 'metrics',
  /** Traces, from platform events. */
  TRACES = 'traces',
}

/** A type of telemetry to deliver. */
export enum BackstopTelemetryType {
  /** The platform's own records, such as reports. */
  PLATFORM = 'platform',
  /** The function's log lines. */
  FUNCTION = 'function',
  /** The log lines of extensions. */
  EXTENSION = 'extension',
}

/** How severe a function's or an extension's output is. */
export enum BackstopLevel {
  /** Debug and trace output. */
  DEBUG = 'debug',
  /** Output that states this level, or none. */
  INFO = 'info',
  /** Warnings. */
  WARN = 'warn',
  /** Errors. */
  ERROR = 'error',
}

/** Where records go. */
export enum BackstopRoute {
  /** To the primary, and to a fallback when it fails. */
  FAILOVER = 'failover',
  /** Also to a fallback, always. */
  MIRROR = 'mirror',
  /** To the primary what the transforms leave, and everything to a fallback. */
  SAMPLE = 'sample',
}

/** What is done to records before they are sent and archived, and where they go. */
export interface BackstopTransforms {
  /**
   * Where records go, which takes a fallback unless it is `FAILOVER` (`BACKSTOP_ROUTE`).
   * @default - the extension's own, `FAILOVER`
   */
  readonly route?: BackstopRoute;
  /**
   * The least severe level of function and extension output to deliver (`BACKSTOP_MIN_LEVEL`).
   * @default - the extension's own, every level
   */
  readonly minLevel?: BackstopLevel;
  /**
   * Rules that drop or keep records, in order, such as `drop type=platform.start` (`BACKSTOP_FILTER`).
   * @default - every record is kept
   */
  readonly filter?: string[];
  /**
   * What to redact: named patterns, fields such as `record.user.email`, `NAME=/PATTERN/` (`BACKSTOP_REDACT`).
   * @default - nothing
   */
  readonly redact?: string[];
  /**
   * Whether the archive holds no original of what was redacted (`BACKSTOP_REDACT_ARCHIVE`).
   * @default - the extension's own, true
   */
  readonly redactArchive?: boolean;
  /**
   * Whether repeats of a line become one line with a count (`BACKSTOP_DEDUPE`).
   * @default - the extension's own, false
   */
  readonly dedupe?: boolean;
  /**
   * The share of invocations to keep, such as `10%` (`BACKSTOP_SAMPLE`).
   * @default - every invocation is kept
   */
  readonly sample?: string;
  /**
   * The invocations to keep beside the share: `error`, `timeout`, `cold`, `slow>1s`, or `none`
   * (`BACKSTOP_SAMPLE_KEEP`).
   * @default - the extension's own: `error`, `timeout` and `cold`
   */
  readonly sampleKeep?: string[];
  /**
   * Whether to add records of the patterns of the function's lines (`BACKSTOP_INSIGHTS`).
   * @default - the extension's own, false
   */
  readonly insights?: boolean;
  /**
   * A file with settings in the function's package, or `ssm:NAME` for a parameter of Systems Manager
   * (`BACKSTOP_CONFIG`).
   * @default - none
   */
  readonly configFile?: string;
}

/** The least severe level of Backstop's own log lines to write. */
export enum BackstopLogLevel {
  /** Losses. */
  ERROR = 'error',
  /** Failures that the extension recovered from, too. */
  WARN = 'warn',
  /** Starts and ends, too. */
  INFO = 'info',
  /** Everything. */
  DEBUG = 'debug',
}

/** Where Backstop's own counts go as metrics. */
export enum BackstopMetrics {
  /** Nowhere. */
  OFF = 'off',
  /** To CloudWatch, by lines in the function's log group. */
  EMF = 'emf',
  /** Where the primary gets metrics. */
  OTLP = 'otlp',
  /** To both. */
  BOTH = 'both',
}

/** Where records go first. */
export interface BackstopPrimary {
  /**
   * A backend by its name, such as `honeycomb`, instead of `url` and `format`; it sets address, format and headers.
   * docs/backends.md lists them.
   * @default - `url` says where records go
   */
  readonly backend?: string;
  /**
   * The options of the backend, such as `{ region: 'eu' }`.
   * @default - the backend's own defaults
   */
  readonly backendOptions?: { [name: string]: string };
  /**
   * The address to post batches to (`BACKSTOP_PRIMARY_URL`). For `NDJSON` and `JSON`, the full address,
   * `https://host/path`; for the other formats, a base to which Backstop appends the format's path. `DATADOG` also
   * accepts a site, and `NEWRELIC` a region.
   * @default - `backend` says where records go
   */
  readonly url?: string;
  /**
   * The format of a batch (`BACKSTOP_PRIMARY_FORMAT`).
   * @default - the extension's own, `ndjson`
   */
  readonly format?: BackstopFormat;
  /**
   * The signals to deliver (`BACKSTOP_SIGNALS`).
   * @default - what the format takes; for `NDJSON` and `JSON`, logs
   */
  readonly signals?: BackstopSignal[];
  /**
   * Where metrics and traces go, in OTLP, if it is not `url` (`BACKSTOP_OTLP_URL`). It gets the token and the headers
   * of the primary.
   * @default - `url`
   */
  readonly otlpUrl?: string;
  /**
   * The options of the format, such as `{ index: 'logs-lambda-prod' }` (`BACKSTOP_PRIMARY_OPTIONS`).
   * @default - the format's own defaults
   */
  readonly options?: { [name: string]: string };
  /**
   * The bare token, sent in the header that the format or the backend uses: one that the function reads
   * (`BACKSTOP_PRIMARY_TOKEN_SECRET_ARN`, `BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER`, or `BACKSTOP_PRIMARY_TOKEN_KMS`, with
   * `BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID` for a key of your own), or one in its environment (`BACKSTOP_PRIMARY_TOKEN`).
   * @default - none
   */
  readonly token?: BackstopSecret;
  /**
   * Additional headers of every request (`BACKSTOP_PRIMARY_HEADERS`).
   * @default - none
   */
  readonly headers?: { [name: string]: BackstopSecret };
  /**
   * The compression of request bodies (`BACKSTOP_PRIMARY_COMPRESSION`).
   * @default - the extension's own, `gzip`
   */
  readonly compression?: BackstopCompression;
  /**
   * The longest time that one request may take, 100 to 60000 ms (`BACKSTOP_PRIMARY_TIMEOUT_MS`).
   * @default - the extension's own, 5 seconds
   */
  readonly timeout?: Duration;
  /**
   * Whether the address may be plain http on a host that is not loopback (`BACKSTOP_ALLOW_PLAINTEXT`).
   * @default false
   */
  readonly allowPlaintext?: boolean;
}

/** When to send records, and what waiting may cost. */
export interface BackstopFlush {
  /**
   * When to send records (`BACKSTOP_FLUSH_STRATEGY`).
   * @default - the extension's own, `auto`
   */
  readonly strategy?: BackstopFlushStrategy;
  /**
   * The longest time that a record waits for a flush by timer, 100 to 600000 ms (`BACKSTOP_FLUSH_INTERVAL_MS`).
   * @default - the extension's own, 1 second
   */
  readonly interval?: Duration;
  /**
   * The most time that sending may add to an invocation, 0 to 10000 ms (`BACKSTOP_MAX_ADDED_MS`).
   * @default - the extension's own, 500 ms
   */
  readonly maxAdded?: Duration;
  /**
   * The most memory that waiting records may use, 1 to 256 MiB (`BACKSTOP_BUFFER_MAX_BYTES`).
   * @default - the extension's own, by the function's memory
   */
  readonly bufferMax?: Size;
  /**
   * The most space that the spool in /tmp may use, up to 1 GiB; a size of 0 turns it off (`BACKSTOP_SPOOL_MAX_BYTES`).
   * @default - the extension's own, 64 MiB
   */
  readonly spoolMax?: Size;
}

/** The settings of Backstop for a function. */
export interface BackstopProps {
  /**
   * The source of the extension's layer. Container images need none: the extension is in the image.
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
   * When to send records.
   * @default - the extension's own settings
   */
  readonly flush?: BackstopFlush;
  /**
   * Resource attributes added to every record (`BACKSTOP_TAGS`).
   * @default - none
   */
  readonly tags?: { [key: string]: string };
  /**
   * The types of telemetry to deliver (`BACKSTOP_TELEMETRY_TYPES`).
   * @default - the extension's own, all of them
   */
  readonly telemetryTypes?: BackstopTelemetryType[];
  /**
   * Whether Backstop receives the function's own telemetry by OTLP (`BACKSTOP_OTLP_RECEIVER`).
   * @default - the extension's own, false
   */
  readonly otlpReceiver?: boolean;
  /**
   * What is done to records before they are sent and archived.
   * @default - nothing
   */
  readonly transforms?: BackstopTransforms;
  /**
   * The least severe level of Backstop's own log lines to write (`BACKSTOP_LOG_LEVEL`).
   * @default - the extension's own, `warn`
   */
  readonly logLevel?: BackstopLogLevel;
  /**
   * Where Backstop's own counts go as metrics (`BACKSTOP_METRICS`). `BackstopMonitoring` needs EMF or BOTH.
   * @default - the extension's own, `off`
   */
  readonly metrics?: BackstopMetrics;
}

/** The fallback by names and ARNs, with an archive these are its own. */
export function fallbackOf(props: BackstopProps): BackstopFallback {
  const { archive, stream, bucket, encryptionKey, ...named } = props.fallback ?? {};
  if (archive) return { ...archive.fallback, order: named.order };
  const bucketKey = keyBehind(bucket?.encryptionKey);
  return {
    ...named,
    firehoseStream: named.firehoseStream ?? stream?.deliveryStreamArn,
    s3Bucket: named.s3Bucket ?? bucket?.bucketName,
    s3KmsKeyId: named.s3KmsKeyId ?? keyBehind(encryptionKey)?.keyArn,
    kmsKeyArns: bucketKey ? [...named.kmsKeyArns ?? [], bucketKey.keyArn] : named.kmsKeyArns,
  };
}

/** What the backend stands for, where there is one and nothing is wrong with it. */
export function backendOf({ primary }: BackstopProps): ResolvedBackend | undefined {
  return primary?.backend === undefined ? undefined : resolveBackend(primary.backend, primary.backendOptions ?? {}).backend;
}

/** The token and the headers of the primary, where they belong. */
function secretsOf(props: BackstopProps): { token?: string; reference?: RuntimeReference; headers: [string, string][] } {
  const { primary } = props;
  const backend = backendOf(props);
  const token = primary?.token?._value();
  const headers = Object.entries(primary?.headers ?? {}).map(([name, secret]): [string, string] => [name, secret._value()]);
  // In a header of the backend, or after its user name, the reference is a part of the value.
  const reference = backend?.tokenHeader === undefined && !backend?.tokenPrefix ? primary?.token?._reference() : undefined;
  if (!backend) return reference ? { reference, headers } : { token, headers };
  const { tokenHeader, tokenPrefix } = backend;
  const inHeader: [string, string][] = tokenHeader !== undefined && token !== undefined ? [[tokenHeader, token]] : [];
  return {
    reference,
    token: token === undefined || reference || tokenHeader !== undefined ? undefined : `${tokenPrefix}${token}`,
    headers: [...backend.headers, ...inHeader, ...headers],
  };
}

/** What the function reads, whatever it is for. */
export function referencesOf({ primary }: BackstopProps): RuntimeReference[] {
  const secrets = [primary?.token, ...Object.values(primary?.headers ?? {})];
  return secrets.flatMap((secret) => secret?._reference() ?? []);
}

const pairs = (entries: [string, string][]): string | undefined =>
  entries.length === 0 ? undefined : entries.map(([key, value]) => `${key}=${value}`).join(',');

/** Every variable that is said; the rest keeps the extension's own default, and takes none of the 4 KB. */
export function variablesOf(props: BackstopProps): Record<string, string> {
  const { primary, flush, transforms } = props;
  const fallback = fallbackOf(props);
  const bytes = (size?: Size) => (size?.isUnresolved() ? 'known later' : size?.toBytes({ rounding: SizeRoundingBehavior.NONE }));
  const milliseconds = (time?: Duration) => (time?.isUnresolved() ? 'known later' : time?.toMilliseconds({ integral: false }));
  const backend = backendOf(props);
  const { token, reference, headers } = secretsOf(props);
  const read = (name: string) => (reference?.variable === name ? reference.text : undefined);
  const options = Object.entries(primary?.options ?? {}).sort(([one], [other]) => (one < other ? -1 : 1));
  const all: Record<string, string | number | boolean | undefined> = {
    BACKSTOP_PRIMARY_URL: backend?.url ?? primary?.url,
    BACKSTOP_PRIMARY_FORMAT: backend?.format ?? primary?.format,
    BACKSTOP_SIGNALS: primary?.signals?.join(','),
    BACKSTOP_OTLP_URL: primary?.otlpUrl,
    BACKSTOP_PRIMARY_OPTIONS: pairs(options),
    BACKSTOP_PRIMARY_HEADERS: pairs(headers),
    BACKSTOP_PRIMARY_TOKEN: token,
    BACKSTOP_PRIMARY_TOKEN_SECRET_ARN: read('BACKSTOP_PRIMARY_TOKEN_SECRET_ARN'),
    BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER: read('BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER'),
    BACKSTOP_PRIMARY_TOKEN_KMS: read('BACKSTOP_PRIMARY_TOKEN_KMS'),
    BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID: referencesOf(props).find(({ keyArn }) => keyArn !== undefined)?.keyArn,
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
    BACKSTOP_ROUTE: transforms?.route,
    BACKSTOP_OTLP_RECEIVER: props.otlpReceiver,
    BACKSTOP_MIN_LEVEL: transforms?.minLevel,
    BACKSTOP_FILTER: transforms?.filter?.join('; '),
    BACKSTOP_REDACT: transforms?.redact?.join(','),
    BACKSTOP_REDACT_ARCHIVE: transforms?.redactArchive,
    BACKSTOP_DEDUPE: transforms?.dedupe,
    BACKSTOP_SAMPLE: transforms?.sample,
    BACKSTOP_SAMPLE_KEEP: transforms?.sampleKeep?.join(','),
    BACKSTOP_INSIGHTS: transforms?.insights,
    BACKSTOP_CONFIG: transforms?.configFile,
    BACKSTOP_FLUSH_STRATEGY: flush?.strategy,
    BACKSTOP_FLUSH_INTERVAL_MS: milliseconds(flush?.interval),
    BACKSTOP_MAX_ADDED_MS: milliseconds(flush?.maxAdded),
    BACKSTOP_BUFFER_MAX_BYTES: bytes(flush?.bufferMax),
    BACKSTOP_SPOOL_MAX_BYTES: bytes(flush?.spoolMax),
    BACKSTOP_TAGS: pairs(Object.entries(props.tags ?? {})),
    BACKSTOP_LOG_LEVEL: props.logLevel,
    BACKSTOP_METRICS: props.metrics,
  };
  return Object.fromEntries(
    Object.entries(all).filter(([, value]) => value !== undefined).map(([name, value]) => [name, String(value)]),
  );
}
