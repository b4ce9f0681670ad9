//! What is done to records between their arrival and the buffer.

mod derive;
mod enrich;
mod invocation;

pub(crate) use derive::embedded_copy;
pub use derive::{Derivations, Derived, Deriver};
pub use enrich::Enricher;
pub(crate) use invocation::{Invocations, member};
