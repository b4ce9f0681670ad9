//! Where records wait for a sink: in memory, and beyond the end of the process in the spool.

mod handover;
mod held;
mod id_ranges;
mod memory;
mod queue;
pub mod spool;

pub(crate) use handover::Handover;
pub(crate) use memory::Buffer;
