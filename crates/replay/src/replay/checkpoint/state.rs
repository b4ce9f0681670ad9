//! What the lines of a checkpoint say, read one by one.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{BufRead, Read as _};

use anyhow::{Context as _, bail};
use backstop_common::parsing;
use backstop_common::usage::UsageError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};

use super::{CheckpointPlace, Subject};

pub(super) const SCHEMA_VERSION: u32 = 1;
/// More than the digests of the largest batch.
const LONGEST_LINE: u64 = 64 << 20;
/// Records of objects that are done whose repetitions are still recognised.
const MOST_RECENT: usize = 1 << 20;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Header {
    pub(super) schema_version: u32,
    pub(super) release: String,
    pub(super) started_at: String,
    #[serde(flatten)]
    pub(super) subject: Subject,
}

/// A line behind the header.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The object; all of them where it is empty.
    pub(super) object: String,
    /// Its records that were acknowledged or refused for good; it is done where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) records: Option<String>,
}

/// What was done before.
#[derive(Debug, Default)]
pub(in crate::replay) struct Done {
    objects: HashSet<String>,
    /// By object, where it is not done.
    records: HashMap<String, HashSet<u64>>,
    recent: Recent,
    /// Nothing of the whole replay is left.
    is_finished: bool,
    /// Records in all.
    pub(in crate::replay) count: u64,
}

/// The last records of objects that are done.
#[derive(Debug, Default)]
struct Recent {
    order: VecDeque<u64>,
    all: HashSet<u64>,
}

impl Recent {
    fn insert(&mut self, record: u64) {
        if self.all.insert(record) {
            self.order.push_back(record);
        }
        if self.order.len() > MOST_RECENT
            && let Some(oldest) = self.order.pop_front()
        {
            self.all.remove(&oldest);
        }
    }
}

impl Done {
    pub(in crate::replay) fn has_object(&self, object: &str) -> bool {
        self.objects.contains(object)
    }

    /// Whether the record was acknowledged, in this object or in one that is done.
    pub(in crate::replay) fn has_record(&self, object: &str, record: u64) -> bool {
        let records = self.records.get(object);
        records.is_some_and(|it| it.contains(&record)) || self.recent.all.contains(&record)
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.count == 0 && self.objects.is_empty()
    }

    fn add(&mut self, entry: Entry) -> Option<()> {
        let Some(records) = entry.records else {
            if entry.object.is_empty() {
                self.is_finished = true;
                return Some(());
            }
            for record in self.records.remove(&entry.object).unwrap_or_default() {
                self.recent.insert(record);
            }
            self.objects.insert(entry.object);
            return Some(());
        };
        let bytes = STANDARD_NO_PAD.decode(records).ok()?;
        let (records, rest) = bytes.as_chunks::<8>();
        if !rest.is_empty() {
            return None;
        }
        self.count += records.len() as u64;
        let known = self.records.entry(entry.object).or_default();
        known.extend(records.iter().map(|bytes| u64::from_le_bytes(*bytes)));
        Some(())
    }
}

/// What a log says, and how many of its bytes are whole lines; none where it has not begun.
pub(super) fn parse(
    text: impl BufRead,
    subject: &Subject,
    place: &CheckpointPlace,
) -> anyhow::Result<Option<(Done, u64)>> {
    let broken = |number: usize, problem: &dyn std::fmt::Display| {
        anyhow::anyhow!(
            "line {number} of the checkpoint {place} is broken: {problem}; remove the checkpoint, or \
             name another checkpoint, to send everything again"
        )
    };
    let mut lines = Lines {
        text,
        line: Vec::new(),
        whole: 0,
    };
    let unreadable = || format!("the checkpoint {place} cannot be read");
    if !lines.advance().with_context(unreadable)? {
        let beginning = b"{\"schemaVersion\"";
        // A header that was cut off was followed by nothing; another file is not for this program to empty.
        if lines
            .line
            .iter()
            .zip(beginning)
            .all(|(found, own)| found == own)
        {
            return Ok(None);
        }
        bail!(broken(1, &"it is not a checkpoint"));
    }
    let header: Header = serde_json::from_slice(&lines.line)
        .map_err(parsing::json)
        .map_err(|error| broken(1, &error))?;
    if header.schema_version != SCHEMA_VERSION {
        bail!(
            "release {} wrote the checkpoint {place}: use that release or a newer one",
            header.release
        );
    }
    if header.subject.target_digest != subject.target_digest {
        let problem = format!(
            "the checkpoint {place} is of a replay to another target, {}: give that target, or \
             name another checkpoint",
            header.subject.target
        );
        return Err(UsageError(problem).into());
    }
    if header.subject.selection != subject.selection {
        let problem = format!(
            "the checkpoint {place} is of another selection, {}: give the same options, or name another \
             checkpoint",
            header.subject.selection
        );
        return Err(UsageError(problem).into());
    }
    let mut done = Done::default();
    let mut number = 2;
    while lines.advance().with_context(unreadable)? {
        let entry: Entry = serde_json::from_slice(&lines.line)
            .map_err(parsing::json)
            .map_err(|error| broken(number, &error))?;
        done.add(entry)
            .ok_or_else(|| broken(number, &"its records cannot be read"))?;
        number += 1;
    }
    Ok((!done.is_finished).then_some((done, lines.whole)))
}

/// Lines of a log, one by one.
struct Lines<R> {
    text: R,
    line: Vec<u8>,
    /// The bytes of whole lines so far.
    whole: u64,
}

impl<R: BufRead> Lines<R> {
    /// False where the last line is not whole, or there is none.
    fn advance(&mut self) -> std::io::Result<bool> {
        self.line.clear();
        let read = (&mut self.text)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut self.line)?;
        let is_whole = self.line.pop_if(|last| *last == b'\n').is_some();
        if is_whole {
            self.whole += read as u64;
        }
        Ok(is_whole)
    }
}
