//! The world outside: sinks that fail in every way, and a clock that can be set. It outlives every run
//! of the extension, and remembers each record it took and whether that was heard.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backstop_delivery::{
    Answer, Batch, Cause, Clock, Encoded, Failure, Notice, Observer, Part, PartAnswer, RecordId,
    Sink, SinkFuture, SinkName, Unfit, Wall,
};
use bytes::Bytes;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep};

use super::steps::{Manner, Setup};

pub(super) const SINKS: [SinkName; 3] = [SinkName::Https, SinkName::Firehose, SinkName::S3];

/// Records are known by the number the function writes into them.
pub(super) type Number = u64;

/// The number in a record's text.
pub(super) fn number_of(fragment: &[u8]) -> Number {
    let text = std::str::from_utf8(fragment).unwrap();
    let number = text
        .split('#')
        .nth(1)
        .unwrap_or_else(|| panic!("no number in {text:.200}"));
    number.parse().unwrap()
}

/// A record that a sink took.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    pub(super) number: Number,
    /// The sink's answer reached the chain.
    pub(super) heard: bool,
    /// The flush that heard it is over, so that no later run can send it again.
    pub(super) struck: bool,
}

#[derive(Debug)]
struct State {
    manner: Manner,
    has_split: bool,
    /// It refused bodies whatever was in them, so that nobody can know which record it meant.
    has_refused_all: bool,
    refused_alone: BTreeSet<Number>,
    taken: Vec<Taken>,
}

/// Everything outside.
#[derive(Debug, Clone)]
pub(super) struct World {
    sinks: [Arc<Mutex<State>>; 3],
    room: usize,
    unfit_every: u64,
    ids: Arc<Mutex<BTreeMap<Number, RecordId>>>,
    freezes: watch::Sender<u64>,
    is_sending: Arc<AtomicBool>,
    clock: Arc<WorldClock>,
}

