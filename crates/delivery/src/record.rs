//! A record and its id, `log.record.uid` in OpenTelemetry's words.

use std::fmt;
use std::sync::Arc;

use backstop_json::{Decimal, hex};
use bytes::Bytes;

use crate::route::Route;

/// Names one life of an execution environment: made at init, and made again after a restore from a
/// snapshot, so that no two environments ever number their records alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnvironmentId(pub u64);

impl fmt::Display for EnvironmentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

/// A record's id: the same over every retry, every sink and every replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId {
    /// The environment that received the record.
    pub environment: EnvironmentId,
    /// The record's place among all that this environment received.
    pub sequence: u64,
}

impl RecordId {
    /// Writes the id's text: the environment's and the sequence, with a hyphen between them.
    ///
    /// The same text as that of [`fmt::Display`], in a tenth of the time: every record of every batch has one.
    pub fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&hex(self.environment.0));
        out.push(b'-');
        out.extend_from_slice(Decimal::of(self.sequence).as_bytes());
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.environment, self.sequence)
    }
}

/// What a record is to a backend: each signal may have an address of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    #[default]
    Log,
    /// Points of metrics.
    Metric,
    /// Metrics that the function posted, where the primary takes them at another address than Backstop's own.
    PostedMetric,
    /// Spans of a trace.
    Span,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Log, Self::Metric, Self::PostedMetric, Self::Span];

    /// Its name: that of `BACKSTOP_SIGNALS`, or of the records' type where it has no name of its own there.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Log => "logs",
            Self::Metric => "metrics",
            Self::PostedMetric => "otlp.metrics",
            Self::Span => "traces",
        }
    }
}

/// One Telemetry API event, or what was derived from one; opaque to this crate.
#[derive(Debug, Clone)]
pub struct Record {
    id: RecordId,
    signal: Signal,
    route: Route,
    fragment: Bytes,
    /// A member that many records share.
    member: Option<Arc<[u8]>>,
    /// What was redacted, for the archive only.
    original: Option<Box<Bytes>>,
    is_detached: bool,
    is_kept: bool,
    rank: Option<u8>,
}

/// Where a route is in a key.
const ROUTE_SHIFT: u32 = 62;

impl Record {
    /// What one record costs besides its text: its place in a queue, which may be half empty, and the
    /// allocation that keeps its text once it is detached.
    const OVERHEAD: usize = 2 * size_of::<Self>() + 16;

    /// A record; `fragment` holds the members of its JSON object as received, and may be a slice of
    /// a larger piece of memory.
    pub fn new(id: RecordId, fragment: Bytes) -> Self {
        Self {
            id,
            signal: Signal::Log,
            route: Route::Deliver,
            fragment,
            member: None,
            original: None,
            is_detached: false,
            is_kept: false,
            rank: None,
        }
    }

    /// The record's id.
    pub fn id(&self) -> RecordId {
        self.id
    }

    /// As another signal than a log.
    #[must_use]
    pub fn with_signal(mut self, signal: Signal) -> Self {
        self.signal = signal;
        self
    }

    /// The same of a record that was read back.
    pub fn set_signal(&mut self, signal: Signal) {
        self.signal = signal;
    }

    /// What it is to a backend.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// Where it is to go.
    pub fn route(&self) -> Route {
        self.route
    }

    /// The copy of it that is archived as well, which shares its text.
    #[must_use]
    pub fn mirrored(&self) -> Self {
        Self {
            route: Route::Mirrored,
            is_kept: false,
            ..self.clone()
        }
    }

    /// The same record, for the archive only. A copy that outlives the process is another record's now: its
    /// [`Record::key`] has changed.
    #[must_use]
    pub fn archived(self) -> Self {
        Self {
            route: Route::Archived,
            is_kept: false,
            ..self
        }
    }

    /// Names this very record, where a mirrored one has the id of its original: the id, with the route in
    /// the two highest bits of the sequence. No environment numbers that far.
    pub fn key(&self) -> RecordId {
        RecordId {
            sequence: self.id.sequence | self.route.number() << ROUTE_SHIFT,
            ..self.id
        }
    }

    /// The record of this [`Record::key`]; `None` where there is no such route.
    pub fn of_key(key: RecordId, fragment: Bytes) -> Option<Self> {
        let id = RecordId {
            sequence: key.sequence & (u64::MAX >> (64 - ROUTE_SHIFT)),
            ..key
        };
        let route = Route::of_number(key.sequence >> ROUTE_SHIFT)?;
        Some(Self {
            route,
            ..Self::new(id, fragment)
        })
    }

