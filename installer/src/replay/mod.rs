//! The replay for people: the primary of a function that is named, and what is printed at the end. The
//! replay itself is [`backstop_replay`].

mod follow;
mod like;
mod options;
mod report;

pub use backstop_replay::*;
pub use follow::{Followed, Following, OFTEN, queue_client};
pub use like::Like;
pub use options::{FROM_FILE, TYPED, summary_with_options};
pub use report::Replayed;
