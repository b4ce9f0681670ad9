//! What is done to records between their arrival and the buffer.

mod derive;
mod enrich;
mod invocation;

pub(crate) use derive::{Derivations, Derived, Deriver, embedded_copy, of_counts};
pub use enrich::Enricher;
pub(crate) use invocation::{Invocations, member};
