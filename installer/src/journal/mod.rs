//! The journal of the library, and runs as people read them.
//!
//! `runs` lists them, `detail` shows one. Must not: write a journal.

mod detail;
mod runs;

pub use backstop_fleet::journal::*;
pub use detail::Detail;
pub use runs::Runs;
