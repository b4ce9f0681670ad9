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
    /// Of what is under way, that which has a copy that outlives the process.
    in_flight: IdRanges,
    /// What had one, and is no longer held.
    gone: IdRanges,
    /// Whether anything may have one.
    has_copies: bool,
    /// The copies of what is under way are gone.
    in_flight_without_copies: bool,
    /// What came back has lost its copies.
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

    /// The bound.
    pub(crate) fn max_bytes(&self) -> usize {
        self.max_bytes
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

    /// Of what is under way, that which has a copy that outlives the process.
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
mod tests {
    use backstop_delivery::EnvironmentId;

    use super::*;

    const NOW: Wall = Wall(Duration::from_secs(1));

    fn record(sequence: u64, level: &str) -> Record {
        let text = format!(
            r#""time":"t","type":"function","record":{{"level":"{level}","message":"{:300}"}}"#,
            ""
        );
        Record::new(
            RecordId {
                environment: EnvironmentId(1),
                sequence,
            },
            Bytes::from(text),
        )
    }

    fn buffer(levels: &[&str], max_records: usize) -> Buffer {
        let mut buffer = Buffer::new(record(0, "ERROR").cost() * max_records);
        for (sequence, level) in (0..).zip(levels) {
            buffer.push(record(sequence, level), NOW);
        }
        buffer
    }

    fn sequences(buffer: &mut Buffer) -> Vec<u64> {
        let batches = buffer.take(NOW);
        batches
            .iter()
            .flat_map(Batch::records)
            .map(|record| record.id().sequence)
            .collect()
    }

    #[test]
    fn the_least_severe_and_among_them_the_oldest_are_dropped_first() {
        let mut buffer = buffer(&["ERROR", "INFO ", "DEBUG", "WARN ", "INFO ", "ERROR"], 3);
        assert_eq!(buffer.shed(), 3);
        assert_eq!(sequences(&mut buffer), [0, 3, 5]);
        let mut buffer = self::buffer(&["ERROR"; 5], 3);
        assert_eq!(buffer.shed(), 2, "errors too, when there is nothing else");
        assert_eq!(sequences(&mut buffer), [2, 3, 4]);
    }

    #[test]
    fn records_do_not_wait_for_a_clock_that_was_set_back_to_catch_up() {
        let mut buffer = buffer(&["INFO "], 3);
        let later = NOW + Duration::from_secs(9);
        assert_eq!(buffer.age(later), Duration::from_secs(9));
        assert_eq!(buffer.age(Wall::default()), Duration::MAX, "due at once");
        let batches = buffer.take(Wall::default());
        assert_eq!(buffer.age(Wall::default()), Duration::ZERO, "none waits");
        buffer.settle(batches, Wall::default());
        assert_eq!(buffer.age(NOW), NOW.0, "by the new time");
    }

    #[test]
    fn nothing_is_dropped_within_the_bound() {
        let mut buffer = buffer(&["DEBUG"; 3], 3);
        assert_eq!(buffer.shed(), 0);
        assert_eq!(buffer.held_records(), 3);
    }

    #[test]
    fn what_is_under_way_counts_until_it_is_settled_and_comes_back_first() {
        let mut buffer = buffer(&["INFO "; 2], 3);
        let batches = buffer.take(NOW);
        assert_eq!((buffer.pending_bytes(), buffer.held_records()), (0, 2));
        buffer.push(record(7, "INFO "), NOW);
        buffer.settle(batches, NOW);
        assert_eq!(buffer.held_records(), 3);
        assert_eq!(sequences(&mut buffer), [0, 1, 7]);
        buffer.settle(Vec::new(), NOW);
        assert_eq!((buffer.held_bytes(), buffer.held_records()), (0, 0));
    }

    #[test]
    fn a_batch_is_of_one_signal_and_what_was_derived_goes_first_when_there_is_no_room() {
        let mixed = |max_records| {
            let mut buffer = buffer(&[], max_records);
            for (sequence, signal) in (0..6).zip(Signal::ALL.into_iter().cycle()) {
                buffer.push(record(sequence, "INFO ").with_signal(signal), NOW);
            }
            buffer
        };
        let mut buffer = mixed(6);
        assert!(buffer.has(Role::Primary, Some(Signal::Span)));
        let batches = buffer.take(NOW);
        let of = |batch: &Batch| {
            let sequences = batch.records().iter().map(|record| record.id().sequence);
            (batch.signal(), sequences.collect::<Vec<_>>())
        };
        let expected = [
            (Signal::Log, vec![0, 3]),
            (Signal::Metric, vec![1, 4]),
            (Signal::Span, vec![2, 5]),
        ];
        assert_eq!(batches.iter().map(of).collect::<Vec<_>>(), expected);
        assert!(!buffer.has(Role::Primary, Some(Signal::Span)));
        buffer.settle(batches, NOW);
        assert_eq!(buffer.held_records(), 6);

        let mut buffer = mixed(2);
        assert_eq!(buffer.shed(), 4);
        assert_eq!(sequences(&mut buffer), [0, 3], "the logs");
    }

    /// A copy of each record beside it.
    fn mirrored(levels: &[&str], max_records: usize) -> Buffer {
        let mut buffer = buffer(&[], max_records);
        for (sequence, level) in (0..).zip(levels) {
            let record = record(sequence, level);
            buffer.push(record.mirrored(), NOW);
            buffer.push(record, NOW);
        }
        buffer
    }

    #[test]
    fn what_is_for_the_archive_only_has_batches_of_its_own_that_keep_nothing_from_the_others() {
        let mut buffer = mirrored(&["INFO "; 3], 9);
        buffer.push(record(3, "DEBUG").archived(), NOW);
        buffer.push(record(4, "INFO ").with_signal(Signal::Span).mirrored(), NOW);
        let batches = buffer.take(NOW);
        let archived: Vec<_> = batches.iter().map(Batch::is_archive_only).collect();
        assert_eq!(archived, [false, true]);
        assert_eq!(batches[1].len(), 5, "of every signal");
        assert_eq!(batches[0].id(), "0000000000000001-0-3");
        // Of those that come back, however many they are, the others are not kept waiting.
        let one = |batch: &Batch| batch.records()[0].clone();
        let again = (0..20).filter_map(|_| Batch::new(NOW, vec![one(&batches[1])]));
        buffer.settle(again.collect(), NOW);
        buffer.push(record(9, "INFO "), NOW);
        let batches = buffer.take(NOW);
        assert!(!batches[0].is_archive_only() && batches.len() == 1 + ARCHIVED_IN_FLIGHT);
        let [fallback, primary] =
            [Role::Fallback, Role::Primary].map(|role| buffer.has(role, None));
        assert!(fallback && !primary);
    }

    #[test]
    fn copies_and_what_the_primary_was_not_to_get_are_dropped_before_any_other_record() {
        let mut buffer = mirrored(&["ERROR", "DEBUG", "INFO "], 6);
        buffer.push(record(3, "ERROR").archived(), NOW);
        for (most, dropped, left) in [
            (5, 2, vec![0, 1, 2, 2, 3]),
            (4, 1, vec![0, 1, 2, 3]),
            (3, 1, vec![0, 1, 2]),
            (2, 1, vec![0, 2]),
        ] {
            buffer.max_bytes = record(0, "ERROR").cost() * most;
            assert_eq!(buffer.shed(), dropped, "{most}");
            let batches = buffer.take(NOW);
            let records = batches.iter().flat_map(Batch::records);
            let mut sequences: Vec<_> = records.map(|it| it.id().sequence).collect();
            sequences.sort_unstable();
            assert_eq!(sequences, left);
            buffer.settle(batches, NOW);
        }
    }

    #[test]
    fn batches_that_came_back_are_shed_by_severity_too() {
        let mut buffer = buffer(&["ERROR", "DEBUG", "INFO "], 3);
        let batches = buffer.take(NOW);
        buffer.settle(batches, NOW);
        for sequence in 3..5 {
            buffer.push(record(sequence, "INFO "), NOW);
        }
        assert_eq!(buffer.shed(), 2);
        let held = buffer.held_bytes();
        assert_eq!(sequences(&mut buffer), [0, 3, 4]);
        assert_eq!(held, buffer.held_bytes());
    }
}
