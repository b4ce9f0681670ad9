//! Intake: bodies become records in the buffer, and what the platform says in them is acted on.
//!
//! Invariants: a record counts as received before anything else happens to it; a turn takes in a bounded
//! amount, so that a burst does not keep the loop from looking at the clock.

use backstop_config::{Settings, TelemetryType};
use backstop_delivery::{DropReason, RecordId, Signal};
use backstop_telemetry::{Event, Kind, Platform, decode};
use backstop_transform::Place;
use bytes::Bytes;
use serde_json::json;
use tokio::time::Instant;

use super::Pipeline;
use super::transforms::Transformed;
use crate::lifecycle::api::Lifecycle;
use crate::lifecycle::flush::{FlushMode, Stage};
use crate::source::MOST_BODY_BYTES;
use crate::transform::{Derived, believed, embedded_copy, wall_of};

pub(super) const FULL: &str = "Dropped records: the buffer is full and no sink takes them";

/// What is decoded before the loop looks at everything else again, unless one body has more.
const TURN_BYTES: usize = 1024 * 1024;

/// What the operator wants delivered. Platform events are heard in any case: the lifecycle depends on them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    types: Types,
    /// Logs, or only what is made of them.
    logs: bool,
    /// Metrics and spans that the function posts.
    metrics: bool,
    spans: bool,
}

#[derive(Debug, Clone, Copy)]
struct Types {
    platform: bool,
    function: bool,
    extension: bool,
}

impl Wanted {
    pub(crate) fn new(settings: &Settings) -> Self {
        let signals = settings.primary.as_ref().map(|it| it.signals);
        Self {
            metrics: signals.is_none_or(|it| it.metrics),
            spans: signals.is_none_or(|it| it.traces),
            ..Self::of(&settings.telemetry_types, signals.is_none_or(|it| it.logs))
        }
    }

    /// These types, and logs or only what is made of them.
    pub(crate) fn of(types: &[TelemetryType], logs: bool) -> Self {
        let wants = |kind: TelemetryType| types.contains(&kind);
        Self {
            types: Types {
                platform: wants(TelemetryType::Platform),
                function: wants(TelemetryType::Function),
                extension: wants(TelemetryType::Extension),
            },
            logs,
            metrics: true,
            spans: true,
        }
    }

    /// Whether anybody gets what the function posts of this signal.
    pub(super) fn takes(self, signal: Signal) -> bool {
        match signal {
            Signal::Log => self.logs,
            Signal::Metric | Signal::PostedMetric => self.metrics,
            Signal::Span => self.spans,
        }
    }

    /// Whether logs are delivered.
    pub(super) fn logs(self) -> bool {
        self.logs
    }

    /// What nobody could ask for, or against, is delivered.
    fn includes(self, kind: &Kind) -> bool {
        match kind {
            Kind::Platform(_) => self.types.platform,
            Kind::Function => self.types.function,
            Kind::Extension => self.types.extension,
            Kind::OwnLine | Kind::Unknown | Kind::Malformed => true,
        }
    }
}

impl<L: Lifecycle> Pipeline<L> {
    /// Takes in what has arrived, as far as one turn goes.
    pub(super) fn receive(&mut self) {
        // In order: what had to wait comes before what has arrived since.
        let mut received = self.take_deferred(TURN_BYTES);
        while received < TURN_BYTES
            && let Some(body) = self.inbox.pop()
        {
            received += body.len().max(1);
            self.take_in(&body);
            self.shed();
        }
        // After Lambda's: it may say that an invocation has started.
        while received < TURN_BYTES
            && let Some(posted) = self.inbox.pop_posted()
        {
            received += posted.cost().max(1);
            self.take_posted(posted);
            self.shed();
        }
        if !self.inbox.is_empty() || (self.is_taking_deferred() && !self.waits_for_room()) {
            self.inbox.wake();
        }
        if received > 0 {
            self.report_insights(false);
            if std::mem::take(&mut self.invocation.was_cut) {
                self.stuck_until = None;
            }
        }
        self.report_refusals();
        self.flush_under_pressure();
        self.update_inbox();
        if self.may_freeze() {
            self.join_repeats();
            self.handover.keep(&mut self.buffer, &self.ledger.lock());
        }
        if received > 0 {
            self.note_received();
        }
    }

