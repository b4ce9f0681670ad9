//! The decoder from outside: what it keeps, what it bounds, and how severe it calls a record.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod bounds;
mod decode;
mod severity;
mod strict;
