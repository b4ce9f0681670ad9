//! All runs, to choose one from: when, what, where, what is done and left, and which run undid it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;

use super::{Found, Run, Step, StepState, Store};
use crate::fleet::Place;
use crate::output::{Report, Style, Tone, grouped, plural};
use crate::plan::{Action, Planned, Verdict};

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

impl Run {
    /// The functions that have something more to do.
    pub fn left(&self) -> impl Iterator<Item = &Planned> {
        let plan = &self.header.plan;
        let planned = plan.with(Verdict::Change);
        planned.filter(|planned| !self.progress.has_all(&plan.extras, planned))
    }

    /// The functions to be changed, and how many of them have nothing more to do.
    fn counts(&self) -> (usize, usize) {
        let planned = self.header.plan.with(Verdict::Change).count();
        (planned, planned - self.left().count())
    }

    /// Whether nothing is left of it, and nothing was refused.
    fn is_complete(&self) -> bool {
        let (planned, done) = self.counts();
        let plan = &self.header.plan;
        planned == done && plan.with(Verdict::Refused).next().is_none() && plan.is_whole()
    }
}

/// The run that undid each, and whether all of it. What was undone itself undoes nothing any more.
fn undone(runs: &[Run]) -> BTreeMap<&str, (&str, bool)> {
    let mut undone: BTreeMap<&str, (&str, bool)> = BTreeMap::new();
    for run in runs.iter().rev() {
        let id = run.header.run.as_str();
        let Action::Undo { run: target } = &run.header.plan.action else {
            continue;
        };
        if !undone.get(id).is_some_and(|(_, is_whole)| *is_whole) {
            let complete = (id, run.is_complete());
            let by = undone.entry(target).or_insert(complete);
            // A later one may have found nothing left of it.
            by.1 |= complete.1;
        }
    }
    undone
}

/// The runs that `resume` would go on with: they have something more to do, and were not undone.
pub fn unfinished(runs: &[Run]) -> impl Iterator<Item = &Run> {
    let undone = undone(runs);
    runs.iter().filter(move |run| {
        let by = undone.get(run.header.run.as_str());
        run.left().next().is_some() && !by.is_some_and(|(_, is_whole)| *is_whole)
    })
}

/// The run of a drill that changed this function, or may have, and that was not undone.
pub fn unrestored<'a>(runs: &'a [Run], arn: &str) -> Option<&'a Run> {
    let undone = undone(runs);
    runs.iter().find(|run| {
        let by = undone.get(run.header.run.as_str());
        run.header.plan.action == Action::Drill
            && !by.is_some_and(|(_, is_whole)| *is_whole)
            && (run.progress.steps.iter()).any(|state| may_be_changed(state) && changes(state, arn))
    })
}

/// Whether a step was made, or may have been.
fn may_be_changed(state: &StepState) -> bool {
    state.step.is_some()
}

fn changes(state: &StepState, function: &str) -> bool {
    matches!(&state.step, Some(Step::Function { arn, .. }) if arn == function)
}

/// The newest run that undid none, and was not undone whole.
pub fn last(runs: &[Run]) -> Option<&Run> {
    let undone = undone(runs);
    let is_undone = |run: &Run| {
        let by = undone.get(run.header.run.as_str());
        by.is_some_and(|(_, is_whole)| *is_whole)
    };
    (runs.iter().rev())
        .find(|run| !matches!(run.header.plan.action, Action::Undo { .. }) && !is_undone(run))
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
                .filter(|it| may_be_changed(it))
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
