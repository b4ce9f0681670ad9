//! Groups archived records into requests, with idempotency keys.
//!
//! Invariants: an idempotency key is a function of the object and of exactly the records in the
//! request, their ids and what they say. Were it less (say, of the first and the last record, or of the
//! ids alone), a receiver that honours it would take other records for a repetition and drop them. A
//! record is a duplicate where another one is the same in full: an id alone can be forged.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// The most bytes of one request before compression, unless a single record is larger.
const LARGEST_BATCH: usize = 1024 * 1024;

/// A record as the primary gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) line: String,
}

/// The key of a request.
pub(super) fn idempotency_key(object: &str, records: &[&Record]) -> String {
    let mut hash = Sha256::new();
    let records = records
        .iter()
        .flat_map(|record| [record.id.as_str(), record.line.as_str()]);
    for part in std::iter::once(object).chain(records) {
        // With its length in front, no two lists of parts are the same bytes.
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut key = "replay-".to_owned();
    for byte in &digest[..16] {
        // Writing to a string cannot fail.
        write!(key, "{byte:02x}").unwrap_or_default();
    }
    key
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

/// The ids that were met in this run, and what had them: a digest of each, whatever their length.
#[derive(Debug, Default)]
pub(super) struct Seen {
    first: HashMap<Short, Short>,
    /// The contents of ids that have more than one.
    others: HashSet<(Short, Short)>,
}

type Short = [u8; 16];

impl Seen {
    /// Meets a record. An id alone proves nothing: anyone who may write to the bucket can use any.
    pub(super) fn meet(&mut self, id: &str, line: &str) -> Occurrence {
        let (id, content) = (short(id), short(line));
        match self.first.entry(id) {
            Entry::Vacant(free) => {
                free.insert(content);
                Occurrence::First
            }
            Entry::Occupied(first) if *first.get() == content => Occurrence::Again,
            Entry::Occupied(_) if self.others.insert((id, content)) => Occurrence::Conflict,
            Entry::Occupied(_) => Occurrence::Again,
        }
    }
}

fn short(text: &str) -> Short {
    let digest = Sha256::digest(text);
    let mut short = [0; 16];
    short.copy_from_slice(&digest[..16]);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, bytes: usize) -> Record {
        Record {
            id: id.to_owned(),
            line: "x".repeat(bytes),
        }
    }

    fn key_of(object: &str, records: &[Record]) -> String {
        idempotency_key(object, &records.iter().collect::<Vec<_>>())
    }

    #[test]
    fn a_key_names_the_object_and_exactly_its_records() {
        let [a, b, c] = ["a", "b", "c"].map(|id| record(id, 1));
        let all = [a.clone(), b.clone(), c.clone()];
        let key = key_of("object", &all);
        assert_eq!(key, key_of("object", &all));
        assert_eq!(key.len(), "replay-".len() + 32);
        assert_ne!(key, key_of("other", &all));
        assert_ne!(key, key_of("object", &[a.clone(), c]));
        assert_ne!(
            key_of("object", &[record("ab", 1), record("c", 1)]),
            key_of("object", &[record("a", 1), record("bc", 1)])
        );
        let forged = record("b", 2);
        assert_ne!(key, key_of("object", &[a.clone(), forged, all[2].clone()]));
        assert_ne!(
            key_of("object", &[a.clone(), b.clone()]),
            key_of("object", &[b, a])
        );
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
            assert_eq!(seen.meet(id, line), expected, "{id} {line}");
        }
    }
}
