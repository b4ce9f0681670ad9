//! The buffer in memory: bounded in bytes, first in first out, and when it must drop, copies and then the
//! least severe first.

use std::time::Duration;

use backstop_delivery::{Batch, Record, RecordId, Role, Route, Signal, Wall};
use backstop_telemetry::Severity;
use backstop_transform::Handle;
use bytes::Bytes;

use super::held::Held;
use super::id_ranges::IdRanges;
use super::queue::Queue;

/// Batches handed out at once.
const BATCHES_IN_FLIGHT: usize = 8;
/// The same of those for the archive only.
const ARCHIVED_IN_FLIGHT: usize = 4;

/// Records that wait, and batches that came back.
#[derive(Debug)]
pub(crate) struct Buffer {
    delivered: Queue,
    /// What is for the archive only.
    archived: Queue,
    held: Held,
    in_flight_bytes: usize,
    in_flight_records: usize,
    /// The records in flight that have a copy that outlives the process.
    in_flight: IdRanges,
    /// Records that had such a copy, and are no longer held.
    gone: IdRanges,
    /// Whether any record may have such a copy.
    has_copies: bool,
    /// The copies of the records in flight are gone.
    in_flight_without_copies: bool,
    /// Records came back from a flush that have lost their copies.
    returned_without_copies: bool,
    oldest: Option<Wall>,
    max_bytes: usize,
}

