//! What must hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use backstop_config::Routing;
use backstop_delivery::{DropReason, Ledger, SharedLedger, SinkName};

use super::insights::every_line_is_counted;
use super::parameter::Parameter;
use super::routes::{everything_is_archived, is_copy, number_of_record};
use super::steps::Setup;
use super::world::{Number, World, derived_from};
use crate::buffer::spool::{Contents, LedgerFile, read};
use crate::lifecycle::api::Lifecycle;
use crate::pipeline::Pipeline;

const LOSSES: [DropReason; 6] = [
    DropReason::BufferFull,
    DropReason::Rejected,
    DropReason::TooLarge,
    DropReason::TooOld,
    DropReason::Shutdown,
    DropReason::Killed,
];

/// The ledger lines of all runs, added up, and what is known besides.
#[derive(Debug, Default)]
pub(super) struct Totals {
    /// All that Lambda posted and the listener acknowledged; not what was acknowledged and not yet looked at when a kill came: the
    /// one loss that leaves no trace.
    pub(super) emitted: BTreeSet<Number>,
    /// Of those, what the filter drops.
    pub(super) unwanted: BTreeSet<Number>,
    /// What the function wrote or posted.
    pub(super) lines_taken: u64,
    pub(super) kills: u32,
    received: u64,
    derived: u64,
    recovered: u64,
    mirrored: u64,
    lost: u64,
    /// Dropped by the filter.
    filtered: u64,
    /// Dropped with their invocations.
    sampled: u64,
    /// In the count of a line that says the same.
    deduped: u64,
    /// Of invocations that failed: no decision may drop any.
    pub(super) precious: BTreeSet<Number>,
    /// Lost with the files that the function destroyed, with no run left to know.
    destroyed: u64,
    /// A kill came before a run had looked at what the function had done to its files: what was written there of
    /// deliveries may be gone as well.
    pub(super) is_blind: bool,
    ambiguous: u64,
    delivered: u64,
    /// Dead letters, archived or dropped.
    condemned: u64,
    lines: Vec<String>,
}

impl Totals {
    /// Whether no record was lost, and no count.
    pub(super) fn is_whole(&self) -> bool {
        self.kills == 0 && self.lost + self.destroyed == 0
    }

    /// Whether records were lost before the transforms were known: none was dropped by the filter, and none was
    /// derived from them.
    pub(super) fn lost_unseen(&self, setup: &Setup) -> bool {
        setup.parameter != Parameter::None && !self.is_whole()
    }

    /// Of these, those that there ever were: nothing is derived of a record that was lost unseen.
    fn without_what_was_not_made(&self, setup: &Setup, missing: Vec<Number>) -> Vec<Number> {
        if !self.lost_unseen(setup) {
            return missing;
        }
        let derived: BTreeSet<Number> = missing.iter().map(|it| derived_from(*it)).collect();
        let missing = missing.into_iter();
        missing.filter(|number| !derived.contains(number)).collect()
    }

    /// Of records that no sink was to get beside what the filter drops.
    pub(super) fn dropped_on_purpose(&self) -> u64 {
        self.sampled + self.deduped
    }

    /// Records of patterns that were made, and that nobody has seen: as many as are lost, unless a kill has left the
    /// counts of a run behind.
    fn reports_unseen(&self, setup: &Setup, seen: usize) -> u64 {
        if !setup.transforms.counts {
            0
        } else if self.kills > 0 {
            // Of a torn frame the next run knows the records as received only, a copy as another one.
            let copies = u64::from(setup.route() != Routing::Failover);
            self.derived.saturating_sub(seen as u64) + u64::from(self.kills) * (1 + copies)
        } else {
            (self.received - self.recovered).saturating_sub(self.emitted.len() as u64)
        }
    }

    /// A run wrote its ledger line.
    pub(super) fn close(&mut self, ledger: &Ledger) {
        assert!(ledger.adds_up(ledger.pending()), "{}", ledger.line());
        self.received += ledger.received() + ledger.derived();
        self.derived += ledger.derived();
        self.recovered += ledger.recovered();
        self.mirrored += ledger.mirrored();
        self.lost += LOSSES
            .iter()
            .map(|reason| ledger.dropped(*reason))
            .sum::<u64>();
        self.filtered += ledger.dropped(DropReason::Filtered);
        self.sampled += ledger.dropped(DropReason::Sampled);
        self.deduped += ledger.dropped(DropReason::Deduped);
        self.ambiguous += ledger.ambiguous();
        self.delivered += ledger.delivered_in_all();
        self.condemned += ledger.dead_letters();
        for reason in [
            DropReason::Rejected,
            DropReason::TooLarge,
            DropReason::TooOld,
        ] {
            self.condemned += ledger.dropped(reason);
        }
        self.lines.push(ledger.line());
    }

