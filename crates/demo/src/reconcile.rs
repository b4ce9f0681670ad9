//! Looks for every record: what was emitted against what arrived, by content and by id.
//!
//! Invariant: nothing here trusts the extension's own counts to find a record; the ledger is checked
//! against what arrived, not the other way round. Must not: count a record that is in the archive
//! alone as delivered to the primary.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

/// The records of one place: how often each id and each sequence number is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Arrivals {
    pub(super) records: HashMap<String, u32>,
    pub(super) sequences: HashMap<u64, u32>,
}

impl Arrivals {
    /// Records that are there more than once.
    fn repeats(&self) -> u64 {
        self.records
            .values()
            .map(|count| u64::from(*count) - 1)
            .sum()
    }
}

/// The extension's last word.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct LedgerLine {
    pub received: u64,
    /// Records that were derived from others.
    #[serde(default)]
    pub derived: u64,
    /// Records by the sink that took them.
    pub delivered: BTreeMap<String, u64>,
    /// Records by the reason they were given up.
    pub dropped: BTreeMap<String, u64>,
    /// Records that are neither.
    pub pending: u64,
    /// Records that Lambda says it dropped.
    #[serde(default)]
    pub lost_upstream: u64,
    /// Records that may be in two places.
    #[serde(default)]
    pub ambiguous: u64,
    /// Records that the primary refused for good.
    #[serde(default)]
    pub dead_letters: u64,
}

impl LedgerLine {
    /// Whether what came in is all accounted for.
    pub fn adds_up(&self) -> bool {
        let settled: u64 = self.delivered.values().chain(self.dropped.values()).sum();
        self.received + self.derived == settled + self.pending
    }

    /// Records that a sink took.
    pub fn delivered(&self, sink: &str) -> u64 {
        self.delivered.get(sink).copied().unwrap_or_default()
    }

    /// The extension's own log lines, which it does not send round again.
    fn own_lines(&self) -> u64 {
        self.dropped.get("own_log").copied().unwrap_or_default()
    }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Findings {
    /// Lines of the function that are neither at the primary nor in the archive.
    pub lost: u64,
    /// Records of any kind that are in the archive, and not at the primary after the replay.
    pub stranded: u64,
    /// Records of any kind that the extension received and that are nowhere, its own lines apart.
    pub missing_records: u64,
    /// Records at the primary before the replay.
    pub at_primary: u64,
    /// Records in the archive.
    pub in_archive: u64,
    /// Records at the primary after the replay.
    pub at_primary_after_replay: u64,
    /// Records that were delivered more than once before the replay: repeated at the primary, or at
    /// the primary and in the archive as well.
    pub duplicates: u64,
    /// Repetitions at the primary before the replay.
    pub duplicates_at_primary: u64,
    /// Records that are at the primary before the replay and in the archive as well.
    pub duplicates_across: u64,
    /// Repetitions in the archive.
    pub duplicates_in_archive: u64,
}

impl Findings {
    /// Whether every record is where it should be.
    pub fn is_complete(&self) -> bool {
        self.lost + self.stranded + self.missing_records == 0
    }
}

/// Looks for sequence numbers from 0 to `emitted`, and for as many records as the ledger knows.
pub(super) fn reconcile(
    emitted: u64,
    ledger: Option<&LedgerLine>,
    before: &Arrivals,
    archive: &Arrivals,
    after: &Arrivals,
) -> Findings {
    let is_at_primary = |sequence: &u64| after.sequences.contains_key(sequence);
    let is_archived = |sequence: &u64| archive.sequences.contains_key(sequence);
    let away = || (0..emitted).filter(|sequence| !is_at_primary(sequence));
    let anywhere: HashSet<&String> = [before, archive, after]
        .into_iter()
        .flat_map(|place| place.records.keys())
        .collect();
    let expected = ledger.map_or(0, |ledger| {
        ledger.received.saturating_sub(ledger.own_lines())
    });
    let stranded_records = archive
        .records
        .keys()
        .filter(|id| !after.records.contains_key(*id))
        .count() as u64;
    let is_repeated =
        |(id, count): &(&String, &u32)| **count > 1 || archive.records.contains_key(*id);
    Findings {
        duplicates: before.records.iter().filter(is_repeated).count() as u64,
        lost: away().filter(|sequence| !is_archived(sequence)).count() as u64,
        stranded: stranded_records,
        missing_records: expected.saturating_sub(anywhere.len() as u64),
        at_primary: before.records.len() as u64,
        in_archive: archive.records.len() as u64,
        at_primary_after_replay: after.records.len() as u64,
        duplicates_at_primary: before.repeats(),
        duplicates_across: archive
            .records
            .keys()
            .filter(|id| before.records.contains_key(*id))
            .count() as u64,
        duplicates_in_archive: archive.repeats(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records `e-N` that carry the sequence number N, once each.
    fn arrivals(sequences: impl IntoIterator<Item = u64>) -> Arrivals {
        let mut arrivals = Arrivals::default();
        for sequence in sequences {
            *arrivals.records.entry(format!("e-{sequence}")).or_default() += 1;
            *arrivals.sequences.entry(sequence).or_default() += 1;
        }
        arrivals
    }

    fn ledger(received: u64, own: u64) -> LedgerLine {
        LedgerLine {
            received,
            delivered: BTreeMap::from([("https".to_owned(), received - own)]),
            dropped: BTreeMap::from([("own_log".to_owned(), own)]),
            ..LedgerLine::default()
        }
    }

    #[test]
    fn a_story_with_a_good_end_has_nothing_missing() {
        let (before, archive) = (arrivals(0..6), arrivals(6..10));
        let found = reconcile(
            10,
            Some(&ledger(12, 2)),
            &before,
            &archive,
            &arrivals(0..10),
        );
        assert!(found.is_complete(), "{found:?}");
        assert_eq!((found.at_primary, found.in_archive), (6, 4));
        assert_eq!(found.at_primary_after_replay, 10);
    }

    #[test]
    fn a_line_that_is_nowhere_is_lost_and_one_in_the_archive_alone_is_stranded() {
        let (before, archive) = (arrivals(0..6), arrivals(6..9));
        let found = reconcile(10, Some(&ledger(10, 0)), &before, &archive, &arrivals(0..8));
        assert_eq!(
            (found.lost, found.stranded, found.missing_records),
            (1, 1, 1)
        );
        assert!(!found.is_complete());
    }

    #[test]
    fn repetitions_are_told_by_place() {
        let before = arrivals([0, 1, 1, 2]);
        let archive = arrivals([2, 3, 3, 3]);
        let after = arrivals([0, 1, 1, 2, 3]);
        let found = reconcile(4, None, &before, &archive, &after);
        assert_eq!(found.duplicates, 2);
        assert_eq!(found.duplicates_at_primary, 1);
        assert_eq!(found.duplicates_across, 1);
        assert_eq!(found.duplicates_in_archive, 2);
        assert!(found.is_complete());
    }

    #[test]
    fn a_ledger_adds_up_or_not() {
        let mut line = ledger(10, 3);
        assert!(line.adds_up());
        line.pending = 1;
        assert!(!line.adds_up());
    }
}
