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
mod outline;
mod owned;
mod progress;
mod reader;
mod runs;
mod segments;
mod store;
mod undo;
mod writer;

pub use entry::{Entry, Header, Step};
pub use history::History;
pub use location::Location;
pub use outline::Outline;
pub use owned::owned;
pub use progress::{Progress, StepState};
pub use runs::{last, undone, unfinished, unrestored};
pub use store::{Found, Run, Store, usual_directory};
pub use writer::Journal;

/// What the controller keeps beside the runs, and `backstop controller status` reads.
pub mod beside {
    /// An object that stops all writes of the controller.
    pub const STOP: &str = "controller/stop";
    /// The result of the last plan over everything.
    pub const LAST_PLAN: &str = "controller/last-plan.json";
    /// The result of the last plan for functions that changed.
    pub const LAST_EVENTS: &str = "controller/last-events.json";
    /// The result of the last request of Terraform or `CloudFormation`.
    pub const LAST_RESOURCE: &str = "controller/last-resource.json";
}
