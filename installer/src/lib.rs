//! The operator's command line.
//!
//! In the order in which a command meets them:
//!
//! - [`cli`] is what was typed: options only;
//! - [`app`] runs the command and maps its end to an exit code;
//! - [`aws`] is the one place that builds clients;
//! - [`replay`] puts what is in the archive back to a primary;
//! - [`layer`] packs the extension into what is deployed;
//! - [`demo`] runs the real extension through an outage, on this machine alone, and replays;
//! - [`output`] prints: the result on stdout, as a table or as JSON from one value, progress on stderr.
//!
//! Invariants: stdout is data and stderr is everything else; nothing but [`output`] prints; no
//! secret is taken from the command line or shown.

pub mod app;
pub mod aws;
pub mod cli;
pub mod demo;
pub mod layer;
pub mod output;
pub mod replay;

pub use app::main;
