//! Records that wait, in their order.
//!
//! Invariant: what waits is counted, with what it costs.

use std::collections::VecDeque;

use backstop_delivery::{Signal, Wall};
use backstop_sinks::otlp::Received;
use backstop_telemetry::{Event, Kind, Severity};
use bytes::Bytes;

use crate::transform::Derived;

/// What one that waits takes beside its text.
const OVERHEAD: usize = 128;
/// Where there is no room, this part of the bound is freed as well, so that the next record has some.
const SPARE: usize = 16;

/// What arrived, in its order.
pub(super) enum Waiting {
    /// With whether its text is its own, and not a slice of a body.
    Event(Event, bool),
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
            Self::Event(..) | Self::Derived(_) => 1,
            Self::Posted { received, .. } => received.fragments.len(),
            Self::Gap => 0,
        }
    }

    pub(super) fn cost(&self) -> usize {
        OVERHEAD
            + match self {
                Self::Event(event, _) => event.fragment.len(),
                Self::Derived(derived) => derived.fragment.len(),
                Self::Posted { received, .. } => received.cost(),
                Self::Gap => 0,
            }
    }

    /// What goes first where there is no room: by severity, and what the platform says last.
    fn rank(&self) -> u8 {
        match self {
            Self::Event(event, _) => match event.kind {
                Kind::Platform(_) => 4,
                _ => Severity::of(&event.fragment) as u8,
            },
            Self::Posted { received, .. } => match received.signal {
                Signal::Log => {
                    let fragments = received.fragments.iter();
                    let ranks = fragments.map(|fragment| Severity::of(fragment) as u8);
                    ranks.max().unwrap_or_default()
                }
                Signal::Metric | Signal::Span => Severity::Info as u8,
            },
            Self::Derived(_) => Severity::Info as u8,
            Self::Gap => 5,
        }
    }
}

/// What waits.
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

    /// Drops what there is no room for; says how many records.
    pub(super) fn shed(&mut self, room: usize) -> usize {
        if self.bytes <= room {
            return 0;
        }
        let before = self.records;
        let room = room - room / SPARE;
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
            if let Waiting::Event(event, is_own @ false) = waiting {
                event.fragment = Bytes::copy_from_slice(&event.fragment);
                event.request_id = None;
                *is_own = true;
            }
        }
        before - self.records
    }
}
