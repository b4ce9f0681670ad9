//! The decoder through its public API: what it keeps, its bounds, and the severity that it finds.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod bounds;
mod decode;
mod severity;
mod strict;
