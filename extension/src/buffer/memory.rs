//! The buffer in memory: bounded in bytes, first in first out, and when it must drop, the least
//! severe first.

use std::collections::VecDeque;
use std::time::Duration;

use backstop_delivery::{Batch, Record, RecordId, Signal, Wall};
use backstop_telemetry::Severity;
use backstop_transform::{Decision, Handle};
use bytes::Bytes;

use super::held::Held;
use super::runs::Runs;

/// A batch is closed at this many bytes of records: large enough that compression pays, small enough
/// that a handful in flight stay within a few MiB.
const BATCH_BYTES: usize = 1024 * 1024;
const BATCH_RECORDS: usize = 10_000;
/// Batches handed out at once.
const BATCHES_OUT: usize = 8;

/// Records that wait, and batches that came back.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about copies, each read once"
)]
pub(crate) struct Buffer {
    /// Came back from a flush; they go out again as they are, first.
    returned: VecDeque<Batch>,
    records: VecDeque<Record>,
    held: Held,
    returned_bytes: usize,
    record_bytes: usize,
    out_bytes: usize,
    out_records: usize,
    /// Of what is under way, that which has a copy that outlives the process.
    out: Runs,
    /// What had one, and is no longer held.
    gone: Runs,
    /// Whether anything may have one.
    has_copies: bool,
    /// In the queue, records without a copy may be before others with one.
    has_gaps: bool,
    /// The copies of what is under way are gone.
    out_is_bare: bool,
    /// What came back has lost its copies.
    came_back_bare: bool,
    oldest: Option<Wall>,
    max_bytes: usize,
}

