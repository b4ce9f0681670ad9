//! The real command, from its arguments to its exit code; loopback only.

mod layer;
mod owner;
mod replay;
mod support;
mod usage;
