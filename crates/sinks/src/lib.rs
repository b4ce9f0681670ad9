//! All network code of the data's way: formats, and the sinks that put them on the wire.
//!
//! A batch becomes bytes in [`codec`] (the archive's lines, gzip) and `format` (how a primary wants
//! it, and what its answers mean), and goes out through [`HttpsSink`], [`FirehoseSink`] or [`S3Sink`]. All three share one HTTP client
//! ([`SharedHttp`]); the official SDK clients of the last two are built on first need.
//!
//! [`otlp`] reads what the function itself posts.
//! [`secret`] reads what the primary's headers refer to, over the same client.
//!
//! Invariants:
//! - A sink only translates: bytes out, an [`Answer`](backstop_delivery::Answer) back. Retries,
//!   budgets and breakers are the chain's.
//! - Nothing is built, resolved or connected before the first batch is sent: none of it may cost an
//!   environment's init.
//! - No redirect is followed, and no secret appears in an error.

mod aws;
pub mod codec;
mod firehose;
mod format;
mod http;
mod https;
pub mod otlp;
mod s3;
pub mod secret;
mod wire;

pub use aws::Credentials;
pub use firehose::FirehoseSink;
pub use format::{Classifier, Row, Ruling, advice, has_prefix, names_invocation, tables, trace};
pub use http::{HttpError, SharedHttp, authorities};
pub use https::{Framed, HttpsSink, ReplaySink};
pub use s3::S3Sink;
