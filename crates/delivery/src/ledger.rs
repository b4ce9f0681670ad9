//! The ledger: what became of every record.
//!
//! At every moment `received + derived + mirrored = Σ delivered{sink} + Σ dropped{reason} + pending`. A retry is not a
//! drop, and a record counts as delivered once, at the first sink that acknowledged it.
//!
//! Sums saturate: counts can come from a file that the function may write, and from what it posts as the
//! platform's. A count that has reached its end is wrong, which the equation shows; none begins from zero.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::drop_reason::DropReason;
use crate::role::SinkName;

/// The counts, in records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    received: u64,
    pending: u64,
    derived: u64,
    mirrored: u64,
    delivered: BTreeMap<SinkName, u64>,
    dropped: BTreeMap<DropReason, u64>,
    lost_upstream: u64,
    ambiguous: u64,
    dead_letters: u64,
    recovered: u64,
    /// How often each secret was taken out of a record, by its name in the settings.
    redacted: BTreeMap<String, u64>,
    /// Records that were kept because their invocation could not be waited for.
    kept_early: u64,
    /// Records that a fallback took because the primary did not, without dead letters; of this run only.
    diverted: u64,
}

const SINKS: [SinkName; 3] = [SinkName::Https, SinkName::Firehose, SinkName::S3];

impl Ledger {
    /// How many numbers [`Ledger::counts`] are.
    pub const COUNTS: usize = 8 + SINKS.len() + DropReason::ALL.len();

    /// All counts, for a run that has to go on with them.
    pub fn counts(&self) -> [u64; Self::COUNTS] {
        let sums = [
            self.received,
            self.pending,
            self.derived,
            self.lost_upstream,
            self.ambiguous,
            self.dead_letters,
            self.recovered,
        ];
        let delivered = SINKS.map(|sink| self.delivered(sink));
        let dropped = DropReason::ALL.map(|reason| self.dropped(reason));
        // Last: an earlier version did not count them.
        let mirrored = [self.mirrored];
        let mut all = (sums.into_iter().chain(delivered).chain(dropped)).chain(mirrored);
        std::array::from_fn(|_| all.next().unwrap_or_default())
    }

    /// The ledger with these counts; `None` where they do not add up.
    pub fn from_counts(counts: [u64; Self::COUNTS]) -> Option<Self> {
        let [
            received,
            pending,
            derived,
            lost_upstream,
            ambiguous,
            dead_letters,
            recovered,
            settled @ ..,
            mirrored,
        ] = counts;
        let sum = settled
            .iter()
            .try_fold(pending, |sum, count| sum.checked_add(*count))?;
        let (delivered, dropped) = settled.split_at(SINKS.len());
        let all = received.checked_add(derived)?.checked_add(mirrored)?;
        (all == sum).then(|| Self {
            redacted: BTreeMap::new(),
            kept_early: 0,
            diverted: 0,
            received,
            pending,
            derived,
            mirrored,
            lost_upstream,
            ambiguous,
            dead_letters,
            recovered,
            delivered: SINKS.into_iter().zip(delivered.iter().copied()).collect(),
            dropped: (DropReason::ALL.into_iter())
                .zip(dropped.iter().copied())
                .filter(|(_, count)| *count > 0)
                .collect(),
        })
    }

    /// The counts as if no sink had been heard of since `before`: what came in and what overflowed is
    /// counted, what was sent is still pending.
    #[must_use]
    pub fn as_if_unsent_since(&self, before: &Self) -> Self {
        let mut counts = before.clone();
        counts.lost_upstream = self.lost_upstream;
        counts.receive(self.received.saturating_sub(before.received));
        counts.derive(self.derived.saturating_sub(before.derived));
        counts.mirror(self.mirrored.saturating_sub(before.mirrored));
        // What sinks say ends in the others.
        for reason in [
            DropReason::BufferFull,
            DropReason::OwnLog,
            DropReason::NotAsked,
            DropReason::Filtered,
            DropReason::Sampled,
            DropReason::Deduped,
        ] {
            let since = self.dropped(reason).saturating_sub(before.dropped(reason));
            counts.drop_records(reason, since);
        }
        counts
    }

    /// Records came in.
    pub fn receive(&mut self, records: u64) {
        add(&mut self.received, records);
        add(&mut self.pending, records);
    }

