//! What the function posts by OTLP becomes records in the buffer, as what Lambda sends does.
//!
//! Invariant: an item counts as received once it is taken, and from then on like any record.

use backstop_delivery::{DropReason, Signal};
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
        for fragment in posted.fragments {
            self.ledger.lock().receive(1);
            self.take_item(fragment, posted.signal);
            self.decide_invocations();
        }
        self.follow_handler();
    }

    fn take_item(&mut self, fragment: Bytes, signal: Signal) {
        let request_id = &self.invocation.request_id;
        let place = self.transforms.place_posted(&fragment, request_id);
        if !self.wanted.takes(signal) {
            self.ledger.lock().drop_records(DropReason::NotAsked, 1);
            return;
        }
        let Some(Transformed {
            fragment,
            is_wanted,
            ..
        }) = self.transformed(fragment, false)
        else {
            return;
        };
        // Points are of no single invocation, and on Managed Instances nobody knows which one an item is of.
        let is_of_one = signal != Signal::Metric && !self.managed_instances;
        let current = is_of_one.then(|| (&*self.invocation.request_id, self.invocation.began()));
        let record = self.enricher.posted(fragment, current);
        let record = record.with_signal(signal);
        if is_wanted {
            self.admit(record, place);
        } else {
            self.leave_out(record, DropReason::Filtered);
        }
    }
}
