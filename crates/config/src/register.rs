//! The register: every environment variable this version knows, in one table.
//!
//! It is the one author of them: the parser takes ranges and defaults from here, and reads a default as
//! it reads a user's text; `register.json`, for code that is not Rust, and `docs/configuration.md` are
//! generated from here.
//!
//! Invariants: only what works is listed; a name, once released, keeps its meaning; a number's name
//! ends in its unit.
//!
//! Must not: hold code that reads the environment.

use crate::variable::{Initial, Kind, StandardVariable, Variable};

pub(crate) const PRIMARY_URL: Variable = Variable::new(
    "BACKSTOP_PRIMARY_URL",
    Kind::Url,
    Initial::Unset,
    "Where records go first. Must be https; plain http is accepted only for loopback hosts, \
     unless `BACKSTOP_ALLOW_PLAINTEXT=true`. For `ndjson` and `json`, give the full address. For \
     the other formats, give a base: Backstop appends the format's own path, unless the address \
     already ends in it. `datadog` also accepts a site (`datadoghq.eu`), and `newrelic` a region \
     (`eu`). Without this variable every record goes to the fallbacks.",
);
pub(crate) const PRIMARY_FORMAT: Variable = Variable::new(
    "BACKSTOP_PRIMARY_FORMAT",
    Kind::OneOf {
        values: &[
            "ndjson", "json", "otlp", "elastic", "loki", "splunk", "datadog", "newrelic",
        ],
        later: &[],
    },
    Initial::Value("ndjson"),
    "The format of a batch: one JSON object a line, one JSON array, or what a backend accepts. \
     docs/backends.md describes each format.",
);
pub(crate) const SIGNALS: Variable = Variable::new(
    "BACKSTOP_SIGNALS",
    Kind::ListOf(&["logs", "metrics", "traces"]),
    Initial::Computed("what the format takes; for `ndjson` and `json`, `logs`"),
    "The signals to deliver. Backstop derives metrics and traces from platform events, and metrics \
     from log lines in CloudWatch's embedded metric format. `otlp` takes all three, and so do \
     `ndjson` and `json`, as lines; the other formats take logs, and the rest goes to \
     `BACKSTOP_OTLP_URL`. docs/signals.md lists the metrics and spans.",
);
pub(crate) const OTLP_URL: Variable = Variable::new(
    "BACKSTOP_OTLP_URL",
    Kind::Url,
    Initial::Unset,
    "Where metrics and traces go, in OTLP, if it is not the primary's address. Give a base: \
     Backstop appends `/v1/metrics` and `/v1/traces`. It gets the token and the headers of the \
     primary. Must be https, as the primary. For `newrelic` it follows from the region.",
);
pub(crate) const PRIMARY_OPTIONS: Variable = Variable::new(
    "BACKSTOP_PRIMARY_OPTIONS",
    Kind::Pairs,
    Initial::Unset,
    "Options of the format. All but `ndjson` and `json`: `emf` (`metrics`: a log line in CloudWatch's embedded \
     metric format becomes points of metrics, the default where metrics are delivered; `both`: it \
     stays a log as well). `otlp`: `encoding` (`protobuf`, `json`). `loki`: `encoding`, \
     `labels` (resource attributes that become labels, separated by `+`), `max_age_hours`. \
     `elastic`: `index` (a data stream or an index), `ids` (`false`: documents without `_id`). \
     `splunk`: `index`, `source`, `sourcetype`. `datadog`, `newrelic`: `max_age_hours` (older \
     records become dead letters).",
);
pub(crate) const PRIMARY_HEADERS: Variable = Variable::new(
    "BACKSTOP_PRIMARY_HEADERS",
    Kind::Pairs,
    Initial::Unset,
    "Headers of every request to the primary, each once. A value may contain `=`, but no comma; \
     quotes are not removed. `{{secret:ARN#KEY}}`, `{{ssm:NAME}}` or `{{kms:CIPHERTEXT}}` in a \
     value is a reference, which Backstop reads when it first sends. Treated as secret: Backstop \
     never shows a value.",
)
.secret();
pub(crate) const PRIMARY_TOKEN: Variable = Variable::new(
    "BACKSTOP_PRIMARY_TOKEN",
    Kind::Text,
    Initial::Unset,
    "The bare token of the primary. The format decides which header carries it. `otlp`, \
     `elastic` and `loki` also accept `USER:PASSWORD`, for basic authentication. May hold one \
     reference, as a header may. Set only one of the variables that name a token.",
)
.secret();
pub(crate) const PRIMARY_TOKEN_SECRET_ARN: Variable = Variable::new(
    "BACKSTOP_PRIMARY_TOKEN_SECRET_ARN",
    Kind::Text,
    Initial::Unset,
    "The ARN of the secret in Secrets Manager that holds the token, also of another region or \
     account. `#KEY` at its end names a key of a secret that is a JSON object. Backstop reads it \
     when it first sends, with the function's role, and again when the primary answers 401 or \
     403 and after a SnapStart restore.",
);
pub(crate) const PRIMARY_TOKEN_SSM_PARAMETER: Variable = Variable::new(
    "BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER",
    Kind::Text,
    Initial::Unset,
    "The parameter of Systems Manager that holds the token: its name, or its ARN, which also sets \
     the region. Backstop decrypts a SecureString, and reads the parameter when it would read a \
     secret of Secrets Manager.",
);
pub(crate) const PRIMARY_TOKEN_KMS: Variable = Variable::new(
    "BACKSTOP_PRIMARY_TOKEN_KMS",
    Kind::Text,
    Initial::Unset,
    "The token, encrypted with KMS, in Base64. The encryption context must be \
     `LambdaFunctionName` with the function's name, as Lambda's console sets it. Backstop decrypts \
     it in the function's region, when it would read a secret of Secrets Manager.",
);
pub(crate) const PRIMARY_TOKEN_KMS_KEY_ID: Variable = Variable::new(
    "BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID",
    Kind::Text,
    Initial::Unset,
    "The KMS key that encrypts the token: its id, its ARN, or its alias. The installer, Terraform \
     and CDK allow `kms:Decrypt` on it. Set it for `BACKSTOP_PRIMARY_TOKEN_KMS`, and for a secret \
     or a parameter with a key of your own; an alias cannot be granted.",
);
pub(crate) const PRIMARY_COMPRESSION: Variable = Variable::new(
    "BACKSTOP_PRIMARY_COMPRESSION",
    Kind::OneOf {
        values: &["gzip", "none"],
        later: &["zstd"],
    },
    Initial::Value("gzip"),
    "The compression of request bodies to the primary.",
);
pub(crate) const PRIMARY_TIMEOUT_MS: Variable = Variable::new(
    "BACKSTOP_PRIMARY_TIMEOUT_MS",
    Kind::Integer {
        min: 100,
        max: 60_000,
        unit: "milliseconds",
    },
    Initial::Value("5000"),
    "The longest time that one request to the primary may take. The budget of a flush may end it \
     sooner.",
);
pub(crate) const FALLBACK: Variable = Variable::new(
    "BACKSTOP_FALLBACK",
    Kind::ListOf(&["firehose", "s3"]),
    Initial::Value("firehose,s3"),
    "The fallbacks, in the order in which Backstop tries them. Unless you set it, Backstop uses \
     the configured fallbacks in the default order.",
);
pub(crate) const FIREHOSE_STREAM: Variable = Variable::new(
    "BACKSTOP_FIREHOSE_STREAM",
    Kind::Text,
    Initial::Unset,
    "The delivery stream that takes what the primary does not: its name, or its ARN, which also \
     sets the region. It must be in the function's account.",
);
pub(crate) const S3_BUCKET: Variable = Variable::new(
    "BACKSTOP_S3_BUCKET",
    Kind::Text,
    Initial::Unset,
    "The bucket of the archive: its name, `arn:aws:s3:::name`, or the alias of an access point. Directory \
     buckets are not supported.",
);
pub(crate) const S3_PREFIX: Variable = Variable::new(
    "BACKSTOP_S3_PREFIX",
    Kind::Text,
    Initial::Value("backstop"),
    "The prefix of the archive's keys. Backstop removes slashes at its ends.",
);
pub(crate) const S3_REGION: Variable = Variable::new(
    "BACKSTOP_S3_REGION",
    Kind::Text,
    Initial::Computed("the function's region"),
    "The region of the archive's bucket. Set it if the bucket is in another region than the \
     function.",
);
pub(crate) const S3_KMS_KEY_ID: Variable = Variable::new(
    "BACKSTOP_S3_KMS_KEY_ID",
    Kind::Text,
    Initial::Unset,
    "The KMS key that S3 encrypts the archive's objects with: its id, its ARN, or its alias. It \
     must be in the bucket's region, and may be in another account. The function's role then \
     needs `kms:GenerateDataKey` on it. Without this variable the bucket's default encryption \
     applies.",
);
pub(crate) const S3_EXPECTED_BUCKET_OWNER: Variable = Variable::new(
    "BACKSTOP_S3_EXPECTED_BUCKET_OWNER",
    Kind::Text,
    Initial::Unset,
    "The account that owns the bucket, 12 digits. S3 refuses every request if another account \
     owns it.",
);
pub(crate) const ROUTE: Variable = Variable::new(
    "BACKSTOP_ROUTE",
    Kind::OneOf {
        values: &["failover", "mirror", "sample"],
        later: &[],
    },
    Initial::Value("failover"),
    "Where records go. `failover`: to the primary, and to a fallback when it fails. `mirror`: also \
     to a fallback, always. `sample`: to the primary what the transforms leave, and everything to \
     a fallback. `mirror` and `sample` need a fallback. docs/routes.md describes them.",
);
pub(crate) const TELEMETRY_TYPES: Variable = Variable::new(
    "BACKSTOP_TELEMETRY_TYPES",
    Kind::ListOf(&["platform", "function", "extension"]),
    Initial::Value("platform,function,extension"),
    "The types of telemetry to deliver. The extension always subscribes to platform events, and \
     drops those that you do not name here.",
);
pub(crate) const OTLP_RECEIVER: Variable = Variable::new(
    "BACKSTOP_OTLP_RECEIVER",
    Kind::OneOf {
        values: &["true", "false"],
        later: &[],
    },
    Initial::Value("false"),
    "Whether Backstop receives the function's own telemetry: OTLP over HTTP at \
     `http://127.0.0.1:4318`, in protobuf or JSON. Logs, metrics and spans go to where the \
     primary takes them, and are archived like other records. docs/otlp.md describes it.",
);
pub(crate) const MIN_LEVEL: Variable = Variable::new(
    "BACKSTOP_MIN_LEVEL",
    Kind::OneOf {
        values: &["debug", "info", "warn", "error"],
        later: &[],
    },
    Initial::Value("debug"),
    "The least severe level of function and extension output to deliver. Output that states no \
     level counts as `info`. Platform events are never dropped by their level.",
);
pub(crate) const FILTER: Variable = Variable::new(
    "BACKSTOP_FILTER",
    Kind::Text,
    Initial::Unset,
    "Rules that drop or keep records, separated by `;` or line breaks. The first rule that \
     matches decides; a record that no rule matches is kept. A rule is `drop` or `keep` and \
     conditions, joined by `and`: `type=TYPE`, `level<LEVEL`, `record.FIELD=TEXT`, \
     `record.FIELD~/PATTERN/` or `record~/PATTERN/`. docs/transforms.md has examples.",
);
pub(crate) const REDACT: Variable = Variable::new(
    "BACKSTOP_REDACT",
    Kind::Text,
    Initial::Unset,
    "What to redact, separated by commas, for every sink, the archive and the spool \
     (`BACKSTOP_REDACT_ARCHIVE` can leave the original in the archive). Named patterns: `aws-keys`, `bearer`, `jwt`, `private-keys`, `email`, `card`, `ipv4`, `ipv6`, \
     `ssn`, `iban`, or `all` of them. Fields: `record.user.email`. Your own patterns: \
     `/PATTERN/` or `NAME=/PATTERN/`. If an entry is not valid, nothing is sent until it is \
     corrected.",
);
pub(crate) const REDACT_ARCHIVE: Variable = Variable::new(
    "BACKSTOP_REDACT_ARCHIVE",
    Kind::OneOf {
        values: &["true", "false"],
        later: &[],
    },
    Initial::Value("true"),
    "Whether what `BACKSTOP_REDACT` finds is taken out of the archive and the spool as well. With \
     `false` a redacted record is archived with its original text beside it, as the member \
     `original`, which is never sent to the primary, also not in a replay.",
);
pub(crate) const DEDUPE: Variable = Variable::new(
    "BACKSTOP_DEDUPE",
    Kind::OneOf {
        values: &["true", "false"],
        later: &[],
    },
    Initial::Value("false"),
    "Whether repeats of a line become one line with a count and the first and last time. Repeats \
     are joined while the line waits in memory.",
);
pub(crate) const SAMPLE: Variable = Variable::new(
    "BACKSTOP_SAMPLE",
    Kind::Text,
    Initial::Unset,
    "The share of invocations to keep, such as `10%`. An invocation is kept or dropped as a whole \
     when it ends. All functions of a trace keep the same ones, and a trace that X-Ray or a W3C \
     `traceparent` samples is always kept.",
);
pub(crate) const SAMPLE_KEEP: Variable = Variable::new(
    "BACKSTOP_SAMPLE_KEEP",
    Kind::Text,
    Initial::Value("error,timeout,cold"),
    "The invocations to keep beside the share, separated by commas: `error` (it failed, ran out of \
     memory, or wrote an error), `timeout`, `cold`, `slow>1s`; or `none`.",
);
pub(crate) const INSIGHTS: Variable = Variable::new(
    "BACKSTOP_INSIGHTS",
    Kind::OneOf {
        values: &["true", "false"],
        later: &[],
    },
    Initial::Value("false"),
    "Whether to add a record of the patterns of the function's lines, with counts, at most once a \
     minute and at shutdown. It counts every line, also those that transforms drop. \
     docs/transforms.md has an example.",
);
pub(crate) const CONFIG: Variable = Variable::new(
    "BACKSTOP_CONFIG",
    Kind::Text,
    Initial::Unset,
    "A file with settings in the function's package: its path, from `/var/task` unless it begins \
     with a slash. One `NAME=VALUE` a line, with the names of these variables; a line that begins \
     with a space continues the value. The environment overrides the file. `ssm:NAME` is a \
     parameter of Systems Manager with such a text, by its name or ARN. It may set the route and \
     the transforms; see docs/transforms.md.",
);
pub(crate) const FLUSH_STRATEGY: Variable = Variable::new(
    "BACKSTOP_FLUSH_STRATEGY",
    Kind::OneOf {
        values: &["auto", "end", "periodic", "continuous"],
        later: &[],
    },
    Initial::Value("auto"),
    "When Backstop sends records. `end`: all of them before the invocation is over. `periodic`: \
     at the flush interval. `continuous`: while handlers run. `auto` chooses by the rate of \
     invocations.",
);
pub(crate) const FLUSH_INTERVAL_MS: Variable = Variable::new(
    "BACKSTOP_FLUSH_INTERVAL_MS",
    Kind::Integer {
        min: 100,
        max: 600_000,
        unit: "milliseconds",
    },
    Initial::Value("1000"),
    "The longest time that a record waits for a flush by timer, while the environment is not \
     frozen.",
);
pub(crate) const MAX_ADDED_MS: Variable = Variable::new(
    "BACKSTOP_MAX_ADDED_MS",
    Kind::Integer {
        min: 0,
        max: 10_000,
        unit: "milliseconds",
    },
    Initial::Value("500"),
    "The most time that sending may add to an invocation after the function has answered.",
);
pub(crate) const BUFFER_MAX_BYTES: Variable = Variable::new(
    "BACKSTOP_BUFFER_MAX_BYTES",
    Kind::Integer {
        min: 1_048_576,
        max: 268_435_456,
        unit: "bytes",
    },
    Initial::Computed("10 % of the function's memory, at least 4 MiB and at most 32 MiB"),
    "The most memory that waiting records may use.",
);
pub(crate) const SPOOL_MAX_BYTES: Variable = Variable::new(
    "BACKSTOP_SPOOL_MAX_BYTES",
    Kind::Integer {
        min: 0,
        max: 1_073_741_824,
        unit: "bytes",
    },
    Initial::Value("67108864"),
    "The most space that the spool in `/tmp` may use. The spool is a copy of the records that \
     wait while Lambda may freeze or kill the environment. 0 turns it off.",
);
pub(crate) const TAGS: Variable = Variable::new(
    "BACKSTOP_TAGS",
    Kind::Pairs,
    Initial::Unset,
    "Resource attributes added to every record. A value may contain `=` and spaces, but no \
     comma; quotes are not removed. You cannot set the resource's own attributes (`faas.name`, \
     `cloud.region` and the like).",
);
pub(crate) const LOG_LEVEL: Variable = Variable::new(
    "BACKSTOP_LOG_LEVEL",
    Kind::OneOf {
        values: &["error", "warn", "info", "debug"],
        later: &[],
    },
    Initial::Value("warn"),
    "The least severe level of Backstop's own log lines to write.",
);
pub(crate) const METRICS: Variable = Variable::new(
    "BACKSTOP_METRICS",
    Kind::OneOf {
        values: &["off", "emf", "otlp", "both"],
        later: &[],
    },
    Initial::Value("off"),
    "Where Backstop's own counts go as metrics, at most once a minute and at shutdown: `emf` writes \
     lines in CloudWatch's embedded metric format to the function's log group, namespace \
     `Backstop`; `otlp` sends them where `BACKSTOP_SIGNALS` delivers metrics. docs/operations.md \
     lists the metrics and what they cost.",
);
pub(crate) const ALLOW_PLAINTEXT: Variable = Variable::new(
    "BACKSTOP_ALLOW_PLAINTEXT",
    Kind::OneOf {
        values: &["true", "false"],
        later: &[],
    },
    Initial::Value("false"),
    "Whether the primary's address may be plain http on a host that is not loopback.",
);

