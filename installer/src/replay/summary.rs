//! The result of a replay.
//!
//! Invariant: records = sent + sent before + duplicates + filtered + rejected + failed + in a dry run those
//! that would be sent. Must not: hold more than a few problems, however many there are.

use std::collections::BTreeMap;

use backstop_delivery::{Cause, Unfit};
use serde::Serialize;

use super::batch::Record;
use crate::output::{Report, Style, Table, escape, grouped, plural, size};

/// Problems to name; the others are counted.
const NAMED_PROBLEMS: usize = 20;
/// The same of whole objects and batches.
const NAMED_OBJECTS: usize = 1000;
/// Of a table.
const SHOWN_PROBLEMS: usize = 20;

/// The counts of a replay. Objects, lines and records; times in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Nothing was to be sent.
    pub dry_run: bool,
    /// Objects that were read.
    pub objects: u64,
    /// Folders that were not listed, as nothing in them can be wanted.
    pub partitions_skipped: u64,
    /// Objects that were passed over by their keys, or as they are older than what is wanted.
    pub objects_filtered: u64,
    /// Objects in an archive class of S3, which have to be restored first.
    pub objects_to_restore: u64,
    /// Objects in the archive's folder that are not of the archive.
    pub objects_outside: u64,
    /// Objects that could not be read, or not to their end.
    pub objects_broken: u64,
    /// Records that were read.
    pub records: u64,
    /// Records the primary took.
    pub sent: u64,
    /// Their bytes, before compression.
    pub sent_bytes: u64,
    /// In a dry run: records that would be sent.
    pub would_send: u64,
    /// Their bytes, before compression.
    pub would_send_bytes: u64,
    /// Records that were sent, or refused for good, before this replay was resumed.
    pub sent_before: u64,
    /// Objects that were done before it was resumed.
    pub objects_done_before: u64,
    /// Objects that are marked as replayed to this target.
    pub objects_replayed: u64,
    /// Objects that were marked.
    pub objects_marked: u64,
    /// Objects that could not be marked.
    pub objects_unmarked: u64,
    /// Records that had been met before in this run, the same in full.
    pub duplicates: u64,
    /// Records that were sent under an id that another record has as well.
    pub id_conflicts: u64,
    /// Records that the options leave out.
    pub filtered: u64,
    /// Records that an option asks the time of, and that have none that can be read: they are not left out.
    pub without_time: u64,
    /// The same of their functions.
    pub without_function: u64,
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
    /// What the options name and nothing in the archive has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unmatched: Vec<String>,
    /// Where there is nothing: a place that was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
    /// Objects of which something must be read or sent again.
    pub objects_left: u64,
    /// The file of the records that the primary refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letters: Option<String>,
    /// Where the checkpoint is, as long as something is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
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

    /// Two records with one id: both are sent.
    pub(super) fn conflict(object: &str, line: u64, id: &str) -> Self {
        let problem = format!(
            "two records with different content have the id {id}: both are sent; one of them may \
             be forged"
        );
        Self::line(object, line, problem)
    }

    pub(super) fn object(object: &str, problem: String) -> Self {
        Self {
            object: object.to_owned(),
            line: None,
            problem,
        }
    }

    pub(super) fn rejected(records: &[&Record], cause: Cause) -> Self {
        let first = records.first().map_or("", |record| record.id.as_str());
        let which = match records.len() {
            1 => format!("the record {first}"),
            count => format!("{count} records from {first} on"),
        };
        Self::object(
            key_of(records),
            format!("the primary refused {which}: {cause}"),
        )
    }

    /// Refused by a receiver that does not say which they are.
    pub(super) fn unnamed(records: &[&Record], refused: usize, cause: Cause) -> Self {
        let first = records.first().map_or("", |record| record.id.as_str());
        let count = records.len();
        let problem = format!(
            "the primary refused {refused} of {count} records from {first} on and did not say \
             which: {cause}"
        );
        Self::object(key_of(records), problem)
    }

    /// Never sent, as the receiver's limits are known.
    pub(super) fn unfit(record: &Record, unfit: Unfit) -> Self {
        let problem = format!("the record {} {}", record.id, Self::unfit_why(unfit));
        Self::object(&record.origin.key, problem)
    }

    /// Why it is not sent.
    pub(super) fn unfit_why(unfit: Unfit) -> &'static str {
        match unfit {
            Unfit::TooLarge => "is larger than the format's receivers accept",
            Unfit::TooOld => "is older than the format's receivers accept",
            Unfit::NoIntake => {
                "holds metrics or spans, which the primary does not get: choose a format that takes \
                 them, or set BACKSTOP_OTLP_URL"
            }
        }
    }

    /// Refused together with others, and not asked for alone.
    pub(super) fn unresolved(records: &[&Record]) -> Self {
        let first = records.first().map_or("", |record| record.id.as_str());
        let count = records.len();
        let problem = format!(
            "too many records were refused to find them all: {count} from {first} on were not \
             sent; run the same command with a smaller --batch-records"
        );
        Self::object(key_of(records), problem)
    }
}

