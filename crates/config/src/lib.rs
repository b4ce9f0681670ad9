//! The configuration of Backstop: environment variables in, resolved settings out.
//!
//! The modules in the order of the flow:
//! - [`register`]: every variable this version knows, in one table; the reference page is made from it.
//! - [`raw`]: what was said: names and text, from the process environment or from a map.
//! - [`mod@file`]: the same in a file, under the environment.
//! - `format`: the formats of the primary, their addresses, and `options`; `signals`: where each signal goes.
//! - `parse`, `url`, `headers`, `reference`, `tags`, `transforms`, `arn`, `aws`, `endpoint`, `proxy`: text to
//!   value, one rule each.
//! - [`Settings::resolve`]: what was said to what is usable, with all errors at once.
//! - [`redaction`]: which mistakes leave open what to redact.
//! - [`backends`]: the backends with a name: what installer, Terraform and CDK make an address of.
//! - [`docs`]: `docs/configuration.md` and the tables of `docs/backends.md`, generated.
//! - [`json`]: the register and the backends for code that is not Rust, generated.
//!
//! Invariants: resolving never panics and never stops at the first mistake; settings hold whatever
//! is valid; no secret is printed by any `Debug`, `Display` or error of this crate.
//!
//! Must not: read files, open sockets, log, or depend on anything but `std` (the layer ships it).

mod arn;
mod aws;
pub mod backends;
pub mod docs;
mod endpoint;
mod error;
pub mod file;
mod format;
mod headers;
pub mod json;
mod options;
pub mod parameter;
mod parse;
mod proxy;
pub mod raw;
pub mod redaction;
mod reference;
pub mod register;
mod resolve;
mod secret;
mod settings;
mod signals;
mod suggest;
mod tags;
mod transforms;
mod url;
mod variable;

pub use arn::{Arn, PARTITIONS, is_account, is_partition, is_region, partition_of};
pub use backends::{BACKENDS, Backend};
pub use endpoint::S3Endpoint;
pub use error::{ConfigError, ErrorKind};
pub use format::Format;
pub use options::FormatOptions;
pub use proxy::{Proxies, Proxy};
pub use raw::{ProcessEnvironment, Strings};
pub use reference::{Reference, Store, Template};
pub use register::{REGISTER, STANDARD};
pub use secret::Secret;
pub use settings::{
    AwsSettings, CaFile, Compression, ContainerCredentials, Fallback, FlushSettings, FlushStrategy,
    FunctionSettings, InitializationType, LogLevel, MetricsTarget, Primary, References, Routing,
    S3Archive, Settings, SpoolSettings, TelemetryType,
};
pub use signals::{Endpoint, SignalName, Signals};
pub use tags::RESERVED_TAGS;
pub use transforms::{
    Action, Comparison, Condition, FilterRule, Level, NamedPattern, Redaction, SampleKeep,
    SampleSettings, TransformSettings,
};
pub use variable::{Initial, Kind, StandardVariable, Variable};

/// The version of this crate, which is the version of the product; error messages name it.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