    /// Records were derived from others: points of metrics, spans, events.
    pub fn derive(&mut self, records: u64) {
        add(&mut self.derived, records);
        add(&mut self.pending, records);
    }

    /// Records are archived as well as delivered: each copy is one more to account for.
    pub fn mirror(&mut self, records: u64) {
        add(&mut self.mirrored, records);
        add(&mut self.pending, records);
    }

    /// Records came in that an earlier run of the environment had left; its ledger line has them as
    /// pending.
    pub fn recover(&mut self, records: u64) {
        self.receive(records);
        add(&mut self.recovered, records);
    }

    /// A sink acknowledged records.
    pub fn deliver(&mut self, sink: SinkName, records: u64) {
        self.settle(records);
        add(self.delivered.entry(sink).or_default(), records);
    }

    /// Records were given up.
    pub fn drop_records(&mut self, reason: DropReason, records: u64) {
        if records > 0 {
            self.settle(records);
            add(self.dropped.entry(reason).or_default(), records);
        }
    }

    /// Lambda says that it dropped records before they reached us.
    pub fn lose_upstream(&mut self, records: u64) {
        add(&mut self.lost_upstream, records);
    }

    /// Records were delivered by a sink after another may have taken them unheard: they may be in
    /// two places, under one id.
    pub fn note_ambiguous(&mut self, records: u64) {
        add(&mut self.ambiguous, records);
    }

    /// Records went to a fallback because the primary did not take them; they also count as delivered there.
    pub fn note_diverted(&mut self, records: u64) {
        add(&mut self.diverted, records);
    }

    /// Records were archived as dead letters; they also count as delivered there.
    pub fn note_dead_letters(&mut self, records: u64) {
        add(&mut self.dead_letters, records);
    }

    /// How often secrets were taken out of records so far, by name. It is no part of the equation, and is of
    /// this run only.
    pub fn set_redacted(&mut self, counts: impl IntoIterator<Item = (String, u64)>) {
        self.redacted = counts.into_iter().filter(|(_, count)| *count > 0).collect();
    }

    /// Records were kept, sampling or not, as their invocation could not be waited for.
    pub fn note_kept_early(&mut self, records: u64) {
        add(&mut self.kept_early, records);
    }

    pub fn received(&self) -> u64 {
        self.received
    }

    /// Records that were received or derived, and copies: all that the ledger has to account for.
    pub fn taken_in(&self) -> u64 {
        let originals = self.received.saturating_add(self.derived);
        originals.saturating_add(self.mirrored)
    }

    /// Records that were derived from others.
    pub fn derived(&self) -> u64 {
        self.derived
    }

    /// Copies of records that are archived as well as delivered.
    pub fn mirrored(&self) -> u64 {
        self.mirrored
    }

    /// Records that are neither delivered nor dropped.
    pub fn pending(&self) -> u64 {
        self.pending
    }

    /// Records a sink acknowledged.
    pub fn delivered(&self, sink: SinkName) -> u64 {
        self.delivered.get(&sink).copied().unwrap_or_default()
    }

    /// Records acknowledged by any sink.
    pub fn delivered_in_all(&self) -> u64 {
        let counts = self.delivered.values();
        counts.fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Records given up for a reason.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped.get(&reason).copied().unwrap_or_default()
    }

    /// What each sink acknowledged.
    pub fn deliveries(&self) -> impl Iterator<Item = (SinkName, u64)> {
        self.delivered.iter().map(|(sink, count)| (*sink, *count))
    }

    /// What was given up for each reason.
    pub fn drops(&self) -> impl Iterator<Item = (DropReason, u64)> {
        self.dropped.iter().map(|(reason, count)| (*reason, *count))
    }

    /// Records that a fallback took because the primary did not, without dead letters.
    pub fn diverted(&self) -> u64 {
        self.diverted
    }

    /// Records that Lambda dropped before they reached us.
    pub fn lost_upstream(&self) -> u64 {
        self.lost_upstream
    }

    /// Records that may be in two sinks.
    pub fn ambiguous(&self) -> u64 {
        self.ambiguous
    }

    /// Records that were archived as dead letters.
    pub fn dead_letters(&self) -> u64 {
        self.dead_letters
    }

    /// Records that an earlier run of the environment left.
    pub fn recovered(&self) -> u64 {
        self.recovered
    }