/// The object of the first record.
fn key_of<'a>(records: &[&'a Record]) -> &'a str {
    records
        .first()
        .map_or("", |record| record.origin.key.as_str())
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let line = self
            .line
            .map_or_else(String::new, |line| format!(", line {line}"));
        // A key may hold anything, line feeds included.
        let object = escape::line(&self.object);
        writeln!(formatter, "{object}{line}: {}", self.problem)
    }
}

impl Summary {
    /// Whether everything that was wanted is at the primary.
    pub fn is_complete(&self) -> bool {
        self.is_at_end()
            && self.unmatched.is_empty()
            && self.nearest.is_none()
            && self.objects_broken + self.objects_to_restore + self.broken_lines == 0
            && self.id_conflicts + self.rejected + self.failed == 0
    }

    /// Whether the whole archive was read.
    pub(super) fn is_at_end(&self) -> bool {
        !self.interrupted && self.halted.is_none()
    }

    /// Whether no object was there.
    pub fn is_empty(&self) -> bool {
        let objects = self.objects + self.objects_filtered + self.objects_broken;
        let objects = objects + self.partitions_skipped + self.objects_replayed;
        let objects = objects + self.objects_done_before;
        objects + self.objects_to_restore + self.objects_outside == 0
    }

    /// Objects that are in the folder and not of the archive: the first of them is named.
    pub(super) fn outside(&mut self, keys: &[String]) {
        if let Some(key) = keys.first().filter(|_| self.objects_outside == 0) {
            let problem = "it was skipped: it is not part of the archive, as no account= or \
                stream= follows the v1 folder; to replay it, give its own key or prefix with \
                --from";
            self.problem(Problem::object(key, problem.to_owned()));
        }
        self.objects_outside += keys.len() as u64;
    }

    pub(super) fn problem(&mut self, problem: Problem) {
        // An object that is damaged is always named, a line of many is not.
        let most = if problem.line.is_some() {
            NAMED_PROBLEMS
        } else {
            NAMED_OBJECTS
        };
        if self.problems.len() < most {
            self.problems.push(problem);
        }
    }

    /// Takes in the counts of a part.
    pub(super) fn add(&mut self, part: Self) {
        self.objects += part.objects;
        self.objects_filtered += part.objects_filtered;
        self.objects_broken += part.objects_broken;
        self.objects_to_restore += part.objects_to_restore;
        self.objects_outside += part.objects_outside;
        self.records += part.records;
        self.sent += part.sent;
        self.sent_bytes += part.sent_bytes;
        self.would_send += part.would_send;
        self.would_send_bytes += part.would_send_bytes;
        self.sent_before += part.sent_before;
        self.objects_replayed += part.objects_replayed;
        self.objects_marked += part.objects_marked;
        self.objects_left += part.objects_left;
        self.objects_unmarked += part.objects_unmarked;
        self.duplicates += part.duplicates;
        self.id_conflicts += part.id_conflicts;
        self.filtered += part.filtered;
        self.without_time += part.without_time;
        self.without_function += part.without_function;
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
        let sent = if self.dry_run {
            let count = plural(self.would_send, "record");
            format!("Dry run: {count} would be sent")
        } else {
            format!("{} sent", plural(self.sent, "record"))
        };
        match (self.is_complete(), self.dry_run) {
            (true, true) => return sent,
            (true, false) => return format!("{sent}, none missing"),
            (false, _) => {}
        }
        let undelivered = self.rejected + self.failed;
        let mut parts = vec![sent];
        if undelivered > 0 {
            parts.push(format!("{} not delivered", grouped(undelivered)));
        }
        if self.broken_lines > 0 {
            parts.push(plural(self.broken_lines, "broken line"));
        }
        if self.objects_broken > 0 {
            parts.push(plural(self.objects_broken, "broken object"));
        }
        if self.objects_to_restore > 0 {
            parts.push(format!(
                "{} to restore",
                plural(self.objects_to_restore, "object")
            ));
        }
        if self.id_conflicts > 0 {
            parts.push(plural(self.id_conflicts, "id conflict"));
        }
        parts.extend(self.unmatched.iter().cloned());
        parts.extend((self.nearest.as_ref()).map(|_| "there is no archive".to_owned()));
        parts.join(", ")
    }