    /// A run was killed after the function had done something to its files, and before it could look: of
    /// what they held the next run knows nothing.
    pub(super) fn destroyed(&mut self, ledger: &Ledger, directory: &Path, world: &World) {
        self.is_blind = true;
        let contents = spool(directory);
        let there = contents.len() as u64;
        // Copies of what was delivered and not removed yet stand for nothing that waited.
        let taken = world.taken();
        let delivered: BTreeSet<Number> = taken.iter().flatten().map(|it| it.number).collect();
        let waiting = numbers(&contents).difference(&delivered).count() as u64;
        let counted = LedgerFile::new(directory.to_owned(), true).recover();
        let noticed = if let Ok(Some(counts)) = counted {
            // The next run goes on with these.
            counts.pending().saturating_sub(there)
        } else {
            self.close(ledger);
            0
        };
        let pending = ledger.pending();
        self.destroyed += pending.saturating_sub(waiting).saturating_sub(noticed);
    }
}

impl<L: Lifecycle> Pipeline<L> {
    /// After each turn: the equation holds, and memory is bounded.
    pub(super) fn check(&self) {
        let (ledger, buffer) = (self.ledger.lock(), &self.buffer);
        let held = (buffer.held_records() + self.deferred_records()) as u64;
        if self.flush.is_none() {
            assert!(ledger.adds_up(held), "{held} held, {}", ledger.line());
        } else {
            // What the flush has settled leaves the buffer when it ends.
            assert!(
                ledger.adds_up(ledger.pending()) && ledger.pending() <= held,
                "{}",
                ledger.line()
            );
        }
        assert!(
            buffer.held_bytes() <= buffer.max_bytes() || buffer.pending_bytes() == 0,
            "{} held of {}",
            buffer.held_bytes(),
            buffer.max_bytes()
        );
    }

    pub(super) fn is_sending(&self) -> bool {
        self.flush.is_some()
    }
}

fn spool(directory: &Path) -> Contents {
    let Ok(mut file) = File::open(directory.join("spool")) else {
        return Contents::default();
    };
    let length = file.metadata().unwrap().len();
    read(&mut file, length, usize::MAX, "").unwrap()
}

fn numbers(contents: &Contents) -> BTreeSet<Number> {
    let records = contents.groups.iter().flat_map(|group| &group.records);
    records.map(number_of_record).collect()
}

/// At a freeze: were the process killed now, all that is pending would be found.
pub(super) fn nothing_waits_in_memory_only(ledger: &SharedLedger, directory: &Path, world: &World) {
    let contents = spool(directory);
    world.check_ids(contents.groups.iter().flat_map(|group| &group.records));
    let (pending, kept) = (ledger.lock().pending(), contents.len() as u64);
    // What is to be redacted yet has no copy.
    let deferred = world.deferred();
    assert!(
        pending <= kept + deferred,
        "{pending} pending, {kept} in the spool, {deferred} deferred"
    );
}

/// After an invocation that is held until everything is sent: it is, whatever the clocks say.
pub(super) fn nothing_is_pending(ledger: &Ledger) {
    assert_eq!(ledger.pending(), 0, "left by `end`: {}", ledger.line());
}

/// At a shutdown, with a fallback that can be reached: it gets everything, whatever the others do.
pub(super) fn nothing_is_given_up(ledger: &Ledger) {
    let left = ledger.pending() + ledger.dropped(DropReason::Shutdown);
    assert_eq!(
        left,
        0,
        "given up beside a fallback that is well: {}",
        ledger.line()
    );
}

