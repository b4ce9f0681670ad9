//! A record on its way to a body, with all that a format may write of it.

use backstop_delivery::{Batch, Record, RecordId};
use bytes::Bytes;

use super::line::Resource;

/// A record and the resource that emitted it.
#[derive(Debug)]
pub(crate) struct Item<'a> {
    /// `log.record.uid`.
    pub(crate) id: RecordId,
    /// The members `"time":…,"type":…,"record":…` of its JSON object.
    pub(crate) fragment: &'a [u8],
    /// The resource's attributes, as a JSON object.
    pub(crate) resource: Bytes,
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
        Item {
            id: record.id(),
            fragment: record.fragment(),
            resource: written.clone(),
        }
    };
    batch.records().iter().map(item).collect()
}