impl Buffer {
    /// A buffer of at most `max_bytes`.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            returned: VecDeque::new(),
            records: VecDeque::new(),
            held: Held::default(),
            returned_bytes: 0,
            record_bytes: 0,
            out_bytes: 0,
            out_records: 0,
            out: Runs::default(),
            gone: Runs::default(),
            has_copies: false,
            has_gaps: false,
            out_is_bare: false,
            came_back_bare: false,
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
        self.record_bytes += record.cost();
        self.records.push_back(record);
    }

    /// Bytes that wait to be sent.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.returned_bytes + self.record_bytes
    }

    /// Bytes held, those under way included.
    pub(crate) fn held_bytes(&self) -> usize {
        self.waiting_bytes() + self.out_bytes
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

    /// The decision on an invocation: its records are to be sent, or are dropped. Says how many there were,
    /// and whether any had a copy that outlives the process.
    pub(crate) fn decide(&mut self, decision: Decision, now: Wall) -> (u64, bool) {
        let records = self.held.take(decision.handle);
        let count = records.len() as u64;
        let had_copies = records.iter().any(Record::is_kept);
        for record in records {
            if decision.keep {
                // Older than what came meanwhile, and perhaps with a copy that those lack.
                self.has_gaps |= record.is_kept();
                self.push(record, now);
            } else if record.is_kept() {
                self.gone.push(record.id());
            }
        }
        (count, had_copies)
    }

    /// Rewrites records that are in no batch yet: what `written` gives takes the place of
    /// the text.
    pub(crate) fn rewrite(&mut self, mut written: impl FnMut(&Record) -> Option<Bytes>) {
        for record in self.records.iter_mut().chain(self.held.records_mut()) {
            if let Some(fragment) = written(record) {
                record.set_fragment(fragment);
            }
        }
        self.record_bytes = self.records.iter().map(Record::cost).sum();
        self.held.count();
    }

    /// Records held, those under way included.
    pub(crate) fn held_records(&self) -> usize {
        let returned = self.returned.iter().map(Batch::len).sum::<usize>();
        self.records.len() + returned + self.out_records + self.held.len()
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
        let mut batches = Vec::new();
        while batches.len() < BATCHES_OUT {
            let Some(batch) = self.returned.pop_front().or_else(|| self.form(now)) else {
                break;
            };
            batches.push(batch);
        }
        self.returned_bytes = self.returned.iter().map(Batch::cost).sum();
        self.out_bytes += batches.iter().map(Batch::cost).sum::<usize>();
        self.out_records += batches.iter().map(Batch::len).sum::<usize>();
        self.out.extend(kept_ids(&batches));
        self.oldest = (self.pending_bytes() > 0).then_some(now);
        batches
    }

    /// All that waits, in order; not what is under way.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Record> {
        let returned = self.returned.iter().flat_map(Batch::records);
        returned.chain(&self.records).chain(self.held.records())
    }

    /// Whether records of this signal wait.
    pub(crate) fn has(&self, signal: Signal) -> bool {
        self.waiting().any(|record| record.signal() == signal)
    }

    /// The number of records that are in no batch yet.
    pub(crate) fn unsent(&self) -> usize {
        self.records.len()
    }

    /// What had a copy that outlives the process, and was let go since the last call.
    pub(crate) fn take_gone(&mut self) -> Runs {
        std::mem::take(&mut self.gone)
    }

    /// The batches that came back.
    pub(crate) fn returned(&self) -> impl Iterator<Item = &Batch> {
        self.returned.iter()
    }

    /// Of what is under way, that which has a copy that outlives the process.
    pub(crate) fn out(&self) -> &Runs {
        &self.out
    }

    /// Of what waits, the records without a copy that outlives the process. In the queue they are the
    /// newest, so the others are not looked at.
    pub(crate) fn unkept(&self) -> impl Iterator<Item = &Record> {
        let returned = self.returned.iter().flat_map(Batch::records);
        returned
            .chain(self.records.range(self.kept_in_queue()..))
            .chain(self.held.records())
            .filter(|record| !record.is_kept())
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
            true
        };
        self.has_copies = true;
        let kept = self.kept_in_queue();
        self.returned
            .iter_mut()
            .for_each(|batch| batch.retain(&mut keep));
        for record in self.records.range_mut(kept..) {
            keep(record);
        }
        self.held.records_mut().for_each(|record| {
            keep(record);
        });
    }

    /// The number of records that have such a copy, those under way included.
    pub(crate) fn kept_records(&self) -> usize {
        self.waiting().filter(|record| record.is_kept()).count() + self.out.len()
    }

    /// Whether all have one, those under way included.
    pub(crate) fn is_kept(&self) -> bool {
        self.out.len() == self.out_records && self.unkept().next().is_none()
    }

    /// No record has a copy any more.
    pub(crate) fn forget_copies(&mut self) {
        if !std::mem::take(&mut self.has_copies) {
            return;
        }
        let mut forget = |record: &mut Record| {
            record.set_unkept();
            true
        };
        for batch in &mut self.returned {
            batch.retain(&mut forget);
        }
        self.records.iter_mut().for_each(Record::set_unkept);
        self.held.records_mut().for_each(Record::set_unkept);
        self.gone = Runs::default();
        self.out = Runs::default();
        self.out_is_bare = self.out_records > 0;
    }

    fn kept_in_queue(&self) -> usize {
        if self.has_gaps {
            return 0;
        }
        let unkept = self.records.iter().rev();
        self.records.len() - unkept.take_while(|record| !record.is_kept()).count()
    }

    /// Takes in batches of an earlier run, to be sent first.
    pub(crate) fn restore(&mut self, batch: Batch, now: Wall) {
        self.has_copies = true;
        self.oldest.get_or_insert(now);
        self.returned_bytes += batch.cost();
        self.returned.push_back(batch);
    }

    /// The same for records that may have been delivered, by a run that was killed.
    pub(crate) fn restore_unsure(&mut self, records: Vec<Record>, now: Wall) {
        debug_assert!(self.records.is_empty(), "these would get between");
        for record in records {
            self.push(record, now);
        }
        while let Some(mut batch) = self.form(now) {
            batch.mark_ambiguous();
            self.restore(batch, now);
        }
    }

    /// Whether no sink took anything of what is under way.
    pub(crate) fn is_all_that_was_out(&self, left: &[Batch]) -> bool {
        left.iter().map(Batch::len).sum::<usize>() == self.out_records
    }

    /// A flush is over; `left` is what no sink took.
    pub(crate) fn settle(&mut self, mut left: Vec<Batch>, now: Wall) {
        if std::mem::take(&mut self.out_is_bare) {
            self.came_back_bare = true;
            for batch in &mut left {
                batch.retain(|record| {
                    record.set_unkept();
                    true
                });
            }
        }
        self.out_bytes = 0;
        self.out_records = 0;
        let mut back = Runs::default();
        back.extend(kept_ids(&left));
        back.sort();
        let out = std::mem::take(&mut self.out);
        self.gone.extend(out.ids().filter(|id| !back.contains(*id)));
        for batch in left.into_iter().rev() {
            self.oldest.get_or_insert(now);
            self.returned_bytes += batch.cost();
            self.returned.push_front(batch);
        }
    }

    /// Whether a flush has ended since the last call of which the copies were lost meanwhile.
    pub(crate) fn came_back_bare(&mut self) -> bool {
        std::mem::take(&mut self.came_back_bare)
    }

    /// Drops what is over the bound: the least severe first, the oldest of those first. Says how many.
    pub(crate) fn shed(&mut self) -> usize {
        let mut dropped = 0;
        for severity in [
            Severity::Debug,
            Severity::Info,
            Severity::Warn,
            Severity::Error,
        ] {
            let excess = self.held_bytes().saturating_sub(self.max_bytes);
            if excess == 0 {
                break;
            }
            dropped += self.shed_of(severity, excess);
        }
        if dropped > 0 {
            // A slice of a body of which the rest is dropped would keep all of it.
            let detach = |batch: &mut Batch| {
                batch.retain(|record| {
                    record.detach();
                    true
                });
            };
            self.returned.iter_mut().for_each(detach);
            self.records.iter_mut().for_each(Record::detach);
            self.held.records_mut().for_each(Record::detach);
        }
        dropped
    }

    /// Drops records of one severity until `excess` bytes are gone, the oldest first: those that came
    /// back from a flush are older than the others.
    fn shed_of(&mut self, severity: Severity, excess: usize) -> usize {
        let before = self.held_records();
        let mut shed_bytes = 0;
        let gone = &mut self.gone;
        let mut keep = |record: &mut Record| {
            if shed_bytes >= excess {
                return true;
            }
            // What was derived says again what its records say.
            let is_derived = record.signal() != Signal::Log;
            let keep = record.rank(|fragment| {
                let severity = if is_derived {
                    Severity::Debug
                } else {
                    Severity::of(fragment)
                };
                severity as u8
            }) != severity as u8;
            if !keep {
                shed_bytes += record.cost();
                if record.is_kept() {
                    gone.push(record.id());
                }
            }
            keep
        };
        for batch in &mut self.returned {
            batch.retain(&mut keep);
        }
        let held_bytes = self.held.bytes();
        self.held.retain(&mut keep);
        let held_bytes = held_bytes - self.held.bytes();
        self.records.retain_mut(&mut keep);
        self.returned.retain(|batch| !batch.is_empty());
        let returned_bytes = self.returned.iter().map(Batch::cost).sum();
        self.record_bytes -= shed_bytes - held_bytes - (self.returned_bytes - returned_bytes);
        self.returned_bytes = returned_bytes;
        before - self.held_records()
    }

    /// The next batch: of the oldest record's signal, since each signal may have an address of its own. The
    /// others keep their order.
    fn form(&mut self, now: Wall) -> Option<Batch> {
        let signal = self.records.front()?.signal();
        let mut records = Vec::new();
        let mut others = Vec::new();
        let mut bytes = 0;
        while records.len() + others.len() < BATCH_RECORDS
            && let Some(record) = self.records.pop_front()
        {
            if record.signal() != signal {
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

fn kept_ids(batches: &[Batch]) -> impl Iterator<Item = RecordId> {
    let records = batches.iter().flat_map(Batch::records);
    records.filter(|record| record.is_kept()).map(Record::id)
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
        assert!(buffer.has(Signal::Span));
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
        assert!(!buffer.has(Signal::Span));
        buffer.settle(batches, NOW);
        assert_eq!(buffer.held_records(), 6);

        let mut buffer = mixed(2);
        assert_eq!(buffer.shed(), 4);
        assert_eq!(sequences(&mut buffer), [0, 3], "the logs");
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