    /// The counts have grown. What waits for the transforms has no copy, so that the counts have to tell of it.
    pub(super) fn note_received(&mut self) {
        if self.deferred_records() > 0 {
            self.handover.count(&self.ledger.lock());
        } else {
            self.handover.received(&self.buffer, &self.ledger.lock());
        }
    }

    /// Drops what the buffer has no room for.
    pub(super) fn shed(&mut self) {
        self.shed_deferred();
        let shed = self.buffer.shed();
        if shed > 0 {
            self.ledger
                .lock()
                .drop_records(DropReason::BufferFull, shed as u64);
            self.log.error(
                FULL,
                &json!({"records": shed, "bufferMaxBytes": self.buffer.max_bytes()}),
            );
            self.handover.write_removals(&mut self.buffer);
        }
    }

    /// What the listener refused is Lambda's to send again, or to drop.
    fn report_refusals(&mut self) {
        let refused = self.inbox.take_refused();
        if refused.oversized > 0 {
            self.log.error(
                "Refused a telemetry request that is too large",
                &json!({"requests": refused.oversized, "maxBytes": MOST_BODY_BYTES}),
            );
        }
        if refused.crowded > 0 {
            self.log.warn(
                "Refused telemetry for now: too much of it waits to be read",
                &json!({"requests": refused.crowded}),
            );
        }
        if refused.turned_away > 0 {
            self.log.warn(
                "Told the function's OTLP exporter to retry later: the buffer is half full",
                &json!({"requests": refused.turned_away}),
            );
        }
        if refused.oversized + refused.crowded > 0 {
            self.invocation.lose_runtime_done();
            self.note_gap();
        }
    }

    /// Whether Lambda may freeze us at any moment, with something left for another run to find.
    pub(super) fn may_freeze(&self) -> bool {
        let is_ready = self.api.is_none() || self.invocation.mode == FlushMode::Continuous;
        is_ready && !self.is_last_run
    }

    fn take_in(&mut self, body: &Bytes) {
        let now = self.clock.wall();
        let mut malformed = 0;
        let is_waiting = self.waits_for_runtime_done();
        let mut last = None;
        let mut has_output = false;
        for event in decode(body, &now.rfc3339()).map(believed) {
            malformed += usize::from(matches!(event.kind, Kind::Malformed));
            has_output |= matches!(event.kind, Kind::Function);
            let has_time = !matches!(event.kind, Kind::Unknown | Kind::Malformed);
            if is_waiting && has_time && !event.is_astray {
                last = Some(event.fragment.clone());
            }
            self.take_event(event);
            self.decide_invocations();
        }
        if malformed > 0 {
            self.log.warn(
                "Telemetry that is not an event was kept as text",
                &json!({"records": malformed, "type": backstop_telemetry::MALFORMED}),
            );
        }
        if has_output {
            self.invocation.note_activity(Instant::now());
        }
        if let Some(read) = last.as_deref().and_then(wall_of) {
            self.note_backlog(read);
        }
        self.follow_handler();
    }

    fn take_event(&mut self, event: Event) {
        self.ledger.lock().receive(1);
        match &event.kind {
            Kind::OwnLine => {
                self.ledger.lock().drop_records(DropReason::OwnLog, 1);
                return;
            }
            Kind::Platform(platform) => self.observe(platform),
            Kind::Function | Kind::Extension | Kind::Unknown | Kind::Malformed => {}
        }
        if self.defers() {
            self.defer_event(event);
        } else {
            self.treat_event(&event);
        }
    }

    /// What the transforms, the routes and the invocations make of an event that was received.
    pub(super) fn treat_event(&mut self, event: &Event) {
        match &event.kind {
            // It may be what a function wrote: no id of an invocation or a span follows from that.
            Kind::Platform(Platform::Start { .. }) if event.is_astray => {
                self.enricher.invocations.lose();
            }
            Kind::Platform(Platform::Start { request_id, time }) => {
                self.enricher.invocations.started(request_id, time);
            }
            Kind::Platform(Platform::LogsDropped { .. }) => self.enricher.invocations.lose(),
            _ => {}
        }
        let place = self.transforms.place(&event.fragment);
        let parent = self.take_record(event, place);
        if matches!(event.kind, Kind::Platform(_)) && !event.is_astray {
            for derived in self.deriver.derive(&event.fragment, parent) {
                self.take_derived(derived, place);
            }
        }
    }

