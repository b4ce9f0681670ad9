//! Resolved settings: what the extension and the command line work with.
//!
//! Invariants: every value here is valid and usable as it is; the fallbacks stand in the order in
//! which they are tried; secrets are [`Secret`] and the query of a URL is not in its `Debug`.
//!
//! Must not: hold text that is still to be parsed.

mod aws;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::format::Format;
use crate::options::FormatOptions;
use crate::proxy::Proxies;
use crate::reference::{Reference, Template};
use crate::secret::Secret;
use crate::signals::{
    Endpoint, SignalName, Signals, datadog_metrics, datadog_otlp_metrics, otlp_address,
};
use crate::transforms::TransformSettings;
use crate::url;
pub use aws::{AwsSettings, ContainerCredentials, S3Archive};

/// Everything that can be set, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where records go first; `None` when it is not set or not valid.
    pub primary: Option<Primary>,
    /// Where records go when the primary does not take them, in order.
    pub fallbacks: Vec<Fallback>,
    /// What else is archived; [`Routing::Failover`] where there is no fallback.
    pub routing: Routing,
    /// What to subscribe to; never empty.
    pub telemetry_types: Vec<TelemetryType>,
    /// Whether the function's own telemetry is received, by OTLP.
    pub otlp_receiver: bool,
    /// The parameter that holds more of the next and of [`Settings::routing`]: see [`crate::parameter`].
    pub parameter: Option<Reference>,
    /// What is done to records before they are buffered.
    pub transforms: TransformSettings,
    /// When records are sent.
    pub flush: FlushSettings,
    /// The most memory that waiting records may take, in bytes.
    pub buffer_max_bytes: usize,
    /// Where and how much is kept for the next run in the same environment.
    pub spool: SpoolSettings,
    /// Resource attributes added to every record; each key once.
    pub tags: Vec<(String, String)>,
    /// The least severe of our own log lines that is written.
    pub log_level: LogLevel,
    /// Where our own counts go as metrics.
    pub metrics: MetricsTarget,
    /// Region, endpoints and credentials of the fallbacks.
    pub aws: AwsSettings,
    /// What Lambda says of the function.
    pub function: FunctionSettings,
    /// PEM files with further certificate authorities.
    pub ca_files: Vec<CaFile>,
    /// Which requests go through a proxy.
    pub proxies: Proxies,
}

/// A PEM file with further certificate authorities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaFile {
    /// The variable that names it.
    pub variable: &'static str,
    pub path: String,
}

/// The copy in `/tmp` of what waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolSettings {
    /// Its directory; nobody has looked whether it is there.
    pub directory: PathBuf,
    /// The most it may take; 0 for no spool.
    pub max_bytes: usize,
}

/// The primary sink.
#[derive(Clone, PartialEq, Eq)]
pub struct Primary {
    /// The address that batches are posted to; validated. For log lines take [`Primary::shown_url`].
    pub url: String,
    /// The form of a batch.
    pub format: Format,
    /// The signals that it gets; see [`Primary::endpoint`].
    pub signals: Signals,
    /// Another address of OTLP for metrics and traces: that of its logs.
    pub otlp_url: Option<String>,
    /// What the format lets the user choose.
    pub options: FormatOptions,
    /// How the body is compressed.
    pub compression: Compression,
    /// Further headers of each request; names are valid and never one that we set ourselves.
    pub headers: Vec<(String, Secret)>,
    /// The token, which the format has a header for: see [`Format::authorization`].
    pub token: Option<Secret>,
    /// Headers and a token that are kept elsewhere.
    pub references: References,
    /// The longest that one request may take.
    pub timeout: Duration,
}

/// What of the primary's headers is kept elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// The token; then [`Primary::token`] is none.
    pub token: Option<Template>,
    /// Headers by their names, none of which is in [`Primary::headers`].
    pub headers: Vec<(String, Template)>,
    /// The KMS key that the secrets are encrypted with, where the user names it.
    pub kms_key_id: Option<String>,
}

impl References {
    /// Whether nothing is kept elsewhere.
    pub fn is_empty(&self) -> bool {
        self.token.is_none() && self.headers.is_empty()
    }

    /// Where a reference names no region itself, it is in this one.
    pub fn move_to(&mut self, region: &str) {
        let headers = self.headers.iter_mut().map(|(_, template)| template);
        for template in self.token.iter_mut().chain(headers) {
            if !template.reference.id.starts_with("arn:") {
                region.clone_into(&mut template.reference.region);
            }
        }
    }

    /// Each secret, once, in the order in which they are read.
    pub fn each(&self) -> Vec<&Reference> {
        let headers = self.headers.iter().map(|(_, template)| template);
        let mut each: Vec<&Reference> = Vec::new();
        for template in self.token.iter().chain(headers) {
            if !each.contains(&&template.reference) {
                each.push(&template.reference);
            }
        }
        each
    }
}

impl Primary {
    /// Where logs go.
    pub fn logs(&self) -> Endpoint {
        Endpoint {
            url: self.url.clone(),
            format: self.format,
        }
    }

    /// Where a signal goes; `None` where it is not delivered.
    pub fn endpoint(&self, signal: SignalName) -> Option<Endpoint> {
        if !self.signals.has(signal) {
            return None;
        }
        let (url, format) = match (signal, &self.otlp_url) {
            (SignalName::Metrics | SignalName::Traces, Some(logs)) => {
                (otlp_address(logs, signal), Format::Otlp)
            }
            (SignalName::Metrics, None) if self.format == Format::Datadog => {
                (datadog_metrics(&self.url), Format::Datadog)
            }
            _ if self.format == Format::Otlp => (otlp_address(&self.url, signal), Format::Otlp),
            _ => return Some(self.logs()),
        };
        Some(Endpoint { url, format })
    }