    /// With a further member, `,"name":value`, which is in memory once for all records that have it.
    #[must_use]
    pub fn with_member(mut self, member: Option<Arc<[u8]>>) -> Self {
        self.member = member;
        self
    }

    /// With the text of its member `record` before it was redacted, as JSON. It is for the archive, beside the
    /// redacted one; no encoding for a primary looks at it.
    #[must_use]
    pub fn with_original(mut self, original: Option<Bytes>) -> Self {
        self.original = original.map(Box::new);
        self
    }

    /// What was redacted, where the archive is to have it.
    pub fn original(&self) -> Option<&[u8]> {
        self.original.as_deref().map(|original| &original[..])
    }

    /// The members of its JSON object as received.
    pub fn fragment(&self) -> &Bytes {
        &self.fragment
    }

    /// All members of its JSON object, in two pieces: as received, and what was added.
    pub fn members(&self) -> [&[u8]; 2] {
        [&self.fragment, self.member.as_deref().unwrap_or_default()]
    }

    /// The length of all members.
    pub fn length(&self) -> usize {
        self.members().iter().map(|piece| piece.len()).sum()
    }

    /// The bytes of memory this record is charged with.
    pub fn cost(&self) -> usize {
        let original = self
            .original()
            .map_or(0, |it| it.len() + size_of::<Bytes>());
        self.length() + original + Self::OVERHEAD
    }

    /// Another text takes the place of the one received.
    pub fn set_fragment(&mut self, fragment: Bytes) {
        self.fragment = fragment;
        self.detach_original();
        self.is_detached = true;
    }

    /// Copies the text out of the memory it is a slice of. For a record that outlives its neighbours,
    /// which would otherwise keep all of theirs.
    pub fn detach(&mut self) {
        if !self.is_detached {
            self.fragment = Bytes::copy_from_slice(&self.fragment);
            self.detach_original();
            self.is_detached = true;
        }
    }

    fn detach_original(&mut self) {
        if !self.is_detached
            && let Some(original) = &mut self.original
        {
            **original = Bytes::copy_from_slice(original);
        }
    }

    /// Notes that there is a copy that outlives the process.
    pub fn set_kept(&mut self) {
        self.is_kept = true;
    }

    /// Notes that the copy is gone.
    pub fn set_unkept(&mut self) {
        self.is_kept = false;
    }

    /// Whether there is a copy that outlives the process.
    pub fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// How much the record would be missed, in the caller's terms; worked out once.
    pub fn rank(&mut self, of: impl FnOnce(&[u8]) -> u8) -> u8 {
        *self.rank.get_or_insert_with(|| of(&self.fragment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_as_it_is_displayed() {
        for environment in [0, 1, 0xab, 0x0123_4567_89ab_cdef, u64::MAX] {
            for sequence in [0, 1, 9, 10, 99, 100, 12_345_678_901, u64::MAX] {
                let id = RecordId {
                    environment: EnvironmentId(environment),
                    sequence,
                };
                let mut text = b"id ".to_vec();
                id.write(&mut text);
                assert_eq!(text, format!("id {id}").as_bytes());
            }
        }
    }

    #[test]
    fn a_key_tells_a_copy_from_its_original_and_is_the_id_of_what_is_delivered() {
        let id = RecordId {
            environment: EnvironmentId(1),
            sequence: 7,
        };
        let record = Record::new(id, Bytes::from_static(b"text"));
        assert_eq!(record.key(), id);
        let copy = record.mirrored();
        assert_eq!(copy.id(), id);
        assert_eq!(
            copy.fragment().as_ptr(),
            record.fragment().as_ptr(),
            "shared"
        );
        for other in [record.clone(), copy, record.clone().archived()] {
            let read = Record::of_key(other.key(), Bytes::new()).expect("it is a key");
            assert_eq!((read.id(), read.route()), (id, other.route()));
        }
        let foreign = RecordId {
            sequence: u64::MAX,
            ..id
        };
        assert!(Record::of_key(foreign, Bytes::new()).is_none());
    }

    #[test]
    fn a_record_is_charged_with_what_it_costs_beside_its_text() {
        let id = RecordId {
            environment: EnvironmentId(1),
            sequence: 1,
        };
        let record = Record::new(id, Bytes::from_static(b"text"));
        // Queues double when they grow.
        assert!(record.cost() >= "text".len() + 2 * size_of::<Record>());
    }
}
