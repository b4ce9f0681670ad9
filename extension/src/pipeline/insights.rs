//! The patterns of the function's lines, and of the logs that it posts by OTLP, as a derived record.
//!
//! Invariants: at most once a minute, and at shutdown; every line counts, also one that is not sent; the record
//! goes past the transforms of records, so that sampling does not drop it.

use backstop_archive::INSIGHTS;
use backstop_delivery::{RecordId, Wall};
use backstop_telemetry::Severity;
use backstop_transform::{Insights, Outcome, Pattern, Report};
use bytes::Bytes;
use serde_json::{Value, json};

use super::Pipeline;
use crate::lifecycle::api::Lifecycle;

/// The least time between two reports, but for the last one.
const INTERVAL_SECONDS: u64 = 60;

/// Counts, and since when.
#[derive(Debug, Default)]
pub(super) struct PatternCounter {
    insights: Insights<RecordId>,
    since: Option<Wall>,
}

impl PatternCounter {
    /// Counts a line, which is redacted already.
    pub(super) fn count(&mut self, fragment: &[u8], now: Wall) -> Option<usize> {
        self.since.get_or_insert(now);
        self.insights.count(fragment)
    }

    fn is_due(&self, now: Wall) -> bool {
        let is_over = |since: Wall| now < since || now.since(since).as_secs() >= INTERVAL_SECONDS;
        self.since.is_some_and(is_over)
    }
}

impl<L: Lifecycle> Pipeline<L> {
    /// Counts a line that is not looked at otherwise.
    pub(super) fn count_unsent(&mut self, fragment: &Bytes) {
        let Some(counting) = &mut self.transforms.insights else {
            return;
        };
        let now = self.clock.wall();
        match self.transforms.transforms.redact(fragment) {
            Outcome::Replace(redacted) => counting.count(&redacted, now),
            Outcome::Keep | Outcome::Drop(_) => counting.count(fragment, now),
        };
    }

    /// A line of this pattern has an id, under which it can be found.
    pub(super) fn name_pattern(&mut self, pattern: Option<usize>, id: RecordId) {
        if let (Some(counting), Some(pattern)) = (&mut self.transforms.insights, pattern) {
            counting.insights.name(pattern, id);
        }
    }

    /// Whether lines were counted since the last report.
    pub(super) fn owes_report(&self) -> bool {
        let counting = self.transforms.insights.as_ref();
        counting.is_some_and(|it| it.since.is_some()) && self.wanted.logs()
    }

    /// Adds the record where one is due; at the end, where anything was counted.
    pub(super) fn report_insights(&mut self, is_end: bool) {
        let now = self.clock.wall();
        let Some(counting) = &mut self.transforms.insights else {
            return;
        };
        if !is_end && !counting.is_due(now) {
            return;
        }
        let since = counting.since.take().unwrap_or(now);
        let Some(report) = counting.insights.take() else {
            return;
        };
        if !self.wanted.logs() {
            return;
        }
        let record = self.enricher.record(fragment(&report, since, now));
        self.ledger.lock().derive(1);
        self.deliver(record);
        self.shed();
    }
}

fn fragment(report: &Report<RecordId>, since: Wall, now: Wall) -> Bytes {
    let patterns: Vec<Value> = report.patterns.iter().map(pattern).collect();
    let is_new = |pattern: &&Pattern<RecordId>| pattern.is_new;
    let new = report.patterns.iter().filter(is_new).count();
    let message = format!(
        "{} lines in {} patterns, {new} of them new",
        report.lines,
        patterns.len()
    );
    let (other, other_errors) = report.other;
    let mut record = json!({
        "level": "INFO",
        "message": message,
        "start": since.rfc3339(),
        "end": now.rfc3339(),
        "lines": report.lines,
        "errors": report.errors,
        "patterns": patterns,
        "other": {"lines": other, "errors": other_errors},
    });
    if report.is_first {
        record["first"] = true.into();
    }
    let time = now.rfc3339();
    format!("\"time\":\"{time}\",\"type\":\"{INSIGHTS}\",\"record\":{record}").into()
}

fn pattern(pattern: &Pattern<RecordId>) -> Value {
    let mut value = json!({
        "template": pattern.template,
        "level": level(pattern.severity),
        "lines": pattern.lines,
        "errors": pattern.errors,
        "errorRate": rate(pattern.errors, pattern.lines),
        "new": pattern.is_new,
    });
    if let Some(id) = pattern.example {
        value["example"] = id.to_string().into();
    }
    value
}

/// A share with three decimals.
fn rate(part: u64, all: u64) -> f64 {
    let thousandths = u128::from(part) * 1000 / u128::from(all.max(1));
    f64::from(u16::try_from(thousandths).unwrap_or(u16::MAX)) / 1000.0
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Debug => "debug",
        Severity::Info => "info",
        Severity::Warn => "warn",
        Severity::Error => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_one_fragment_and_due_once_a_minute() {
        let wall = |seconds| Wall(std::time::Duration::from_secs(seconds));
        let mut counting = PatternCounter::default();
        assert!(!counting.is_due(wall(1)));
        let line = br#""time":"t","type":"function","record":"[ERROR] no stock for \"x\"""#;
        counting.count(line, wall(100));
        assert!(!counting.is_due(wall(159)));
        assert!(counting.is_due(wall(160)));
        assert!(counting.is_due(wall(99)), "the clock was set back");
        let report = counting.insights.take().expect("there is a line");
        let made = fragment(&report, wall(100), wall(160));
        let text = format!("{{{}}}", String::from_utf8_lossy(&made));
        let value: Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(value["type"], INSIGHTS);
        let record = &value["record"];
        assert_eq!(record["lines"], 1);
        assert_eq!(record["first"], true);
        assert_eq!(record["message"], "1 lines in 1 patterns, 1 of them new");
        let pattern = &record["patterns"][0];
        assert_eq!(pattern["template"], "[ERROR] no stock for <text>");
        assert_eq!(
            (&pattern["level"], &pattern["errorRate"]),
            (&"error".into(), &1.0.into())
        );
        assert!((rate(1, 3) - 0.333).abs() < 1e-9);
    }
}
