//! A sink that answers as a test says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backstop_delivery::{
    Answer, Batch, Cause, Diverted, Encoded, Failure, NoSecret, Part, PartAnswer, Preparation,
    Sink, SinkFuture, SinkName, Unfit, Verdict,
};
use bytes::Bytes;
use tokio::time::{Instant, sleep};

/// What a scripted sink says.
#[derive(Debug, Clone)]
pub(crate) enum SinkBehaviour {
    Status(u16),
    RetryAfter(u16, Duration),
    After(Duration, u16),
    Nothing(Failure),
    Hang,
    /// This of each part.
    Each(Vec<PartAnswer>),
    /// This of the parts with these indices, and that it has the others.
    Parts(PartAnswer, Vec<usize>),
    /// This of each record.
    Records(Vec<PartAnswer>),
    /// 400 for the first of these records that is in the request; else 200.
    Names(Vec<u64>),
    /// 200, with this number of records refused.
    Unnamed(usize),
    /// A status that means this.
    Judged(Verdict, u16),
    /// 200 at that moment, but read only some turns of the runtime later.
    Unread(Duration),
    /// This status for a batch with one of these records in it, after so long; else 200.
    Refuses(u16, Vec<u64>, Duration),
    /// 200 after so long, and the other one for requests that come in these spans of the rig's time.
    DownIn(Vec<(Duration, Duration)>, Duration, Box<Self>),
    /// 413 for more than `most` records, or for a batch with record `never` in it.
    TooLarge {
        most: usize,
        never: Option<u64>,
    },
}

/// What a store says of the secret that a sink needs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SecretRead {
    After(Duration),
    Refuses(NoSecret),
    Nothing,
}

/// A secret that a sink needs.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// In turn; then it is given at once.
    pub(crate) in_turn: VecDeque<SecretRead>,
    pub(crate) reads: usize,
    pub(super) read_at: Option<Instant>,
}

#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) always: Option<SinkBehaviour>,
    pub(crate) in_turn: VecDeque<SinkBehaviour>,
    /// How many records it takes together, where that is not the sink's own way.
    pub(crate) records_in_a_part: Option<usize>,
    /// The most records that one request has room for.
    pub(crate) most: Option<usize>,
    /// Records, by sequence, that it would never take.
    pub(crate) unfit: BTreeMap<u64, Unfit>,
    pub(crate) calls: Vec<Call>,
    /// Without it the sink needs no secret.
    pub(crate) kept: Option<Kept>,
    pub(crate) resets: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) sequences: Vec<u64>,
    pub(crate) diverted: Option<Diverted>,
    /// The records that the sink said it took, once it said so.
    pub(crate) taken: Vec<u64>,
}

#[derive(Debug)]
pub(super) struct ScriptedSink {
    pub(super) name: SinkName,
    pub(super) script: Arc<Mutex<Script>>,
    pub(super) born: Instant,
}

/// What is said to a request that comes so long after the beginning.
fn now(say: SinkBehaviour, elapsed: Duration) -> SinkBehaviour {
    match say {
        SinkBehaviour::DownIn(spans, delay, other) => {
            let is_down = |span: &(Duration, Duration)| (span.0..span.1).contains(&elapsed);
            if spans.iter().any(is_down) {
                *other
            } else {
                SinkBehaviour::After(delay, 200)
            }
        }
        other => other,
    }
}

impl Sink for ScriptedSink {
    fn name(&self) -> SinkName {
        self.name
    }