/// At the end: every record is at a sink, in the spool, or counted as dropped; and none is twice in one
/// place without having been called ambiguous.
pub(super) fn every_record_is_accounted_for(
    setup: &Setup,
    totals: &mut Totals,
    world: &World,
    directory: &Path,
) {
    let taken = world.taken();
    let mut places: BTreeMap<Number, (u64, u64)> = BTreeMap::new();
    for taken in taken.iter().flatten() {
        let (all, heard) = places.entry(taken.number).or_default();
        *all += 1;
        *heard += u64::from(taken.heard && taken.is_removed);
    }
    let left = spool(directory);
    world.check_ids(left.groups.iter().flat_map(|group| &group.records));
    let in_spool = numbers(&left);
    every_line_is_counted(setup, totals, &world.reports);
    let reports = world.reports.numbers();
    totals.emitted.extend(&reports);
    let unseen = totals.reports_unseen(setup, reports.len());
    let totals = &*totals;
    everything_is_archived(setup, totals, world, &in_spool);
    // A line that was posted and not taken is in none of them. What is archived instead is not dropped.
    let unwanted: BTreeSet<Number> = (totals.unwanted.intersection(&totals.emitted))
        .filter(|_| setup.route() != Routing::Sample)
        .copied()
        .collect();
    let kept = unwanted
        .iter()
        .find(|it| places.contains_key(it) || in_spool.contains(it));
    assert!(kept.is_none(), "{kept:?} was to be dropped");
    let missing: Vec<Number> = (totals.emitted.iter().copied())
        .filter(|number| !places.contains_key(number) && !in_spool.contains(number))
        .filter(|number| !unwanted.contains(number))
        .collect();
    let all_missing = missing.len() as u64;
    let missing = totals.without_what_was_not_made(setup, missing);
    // Whether these were made, nobody knows.
    let unmade = all_missing - missing.len() as u64;
    let lines = totals.lines.join("\n");
    assert!(
        totals.filtered <= unwanted.len() as u64,
        "{} counted as filtered, {} could be\n{lines}",
        totals.filtered,
        unwanted.len()
    );
    assert!(
        totals.kills > 0 || totals.lost_unseen(setup) || totals.filtered == unwanted.len() as u64,
        "{} counted as filtered, {} were\n{lines}",
        totals.filtered,
        unwanted.len()
    );
    // Each copy that was made is somewhere as well.
    let all = places.keys().chain(&in_spool);
    let copies: BTreeSet<&Number> = all.filter(|it| is_copy(**it)).collect();
    let copies_missed = totals.mirrored.saturating_sub(copies.len() as u64);
    let unseen_surely = if totals.kills == 0 { unseen } else { 0 };
    let missed = missing.len() as u64 + copies_missed + unseen_surely;
    // A copy that a kill lost may be counted as received: the next run knows it by the spool only.
    let unknown = if totals.kills > 0 && setup.route() != Routing::Failover {
        (totals.emitted.len() - copies.len().min(totals.emitted.len())) as u64
    } else {
        0
    };
    let counted = totals.lost + totals.sampled + totals.deduped;
    assert!(
        missed <= counted + totals.destroyed,
        "lost without a word, {counted} counted: {missing:?}, and {copies_missed} copies\n{lines}"
    );
    let torn = missing
        .iter()
        .filter(|it| totals.precious.contains(it))
        .count() as u64;
    assert!(
        // An error that was dropped before sampling saw it does not keep its invocation.
        torn <= totals.lost + totals.deduped + totals.destroyed || totals.lost_unseen(setup),
        "{torn} of invocations that failed are missing, {} lost\n{lines}",
        totals.lost
    );
    // Dropped though a sink has them: that was never heard.
    let unheard = places.values().filter(|(_, heard)| *heard == 0).count() as u64;
    // Lost before the filter could drop it.
    let unfiltered = if totals.lost_unseen(setup) {
        unwanted.len() as u64 - totals.filtered
    } else {
        0
    };
    assert!(
        counted <= missed + unseen + unmade + unknown + unheard + unfiltered || totals.is_blind,
        "{counted} counted as lost, {missed} are\n{lines}"
    );

    let twice: Vec<_> = places.iter().filter(|(_, (_, heard))| *heard > 1).collect();
    assert!(
        twice.is_empty() || totals.is_blind,
        "delivered twice, and heard both times: {twice:?}\n{lines}"
    );
    let doubled = places
        .values()
        .filter(|(all, heard)| *all > 1 && *heard > 0)
        .count() as u64;
    assert!(
        doubled <= totals.ambiguous,
        "{doubled} in two places, {} called so\n{lines}",
        totals.ambiguous
    );

    counts_are_those_of_the_world(setup, totals, world, &places, unseen);
}

/// The ledger counts what the sinks have.
fn counts_are_those_of_the_world(
    setup: &Setup,
    totals: &Totals,
    world: &World,
    places: &BTreeMap<Number, (u64, u64)>,
    unseen: u64,
) {
    let (taken, lines) = (world.taken(), totals.lines.join("\n"));
    if let Some(refused) = world.refused_alone().filter(|_| totals.kills == 0) {
        let refused = refused.len() as u64;
        assert!(
            totals.condemned <= refused,
            "{refused} refused alone, {} condemned\n{lines}",
            totals.condemned
        );
    }
    if totals.kills == 0 {
        let received = totals.received - totals.recovered;
        let emitted = &totals.emitted;
        let derived = emitted.iter().map(|it| derived_from(*it));
        let derived = derived.filter(|it| emitted.contains(it)).count();
        let least = if totals.lost_unseen(setup) {
            emitted.len() - derived
        } else {
            emitted.len()
        };
        assert!(
            (least as u64..=emitted.len() as u64 + unseen).contains(&received),
            "{received} received, {} emitted, {derived} of them derived\n{lines}",
            emitted.len()
        );
    }
    let heard: u64 = places.values().map(|(_, heard)| heard).sum();
    assert!(
        totals.delivered >= heard,
        "{heard} heard, {} counted\n{lines}",
        totals.delivered
    );
    for (sink, taken) in [SinkName::Https, SinkName::Firehose, SinkName::S3]
        .iter()
        .zip(&taken)
    {
        let mut once = BTreeSet::new();
        let again = taken
            .iter()
            .filter(|taken| taken.heard && taken.is_removed && !once.insert(taken.number));
        assert!(again.count() == 0 || totals.is_blind, "twice in {sink}");
    }
}
