//! The operator's command line.
//!
//! In the order in which a command meets them:
//!
//! - [`cli`] is what was typed: options only;
//! - [`app`] runs the command and maps its end to an exit code;
//! - [`files`] reads and writes what the operator names;
//! - [`project`] is what `backstop.toml` says in place of options;
//! - [`files`] reads what was named, and only where that is a file;
//! - [`aws`] is the one place that builds clients;
//! - [`fleet`] is where to work: accounts and regions, each at its pace;
//! - [`select`] is which functions, by pattern and otherwise;
//! - [`settings`] is what the extension is to be set to, with [`secrets`] from where they are;
//! - [`change`] is what is changed of a function, and how that is undone: pure;
//! - [`plan`] is what would be done with each function, and why;
//! - [`grants`] is what execution roles may do for it;
//! - [`journal`] is what was done, written down before it is;
//! - [`apply`] carries a plan out;
//! - [`status`] is what functions have, and whether that is what was left there;
//! - [`doctor`] is what stands between one function's records and where they are to go;
//! - [`replay`] puts what is in the archive back to a primary;
//! - [`layer`] packs the extension into what is deployed;
//! - [`demo`] runs the real extension through an outage, on this machine alone, and replays;
//! - [`usage`] is the error for what was asked for and makes no sense;
//! - [`output`] prints: the result on stdout, as a table or as JSON from one value, progress on stderr.
//!
//! Invariants: stdout is data and stderr is everything else; nothing but [`output`] prints; no
//! secret is taken from the command line or shown.

pub mod app;
pub mod apply;
pub mod aws;
pub mod change;
pub mod cli;
pub mod demo;
pub mod doctor;
pub mod files;
pub mod fleet;
pub mod grants;
pub mod journal;
pub mod layer;
pub mod output;
pub mod parsing;
pub mod plan;
pub mod project;
pub mod replay;
pub mod secrets;
pub mod select;
pub mod settings;
pub mod status;
mod time;
pub mod usage;

pub use app::main;