    fn encode(&self, batch: &Batch) -> Encoded {
        let script = self.script.lock().unwrap();
        let mut encoded = Encoded {
            parts: Vec::new(),
            covers: 0,
            unfit: Vec::new(),
        };
        let mut fit = 0;
        for record in batch.records() {
            if script.most == Some(fit) {
                break;
            }
            match script.unfit.get(&record.id().sequence) {
                Some(unfit) => encoded.unfit.push((encoded.covers, *unfit)),
                None => fit += 1,
            }
            encoded.covers += 1;
        }
        // Firehose's way: several parts. The others': one, unless a test wants it otherwise.
        let own = script.records_in_a_part;
        let step = own.unwrap_or(if self.name == SinkName::Firehose {
            2
        } else {
            fit.max(1)
        });
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
        let sequences: Vec<u64> = parts
            .iter()
            .flat_map(|part| &batch.records()[part.records.clone()])
            .map(|record| record.id().sequence)
            .collect();
        let (say, index) = {
            let mut script = self.script.lock().unwrap();
            script.calls.push(Call {
                id: batch.id(),
                sequences: sequences.clone(),
                diverted: batch.diverted(),
                taken: Vec::new(),
            });
            let say = script.in_turn.pop_front().or_else(|| script.always.clone());
            (
                say.unwrap_or(SinkBehaviour::Status(200)),
                script.calls.len() - 1,
            )
        };
        let say = now(say, self.born.elapsed());
        Box::pin(async move {
            let answer = match say {
                SinkBehaviour::Status(code) => Answer::status(code),
                SinkBehaviour::RetryAfter(code, after) => Answer::Status {
                    code,
                    retry_after: Some(after),
                    detail: None,
                },
                SinkBehaviour::After(delay, code) => {
                    sleep(delay).await;
                    Answer::status(code)
                }
                SinkBehaviour::Nothing(failure) => Answer::None(failure),
                SinkBehaviour::Hang | SinkBehaviour::DownIn(..) => std::future::pending().await,
                SinkBehaviour::Each(parts) => Answer::Parts {
                    parts,
                    code: 503,
                    detail: None,
                },
                SinkBehaviour::Parts(fate, failed) => {
                    let fate_of = |index: usize| {
                        if failed.contains(&index) {
                            fate
                        } else {
                            PartAnswer::Taken
                        }
                    };
                    Answer::Parts {
                        parts: (0..parts.len()).map(fate_of).collect(),
                        code: 503,
                        detail: None,
                    }
                }
                SinkBehaviour::Records(records) => Answer::Records {
                    records,
                    refused: Some(Box::new(Cause::of_status(400, None))),
                    waiting: Some(Box::new(Cause::of_status(429, None))),
                },
                SinkBehaviour::Names(bad) => {
                    let named = sequences.iter().position(|sequence| bad.contains(sequence));
                    named.map_or(Answer::status(200), |index| Answer::Named {
                        index,
                        cause: Box::new(Cause::of_status(400, None)),
                    })
                }
                SinkBehaviour::Unnamed(refused) => Answer::Unnamed { refused, code: 200 },
                SinkBehaviour::Judged(verdict, code) => Answer::Judged {
                    verdict,
                    code,
                    detail: None,
                },
                SinkBehaviour::Unread(delay) => {
                    sleep(delay).await;
                    for _ in 0..3 {
                        tokio::task::yield_now().await;
                    }
                    Answer::status(200)
                }
                SinkBehaviour::Refuses(code, bad, delay) => {
                    sleep(delay).await;
                    let is_bad = sequences.iter().any(|sequence| bad.contains(sequence));
                    Answer::status(if is_bad { code } else { 200 })
                }
                SinkBehaviour::TooLarge { most, never } => {
                    let has_never = never.is_some_and(|never| sequences.contains(&never));
                    Answer::status(if sequences.len() > most || has_never {
                        413
                    } else {
                        200
                    })
                }
            };
            let taken = taken(&answer, sequences, parts, batch);
            self.script.lock().unwrap().calls[index].taken = taken;
            answer
        })
    }

    fn prepare(&self) -> Option<Preparation<'_>> {
        let mut script = self.script.lock().unwrap();
        let kept = script.kept.as_mut().filter(|kept| kept.read_at.is_none())?;
        kept.reads += 1;
        let gives = kept.in_turn.pop_front();
        let getting = async move {
            match gives {
                None => {}
                Some(SecretRead::After(delay)) => sleep(delay).await,
                Some(SecretRead::Refuses(why)) => return Err(why),
                Some(SecretRead::Nothing) => std::future::pending().await,
            }
            if let Some(kept) = &mut self.script.lock().unwrap().kept {
                kept.read_at = Some(Instant::now());
            }
            Ok(())
        };
        Some(Preparation {
            store: "Secrets Manager",
            getting: Box::pin(getting),
        })
    }

    fn renew(&self, asked: Instant) -> bool {
        let mut script = self.script.lock().unwrap();
        let Some(kept) = &mut script.kept else {
            return false;
        };
        kept.read_at.take_if(|at| *at <= asked);
        true
    }

    fn reset(&self) {
        self.script.lock().unwrap().resets += 1;
    }
}

/// The sequences that an answer says were taken.
fn taken(answer: &Answer, sequences: Vec<u64>, parts: &[Part], batch: &Batch) -> Vec<u64> {
    match answer {
        Answer::Status {
            code: 200..=299, ..
        }
        | Answer::Judged {
            verdict: Verdict::Delivered,
            ..
        } => sequences,
        Answer::Parts { parts: answers, .. } => taken_parts(parts, batch, answers),
        Answer::Records { records, .. } => {
            let both = sequences.into_iter().zip(records);
            let taken = both.filter(|(_, answer)| **answer == PartAnswer::Taken);
            taken.map(|(sequence, _)| sequence).collect()
        }
        _ => Vec::new(),
    }
}

/// The sequences in the parts that were taken.
fn taken_parts(parts: &[Part], batch: &Batch, answers: &[PartAnswer]) -> Vec<u64> {
    let both = parts.iter().zip(answers);
    both.filter(|(_, answer)| **answer == PartAnswer::Taken)
        .flat_map(|(part, _)| &batch.records()[part.records.clone()])
        .map(|record| record.id().sequence)
        .collect()
}