impl Buffer {
    /// A buffer of at most `max_bytes`.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            delivered: Queue::default(),
            archived: Queue::default(),
            held: Held::default(),
            in_flight_bytes: 0,
            in_flight_records: 0,
            in_flight: IdRanges::default(),
            gone: IdRanges::default(),
            has_copies: false,
            in_flight_without_copies: false,
            returned_without_copies: false,
            oldest: None,
            max_bytes,
        }
    }

    pub(crate) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// When the oldest of what waits came, or else now, which is asked for only then.
    pub(crate) fn oldest_or_else(&self, now: impl FnOnce() -> Wall) -> Wall {
        self.oldest.unwrap_or_else(now)
    }

    /// Takes a record in.
    pub(crate) fn push(&mut self, record: Record, now: Wall) {
        self.has_copies |= record.is_kept();
        self.oldest.get_or_insert(now);
        self.queue(record.route()).push(record);
    }

    fn queue(&mut self, route: Route) -> &mut Queue {
        if route.is_archive_only() {
            &mut self.archived
        } else {
            &mut self.delivered
        }
    }

    /// Bytes that wait to be sent.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.delivered.bytes() + self.archived.bytes()
    }

    /// Of the bytes that wait, those of records for the archive only.
    pub(crate) fn archived_bytes(&self) -> usize {
        self.archived.bytes()
    }

    /// Bytes held, those under way included.
    pub(crate) fn held_bytes(&self) -> usize {
        self.waiting_bytes() + self.in_flight_bytes
    }

    /// Takes a record in that waits for the decision on its invocation.
    pub(crate) fn hold(&mut self, record: Record, handle: Handle) {
        self.held.push(record, handle);
    }

    /// Bytes that wait, for a flush or for a decision.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.pending_bytes() + self.held.bytes()
    }

    /// Bytes that wait for a decision.
    pub(crate) fn undecided_bytes(&self) -> usize {
        self.held.bytes()
    }

    /// Takes the records out whose invocation was decided on.
    pub(crate) fn take_held(&mut self, handle: Handle) -> Vec<Record> {
        self.held.take(handle)
    }

    /// Takes a record in that had waited for a decision.
    pub(crate) fn push_late(&mut self, record: Record, now: Wall) {
        self.has_copies |= record.is_kept();
        self.oldest.get_or_insert(now);
        self.queue(record.route()).push_late(record);
    }

    /// A record is not held any more under its [`Record::key`]. Says whether it had a copy that outlives the
    /// process.
    pub(crate) fn forget(&mut self, record: &Record) -> bool {
        if record.is_kept() {
            self.gone.push(record.key());
        }
        record.is_kept()
    }

    /// Rewrites records that are in no batch yet: what `written` gives takes the place of
    /// the text.
    pub(crate) fn rewrite(&mut self, mut written: impl FnMut(&Record) -> Option<Bytes>) {
        let queued = (self.delivered.records_mut()).chain(self.archived.records_mut());
        for record in queued.chain(self.held.records_mut()) {
            if let Some(fragment) = written(record) {
                record.set_fragment(fragment);
            }
        }
        self.delivered.count();
        self.archived.count();
        self.held.count();
    }

    /// Records held, those under way included.
    pub(crate) fn held_records(&self) -> usize {
        self.delivered.len() + self.archived.len() + self.in_flight_records + self.held.len()
    }

    /// How long the oldest record that waits has waited. Where the clock was set back nobody knows,
    /// and longer than any interval is what keeps it from waiting for the clock to catch up.
    pub(crate) fn age(&self, now: Wall) -> Duration {
        match self.oldest {
            None => Duration::ZERO,
            Some(oldest) if now < oldest => Duration::MAX,
            Some(oldest) => now.since(oldest),
        }
    }

    /// The next batches to send. They stay counted until [`Buffer::settle`].
    pub(crate) fn take(&mut self, now: Wall) -> Vec<Batch> {
        let mut batches = self.delivered.take(BATCHES_IN_FLIGHT, now);
        batches.extend(self.archived.take(ARCHIVED_IN_FLIGHT, now));
        self.in_flight_bytes += batches.iter().map(Batch::cost).sum::<usize>();
        self.in_flight_records += batches.iter().map(Batch::len).sum::<usize>();
        self.in_flight.extend(kept_keys(&batches));
        self.oldest = (self.pending_bytes() > 0).then_some(now);
        batches
    }

    /// All that waits, in order; not what is under way.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Record> {
        let queued = self.delivered.waiting().chain(self.archived.waiting());
        queued.chain(self.held.records())
    }

    /// Whether records wait that a sink of this role, for each signal or for one, may be asked to take.
    pub(crate) fn has(&self, role: Role, signal: Option<Signal>) -> bool {
        let is_fit = |record: &Record| {
            (role == Role::Fallback || !record.route().is_archive_only())
                && signal.is_none_or(|signal| record.signal() == signal)
        };
        self.waiting().any(is_fit)
    }

    /// The number of records that are in no batch yet.
    pub(crate) fn unsent(&self) -> usize {
        self.delivered.unsent() + self.archived.unsent()
    }

    /// What had a copy that outlives the process, and was let go since the last call.
    pub(crate) fn take_gone(&mut self) -> IdRanges {
        std::mem::take(&mut self.gone)
    }

    /// The batches that came back.
    pub(crate) fn returned(&self) -> impl Iterator<Item = &Batch> {
        self.delivered.returned().chain(self.archived.returned())
    }

    /// The records in flight that have a copy that outlives the process.
    pub(crate) fn in_flight(&self) -> &IdRanges {
        &self.in_flight
    }

    /// Of what waits, the records without a copy that outlives the process.
    pub(crate) fn unkept(&self) -> impl Iterator<Item = &Record> {
        let held = self.held.records().filter(|record| !record.is_kept());
        let queued = self.delivered.unkept().chain(self.archived.unkept());
        queued.chain(held)
    }

    /// The first `count` of [`Buffer::unkept`] have such a copy now.
    pub(crate) fn set_kept(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        let mut left = count;
        let mut keep = |record: &mut Record| {
            if left > 0 && !record.is_kept() {
                record.set_kept();
                left -= 1;
            }
        };
        self.has_copies = true;
        self.delivered.each_unkept(&mut keep);
        self.archived.each_unkept(&mut keep);
        self.held.records_mut().for_each(keep);
    }

    /// The number of records that have such a copy, those under way included.
    pub(crate) fn kept_records(&self) -> usize {
        self.waiting().filter(|record| record.is_kept()).count() + self.in_flight.len()
    }

    /// Whether all have one, those under way included.
    pub(crate) fn is_kept(&self) -> bool {
        self.in_flight.len() == self.in_flight_records && self.unkept().next().is_none()
    }

    /// No record has a copy any more.
    pub(crate) fn forget_copies(&mut self) {
        if !std::mem::take(&mut self.has_copies) {
            return;
        }
        self.delivered.each(Record::set_unkept);
        self.archived.each(Record::set_unkept);
        self.held.records_mut().for_each(Record::set_unkept);
        self.gone = IdRanges::default();
        self.in_flight = IdRanges::default();
        self.in_flight_without_copies = self.in_flight_records > 0;
    }

    /// Takes in batches of an earlier run, to be sent first.
    pub(crate) fn restore(&mut self, batch: Batch, now: Wall) {
        self.has_copies = true;
        self.oldest.get_or_insert(now);
        if batch.is_archive_only() {
            self.archived.restore(batch);
        } else {
            self.delivered.restore(batch);
        }
    }

    /// The same for records that may have been delivered, by a run that was killed.
    pub(crate) fn restore_ambiguous(&mut self, records: Vec<Record>, now: Wall) {
        debug_assert!(self.unsent() == 0, "these would get between");
        for record in records {
            self.push(record, now);
        }
        for queue in [&mut self.delivered, &mut self.archived] {
            queue.restore_as_batches(now);
        }
    }

    /// Whether no sink took anything of what is under way.
    pub(crate) fn is_all_in_flight(&self, left: &[Batch]) -> bool {
        left.iter().map(Batch::len).sum::<usize>() == self.in_flight_records
    }

    /// A flush is over; `left` is what no sink took.
    pub(crate) fn settle(&mut self, mut left: Vec<Batch>, now: Wall) {
        if std::mem::take(&mut self.in_flight_without_copies) {
            self.returned_without_copies = true;
            for batch in &mut left {
                batch.retain(|record| {
                    record.set_unkept();
                    true
                });
            }
        }
        self.in_flight_bytes = 0;
        self.in_flight_records = 0;
        let mut back = IdRanges::default();
        back.extend(kept_keys(&left));
        back.sort();
        let in_flight = std::mem::take(&mut self.in_flight);
        self.gone
            .extend(in_flight.ids().filter(|id| !back.contains(*id)));
        if !left.is_empty() {
            self.oldest.get_or_insert(now);
        }
        let (archived, delivered) = left.into_iter().partition(Batch::is_archive_only);
        self.delivered.put_back(delivered);
        self.archived.put_back(archived);
    }

    /// Whether a flush has ended since the last call of which the copies were lost meanwhile.
    pub(crate) fn returned_without_copies(&mut self) -> bool {
        std::mem::take(&mut self.returned_without_copies)
    }

    /// Drops what is over the bound: copies first, then what the primary was not to get, then the least severe; of
    /// each the oldest first. Says how many.
    pub(crate) fn shed(&mut self) -> usize {
        let mut dropped = 0;
        let ranks = [
            ShedRank::Copy,
            ShedRank::ArchiveOnly,
            ShedRank::Record(Severity::Debug as u8),
            ShedRank::Record(Severity::Info as u8),
            ShedRank::Record(Severity::Warn as u8),
            ShedRank::Record(Severity::Error as u8),
        ];
        for rank in ranks {
            let excess = self.held_bytes().saturating_sub(self.max_bytes);
            if excess == 0 {
                break;
            }
            dropped += self.shed_of(rank, excess);
        }
        if dropped > 0 {
            // A slice of a body of which the rest is dropped would keep all of it.
            self.delivered.each(Record::detach);
            self.archived.each(Record::detach);
            self.held.records_mut().for_each(Record::detach);
        }
        dropped
    }

    /// Drops records of one worth until `excess` bytes are gone, the oldest first: those that came
    /// back from a flush are older than the others.
    fn shed_of(&mut self, rank: ShedRank, excess: usize) -> usize {
        let before = self.held_records();
        let mut shed_bytes = 0;
        let gone = &mut self.gone;
        let mut keep = |record: &mut Record| {
            let keep = shed_bytes >= excess || ShedRank::of(record) != rank;
            if !keep {
                shed_bytes += record.cost();
                if record.is_kept() {
                    gone.push(record.key());
                }
            }
            keep
        };
        if rank.is_delivered() {
            self.delivered.retain_returned(&mut keep);
            self.held.retain(&mut keep);
            self.delivered.retain_records(&mut keep);
        } else {
            self.archived.retain_returned(&mut keep);
            self.archived.retain_records(&mut keep);
        }
        before - self.held_records()
    }
}

/// How much a record would be missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ShedRank {
    /// Its original is delivered.
    Copy,
    /// The primary was not to get it.
    ArchiveOnly,
    /// It is delivered: by its severity.
    Record(u8),
}

impl ShedRank {
    fn of(record: &mut Record) -> Self {
        match record.route() {
            Route::Mirrored => Self::Copy,
            Route::Archived => Self::ArchiveOnly,
            Route::Deliver => {
                // What was derived says again what its records say.
                let is_derived = record.signal() != Signal::Log;
                Self::Record(record.rank(|fragment| {
                    let severity = if is_derived {
                        Severity::Debug
                    } else {
                        Severity::of(fragment)
                    };
                    severity as u8
                }))
            }
        }
    }

    fn is_delivered(self) -> bool {
        matches!(self, Self::Record(_))
    }
}

fn kept_keys(batches: &[Batch]) -> impl Iterator<Item = RecordId> {
    let records = batches.iter().flat_map(Batch::records);
    records.filter(|record| record.is_kept()).map(Record::key)
}

#[cfg(test)]
mod tests;
