//! The plan of the library, and a plan as people read it.

mod view;

pub use backstop_fleet::plan::*;
pub use view::{Explanations, View};
