//! Carries out a plan: function by function, each write known to the journal before it is made.
//!
//! [`run`] goes through a plan, in `waves` where that was asked for, and place by place at the same
//! time, each at its rate; `function` does one function,
//! `versions` and `aliases` what is to follow it, `grants` what its role may do, and `errors` tells whether functions fail
//! more often than before. Invariants: what was planned is merged into what the function is now, and
//! written with the revision that was read, so that nobody's change is lost; a function is done, or left
//! as it was, or reported; after an interruption, or a stop of its own, nothing new is begun and what is
//! under way is finished.

mod aliases;
mod errors;
mod function;
mod grants;
mod run;
mod summary;
mod versions;
mod waves;

use std::collections::BTreeMap;
use std::time::Duration;

pub use errors::{Rise, invocations};
pub use grants::RoleLeft;
pub use run::run;
pub use summary::{Left, Summary, Version};

use crate::change::{Change, Vault};
use crate::fleet::{Fleet, Rates};
use crate::journal::{Journal, Progress};
use crate::plan::Rollout;

/// How to go about it.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How long to wait for a function that is being updated, by us or by someone else.
    pub wait: Duration,
    /// In which waves, and what stops it.
    pub rollout: Rollout,
}

/// All that a run needs.
#[derive(Debug)]
pub struct Context<'a> {
    pub fleet: &'a Fleet,
    /// The secrets that the plan only has digests of.
    pub vault: &'a Vault,
    /// Where each write is recorded first.
    pub journal: &'a Journal,
    /// What earlier runs did, by function.
    pub history: &'a BTreeMap<String, Change>,
    /// What was done before, when a run is taken up again.
    pub progress: &'a Progress,
    pub rates: Rates,
    /// How to go about it.
    pub options: Options,
}

impl Context<'_> {
    /// Whether a step was done before the run was taken up again.
    fn is_done(&self, key: &str) -> bool {
        self.progress.is_done(key)
    }
}
