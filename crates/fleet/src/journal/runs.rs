//! Which runs are finished, and which run undid another.

use std::collections::BTreeMap;

use super::{Run, Step, StepState};
use crate::change::Change;
use crate::plan::{Action, Planned, Verdict};

impl Run {
    /// The functions that have something more to do.
    pub fn left(&self) -> impl Iterator<Item = &Planned> {
        let plan = &self.header.plan;
        let planned = plan.with(Verdict::Change);
        planned.filter(|planned| !self.progress.has_all(&plan.extras, planned))
    }

    /// The functions to be changed, and how many of them have nothing more to do.
    pub fn counts(&self) -> (usize, usize) {
        let planned = self.header.plan.with(Verdict::Change).count();
        (planned, planned - self.left().count())
    }

    /// Drops what nobody needs who goes on with the run: what was changed where nothing more is to be done. There
    /// may be a hundred thousand.
    pub fn drop_finished(&mut self) {
        let plan = &mut self.header.plan;
        for planned in &mut plan.functions {
            // Whether a version may be published depends on the change.
            if self.progress.has_all(&plan.extras, planned) {
                planned.change = None;
            }
        }
        for state in self.progress.steps.iter_mut().filter(|it| it.is_done) {
            if let Some(Step::Function { change, .. }) = &mut state.step {
                *change = Change::default();
            }
        }
    }

    /// Whether nothing is left of it, and nothing was refused.
    pub fn is_complete(&self) -> bool {
        let (planned, done) = self.counts();
        let plan = &self.header.plan;
        planned == done && plan.with(Verdict::Refused).next().is_none() && plan.is_whole()
    }
}

/// The run that undid each, and whether all of it. What was undone itself undoes nothing any more.
pub fn undone(runs: &[Run]) -> BTreeMap<&str, (&str, bool)> {
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
            && (run.progress.steps.iter()).any(|state| state.may_be_made() && changes(state, arn))
    })
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::journal::reader::parse;

    /// A run on two functions, of which the first was changed.
    fn run(extras: &serde_json::Value) -> Run {
        let change = json!({"before": {"layers": [], "variables": {}},
            "after": {"layers": ["layer"], "variables": {}}});
        let function = |name: &str| {
            json!({"account": "111122223333", "region": "eu-west-1", "name": name, "arn": name, "role": "",
                "verdict": "change", "reason": "ok", "revision": "", "change": change})
        };
        let plan = json!({"schemaVersion": 1, "release": "0.1.0", "createdAt": "", "action": "attach",
            "targets": {"accounts": "own", "role": null, "regions": "own",
                "rates": {"get_function": 50.0, "others": 5.0}, "timeout": {"secs": 1, "nanos": 0}},
            "sources": {}, "extras": extras, "functions": [function("one"), function("other")],
            "missing": [], "skipped": []});
        let lines = [
            json!({"schemaVersion": 1, "run": "run", "startedAt": "", "release": "0.1.0", "plan": plan}),
            json!({"entry": "begin", "at": "", "step": {"kind": "function", "arn": "one", "change": change}}),
            json!({"entry": "done", "at": "", "key": "one"}),
        ];
        let lines = lines.map(|line| line.to_string());
        let text = lines.join("\n") + "\n";
        let (run, _) = parse("run", text.as_bytes())
            .expect("it is a run")
            .expect("it is whole");
        run
    }

    #[test]
    fn what_is_left_of_a_run_keeps_its_changes() {
        for (extras, kept) in [
            (
                json!({"publishVersion": false, "grant": false}),
                [false, true],
            ),
            // A version is still to be published, if the function is as it was changed.
            (
                json!({"publishVersion": true, "grant": false}),
                [true, true],
            ),
        ] {
            let mut run = run(&extras);
            let counts = run.counts();
            run.drop_finished();
            let functions = run.header.plan.functions.iter();
            let has_change: Vec<bool> = functions.map(|it| it.change.is_some()).collect();
            assert_eq!(has_change, kept, "{extras}");
            assert_eq!(run.counts(), counts);
            assert!(run.progress.is_done("one"));
        }
    }
}
