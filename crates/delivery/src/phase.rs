//! The part of an execution environment's life that a decision is made in.

/// Where the execution environment is in its life, as far as sending is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The handler runs (or the environment is never frozen): sending adds no time.
    Handler,
    /// The runtime has finished: every millisecond is added to the invocation.
    PostRuntime,
    /// Lambda is taking the environment down.
    Shutdown,
}
