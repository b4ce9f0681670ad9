//! The world outside: sinks that fail in every way, and a clock that can be set. It outlives every run
//! of the extension, and remembers each record it took and whether that was heard.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backstop_delivery::{Clock, Notice, Observer, Record, RecordId, Signal, Sink, SinkName, Wall};
use backstop_scripted_sink::SinkBehaviour;
use tokio::sync::watch;
use tokio::time::Instant;

use super::behaviour::{ms, take};
use super::insights::{self, Reports};
use super::sink::{ModelSink, StateWitness};
use super::steps::{Metrics, SECRET, Setup};

pub(super) const SINKS: [SinkName; 3] = [SinkName::Https, SinkName::Firehose, SinkName::S3];

/// Records are known by the number the function writes into them.
pub(super) type Number = u64;

/// Added to a record's number, that of the record that is derived from it.
const DERIVED: Number = 1 << 40;

/// The number of the record that is derived from this one.
pub(super) fn derived_from(number: Number) -> Number {
    number + DERIVED
}

/// The number in a record's text, or the one that it has by its id.
pub(super) fn number_of(record: &Record) -> Number {
    let text = std::str::from_utf8(record.fragment()).unwrap();
    assert!(!text.contains(SECRET), "a secret in {text:.200}");
    if insights::is_report(text) {
        return insights::number_of(record.id());
    }
    let number = stated_number(text);
    if text.contains(backstop_archive::METRICS) {
        derived_from(number)
    } else {
        number
    }
}

/// Where the archive is to have it, a line that was redacted has its original, and nothing else has one.
pub(super) fn check_original(record: &Record, keeps_originals: bool) {
    let text = std::str::from_utf8(record.fragment()).unwrap();
    let is_derived = insights::is_report(text) || text.contains(backstop_archive::METRICS);
    let is_expected = keeps_originals && text.contains("[redacted:email]") && !is_derived;
    match record.original() {
        Some(original) => {
            let original: serde_json::Value = serde_json::from_slice(original).unwrap();
            assert!(
                is_expected && original.to_string().contains(SECRET),
                "{text:.200}"
            );
        }
        None => assert!(!is_expected, "no original of {text:.200}"),
    }
}

fn stated_number(text: &str) -> Number {
    let number = text
        .split('#')
        .nth(1)
        .unwrap_or_else(|| panic!("no number in {text:.200}"));
    parse_number(number)
}

/// A number as it is written: as such, or as what looks like a time.
pub(super) fn parse_number(text: &str) -> Number {
    let digits = text.rsplit_once('.').map_or(text, |(_, digits)| digits);
    digits.trim_end_matches('Z').parse().unwrap()
}

/// A record that a sink took.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    pub(super) number: Number,
    /// The sink's answer reached the chain.
    pub(super) heard: bool,
    /// The flush that heard it is over, so that no later run can send it again.
    pub(super) is_removed: bool,
}

/// A sink, as far as it is known outside.
#[derive(Debug)]
pub(super) struct State {
    pub(super) behaviour: SinkBehaviour,
    pub(super) has_split: bool,
    /// It refused bodies whatever was in them, so that nobody can know which record it meant.
    pub(super) has_refused_all: bool,
    pub(super) refused_alone: BTreeSet<Number>,
    /// Since it last took one.
    pub(super) refused_in_a_row: usize,
    /// The same of lines that may be metrics.
    pub(super) metrics_refused_in_a_row: usize,
    pub(super) taken: Vec<Taken>,
}

#[derive(Debug, Clone)]
pub(super) struct World {
    sinks: [Arc<Mutex<State>>; 3],
    room: usize,
    unfit_every: u64,
    metrics: Metrics,
    keeps_originals: bool,
    ids: Arc<Mutex<BTreeMap<Number, RecordId>>>,
    not_for_primary: Arc<Mutex<BTreeSet<Number>>>,
    freezes: watch::Sender<u64>,
    is_sending: Arc<AtomicBool>,
    deferred: Arc<AtomicUsize>,
    clock: Arc<WorldClock>,
    pub(super) reports: Reports,
}

