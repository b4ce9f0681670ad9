//! The result: records and bytes, by what became of them.
//!
//! Invariant: read = kept + filtered + sampled + deduped, in records. Must not: hold more than a few problems.

use std::collections::BTreeMap;

use backstop_config::TransformSettings;
use serde::Serialize;

use crate::output::{Report, Style, Table, grouped, plural};

/// Problems to name; the others are counted.
const NAMED_PROBLEMS: usize = 20;

/// Records, and the bytes of their lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub records: u64,
    pub bytes: u64,
}

impl Counts {
    pub(super) fn add(&mut self, bytes: u64) {
        self.records += 1;
        self.bytes += bytes;
    }
}

/// What the transforms would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// What was read.
    pub read: Counts,
    /// What would be delivered.
    pub kept: Counts,
    /// What the level and the rules would drop, by the rule.
    pub filtered: BTreeMap<String, Counts>,
    /// What would be dropped with its invocation.
    pub sampled: Counts,
    /// Repeats that would be joined.
    pub deduped: Counts,
    /// Records in which something would be redacted.
    pub redacted_records: u64,
    /// How often each pattern and field would be redacted.
    pub redacted: BTreeMap<String, u64>,
    /// Lines, or ends of files, that could not be read.
    pub broken: u64,
    /// The first of them.
    pub problems: Vec<String>,
}

impl Summary {
    pub(super) fn filtered(&mut self, rule: &str, bytes: u64) {
        self.filtered.entry(rule.to_owned()).or_default().add(bytes);
    }

    pub(super) fn broken(&mut self, file: &str, line: Option<u64>, problem: &str) {
        self.broken += 1;
        if self.problems.len() < NAMED_PROBLEMS {
            let place = line.map_or_else(String::new, |line| format!(", line {line}"));
            self.problems.push(format!("{file}{place}: {problem}"));
        }
    }

    /// Rules that dropped nothing are in the result too.
    pub(super) fn unused(&mut self, settings: &TransformSettings) {
        use backstop_config::Action;
        if settings.min_level.is_some() {
            self.filtered
                .entry("BACKSTOP_MIN_LEVEL".to_owned())
                .or_default();
        }
        let rules = settings
            .filter
            .iter()
            .filter(|rule| rule.action == Action::Drop);
        for rule in rules {
            self.filtered.entry(rule.text.clone()).or_default();
        }
    }

    /// Whether all was read.
    pub fn is_whole(&self) -> bool {
        self.broken == 0
    }
}

impl Report for Summary {
    fn text(&self, _: Style) -> String {
        let mut table = Table::default();
        let row = |table: &mut Table, label: &str, counts: Counts| {
            let note = format!("{} bytes", grouped(counts.bytes));
            table.row(label, grouped(counts.records), note);
        };
        row(&mut table, "records read", self.read);
        row(&mut table, "kept", self.kept);
        if !self.filtered.is_empty() {
            table.heading("filtered by");
            for (rule, counts) in &self.filtered {
                row(&mut table, &format!("  {rule}"), *counts);
            }
        }
        if self.sampled.records > 0 {
            row(&mut table, "dropped with their invocations", self.sampled);
        }
        if self.deduped.records > 0 {
            row(&mut table, "repeats joined", self.deduped);
        }
        if !self.redacted.is_empty() {
            table.count("records redacted", self.redacted_records);
            table.heading("redacted by");
            for (name, count) in &self.redacted {
                table.count(&format!("  {name}"), *count);
            }
        }
        table.count_if("lines not read", self.broken);
        let saved = self.read.bytes.saturating_sub(self.kept.bytes);
        let share = (saved * 100)
            .checked_div(self.read.bytes)
            .unwrap_or_default();
        let mut text = format!(
            "{} of {} would be kept; {} bytes less ({share} %)\n\n{table}",
            grouped(self.kept.records),
            plural(self.read.records, "record"),
            grouped(saved),
        );
        for problem in &self.problems {
            text.extend(["\nNot read: ", problem]);
        }
        if !self.problems.is_empty() {
            text.push('\n');
        }
        text
    }
}
