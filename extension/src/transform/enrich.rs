//! Gives each record its id, and the invocation that it is of. The resource is the same for a whole environment,
//! so it is added where a batch is encoded and not carried by each record.

use std::io::Read as _;

use backstop_delivery::{EnvironmentId, Record, RecordId, Wall};
use bytes::Bytes;

use super::Invocations;

#[derive(Debug)]
pub struct Enricher {
    environment: EnvironmentId,
    next: u64,
    /// What the function's lines are of.
    pub(crate) invocations: Invocations,
}

impl Default for Enricher {
    fn default() -> Self {
        Self {
            environment: new_environment(),
            next: 1,
            invocations: Invocations::default(),
        }
    }
}

impl Enricher {
    /// The record of a fragment, under the next id.
    pub fn record(&mut self, fragment: Bytes) -> Record {
        let id = RecordId {
            environment: self.environment,
            sequence: self.next,
        };
        self.next += 1;
        Record::new(id, fragment)
    }

    /// The record of a line of the function's output.
    pub fn line(&mut self, fragment: Bytes) -> Record {
        let member = self.invocations.member(&fragment);
        self.record(fragment).with_member(member)
    }

    /// The record of what the function posted itself, of the invocation that began at a time.
    pub fn posted(&mut self, fragment: Bytes, current: Option<(&str, Wall)>) -> Record {
        let member = self.invocations.member_of_posted(&fragment, current);
        self.record(fragment).with_member(member)
    }

    /// A snapshot was restored: many environments start from the same memory, and each needs ids of
    /// its own.
    pub fn restored(&mut self) {
        *self = Self::default();
    }
}

/// From the system's random source and nowhere else: what a process made before a snapshot (a seed,
/// a hasher's keys) is the same in every environment restored from it.
fn new_environment() -> EnvironmentId {
    let mut bytes = [0; 8];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    if read.is_err() {
        // Never seen on Lambda; the time and the process still tell environments apart.
        let now = std::time::UNIX_EPOCH
            .elapsed()
            .unwrap_or_default()
            .as_nanos();
        return EnvironmentId(
            u64::try_from(now).unwrap_or_default() ^ u64::from(std::process::id()) << 48,
        );
    }
    EnvironmentId(u64::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_count_up_and_a_restore_starts_a_new_series() {
        let mut enricher = Enricher::default();
        let first = enricher.record(Bytes::new()).id();
        let second = enricher.record(Bytes::new()).id();
        assert_eq!((first.sequence, second.sequence), (1, 2));
        assert_eq!(first.environment, second.environment);
        enricher.invocations.started("a-1", "");
        let line = Bytes::from_static(b"\"time\":\"t\",\"type\":\"function\",\"record\":\"x\"");
        let added = |record: Record| !record.members()[1].is_empty();
        assert!(added(enricher.line(line.clone())));
        enricher.restored();
        assert!(
            !added(enricher.line(line)),
            "of which environment's invocation?"
        );
        let third = enricher.record(Bytes::new()).id();
        assert_ne!(third.environment, first.environment);
    }
}
