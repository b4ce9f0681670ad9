//! The archive's format, version 1: what writers and readers of an archive agree on.
//!
//! - `key`: where an object is.
//! - `write`: a line, as it is written.
//! - `derived`: the types of records that were derived from others, and what they hold.
//! - `needs`: the permissions that writing takes.
//! - with the feature `read`: `line` (a line, as it is read back), `reader` (an object, from bytes to
//!   lines), `filter` and `glob` (which objects and lines are wanted).
//!
//! The S3 and Firehose sinks write through this crate; `replay` and `doctor`, the installer's grants and
//! the fuzz targets use it as well.
//!
//! Invariants: an old archive stays readable, so a written member is never renamed or removed; a reader
//! accepts members it does not know.
//!
//! Must not: connect to anything, or know where an object comes from.

mod derived;
#[cfg(feature = "read")]
mod filter;
#[cfg(feature = "read")]
mod glob;
mod key;
#[cfg(feature = "read")]
mod line;
mod needs;
#[cfg(feature = "read")]
mod reader;
mod write;

pub use derived::{EXCEPTION, Holds, METRICS, SPANS, fragment_holds, holds};
#[cfg(feature = "read")]
pub use filter::{Filter, Moment, Verdict};
#[cfg(feature = "read")]
pub use glob::Glob;
pub use key::{Source, VERSION, function_of, object_key, percent_decoded, root};
#[cfg(feature = "read")]
pub use line::{ArchivedLine, ArchivedReason, LineError};
pub use needs::{Need, NeedKind, is_alias, needs};
#[cfg(feature = "read")]
pub use reader::{LONGEST_RECORD, Line, PIECE, Unpacker};
pub use write::{begin_line, diverted_member, end_line};
