//! Shows one run, function by function.

use std::fmt::Write as _;

use serde::Serialize;

use backstop_fleet::journal::{Progress, Run, Step, StepState};

use super::runs::action;
use crate::fleet::Place;
use crate::output::{Columns, Item, Report, Style, Tone, by_reason, grouped, names, plural};
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
    /// Whether each function has a line of its own.
    #[serde(skip)]
    is_full: bool,
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
    /// A write started, and its result is unknown.
    MayBeChanged,
    NotChanged,
    NotBegun,
}

impl State {
    /// Those of which something is left first.
    const ALL: [Self; 5] = [
        Self::MayBeChanged,
        Self::InPart,
        Self::NotChanged,
        Self::NotBegun,
        Self::Done,
    ];

    fn tone(self) -> Tone {
        match self {
            Self::Done => Tone::Good,
            Self::InPart | Self::MayBeChanged | Self::NotBegun => Tone::Warning,
            Self::NotChanged => Tone::Bad,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::InPart => "partly done",
            Self::MayBeChanged => "may be changed",
            Self::NotChanged => "not changed",
            Self::NotBegun => "not started",
        }
    }
}

impl Detail {
    /// Of a run.
    pub fn of(run: &Run, is_full: bool) -> Self {
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
            is_full,
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
    fn text(&self, style: Style) -> String {
        let done = self.functions.iter().filter(|it| it.state == State::Done);
        let (all, done) = (self.functions.len(), done.count());
        let functions = plural(all as u64, "function");
        let mut text = format!(
            "Run {}: {}, {}, release {}\n{} of {functions} done, {} not done\n",
            self.run,
            action(&self.action),
            self.started_at,
            self.release,
            grouped(done as u64),
            grouped((all - done) as u64)
        );
        // Writing to a String cannot fail.
        if self.is_full && all > 0 {
            write!(text, "\n{}", self.table(style)).ok();
        } else {
            for state in State::ALL {
                text.push_str(&self.group(state, style));
            }
        }
        if !self.roles.is_empty() {
            let mut columns = Columns::new(&["Role", "State"]);
            for role in &self.roles {
                let state = style.word(role.state.tone(), role.state.text());
                columns.row([role.role.clone(), state]);
            }
            write!(text, "\n{}", columns.text(style)).ok();
        }
        if all > done {
            writeln!(text, "\nTo continue: backstop resume {}", self.run).ok();
        }
        text
    }
}

impl Detail {
    /// A line for each function.
    fn table(&self, style: Style) -> String {
        let mut columns = Columns::new(&["Function", "Account", "Region", "State", "Why"]);
        for row in &self.functions {
            columns.row([
                row.name.clone(),
                row.place.account.clone(),
                row.place.region.clone(),
                style.word(row.state.tone(), row.state.text()),
                row.reason.clone().unwrap_or_default(),
            ]);
        }
        columns.text(style)
    }

    /// The functions in one state: by reason, where there is one, or else by place.
    fn group(&self, state: State, style: Style) -> String {
        let rows = || self.functions.iter().filter(|row| row.state == state);
        let count = rows().count();
        if count == 0 {
            return String::new();
        }
        let heading = format!("{}: {}", state.text(), grouped(count as u64));
        let mut text = format!("\n{}\n", style.word(state.tone(), &heading));
        let reasoned = rows().filter_map(|row| {
            Some(Item {
                account: &row.place.account,
                region: &row.place.region,
                name: &row.name,
                reason: row.reason.as_deref()?,
            })
        });
        text.push_str(&by_reason(reasoned, false));
        let others = rows().filter(|row| row.reason.is_none());
        let others = others.map(|row| (row.place.to_string(), row.name.clone()));
        for line in names(others, false) {
            writeln!(text, "  {line}").ok();
        }
        text
    }
}
