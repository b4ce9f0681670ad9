//! The execution environment's life: the local APIs, and the decision when to send and when to say
//! that we are ready.

pub(crate) mod api;
pub(crate) mod clocks;
mod event;
pub(crate) mod flush;
pub(crate) mod invocation;
pub(crate) mod rate;
pub(crate) mod runtime_done;
