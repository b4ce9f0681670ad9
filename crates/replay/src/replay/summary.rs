//! The result of a replay.
//!
//! Invariant: records = sent + sent before + duplicates + filtered + rejected + failed + in a dry run those
//! that would be sent. Must not: hold more than a few problems, however many there are.

use std::collections::BTreeMap;

use backstop_delivery::{Cause, Unfit};
use serde::Serialize;

use super::batch::Record;

/// Problems to name; the others are counted.
const NAMED_PROBLEMS: usize = 20;
/// The same of whole objects and batches.
const NAMED_OBJECTS: usize = 1000;

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
    /// Those of them that are not there any more.
    #[serde(skip)]
    pub(super) objects_missing: u64,
    /// What AWS denied of an object, and what to grant.
    #[serde(skip)]
    pub(super) denied: Option<String>,
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
    /// Why the last of them could not, where every attempt failed; a problem has it, too.
    #[serde(skip)]
    pub failure: Option<String>,
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
        let which = named(records);
        Self::object(
            key_of(records),
            format!("the primary refused {which}: {cause}"),
        )
    }

    /// Not taken in any attempt.
    pub(super) fn exhausted(records: &[&Record], why: &str) -> Self {
        let which = named(records);
        Self::object(
            key_of(records),
            format!("the primary did not accept {which}: {why}"),
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
             sent; replay with fewer records in one request"
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

/// These records, by the first one's id.
fn named(records: &[&Record]) -> String {
    let first = records.first().map_or("", |record| record.id.as_str());
    match records.len() {
        1 => format!("the record {first}"),
        count => format!("{count} records from {first} on"),
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
    pub fn is_at_end(&self) -> bool {
        !self.interrupted && self.halted.is_none()
    }

    /// Whether no object was there.
    pub fn is_empty(&self) -> bool {
        let objects = self.objects + self.objects_filtered + self.objects_broken;
        let objects = objects + self.partitions_skipped + self.objects_replayed;
        let objects = objects + self.objects_done_before;
        objects + self.objects_to_restore + self.objects_outside == 0
    }

    /// Whether something is there, and the filter leaves out all of it.
    pub fn is_nothing_wanted(&self) -> bool {
        let left_out = self.partitions_skipped + self.objects_filtered + self.filtered;
        let before = self.objects_done_before + self.objects_replayed + self.objects_left;
        left_out > 0 && self.records == self.filtered && before == 0
    }

    /// Objects that are in the folder and not of the archive: the first of them is named.
    pub(super) fn outside(&mut self, keys: &[String]) {
        if let Some(key) = keys.first().filter(|_| self.objects_outside == 0) {
            let problem = "it was skipped: it is not part of the archive, as no account= or \
                stream= follows the v1 folder; to replay it, give its own key or prefix";
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
    pub fn add(&mut self, part: Self) {
        self.objects += part.objects;
        self.objects_filtered += part.objects_filtered;
        self.objects_broken += part.objects_broken;
        self.objects_missing += part.objects_missing;
        self.denied = self.denied.take().or(part.denied);
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
        self.failure = part.failure.or(self.failure.take());
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
}
