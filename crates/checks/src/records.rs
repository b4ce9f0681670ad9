//! Bytes to records, as the extension makes them.

use backstop_delivery::{Batch, EnvironmentId, Record, RecordId, Wall};
use backstop_sinks::codec::{LineEncoder, Resource};
use backstop_telemetry::{Event, decode};
use bytes::Bytes;

/// The time of receipt that is written where an event has none.
pub(crate) const RECEIVED: &str = "2026-01-01T00:00:00.000Z";

/// What the decoder makes of a body.
pub(crate) fn events(body: &[u8]) -> Vec<Event> {
    decode(&Bytes::copy_from_slice(body), RECEIVED).collect()
}

/// The events as one batch, numbered from 1; `None` of none.
pub(crate) fn batch(events: &[Event]) -> Option<Batch> {
    let record = |(event, sequence): (&Event, u64)| {
        let id = RecordId {
            environment: EnvironmentId(0xab),
            sequence,
        };
        Record::new(id, event.fragment.clone())
    };
    Batch::new(
        Wall::default(),
        events.iter().zip(1..).map(record).collect(),
    )
}

/// An encoder of lines as a function's extension writes them.
pub(crate) fn encoder(function_name: &str) -> LineEncoder {
    LineEncoder::new(Resource {
        function_name: function_name.to_owned(),
        function_version: "$LATEST".to_owned(),
        region: "eu-west-1".to_owned(),
        account_id: "123456789012".to_owned(),
        tags: vec![("team".to_owned(), "a \"b\"\n".to_owned())],
    })
}
