//! Groups archived records into requests, with idempotency keys.
//!
//! Invariants: an idempotency key is a function of the object and of exactly the records in the
//! request, their ids and what they say. Were it less (say, of the first and the last record, or of the
//! ids alone), a receiver that honours it would take other records for a repetition and drop them. A
//! record is a duplicate where another one is the same in full: an id alone can be forged.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use backstop_delivery::Signal;
use sha2::{Digest as _, Sha256};

use super::checkpoint::hex;

/// The most bytes of one request before compression, unless a single record is larger.
const LARGEST_BATCH: usize = 1024 * 1024;

/// The object that a record is in.
#[derive(Debug, Default)]
pub(super) struct Origin {
    pub(super) key: String,
    /// What a checkpoint calls it.
    pub(super) digest: String,
    /// Something of it must be sent again.
    pub(super) is_left: AtomicBool,
    /// Something of it is not at the primary, though it need not be sent again.
    pub(super) is_partial: AtomicBool,
}

impl Origin {
    pub(super) fn leave(&self) {
        self.is_left.store(true, Ordering::Relaxed);
    }

    pub(super) fn partial(&self) {
        self.is_partial.store(true, Ordering::Relaxed);
    }
}

/// A record as the primary gets it.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) line: String,
    /// Of the line.
    pub(super) digest: u64,
    pub(super) signal: Signal,
    pub(super) origin: Arc<Origin>,
}

/// The key of a request.
pub(super) fn idempotency_key(records: &[&Record]) -> String {
    let mut hash = Sha256::new();
    let object = records
        .first()
        .map_or("", |record| record.origin.key.as_str());
    let records = records
        .iter()
        .flat_map(|record| [record.id.as_str(), record.line.as_str()]);
    for part in std::iter::once(object).chain(records) {
        // With its length in front, no two lists of parts are the same bytes.
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    format!("replay-{}", hex(&hash.finalize()[..16]))
}

/// Groups records into batches.
#[derive(Debug)]
pub(super) struct Batcher {
    most_records: usize,
    records: Vec<Record>,
    bytes: usize,
}

impl Batcher {
    pub(super) fn new(most_records: usize) -> Self {
        Self {
            most_records: most_records.max(1),
            records: Vec::new(),
            bytes: 0,
        }
    }

    /// Adds a record; returns the previous batch if the record does not fit into it.
    pub(super) fn push(&mut self, record: Record) -> Option<Vec<Record>> {
        let size = record.line.len() + 1;
        let is_full = self.records.len() >= self.most_records || self.bytes + size > LARGEST_BATCH;
        let full = if is_full { self.take() } else { None };
        self.bytes += size;
        self.records.push(record);
        full
    }

    /// What is there; `None` where there is nothing.
    pub(super) fn take(&mut self) -> Option<Vec<Record>> {
        self.bytes = 0;
        let records = std::mem::take(&mut self.records);
        (!records.is_empty()).then_some(records)
    }
}

/// What is known of an id that is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occurrence {
    /// It is the first record with this id.
    First,
    /// The very same record was met before.
    Again,
    /// Another record has this id.
    Conflict,
}

/// The ids that were met last, and what had them: a digest of each, whatever their length.
///
/// What is held does not grow with the archive: when as many were met as one generation holds, those of the
/// generation before are forgotten. A repetition that is further away is left to the primary, which gets it
/// under the same id.
#[derive(Debug)]
pub(super) struct Seen {
    now: Generation,
    before: Generation,
}

/// As many as fit into a table of a million places without growing.
const MOST_SEEN: usize = (1 << 20) / 8 * 7;

#[derive(Debug, Default)]
struct Generation {
    first: HashMap<u64, u64>,
    /// The contents of ids that have more than one.
    others: HashSet<(u64, u64)>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            now: Generation {
                first: HashMap::with_capacity(MOST_SEEN),
                ..Generation::default()
            },
            before: Generation::default(),
        }
    }
}

