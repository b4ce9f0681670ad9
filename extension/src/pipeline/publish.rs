//! Publications of the counts: when they come in the pipeline's life.
//!
//! Invariants: what is sent to the primary is a record like others, counted before it is published; the
//! last lines are written when the ledger is closed, so that they add up to the ledger line.

use std::io::Write as _;

use backstop_transform::Place;

use super::Pipeline;
use crate::lifecycle::api::Lifecycle;
use crate::transform::of_counts;

impl<L: Lifecycle> Pipeline<L> {
    /// Publishes what was counted, once a minute, where anything was.
    pub(super) fn publish_when_due(&mut self) {
        let now = self.clock.wall();
        if !self.metrics.is_due(now) || !self.metrics.has_news(&self.ledger.lock()) {
            return;
        }
        self.metrics.published(now);
        self.send_points();
        self.write_lines();
    }

    /// `/next` is called. Where nobody heard of the runtime's end, nobody knows what was added.
    pub(super) fn note_added_time(&mut self) {
        if let Some(since) = self.held_since.take() {
            self.metrics.held(since.elapsed());
        }
    }

    /// At shutdown, while records can still be sent.
    pub(super) fn publish_before_remaining(&mut self) {
        self.send_points();
    }

    /// When nothing changes any more.
    pub(super) fn publish_remaining(&mut self) {
        self.write_lines();
    }

    fn send_points(&mut self) {
        let counts = self.ledger.lock().clone();
        let points = self.metrics.points(&counts, &self.chain.breakers());
        if !points.is_empty() {
            let record = of_counts(&self.clock.wall().rfc3339(), &points);
            if self.defers() {
                self.ledger.lock().derive(1);
                self.defer_derived(record);
            } else {
                self.take_derived(record, Place::Keep);
            }
            self.shed();
            if self.may_freeze() {
                self.handover.keep(&mut self.buffer, &self.ledger.lock());
            }
            self.note_received();
        }
    }

    fn write_lines(&mut self) {
        let breakers = self.chain.breakers();
        let counts = self.ledger.lock().clone();
        let lines = self.metrics.lines(&counts, &breakers, self.clock.wall());
        if !lines.is_empty() {
            let mut stdout = std::io::stdout().lock();
            // Nobody is left to tell when stdout is closed.
            drop(
                stdout
                    .write_all(lines.as_bytes())
                    .and_then(|()| stdout.flush()),
            );
        }
    }
}