impl World {
    pub(super) fn new(setup: &Setup) -> Self {
        let sink = || {
            Arc::new(Mutex::new(State {
                behaviour: take(20),
                has_split: false,
                has_refused_all: false,
                refused_alone: BTreeSet::new(),
                refused_in_a_row: 0,
                metrics_refused_in_a_row: 0,
                taken: Vec::new(),
            }))
        };
        Self {
            sinks: [sink(), sink(), sink()],
            room: setup.room,
            unfit_every: setup.unfit_every,
            metrics: setup.metrics,
            keeps_originals: setup.transforms.keeps_originals,
            ids: Arc::default(),
            not_for_primary: Arc::default(),
            freezes: watch::Sender::new(0),
            is_sending: Arc::default(),
            deferred: Arc::default(),
            clock: Arc::new(WorldClock {
                start: Instant::now(),
                offset_ms: AtomicI64::new(0),
            }),
            reports: Reports::default(),
        }
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// Sets the wall clock; it never goes below where it began.
    pub(super) fn shift_clock(&self, by_ms: i64) {
        self.clock.offset_ms.fetch_add(by_ms, Ordering::Relaxed);
    }

    /// Connections that are open break.
    pub(super) fn break_connections(&self) {
        self.freezes.send_modify(|count| *count += 1);
    }

    pub(super) fn set(&self, sink: usize, behaviour: &SinkBehaviour) {
        let mut sink = self.sinks[sink].lock().unwrap();
        sink.has_split |= matches!(
            behaviour,
            SinkBehaviour::After(_, 413)
                | SinkBehaviour::TooLarge { .. }
                | SinkBehaviour::Refuses(413, ..)
        );
        sink.has_refused_all |= matches!(
            behaviour,
            SinkBehaviour::After(_, 400 | 413 | 422) | SinkBehaviour::TooLarge { most: 0, .. }
        );
        sink.behaviour = behaviour.clone();
    }

    /// Whether there is a fallback that takes everything, and no sink that ever called anything too
    /// large: batches cut into single records wear out the time of a shutdown. So do dead letters that are
    /// found in what is posted during it, where both other sinks hang.
    pub(super) fn has_usable_sink(&self, setup: &Setup) -> bool {
        let behaviour = |index: &usize| self.sinks[*index].lock().unwrap().behaviour.clone();
        let there = (0..SINKS.len()).filter(|index| setup.sinks[*index]);
        let fallback = (there.clone().skip_while(|index| *index == 0)).position(
            |index| matches!(behaviour(&index), SinkBehaviour::After(wait, 200) if wait <= ms(100)),
        );
        let was_whole = |index: usize| !self.sinks[index].lock().unwrap().has_split;
        let is_calm = setup.unfit_every == u64::MAX || setup.at_shutdown.is_empty();
        setup.room == usize::MAX
            && is_calm
            && fallback.is_some()
            && there.into_iter().all(was_whole)
    }

    /// A sink, or its address of one signal.
    pub(super) fn sink(&self, index: usize, signal: Option<Signal>) -> Box<dyn Sink> {
        Box::new(ModelSink {
            name: SINKS[index],
            signal,
            metrics: self.metrics,
            keeps_originals: self.keeps_originals,
            room: self.room,
            unfit_every: self.unfit_every,
            witness: StateWitness(self.sinks[index].clone()),
            reports: self.reports.clone(),
            ids: self.ids.clone(),
            not_for_primary: self.not_for_primary.clone(),
            freezes: self.freezes.subscribe(),
        })
    }

    /// Whether a flush is under way, by the extension's last word.
    pub(super) fn is_sending(&self) -> bool {
        self.is_sending.load(Ordering::Relaxed)
    }

    pub(super) fn set_sending(&self, is_sending: bool) {
        self.is_sending.store(is_sending, Ordering::Relaxed);
    }

    /// Records that wait for the transforms, by the extension's last word.
    pub(super) fn deferred(&self) -> u64 {
        self.deferred.load(Ordering::Relaxed) as u64
    }

    pub(super) fn set_deferred(&self, records: usize) {
        self.deferred.store(records, Ordering::Relaxed);
    }

    /// No flush is under way: what was heard is settled for good.
    pub(super) fn mark_removed(&self) {
        for sink in &self.sinks {
            let mut sink = sink.lock().unwrap();
            let unmarked = sink.taken.iter_mut().rev().take(5_000);
            unmarked.for_each(|taken| taken.is_removed |= taken.heard);
        }
    }

    /// The process is gone, and with it what it had heard and not yet written down.
    pub(super) fn forget(&self) {
        for sink in &self.sinks {
            let mut sink = sink.lock().unwrap();
            sink.taken
                .iter_mut()
                .for_each(|taken| taken.heard &= taken.is_removed);
        }
    }

    /// The records that the primary refused alone; `None` where it refused everything for a while.
    pub(super) fn refused_alone(&self) -> Option<BTreeSet<Number>> {
        let primary = self.sinks[0].lock().unwrap();
        (!primary.has_refused_all).then(|| primary.refused_alone.clone())
    }

    /// The records that were to go to the archive only, themselves and not copies.
    pub(super) fn not_for_primary(&self) -> BTreeSet<Number> {
        self.not_for_primary.lock().unwrap().clone()
    }

    /// All that each sink took.
    pub(super) fn taken(&self) -> [Vec<Taken>; 3] {
        [0, 1, 2].map(|index| self.sinks[index].lock().unwrap().taken.clone())
    }

    /// A record keeps its id wherever it turns up.
    pub(super) fn check_id(ids: &Mutex<BTreeMap<Number, RecordId>>, number: Number, id: RecordId) {
        let known = *ids.lock().unwrap().entry(number).or_insert(id);
        assert_eq!(known, id, "record {number} has two ids");
    }

    pub(super) fn check_ids<'a>(&self, records: impl IntoIterator<Item = &'a Record>) {
        for record in records {
            self.reports.see(record);
            check_original(record, self.keeps_originals);
            Self::check_id(&self.ids, number_of(record), record.id());
        }
    }
}

#[derive(Debug)]
struct WorldClock {
    start: Instant,
    offset_ms: AtomicI64,
}

impl Clock for WorldClock {
    fn wall(&self) -> Wall {
        let epoch = Duration::from_secs(1_700_000_000);
        let offset = self.offset_ms.load(Ordering::Relaxed);
        let moved = Duration::from_millis(offset.unsigned_abs());
        let now = epoch + self.start.elapsed();
        let wall = if offset < 0 {
            now.checked_sub(moved)
        } else {
            now.checked_add(moved)
        };
        Wall(wall.unwrap())
    }
}

/// Hears everything and says nothing.
#[derive(Debug)]
pub(super) struct IgnoreNotices;

impl Observer for IgnoreNotices {
    fn notice(&self, _: Notice) {}
}
