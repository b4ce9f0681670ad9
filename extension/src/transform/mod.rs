//! What is done to records between their arrival and the buffer.

mod derive;
mod enrich;
mod invocation;
mod reserved;

pub use derive::{Derivations, Derived, Deriver};
pub(crate) use derive::{embedded_copy, of_counts};
pub use enrich::Enricher;
pub(crate) use invocation::{Invocations, member, wall_of};
pub(crate) use reserved::believed;
