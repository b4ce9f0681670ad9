//! `loki`: Grafana Loki's push API, in protobuf with snappy or in JSON
//! (<https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs>).
//!
//! Labels are few and bounded: the service, the region and what the user names. All else is structured
//! metadata. A line is the record as it came, so that `| json` finds all of it.

use std::fmt::Write as _;
use std::time::Duration;

use backstop_config::{Compression, Primary};
use backstop_delivery::Wall;
use backstop_json::Fnv;

use super::answers::{LOKI, Row};
use super::assemble::{Frame, Limits, Logs, Written, logs};
use super::log::Log;
use super::resource::Attributes;
use super::text::{Decimal, List, Object, string};
use super::{Context, Format};
use crate::codec::{Item, Output, Packing};
use crate::wire::{Message as _, field_of, long_message};

/// The default of `reject_old_samples_max_age`.
const MAX_AGE: Duration = Duration::from_hours(7 * 24);
/// The attributes that always become labels, and what those are called.
const LABELS: &[(&str, &str)] = &[
    ("service_name", "service.name"),
    ("cloud_region", "cloud.region"),
];
/// The default of `max_label_value_length`, in bytes.
const MOST_VALUE: usize = 2048;
/// What the metadata of a resource takes at most, of the 64 KB that the default of `max_structured_metadata_size` leaves
/// to a line: its own takes up to 12 KB.
const MOST_METADATA: usize = 48_000;
/// The default of `max_label_names_per_series`.
const MOST_LABELS: usize = 15;

/// The label of what is replayed: the hour that it is of, as `2026-11-28T08`.
const REPLAY: &str = "replay";
/// A line that is no older than this is not refused beside any other: Loki takes what is up to an hour behind the
/// newest line of its stream, and a body may wait for some minutes.
const SURELY_TAKEN: Duration = Duration::from_mins(50);

/// The push format.
#[derive(Debug)]
pub(super) struct Loki {
    is_json: bool,
    labels: Vec<String>,
    age: Option<Duration>,
}

impl Loki {
    pub(super) fn new(primary: &Primary) -> Self {
        Self {
            is_json: primary.options.is_json,
            labels: primary.options.labels.clone(),
            age: super::age(&primary.options, MAX_AGE),
        }
    }

    /// The labels of a stream, by name.
    fn labels(&self, resource: &Attributes, most: usize) -> Vec<(String, String)> {
        let known = LABELS
            .iter()
            .map(|(label, name)| ((*label).to_owned(), *name));
        let own = self.labels.iter().map(|name| (label(name), name.as_str()));
        let mut labels: Vec<(String, String)> = Vec::new();
        for (label, name) in known.chain(own) {
            let value = resource
                .get(name)
                .map(Attributes::shown)
                .unwrap_or_default();
            let is_new = labels.iter().all(|(known, _)| *known != label);
            let is_new = is_new && label != REPLAY;
            if is_new && !value.is_empty() && labels.len() < most {
                labels.push((label, cut(&value, MOST_VALUE).to_owned()));
            }
        }
        labels
    }
}

/// A label's name: `[a-zA-Z_][a-zA-Z0-9_]*`.
fn label(name: &str) -> String {
    let mut label: String = name
        .chars()
        .map(|char| {
            if char.is_ascii_alphanumeric() {
                char
            } else {
                '_'
            }
        })
        .collect();
    if label.starts_with(|char: char| char.is_ascii_digit()) {
        label.insert(0, '_');
    }
    label
}

/// The first bytes of a text, at most `most`.
fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

impl Format for Loki {
    fn content_type(&self) -> &'static str {
        if self.is_json {
            "application/json"
        } else {
            "application/x-protobuf"
        }
    }

    fn packing(&self, compression: Compression) -> Packing {
        if self.is_json {
            compression.into()
        } else {
            Packing::Snappy
        }
    }

    fn write(&self, items: &[Item<'_>], context: Context, out: &mut Output) -> Written {
        logs(self, items, context, out)
    }

    fn answers(&self) -> &'static [Row] {
        LOKI
    }
}

impl Logs for Loki {
    fn limits(&self) -> Limits {
        Limits {
            records: 10_000,
            // What a tenant may send in one burst is 6 MB.
            bytes: 4_000_000,
            // 256 KB are a line, and 64 KB its metadata.
            record_bytes: 256_000,
            age: self.age,
        }
    }

    fn frame(&self) -> Frame {
        if self.is_json {
            Frame {
                open: "{\"streams\":[",
                between: ",",
                close: "]}",
                group: Some(","),
            }
        } else {
            Frame {
                group: Some(""),
                ..Frame::default()
            }
        }
    }

    /// What is said of each line of a resource beside its labels.
    fn write_resource(&self, resource: &Attributes, out: &mut Vec<u8>) {
        let metadata = metadata(resource);
        if self.is_json {
            let mut members = Object::inside(out);
            for (name, value) in &metadata {
                members.own_text(name, value);
            }
            return;
        }
        for (name, value) in &metadata {
            pair(out, name, value);
        }
    }

