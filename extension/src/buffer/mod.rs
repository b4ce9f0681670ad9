//! Where records wait for a sink.

mod memory;

pub(crate) use memory::Buffer;
