//! A sink of the chain: its script, its secret, and what it was sent.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backstop_delivery::{
    Batch, Diverted, Encoded, NoSecret, Part, Preparation, Sink, SinkFuture, SinkName, Unfit,
};
use backstop_scripted_sink::{Layout, Request, SinkBehaviour, Witness, answer};
use tokio::time::{Instant, sleep};

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
    /// The records that the sink took, and whether it said so.
    taken: Vec<(u64, bool)>,
}

impl Call {
    /// The records that the sink said it took.
    pub(crate) fn said_taken(&self) -> impl Iterator<Item = u64> {
        let said = self.taken.iter().filter(|(_, said)| *said);
        said.map(|(sequence, _)| *sequence)
    }
}

#[derive(Debug)]
pub(super) struct ScriptedSink {
    pub(super) name: SinkName,
    pub(super) script: Arc<Mutex<Script>>,
    pub(super) born: Instant,
}

/// What the sink took of one call.
#[derive(Debug, Clone)]
struct CallWitness {
    script: Arc<Mutex<Script>>,
    call: usize,
}

impl Witness for CallWitness {
    fn take(&self, numbers: &[u64]) -> Range<usize> {
        let taken = &mut self.script.lock().unwrap().calls[self.call].taken;
        let start = taken.len();
        taken.extend(numbers.iter().map(|number| (*number, false)));
        start..taken.len()
    }

    fn hear(&self, places: Range<usize>) {
        let taken = &mut self.script.lock().unwrap().calls[self.call].taken;
        taken[places]
            .iter_mut()
            .for_each(|(_, heard)| *heard = true);
    }

    fn refuse(&self, _: &[u64]) {}
}

impl Sink for ScriptedSink {
    fn name(&self) -> SinkName {
        self.name
    }

    fn encode(&self, batch: &Batch) -> Encoded {
        let script = self.script.lock().unwrap();
        // Firehose's way: several parts. The others': one, unless a test wants it otherwise.
        let own = (self.name == SinkName::Firehose).then_some(2);
        let layout = Layout {
            room: script.most.unwrap_or(usize::MAX),
            records_in_a_part: script.records_in_a_part.or(own),
        };
        layout.encode(batch, |record| {
            script.unfit.get(&record.id().sequence).copied()
        })
    }

    fn send<'a>(&'a self, batch: &'a Batch, parts: &'a [Part]) -> SinkFuture<'a> {
        let sequences = |part: &Part| -> Vec<u64> {
            let records = batch.records()[part.records.clone()].iter();
            records.map(|record| record.id().sequence).collect()
        };
        let request = Request {
            units: parts.iter().map(sequences).collect(),
            of_records: false,
            elapsed: self.born.elapsed(),
        };
        let (behaviour, call) = {
            let mut script = self.script.lock().unwrap();
            script.calls.push(Call {
                id: batch.id(),
                sequences: request.units.concat(),
                diverted: batch.diverted(),
                taken: Vec::new(),
            });
            let behaviour = script.in_turn.pop_front().or_else(|| script.always.clone());
            (
                behaviour.unwrap_or(SinkBehaviour::Status(200)),
                script.calls.len() - 1,
            )
        };
        let witness = CallWitness {
            script: self.script.clone(),
            call,
        };
        Box::pin(async move { answer(behaviour, request, &witness).await })
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
