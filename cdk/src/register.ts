// Generated from crates/config/register.json by `node scripts/register.js`: do not edit.

/** A variable of the extension's environment, and what it accepts. */
export interface Variable {
  readonly name: string;
  readonly secret: boolean;
  readonly kind: 'address' | 'integer' | 'oneOf' | 'pairs' | 'someOf' | 'text';
  readonly values?: readonly string[];
  readonly min?: number;
  readonly max?: number;
  /** What the extension reads where the variable is not set. */
  readonly default?: string;
}

/** Every variable of this version. */
export const REGISTER: readonly Variable[] = [
  { name: 'BACKSTOP_PRIMARY_URL', secret: false, kind: 'address' },
  { name: 'BACKSTOP_PRIMARY_FORMAT', secret: false, kind: 'oneOf', values: ['ndjson', 'json', 'otlp', 'elastic', 'loki', 'splunk', 'datadog', 'newrelic'], default: 'ndjson' },
  { name: 'BACKSTOP_SIGNALS', secret: false, kind: 'someOf', values: ['logs', 'metrics', 'traces'] },
  { name: 'BACKSTOP_OTLP_URL', secret: false, kind: 'address' },
  { name: 'BACKSTOP_PRIMARY_OPTIONS', secret: false, kind: 'pairs' },
  { name: 'BACKSTOP_PRIMARY_HEADERS', secret: true, kind: 'pairs' },
  { name: 'BACKSTOP_PRIMARY_TOKEN', secret: true, kind: 'text' },
  { name: 'BACKSTOP_PRIMARY_TOKEN_SECRET_ARN', secret: false, kind: 'text' },
  { name: 'BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER', secret: false, kind: 'text' },
  { name: 'BACKSTOP_PRIMARY_TOKEN_KMS', secret: false, kind: 'text' },
  { name: 'BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID', secret: false, kind: 'text' },
  { name: 'BACKSTOP_PRIMARY_COMPRESSION', secret: false, kind: 'oneOf', values: ['gzip', 'none'], default: 'gzip' },
  { name: 'BACKSTOP_PRIMARY_TIMEOUT_MS', secret: false, kind: 'integer', min: 100, max: 60000, default: '5000' },
  { name: 'BACKSTOP_ALLOW_PLAINTEXT', secret: false, kind: 'oneOf', values: ['true', 'false'], default: 'false' },
  { name: 'BACKSTOP_FALLBACK', secret: false, kind: 'someOf', values: ['firehose', 's3'], default: 'firehose,s3' },
  { name: 'BACKSTOP_FIREHOSE_STREAM', secret: false, kind: 'text' },
  { name: 'BACKSTOP_S3_BUCKET', secret: false, kind: 'text' },
  { name: 'BACKSTOP_S3_PREFIX', secret: false, kind: 'text', default: 'backstop' },
  { name: 'BACKSTOP_S3_REGION', secret: false, kind: 'text' },
  { name: 'BACKSTOP_S3_KMS_KEY_ID', secret: false, kind: 'text' },
  { name: 'BACKSTOP_S3_EXPECTED_BUCKET_OWNER', secret: false, kind: 'text' },
  { name: 'BACKSTOP_ROUTE', secret: false, kind: 'oneOf', values: ['failover', 'mirror', 'sample'], default: 'failover' },
  { name: 'BACKSTOP_TELEMETRY_TYPES', secret: false, kind: 'someOf', values: ['platform', 'function', 'extension'], default: 'platform,function,extension' },
  { name: 'BACKSTOP_OTLP_RECEIVER', secret: false, kind: 'oneOf', values: ['true', 'false'], default: 'false' },
  { name: 'BACKSTOP_MIN_LEVEL', secret: false, kind: 'oneOf', values: ['debug', 'info', 'warn', 'error'], default: 'debug' },
  { name: 'BACKSTOP_FILTER', secret: false, kind: 'text' },
  { name: 'BACKSTOP_REDACT', secret: false, kind: 'text' },
  { name: 'BACKSTOP_REDACT_ARCHIVE', secret: false, kind: 'oneOf', values: ['true', 'false'], default: 'true' },
  { name: 'BACKSTOP_DEDUPE', secret: false, kind: 'oneOf', values: ['true', 'false'], default: 'false' },
  { name: 'BACKSTOP_SAMPLE', secret: false, kind: 'text' },
  { name: 'BACKSTOP_SAMPLE_KEEP', secret: false, kind: 'text', default: 'error,timeout,cold' },
  { name: 'BACKSTOP_INSIGHTS', secret: false, kind: 'oneOf', values: ['true', 'false'], default: 'false' },
  { name: 'BACKSTOP_CONFIG', secret: false, kind: 'text' },
  { name: 'BACKSTOP_FLUSH_STRATEGY', secret: false, kind: 'oneOf', values: ['auto', 'end', 'periodic', 'continuous'], default: 'auto' },
  { name: 'BACKSTOP_FLUSH_INTERVAL_MS', secret: false, kind: 'integer', min: 100, max: 600000, default: '1000' },
  { name: 'BACKSTOP_MAX_ADDED_MS', secret: false, kind: 'integer', min: 0, max: 10000, default: '500' },
  { name: 'BACKSTOP_BUFFER_MAX_BYTES', secret: false, kind: 'integer', min: 1048576, max: 268435456 },
  { name: 'BACKSTOP_SPOOL_MAX_BYTES', secret: false, kind: 'integer', min: 0, max: 1073741824, default: '67108864' },
  { name: 'BACKSTOP_TAGS', secret: false, kind: 'pairs' },
  { name: 'BACKSTOP_LOG_LEVEL', secret: false, kind: 'oneOf', values: ['error', 'warn', 'info', 'debug'], default: 'warn' },
  { name: 'BACKSTOP_METRICS', secret: false, kind: 'oneOf', values: ['off', 'emf', 'otlp', 'both'], default: 'off' },
];

/** What the extension reads where a variable that has a default is not set. */
export const defaultOf = (name: string): string => REGISTER.find((variable) => variable.name === name)!.default!;
