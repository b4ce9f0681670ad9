//! A chain of scripted sinks on a paused clock.

mod rig;
mod sink;

use std::time::Duration;

use backstop_delivery::{Batch, EnvironmentId, Record, RecordId, Role, SinkName, Wall};
use bytes::Bytes;

pub(crate) use backstop_scripted_sink::{SinkBehaviour, Which};
pub(crate) use rig::Rig;
pub(crate) use sink::SecretRead;

pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A batch of `count` records, numbered from `first`.
pub(crate) fn batch(first: u64, count: u64) -> Batch {
    let records = (first..first + count)
        .map(|sequence| {
            let id = RecordId {
                environment: EnvironmentId(1),
                sequence,
            };
            Record::new(id, Bytes::from_static(b"\"record\":1"))
        })
        .collect();
    Batch::new(Wall::default(), records).unwrap()
}

/// A primary and the archive.
pub(crate) fn pair() -> Rig {
    Rig::new(&[
        (SinkName::Https, Role::Primary),
        (SinkName::S3, Role::Fallback),
    ])
}

/// A primary, and nothing to keep time for.
pub(crate) fn alone() -> Rig {
    Rig::new(&[(SinkName::Https, Role::Primary)])
}
