//! The platform's queue of telemetry events, from the emission to the acknowledgement.
//!
//! Invariants: order is never changed; emitted = acknowledged + dropped + what is still here; what
//! is dropped is reported by a `platform.logsDropped` event in front of the next batch. Must not do
//! any I/O: [`super::delivery`] does.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::Subscription;
use crate::time;

const SLOW_CONSUMER: &str = "Some logs were dropped because the downstream consumer is slower than \
                             the logs production rate";

/// What a subscription selects by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Platform,
    Function,
    Extension,
    /// Injected text of any kind: always delivered.
    Raw,
}

impl Kind {
    /// The kind of an event with this `type`.
    pub(super) fn of(event_type: &str) -> Self {
        match event_type {
            "function" => Self::Function,
            "extension" => Self::Extension,
            _ => Self::Platform,
        }
    }

    fn selected(self, types: &[String]) -> bool {
        let name = match self {
            Self::Platform => "platform",
            Self::Function => "function",
            Self::Extension => "extension",
            Self::Raw => return true,
        };
        types.iter().any(|kind| kind == name)
    }
}

/// One event as the text that is sent.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) kind: Kind,
    pub(super) json: String,
    pub(super) queued_at: Instant,
}

/// Totals since the environment started, in events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TelemetryCounts {
    /// Put into the queue for the subscribed types.
    pub emitted: u64,
    /// Answered 2xx by the extension's listener.
    pub acknowledged: u64,
    /// Dropped by the platform: the queue was full, the listener failed for too long, or the
    /// process ended before they could be delivered.
    pub dropped: u64,
    /// Batches that were acknowledged.
    pub batches: u64,
    /// Attempts that failed and were repeated.
    pub retries: u64,
}

/// When the next batch can be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Now,
    At(Instant),
    Never,
}

#[derive(Debug)]
pub(super) struct Queue {
    events: VecDeque<Event>,
    bytes: usize,
    limit_bytes: usize,
    subscription: Option<Subscription>,
    unreported: Unreported,
    pub(super) counts: TelemetryCounts,
    pub(super) flushing: bool,
    pub(super) in_flight: usize,
    /// Of those, lines that the extension itself wrote.
    echoes_in_flight: usize,
    closed: bool,
}

#[derive(Debug, Default)]
struct Unreported {
    records: u64,
    bytes: usize,
    reason: &'static str,
}

