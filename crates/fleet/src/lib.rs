//! A fleet's functions as a library: what the command line and the controller do to them.
//!
//! In the order in which a caller meets them:
//!
//! - [`project`] reads `backstop.toml`;
//! - [`aws`] is the one place that builds clients;
//! - [`fleet`] has the accounts and regions to work in, each with a rate limit;
//! - [`select`] selects functions by name, pattern, tag and runtime;
//! - [`settings`] resolves the extension's settings, and [`secrets`] reads their secrets;
//! - [`change`] computes a function's change and its undo: pure;
//! - [`plan`] decides what to do with each function, and why;
//! - [`grants`] writes the execution roles' policies;
//! - [`journal`] records each change before it is made, in a directory or in S3;
//! - [`apply`] carries a plan out;
//! - [`session`] is the way through them that a caller takes.
//!
//! Invariants: a change is in the journal before it is made; a secret is in no plan, journal or error.
//! Must not: print, parse a command line, or ask.

pub mod apply;
pub mod aws;
pub mod change;
pub mod fleet;
pub mod grants;
pub mod journal;
pub mod plan;
pub mod project;
pub mod secrets;
pub mod select;
pub mod session;
pub mod settings;

use backstop_common::{files, parsing, time, usage};
