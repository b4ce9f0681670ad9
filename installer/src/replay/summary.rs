//! What became of the archive's records in one run.
//!
//! Invariant: records = sent + duplicates + filtered + rejected + failed + in a dry run those that
//! would be sent. Must not: hold more than a few problems, however many there are.

use std::collections::BTreeMap;

use backstop_delivery::Cause;
use serde::Serialize;

use super::batch::Record;
use crate::output::{Report, Style, Table, grouped, plural};

/// So many problems are named; the others are counted.
const NAMED_PROBLEMS: usize = 20;

/// The counts of a replay. Objects, lines and records; times in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Nothing was to be sent.
    pub dry_run: bool,
    /// Objects that were read.
    pub objects: u64,
    /// Objects that were passed over by their keys.
    pub objects_filtered: u64,
    /// Objects that could not be read, or not to their end.
    pub objects_broken: u64,
    /// Records that were read.
    pub records: u64,
    /// Records the primary took.
    pub sent: u64,
    /// In a dry run: records that would be sent.
    pub would_send: u64,
    /// Records whose id had been met before in this run.
    pub duplicates: u64,
    /// Records that the options leave out.
    pub filtered: u64,
    /// Lines that are not records.
    pub broken_lines: u64,
    /// Records that the primary will never take.
    pub rejected: u64,
    /// Records that could not be sent.
    pub failed: u64,
    /// In a dry run: what would be sent, by function.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub functions: BTreeMap<String, u64>,
    /// In a dry run: what would be sent, by the reason it was diverted.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: BTreeMap<String, u64>,
    /// What went wrong, as far as it is named.
    pub problems: Vec<Problem>,
    /// Why the run ended before its time, and what to do.
    pub halted: Option<String>,
    /// The run was interrupted.
    pub interrupted: bool,
    /// How long it took.
    pub elapsed_ms: u64,
}

/// Something that was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The key of the object it was in.
    pub object: String,
    /// The line, where it is one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// What is wrong.
    pub problem: String,
}

impl Problem {
    pub(super) fn line(object: &str, line: u64, problem: String) -> Self {
        Self {
            object: object.to_owned(),
            line: Some(line),
            problem,
        }
    }

    pub(super) fn object(object: &str, problem: String) -> Self {
        Self {
            object: object.to_owned(),
            line: None,
            problem,
        }
    }

    pub(super) fn rejected(object: &str, records: &[Record], cause: Cause) -> Self {
        let first = records.first().map_or("", |record| record.id.as_str());
        let which = match records.len() {
            1 => format!("the record {first}"),
            count => format!("{count} records from {first} on"),
        };
        Self::object(object, format!("the primary refused {which}: {cause}"))
    }

    /// Refused together with others, and not asked for alone.
    pub(super) fn unresolved(object: &str, records: &[Record]) -> Self {
        let first = records.first().map_or("", |record| record.id.as_str());
        let count = records.len();
        let problem = format!(
            "too many records were refused to find them all: {count} from {first} on were not sent; \
             run the same command with a smaller --batch-records"
        );
        Self::object(object, problem)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let line = self
            .line
            .map_or_else(String::new, |line| format!(", line {line}"));
        writeln!(formatter, "{}{line}: {}", self.object, self.problem)
    }
}

impl Summary {
    /// Whether everything that was wanted is at the primary.
    pub fn is_complete(&self) -> bool {
        !self.interrupted
            && self.halted.is_none()
            && self.objects_broken + self.broken_lines + self.rejected + self.failed == 0
    }

    pub(super) fn problem(&mut self, problem: Problem) {
        if self.problems.len() < NAMED_PROBLEMS {
            self.problems.push(problem);
        }
    }

    /// Takes in the counts of a part.
    pub(super) fn add(&mut self, part: Self) {
        self.objects += part.objects;
        self.objects_filtered += part.objects_filtered;
        self.objects_broken += part.objects_broken;
        self.records += part.records;
        self.sent += part.sent;
        self.would_send += part.would_send;
        self.duplicates += part.duplicates;
        self.filtered += part.filtered;
        self.broken_lines += part.broken_lines;
        self.rejected += part.rejected;
        self.failed += part.failed;
        for (mine, parts) in [
            (&mut self.functions, part.functions),
            (&mut self.reasons, part.reasons),
        ] {
            for (name, count) in parts {
                *mine.entry(name).or_default() += count;
            }
        }
        for problem in part.problems {
            self.problem(problem);
        }
    }

    fn verdict(&self) -> String {
        if self.dry_run {
            return format!(
                "Dry run: {} would be sent",
                plural(self.would_send, "record")
            );
        }
        let sent = plural(self.sent, "record");
        if self.is_complete() {
            return format!("{sent} sent, nothing left behind");
        }
        let undelivered = self.rejected + self.failed;
        let mut parts = vec![format!("{sent} sent")];
        if undelivered > 0 {
            parts.push(format!("{} not delivered", grouped(undelivered)));
        }
        if self.broken_lines > 0 {
            parts.push(plural(self.broken_lines, "broken line"));
        }
        if self.objects_broken > 0 {
            parts.push(plural(self.objects_broken, "broken object"));
        }
        parts.join(", ")
    }

    /// What to do about what is left; `None` where nothing is.
    fn advice(&self) -> Option<String> {
        if self.interrupted {
            return Some(
                "interrupted: run the same command again; what was sent is sent again under the \
                 same ids and idempotency keys"
                    .to_owned(),
            );
        }
        if let Some(halted) = &self.halted {
            return Some(halted.clone());
        }
        if self.failed > 0 {
            return Some(
                "run the same command again: records keep their ids and idempotency keys"
                    .to_owned(),
            );
        }
        if self.rejected > 0 {
            return Some(
                "the primary refused records for good: see why in its own log; they stay in the \
                 archive"
                    .to_owned(),
            );
        }
        (self.broken_lines + self.objects_broken > 0)
            .then(|| "look at what is named above: it stays in the archive as it is".to_owned())
    }
}

impl Report for Summary {
    fn text(&self, style: Style) -> String {
        let mut table = Table::default();
        table.count("objects", self.objects);
        table.count_if("  passed over by key", self.objects_filtered);
        table.count_if("  broken", self.objects_broken);
        table.count("records", self.records);
        if self.dry_run {
            table.count("  would be sent", self.would_send);
        } else {
            table.count("  sent", self.sent);
        }
        table.count("  duplicates", self.duplicates);
        table.count("  left out by options", self.filtered);
        if !self.dry_run {
            table.count("  rejected", self.rejected);
            table.count("  failed", self.failed);
        }
        table.count("broken lines", self.broken_lines);
        for (title, counts) in [
            ("by function", &self.functions),
            ("by reason", &self.reasons),
        ] {
            if !counts.is_empty() {
                table.heading(title);
            }
            for (name, count) in counts {
                table.count(&format!("  {name}"), *count);
            }
        }
        let problems = self.problems.iter().map(ToString::to_string);
        let verdict = style.verdict(self.is_complete(), &self.verdict());
        let mut parts = vec![table.to_string()];
        if !self.problems.is_empty() {
            parts.push(problems.collect());
        }
        parts.push(format!("{verdict}\n{}", self.advice().unwrap_or_default()));
        let text = parts.join("\n");
        text.trim_end().to_owned() + "\n"
    }
}
