//! The result of a run.
//!
//! Invariant: a function counts as done only where every step of it is; what is done and what is left add up
//! to what was to be changed.

use std::collections::BTreeMap;

use serde::Serialize;

use super::errors::Rise;
use super::function::{Cause, Outcome};
use super::grants::RoleLeft;
use super::versions::PublishOutcome;
use crate::fleet::{Place, Skipped};
use crate::plan::{Action, Plan, Planned, Verdict, joined};

/// What a run came to.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The run: for `undo` and `resume`.
    pub run: String,
    /// What it was for.
    pub action: Action,
    /// Functions that were changed now.
    pub changed: u64,
    /// Functions that were changed before the run was taken up again.
    pub done_before: u64,
    /// Of the changed ones, those of which others' changes stay: see the conflicts.
    pub in_part: u64,
    /// Functions that were as they should be.
    pub already: u64,
    /// Functions that are as planned now: changed now or before, with all that was asked for besides.
    pub done: u64,
    /// Functions to be changed, but for those that turned out to be as they should be.
    pub total: u64,
    /// Of the changed ones, those that others changed since they were planned: both changes hold.
    pub merged: u64,
    /// Functions that the plan refused to touch.
    pub refused: u64,
    /// Functions that should have been changed and were not.
    pub left: Vec<Left>,
    /// What of others' changes stands against this one, known at planning or found while it was made.
    pub conflicts: Vec<Left>,
    /// Backstop layers that were attached after the plan and were replaced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<Left>,
    /// Versions that were published, or that were there already.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<Version>,
    /// Versions that the run published which is undone: they stay.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept_versions: Vec<Version>,
    /// Aliases that were moved.
    #[serde(skip_serializing_if = "is_none")]
    pub aliases: u64,
    /// Aliases not moved, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases_left: Vec<Left>,
    /// Roles whose policy was written.
    #[serde(skip_serializing_if = "is_none")]
    pub roles_written: u64,
    /// Roles whose policy stays, as functions need it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles_kept: Vec<RoleLeft>,
    /// Roles whose policy should have been written and was not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles_left: Vec<RoleLeft>,
    /// Functions whose turn did not come.
    pub not_begun: u64,
    /// Names that were given and are nowhere.
    pub missing: Vec<String>,
    /// Accounts and regions that were left out.
    pub skipped: Vec<Skipped>,
    /// Whether it was stopped.
    pub is_interrupted: bool,
    /// Whether the caller has to sign in again before anything more can be done.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_signed_out: bool,
    /// Why the run stopped on its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// The functions that began to fail most often, where that stopped it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rises: Vec<Rise>,
    /// What became of its undoing, where it stopped and was undone at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<Box<Self>>,
}

/// A version of a function.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// The account and region.
    #[serde(flatten)]
    pub place: Place,
    /// The function's name.
    pub name: String,
    pub version: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// A function, and what is in the way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Left {
    /// The account and region.
    #[serde(flatten)]
    pub place: Place,
    pub name: String,
    /// What is in the way.
    pub reason: String,
    /// Whether taking the run up again comes to the same.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_final: bool,
    /// Whether it was not tried, as others were refused alike.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_untried: bool,
}

impl Left {
    fn of(planned: &Planned, reason: String) -> Self {
        Self {
            place: planned.place.clone(),
            name: planned.name.clone(),
            reason,
            is_final: false,
            is_untried: false,
        }
    }
}

impl Version {
    fn of(planned: &Planned, version: &str) -> Self {
        Self {
            place: planned.place.clone(),
            name: planned.name.clone(),
            version: version.to_owned(),
        }
    }
}

