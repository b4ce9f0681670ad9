//! What the function posts by OTLP becomes records in the buffer, as what Lambda sends does.
//!
//! Invariant: an item counts as received once it is taken, and from then on like any record.

use backstop_delivery::{DropReason, Signal, Wall};
use backstop_sinks::otlp::Received;
use bytes::Bytes;
use tokio::time::Instant;

use super::Pipeline;
use super::transforms::Transformed;
use crate::lifecycle::api::Lifecycle;

impl<L: Lifecycle> Pipeline<L> {
    /// Takes in what one request held.
    pub(super) fn take_posted(&mut self, posted: Received) {
        self.invocation.note_activity(Instant::now());
        self.ledger.lock().receive(posted.fragments.len() as u64);
        if self.defers() {
            self.defer_posted(posted);
        } else {
            let current = (self.invocation.request_id.clone(), self.invocation.began());
            self.treat_posted(posted, &current);
        }
        self.follow_handler();
    }

    /// What the transforms and the routes make of what was posted while this invocation was at hand.
    pub(super) fn treat_posted(&mut self, posted: Received, current: &(String, Wall)) {
        for fragment in posted.fragments {
            self.take_item(fragment, posted.signal, current);
            self.decide_invocations();
        }
    }

    fn take_item(&mut self, fragment: Bytes, signal: Signal, current: &(String, Wall)) {
        let (request_id, began) = current;
        let place = self.transforms.place_posted(&fragment, request_id);
        let is_log = signal == Signal::Log;
        if !self.wanted.takes(signal) {
            if is_log {
                self.count_unsent(&fragment);
            }
            self.ledger.lock().drop_records(DropReason::NotAsked, 1);
            return;
        }
        let Some(Transformed {
            fragment,
            original,
            is_wanted,
            pattern,
        }) = self.transformed(fragment, is_log)
        else {
            return;
        };
        // Points are of no single invocation, and on Managed Instances nobody knows which one an item is of.
        let is_of_one = signal != Signal::Metric && !self.managed_instances;
        let current = is_of_one.then_some((&**request_id, *began));
        let record = self.enricher.posted(fragment, current);
        self.name_pattern(pattern, record.id());
        let signal = self.classifier.of_posted(signal);
        let record = record.with_signal(signal).with_original(original);
        if is_wanted {
            self.admit(record, place);
        } else {
            self.leave_out(record, DropReason::Filtered);
        }
    }
}
