//! What was done, written down before it is done.
//!
//! One file for each run, JSON Lines: a header with the plan, then an entry before each write and one
//! after it. Each is on disk before the write is made, so that whatever interrupts the work, what may
//! have been changed is known, and can be taken up again or undone. Invariants: mode 0600; one process
//! writes a run at a time; an entry that was cut off was followed by no write. Must not: decide what to
//! do about what it holds.

mod entry;
mod history;
mod progress;
mod runs;
mod store;
mod writer;

pub use entry::{AliasState, Entry, Header, Step};
pub use history::History;
pub use progress::{Progress, StepState};
pub use runs::Runs;
pub use store::{Run, Store};
pub use writer::Journal;

use std::time::SystemTime;

use aws_smithy_types::date_time::{DateTime, Format};

/// Now, as RFC 3339 has it, to the second.
pub fn now() -> String {
    let seconds = DateTime::from(SystemTime::now()).secs();
    (DateTime::from_secs(seconds).fmt(Format::DateTime)).unwrap_or_default()
}
