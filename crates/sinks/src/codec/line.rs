//! The line: one record as one self-contained JSON object, the same at the primary and in the archive.
//!
//! `{"id":…,"time":…,"type":…,"record":…,"resource":{…}}`, before the resource `"request_id":…` where that is known
//! and the record does not say it, and in the archive `"diverted":{…}` where the record was meant for the primary,
//! or `"route":…` where the line is for the archive only; and `"original":…` where the archive is to have what was
//! redacted.

use backstop_archive::{begin_line, diverted_member, end_line, route_member};
use backstop_config::Compression;
use backstop_delivery::{Batch, Diverted, EnvironmentId, RecordId, Route};
use bytes::Bytes;
use serde_json::{Map, Value};

use super::item::{Item, items};
use super::output::{Output, PIECE};

/// The attributes of the resource that emitted the records, by OpenTelemetry's semantic conventions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resource {
    /// `faas.name`.
    pub function_name: String,
    /// `faas.version`.
    pub function_version: String,
    /// `cloud.region`.
    pub region: String,
    /// `cloud.account.id`; empty where the platform does not tell.
    pub account_id: String,
    /// Further attributes, of the user's choice. They do not replace those above.
    pub tags: Vec<(String, String)>,
}

impl Resource {
    /// As a JSON object. `faas.instance` is the environment that received the record.
    pub(crate) fn json(&self, environment: EnvironmentId) -> Bytes {
        let mut attributes: Map<String, Value> = self
            .tags
            .iter()
            .map(|(key, value)| (key.clone(), value.clone().into()))
            .collect();
        let known = [
            ("cloud.provider", "aws".to_owned()),
            ("cloud.region", self.region.clone()),
            ("cloud.account.id", self.account_id.clone()),
            ("faas.name", self.function_name.clone()),
            ("faas.version", self.function_version.clone()),
            ("faas.instance", environment.to_string()),
        ];
        for (key, value) in known {
            if !value.is_empty() {
                attributes.insert(key.to_owned(), value.into());
            }
        }
        Value::Object(attributes).to_string().into()
    }
}

/// Writes the lines of the archive: for a resource, and with the reason why a record is there.
#[derive(Debug, Clone)]
pub struct LineEncoder {
    resource: Resource,
}

impl LineEncoder {
    /// An encoder of records of this resource.
    pub fn new(resource: Resource) -> Self {
        Self { resource }
    }

    /// The resource it writes.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// The records of a batch, with their resource.
    pub(crate) fn items<'a>(&self, batch: &'a Batch) -> Vec<Item<'a>> {
        items(batch, &self.resource)
    }

    /// The lines of a batch, each ended by a line feed.
    pub fn lines(&self, batch: &Batch, diverted: Option<Diverted>) -> Vec<u8> {
        self.write(batch, diverted, Compression::None)
    }

    /// [`LineEncoder::lines`], compressed as they are written.
    pub fn gzip_lines(&self, batch: &Batch, diverted: Option<Diverted>) -> Vec<u8> {
        self.write(batch, diverted, Compression::Gzip)
    }

    fn write(
        &self,
        batch: &Batch,
        diverted: Option<Diverted>,
        compression: Compression,
    ) -> Vec<u8> {
        let items = self.items(batch);
        let diverted = diverted.map(diverted_member).unwrap_or_default();
        let originals = batch.records().iter().filter_map(|it| it.original());
        let hint = size_hint(&items) + originals.map(<[u8]>::len).sum::<usize>();
        let mut out = Output::new(compression.into(), hint);
        for (record, item) in batch.records().iter().zip(&items) {
            let (id, members) = (record.id(), record.members());
            let why = match record.route() {
                Route::Deliver => &diverted,
                route => route_member(route),
            };
            let tail: (&[u8], _) = (why, record.original());
            write_line(id, members, &item.resource, tail, &mut out);
            out.bytes().push(b'\n');
            out.written();
        }
        out.finish()
    }
}

