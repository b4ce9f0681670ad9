//! The invocation at hand: what is known of it, and when it must be over.

use tokio::time::Instant;

use super::flush::{Manner, Stage};

/// The invocation at hand; before the first one, init.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) request_id: String,
    pub(crate) manner: Manner,
    pub(crate) stage: Stage,
    /// Lambda's deadline, with a margin.
    pub(crate) ends: Instant,
    pub(crate) has_flushed: bool,
    pub(crate) is_reported: bool,
}
