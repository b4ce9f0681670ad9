//! The carrying out of a plan, which the library does, and its result as people read it.

mod view;

pub use backstop_fleet::apply::*;
pub use view::View;
