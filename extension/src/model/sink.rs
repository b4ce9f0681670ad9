//! A sink of the world outside: how it answers, and what it has then.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backstop_delivery::{
    Answer, Batch, Encoded, Failure, Part, Record, RecordId, Route, Signal, Sink, SinkFuture,
    SinkName, Unfit,
};
use backstop_scripted_sink::{Layout, Request, Witness, answer};
use tokio::sync::watch;

use super::insights::{self, Reports};
use super::routes::{number_of_record, original};
use super::steps::{Metrics, may_be_metric};
use super::world::{Number, State, Taken, World, check_original};

/// Records that are refused alone, and none taken, before the chain takes a sink to refuse all.
const ENOUGH_REFUSED: usize = 8;

#[derive(Debug)]
pub(super) struct ModelSink {
    pub(super) name: SinkName,
    /// What it takes; `None` where it takes each signal.
    pub(super) signal: Option<Signal>,
    pub(super) metrics: Metrics,
    pub(super) keeps_originals: bool,
    pub(super) room: usize,
    pub(super) unfit_every: u64,
    pub(super) witness: StateWitness,
    pub(super) reports: Reports,
    pub(super) ids: Arc<Mutex<BTreeMap<Number, RecordId>>>,
    pub(super) not_for_primary: Arc<Mutex<BTreeSet<Number>>>,
    pub(super) freezes: watch::Receiver<u64>,
}

/// Writes into what is known of the sink outside.
#[derive(Debug, Clone)]
pub(super) struct StateWitness(pub(super) Arc<Mutex<State>>);

impl Witness for StateWitness {
    fn take(&self, numbers: &[Number]) -> Range<usize> {
        let mut state = self.0.lock().unwrap();
        if !numbers.is_empty() {
            state.refused_in_a_row = 0;
        }
        if numbers.iter().any(|number| may_be_metric(*number)) {
            state.metrics_refused_in_a_row = 0;
        }
        let start = state.taken.len();
        state.taken.extend(numbers.iter().map(|&number| Taken {
            number,
            heard: false,
            is_removed: false,
        }));
        start..state.taken.len()
    }

    fn hear(&self, taken: Range<usize>) {
        let mut state = self.0.lock().unwrap();
        state.taken[taken]
            .iter_mut()
            .for_each(|taken| taken.heard = true);
    }

    fn refuse(&self, numbers: &[Number]) {
        let mut state = self.0.lock().unwrap();
        state.refused_alone.extend(numbers);
        state.refused_in_a_row += usize::from(numbers.len() == 1);
        // Metrics have bodies of their own, between which logs are taken.
        let is_metric = matches!(numbers, [number] if may_be_metric(*number));
        state.metrics_refused_in_a_row += usize::from(is_metric);
        // From here on it is taken to refuse everything: the rest of a body is not asked.
        let most = state.refused_in_a_row.max(state.metrics_refused_in_a_row);
        state.has_refused_all |= most >= ENOUGH_REFUSED;
    }
}

impl ModelSink {
    /// Each record is where its signal goes, whatever it went through.
    fn check_signal(&self, fragment: &[u8]) {
        let text = String::from_utf8_lossy(fragment);
        // A template may name the members of a line in the embedded metric format.
        let is_moved =
            self.metrics == Metrics::Moved && text.contains("_aws") && !insights::is_report(&text);
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
}

impl Sink for ModelSink {
    fn name(&self) -> SinkName {
        self.name
    }

    fn encode(&self, batch: &Batch) -> Encoded {
        // Several parts for Firehose; the others take one. The primary has room for so much, and a taste.
        let is_primary = self.name == SinkName::Https;
        let layout = Layout {
            room: if is_primary { self.room } else { usize::MAX },
            records_in_a_part: (self.name == SinkName::Firehose).then_some(3),
        };
        let every = self.unfit_every;
        layout.encode(batch, |record| {
            let number = number_of_record(record);
            let is_unfit = is_primary && every != u64::MAX && number.is_multiple_of(every);
            is_unfit.then(|| {
                // Not asked, so that it says nothing of what the sink refuses.
                let mut state = self.witness.0.lock().unwrap();
                state.refused_alone.insert(number);
                Unfit::TooOld
            })
        })
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
                        check_original(record, self.keeps_originals);
                        self.reports.see(record);
                        number
                    })
                    .collect()
            })
            .collect();
        // The primary judges each record by itself.
        let of_records = self.name == SinkName::Https;
        let units = if of_records {
            parts
                .concat()
                .into_iter()
                .map(|number| vec![number])
                .collect()
        } else {
            parts
        };
        let request = Request {
            units,
            of_records,
            elapsed: Duration::ZERO,
        };
        let behaviour = self.witness.0.lock().unwrap().behaviour.clone();
        let mut freezes = self.freezes.clone();
        freezes.mark_unchanged();
        Box::pin(async move {
            tokio::select! {
                biased;
                answer = answer(behaviour, request, &self.witness) => answer,
                _ = freezes.changed() => Answer::None(Failure::Reset),
            }
        })
    }

    fn reset(&self) {}
}
