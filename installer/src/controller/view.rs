//! The state of a controller, as text.

use std::fmt::Write as _;

use super::{ControllerStatus, Outcome};
use crate::output::{Item, Report, Style, by_reason, grouped};

/// Counts in the order in which they are shown, with their words.
const COUNTS: [(&str, &str); 12] = [
    ("unchanged", "unchanged"),
    ("attached", "attached"),
    ("repaired", "repaired"),
    ("detached", "detached"),
    ("new", "without the layer, not written in this mode"),
    ("drifted", "drifted, not written in this mode"),
    ("refused", "refused by the plan"),
    (
        "unreadable",
        "left, because too little of them could be read",
    ),
    ("limited", "left after too many writes within an hour"),
    ("own", "left, because they are the controller's own"),
    ("failed", "failed"),
    ("notBegun", "not started in time"),
];

impl Report for ControllerStatus {
    fn text(&self, style: Style) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let mut line = |line: String| writeln!(text, "{line}").unwrap_or_default();
        let Some(plan) = &self.last_plan else {
            line(style.verdict(false, "The controller has no result of a plan yet"));
            line(format!("  state {}", self.state));
            for last in self.since_plan() {
                line(format!("Last invocation {}, by {}:", last.at, last.trigger));
                outcome(last, &mut line);
            }
            return text;
        };
        let is_stopped = self.is_stopped || plan.is_stopped;
        let switch = if is_stopped { ", stopped" } else { "" };
        let title = format!("Mode {}{switch}; last plan {}", plan.mode, plan.at);
        line(style.verdict(self.is_healthy(), &title));
        line(format!("  state {}", self.state));
        if self.is_stopped {
            line(format!(
                "  {}/controller/stop stops all writes: remove it to resume them",
                self.state
            ));
        } else if plan.is_stopped {
            line("  a switch stopped all writes during the last plan".to_owned());
        }
        outcome(plan, &mut line);
        for last in self.since_plan() {
            line(format!("Last invocation {}, by {}:", last.at, last.trigger));
            outcome(last, &mut line);
        }
        text
    }
}

fn outcome(it: &Outcome, line: &mut impl FnMut(String)) {
    if let Some(error) = &it.error {
        line(format!("  Error: {}", error.replace('\n', "\n  ")));
    }
    let total = it.counts.get("functions").copied().unwrap_or_default();
    if it.error.is_none() {
        line(format!("  {:>7}  functions", grouped(total)));
    }
    for (name, what) in COUNTS {
        let count = it.counts.get(name).copied().unwrap_or_default();
        if count > 0 {
            line(format!("  {:>7}  {what}", grouped(count)));
        }
    }
    for skipped in &it.skipped {
        line(format!("  {skipped}"));
    }
    let left = it.functions.iter().filter(|row| {
        row.is_failed || !matches!(row.decision.as_str(), "attach" | "repair" | "detach")
    });
    let reasons: Vec<(&str, &str, &str, String)> = left
        .map(|row| {
            let mut parts = row.arn.split(':').skip(3);
            let region = parts.next().unwrap_or_default();
            let account = parts.next().unwrap_or_default();
            let name = row.arn.rsplit(':').next().unwrap_or_default();
            let reason = match &row.detail {
                Some(detail) => format!("{}: {detail}", row.reason),
                None => format!("{} ({})", row.decision, row.reason),
            };
            (account, region, name, reason)
        })
        .collect();
    let items = reasons.iter().map(|(account, region, name, reason)| Item {
        account,
        region,
        name,
        reason,
    });
    let listed = by_reason(items, false);
    if !listed.is_empty() {
        line(listed.trim_end().to_owned());
    }
    for run in &it.runs {
        line(format!("  To undo: backstop undo {run}"));
    }
}