    /// Takes in what was received itself; gives its id, unless nobody wants it.
    fn take_record(&mut self, event: &Event, place: Place) -> Option<RecordId> {
        let is_line = event.kind == Kind::Function;
        if !self.wanted.includes(&event.kind) {
            if is_line {
                self.count_unsent(&event.fragment);
            }
            self.ledger.lock().drop_records(DropReason::NotAsked, 1);
            return None;
        }
        let Transformed {
            fragment,
            original,
            is_wanted,
            pattern,
        } = self.transformed(event.fragment.clone(), is_line)?;
        let signal = if is_line {
            self.classifier.of_output(&fragment)
        } else {
            Signal::Log
        };
        if signal == Signal::Log && !self.wanted.logs {
            self.ledger.lock().drop_records(DropReason::NotAsked, 1);
            return None;
        }
        let is_copied = is_wanted && is_line && self.classifier.copies_embedded(&fragment);
        let copy = is_copied.then(|| embedded_copy(&fragment));
        let record = if is_line && !self.managed_instances {
            self.enricher.line(fragment)
        } else {
            self.enricher.record(fragment)
        };
        let id = record.id();
        self.name_pattern(pattern, id);
        let record = record.with_signal(signal).with_original(original);
        if is_wanted {
            self.admit(record, place);
        } else {
            self.leave_out(record, DropReason::Filtered);
        }
        if let Some(fragment) = copy {
            let signal = Signal::Metric;
            self.take_derived(Derived { signal, fragment }, place);
        }
        Some(id)
    }

    pub(super) fn take_derived(&mut self, derived: Derived, place: Place) {
        self.ledger.lock().derive(1);
        self.admit_derived(derived, place);
    }

    /// Takes in a derived record that is counted.
    pub(super) fn admit_derived(&mut self, derived: Derived, place: Place) {
        let record = self.enricher.record(derived.fragment);
        self.admit(record.with_signal(derived.signal), place);
    }

    fn observe(&mut self, platform: &Platform) {
        self.runtime_done.platform_event();
        match platform {
            Platform::Start { request_id, time } => {
                if self.invocation.is_about(request_id) {
                    self.invocation.note_activity(Instant::now());
                    self.invocation.started(time, self.timeout);
                } else {
                    self.runtime_done.started_ahead(request_id, time);
                }
            }
            Platform::RuntimeDone { request_id, time } => self.note_runtime_done(request_id, time),
            Platform::Report { request_id } if self.invocation.is_about(request_id) => {
                self.invocation.is_reported = true;
                // Usually it comes after `/next`. Before that it says as much as runtimeDone, except under
                // an id that ran before, as a retry's: it may be that run's.
                let is_held = self.api.is_some() && !request_id.is_empty();
                if is_held && !self.runtime_done.note_late(request_id) {
                    self.note_runtime_done(request_id, "");
                }
            }
            Platform::RestoreStart => {
                self.restore_pending = false;
                self.restored();
            }
            Platform::LogsDropped { records, is_known } => {
                self.ledger.lock().lose_upstream(*records);
                self.invocation.lose_runtime_done();
                self.log.error(
                    "Lambda dropped telemetry before it reached us",
                    &json!({"records": records, "isKnown": is_known}),
                );
            }
            Platform::Report { .. } | Platform::Other => {}
        }
    }

    /// The runtime is done: in the invocation at hand, in an earlier one, or in one whose INVOKE has not
    /// reached us. While `/next` is held no other invocation can run, so that an event under an id that no
    /// INVOKE has named is about this one.
    fn note_runtime_done(&mut self, request_id: &str, time: &str) {
        if self.managed_instances {
            return;
        }
        let is_running = self.invocation.stage == Stage::Handler;
        if self.invocation.is_about(request_id) {
            // What was assumed of a backlog is known now. After `/next` nothing depends on it any more.
            let was_assumed = std::mem::take(&mut self.invocation.is_behind);
            if is_running || (was_assumed && self.api.is_some()) {
                self.runtime_done(time);
            }
        } else if !self.runtime_done.note_late(request_id) {
            if is_running && self.api.is_some() {
                self.runtime_done(time);
            } else {
                self.runtime_done.done_ahead(request_id, time);
            }
        }
    }
}