/// Every variable this version knows, in the order of the reference page.
pub static REGISTER: &[Variable] = &[
    PRIMARY_URL,
    PRIMARY_FORMAT,
    SIGNALS,
    OTLP_URL,
    PRIMARY_OPTIONS,
    PRIMARY_HEADERS,
    PRIMARY_TOKEN,
    PRIMARY_TOKEN_SECRET_ARN,
    PRIMARY_TOKEN_SSM_PARAMETER,
    PRIMARY_TOKEN_KMS,
    PRIMARY_TOKEN_KMS_KEY_ID,
    PRIMARY_COMPRESSION,
    PRIMARY_TIMEOUT_MS,
    ALLOW_PLAINTEXT,
    FALLBACK,
    FIREHOSE_STREAM,
    S3_BUCKET,
    S3_PREFIX,
    S3_REGION,
    S3_KMS_KEY_ID,
    S3_EXPECTED_BUCKET_OWNER,
    ROUTE,
    TELEMETRY_TYPES,
    OTLP_RECEIVER,
    MIN_LEVEL,
    FILTER,
    REDACT,
    REDACT_ARCHIVE,
    DEDUPE,
    SAMPLE,
    SAMPLE_KEEP,
    INSIGHTS,
    CONFIG,
    FLUSH_STRATEGY,
    FLUSH_INTERVAL_MS,
    MAX_ADDED_MS,
    BUFFER_MAX_BYTES,
    SPOOL_MAX_BYTES,
    TAGS,
    LOG_LEVEL,
    METRICS,
];

