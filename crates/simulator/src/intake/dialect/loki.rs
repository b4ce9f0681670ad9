//! Grafana Loki's push API, with Loki's default limits
//! (<https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs>, `pkg/distributor`).
//!
//! A line that breaks a limit is left out, the others are stored, and the answer is 400 for all of them.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::CONTENT_ENCODING;
use serde_json::Value;

use super::wire::{self, Field};
use super::{Dialect, Entry, JSON, Problem, Refusal, media_type, now, only};
use crate::intake::decode::Received;
use crate::traffic;

/// A tenant's burst: a push above it is never taken.
const MOST_BYTES: usize = 6 * 1024 * 1024;
const MOST_LABELS: usize = 15;
const MOST_NAME_BYTES: usize = 1024;
const MOST_VALUE_BYTES: usize = 2048;
const MOST_LINE_BYTES: usize = 256 * 1024;
const MOST_METADATA_BYTES: usize = 64 * 1024;
const MOST_METADATA: usize = 128;
const OLDEST: Duration = Duration::from_hours(7 * 24);
const NEWEST: Duration = Duration::from_mins(10);
/// Half of `max_chunk_age`: so far behind its stream's newest line may a line be.
pub(in crate::intake) const FURTHEST_BEHIND: Duration = Duration::from_hours(1);

type Pairs = Vec<(String, String)>;

struct Line {
    labels: Pairs,
    nanoseconds: u128,
    text: String,
    metadata: Pairs,
}

pub(super) fn read(request: &Request<Bytes>) -> Result<Vec<Entry>, Refusal> {
    let refuse = |status, reason: &str| Dialect::Loki.refuse(status, reason);
    let (plain, is_json) = match media_type(request.headers()) {
        JSON => (Dialect::Loki.plain(request)?, true),
        "application/x-protobuf" => {
            if request.headers().contains_key(CONTENT_ENCODING) {
                return Err(refuse(400, "Content-Encoding is not supported"));
            }
            let plain = snap::raw::Decoder::new()
                .decompress_vec(request.body())
                .map_err(|error| refuse(400, &error.to_string()))?;
            (plain.into(), false)
        }
        _ => return Err(refuse(415, "the content type is not supported")),
    };
    let lines = if is_json {
        of_json(&plain)
    } else {
        of_protobuf(&plain)
    };
    let lines = lines.map_err(|reason| refuse(400, &reason))?;
    if lines.is_empty() {
        return Err(refuse(
            422,
            "error at least one valid stream is required for ingestion",
        ));
    }
    let size: usize = lines.iter().map(Line::size).sum();
    if size > MOST_BYTES {
        return Err(refuse(429, "ingestion rate limit exceeded for user tenant"));
    }
    Ok(lines.iter().map(Line::entry).collect())
}

fn of_json(plain: &[u8]) -> Result<Vec<Line>, String> {
    let push: Value = serde_json::from_slice(plain).map_err(|error| error.to_string())?;
    let streams = only(&push, &["streams"])?.get("streams");
    let streams = streams.and_then(Value::as_array);
    let mut lines = Vec::new();
    for stream in streams.ok_or("\"streams\" is not an array")? {
        let stream = only(stream, &["stream", "values"])?;
        let labels = pairs(stream.get("stream").unwrap_or(&Value::Null))?;
        let values = stream.get("values").and_then(Value::as_array);
        for value in values.ok_or("\"values\" is not an array")? {
            let parts = value.as_array().map(Vec::as_slice);
            let (time, text, metadata) = match parts {
                Some([Value::String(time), Value::String(text)]) => (time, text, Pairs::new()),
                Some([Value::String(time), Value::String(text), metadata]) => {
                    (time, text, pairs(metadata)?)
                }
                _ => return Err("a value is a text for the time, a text, and metadata".to_owned()),
            };
            lines.push(Line {
                labels: labels.clone(),
                nanoseconds: time.parse().map_err(|_| format!("{time:?} is no time"))?,
                text: text.clone(),
                metadata,
            });
        }
    }
    Ok(lines)
}

fn pairs(value: &Value) -> Result<Pairs, String> {
    let object = value.as_object().ok_or("an object is wanted")?;
    let pair = |(name, value): (&String, &Value)| {
        let value = value.as_str().ok_or(format!("{name:?} is not a text"))?;
        Ok((name.clone(), value.to_owned()))
    };
    object.iter().map(pair).collect()
}

fn of_protobuf(plain: &[u8]) -> Result<Vec<Line>, String> {
    let mut lines = Vec::new();
    for field in wire::fields(plain)? {
        let (1, Field::Bytes(stream)) = field else {
            return wire::unknown("PushRequest", field);
        };
        let mut labels = Pairs::new();
        let mut entries = Vec::new();
        for field in wire::fields(stream)? {
            match field {
                (1, Field::Bytes(text)) => labels = parse_labels(&wire::text(text)?)?,
                (2, Field::Bytes(entry)) => entries.push(entry),
                (3, Field::Varint(_)) => {}
                other => return wire::unknown("Stream", other),
            }
        }
        for entry in entries {
            lines.push(line_of(entry, &labels)?);
        }
    }
    Ok(lines)
}

