//! What an invocation came to: for people, for `backstop controller status`, and for alarms.
//!
//! Invariant: every function that was looked at is counted once. Must not: hold a value of a variable.

use std::collections::{BTreeMap, BTreeSet};

use backstop_fleet::plan::{Planned, Reason};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::decide::Decision;
use crate::settings::Mode;

/// The form of [`Outcome`].
const SCHEMA_VERSION: u32 = 1;
/// Functions that are listed: an answer has at most 6 MB.
const LISTED: usize = 1_000;
/// Lines that say what was not done, to a caller who waits, and the length of each.
const LINES: usize = 5;
const LINE: usize = 300;
/// The namespace of the metrics.
pub const NAMESPACE: &str = "Backstop/Controller";

/// What asked for an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Trigger {
    /// The schedule, or a person: a plan over everything.
    Plan,
    /// Functions that changed.
    Events,
    /// A resource of Terraform or `CloudFormation`.
    Resource,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The form of this result.
    pub schema_version: u32,
    /// When it ended.
    pub at: String,
    /// What asked for it.
    pub trigger: Trigger,
    /// The mode that is set.
    pub mode: Mode,
    /// Whether the switch stops all writes.
    pub is_stopped: bool,
    /// The runs with the changes, for `backstop undo`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<String>,
    pub counts: Counts,
    /// Functions that are not as wanted, or were not: a thousand, those first that need somebody.
    pub functions: Vec<Row>,
    /// Accounts, regions and names of which nothing is known, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
    /// Why nothing was planned, or what was planned was not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Functions that have what was asked for, by ARN.
    #[serde(skip)]
    pub done: BTreeSet<String>,
    /// Functions that a resource asks for and does not get, with the reason.
    #[serde(skip)]
    pub undone: Vec<String>,
    /// Whether something stood in the way that passes: events are to come again.
    #[serde(skip)]
    pub is_passing: bool,
    /// Whether the resource that asks has attached functions before.
    #[serde(skip)]
    pub has_attached: bool,
}

/// Functions, by what became of them, and events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Counts {
    /// Functions that were looked at.
    pub functions: u64,
    /// As wanted before.
    pub unchanged: u64,
    pub attached: u64,
    pub repaired: u64,
    pub detached: u64,
    /// Without the layer, and left so by the mode.
    pub new: u64,
    /// Drifted, and left so by the mode.
    pub drifted: u64,
    /// Refused by the plan.
    pub refused: u64,
    /// Left, because too little of them could be read.
    pub unreadable: u64,
    /// Left, because they were written too often.
    pub limited: u64,
    /// Left, because they are the controller's own.
    pub own: u64,
    /// Not written, although they should have been.
    pub failed: u64,
    /// Not begun: no time was left, or a switch was set meanwhile.
    pub not_begun: u64,
    /// Events of the controller's own writes.
    pub own_events: u64,
    /// Events that named no function.
    pub ignored_events: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub arn: String,
    /// What was decided.
    pub decision: Decision,
    /// The plan's reason.
    pub reason: String,
    /// More about it, or why the write failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Whether the write failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_failed: bool,
}

