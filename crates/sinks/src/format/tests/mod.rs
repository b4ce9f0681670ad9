//! Each format by what it writes and what it reads: the same records through all of them, read back by decoders
//! that are not ours.

mod answers;
mod bodies;
mod decode;
mod distributions;
mod docs;
mod embedded;
mod posted;
mod properties;
mod refused;
mod signals;

use std::io::Read as _;
use std::time::Duration;

use backstop_config::{Compression, Format as Name, FormatOptions, Primary, SignalName};
use backstop_delivery::{EnvironmentId, RecordId, Wall};
use bytes::Bytes;

use super::*;
use crate::codec::gunzip;

const RESOURCE: &str = r#"{"cloud.account.id":"123456789012","cloud.provider":"aws","cloud.region":"eu-west-1","faas.instance":"00000000000000ab","faas.name":"orders","faas.version":"$LATEST","team":"blue, \"sky\""}"#;
const REQUEST: &str = "8286a188-ba32-4475-8077-530cd35c09a9";
const NAMES: [Name; 8] = [
    Name::Ndjson,
    Name::Json,
    Name::Otlp,
    Name::Elastic,
    Name::Loki,
    Name::Splunk,
    Name::Datadog,
    Name::NewRelic,
];

const SIGNALS: &[SignalName] = &[SignalName::Logs, SignalName::Metrics, SignalName::Traces];

fn primary(format: Name, options: FormatOptions) -> Primary {
    Primary {
        url: "https://intake.example.com/_bulk".to_owned(),
        format,
        signals: backstop_config::Signals::of(SIGNALS),
        otlp_url: None,
        options,
        compression: Compression::None,
        headers: Vec::new(),
        token: None,
        references: backstop_config::References::default(),
        timeout: Duration::from_secs(1),
    }
}

/// The format of logs at a primary.
fn logs_of(primary: &Primary) -> Box<dyn Format> {
    of(primary, &primary.logs(), Signal::Log)
}

fn json() -> FormatOptions {
    FormatOptions {
        is_json: true,
        ..FormatOptions::default()
    }
}

/// Each format, and each encoding of it.
fn formats() -> Vec<(Name, bool, Box<dyn Format>)> {
    let plain = NAMES.map(|name| {
        (
            name,
            false,
            logs_of(&primary(name, FormatOptions::default())),
        )
    });
    let in_json =
        [Name::Otlp, Name::Loki].map(|name| (name, true, logs_of(&primary(name, json()))));
    plain.into_iter().chain(in_json).collect()
}

fn item(sequence: u64, fragment: &str) -> Item<'_> {
    item_with(sequence, fragment, "")
}

/// The item of a record to which a member was added.
fn item_with<'a>(sequence: u64, fragment: &'a str, added: &'a str) -> Item<'a> {
    let id = RecordId {
        environment: EnvironmentId(0xab),
        sequence,
    };
    Item::live(
        id,
        [fragment.as_bytes(), added.as_bytes()],
        Bytes::from_static(RESOURCE.as_bytes()),
    )
}

fn items(fragments: &[String]) -> Vec<Item<'_>> {
    let fragments = fragments.iter().zip(1..);
    fragments.map(|(fragment, at)| item(at, fragment)).collect()
}

/// The lines that the archive has of the same records.
fn archived(fragments: &[String]) -> Vec<String> {
    let fragments = fragments.iter().zip(1..);
    let line = |(fragment, at)| {
        format!(r#"{{"id":"00000000000000ab-{at}",{fragment},"resource":{RESOURCE}}}"#)
    };
    fragments.map(line).collect()
}

/// A moment after all the records of these tests.
fn now() -> Wall {
    Wall::from_rfc3339("2026-01-01T01:00:00Z").expect("it is a time")
}

fn event(kind: &str, record: &str) -> String {
    format!(r#""time":"2026-01-01T00:00:00.123Z","type":"{kind}","record":{record}"#)
}

/// A body of live records, without what made it smaller.
fn body(format: &dyn Format, items: &[Item<'_>], compression: Compression) -> (Vec<u8>, Written) {
    let context = Context {
        now: now(),
        is_replay: false,
    };
    body_in(context, format, items, compression)
}

fn body_in(
    context: Context,
    format: &dyn Format,
    items: &[Item<'_>],
    compression: Compression,
) -> (Vec<u8>, Written) {
    let packing = format.packing(compression);
    let mut out = Output::new(packing, 0);
    let written = format.write(items, context, &mut out);
    let body = out.finish();
    let plain = match packing {
        Packing::None => body,
        Packing::Gzip => gunzip(&body, 1 << 26).expect("it is gzip"),
        Packing::Deflate => {
            let mut plain = Vec::new();
            flate2::read::ZlibDecoder::new(&body[..])
                .read_to_end(&mut plain)
                .expect("it is zlib");
            plain
        }
        Packing::Snappy => snap::raw::Decoder::new()
            .decompress_vec(&body)
            .expect("it is snappy"),
    };
    (plain, written)
}