fn line_of(entry: &[u8], labels: &Pairs) -> Result<Line, String> {
    let mut line = Line {
        labels: labels.clone(),
        nanoseconds: 0,
        text: String::new(),
        metadata: Pairs::new(),
    };
    for field in wire::fields(entry)? {
        match field {
            (1, Field::Bytes(time)) => {
                for field in wire::fields(time)? {
                    line.nanoseconds += match field {
                        (1, Field::Varint(seconds)) => u128::from(seconds) * 1_000_000_000,
                        (2, Field::Varint(nanos @ 0..1_000_000_000)) => u128::from(nanos),
                        other => return wire::unknown("Timestamp", other),
                    };
                }
            }
            (2, Field::Bytes(text)) => line.text = wire::text(text)?,
            (3, Field::Bytes(pair)) => {
                let (mut name, mut value) = Default::default();
                for field in wire::fields(pair)? {
                    match field {
                        (1, Field::Bytes(text)) => name = wire::text(text)?,
                        (2, Field::Bytes(text)) => value = wire::text(text)?,
                        other => return wire::unknown("LabelPairAdapter", other),
                    }
                }
                line.metadata.push((name, value));
            }
            other => return wire::unknown("Entry", other),
        }
    }
    Ok(line)
}

/// `{name="value", …}` as Prometheus reads it, where a value is a string of Go.
fn parse_labels(text: &str) -> Result<Pairs, String> {
    let wrong = || format!("error parsing labels {text:?}");
    let inner = text.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
    let mut rest = inner.ok_or_else(wrong)?;
    let mut labels = Pairs::new();
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").ok_or_else(wrong)?;
        let mut end = None;
        let mut is_escaped = false;
        for (at, char) in after.char_indices() {
            match char {
                _ if is_escaped => is_escaped = false,
                '\\' => is_escaped = true,
                '"' => {
                    end = Some(at);
                    break;
                }
                '\n' => return Err(wrong()),
                _ => {}
            }
        }
        let end = end.ok_or_else(wrong)?;
        let value = unquote(&after[..end]).ok_or_else(wrong)?;
        labels.push((name.to_owned(), value));
        rest = &after[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    Ok(labels)
}

/// The escapes of Go's interpreted string literals.
fn unquote(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let kind = rest[at + 1..].chars().next()?;
        let after = at + 1 + kind.len_utf8();
        let digits = |length: usize, radix| {
            let text = rest.get(after..after + length)?;
            u32::from_str_radix(text, radix).ok()
        };
        let mut used = after;
        match kind {
            'a' => bytes.push(7),
            'b' => bytes.push(8),
            'f' => bytes.push(12),
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            'v' => bytes.push(11),
            '\\' | '"' => bytes.push(kind as u8),
            'x' => {
                bytes.push(u8::try_from(digits(2, 16)?).ok()?);
                used += 2;
            }
            'u' | 'U' => {
                let length = if kind == 'u' { 4 } else { 8 };
                let char = char::from_u32(digits(length, 16)?)?;
                bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                used += length;
            }
            _ => return None,
        }
        rest = &rest[used..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
}

impl Line {
    fn size(&self) -> usize {
        let metadata = self.metadata.iter();
        self.text.len()
            + metadata
                .map(|(name, value)| name.len() + value.len())
                .sum::<usize>()
    }

    fn stream(&self) -> String {
        let mut labels = self.labels.clone();
        labels.sort_unstable();
        format!("{labels:?}")
    }

    fn entry(&self) -> Entry {
        let uid = self.metadata.iter();
        let uid = uid.filter(|(name, _)| name == "log_record_uid");
        let uid = uid.map(|(_, value)| value.as_str()).next();
        let stream = self.stream();
        let parsed: Option<Value> = serde_json::from_str(&self.text).ok();
        let sequence = parsed.as_ref().and_then(traffic::sequence_of);
        let text = Value::from(self.text.as_str());
        Entry {
            received: Received {
                id: uid.unwrap_or_default().to_owned(),
                sequence: sequence.or_else(|| traffic::sequence_of(&text)),
                line: self.text.clone(),
            },
            // A line that is in its stream's open block already, at the same nanosecond.
            key: Some(format!("{stream} {} {}", self.nanoseconds, self.text)),
            at: Some((stream, self.nanoseconds)),
            problem: self.problem().err().map(|reason| Problem::new(400, reason)),
        }
    }

    fn problem(&self) -> Result<(), String> {
        let stream = self.stream();
        if self.labels.is_empty() {
            return Err("error at least one label pair is required per stream".to_owned());
        }
        if self.labels.len() > MOST_LABELS {
            return Err(format!("entry for stream '{stream}' has too many labels"));
        }
        for (name, value) in &self.labels {
            if !is_name(name) || name.len() > MOST_NAME_BYTES || value.len() > MOST_VALUE_BYTES {
                return Err(format!("stream '{stream}' has the label {name:?}"));
            }
        }
        let length = self.text.len();
        if length > MOST_LINE_BYTES {
            return Err(format!(
                "Max entry size '{MOST_LINE_BYTES}' bytes exceeded for stream '{stream}' while \
                 adding an entry with length '{length}' bytes"
            ));
        }
        let metadata = self.size() - length;
        if metadata > MOST_METADATA_BYTES || self.metadata.len() > MOST_METADATA {
            return Err(format!(
                "stream '{stream}' has structured metadata too large"
            ));
        }
        let now = now();
        if self.nanoseconds + OLDEST.as_nanos() < now.as_nanos() {
            return Err(format!("entry for stream '{stream}' has timestamp too old"));
        }
        if self.nanoseconds > (now + NEWEST).as_nanos() {
            return Err(format!("entry for stream '{stream}' has timestamp too new"));
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    let is_start = |char: char| char.is_ascii_alphabetic() || char == '_';
    name.starts_with(is_start)
        && name
            .chars()
            .all(|char| is_start(char) || char.is_ascii_digit())
}
