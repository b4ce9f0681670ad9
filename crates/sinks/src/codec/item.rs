//! A record on its way to a body, with all that a format may write of it.

use backstop_delivery::{Batch, Record, RecordId};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::line::Resource;
use super::output::Output;
use super::write_line;

/// A record and the resource that emitted it.
#[derive(Debug)]
pub(crate) struct Item<'a> {
    record: Source<'a>,
    /// The resource's attributes, as a JSON object.
    pub(crate) resource: Bytes,
}

/// Where a record comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source<'a> {
    /// Its id, and the members `"time":…,"type":…,"record":…` of its JSON object, with what was added to them.
    Live {
        id: RecordId,
        members: [&'a [u8]; 2],
    },
    /// A line of the archive, without the reason why it is there.
    Archived(&'a str),
}

impl<'a> Item<'a> {
    /// A record that was received.
    pub(crate) fn live(id: RecordId, members: [&'a [u8]; 2], resource: Bytes) -> Self {
        Self {
            record: Source::Live { id, members },
            resource,
        }
    }

    /// A line of the archive, without the reason why it is there.
    pub(crate) fn archived(line: &'a str) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Members<'a> {
            #[serde(borrow)]
            resource: Option<&'a RawValue>,
        }
        let members: Members<'_> = serde_json::from_str(line).unwrap_or_default();
        let resource = members.resource.map_or("{}", RawValue::get);
        Self {
            record: Source::Archived(line),
            resource: Bytes::copy_from_slice(resource.as_bytes()),
        }
    }

    /// About how many bytes its line takes.
    pub(crate) fn size(&self) -> usize {
        match self.record {
            Source::Live {
                members: [received, added],
                ..
            } => received.len() + added.len() + self.resource.len() + 64,
            Source::Archived(line) => line.len(),
        }
    }

    /// About how many bytes it takes in a format that writes its resource once.
    pub(crate) fn record_size(&self) -> usize {
        /// What most formats add to a record.
        const ADDED: usize = 128;
        match self.record {
            Source::Live {
                members: [received, added],
                ..
            } => received.len() + added.len() + ADDED,
            Source::Archived(line) => line.len(),
        }
    }

    /// Writes its line, without the line feed.
    pub(crate) fn write_line(&self, out: &mut Output) {
        match self.record {
            Source::Live { id, members } => {
                write_line(id, members, &self.resource, (b"", None), out);
            }
            Source::Archived(line) => out.bytes().extend_from_slice(line.as_bytes()),
        }
    }

    /// What it is made of.
    pub(crate) fn source(&self) -> Source<'a> {
        self.record
    }
}

/// The records of a batch.
pub(crate) fn items<'a>(batch: &'a Batch, resource: &Resource) -> Vec<Item<'a>> {
    let mut written_for = None;
    let mut written = Bytes::new();
    let item = |record: &'a Record| {
        // All but always the same environment: the resource is written once a batch.
        let environment = record.id().environment;
        if written_for != Some(environment) {
            written_for = Some(environment);
            written = resource.json(environment);
        }
        Item::live(record.id(), record.members(), written.clone())
    };
    batch.records().iter().map(item).collect()
}
