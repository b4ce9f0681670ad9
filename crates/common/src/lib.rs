//! What the command line and the replay library share, beside the contracts of other crates.
//!
//! [`Failure`] and [`explain`] put an AWS error into words with what to do, [`Marker`] ends a listing that
//! would never end, [`remote`] keeps objects and locks in S3, [`files`] reads and writes what the operator
//! names, [`parsing`] words parse errors without quoting, [`escape`] makes text of others harmless,
//! [`carried`] finds what came with this release.
//!
//! Invariant: a secret gets into no error. Must not: print, read an option, or build a client.

mod amount;
pub mod carried;
pub mod escape;
mod explain;
mod failure;
pub mod files;
mod marker;
pub mod parsing;
pub mod remote;
pub mod time;
pub mod usage;

pub use amount::{grouped, plural, size};
pub use explain::{bucket_region, explain, explain_with};
pub use failure::{Failure, Kind, UNTRIED, chain};
pub use marker::Marker;
