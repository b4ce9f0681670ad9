//! Intake: bodies become records in the buffer, and what the platform says in them is acted on.
//!
//! Invariant: a record counts as received before anything else happens to it.

use backstop_delivery::DropReason;
use backstop_telemetry::{Kind, Platform, decode};
use bytes::Bytes;
use serde_json::json;

use super::Pipeline;
use crate::lifecycle::api::Lifecycle;
use crate::lifecycle::flush::{Manner, Stage};
use crate::source::MOST_BODY_BYTES;

impl<L: Lifecycle> Pipeline<L> {
    /// Takes in all that has arrived.
    pub(super) fn receive(&mut self) {
        let mut has_received = false;
        while let Some(body) = self.inbox.pop() {
            has_received = true;
            self.take_in(&body);
            let shed = self.buffer.shed();
            if shed > 0 {
                self.ledger
                    .lock()
                    .drop_records(DropReason::BufferFull, shed as u64);
                self.log.error(
                    "Dropped records: the buffer is full and no sink takes them",
                    &json!({"records": shed, "bufferMaxBytes": self.buffer.max_bytes()}),
                );
                self.handover.strike(&mut self.buffer);
            }
        }
        let oversized = self.inbox.take_oversized();
        if oversized > 0 {
            self.log.error(
                "Refused a telemetry request that is too large",
                &json!({"requests": oversized, "maxBytes": MOST_BODY_BYTES}),
            );
        }
        self.hurry_when_pressed();
        self.tell_inbox();
        if has_received {
            self.handover.count(&self.ledger.lock());
        }
        if self.may_freeze() {
            self.handover.keep(&mut self.buffer);
        }
    }

    /// Whether Lambda may freeze us at any moment, with something left.
    fn may_freeze(&self) -> bool {
        self.api.is_none() || self.invocation.manner == Manner::Continuous
    }

    fn take_in(&mut self, body: &Bytes) {
        let now = self.clock.wall();
        let mut malformed = 0;
        for event in decode(body, &now.rfc3339()) {
            self.ledger.lock().receive(1);
            match &event.kind {
                Kind::OwnLine => {
                    self.ledger.lock().drop_records(DropReason::OwnLog, 1);
                    continue;
                }
                Kind::Malformed => malformed += 1,
                Kind::Platform(platform) => self.observe(platform),
                Kind::Function | Kind::Extension | Kind::Unknown => {}
            }
            let record = self.enricher.record(event.fragment);
            self.buffer.push(record, now);
        }
        if malformed > 0 {
            self.log.warn(
                "Telemetry that is not an event was kept as text",
                &json!({"records": malformed, "type": backstop_telemetry::MALFORMED}),
            );
        }
    }

    fn observe(&mut self, platform: &Platform) {
        let is_ours =
            |request_id: &str| request_id.is_empty() || request_id == self.invocation.request_id;
        match platform {
            Platform::RuntimeDone { request_id, time } if is_ours(request_id) => {
                if self.invocation.stage == Stage::Handler && !self.managed_instances {
                    self.runtime_done(time);
                }
            }
            Platform::Report { request_id } if is_ours(request_id) => {
                self.invocation.is_reported = true;
            }
            Platform::RestoreStart => {
                self.restore_pending = false;
                self.restored();
            }
            Platform::LogsDropped { records } => {
                self.ledger.lock().lose_upstream(*records);
                self.log.error(
                    "Lambda dropped telemetry before it reached us",
                    &json!({"records": records}),
                );
            }
            Platform::RuntimeDone { .. } | Platform::Report { .. } | Platform::Other => {}
        }
    }
}
