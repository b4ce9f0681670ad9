//! Records that wait, in their order.
//!
//! Invariant: what waits is counted, with what it costs.

use std::collections::VecDeque;

use backstop_delivery::{Record, Signal, Wall};
use backstop_sinks::otlp::Received;
use backstop_telemetry::{Event, Kind, Severity};
use bytes::Bytes;

use crate::transform::Derived;

/// What one that waits takes beside its text: its place in the queue, which may be half empty.
const OVERHEAD: usize = 2 * size_of::<Waiting>() + 16;
/// What a record takes beside its text once it is in the buffer, with the id of its invocation. It is charged
/// here, so that there is room for what is taken in.
const RECORD: usize = 2 * size_of::<Record>() + 96;
/// What arrived, in its order.
pub(super) enum Waiting {
    Event {
        event: Event,
        /// Its text is its own, and not a slice of a body.
        is_detached: bool,
    },
    Posted {
        received: Received,
        /// The invocation at hand, and when it began.
        current: (String, Wall),
    },
    Derived(Derived),
    /// Telemetry was lost here.
    Gap,
}

impl Waiting {
    fn records(&self) -> usize {
        match self {
            Self::Event { .. } | Self::Derived(_) => 1,
            Self::Posted { received, .. } => received.fragments.len(),
            Self::Gap => 0,
        }
    }

    pub(super) fn cost(&self) -> usize {
        OVERHEAD.max(RECORD)
            + match self {
                Self::Event { event, .. } => event.fragment.len(),
                Self::Derived(derived) => derived.fragment.len(),
                Self::Posted { received, .. } => received.cost(),
                Self::Gap => 0,
            }
    }

    /// What goes first where there is no room: by severity, and what the platform says last.
    fn rank(&self) -> u8 {
        match self {
            Self::Event { event, .. } => match event.kind {
                Kind::Platform(_) => 4,
                _ => Severity::of(&event.fragment) as u8,
            },
            Self::Posted { received, .. } => match received.signal {
                Signal::Log => {
                    let fragments = received.fragments.iter();
                    let ranks = fragments.map(|fragment| Severity::of(fragment) as u8);
                    ranks.max().unwrap_or_default()
                }
                Signal::Metric | Signal::PostedMetric | Signal::Span => Severity::Info as u8,
            },
            Self::Derived(_) => Severity::Info as u8,
            Self::Gap => 5,
        }
    }
}

#[derive(Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    records: usize,
    oldest: Option<Wall>,
}

impl Queue {
    pub(super) fn records(&self) -> usize {
        self.records
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the first one arrived.
    pub(super) fn oldest(&self) -> Option<Wall> {
        self.oldest
    }

    pub(super) fn push(&mut self, waiting: Waiting, now: Wall) {
        self.oldest.get_or_insert(now);
        self.bytes += waiting.cost();
        self.records += waiting.records();
        self.waiting.push_back(waiting);
    }

    pub(super) fn pop(&mut self) -> Option<Waiting> {
        let waiting = self.waiting.pop_front()?;
        self.bytes -= waiting.cost();
        self.records -= waiting.records();
        Some(waiting)
    }

    /// Where more than `most` waits, drops down to `room`; says how many records.
    pub(super) fn shed(&mut self, most: usize, room: usize) -> usize {
        if self.bytes <= most {
            return 0;
        }
        let before = self.records;
        for rank in 0..=5 {
            let (bytes, records) = (&mut self.bytes, &mut self.records);
            self.waiting.retain(|waiting| {
                let stays = *bytes <= room || waiting.rank() > rank;
                if !stays {
                    *bytes -= waiting.cost();
                    *records -= waiting.records();
                }
                stays
            });
            if self.bytes <= room {
                break;
            }
        }
        // A slice would keep the bodies of those that were dropped in memory.
        for waiting in &mut self.waiting {
            if let Waiting::Event {
                event,
                is_detached: is_detached @ false,
            } = waiting
            {
                event.fragment = Bytes::copy_from_slice(&event.fragment);
                event.request_id = None;
                event.original = None;
                *is_detached = true;
            }
        }
        before - self.records
    }
}
