//! The operator's command line.
//!
//! In the order in which a command meets them:
//!
//! - [`cli`] defines the options;
//! - [`app`] runs the command and maps its end to an exit code;
//! - [`files`] reads and writes what the operator names;
//! - [`project`] reads `backstop.toml`;
//! - [`init`] writes the first one;
//! - [`aws`] is the one place that builds clients;
//! - [`fleet`] has the accounts and regions to work in, each with a rate limit;
//! - [`select`] selects functions by name, pattern, tag and runtime;
//! - [`settings`] resolves the extension's settings, and [`secrets`] reads their secrets;
//! - [`change`] computes a function's change and its undo: pure;
//! - [`plan`] decides what to do with each function, and why;
//! - [`grants`] writes the execution roles' policies;
//! - [`journal`] records each change before it is made;
//! - [`apply`] carries a plan out;
//! - [`status`] shows which functions have the layer, and which have drifted;
//! - [`controller`] shows what the controller function left in its state;
//! - [`doctor`] checks whether one function's records would arrive;
//! - [`archive`] lists, shows and counts the archive;
//! - [`replay`] sends the archive's records to a primary;
//! - [`transform`] shows what the transforms would do to the archive's records;
//! - [`layer`] builds, publishes and prunes the layer;
//! - [`carried`] finds the layers and the extension that came with this release;
//! - [`template`] writes the archive as a `CloudFormation` template;
//! - [`drill`] lets the primary of one function fail, and counts what becomes of the records;
//! - [`backstop_demo`] runs the real extension through an outage, on this machine alone, and replays;
//! - [`options`] words what the libraries advise in the options of this command line;
//! - [`usage`] is the error for a wrong command line;
//! - [`output`] prints: the result on stdout, as a table or as JSON from one value, progress on stderr; its
//!   `page` draws a result as one HTML page.
//!
//! Invariants: stdout is data and stderr is everything else; nothing but [`output`] prints; no
//! secret is taken from the command line or shown.

pub mod app;
pub mod apply;
pub mod archive;
pub mod carried;
pub mod cli;
pub mod controller;
pub mod doctor;
pub mod drill;
pub mod fleet;
pub mod init;
pub mod journal;
pub mod layer;
pub mod options;
pub mod plan;
pub mod replay;
pub mod status;
pub mod template;
pub mod transform;

pub use app::main;
pub use backstop_common::{files, parsing, time, usage};
pub use backstop_fleet::{aws, change, grants, project, secrets, select, settings};
pub use backstop_output as output;