    fn write_log(&self, log: &Log<'_>, _: &Attributes, written: &[u8], out: &mut Vec<u8>) {
        let metadata = metadata_of(log);
        let metadata = metadata.iter().filter(|(_, value)| !value.is_empty());
        let time = instant(log);
        if self.is_json {
            let mut entry = List::open(out);
            entry.item(|out| string(out, &Decimal::of(time.nanoseconds())));
            entry.item(|out| string(out, log.original()));
            entry.item(|out| {
                let mut object = Object::open(out);
                for (name, value) in metadata {
                    object.text(name, value);
                }
                object.members(written);
                object.close();
            });
            entry.close();
            return;
        }
        long_message(out, 2, |entry| {
            entry.message(1, |timestamp| {
                timestamp.varint(1, time.0.as_secs());
                timestamp.varint(2, u64::from(time.0.subsec_nanos()));
            });
            entry.string(2, log.original());
            for (name, value) in metadata {
                pair(entry, name, value);
            }
            entry.extend_from_slice(written);
        });
    }

    /// Loki refuses what is more than an hour behind the newest line of its stream, as most of an archive is
    /// behind what is live. Each hour of a replay is a stream of its own: in whatever order it comes, none is
    /// behind, and what is replayed twice is still one line.
    fn division(&self, log: &Log<'_>, context: Context) -> Option<String> {
        let is_behind = context.now.since(log.time) > SURELY_TAKEN;
        (context.is_replay && is_behind).then(|| {
            let mut time = log.time.rfc3339();
            time.truncate("2026-11-28T08".len());
            time
        })
    }

    fn wrap(&self, resource: &Attributes, division: Option<&str>, logs: &[u8], out: &mut Output) {
        let most = MOST_LABELS - usize::from(division.is_some());
        let mut labels = self.labels(resource, most);
        labels.extend(division.map(|hour| (REPLAY.to_owned(), hour.to_owned())));
        labels.sort_unstable();
        if self.is_json {
            let mut stream = Object::open(out.bytes());
            stream.object("stream", |stream| {
                for (name, value) in &labels {
                    stream.own_text(name, value);
                }
            });
            stream.raw("values", |out| out.push(b'['));
            out.append(logs);
            out.bytes().extend_from_slice(b"]}");
            return;
        }
        let labels = labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{}\"", quoted(value)));
        let labels: Vec<String> = labels.collect();
        let labels = format!("{{{}}}", labels.join(", "));
        let head = out.bytes();
        head.message_of(1, field_of(labels.len()) + logs.len());
        head.string(1, &labels);
        out.append(logs);
    }
}

/// When it happened, to a nanosecond of its own: Loki drops a line that its stream has at this nanosecond
/// already, and Lambda's times are in milliseconds. Two that say the same would be one.
fn instant(log: &Log<'_>) -> Wall {
    const MILLISECOND: u64 = 1_000_000;
    let time = log.time.0;
    if u64::from(time.subsec_nanos()) % MILLISECOND > 0 {
        return log.time;
    }
    // Those of an environment stay in their order.
    let (environment, sequence) = log.id.rsplit_once('-').unwrap_or((&log.id, ""));
    let place = Fnv::of(environment.as_bytes()).wrapping_add(sequence.parse().unwrap_or_default());
    Wall(time + Duration::from_nanos(place % MILLISECOND))
}

/// The inside of a string literal of Go, as which Loki reads a label's value.
fn quoted(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len());
    for char in value.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            _ if char.is_control() => _ = write!(quoted, "\\u{:04x}", u32::from(char)),
            _ => quoted.push(char),
        }
    }
    quoted
}

/// One pair of structured metadata.
fn pair(entry: &mut Vec<u8>, name: &str, value: &str) {
    entry.message_of(3, field_of(name.len()) + field_of(value.len()));
    entry.string(1, name);
    entry.string(2, value);
}

/// The names that a line's own metadata may have; [`metadata_of`] gives them.
const OF_LOG: [&str; 6] = [
    "log_record_uid",
    "faas_invocation_id",
    "type",
    "level",
    "trace_id",
    "span_id",
];

/// What is said of a line beside its labels, empty where there is nothing to say.
fn metadata_of<'a>(log: &'a Log<'_>) -> [(&'static str, &'a str); 6] {
    let values = [
        Some(&*log.id),
        log.request_id.as_deref(),
        Some(&*log.kind),
        log.level.map(super::log::Level::lower),
        log.trace_id.as_deref(),
        log.span_id.as_deref(),
    ];
    let mut names = OF_LOG.into_iter();
    values.map(|value| {
        let value = value.unwrap_or_default();
        (names.next().unwrap_or_default(), cut(value, MOST_VALUE))
    })
}

/// What is said of each line of a resource beside its labels.
fn metadata(resource: &Attributes) -> Vec<(String, String)> {
    let known = [
        "faas.name",
        "faas.version",
        "faas.instance",
        "cloud.account.id",
    ];
    let known = known.map(|name| (label(name), resource.or_empty(name).to_owned()));
    let mut metadata = Vec::from(known);
    metadata.retain(|(_, value)| !value.is_empty());
    // A line has room for 128.
    let taken: Vec<String> = metadata.iter().map(|(name, _)| name.clone()).collect();
    let mut taken: Vec<&str> = taken.iter().map(String::as_str).collect();
    taken.extend(OF_LOG);
    let tags = resource.tags_beside(&taken, label).into_iter().take(100);
    metadata.extend(tags);
    let mut room = MOST_METADATA;
    metadata.retain_mut(|(name, value)| {
        value.truncate(value.floor_char_boundary(MOST_VALUE));
        let size = name.len() + value.len();
        let has_room = size <= room;
        room -= if has_room { size } else { 0 };
        has_room
    });
    metadata
}
