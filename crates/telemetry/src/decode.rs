//! One pass over a well-formed body; anything else goes element by element through [`crate::resync`].

use bytes::{BufMut, Bytes, BytesMut};
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::platform::Platform;
use crate::resync;

/// The `type` given to what is not a telemetry event, so that it can be kept and seen.
pub const MALFORMED: &str = "backstop.malformed";

/// The marker that starts each line the extension itself logs.
const OWN_LINE: &str = "{\"backstop\":";
/// The same line as Lambda forwards it when the log format is text: inside a JSON string.
const OWN_LINE_AS_STRING: &str = "\"{\\\"backstop\\\":";

/// One element of a telemetry batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What the element is, as far as the pipeline acts on it.
    pub kind: Kind,
    /// `"time":…,"type":…,"record":…` as received, on one line.
    pub fragment: Bytes,
}

/// What the pipeline needs to know of an element; everything else stays text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Output of the function.
    Function,
    /// Output of an extension.
    Extension,
    /// A line that this extension logged itself and must not send round again.
    OwnLine,
    /// A platform event.
    Platform(Platform),
    /// A type this version does not know; kept like any other.
    Unknown,
    /// Not a telemetry event; kept as a record of type [`MALFORMED`].
    Malformed,
}

/// An element as the Telemetry API schema has it. Fields stay raw: only `type` is looked at.
#[derive(Deserialize)]
pub(crate) struct Element<'body> {
    #[serde(borrow, default, deserialize_with = "present")]
    time: Option<&'body RawValue>,
    #[serde(borrow, default, deserialize_with = "present", rename = "type")]
    kind: Option<&'body RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    record: Option<&'body RawValue>,
}

/// A record that is `null` is there; only a key that is missing is not.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Decodes one POST body into events, in order.
///
/// `received` is the RFC 3339 time to write where an element has none.
pub fn decode(body: &Bytes, received: &str) -> Vec<Event> {
    let Ok(text) = std::str::from_utf8(body) else {
        // Broken UTF-8 costs the broken characters, not the batch.
        let repaired = String::from_utf8_lossy(body).into_owned();
        return decode(&Bytes::from(repaired), received);
    };
    let mut events = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let collect = Collect {
        body,
        events: &mut events,
        received,
    };
    if deserializer
        .deserialize_seq(collect)
        .and_then(|()| deserializer.end())
        .is_ok()
    {
        return events;
    }
    events.clear();
    resync::decode(body, text, received, &mut events);
    events
}

struct Collect<'a> {
    body: &'a Bytes,
    events: &'a mut Vec<Event>,
    received: &'a str,
}

impl<'de> Visitor<'de> for Collect<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an array of telemetry events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element::<Element<'de>>()? {
            // An element without a record is not lost: the slow path keeps its whole text.
            let event = element
                .event(self.body, self.received)
                .ok_or_else(|| serde::de::Error::custom("an element without type or record"))?;
            self.events.push(event);
        }
        Ok(())
    }
}

impl Element<'_> {
    /// The event, or `None` where `type` or `record` is missing.
    pub(crate) fn event(&self, body: &Bytes, received: &str) -> Option<Event> {
        let (kind, record) = (self.kind?.get(), self.record?.get());
        // A type that is not a string cannot be routed or filtered by anyone downstream.
        let name = kind.strip_prefix('"')?.strip_suffix('"')?;
        let time = self
            .time
            .map(RawValue::get)
            .filter(|time| time.starts_with('"'));
        let fragment = time
            .and_then(|time| slice(body, time, kind, record))
            .unwrap_or_else(|| build(time, kind, record, received));
        Some(Event {
            kind: Kind::of(name, time.unwrap_or_default(), record),
            fragment: on_one_line(fragment),
        })
    }
}

impl Kind {
    fn of(name: &str, time: &str, record: &str) -> Self {
        match name {
            "function" => Self::Function,
            "extension" if is_own_line(record) => Self::OwnLine,
            "extension" => Self::Extension,
            _ if name.starts_with("platform.") => Self::Platform(Platform::of(name, time, record)),
            _ => Self::Unknown,
        }
    }
}

fn is_own_line(record: &str) -> bool {
    record.starts_with(OWN_LINE) || record.starts_with(OWN_LINE_AS_STRING)
}

/// The part of the body that already is the fragment: the order and spacing Lambda itself writes.
fn slice(body: &Bytes, time: &str, kind: &str, record: &str) -> Option<Bytes> {
    const TIME: &str = "\"time\":";
    let origin = body.as_ptr() as usize;
    let start_of = |part: &str| (part.as_ptr() as usize).checked_sub(origin);
    let (time_at, kind_at, record_at) = (start_of(time)?, start_of(kind)?, start_of(record)?);
    let start = time_at.checked_sub(TIME.len())?;
    let canonical = body.get(start..time_at)? == TIME.as_bytes()
        && body.get(time_at + time.len()..kind_at)? == b",\"type\":"
        && body.get(kind_at + kind.len()..record_at)? == b",\"record\":";
    canonical.then(|| body.slice(start..record_at + record.len()))
}

fn build(time: Option<&str>, kind: &str, record: &str, received: &str) -> Bytes {
    let mut fragment = BytesMut::with_capacity(record.len() + kind.len() + 64);
    fragment.put_slice(b"\"time\":");
    match time {
        Some(time) => fragment.put_slice(time.as_bytes()),
        None => fragment.put_slice(quoted(received).as_bytes()),
    }
    fragment.put_slice(b",\"type\":");
    fragment.put_slice(kind.as_bytes());
    fragment.put_slice(b",\"record\":");
    fragment.put_slice(record.as_bytes());
    fragment.freeze()
}

/// A JSON value that is not a telemetry event, kept as a record of its own.
pub(crate) fn malformed(json: &str, received: &str) -> Event {
    let fragment = build(None, &quoted(MALFORMED), json, received);
    Event {
        kind: Kind::Malformed,
        fragment: on_one_line(fragment),
    }
}

/// `text` as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Line breaks are only legal JSON between tokens, where a space means the same.
fn on_one_line(fragment: Bytes) -> Bytes {
    if memchr::memchr2(b'\n', b'\r', &fragment).is_none() {
        return fragment;
    }
    fragment
        .iter()
        .map(|&byte| {
            if matches!(byte, b'\n' | b'\r') {
                b' '
            } else {
                byte
            }
        })
        .collect()
}
