//! The function as Lambda runs it: the real binary, invoked through the Runtime API.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod breaker;
mod cloud;
mod engine;
mod large;
mod map;
mod poison;
mod role;
mod stage;
mod throughput;
