//! What is done to records between their arrival and the buffer.

mod enrich;

pub use enrich::Enricher;
