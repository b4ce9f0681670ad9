//! The real command, from its arguments to its exit code; loopback only.

mod owner;
mod replay;
mod support;
mod usage;