    /// What to do about what is left; `None` where nothing is.
    fn advice(&self) -> Option<String> {
        let again = if self.checkpoint.is_some() {
            "run the same command with --resume: it sends what is left"
        } else {
            "run the same command again: it sends all records again, under the same ids"
        };
        if self.interrupted {
            return Some(format!("interrupted: {again}"));
        }
        if let Some(halted) = &self.halted {
            let is_said = self.checkpoint.is_none() || halted.contains("--resume");
            let resume = if is_said {
                ""
            } else {
                "; with --resume it sends what is left"
            };
            return Some(format!("{halted}{resume}"));
        }
        if self.failed > 0 {
            return Some(again.to_owned());
        }
        if self.rejected > 0 {
            let file = self.dead_letters.as_ref().map(|file| {
                format!(
                    "; {} has them with its answer, and can be given to --from",
                    escape::part(file)
                )
            });
            return Some(format!(
                "the primary rejected records for good: check its log for the cause; they stay in \
                 the archive{}",
                file.unwrap_or_default()
            ));
        }
        if let Some(nearest) = &self.nearest {
            return Some(format!("did you mean --from {}?", escape::part(nearest)));
        }
        if self.objects_to_restore > 0 {
            return Some(
                "restore the objects in archive storage classes, then run the same command again"
                    .to_owned(),
            );
        }
        (self.broken_lines + self.objects_broken + self.id_conflicts > 0)
            .then(|| "check the items listed above: they stay in the archive unchanged".to_owned())
    }
}

impl Report for Summary {
    fn text(&self, style: Style) -> String {
        let mut table = Table::default();
        table.count("objects", self.objects);
        table.count_if("  folders skipped by name", self.partitions_skipped);
        table.count_if("  skipped by key or age", self.objects_filtered);
        table.count_if("  broken", self.objects_broken);
        table.count_if("  to restore first", self.objects_to_restore);
        table.count_if("  not part of the archive", self.objects_outside);
        table.count_if("  done before", self.objects_done_before);
        table.count_if("  replayed before", self.objects_replayed);
        table.count_if("  marked as replayed", self.objects_marked);
        table.count_if("  not marked", self.objects_unmarked);
        table.count("records", self.records);
        if self.dry_run {
            let bytes = size(self.would_send_bytes);
            table.row("  would be sent", grouped(self.would_send), bytes);
        } else {
            table.row("  sent", grouped(self.sent), size(self.sent_bytes));
        }
        table.count_if("  sent before", self.sent_before);
        table.count_if("    with no readable time", self.without_time);
        table.count_if("    with no known function", self.without_function);
        table.count_if("    sharing another record's id", self.id_conflicts);
        table.count("  duplicates", self.duplicates);
        table.count("  filtered out by options", self.filtered);
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
        let problems = self.problems.iter().take(SHOWN_PROBLEMS);
        let more = self.problems.len().saturating_sub(SHOWN_PROBLEMS);
        let more = (more > 0).then(|| format!("and {more} more; --output json has them\n"));
        let problems = problems.map(ToString::to_string).chain(more);
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
