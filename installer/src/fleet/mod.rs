//! The accounts and regions of the library, and the text of those that are left out.

mod skipped;

pub use backstop_fleet::fleet::*;
pub use skipped::left_out;
