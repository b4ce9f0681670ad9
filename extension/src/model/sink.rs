//! A sink of the world outside: how it answers, and what it has then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backstop_delivery::{
    Answer, Batch, Cause, Encoded, Failure, Part, PartAnswer, Record, RecordId, Route, Signal,
    Sink, SinkFuture, SinkName, Unfit,
};
use bytes::Bytes;
use tokio::sync::{oneshot, watch};
use tokio::time::sleep;

use super::routes::{number_of_record, original};
use super::steps::{Metrics, SinkBehaviour};
use super::world::{Number, State, Taken, World};

#[derive(Debug)]
pub(super) struct ModelSink {
    pub(super) name: SinkName,
    /// What it takes; `None` where it takes each signal.
    pub(super) signal: Option<Signal>,
    pub(super) metrics: Metrics,
    pub(super) room: usize,
    pub(super) unfit_every: u64,
    pub(super) state: Arc<Mutex<State>>,
    pub(super) ids: Arc<Mutex<BTreeMap<Number, RecordId>>>,
    pub(super) not_for_primary: Arc<Mutex<BTreeSet<Number>>>,
    pub(super) freezes: watch::Receiver<u64>,
}

impl ModelSink {
    /// Takes records; says where they stand.
    fn take(state: &Mutex<State>, numbers: &[Number]) -> std::ops::Range<usize> {
        let mut state = state.lock().unwrap();
        let start = state.taken.len();
        state.taken.extend(numbers.iter().map(|&number| Taken {
            number,
            heard: false,
            is_removed: false,
        }));
        start..state.taken.len()
    }

    fn mark_heard(&self, places: std::ops::Range<usize>) {
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
        self.mark_heard(places);
        self.each(answers, 400)
    }

    /// Each record is where its signal goes, whatever it went through.
    fn check_signal(&self, fragment: &[u8]) {
        let text = String::from_utf8_lossy(fragment);
        let is_moved = self.metrics == Metrics::Moved && text.contains("_aws");
        let is_metric = is_moved || text.contains(backstop_archive::METRICS);
        let signal = if is_metric {
            Signal::Metric
        } else {
            Signal::Log
        };
        assert!(self.signal.is_none_or(|its| its == signal), "{text:.200}");
    }

