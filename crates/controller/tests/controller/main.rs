//! The controller as Lambda runs it, against a control plane that is as strict as the real one.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod accounts;
mod events;
mod guards;
mod modes;
mod resources;
mod role;
mod stage;
mod undo;
