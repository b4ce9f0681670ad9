//! What is done to records between their arrival and the buffer.

mod enrich;
mod invocation;

pub use enrich::Enricher;
pub(crate) use invocation::{Invocations, member};
