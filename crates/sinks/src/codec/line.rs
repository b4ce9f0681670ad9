//! The line: one record as one self-contained JSON object, the same at the primary and in the archive.
//!
//! `{"id":…,"time":…,"type":…,"record":…,"resource":{…}}`, and in the archive `"diverted":{…}` where
//! the record was meant for the primary.

use std::io::Write as _;

use backstop_delivery::{Batch, Diverted, EnvironmentId, Record};
use bytes::Bytes;
use serde_json::{Map, Value};

use super::gzip::{PIECE, Packer};

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
    fn json(&self, environment: EnvironmentId) -> Bytes {
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

/// Writes lines.
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

    /// Writes each record's object in the framing, and calls after each, and within one that is large.
    fn write(
        &self,
        batch: &Batch,
        diverted: Option<Diverted>,
        framing: Framing,
        out: &mut Vec<u8>,
        mut written: impl FnMut(&mut Vec<u8>),
    ) {
        let tail = diverted.map(diverted_json).unwrap_or_default();
        let mut written_for = None;
        let mut resource = Bytes::new();
        let (mut before, after) = framing.around();
        for record in batch.records() {
            // All but always the same environment: the resource is written once a batch.
            if written_for != Some(record.id().environment) {
                written_for = Some(record.id().environment);
                resource = self.resource.json(record.id().environment);
            }
            out.extend_from_slice(before);
            write_line(record, &resource, &tail, out, &mut written);
            out.extend_from_slice(after);
            written(out);
            if framing == Framing::Array {
                before = b",";
            }
        }
        if framing == Framing::Array {
            out.extend_from_slice(if batch.is_empty() { b"[]" } else { b"]" });
        }
    }

    /// The lines of a batch, each ended by a line feed.
    pub fn lines(&self, batch: &Batch, diverted: Option<Diverted>) -> Vec<u8> {
        self.plain(batch, diverted, Framing::Lines)
    }

    /// The batch as a JSON array.
    pub fn array(&self, batch: &Batch) -> Vec<u8> {
        self.plain(batch, None, Framing::Array)
    }

    /// [`LineEncoder::lines`], compressed as they are written.
    pub fn gzip_lines(&self, batch: &Batch, diverted: Option<Diverted>) -> Vec<u8> {
        self.packed(batch, diverted, Framing::Lines)
    }

    /// [`LineEncoder::array`], compressed as it is written.
    pub fn gzip_array(&self, batch: &Batch) -> Vec<u8> {
        self.packed(batch, None, Framing::Array)
    }

    fn plain(&self, batch: &Batch, diverted: Option<Diverted>, framing: Framing) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.size_hint(batch));
        self.write(batch, diverted, framing, &mut out, |_| {});
        out
    }

    fn packed(&self, batch: &Batch, diverted: Option<Diverted>, framing: Framing) -> Vec<u8> {
        let mut packer = Packer::new(self.size_hint(batch));
        let mut out = Vec::new();
        self.write(batch, diverted, framing, &mut out, |out| packer.drain(out));
        packer.pack(&out);
        packer.finish()
    }

    fn size_hint(&self, batch: &Batch) -> usize {
        let resource = self.resource.json(EnvironmentId(0)).len();
        batch
            .records()
            .iter()
            .map(|record| record.fragment().len() + resource + 64)
            .sum()
    }
}

/// What stands between the objects of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Lines,
    Array,
}

impl Framing {
    /// What stands before the first object, and after each.
    fn around(self) -> (&'static [u8], &'static [u8]) {
        match self {
            Self::Lines => (b"", b"\n"),
            Self::Array => (b"[", b""),
        }
    }
}

fn write_line(
    record: &Record,
    resource: &[u8],
    tail: &[u8],
    out: &mut Vec<u8>,
    written: &mut impl FnMut(&mut Vec<u8>),
) {
    // Writing to a vector cannot fail.
    drop(write!(out, "{{\"id\":\"{}\",", record.id()));
    // One that is large is not copied as a whole where it need not be.
    for piece in record.fragment().chunks(PIECE) {
        out.extend_from_slice(piece);
        written(out);
    }
    out.extend_from_slice(b",\"resource\":");
    out.extend_from_slice(resource);
    out.extend_from_slice(tail);
    out.push(b'}');
}

fn diverted_json(diverted: Diverted) -> Vec<u8> {
    let mut members = Map::new();
    members.insert("reason".to_owned(), diverted.cause.reason.into());
    members.insert("sink".to_owned(), diverted.sink.as_str().into());
    if let Some(status) = diverted.cause.status {
        members.insert("status".to_owned(), status.into());
    }
    format!(",\"diverted\":{}", Value::Object(members)).into_bytes()
}

#[cfg(test)]
mod tests {
    use backstop_delivery::{Cause, RecordId, SinkName, Wall};

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
            assert_eq!(
                unpack(&encoder().gzip_array(&batch)),
                encoder().array(&batch)
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

    #[test]
    fn an_array_holds_the_same_objects() {
        let array: Vec<Value> =
            serde_json::from_slice(&encoder().array(&batch())).expect("it is JSON");
        let lines = encoder().lines(&batch(), None);
        let lines: Vec<Value> = serde_json::Deserializer::from_slice(&lines)
            .into_iter()
            .collect::<Result<_, _>>()
            .expect("it is JSON");
        assert_eq!(array, lines);
    }
}