    /// Whether the equation holds, given what is really pending.
    pub fn adds_up(&self, pending: u64) -> bool {
        let mut settled = self.delivered.values().chain(self.dropped.values());
        let sum = settled.try_fold(pending, |sum, count| sum.checked_add(*count));
        let originals = self.received.checked_add(self.derived);
        let all = originals.and_then(|it| it.checked_add(self.mirrored));
        self.pending == pending && sum.is_some() && sum == all
    }

    /// The ledger line, on one line, by contract.
    pub fn line(&self) -> String {
        let delivered: BTreeMap<&str, u64> = SINKS
            .map(|sink| (sink.as_str(), self.delivered(sink)))
            .into();
        let dropped: BTreeMap<&str, u64> = self
            .dropped
            .iter()
            .map(|(reason, count)| (reason.as_str(), *count))
            .collect();
        let mut line: Value = json!({"backstop": {"ledger": {
            "received": self.received,
            "derived": self.derived,
            "mirrored": self.mirrored,
            "delivered": delivered,
            "dropped": dropped,
            "pending": self.pending,
            "lost_upstream": self.lost_upstream,
            "ambiguous": self.ambiguous,
            "dead_letters": self.dead_letters,
            "recovered": self.recovered,
        }}});
        // Only where there are transforms: most ledgers have none.
        if !self.redacted.is_empty() {
            line["backstop"]["ledger"]["redacted"] = json!(self.redacted);
        }
        if self.kept_early > 0 {
            line["backstop"]["ledger"]["kept_early"] = self.kept_early.into();
        }
        line.to_string()
    }

    /// More settled than received would be a bug that the equation then shows; it must not panic.
    fn settle(&mut self, records: u64) {
        debug_assert!(
            self.pending >= records,
            "settled more records than were pending"
        );
        self.pending = self.pending.saturating_sub(records);
    }
}

fn add(count: &mut u64, records: u64) {
    *count = count.saturating_add(records);
}

/// The one ledger of a process.
#[derive(Debug, Clone, Default)]
pub struct SharedLedger(Arc<Mutex<Ledger>>);

impl SharedLedger {
    /// The ledger, to count in.
    pub fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_the_contracts_names_and_adds_up() {
        let mut ledger = Ledger::default();
        ledger.receive(10);
        ledger.derive(1);
        ledger.mirror(4);
        ledger.deliver(SinkName::Https, 5);
        ledger.deliver(SinkName::S3, 7);
        ledger.drop_records(DropReason::BufferFull, 2);
        ledger.lose_upstream(5);
        assert!(ledger.adds_up(1));
        assert!(!ledger.adds_up(0));
        assert_eq!(
            ledger.line(),
            r#"{"backstop":{"ledger":{"ambiguous":0,"dead_letters":0,"delivered":{"firehose":0,"https":5,"s3":7},"derived":1,"dropped":{"buffer_full":2},"lost_upstream":5,"mirrored":4,"pending":1,"received":10,"recovered":0}}}"#
        );
    }

    #[test]
    fn what_transforms_did_is_in_the_line_of_a_run_that_has_any() {
        let mut ledger = Ledger::default();
        ledger.receive(3);
        ledger.drop_records(DropReason::Filtered, 2);
        ledger.drop_records(DropReason::Sampled, 1);
        ledger.set_redacted([("email".to_owned(), 2), ("card".to_owned(), 0)]);
        ledger.note_kept_early(4);
        let line = ledger.line();
        for part in [
            r#""dropped":{"filtered":2,"sampled":1}"#,
            r#""redacted":{"email":2}"#,
            r#""kept_early":4"#,
        ] {
            assert!(line.contains(part), "{line}");
        }
        let again = Ledger::from_counts(ledger.counts()).expect("it adds up");
        assert_eq!(again.dropped(DropReason::Filtered), 2);
    }

    /// Neither could come of counting; both would be a fault of it, which the equation is to show.
    #[test]
    fn what_is_pending_must_fit_the_count_and_the_sums() {
        let ledger = |received, pending| Ledger {
            received,
            pending,
            ..Ledger::default()
        };
        assert!(ledger(1, 1).adds_up(1));
        assert!(!ledger(3, 1).adds_up(1));
        assert!(!ledger(1, 0).adds_up(1));
    }
}
