//! A record and its id, `log.record.uid` in OpenTelemetry's words.

use std::fmt;

use bytes::Bytes;

/// Names one life of an execution environment: made at init, and made anew after a restore from a
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

impl fmt::Display for RecordId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.environment, self.sequence)
    }
}

/// One Telemetry API event, opaque to this crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The record's id.
    pub id: RecordId,
    /// The members of its JSON object, as received.
    pub fragment: Bytes,
}

impl Record {
    /// What one record costs besides its text: this struct, and its share of the containers.
    const OVERHEAD: usize = 64;

    /// The bytes of memory this record is charged with.
    pub fn cost(&self) -> usize {
        self.fragment.len() + Self::OVERHEAD
    }
}