/// The variables of the platform and of common conventions that are honoured.
pub static STANDARD: &[StandardVariable] = &[
    StandardVariable::new(
        "AWS_REGION",
        "The region of the AWS services; Lambda sets it.",
    ),
    StandardVariable::new(
        "AWS_DEFAULT_REGION",
        "The region when `AWS_REGION` is not set.",
    ),
    StandardVariable::new(
        "AWS_ENDPOINT_URL",
        "The endpoint of S3, Firehose, Secrets Manager, Systems Manager and KMS, for all at once.",
    ),
    StandardVariable::new(
        "AWS_ENDPOINT_URL_S3",
        "The endpoint of S3; overrides `AWS_ENDPOINT_URL`. The bucket is in the host of an AWS endpoint, \
         and in the path of any other.",
    ),
    StandardVariable::new(
        "AWS_ENDPOINT_URL_FIREHOSE",
        "The endpoint of Firehose; overrides `AWS_ENDPOINT_URL`.",
    ),
    StandardVariable::new(
        "AWS_ENDPOINT_URL_SECRETS_MANAGER",
        "The endpoint of Secrets Manager; overrides `AWS_ENDPOINT_URL`.",
    ),
    StandardVariable::new(
        "AWS_ENDPOINT_URL_SSM",
        "The endpoint of Systems Manager; overrides `AWS_ENDPOINT_URL`.",
    ),
    StandardVariable::new(
        "AWS_ENDPOINT_URL_KMS",
        "The endpoint of KMS; overrides `AWS_ENDPOINT_URL`.",
    ),
    StandardVariable::new(
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "`true`: Backstop ignores the endpoints above.",
    ),
    StandardVariable::new(
        "AWS_USE_FIPS_ENDPOINT",
        "`true`: use the FIPS endpoints of AWS. Cannot be combined with an endpoint that you \
         set.",
    ),
    StandardVariable::new(
        "AWS_USE_DUALSTACK_ENDPOINT",
        "`true`: use the endpoints of AWS that IPv6 also reaches. Cannot be combined with an \
         endpoint that you set.",
    ),
    StandardVariable::new(
        "AWS_CA_BUNDLE",
        "A PEM file with additional certificate authorities to trust; the same as `SSL_CERT_FILE`.",
    ),
    StandardVariable::new(
        "AWS_ACCESS_KEY_ID",
        "Credentials of the function's role; Lambda sets them.",
    ),
    StandardVariable::new(
        "AWS_SECRET_ACCESS_KEY",
        "Credentials of the function's role; never shown.",
    ),
    StandardVariable::new(
        "AWS_SESSION_TOKEN",
        "Credentials of the function's role; never shown.",
    ),
    StandardVariable::new(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "Where a restored SnapStart environment gets its credentials.",
    ),
    StandardVariable::new(
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "The authorization of that request; never shown.",
    ),
    StandardVariable::new(
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "A file with the authorization of that request.",
    ),
    StandardVariable::new("AWS_LAMBDA_FUNCTION_NAME", "`faas.name` of the records."),
    StandardVariable::new(
        "AWS_LAMBDA_FUNCTION_VERSION",
        "`faas.version` of the records.",
    ),
    StandardVariable::new(
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "The memory size of the function; sets the default size of the buffer.",
    ),
    StandardVariable::new(
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "The mode in which the environment was started.",
    ),
    StandardVariable::new(
        "AWS_LAMBDA_RUNTIME_API",
        "The address of the platform's local APIs.",
    ),
    StandardVariable::new(
        "SSL_CERT_FILE",
        "A PEM file with additional certificate authorities to trust.",
    ),
    StandardVariable::new(
        "TMPDIR",
        "Where Backstop creates the spool's directory, `backstop`; `/tmp` if it is not set.",
    ),
    StandardVariable::new(
        "https_proxy",
        "The proxy of https requests, `http://user:password@host:port`. https:// and a bare `host:port` \
         also work; SOCKS does not. As with curl, the name in lower case wins.",
    ),
    StandardVariable::new("HTTPS_PROXY", "The same, if `https_proxy` is not set."),
    StandardVariable::new(
        "http_proxy",
        "The proxy of plain http requests, which `BACKSTOP_ALLOW_PLAINTEXT` and endpoints of emulators \
         allow.",
    ),
    StandardVariable::new("HTTP_PROXY", "The same, if `http_proxy` is not set."),
    StandardVariable::new(
        "all_proxy",
        "The proxy of requests for which neither of the others is set.",
    ),
    StandardVariable::new("ALL_PROXY", "The same, if `all_proxy` is not set."),
    StandardVariable::new(
        "no_proxy",
        "Hosts that Backstop reaches without a proxy, separated by commas or spaces: names, which include \
         all names below them, addresses, networks such as `10.0.0.0/8`, or `*`. A port after a colon \
         narrows an entry. Backstop never uses a proxy for loopback and link-local addresses.",
    ),
    StandardVariable::new("NO_PROXY", "The same, if `no_proxy` is not set."),
];
