//! Everything Backstop talks to, on loopback: for the tests and for `backstop demo`.
//!
//! In the order in which a record meets them:
//!
//! - [`traffic`] makes function output, [`fixtures`] holds one example of each kind of telemetry event;
//! - [`environment`] is a Lambda execution environment around a real extension process: Runtime,
//!   Extensions and Telemetry API, freeze and thaw, shutdown with its 2,000 ms;
//! - [`intake`] is the primary, a fake APM over TLS, or the intake of a vendor;
//! - [`firehose`] and [`s3`] are the fallbacks and the archive behind them;
//! - [`SecretServer`] is where the primary's token may be kept;
//! - [`fault`] is what can be wrong with any of them;
//! - [`server`] is the HTTP server under them, which other fakes may use;
//! - [`LittleServer`] is as much of any other service as one answer takes.
//!
//! The AWS APIs that the installer calls are `crates/fake-aws`, which no product links.
//!
//! Invariants: nothing listens anywhere but on 127.0.0.1, nothing leaves a process or a directory
//! behind, and no normal path panics. It must not import any other crate of the workspace: a test
//! that shares code with what it tests proves less.

pub mod environment;
mod error;
pub mod fault;
pub mod firehose;
pub mod fixtures;
pub mod intake;
mod little_server;
pub mod s3;
mod secrets;
pub mod server;
pub mod sync;
mod time;
mod tls;
pub mod traffic;

pub use environment::{
    Environment, EnvironmentBuilder, InitializationType, Invocation, InvocationReport, Outcome,
    ShutdownReason, ShutdownReport, TelemetryMode,
};
pub use error::SimulationError;
pub use fault::Fault;
pub use firehose::FirehoseServer;
pub use intake::{Dialect, FakeIntake};
pub use little_server::LittleServer;
pub use s3::S3Server;
pub use secrets::SecretServer;
pub use tls::{Acceptors, Certificates, Tls};