impl Summary {
    /// Of nothing yet.
    pub fn new(run: &str, plan: &Plan) -> Self {
        Self {
            run: run.to_owned(),
            action: plan.action.clone(),
            changed: 0,
            done_before: 0,
            already: plan.with(Verdict::Same).count() as u64,
            in_part: 0,
            done: 0,
            total: plan.with(Verdict::Change).count() as u64,
            merged: 0,
            refused: plan.with(Verdict::Refused).count() as u64,
            left: Vec::new(),
            conflicts: (plan.functions.iter())
                .filter(|planned| !planned.conflicts.is_empty())
                .map(|planned| Left::of(planned, joined(&planned.conflicts)))
                .collect(),
            replaced: Vec::new(),
            versions: Vec::new(),
            kept_versions: (plan.functions.iter())
                .filter_map(|planned| Some(Version::of(planned, planned.version.as_ref()?)))
                .collect(),
            aliases: 0,
            aliases_left: Vec::new(),
            roles_written: 0,
            roles_kept: Vec::new(),
            roles_left: Vec::new(),
            not_begun: 0,
            missing: plan.missing.clone(),
            skipped: plan.skipped.clone(),
            is_interrupted: false,
            is_signed_out: false,
            stopped: None,
            rises: Vec::new(),
            undo: None,
        }
    }

    pub(super) fn add(&mut self, planned: &Planned, outcome: Outcome, publishing: PublishOutcome) {
        let because = |reason: String| Left::of(planned, reason);
        let is_whole = publishing.left.is_none() && publishing.alias_left.is_none();
        self.versions
            .extend((publishing.version).map(|version| Version::of(planned, &version)));
        self.aliases += u64::from(publishing.alias.is_some());
        self.aliases_left.extend(publishing.alias_left.map(because));
        if let Some(cause) = publishing.left {
            self.leave(planned, cause);
        }
        match outcome {
            Outcome::Done {
                merged,
                conflicts,
                replaced,
            } => {
                self.changed += 1;
                self.done += u64::from(is_whole);
                self.in_part += u64::from(conflicts.is_some());
                self.merged += u64::from(merged);
                self.conflicts.extend(conflicts.into_iter().map(because));
                self.replaced.extend(replaced.into_iter().map(because));
            }
            Outcome::Already => {
                self.already += 1;
                // Something else may be left of it.
                self.total -= u64::from(is_whole);
            }
            Outcome::Left(cause) => self.leave(planned, cause),
            Outcome::Refused(reason) => self.left.push(Left {
                is_final: true,
                ..because(reason)
            }),
            Outcome::DoneBefore => {
                self.done_before += 1;
                self.done += u64::from(is_whole);
            }
            Outcome::NotBegun => self.not_begun += 1,
        }
    }

    /// All of it was done before the run was taken up again.
    pub(super) fn add_done_before(&mut self) {
        self.done_before += 1;
        self.done += 1;
    }

    /// Functions that were not tried.
    pub(super) fn leave_all(&mut self, untried: Vec<(&Planned, Cause)>) {
        for (planned, cause) in untried {
            self.leave(planned, cause);
        }
    }

    fn leave(&mut self, planned: &Planned, cause: Cause) {
        self.is_signed_out |= cause.is_signed_out;
        self.left.push(Left {
            is_untried: cause.is_untried,
            ..Left::of(planned, cause.reason)
        });
    }

    pub(super) fn add_roles(&mut self, left: BTreeMap<String, String>) {
        let left = left.into_iter();
        self.roles_left
            .extend(left.map(|(role, reason)| RoleLeft { role, reason }));
    }

    pub(super) fn sort(&mut self) {
        self.left.sort_unstable();
        self.conflicts.sort_unstable();
        self.replaced.sort_unstable();
        self.versions.sort_unstable();
        self.aliases_left.sort_unstable();
    }

    /// Whether everything that was planned holds now.
    pub fn is_complete(&self) -> bool {
        self.left.is_empty()
            && self.conflicts.is_empty()
            && self.aliases_left.is_empty()
            && self.roles_left.is_empty()
            && self.not_begun == 0
            && self.stopped.is_none()
            && self.missing.is_empty()
            && !self.skipped.iter().any(|skipped| skipped.is_failure)
            // What an attachment refuses is the plan's business; an undoing owes everything.
            && (self.refused == 0 || !matches!(self.action, Action::Undo { .. }))
    }
}