impl Seen {
    /// Meets a record. An id alone proves nothing: anyone who may write to the bucket can use any.
    pub(super) fn meet(&mut self, id: &str, content: u64) -> Occurrence {
        let id = digest(id);
        let earlier = [&self.now, &self.before].map(|generation| {
            let first = generation.first.get(&id);
            first.map(|first| *first == content || generation.others.contains(&(id, content)))
        });
        match earlier {
            [None, None] => {}
            [Some(true), _] | [_, Some(true)] => return Occurrence::Again,
            _ => {
                self.now.others.insert((id, content));
                self.now.first.entry(id).or_insert(content);
                return Occurrence::Conflict;
            }
        }
        self.now.first.insert(id, content);
        if self.now.first.len() + self.now.others.len() >= MOST_SEEN {
            self.before = std::mem::take(self).now;
        }
        Occurrence::First
    }
}

/// A short digest of a text.
pub(super) fn digest(text: &str) -> u64 {
    let digest = Sha256::digest(text);
    let mut short = [0; 8];
    short.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, bytes: usize) -> Record {
        of("object", id, bytes)
    }

    fn of(object: &str, id: &str, bytes: usize) -> Record {
        let line = "x".repeat(bytes);
        Record {
            id: id.to_owned(),
            digest: digest(&line),
            signal: Signal::Log,
            line,
            origin: Arc::new(Origin {
                key: object.to_owned(),
                ..Origin::default()
            }),
        }
    }

    fn key_of(records: &[Record]) -> String {
        idempotency_key(&records.iter().collect::<Vec<_>>())
    }

    #[test]
    fn a_key_names_the_object_and_exactly_its_records() {
        let [a, b, c] = ["a", "b", "c"].map(|id| record(id, 1));
        let all = [a.clone(), b.clone(), c.clone()];
        let key = key_of(&all);
        assert_eq!(key, key_of(&all));
        assert_eq!(key.len(), "replay-".len() + 32);
        assert_ne!(key, key_of(&[of("other", "a", 1), b.clone(), c.clone()]));
        assert_ne!(key, key_of(&[a.clone(), c]));
        assert_ne!(
            key_of(&[record("ab", 1), record("c", 1)]),
            key_of(&[record("a", 1), record("bc", 1)])
        );
        let forged = record("b", 2);
        assert_ne!(key, key_of(&[a.clone(), forged, all[2].clone()]));
        assert_ne!(key_of(&[a.clone(), b.clone()]), key_of(&[b, a]));
    }

    #[test]
    fn batches_end_at_a_count_or_at_a_size() {
        let mut batcher = Batcher::new(2);
        assert!(batcher.push(record("1", 1)).is_none());
        assert!(batcher.push(record("2", 1)).is_none());
        assert_eq!(
            batcher.push(record("3", 1)).map(|batch| batch.len()),
            Some(2)
        );
        assert_eq!(batcher.take().map(|batch| batch.len()), Some(1));
        assert!(batcher.take().is_none());

        let mut batcher = Batcher::new(1000);
        assert!(batcher.push(record("1", LARGEST_BATCH / 2)).is_none());
        assert_eq!(
            batcher
                .push(record("2", LARGEST_BATCH))
                .map(|batch| batch.len()),
            Some(1)
        );
        assert_eq!(
            batcher.push(record("3", 1)).map(|batch| batch.len()),
            Some(1)
        );
    }

    #[test]
    fn a_record_is_met_again_where_it_says_the_same_and_not_where_its_id_was_taken() {
        let mut seen = Seen::default();
        for (id, line, expected) in [
            ("a", "1", Occurrence::First),
            ("b", "1", Occurrence::First),
            ("a", "1", Occurrence::Again),
            ("a", "2", Occurrence::Conflict),
            ("a", "2", Occurrence::Again),
            ("a", "3", Occurrence::Conflict),
            ("a", "1", Occurrence::Again),
        ] {
            assert_eq!(seen.meet(id, digest(line)), expected, "{id} {line}");
        }
    }
}
