//! What was done, written down before it is done.
//!
//! One journal for each run, JSON Lines: a header with the plan, then an entry before each write and one
//! after it. Each is durable before the write is made, so that whatever interrupts the work, what may
//! have been changed is known, and can be taken up again or undone. [`Store`] is all runs, in a
//! `directory` of this machine or in a `bucket` that many share: there a run is numbered `segments`, with
//! a `lock`. Invariants: one process writes a run at a time; an entry that was cut off was followed by no
//! write; a run without a whole header changed nothing, and one that cannot be read stops no undo of
//! another. Must not: decide what to do about what it holds.

mod directory;
mod entry;
mod granted;
mod history;
mod location;
mod progress;
mod runs;
mod segments;
mod store;
mod undo;
mod writer;

pub use entry::{Entry, Header, Step};
pub use history::History;
pub use location::Location;
pub use progress::{Progress, StepState};
pub use runs::{last, undone, unfinished, unrestored};
pub use store::{Found, Run, Store, usual_directory};
pub use writer::Journal;
