//! Where telemetry comes in: the listener that Lambda posts to, and the inbox behind it.

mod connections;
mod inbox;
mod listener;

pub(crate) use inbox::Inbox;
pub(crate) use listener::{Listener, MOST_BODY_BYTES};
