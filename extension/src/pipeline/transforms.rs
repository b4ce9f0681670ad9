//! The transforms in the pipeline: what they say of a record is done to the buffer, and counted.
//!
//! Invariants: every removed record is counted under its reason; what waits for a decision is bounded,
//! and decided before the books are closed. Free where nothing is configured.

use std::collections::HashMap;

use backstop_config::{ConfigError, TransformSettings};
use backstop_delivery::{DropReason, Record, RecordId, Signal};
use backstop_transform::{Outcome, Place, Repeats, Sampler, Transforms};
use bytes::Bytes;

use super::Pipeline;
use crate::lifecycle::api::Lifecycle;

/// The share of the buffer that may wait for decisions.
const UNDECIDED_SHARE: usize = 4;

/// What is configured.
#[derive(Debug)]
pub(crate) struct Transforming {
    transforms: Transforms,
    sampler: Option<Sampler>,
    repeats: Option<Repeats<RecordId>>,
}

impl Transforming {
    /// Compiles the settings; an error is added for each pattern that is not valid.
    pub(crate) fn new(settings: &TransformSettings, errors: &mut Vec<ConfigError>) -> Self {
        Self {
            transforms: Transforms::new(settings, errors),
            sampler: settings.sample.map(Sampler::new),
            repeats: settings.dedupe.then(Repeats::default),
        }
    }

    /// Where a record goes. Each is asked for, wanted or not: the platform's say how an invocation ended.
    pub(super) fn place(&mut self, fragment: &[u8]) -> Place {
        let sampler = self.sampler.as_mut();
        sampler.map_or(Place::Keep, |sampler| sampler.place(fragment))
    }

    /// Where what the function posted goes, while this invocation is at hand.
    pub(super) fn place_posted(&mut self, fragment: &[u8], request_id: &str) -> Place {
        let sampler = self.sampler.as_mut();
        sampler.map_or(Place::Keep, |sampler| {
            sampler.place_posted(fragment, request_id.as_bytes())
        })
    }

    /// Another environment goes on from here: what waits is kept.
    pub(super) fn restored(&mut self) {
        if let Some(sampler) = &mut self.sampler {
            sampler.finish();
        }
    }

    pub(super) fn redacted(&self) -> &[(String, u64)] {
        self.transforms.redacted()
    }
}

impl<L: Lifecycle> Pipeline<L> {
    /// The record without what is to be redacted; `None` where the filter drops it.
    pub(super) fn transformed(&mut self, fragment: Bytes) -> Option<Bytes> {
        match self.transforms.transforms.apply(&fragment) {
            Outcome::Keep => Some(fragment),
            Outcome::Replace(fragment) => Some(fragment.into()),
            Outcome::Drop(_) => {
                self.ledger.lock().drop_records(DropReason::Filtered, 1);
                None
            }
        }
    }

    /// Puts a record in its place in the buffer.
    pub(super) fn admit(&mut self, record: Record, place: Place) {
        // Points are added up: they are of no single invocation, and a repeat of one counts.
        if record.signal() == Signal::Metric {
            self.buffer.push(record, self.clock.wall());
            return;
        }
        if place == Place::Drop {
            self.ledger.lock().drop_records(DropReason::Sampled, 1);
            return;
        }
        if let Some(repeats) = &mut self.transforms.repeats {
            let [text, member] = record.members();
            // A line that may be dropped yet cannot be counted for one of another invocation.
            let is_repeat = match place {
                Place::Hold(handle) => repeats.is_repeat(text, &handle.to_bytes(), record.id()),
                _ => repeats.is_repeat(text, member, record.id()),
            };
            if is_repeat {
                self.ledger.lock().drop_records(DropReason::Deduped, 1);
                return;
            }
        }
        match place {
            Place::Hold(handle) => self.buffer.hold(record, handle),
            _ => self.buffer.push(record, self.clock.wall()),
        }
    }

    /// Does what was decided of invocations. Of those that take too much memory the oldest is decided early.
    pub(super) fn decide_invocations(&mut self) {
        let Some(sampler) = &mut self.transforms.sampler else {
            return;
        };
        let now = self.clock.wall();
        let mut is_early = false;
        loop {
            for decision in sampler.take_decisions() {
                let (records, had_copies) = self.buffer.decide(decision, now);
                let mut ledger = self.ledger.lock();
                if !decision.keep {
                    ledger.drop_records(DropReason::Sampled, records);
                } else if is_early {
                    ledger.note_kept_early(records);
                }
                drop(ledger);
                if had_copies && !decision.keep {
                    self.handover.strike(&mut self.buffer);
                }
            }
            let most = self.buffer.max_bytes() / UNDECIDED_SHARE;
            is_early = self.buffer.undecided_bytes() > most && sampler.decide_early();
            if !is_early {
                return;
            }
        }
    }

    /// No invocation will be decided any more: what waits is kept, and so is what comes.
    pub(super) fn end_sampling(&mut self) {
        self.transforms.restored();
        self.decide_invocations();
        self.transforms.sampler = None;
    }

    /// The lines that were repeated say so. Afterwards they may be sent or copied.
    pub(super) fn join_repeats(&mut self) {
        let Some(repeats) = &mut self.transforms.repeats else {
            return;
        };
        let repeated: HashMap<RecordId, _> = repeats.take().into_iter().collect();
        if repeated.is_empty() {
            return;
        }
        self.buffer.rewrite(|record| {
            let written = repeated.get(&record.id())?.written(record.fragment())?;
            Some(written.into())
        });
        // The lines have become longer.
        self.shed();
    }
}
