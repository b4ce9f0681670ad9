//! Delivery through the real extension: every sink's turn, what AWS says of failures, and records that a
//! primary refuses. What a server's faults lead to is in the matrix.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod aws;
mod scripted;
mod sinks;
mod strict;
