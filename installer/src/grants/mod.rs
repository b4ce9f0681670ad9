//! What execution roles may do: an inline policy for the fallbacks, granted and taken back.
//!
//! A role belongs to an account, and functions of all its regions may share it. `document` says what a
//! policy has to hold, `plan` which roles need it, `roles` reads and writes it, `history` knows what
//! all runs granted. Invariants: what someone else wrote into the policy stays; it is taken back only where
//! it is as it was left, and no function needs it any more. Must not: touch any other policy.

mod ask;
mod document;
mod history;
mod plan;
mod roles;

pub use ask::{Decision, decision};
pub use document::{Permission, is_same, merged, needs};
pub use history::Granted;
pub use plan::{Goal, Grant};
pub use roles::Roles;

/// The policy's name.
pub const POLICY: &str = "backstop-fallback";
