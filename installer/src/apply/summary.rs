//! What a run came to.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::errors::Rise;
use super::function::Outcome;
use super::grants::RoleLeft;
use super::versions::Beside;
use crate::fleet::{Place, Skipped};
use crate::output::{Report, Style, plural};
use crate::plan::{Action, Plan, Planned, Verdict, told};

/// So many versions are listed for people.
const TOLD: usize = 20;

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
    /// Functions that were as they should be.
    pub already: u64,
    /// Of the changed ones, those that others changed since they were planned: both changes hold.
    pub merged: u64,
    /// Functions that the plan refused to touch.
    pub refused: u64,
    /// Functions that should have been changed and were not.
    pub left: Vec<Left>,
    /// What of others' changes stands against this one, known at planning or found while it was made.
    pub conflicts: Vec<Left>,
    /// Other layers of ours that were attached since the plan, and that were replaced.
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
    /// Aliases that stay where they are, and why.
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
    /// Why it stopped by itself.
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
    /// Its number.
    pub version: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
fn is_false(it: &bool) -> bool {
    !*it
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
    /// Its name.
    pub name: String,
    /// What is in the way.
    pub reason: String,
    /// Whether taking the run up again comes to the same.
    #[serde(skip_serializing_if = "is_false")]
    pub is_final: bool,
}

impl Left {
    fn of(planned: &Planned, reason: String) -> Self {
        Self {
            place: planned.place.clone(),
            name: planned.name.clone(),
            reason,
            is_final: false,
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
            merged: 0,
            refused: plan.with(Verdict::Refused).count() as u64,
            left: Vec::new(),
            conflicts: (plan.functions.iter())
                .filter(|planned| !planned.conflicts.is_empty())
                .map(|planned| Left::of(planned, told(&planned.conflicts)))
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
            stopped: None,
            rises: Vec::new(),
            undo: None,
        }
    }

    pub(super) fn add(&mut self, planned: &Planned, outcome: Outcome) {
        let because = |reason: String| Left::of(planned, reason);
        match outcome {
            Outcome::Done {
                merged,
                conflicts,
                replaced,
            } => {
                self.changed += 1;
                self.merged += u64::from(merged);
                self.conflicts.extend(conflicts.into_iter().map(because));
                self.replaced.extend(replaced.into_iter().map(because));
            }
            Outcome::Already => self.already += 1,
            Outcome::Left(reason) => self.left.push(because(reason)),
            Outcome::Refused(reason) => self.left.push(Left {
                is_final: true,
                ..because(reason)
            }),
            Outcome::DoneBefore => self.done_before += 1,
            Outcome::NotBegun => self.not_begun += 1,
        }
    }

    pub(super) fn add_roles(&mut self, left: BTreeMap<String, String>) {
        let left = left.into_iter();
        self.roles_left
            .extend(left.map(|(role, reason)| RoleLeft { role, reason }));
    }

    pub(super) fn add_beside(&mut self, planned: &Planned, beside: Beside) {
        let because = |reason: String| Left::of(planned, reason);
        self.versions
            .extend((beside.version).map(|version| Version::of(planned, &version)));
        self.aliases += u64::from(beside.alias.is_some());
        self.aliases_left.extend(beside.alias_left.map(because));
        self.left.extend(beside.left.map(because));
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

impl Summary {
    fn counts(&self) -> [(u64, &'static str); 11] {
        [
            (self.changed, "changed now"),
            (
                self.done_before,
                "changed before this run was taken up again",
            ),
            (self.already, "as they should be, and not written"),
            (
                self.merged,
                "changed by others since the plan: both changes hold",
            ),
            (self.refused, "refused by the plan"),
            (self.versions.len() as u64, "versions published"),
            (self.aliases, "aliases moved"),
            (self.roles_written, "roles whose policy was written"),
            (self.kept_versions.len() as u64, "versions of that run stay"),
            (self.left.len() as u64, "left: not as they should be"),
            (self.not_begun, "not begun"),
        ]
    }
}

impl Report for Summary {
    fn text(&self, style: Style) -> String {
        let mut text = String::new();
        let word = match self.action {
            Action::Attach => "attached",
            Action::Detach => "detached",
            Action::Undo { .. } => "undone",
        };
        let total = self.changed + self.done_before + self.already;
        let verdict = format!("{} {word}", plural(total, "function"));
        // Writing to a String cannot fail.
        let mut line = |line: String| writeln!(text, "{line}").unwrap_or_default();
        line(style.verdict(self.is_complete(), &verdict));
        for (count, what) in self.counts() {
            if count > 0 {
                line(format!("  {count:>7}  {what}"));
            }
        }
        self.versions_that_stay(&mut line);
        for (title, list) in [
            ("Left", &self.left),
            ("Conflicts", &self.conflicts),
            ("Replaced, though attached since the plan", &self.replaced),
            ("Aliases that stay where they are", &self.aliases_left),
        ] {
            if !list.is_empty() {
                line(format!("{title}:"));
            }
            for left in list {
                let reason = left.reason.replace('\n', "\n      ");
                line(format!("  {} {}: {reason}", left.place, left.name));
            }
        }
        self.roles(&mut line);
        for name in &self.missing {
            line(format!("Not found: {name}"));
        }
        for skipped in &self.skipped {
            let region = skipped.region.as_deref().unwrap_or("(every region)");
            line(format!(
                "Left out: {} {region}: {}",
                skipped.account,
                skipped.reason.replace('\n', "\n  ")
            ));
        }
        if let Some(reason) = &self.stopped {
            line(format!("Stopped: {}", reason.replace('\n', "\n  ")));
        }
        for rise in &self.rises {
            let Rise { place, name, .. } = rise;
            let (before, after) = (rise.before, rise.after);
            line(format!(
                "  {place} {name}: {after:.1} % of invocations fail, {before:.1} % did before"
            ));
        }
        if let Some(undo) = &self.undo {
            line(format!("Undone at once, as run {}:", undo.run));
            text.push_str(&undo.text(style));
            return text;
        }
        let final_ones = self.left.iter().filter(|left| left.is_final).count();
        if final_ones > 0 {
            let functions = plural(final_ones as u64, "function");
            line(format!(
                "{functions} cannot be done by resume: correct what the reason says, and plan again"
            ));
        }
        if final_ones < self.left.len() || !self.aliases_left.is_empty() || self.not_begun > 0 {
            line(format!("To go on: backstop resume {}", self.run));
        }
        if self.changed + self.done_before + self.aliases + self.roles_written > 0 {
            line(format!("To go back: backstop undo {}", self.run));
        }
        text
    }
}

impl Summary {
    fn versions_that_stay(&self, line: &mut impl FnMut(String)) {
        for kept in self.kept_versions.iter().take(TOLD) {
            line(format!(
                "  {} {}: version {}",
                kept.place, kept.name, kept.version
            ));
        }
        let more = self.kept_versions.len().saturating_sub(TOLD);
        if more > 0 {
            line(format!("  and {more} more: --output json lists them"));
        }
    }

    fn roles(&self, line: &mut impl FnMut(String)) {
        for (title, list) in [
            ("Roles that keep their policy", &self.roles_kept),
            ("Roles that are left", &self.roles_left),
        ] {
            if !list.is_empty() {
                line(format!("{title}:"));
            }
            for RoleLeft { role, reason } in list {
                line(format!("  {role}: {reason}"));
            }
        }
    }
}
