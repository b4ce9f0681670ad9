//! How a primary wants a batch, and what its answers mean: one file each.
//!
//! Invariants: the same records always make the same bytes; a format acts on nothing, it writes and
//! reads. What the delivery core does about an answer is not known here.

mod json;
mod ndjson;
mod reply;

use std::fmt;

use backstop_config::Format as Name;
use backstop_delivery::Answer;

use crate::codec::{Item, Output};
pub(crate) use reply::Reply;

/// One of the formats that `BACKSTOP_PRIMARY_FORMAT` chooses from.
pub(crate) trait Format: fmt::Debug + Send + Sync {
    /// The media type of a body.
    fn content_type(&self) -> &'static str;

    /// Writes these records as one body.
    fn write(&self, items: &[Item<'_>], out: &mut Output);

    /// Writes lines of the archive, without the reason why they are there, as one body.
    fn write_lines(&self, lines: &[String], out: &mut Output);

    /// What an answer means for the body that was sent.
    fn read(&self, reply: &Reply<'_>) -> Answer {
        reply.by_status()
    }
}

/// The format of this name.
pub(crate) fn of(name: Name) -> Box<dyn Format> {
    match name {
        Name::Ndjson => Box::new(ndjson::Ndjson),
        Name::Json => Box::new(json::Json),
    }
}

#[cfg(test)]
mod tests {
    use backstop_config::Compression;
    use backstop_delivery::{EnvironmentId, RecordId};
    use bytes::Bytes;
    use serde_json::Value;

    use super::*;
    use crate::codec::gunzip;

    const RESOURCE: &str = r#"{"faas.name":"demo"}"#;

    fn item(sequence: u64, fragment: &str) -> Item<'_> {
        Item {
            id: RecordId {
                environment: EnvironmentId(0xab),
                sequence,
            },
            fragment: fragment.as_bytes(),
            resource: Bytes::from_static(RESOURCE.as_bytes()),
        }
    }

    fn body(format: &dyn Format, items: &[Item<'_>], compression: Compression) -> Vec<u8> {
        let mut out = Output::new(compression, 0);
        format.write(items, &mut out);
        out.finish()
    }

    fn values(name: Name, body: &[u8]) -> Vec<Value> {
        match name {
            Name::Ndjson => serde_json::Deserializer::from_slice(body)
                .into_iter()
                .collect::<Result<_, _>>()
                .expect("it is JSON"),
            Name::Json => serde_json::from_slice(body).expect("it is JSON"),
        }
    }

    #[test]
    fn each_format_holds_the_same_objects_compressed_or_not_live_or_archived() {
        let long = format!(
            r#""time":"t","type":"function","record":"{}""#,
            "x".repeat(70_000)
        );
        let fragments = [r#""time":"t","type":"function","record":{"two":2}"#, &long];
        let items: Vec<Item<'_>> = fragments
            .iter()
            .zip(1..)
            .map(|(it, at)| item(at, it))
            .collect();
        let lines = fragments.iter().zip(1..).map(|(it, at)| {
            format!(r#"{{"id":"00000000000000ab-{at}",{it},"resource":{RESOURCE}}}"#)
        });
        let lines: Vec<String> = lines.collect();
        for name in [Name::Ndjson, Name::Json] {
            let format = of(name);
            for count in 0..=2 {
                let plain = body(&*format, &items[..count], Compression::None);
                let objects = values(name, &plain);
                let expected: Vec<Value> = lines[..count]
                    .iter()
                    .map(|line| line.parse().expect("it is JSON"))
                    .collect();
                assert_eq!(objects, expected);
                let packed = body(&*format, &items[..count], Compression::Gzip);
                assert_eq!(gunzip(&packed, 1 << 20).expect("it is gzip"), plain);
                let mut archived = Output::new(Compression::None, 0);
                format.write_lines(&lines[..count], &mut archived);
                assert_eq!(archived.finish(), plain);
            }
        }
    }

    #[test]
    fn each_format_names_its_media_type() {
        let types = [Name::Ndjson, Name::Json].map(|name| of(name).content_type());
        assert_eq!(types, ["application/x-ndjson", "application/json"]);
    }
}
