//! Delivery policy, without a line of network code.
//!
//! In the order in which data meets them: a [`Record`] joins a [`Batch`]; the [`Chain`] offers the
//! batch to its [`Sink`]s within a [`Window`] of time, each behind a [`Breaker`], retrying by
//! [`Backoff`]; a sink's [`Answer`] becomes a [`Verdict`]; [`Isolation`] finds the records that a refused
//! body was refused for; the [`Ledger`] counts what became of each record.
//!
//! Invariants:
//! - A record given to [`Chain::flush`] is, when it returns, delivered and counted, dropped and
//!   counted, or in a batch handed back. Nothing else can become of it.
//! - No attempt outlives the window's end less what is reserved for the sinks after it.
//! - A batch keeps its id and its records' ids over every retry and sink.
//!
//! This crate must not know what a record says, nor what HTTP or AWS are: everything here runs on a
//! paused clock.

mod attempt;
mod backoff;
mod batch;
mod breaker;
mod cause;
mod chain;
mod clock;
mod context;
mod departure;
mod detail;
mod drop_reason;
mod isolation;
mod ledger;
mod link;
mod offer;
mod outcome;
mod phase;
mod piece;
mod record;
mod request;
mod role;
mod route;
mod share;
mod sink;
mod turn;
mod window;

pub use backoff::{Backoff, InvalidBackoff, Jitter};
pub use batch::{Batch, Diverted};
pub use breaker::{Breaker, BreakerState, Permit};
pub use cause::Cause;
pub use chain::{Chain, ChainParts};
pub use clock::{Civil, Clock, SystemClock, Wall};
pub use departure::Departure;
pub use detail::{Detail, NoCredentials, NoSecret, RegionName};
pub use drop_reason::DropReason;
pub use isolation::{Divisible, Isolation, Turn};
pub use ledger::{Ledger, SharedLedger};
pub use link::LinkSettings;
pub use outcome::{Answer, Failure, PartAnswer, Sent, Verdict};
pub use phase::Phase;
pub use record::{EnvironmentId, Record, RecordId, Signal};
pub use role::{Role, SinkName};
pub use route::Route;
pub use sink::{Encoded, Notice, Observer, Part, Preparation, Sink, SinkFuture, Unfit};
pub use window::{Window, WindowControl, WindowView};