impl Outcome {
    /// Of nothing yet.
    pub fn new(trigger: Trigger, mode: Mode, at: String) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            at,
            trigger,
            mode,
            is_stopped: false,
            runs: Vec::new(),
            counts: Counts::default(),
            functions: Vec::new(),
            skipped: Vec::new(),
            error: None,
            done: BTreeSet::new(),
            undone: Vec::new(),
            is_passing: false,
            has_attached: false,
        }
    }

    /// One more thing that went wrong, beside what was done.
    pub fn fail(&mut self, problem: String) {
        self.error = Some(match self.error.take() {
            Some(earlier) => format!("{earlier}\n{problem}"),
            None => problem,
        });
    }

    /// One more function, with what stood in the way of its write.
    pub fn add(&mut self, planned: &Planned, decision: Decision, failure: Option<&Failure>) {
        let counts = &mut self.counts;
        counts.functions += 1;
        let count = match (decision, failure) {
            (_, Some(Failure::NotBegun | Failure::Stopped)) => &mut counts.not_begun,
            (_, Some(Failure::Failed(_) | Failure::Refused(_))) => &mut counts.failed,
            (Decision::Unchanged, None) => &mut counts.unchanged,
            (Decision::Attach, None) => &mut counts.attached,
            (Decision::Repair, None) => &mut counts.repaired,
            (Decision::Detach, None) => &mut counts.detached,
            (Decision::ReportNew, None) => &mut counts.new,
            (Decision::ReportDrift, None) => &mut counts.drifted,
            (Decision::Refused, None) => &mut counts.refused,
            (Decision::Unreadable, None) => &mut counts.unreadable,
            (Decision::Limited, None) => &mut counts.limited,
            (Decision::Own, None) => &mut counts.own,
        };
        *count += 1;
        self.is_passing |= matches!(failure, Some(Failure::Failed(_) | Failure::NotBegun))
            || planned.reason == Reason::UpdateInProgress;
        if failure.is_none() && (decision == Decision::Unchanged || decision.writes()) {
            self.done.insert(planned.arn.clone());
        }
        let is_quiet = decision == Decision::Unchanged
            || decision == Decision::Own && self.trigger != Trigger::Resource;
        if is_quiet {
            return;
        }
        let detail = match failure {
            Some(Failure::Failed(reason) | Failure::Refused(reason)) => Some(reason.clone()),
            Some(Failure::NotBegun) => Some("no time was left: the next plan has it".to_owned()),
            Some(Failure::Stopped) => Some("a switch stops all writes".to_owned()),
            None if decision == Decision::Own => {
                Some("the settings say to leave it alone".to_owned())
            }
            None => planned.detail.clone(),
        };
        self.functions.push(Row {
            arn: planned.arn.clone(),
            decision,
            reason: planned.reason.code().to_owned(),
            detail,
            is_failed: matches!(failure, Some(Failure::Failed(_) | Failure::Refused(_))),
        });
    }

    /// Sorts the functions, those first that need somebody, and only then leaves out what is too much.
    pub fn finish(&mut self) {
        self.functions.sort_by(|one, other| {
            let rank = |row: &Row| (!row.is_failed, rank(row.decision));
            (rank(one), &one.arn).cmp(&(rank(other), &other.arn))
        });
        self.functions.truncate(LISTED);
    }

    /// The line in the embedded metric format that alarms watch. `name` is the function's.
    pub fn metrics(&self, name: &str, milliseconds: u128) -> Value {
        let counts = &self.counts;
        let values: BTreeMap<&str, u64> = [
            ("Functions", counts.functions),
            (
                "Written",
                counts.attached + counts.repaired + counts.detached,
            ),
            ("New", counts.new),
            ("Drifted", counts.drifted),
            ("Refused", counts.refused),
            ("Limited", counts.limited),
            ("Failed", counts.failed),
            ("Skipped", self.skipped.len() as u64 + counts.unreadable),
            ("Stopped", u64::from(self.is_stopped)),
            ("Errors", u64::from(self.error.is_some())),
            // A plan over everything that worked: its absence is an alarm.
            (
                "Plans",
                u64::from(self.trigger == Trigger::Plan && self.error.is_none()),
            ),
        ]
        .into();
        let metrics: Vec<Value> = (values.keys())
            .map(|name| json!({ "Name": name, "Unit": "Count" }))
            .collect();
        let mut line = json!({
            "_aws": {
                "Timestamp": milliseconds,
                "CloudWatchMetrics": [{
                    "Namespace": NAMESPACE,
                    "Dimensions": [["FunctionName"]],
                    "Metrics": metrics,
                }],
            },
            "FunctionName": name,
        });
        for (name, value) in values {
            line[name] = value.into();
        }
        line
    }

    /// Notes which of the functions that a resource asks for it did not get, and why.
    pub fn demand<'a>(&mut self, asked: impl IntoIterator<Item = &'a String>) {
        let rows: BTreeMap<&String, &Row> =
            self.functions.iter().map(|row| (&row.arn, row)).collect();
        let undone = asked.into_iter().filter(|arn| !self.done.contains(*arn));
        let undone: Vec<String> = undone
            .map(|arn| match rows.get(arn) {
                Some(row) => match &row.detail {
                    Some(detail) => format!("{arn} ({}): {detail}", row.reason),
                    None => format!("{arn} ({})", row.reason),
                },
                None => format!(
                    "{arn}: it was not found, or its account or region is not among the targets"
                ),
            })
            .collect();
        self.undone.extend(undone);
    }

    /// What went wrong, in a sentence, for a caller that waits; none where all is as asked.
    pub fn problem(&self) -> Option<String> {
        let undone = self.undone.iter().chain(&self.skipped);
        let count = self.undone.len() + self.skipped.len();
        let mut lines: Vec<String> = undone
            .take(LINES)
            .map(|line| line.chars().take(LINE).collect())
            .collect();
        if count > LINES {
            lines.push(format!("and {} more", count - LINES));
        }
        let undone = (count > 0).then(|| format!("not done: {}", lines.join("; ")));
        match (self.error.clone(), undone) {
            (Some(error), Some(undone)) => Some(format!("{error}\n{undone}")),
            (error, undone) => error.or(undone),
        }
    }

    /// Why events are to come again; none where they are dealt with.
    pub fn unfinished(&self) -> Option<String> {
        let Counts {
            failed, not_begun, ..
        } = self.counts;
        let why = || {
            format!(
                "{failed} functions failed, {not_begun} were not started, {} places or names could \
                 not be read, or a deployment is in progress: the events come again",
                self.skipped.len()
            )
        };
        self.error.clone().or_else(|| self.is_passing.then(why))
    }
}