/// About how many bytes the lines of these records take.
pub(crate) fn size_hint(items: &[Item<'_>]) -> usize {
    items.iter().map(Item::size).sum()
}

/// Writes a record's object, and before its end why it is in the archive and its original, where it is for that.
pub(crate) fn write_line(
    id: RecordId,
    members: [&[u8]; 2],
    resource: &[u8],
    (why, original): (&[u8], Option<&[u8]>),
    out: &mut Output,
) {
    begin_line(out.bytes(), id);
    // One that is large is not copied as a whole where it need not be.
    for piece in members.into_iter().flat_map(|it| it.chunks(PIECE)) {
        out.bytes().extend_from_slice(piece);
        out.written();
    }
    end_line(out.bytes(), resource, why, original);
}

#[cfg(test)]
mod tests {
    use backstop_delivery::{Cause, Record, RecordId, SinkName, Wall};

    use super::*;
    use crate::codec::gunzip;

    fn batch() -> Batch {
        let record = |sequence, fragment: &'static str| {
            let id = RecordId {
                environment: EnvironmentId(0xab),
                sequence,
            };
            Record::new(id, Bytes::from_static(fragment.as_bytes()))
        };
        let records = vec![
            record(1, r#""time":"t","type":"function","record":"one""#),
            record(2, r#""time":"t","type":"function","record":{"two":2}"#),
        ];
        Batch::new(Wall::default(), records).expect("there are records")
    }

    fn encoder() -> LineEncoder {
        LineEncoder::new(Resource {
            function_name: "demo".to_owned(),
            function_version: "$LATEST".to_owned(),
            region: "eu-west-1".to_owned(),
            account_id: "123456789012".to_owned(),
            tags: vec![
                ("team".to_owned(), "a \"b\"".to_owned()),
                ("faas.name".to_owned(), "not me".to_owned()),
            ],
        })
    }

    const FIRST: &str = r#"{"id":"00000000000000ab-1","time":"t","type":"function","record":"one","resource":{"cloud.account.id":"123456789012","cloud.provider":"aws","cloud.region":"eu-west-1","faas.instance":"00000000000000ab","faas.name":"demo","faas.version":"$LATEST","team":"a \"b\""}"#;

    #[test]
    fn a_line_is_self_contained_and_keeps_the_record_as_received() {
        let text = String::from_utf8(encoder().lines(&batch(), None)).expect("it is text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0], format!("{FIRST}}}"));
        let second: Value = serde_json::from_str(lines[1]).expect("it is JSON");
        assert_eq!(second["record"]["two"], 2);
    }

    #[test]
    fn the_archive_says_why_a_record_was_diverted() {
        let diverted = Diverted {
            sink: SinkName::Https,
            cause: Cause {
                reason: "server_error",
                status: Some(503),
                detail: None,
            },
        };
        let text =
            String::from_utf8(encoder().lines(&batch(), Some(diverted))).expect("it is text");
        let expected = r#","diverted":{"reason":"server_error","sink":"https","status":503}}"#;
        assert_eq!(
            text.lines().next(),
            Some(format!("{FIRST}{expected}").as_str())
        );
    }

    #[test]
    fn what_is_compressed_while_it_is_written_is_the_same_text() {
        let long = format!(
            r#""time":"t","type":"function","record":"{}""#,
            "x".repeat(1000)
        );
        let record = |sequence| {
            let id = RecordId {
                environment: EnvironmentId(0xab),
                sequence,
            };
            Record::new(id, Bytes::from(long.clone()))
        };
        let many = Batch::new(Wall::default(), (0..20).map(record).collect());
        for batch in [batch(), many.expect("there are records")] {
            let diverted = Some(Diverted {
                sink: SinkName::Https,
                cause: Cause {
                    reason: "timeout",
                    status: None,
                    detail: None,
                },
            });
            let unpack = |packed: &[u8]| gunzip(packed, 2 << 20).expect("it is gzip");
            let lines = encoder().gzip_lines(&batch, diverted);
            assert_eq!(unpack(&lines), encoder().lines(&batch, diverted));
            assert_eq!(
                lines,
                encoder().gzip_lines(&batch, diverted),
                "always the same"
            );
        }
    }

    #[test]
    fn what_the_resource_says_of_itself_is_reserved() {
        let resource = encoder().resource.json(EnvironmentId(1));
        let resource: Map<String, Value> = serde_json::from_slice(&resource).expect("it is JSON");
        let mut own: Vec<&str> = resource.keys().map(String::as_str).collect();
        own.retain(|key| *key != "team");
        assert_eq!(own, backstop_config::RESERVED_TAGS);
    }
}
