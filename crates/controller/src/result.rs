//! What an invocation came to: for people, for `backstop controller status`, and for alarms.
//!
//! Invariant: every function that was looked at is counted once. Must not: hold a value of a variable.

use std::collections::BTreeMap;

use backstop_fleet::plan::Planned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::decide::Decision;
use crate::settings::Mode;

/// The form of [`Outcome`].
const SCHEMA_VERSION: u32 = 1;
/// Functions that are listed: an answer has at most 6 MB.
const LISTED: usize = 1_000;
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

/// The result.
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
    /// How many.
    pub counts: Counts,
    /// Functions that are not as wanted, or were not: the first thousand.
    pub functions: Vec<Row>,
    /// Accounts, regions and names of which nothing is known, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
    /// Why nothing was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Functions, by what became of them, and events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Counts {
    /// Functions that were looked at.
    pub functions: u64,
    /// As wanted before.
    pub unchanged: u64,
    /// Attached now.
    pub attached: u64,
    /// Repaired now.
    pub repaired: u64,
    /// Detached now.
    pub detached: u64,
    /// Without the layer, and left so by the mode.
    pub new: u64,
    /// Drifted, and left so by the mode.
    pub drifted: u64,
    /// Refused by the plan.
    pub refused: u64,
    /// Left, because they were written too often.
    pub limited: u64,
    /// Left, because they are the controller's own.
    pub own: u64,
    /// Not written, although they should have been.
    pub failed: u64,
    /// Not begun in the time of this invocation.
    pub not_begun: u64,
    /// Events of the controller's own writes.
    pub own_events: u64,
    /// Events that named no function.
    pub ignored_events: u64,
}

/// A function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Its ARN.
    pub arn: String,
    /// What was decided.
    pub decision: Decision,
    /// The plan's reason.
    pub reason: String,
    /// More about it, or why the write failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Whether the write failed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_failed: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
fn is_false(it: &bool) -> bool {
    !*it
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
        }
    }

    /// One more function, with what stood in the way of its write.
    pub fn add(&mut self, planned: &Planned, decision: Decision, failure: Option<&Failure>) {
        let counts = &mut self.counts;
        counts.functions += 1;
        let count = match (decision, failure) {
            (_, Some(Failure::NotBegun)) => &mut counts.not_begun,
            (_, Some(Failure::Failed(_))) => &mut counts.failed,
            (Decision::Unchanged, None) => &mut counts.unchanged,
            (Decision::Attach, None) => &mut counts.attached,
            (Decision::Repair, None) => &mut counts.repaired,
            (Decision::Detach, None) => &mut counts.detached,
            (Decision::ReportNew, None) => &mut counts.new,
            (Decision::ReportDrift, None) => &mut counts.drifted,
            (Decision::Refused, None) => &mut counts.refused,
            (Decision::Limited, None) => &mut counts.limited,
            (Decision::Own, None) => &mut counts.own,
        };
        *count += 1;
        let is_quiet = matches!(decision, Decision::Unchanged | Decision::Own);
        if is_quiet || self.functions.len() >= LISTED {
            return;
        }
        let detail = match failure {
            Some(Failure::Failed(reason)) => Some(reason.clone()),
            Some(Failure::NotBegun) => Some("no time was left: the next plan has it".to_owned()),
            None => planned.detail.clone(),
        };
        self.functions.push(Row {
            arn: planned.arn.clone(),
            decision,
            reason: planned.reason.code().to_owned(),
            detail,
            is_failed: matches!(failure, Some(Failure::Failed(_))),
        });
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
            ("Skipped", self.skipped.len() as u64),
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

    /// What went wrong, in a sentence, for a caller that waits; none where all is as asked.
    pub fn problem(&self) -> Option<String> {
        if let Some(error) = &self.error {
            return Some(error.clone());
        }
        let bad = |row: &&Row| row.is_failed || !row.decision.writes();
        let rows = self.functions.iter().filter(bad);
        let lines: Vec<String> = rows
            .take(5)
            .map(|row| {
                let detail = row
                    .detail
                    .as_deref()
                    .map_or(String::new(), |it| format!(": {it}"));
                format!("{} ({}){detail}", row.arn, row.reason)
            })
            .collect();
        let mut lines: Vec<String> = lines.into_iter().chain(self.skipped.clone()).collect();
        if self.counts.not_begun > 0 {
            lines.push("no time was left for all functions".to_owned());
        }
        (!lines.is_empty()).then(|| format!("not done: {}", lines.join("; ")))
    }
}

/// What stood in the way of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It was not made, or did not end well.
    Failed(String),
    /// Its turn did not come.
    NotBegun,
}