impl World {
    pub(super) fn new(setup: &Setup) -> Self {
        let sink = || {
            Arc::new(Mutex::new(State {
                manner: Manner::Take(20),
                has_split: false,
                has_refused_all: false,
                refused_alone: BTreeSet::new(),
                taken: Vec::new(),
            }))
        };
        Self {
            sinks: [sink(), sink(), sink()],
            room: setup.room,
            unfit_every: setup.unfit_every,
            ids: Arc::default(),
            freezes: watch::Sender::new(0),
            is_sending: Arc::default(),
            clock: Arc::new(WorldClock {
                start: Instant::now(),
                offset_ms: AtomicI64::new(0),
            }),
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

    pub(super) fn set(&self, sink: usize, manner: &Manner) {
        let mut sink = self.sinks[sink].lock().unwrap();
        sink.has_split |= matches!(
            manner,
            Manner::Refuse(413, _) | Manner::TooLarge(_) | Manner::Strict(413, ..)
        );
        sink.has_refused_all |= matches!(
            manner,
            Manner::Refuse(400 | 413 | 422, _) | Manner::TooLarge(0)
        );
        sink.manner = manner.clone();
    }

    /// Whether there is a fallback that takes everything, and no sink that ever called anything too
    /// large: batches cut into single records wear out the time of a shutdown.
    pub(super) fn has_a_way_out(&self, setup: &Setup) -> bool {
        let manner = |index: &usize| self.sinks[*index].lock().unwrap().manner.clone();
        let there = (0..SINKS.len()).filter(|index| setup.sinks[*index]);
        let fallback = (there.clone().skip_while(|index| *index == 0))
            .position(|index| matches!(manner(&index), Manner::Take(0..=100)));
        let was_whole = |index: usize| !self.sinks[index].lock().unwrap().has_split;
        setup.room == usize::MAX && fallback.is_some() && there.into_iter().all(was_whole)
    }

    pub(super) fn sink(&self, index: usize) -> Box<dyn Sink> {
        Box::new(ModelSink {
            name: SINKS[index],
            room: self.room,
            unfit_every: self.unfit_every,
            state: self.sinks[index].clone(),
            ids: self.ids.clone(),
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

    /// No flush is under way: what was heard is settled for good.
    pub(super) fn strike(&self) {
        for sink in &self.sinks {
            let mut sink = sink.lock().unwrap();
            let unstruck = sink.taken.iter_mut().rev().take(5_000);
            unstruck.for_each(|taken| taken.struck |= taken.heard);
        }
    }

    /// The process is gone, and with it what it had heard and not yet written down.
    pub(super) fn forget(&self) {
        for sink in &self.sinks {
            let mut sink = sink.lock().unwrap();
            sink.taken
                .iter_mut()
                .for_each(|taken| taken.heard &= taken.struck);
        }
    }

    /// The records that the primary refused alone; `None` where it refused everything for a while.
    pub(super) fn refused_alone(&self) -> Option<BTreeSet<Number>> {
        let primary = self.sinks[0].lock().unwrap();
        (!primary.has_refused_all).then(|| primary.refused_alone.clone())
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

    pub(super) fn check_ids<'a>(
        &self,
        records: impl IntoIterator<Item = &'a backstop_delivery::Record>,
    ) {
        for record in records {
            Self::check_id(&self.ids, number_of(record.fragment()), record.id());
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

#[derive(Debug)]
struct ModelSink {
    name: SinkName,
    room: usize,
    unfit_every: u64,
    state: Arc<Mutex<State>>,
    ids: Arc<Mutex<BTreeMap<Number, RecordId>>>,
    freezes: watch::Receiver<u64>,
}

impl ModelSink {
    /// Takes records; says where they stand.
    fn take(state: &Mutex<State>, numbers: &[Number]) -> std::ops::Range<usize> {
        let mut state = state.lock().unwrap();
        let start = state.taken.len();
        state.taken.extend(numbers.iter().map(|&number| Taken {
            number,
            heard: false,
            struck: false,
        }));
        start..state.taken.len()
    }

    fn hear(&self, places: std::ops::Range<usize>) {
        let mut state = self.state.lock().unwrap();
        state.taken[places]
            .iter_mut()
            .for_each(|taken| taken.heard = true);
    }

    /// Each part by itself.
    fn judge(&self, every: u64, parts: &[Vec<Number>]) -> Answer {
        let judge = |part: &Vec<Number>| {
            let has = |offset: Number| part.iter().any(|it| (it + offset).is_multiple_of(every));
            match (has(0), has(1)) {
                (true, _) => PartAnswer::Refused,
                (_, true) => PartAnswer::Retry,
                _ => PartAnswer::Taken,
            }
        };
        let answers: Vec<PartAnswer> = parts.iter().map(judge).collect();
        let those = |fate| -> Vec<Number> {
            let both = parts.iter().zip(&answers);
            let those = both.filter(|(_, answer)| **answer == fate);
            those.flat_map(|(part, _)| part.clone()).collect()
        };
        let refused = those(PartAnswer::Refused);
        self.state.lock().unwrap().refused_alone.extend(refused);
        let places = Self::take(&self.state, &those(PartAnswer::Taken));
        self.hear(places);
        self.each(answers, 400)
    }

    /// What it says of each part, which is a record at the primary.
    fn each(&self, answers: Vec<PartAnswer>, code: u16) -> Answer {
        if self.name == SinkName::Https {
            return Answer::Records {
                records: answers,
                refused: Some(Box::new(Cause::of_status(code, None))),
                waiting: None,
            };
        }
        Answer::Parts {
            parts: answers,
            code,
            detail: None,
        }
    }

    /// Takes all but some, and says how many those are. Nobody can send the others again.
    fn judge_all(&self, every: u64, numbers: &[Number]) -> Answer {
        let is_refused = |number: &&Number| number.is_multiple_of(every);
        let (refused, taken): (Vec<Number>, Vec<Number>) =
            numbers.iter().partition(|number| is_refused(number));
        let places = Self::take(&self.state, &taken);
        if refused.is_empty() {
            self.hear(places);
            return Answer::status(200);
        }
        self.state.lock().unwrap().refused_alone.extend(numbers);
        Answer::Unnamed {
            refused: refused.len(),
            code: 200,
        }
    }

    async fn answer(
        &self,
        manner: Manner,
        numbers: Vec<Number>,
        parts: Vec<Vec<Number>>,
    ) -> Answer {
        match manner {
            Manner::Take(wait) => {
                sleep(Duration::from_millis(wait)).await;
                let places = Self::take(&self.state, &numbers);
                self.hear(places);
                Answer::status(200)
            }
            Manner::Refuse(code, wait) => {
                sleep(Duration::from_millis(wait)).await;
                Answer::status(code)
            }
            Manner::Throttle(after) => Answer::Status {
                code: 429,
                retry_after: Some(Duration::from_millis(after)),
                detail: None,
            },
            Manner::Unreachable => Answer::None(Failure::Refused),
            Manner::TakeAndReset(wait) => {
                sleep(Duration::from_millis(wait)).await;
                Self::take(&self.state, &numbers);
                Answer::None(Failure::Reset)
            }
            Manner::Reset(wait) => {
                sleep(Duration::from_millis(wait)).await;
                Answer::None(Failure::Reset)
            }
            Manner::Hang => std::future::pending().await,
            Manner::Late(wait) => {
                let (reply, answer) = oneshot::channel();
                let state = self.state.clone();
                tokio::spawn(async move {
                    sleep(Duration::from_millis(wait)).await;
                    drop(reply.send(Self::take(&state, &numbers)));
                });
                match answer.await {
                    Ok(places) => {
                        self.hear(places);
                        Answer::status(200)
                    }
                    Err(_) => Answer::None(Failure::Reset),
                }
            }
            Manner::Partial(failed, unheard) => {
                let is_failed = |part: &(usize, Vec<Number>)| failed.contains(&part.0);
                let parts = parts.into_iter().enumerate();
                let (failed, taken): (Vec<_>, Vec<_>) = parts.partition(is_failed);
                let numbers = |parts: &[(usize, Vec<Number>)]| -> Vec<Number> {
                    parts.iter().flat_map(|part| part.1.clone()).collect()
                };
                let places = Self::take(&self.state, &numbers(&taken));
                self.hear(places);
                let mut answers = vec![PartAnswer::Taken; taken.len() + failed.len()];
                for (index, _) in &failed {
                    answers[*index] = if unheard {
                        PartAnswer::Unheard
                    } else {
                        PartAnswer::Retry
                    };
                }
                if unheard {
                    Self::take(&self.state, &numbers(&failed));
                }
                self.each(answers, 503)
            }
            Manner::Unnamed(every, wait) => {
                sleep(Duration::from_millis(wait)).await;
                self.judge_all(every, &numbers)
            }
            Manner::Judge(every, wait) => {
                sleep(Duration::from_millis(wait)).await;
                self.judge(every, &parts)
            }
            Manner::Strict(code, every, wait) => {
                sleep(Duration::from_millis(wait)).await;
                if numbers.iter().any(|number| number.is_multiple_of(every)) {
                    if let [alone] = numbers[..] {
                        self.state.lock().unwrap().refused_alone.insert(alone);
                    }
                    return Answer::status(code);
                }
                let places = Self::take(&self.state, &numbers);
                self.hear(places);
                Answer::status(200)
            }
            Manner::TooLarge(most) if numbers.len() > most => Answer::status(413),
            Manner::TooLarge(_) => {
                let places = Self::take(&self.state, &numbers);
                self.hear(places);
                Answer::status(200)
            }
        }
    }
}

impl Sink for ModelSink {
    fn name(&self) -> SinkName {
        self.name
    }

    fn encode(&self, batch: &Batch) -> Encoded {
        // Several parts for Firehose; the others take one. The primary has room for so much, and a taste.
        let (room, unfit_every) = match self.name {
            SinkName::Https => (self.room, self.unfit_every),
            SinkName::Firehose | SinkName::S3 => (usize::MAX, u64::MAX),
        };
        let mut encoded = Encoded {
            parts: Vec::new(),
            covers: 0,
            unfit: Vec::new(),
        };
        let mut fit = 0;
        for record in batch.records() {
            if fit == room {
                break;
            }
            let number = number_of(record.fragment());
            if unfit_every != u64::MAX && number.is_multiple_of(unfit_every) {
                self.state.lock().unwrap().refused_alone.insert(number);
                encoded.unfit.push((encoded.covers, Unfit::TooOld));
            } else {
                fit += 1;
            }
            encoded.covers += 1;
        }
        let step = match self.name {
            SinkName::Firehose => 3,
            SinkName::Https | SinkName::S3 => fit.max(1),
        };
        encoded.parts = (0..fit)
            .step_by(step)
            .map(|start| {
                let records = start..(start + step).min(fit);
                Part {
                    body: Bytes::from(vec![0; records.len()]),
                    records,
                }
            })
            .collect();
        encoded
    }

    fn send<'a>(&'a self, batch: &'a Batch, parts: &'a [Part]) -> SinkFuture<'a> {
        let parts: Vec<Vec<Number>> = (parts.iter())
            .map(|part| {
                let records = batch.records()[part.records.clone()].iter();
                records
                    .map(|record| {
                        let number = number_of(record.fragment());
                        World::check_id(&self.ids, number, record.id());
                        number
                    })
                    .collect()
            })
            .collect();
        let numbers = parts.concat();
        let parts = match self.name {
            // It judges each record by itself.
            SinkName::Https => numbers.iter().map(|number| vec![*number]).collect(),
            SinkName::Firehose | SinkName::S3 => parts,
        };
        let manner = self.state.lock().unwrap().manner.clone();
        let mut freezes = self.freezes.clone();
        freezes.mark_unchanged();
        Box::pin(async move {
            tokio::select! {
                biased;
                answer = self.answer(manner, numbers, parts) => answer,
                _ = freezes.changed() => Answer::None(Failure::Reset),
            }
        })
    }

    fn reset(&self) {}
}

/// Hears everything and says nothing.
#[derive(Debug)]
pub(super) struct Deaf;

impl Observer for Deaf {
    fn notice(&self, _: Notice) {}
}