impl Queue {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self {
            events: VecDeque::new(),
            bytes: 0,
            limit_bytes,
            subscription: None,
            unreported: Unreported::default(),
            counts: TelemetryCounts::default(),
            flushing: false,
            in_flight: 0,
            echoes_in_flight: 0,
            closed: false,
        }
    }

    pub(super) fn subscription(&self) -> Option<&Subscription> {
        self.subscription.as_ref()
    }

    /// Events from before the subscription are kept for it, as Lambda does.
    pub(super) fn subscribe(&mut self, subscription: Subscription) {
        if self.subscription.is_none() {
            self.events
                .retain(|event| event.kind.selected(&subscription.types));
            self.bytes = self.events.iter().map(|event| event.json.len()).sum();
            self.counts.emitted = count(self.events.len());
        }
        self.subscription = Some(subscription);
    }

    pub(super) fn push(&mut self, kind: Kind, json: String) {
        if self.closed {
            return;
        }
        if let Some(subscription) = &self.subscription {
            if !kind.selected(&subscription.types) {
                return;
            }
            self.counts.emitted += 1;
        }
        self.bytes += json.len();
        self.events.push_back(Event {
            kind,
            json,
            queued_at: Instant::now(),
        });
        while self.bytes > self.limit_bytes {
            let Some(oldest) = self.events.pop_front() else {
                break;
            };
            self.bytes -= oldest.json.len();
            if self.subscription.is_some() {
                self.note_drop(1, oldest.json.len(), SLOW_CONSUMER);
            }
        }
    }

    /// Whether a batch is full, or old enough, or wanted at once.
    pub(super) fn due(&self) -> Due {
        let (Some(subscription), Some(first)) = (&self.subscription, self.events.front()) else {
            return Due::Never;
        };
        let full =
            self.events.len() >= subscription.max_items || self.bytes >= subscription.max_bytes;
        if full || self.flushing {
            return Due::Now;
        }
        let at = first.queued_at + Duration::from_millis(subscription.timeout_ms);
        if at <= Instant::now() {
            Due::Now
        } else {
            Due::At(at)
        }
    }

    /// Takes the next batch out: a batch ends with the event that reaches a limit.
    pub(super) fn take(&mut self) -> Vec<Event> {
        let Some(subscription) = &self.subscription else {
            return Vec::new();
        };
        let (max_items, max_bytes) = (subscription.max_items, subscription.max_bytes);
        let platform = Kind::Platform.selected(&subscription.types);
        let mut batch = Vec::new();
        let mut bytes = 0;
        if self.unreported.records > 0 {
            let Unreported {
                records,
                bytes: lost,
                reason,
            } = std::mem::take(&mut self.unreported);
            if platform {
                let event = logs_dropped(records, lost, reason);
                self.counts.emitted += 1;
                bytes += event.json.len();
                batch.push(event);
            }
        }
        while batch.len() < max_items && bytes < max_bytes {
            let Some(event) = self.events.pop_front() else {
                break;
            };
            self.bytes -= event.json.len();
            bytes += event.json.len();
            batch.push(event);
        }
        self.in_flight = batch.len();
        self.echoes_in_flight = echoes(&batch);
        batch
    }

    pub(super) fn acknowledge(&mut self, batch: &[Event]) {
        self.in_flight = 0;
        self.counts.acknowledged += count(batch.len());
        self.counts.batches += 1;
    }

    /// Gives a batch up after the last attempt.
    pub(super) fn give_up(&mut self, batch: &[Event], reason: &'static str) {
        self.in_flight = 0;
        let bytes = batch.iter().map(|event| event.json.len()).sum();
        self.note_drop(count(batch.len()), bytes, reason);
    }

    /// Ends it: what is left, in flight or not, counts as dropped, and nothing more is taken.
    ///
    /// All but the extension's own last words: there is no one left to hear their echo, so they count
    /// as never sent.
    pub(super) fn close(&mut self) {
        if self.subscription.is_some() {
            let in_flight = if self.in_flight > 0 {
                self.echoes_in_flight
            } else {
                0
            };
            let unheard = echoes(&self.events) + in_flight;
            self.counts.emitted -= count(unheard);
            self.counts.dropped += count(self.events.len() + self.in_flight - unheard);
        }
        self.events.clear();
        self.bytes = 0;
        self.in_flight = 0;
        self.closed = true;
    }

    /// Nothing is left to deliver, or nobody wants it.
    pub(super) fn is_idle(&self) -> bool {
        self.subscription.is_none() || (self.events.is_empty() && self.in_flight == 0)
    }

    fn note_drop(&mut self, records: u64, bytes: usize, reason: &'static str) {
        self.counts.dropped += records;
        self.unreported.records += records;
        self.unreported.bytes += bytes;
        self.unreported.reason = reason;
    }
}

fn echoes<'a>(events: impl IntoIterator<Item = &'a Event>) -> usize {
    events
        .into_iter()
        .filter(|event| event.kind == Kind::Extension)
        .count()
}

fn logs_dropped(records: u64, bytes: usize, reason: &str) -> Event {
    let json = json!({
        "time": time::timestamp(),
        "type": "platform.logsDropped",
        "record": { "droppedBytes": bytes, "droppedRecords": records, "reason": reason },
    });
    Event {
        kind: Kind::Platform,
        json: json.to_string(),
        queued_at: Instant::now(),
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
