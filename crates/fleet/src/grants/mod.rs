//! The inline policy of execution roles for the fallbacks: granting and removing it.
//!
//! A role belongs to an account, and functions of all its regions may share it. `document` says what a
//! policy has to hold, `grant` what is made of one, `roles` reads and writes it, `granted` is what
//! all runs gave. Invariants: what someone else wrote into the policy stays; it is taken back only where
//! it is as it was left, and no function needs it any more. Must not: touch any other policy.

mod ask;
mod document;
mod grant;
mod granted;
mod roles;

pub use ask::{Decision, decision};
pub use document::permissions;
pub use document::{Permission, is_same, merged, needs};
pub use grant::{Goal, Grant};
pub use granted::Granted;
pub use roles::Roles;

/// The policy's name.
pub const POLICY: &str = "backstop-fallback";