    /// Only fallbacks get what is for the archive only.
    fn check_route(&self, record: &Record, number: Number) {
        let is_primary = self.name == SinkName::Https;
        let route = record.route();
        assert!(
            !(is_primary && route.is_archive_only()),
            "{number} at the primary"
        );
        if route == Route::Archived {
            self.not_for_primary.lock().unwrap().insert(number);
        }
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

    /// Refuses the request for its first wrong record, and says which that is.
    fn name_one(&self, every: u64, keeps: bool, numbers: &[Number]) -> Answer {
        let mut all = numbers.iter();
        let Some(index) = all.position(|number| number.is_multiple_of(every)) else {
            let places = Self::take(&self.state, numbers);
            self.mark_heard(places);
            return Answer::status(200);
        };
        self.state
            .lock()
            .unwrap()
            .refused_alone
            .insert(numbers[index]);
        if keeps {
            Self::take(&self.state, &numbers[..index]);
        }
        Answer::Named {
            index,
            cause: Box::new(Cause::of_status(400, None)),
        }
    }

    /// Takes all but some, and says how many those are. Nobody can send the others again.
    fn judge_all(&self, every: u64, numbers: &[Number]) -> Answer {
        let is_refused = |number: &&Number| number.is_multiple_of(every);
        let (refused, taken): (Vec<Number>, Vec<Number>) =
            numbers.iter().partition(|number| is_refused(number));
        let places = Self::take(&self.state, &taken);
        if refused.is_empty() {
            self.mark_heard(places);
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
        behaviour: SinkBehaviour,
        numbers: Vec<Number>,
        parts: Vec<Vec<Number>>,
    ) -> Answer {
        match behaviour {
            SinkBehaviour::Take(wait) => {
                sleep(Duration::from_millis(wait)).await;
                let places = Self::take(&self.state, &numbers);
                self.mark_heard(places);
                Answer::status(200)
            }
            SinkBehaviour::Refuse(code, wait) => {
                sleep(Duration::from_millis(wait)).await;
                Answer::status(code)
            }
            SinkBehaviour::Throttle(after) => Answer::Status {
                code: 429,
                retry_after: Some(Duration::from_millis(after)),
                detail: None,
            },
            SinkBehaviour::Unreachable => Answer::None(Failure::Refused),
            SinkBehaviour::TakeAndReset(wait) => {
                sleep(Duration::from_millis(wait)).await;
                Self::take(&self.state, &numbers);
                Answer::None(Failure::Reset)
            }
            SinkBehaviour::Reset(wait) => {
                sleep(Duration::from_millis(wait)).await;
                Answer::None(Failure::Reset)
            }
            SinkBehaviour::Hang => std::future::pending().await,
            SinkBehaviour::Late(wait) => {
                let (reply, answer) = oneshot::channel();
                let state = self.state.clone();
                tokio::spawn(async move {
                    sleep(Duration::from_millis(wait)).await;
                    drop(reply.send(Self::take(&state, &numbers)));
                });
                match answer.await {
                    Ok(places) => {
                        self.mark_heard(places);
                        Answer::status(200)
                    }
                    Err(_) => Answer::None(Failure::Reset),
                }
            }
            SinkBehaviour::Partial(failed, unheard) => {
                let is_failed = |part: &(usize, Vec<Number>)| failed.contains(&part.0);
                let parts = parts.into_iter().enumerate();
                let (failed, taken): (Vec<_>, Vec<_>) = parts.partition(is_failed);
                let numbers = |parts: &[(usize, Vec<Number>)]| -> Vec<Number> {
                    parts.iter().flat_map(|part| part.1.clone()).collect()
                };
                let places = Self::take(&self.state, &numbers(&taken));
                self.mark_heard(places);
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
            SinkBehaviour::Unnamed(every, wait) => {
                sleep(Duration::from_millis(wait)).await;
                self.judge_all(every, &numbers)
            }
            SinkBehaviour::Names(every, wait, keeps) => {
                sleep(Duration::from_millis(wait)).await;
                self.name_one(every, keeps, &numbers)
            }
            SinkBehaviour::Judge(every, wait) => {
                sleep(Duration::from_millis(wait)).await;
                self.judge(every, &parts)
            }
            SinkBehaviour::Strict(code, every, wait) => {
                sleep(Duration::from_millis(wait)).await;
                if numbers.iter().any(|number| number.is_multiple_of(every)) {
                    if let [alone] = numbers[..] {
                        self.state.lock().unwrap().refused_alone.insert(alone);
                    }
                    return Answer::status(code);
                }
                let places = Self::take(&self.state, &numbers);
                self.mark_heard(places);
                Answer::status(200)
            }
            SinkBehaviour::TooLarge(most) if numbers.len() > most => Answer::status(413),
            SinkBehaviour::TooLarge(_) => {
                let places = Self::take(&self.state, &numbers);
                self.mark_heard(places);
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
            let number = number_of_record(record);
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
                        let number = number_of_record(record);
                        World::check_id(&self.ids, original(number), record.id());
                        self.check_route(record, number);
                        self.check_signal(record.fragment());
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
        let behaviour = self.state.lock().unwrap().behaviour.clone();
        let mut freezes = self.freezes.clone();
        freezes.mark_unchanged();
        Box::pin(async move {
            tokio::select! {
                biased;
                answer = self.answer(behaviour, numbers, parts) => answer,
                _ = freezes.changed() => Answer::None(Failure::Reset),
            }
        })
    }

    fn reset(&self) {}
}
