//! The archive's format, version 1: what writers and readers of an archive agree on.
//!
//! - `key`: where an object is.
//! - `write`: a line, as it is written.
//! - `derived`: the types of records that were derived from others, and what they hold.
//! - `needs`: the permissions that writing takes.
//! - with the feature `read`: `line` (a line, as it is read back), `reader` (an object, from bytes to
//!   lines, with `splitter` and `zstd`), `filter` and `glob` (which objects and lines are wanted), `walk`
//!   (which folders need not be listed for them), `stats` (counts).
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
#[cfg(feature = "read")]
mod moment;
mod needs;
#[cfg(feature = "read")]
mod reader;
#[cfg(feature = "read")]
mod splitter;
#[cfg(feature = "read")]
mod stats;
#[cfg(feature = "read")]
mod walk;
mod write;
#[cfg(feature = "read")]
mod zstd;

pub use derived::{
    EXCEPTION, Holds, INSIGHTS, METRICS, OTLP_LOGS, OTLP_METRICS, OTLP_TRACES, SPANS,
    fragment_holds, holds, is_reserved,
};
#[cfg(feature = "read")]
pub use filter::{Filter, LATEST_WRITE_MS, Verdict};
#[cfg(feature = "read")]
pub use glob::Glob;
pub use key::{Source, VERSION, function_of, mirrored_name, object_key, percent_decoded, root};
#[cfg(feature = "read")]
pub use line::{ArchivedLine, ArchivedReason, LineError, Origin};
#[cfg(feature = "read")]
pub use moment::Moment;
pub use needs::{Need, NeedKind, is_alias, needs};
#[cfg(feature = "read")]
pub use reader::{LONGEST_RECORD, Line, PIECE, Unpacker};
#[cfg(feature = "read")]
pub use stats::{Count, Stats};
#[cfg(feature = "read")]
pub use walk::{Step, after_folder};
pub use write::{ORIGINAL, begin_line, diverted_member, end_line, route_member};
