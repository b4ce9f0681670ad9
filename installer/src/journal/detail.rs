//! One run, function by function.

use std::fmt::Write as _;

use serde::Serialize;

use super::runs::action;
use super::{Progress, Run, Step, StepState};
use crate::fleet::Place;
use crate::output::{Columns, Report, Style, plural};
use crate::plan::{Action, Extras, Planned, Verdict};

/// What became of everything a run was to change.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    run: String,
    started_at: String,
    release: String,
    action: Action,
    functions: Vec<Row>,
    roles: Vec<Role>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    #[serde(flatten)]
    place: Place,
    name: String,
    arn: String,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The version that was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Role {
    role: String,
    state: State,
}

/// How far one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum State {
    Done,
    /// Some of its steps are done.
    InPart,
    /// A write was begun, and nobody knows how it ended.
    MayBeChanged,
    NotChanged,
    NotBegun,
}

impl State {
    fn text(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::InPart => "done in part",
            Self::MayBeChanged => "may be changed",
            Self::NotChanged => "not changed",
            Self::NotBegun => "not begun",
        }
    }
}

impl Detail {
    /// Of a run.
    pub fn of(run: &Run) -> Self {
        let plan = &run.header.plan;
        let planned = plan.with(Verdict::Change);
        Self {
            run: run.header.run.clone(),
            started_at: run.header.started_at.clone(),
            release: run.header.release.clone(),
            action: plan.action.clone(),
            functions: planned
                .map(|planned| Row::of(planned, &plan.extras, &run.progress))
                .collect(),
            roles: (run.progress.steps.iter()).filter_map(Role::of).collect(),
        }
    }
}

impl Row {
    fn of(planned: &Planned, extras: &Extras, progress: &Progress) -> Self {
        let alias = (planned.alias.as_ref().map(|it| &it.alias)).or(extras.move_alias.as_ref());
        let mut keys = vec![planned.arn.clone(), Step::version_key(&planned.arn)];
        keys.extend(alias.map(|alias| Step::alias_key(&planned.arn, alias)));
        let steps: Vec<&StepState> = keys.iter().filter_map(|key| progress.get(key)).collect();
        let state = if progress.has_all(extras, planned) {
            State::Done
        } else if steps
            .iter()
            .any(|step| !step.is_done && step.step.is_some())
        {
            State::MayBeChanged
        } else if steps.iter().any(|step| step.is_done) {
            State::InPart
        } else if steps.is_empty() {
            State::NotBegun
        } else {
            State::NotChanged
        };
        Self {
            place: planned.place.clone(),
            name: planned.name.clone(),
            arn: planned.arn.clone(),
            state,
            reason: steps.iter().find_map(|step| step.reason.clone()),
            version: steps.iter().find_map(|step| step.version.clone()),
        }
    }
}

impl Role {
    fn of(step: &StepState) -> Option<Self> {
        let Some(Step::Grant { role, .. }) = &step.step else {
            return None;
        };
        let state = if step.is_done {
            State::Done
        } else {
            State::MayBeChanged
        };
        Some(Self {
            role: role.clone(),
            state,
        })
    }
}

impl Report for Detail {
    fn text(&self, _: Style) -> String {
        let done = self.functions.iter().filter(|it| it.state == State::Done);
        let (all, done) = (self.functions.len(), done.count());
        let mut text = format!(
            "Run {}: {}, {}, release {}\n{}, {done} done, {} left\n",
            self.run,
            action(&self.action),
            self.started_at,
            self.release,
            plural(all as u64, "function"),
            all - done
        );
        let mut columns = Columns::new(&["Function", "Account", "Region", "State", "Why"]);
        for row in &self.functions {
            columns.row([
                row.name.clone(),
                row.place.account.clone(),
                row.place.region.clone(),
                row.state.text().to_owned(),
                row.reason.clone().unwrap_or_default(),
            ]);
        }
        // Writing to a String cannot fail.
        if all > 0 {
            write!(text, "\n{columns}").ok();
        }
        if !self.roles.is_empty() {
            let mut columns = Columns::new(&["Role", "State"]);
            for role in &self.roles {
                columns.row([role.role.clone(), role.state.text().to_owned()]);
            }
            write!(text, "\n{columns}").ok();
        }
        if all > done {
            writeln!(text, "To go on: backstop resume {}", self.run).ok();
        }
        text
    }
}