    /// Where metrics go that the function posts, if that is not where other metrics go: Datadog's form for Backstop's
    /// own has no place for them.
    pub fn posted_metrics(&self) -> Option<Endpoint> {
        let has_its_own = self.format == Format::Datadog && self.otlp_url.is_none();
        (has_its_own && self.signals.metrics).then(|| Endpoint {
            url: datadog_otlp_metrics(&self.url),
            format: Format::Otlp,
        })
    }

    /// The address without its query, for log lines and errors.
    pub fn shown_url(&self) -> String {
        url::without_query(&self.url)
    }
}

impl fmt::Debug for Primary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Primary")
            .field("url", &self.shown_url())
            .field("format", &self.format)
            .field("signals", &self.signals)
            .field(
                "otlp_url",
                &self.otlp_url.as_deref().map(url::without_query),
            )
            .field("options", &self.options)
            .field("compression", &self.compression)
            .field("headers", &self.headers)
            .field("token", &self.token)
            .field("references", &self.references)
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// A sink that takes what the sinks before it did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fallback {
    /// A Firehose delivery stream.
    Firehose {
        /// The stream's name.
        stream: String,
        /// The stream's region.
        region: String,
        /// The stream's account, where an ARN says it.
        account: Option<String>,
    },
    /// The archive in S3.
    S3(S3Archive),
}

impl Fallback {
    /// The sink's name in `BACKSTOP_FALLBACK` and in the ledger.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Firehose { .. } => "firehose",
            Self::S3(_) => "s3",
        }
    }
}

/// How the body of a request is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    Gzip,
    /// Not at all.
    None,
}

impl Compression {
    pub(crate) const ALL: &[Self] = &[Self::Gzip, Self::None];

    /// The value of the variable.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::None => "none",
        }
    }
}

/// A kind of telemetry to subscribe to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TelemetryType {
    /// What Lambda itself reports.
    Platform,
    /// What the function writes.
    Function,
    /// What extensions write.
    Extension,
}

impl TelemetryType {
    pub(crate) const ALL: &[Self] = &[Self::Platform, Self::Function, Self::Extension];

    /// The word of the Telemetry API, which is the value of the variable as well.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Function => "function",
            Self::Extension => "extension",
        }
    }
}

/// When records are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlushSettings {
    /// What a flush waits for.
    pub strategy: FlushStrategy,
    /// How long a record waits at most for a flush by timer.
    pub interval: Duration,
    /// The most time that sending may add to an invocation.
    pub max_added: Duration,
}

/// Where records go, when all is well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Routing {
    /// To the primary.
    #[default]
    Failover,
    /// To the primary, and to a fallback.
    Mirror,
    /// To the primary what the transforms leave; to a fallback all.
    Sample,
}

/// What a flush waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlushStrategy {
    /// By the rate of invocations.
    Auto,
    /// The end of every invocation.
    End,
    /// The flush interval.
    Periodic,
    /// Nothing: records are sent while handlers run.
    Continuous,
}

impl Routing {
    pub(crate) const ALL: &[Self] = &[Self::Failover, Self::Mirror, Self::Sample];

    /// The value of the variable.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failover => "failover",
            Self::Mirror => "mirror",
            Self::Sample => "sample",
        }
    }
}

impl FlushStrategy {
    pub(crate) const ALL: &[Self] = &[Self::Auto, Self::End, Self::Periodic, Self::Continuous];

    /// The value of the variable.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::End => "end",
            Self::Periodic => "periodic",
            Self::Continuous => "continuous",
        }
    }
}

/// How severe a log line of our own is; a more severe level is less than a less severe one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Data was lost.
    Error,
    /// Something failed and was recovered.
    Warn,
    Info,
    /// What happens, closely.
    Debug,
}

impl LogLevel {
    pub(crate) const ALL: &[Self] = &[Self::Error, Self::Warn, Self::Info, Self::Debug];

    /// The value of the variable.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }

    /// Whether a line of level `line` is written at this level.
    pub fn includes(self, line: Self) -> bool {
        line as u8 <= self as u8
    }
}

/// Where the extension's own counts go as metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MetricsTarget {
    #[default]
    Off,
    /// To the function's log group, as lines in the embedded metric format.
    Emf,
    /// Where the primary gets its metrics.
    Otlp,
    Both,
}

impl MetricsTarget {
    pub(crate) const ALL: &[Self] = &[Self::Off, Self::Emf, Self::Otlp, Self::Both];

    /// The value of the variable.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Emf => "emf",
            Self::Otlp => "otlp",
            Self::Both => "both",
        }
    }

    /// Whether lines in the embedded metric format are written.
    pub fn has_emf(self) -> bool {
        matches!(self, Self::Emf | Self::Both)
    }

    /// Whether points are sent to the primary.
    pub fn has_otlp(self) -> bool {
        matches!(self, Self::Otlp | Self::Both)
    }
}

/// What Lambda says of the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionSettings {
    /// The function's name; empty outside Lambda.
    pub name: String,
    /// The function's version; `$LATEST` when nothing says otherwise.
    pub version: String,
    /// The function's memory, in MiB.
    pub memory_mb: u32,
    /// The mode in which the environment was started.
    pub initialization_type: InitializationType,
    /// Host and port of the platform's local APIs; `None` outside Lambda.
    pub runtime_api: Option<String>,
}

/// The mode in which an environment was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InitializationType {
    /// Started for an invocation.
    OnDemand,
    /// Started ahead of traffic.
    ProvisionedConcurrency,
    /// Restored from a snapshot.
    SnapStart,
    /// On Lambda Managed Instances: never frozen.
    ManagedInstances,
    /// A mode this version does not know.
    Other(String),
}
