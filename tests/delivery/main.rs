//! Delivery through the real extension: every answer a primary can give, in every flush strategy, and
//! every sink's turn.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod aws;
mod scripted;
mod sinks;
mod strict;
mod table;
