//! All runs, to choose one from: when, what, where, what is done and left, and which run undid it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;

use backstop_fleet::journal::{Found, Run, Step, Store, undone};

use crate::fleet::Place;
use crate::output::{Report, Style, Tone, grouped, plural};
use crate::plan::{Action, Verdict};

/// All runs, the newest first.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Runs {
    /// Where they are kept.
    state: String,
    #[serde(rename = "runs")]
    rows: Vec<Row>,
    /// Those that cannot be read.
    unreadable: Vec<Unreadable>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    run: String,
    started_at: String,
    action: Action,
    /// The accounts and regions of its functions.
    places: Vec<Place>,
    /// Functions to be changed.
    planned: usize,
    /// Of these, with nothing more to do.
    done: usize,
    left: usize,
    /// Policies of roles that were written.
    roles: usize,
    undone_by: Option<String>,
    /// Whether that put everything back.
    is_undone: bool,
    /// Functions that it changed, or may have.
    #[serde(skip)]
    changed: usize,
}

#[derive(Debug, Serialize)]
struct Unreadable {
    run: String,
    reason: String,
}

impl Runs {
    /// Those of a store, and how many were cut off before they began: these changed nothing.
    pub async fn of(store: &Store) -> anyhow::Result<(Self, usize)> {
        let (mut runs, mut unreadable, mut not_begun) = (Vec::new(), Vec::new(), 0);
        for (run, found) in store.everything().await? {
            match found {
                Found::Run(run) => runs.push(*run),
                Found::NotBegun => not_begun += 1,
                Found::Broken(error) => unreadable.push(Unreadable {
                    run,
                    reason: format!("{error:#}"),
                }),
            }
        }
        let undone = undone(&runs);
        let listed = Self {
            state: store.shown().to_owned(),
            rows: (runs.iter().rev())
                .map(|run| Row::of(run, undone.get(run.header.run.as_str()).copied()))
                .collect(),
            unreadable,
        };
        Ok((listed, not_begun))
    }
}

impl Row {
    fn of(run: &Run, undone: Option<(&str, bool)>) -> Self {
        let plan = &run.header.plan;
        let (planned, done) = run.counts();
        let places = plan.with(Verdict::Change).map(|it| &it.place);
        let is_role = |step: &Option<Step>| matches!(step, Some(Step::Grant { .. }));
        let steps = run.progress.steps.iter();
        Self {
            run: run.header.run.clone(),
            started_at: run.header.started_at.clone(),
            action: plan.action.clone(),
            places: (places.collect::<BTreeSet<_>>().into_iter().cloned()).collect(),
            planned,
            done,
            left: planned - done,
            changed: run
                .progress
                .steps
                .iter()
                .filter(|it| it.may_be_made())
                .count(),
            roles: (steps.filter(|it| it.is_done && is_role(&it.step))).count(),
            undone_by: undone.map(|(by, _)| by.to_owned()),
            is_undone: undone.is_some_and(|(_, is_whole)| is_whole),
        }
    }

    fn text(&self, text: &mut String, style: Style) {
        let (place, functions) = (placed(&self.places), self.planned as u64);
        let functions = plural(functions, "function");
        let mut counts = format!("{} of {functions} done", grouped(self.done as u64));
        if self.left > 0 {
            let left = format!("{} not done", grouped(self.left as u64));
            // Writing to a String cannot fail.
            write!(counts, ", {}", style.word(Tone::Warning, &left)).ok();
        }
        if self.roles > 0 {
            write!(counts, ", {} written", plural(self.roles as u64, "role")).ok();
        }
        let what = action(&self.action);
        writeln!(text, "{}  {}  {what}", self.run, self.started_at).ok();
        writeln!(text, "    {place}{counts}").ok();
        if let Some(by) = &self.undone_by {
            let part = if self.is_undone { "" } else { "in part " };
            writeln!(text, "    undone {part}by {by}").ok();
        }
        if self.action == Action::Drill && !self.is_undone && self.changed > 0 {
            let next = format!("not restored: backstop undo {}", self.run);
            writeln!(text, "    {}", style.word(Tone::Warning, &next)).ok();
        }
    }
}

/// What a run was for.
pub(super) fn action(action: &Action) -> String {
    match action {
        Action::Attach => "attach".to_owned(),
        Action::Detach => "detach".to_owned(),
        Action::Undo { run } => format!("undo {run}"),
        Action::Drill => "drill".to_owned(),
    }
}

fn placed(places: &[Place]) -> String {
    match places {
        [] => String::new(),
        [one] => format!("{one}: "),
        several => {
            let accounts: BTreeSet<&String> = several.iter().map(|it| &it.account).collect();
            let regions: BTreeSet<&String> = several.iter().map(|it| &it.region).collect();
            let accounts = plural(accounts.len() as u64, "account");
            format!("{accounts}, {}: ", plural(regions.len() as u64, "region"))
        }
    }
}

impl Report for Runs {
    fn text(&self, style: Style) -> String {
        let mut text = String::new();
        if self.rows.is_empty() && self.unreadable.is_empty() {
            writeln!(text, "{} has no runs", self.state).ok();
        }
        for row in &self.rows {
            row.text(&mut text, style);
        }
        for broken in &self.unreadable {
            writeln!(text, "{}  cannot be read: {}", broken.run, broken.reason).ok();
        }
        text
    }
}
