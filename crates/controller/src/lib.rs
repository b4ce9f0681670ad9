//! The controller: keeps the functions of a fleet as `backstop.toml` wants them.
//!
//! In the order in which an invocation meets them:
//!
//! - [`event`] says what an invocation asks for: a plan over everything, some functions that changed, or a
//!   resource of Terraform or `CloudFormation`; pure;
//! - [`settings`] reads the function's own variables;
//! - [`wanted`] reads the wanted state and the switch;
//! - [`decide`] chooses which planned changes are written; pure;
//! - [`controller`] plans, writes and records the result;
//! - [`result`] is what it came to, with the metrics that alarms watch;
//! - [`answer`] tells `CloudFormation` how its resource fared.
//!
//! Invariants: a change is in the journal before it is made, so that `backstop undo --state s3://…` undoes
//! it; what is as wanted is not written; a wanted state that is empty or cannot be read changes nothing.
//! Must not: print, except through the caller.

pub mod answer;
pub mod controller;
pub mod decide;
pub mod event;
pub mod result;
pub mod settings;
pub mod wanted;
