//! Records that wait for the decision on their invocation: not sent, and else like those that wait.
//!
//! Invariant: the bytes are those of the records.

use std::collections::VecDeque;

use backstop_delivery::Record;
use backstop_transform::Handle;

/// The records, in order.
#[derive(Debug, Default)]
pub(super) struct Held {
    records: VecDeque<(Handle, Record)>,
    bytes: usize,
}

impl Held {
    pub(super) fn push(&mut self, record: Record, handle: Handle) {
        self.bytes += record.cost();
        self.records.push_back((handle, record));
    }

    /// Takes those of an invocation out.
    pub(super) fn take(&mut self, handle: Handle) -> Vec<Record> {
        let all = std::mem::take(&mut self.records);
        let (taken, left): (VecDeque<_>, VecDeque<_>) =
            all.into_iter().partition(|(of, _)| *of == handle);
        self.records = left;
        self.count();
        taken.into_iter().map(|(_, record)| record).collect()
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&mut Record) -> bool) {
        if !self.records.is_empty() {
            self.records.retain_mut(|(_, record)| keep(record));
            self.count();
        }
    }

    /// Counts the bytes again, after records were changed.
    pub(super) fn count(&mut self) {
        self.bytes = self.records().map(Record::cost).sum();
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().map(|(_, record)| record)
    }

    pub(super) fn records_mut(&mut self) -> impl Iterator<Item = &mut Record> {
        self.records.iter_mut().map(|(_, record)| record)
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
