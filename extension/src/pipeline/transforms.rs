//! The transforms in the pipeline: what they say of a record is done to the buffer, and counted.
//!
//! Invariants: every removed record is counted under its reason; what waits for a decision is bounded,
//! and decided before the ledger is closed. Free where nothing is configured.

use std::collections::HashMap;

use backstop_config::{ConfigError, TransformSettings};
use backstop_delivery::{DropReason, Record, RecordId, Signal};
use backstop_transform::{Decision, Outcome, Parts, Place, Repeats, Sampler, Transforms};
use bytes::Bytes;

use super::Pipeline;
use super::insights::PatternCounter;
use crate::lifecycle::api::Lifecycle;

/// The share of the buffer that may wait for decisions.
const UNDECIDED_SHARE: usize = 4;

/// A record and its original are archived together up to here, so that the line is one that Firehose takes: 1,000 KiB
/// (<https://docs.aws.amazon.com/firehose/latest/dev/limits.html>).
const MOST_WITH_ORIGINAL: usize = 900 * 1024;

/// What is configured.
#[derive(Debug)]
pub(crate) struct TransformStage {
    pub(super) transforms: Transforms,
    sampler: Option<Sampler>,
    repeats: Option<Repeats<RecordId>>,
    archives_originals: bool,
    pub(super) insights: Option<PatternCounter>,
}

/// A record after the transforms of single records.
#[derive(Debug)]
pub(super) struct Transformed {
    pub(super) fragment: Bytes,
    /// What was redacted, where the archive is to have it.
    pub(super) original: Option<Bytes>,
    /// The filter wants it for the primary.
    pub(super) is_wanted: bool,
    /// The pattern that it counts for.
    pub(super) pattern: Option<usize>,
}

impl TransformStage {
    /// Compiles the settings; an error is added for each pattern that is not valid.
    pub(crate) fn new(settings: &TransformSettings, errors: &mut Vec<ConfigError>) -> Self {
        Self {
            transforms: Transforms::new(settings, errors),
            sampler: settings.sample.map(Sampler::new),
            repeats: settings.dedupe.then(Repeats::default),
            archives_originals: settings.archives_originals,
            insights: settings.insights.then(PatternCounter::default),
        }
    }

    /// None, until they are known.
    pub(crate) fn none() -> Self {
        Self::new(&TransformSettings::default(), &mut Vec::new())
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

/// The value of the member `record`, as JSON, where it may stand beside what it was redacted to.
fn original_of(fragment: &Bytes, redacted: &[u8]) -> Option<Bytes> {
    let parts = Parts::of(fragment)?;
    let is_small = parts.record.len() + redacted.len() <= MOST_WITH_ORIGINAL;
    is_small.then(|| fragment.slice_ref(parts.record))
}

impl<L: Lifecycle> Pipeline<L> {
    /// The record without what is to be redacted; `None` where the filter drops it. A line counts in either case.
    pub(super) fn transformed(&mut self, fragment: Bytes, is_line: bool) -> Option<Transformed> {
        let archives = self.routes.archives_dropped();
        let TransformStage {
            transforms,
            insights,
            archives_originals,
            ..
        } = &mut self.transforms;
        let mut insights = insights.as_mut().filter(|_| is_line);
        let (outcome, is_wanted) = match transforms.apply(&fragment) {
            Outcome::Drop(_) if archives || insights.is_some() => {
                (transforms.redact_dropped(&fragment), false)
            }
            Outcome::Drop(cause) => (Outcome::Drop(cause), false),
            outcome => (outcome, true),
        };
        let original = match &outcome {
            Outcome::Replace(redacted) if *archives_originals => original_of(&fragment, redacted),
            _ => None,
        };
        let fragment = match outcome {
            Outcome::Keep => Some(fragment),
            Outcome::Replace(fragment) => Some(fragment.into()),
            Outcome::Drop(_) => None,
        };
        let counted = insights.as_mut().zip(fragment.as_ref());
        let clock = &self.clock;
        let pattern =
            counted.and_then(|(insights, fragment)| insights.count(fragment, clock.wall()));
        let fragment = fragment.filter(|_| is_wanted || archives);
        if fragment.is_none() {
            self.ledger.lock().drop_records(DropReason::Filtered, 1);
        }
        Some(Transformed {
            fragment: fragment?,
            original,
            is_wanted,
            pattern,
        })
    }

    /// Puts a record in its place in the buffer.
    pub(super) fn admit(&mut self, record: Record, place: Place) {
        // Points are added up: they are of no single invocation, and a repeat of one counts.
        if matches!(record.signal(), Signal::Metric | Signal::PostedMetric) {
            self.deliver(record);
            return;
        }
        if place == Place::Drop {
            self.leave_out(record, DropReason::Sampled);
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
                self.leave_out(record, DropReason::Deduped);
                return;
            }
        }
        match place {
            Place::Hold(handle) => self.buffer.hold(record, handle),
            _ => self.deliver(record),
        }
    }

    /// Does what was decided of invocations. Of those that take too much memory the oldest is decided early.
    pub(super) fn decide_invocations(&mut self) {
        let mut is_early = false;
        loop {
            let Some(sampler) = &mut self.transforms.sampler else {
                return;
            };
            for decision in sampler.take_decisions() {
                self.decided(decision, is_early);
            }
            let most = self.buffer.max_bytes() / UNDECIDED_SHARE;
            let is_much = self.buffer.undecided_bytes() > most;
            let sampler = self.transforms.sampler.as_mut();
            is_early = is_much && sampler.is_some_and(Sampler::decide_early);
            if !is_early {
                return;
            }
        }
    }

    fn decided(&mut self, decision: Decision, is_early: bool) {
        let records = self.buffer.take_held(decision.handle);
        if decision.keep {
            if is_early {
                self.ledger.lock().note_kept_early(records.len() as u64);
            }
            for record in records {
                self.deliver_late(record);
            }
            // There may be copies of them now.
            self.shed();
            return;
        }
        let mut had_copies = false;
        for record in records {
            had_copies |= self.buffer.forget(&record);
            self.leave_out(record, DropReason::Sampled);
        }
        if had_copies {
            if self.routes.archives_dropped() {
                // Its next copy first: a kill may come between the two.
                self.handover.keep(&mut self.buffer, &self.ledger.lock());
            }
            self.handover.write_removals(&mut self.buffer);
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
        // The archive has each line as it came, where it has all of them.
        let copies = !self.routes.archives_dropped();
        self.buffer.rewrite(|record| {
            if record.route().is_archive_only() && !copies {
                return None;
            }
            let written = repeated.get(&record.id())?.written(record.fragment())?;
            Some(written.into())
        });
        // The lines have become longer.
        self.shed();
    }
}