/// Where a decision stands in the list.
fn rank(decision: Decision) -> u8 {
    match decision {
        Decision::Limited => 0,
        Decision::Unreadable => 1,
        Decision::ReportDrift => 2,
        Decision::Refused => 3,
        Decision::ReportNew => 4,
        Decision::Attach | Decision::Repair | Decision::Detach => 5,
        Decision::Own | Decision::Unchanged => 6,
    }
}

/// The line of metrics of an invocation that never came to a plan: the settings or the payload are wrong.
pub fn metrics_of_failure(name: &str, milliseconds: u128) -> Value {
    let mut outcome = Outcome::new(Trigger::Events, Mode::Report, String::new());
    outcome.fail(String::new());
    outcome.metrics(name, milliseconds)
}

/// What stood in the way of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It was not made, or did not end well.
    Failed(String),
    /// It was not made, and would not be however often it is tried.
    Refused(String),
    /// Its turn did not come in time.
    NotBegun,
    /// A switch was set before its turn came.
    Stopped,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(name: &str, reason: Reason) -> Planned {
        let json = json!({
            "account": "111122223333", "region": "eu-west-1", "name": name, "arn": name,
            "role": "", "verdict": reason.verdict(), "reason": reason.code(), "revision": "",
        });
        serde_json::from_value(json).expect("it is a planned function")
    }

    fn outcome(trigger: Trigger) -> Outcome {
        Outcome::new(trigger, Mode::Enforce, String::new())
    }

    #[test]
    fn what_needs_somebody_is_listed_however_much_there_is() {
        let mut outcome = outcome(Trigger::Plan);
        for number in 0..LISTED + 10 {
            let name = format!("new-{number:05}");
            outcome.add(&planned(&name, Reason::Ok), Decision::ReportNew, None);
        }
        let late = planned("z-failed", Reason::Ok);
        let failed = Failure::Failed("denied".to_owned());
        outcome.add(&late, Decision::Attach, Some(&failed));
        let late = planned("z-limited", Reason::Outdated);
        outcome.add(&late, Decision::Limited, None);
        outcome.finish();
        assert_eq!(outcome.functions.len(), LISTED);
        let first: Vec<&str> = (outcome.functions.iter().take(3))
            .map(|row| row.arn.as_str())
            .collect();
        assert_eq!(first, ["z-failed", "z-limited", "new-00000"]);
        assert_eq!(outcome.counts.functions, LISTED as u64 + 12);
    }

    #[test]
    fn a_resource_hears_of_each_function_that_it_does_not_get() {
        let mut outcome = outcome(Trigger::Resource);
        outcome.add(&planned("good", Reason::Ok), Decision::Attach, None);
        outcome.add(&planned("same", Reason::Already), Decision::Unchanged, None);
        outcome.add(&planned("own", Reason::Ok), Decision::Own, None);
        let late = planned("late", Reason::Ok);
        outcome.add(&late, Decision::Attach, Some(&Failure::NotBegun));
        let asked = ["good", "same", "own", "late", "gone"].map(str::to_owned);
        outcome.demand(&asked);
        let problem = outcome.problem().expect("not all is done");
        for part in [
            "own (ok): the settings say",
            "late (ok): no time",
            "gone: it was not",
        ] {
            assert!(problem.contains(part), "{problem}");
        }
        assert!(
            !problem.contains("good") && !problem.contains("same"),
            "{problem}"
        );
        let many: Vec<String> = (0..2_000).map(|number| format!("{number}")).collect();
        outcome.demand(&many);
        let problem = outcome.problem().expect("not all is done");
        assert!(problem.contains("and 1998 more"), "{problem}");
        assert!(problem.len() < LINES * LINE + 100, "{}", problem.len());
    }

    #[test]
    fn events_come_again_for_what_passes_and_for_nothing_else() {
        for (reason, decision, failure, is_passing) in [
            (Reason::Ok, Decision::Attach, None, false),
            (Reason::Ok, Decision::Attach, Some(Failure::NotBegun), true),
            (Reason::Ok, Decision::Attach, Some(Failure::Stopped), false),
            (
                Reason::Ok,
                Decision::Attach,
                Some(Failure::Failed(String::new())),
                true,
            ),
            (
                Reason::Ok,
                Decision::Attach,
                Some(Failure::Refused(String::new())),
                false,
            ),
            (Reason::UpdateInProgress, Decision::Refused, None, true),
            (Reason::ManagedByCfn, Decision::Refused, None, false),
            (Reason::Unreadable, Decision::Unreadable, None, false),
        ] {
            let mut outcome = outcome(Trigger::Events);
            outcome.add(&planned("orders", reason), decision, failure.as_ref());
            assert_eq!(
                outcome.unfinished().is_some(),
                is_passing,
                "{decision:?} {failure:?}"
            );
        }
    }
}
