//! One of the buffer's two queues: what is to be delivered, or what is for the archive only.
//!
//! Invariant: the bytes are those of the records. Records leave as batches, in order; those that come back go
//! out again as they are, first.

use std::collections::VecDeque;

use backstop_delivery::{Batch, Record, Wall};

/// A batch is closed at this many bytes of records: large enough that compression pays, small enough
/// that a handful in flight stay within a few MiB.
const BATCH_BYTES: usize = 1024 * 1024;
const BATCH_RECORDS: usize = 10_000;

/// Records that wait, and batches that came back.
#[derive(Debug, Default)]
pub(super) struct Queue {
    returned: VecDeque<Batch>,
    records: VecDeque<Record>,
    returned_bytes: usize,
    record_bytes: usize,
    /// Records without a copy that outlives the process may be before others with one.
    has_gaps: bool,
}

impl Queue {
    pub(super) fn push(&mut self, record: Record) {
        self.record_bytes += record.cost();
        self.records.push_back(record);
    }

    /// The same for one that is older than what came meanwhile, and perhaps has a copy that those lack.
    pub(super) fn push_late(&mut self, record: Record) {
        self.has_gaps |= record.is_kept();
        self.push(record);
    }

    /// Takes in a batch of an earlier run, to be sent first.
    pub(super) fn restore(&mut self, batch: Batch) {
        self.returned_bytes += batch.cost();
        self.returned.push_back(batch);
    }

    /// What is in no batch yet may have been sent: it is, in batches of its own, as if it had come back.
    pub(super) fn restore_as_batches(&mut self, now: Wall) {
        while let Some(mut batch) = self.form(now) {
            batch.mark_ambiguous();
            self.restore(batch);
        }
    }

    /// Takes back what no sink took, to be sent first.
    pub(super) fn put_back(&mut self, batches: Vec<Batch>) {
        for batch in batches.into_iter().rev() {
            self.returned_bytes += batch.cost();
            self.returned.push_front(batch);
        }
    }

    /// The next batches, at most `most`.
    pub(super) fn take(&mut self, most: usize, now: Wall) -> Vec<Batch> {
        let mut batches = Vec::new();
        while batches.len() < most {
            let Some(batch) = self.returned.pop_front().or_else(|| self.form(now)) else {
                break;
            };
            batches.push(batch);
        }
        self.returned_bytes = self.returned.iter().map(Batch::cost).sum();
        batches
    }

    pub(super) fn bytes(&self) -> usize {
        self.returned_bytes + self.record_bytes
    }

    pub(super) fn len(&self) -> usize {
        let returned = self.returned.iter().map(Batch::len).sum::<usize>();
        self.records.len() + returned
    }

    /// The number of records that are in no batch yet.
    pub(super) fn unsent(&self) -> usize {
        self.records.len()
    }

    /// All, in order.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Record> {
        let returned = self.returned.iter().flat_map(Batch::records);
        returned.chain(&self.records)
    }

    /// The batches that came back.
    pub(super) fn returned(&self) -> impl Iterator<Item = &Batch> {
        self.returned.iter()
    }

    /// The records that are in no batch yet, to be changed: [`Queue::count`] follows.
    pub(super) fn records_mut(&mut self) -> impl Iterator<Item = &mut Record> {
        self.records.iter_mut()
    }

    /// Counts the bytes again, after records were changed.
    pub(super) fn count(&mut self) {
        self.record_bytes = self.records.iter().map(Record::cost).sum();
    }

    /// The records without a copy that outlives the process. Those that are in no batch yet are mostly the newest,
    /// so that the others are not looked at.
    pub(super) fn unkept(&self) -> impl Iterator<Item = &Record> {
        let returned = self.returned.iter().flat_map(Batch::records);
        returned
            .chain(self.records.range(self.kept_in_queue()..))
            .filter(|record| !record.is_kept())
    }

    /// Does something to all that [`Queue::unkept`] may have, in its order.
    pub(super) fn each_unkept(&mut self, mut change: impl FnMut(&mut Record)) {
        let kept = self.kept_in_queue();
        change_batches(&mut self.returned, &mut change);
        self.records.range_mut(kept..).for_each(change);
    }

    /// Does something to each record that changes none of their sizes.
    pub(super) fn each(&mut self, mut change: impl FnMut(&mut Record)) {
        change_batches(&mut self.returned, &mut change);
        self.records.iter_mut().for_each(change);
    }

    /// Of what came back, keeps only what `keep` wants.
    pub(super) fn retain_returned(&mut self, mut keep: impl FnMut(&mut Record) -> bool) {
        for batch in &mut self.returned {
            batch.retain(&mut keep);
        }
        self.returned.retain(|batch| !batch.is_empty());
        self.returned_bytes = self.returned.iter().map(Batch::cost).sum();
    }

    /// Of what is in no batch yet, keeps only what `keep` wants.
    pub(super) fn retain_records(&mut self, mut keep: impl FnMut(&mut Record) -> bool) {
        let record_bytes = &mut self.record_bytes;
        self.records.retain_mut(|record| {
            let cost = record.cost();
            let is_kept = keep(record);
            *record_bytes -= if is_kept { 0 } else { cost };
            is_kept
        });
    }

    fn kept_in_queue(&self) -> usize {
        if self.has_gaps {
            return 0;
        }
        let unkept = self.records.iter().rev();
        self.records.len() - unkept.take_while(|record| !record.is_kept()).count()
    }

    /// The next batch: of the oldest record's signal, since each signal may have an address of its own; the
    /// others keep their order. In the archive all go together.
    fn form(&mut self, now: Wall) -> Option<Batch> {
        let first = self.records.front()?;
        let (signal, is_archive_only) = (first.signal(), first.route().is_archive_only());
        let mut records = Vec::new();
        let mut others = Vec::new();
        let mut bytes = 0;
        while records.len() + others.len() < BATCH_RECORDS
            && let Some(record) = self.records.pop_front()
        {
            if record.signal() != signal && !is_archive_only {
                others.push(record);
                continue;
            }
            let cost = record.cost();
            if !records.is_empty() && bytes + cost > BATCH_BYTES {
                self.records.push_front(record);
                break;
            }
            bytes += cost;
            records.push(record);
        }
        for record in others.into_iter().rev() {
            self.records.push_front(record);
        }
        self.record_bytes -= bytes;
        self.has_gaps &= !self.records.is_empty();
        Batch::new(now, records)
    }
}

fn change_batches(batches: &mut VecDeque<Batch>, change: &mut impl FnMut(&mut Record)) {
    for batch in batches {
        batch.retain(|record| {
            change(record);
            true
        });
    }
}
