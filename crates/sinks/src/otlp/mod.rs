//! The function's own telemetry: a request of OTLP/HTTP becomes one record for each item
//! (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).
//!
//! An item is a log record, a span, or a metric with its data points. Its record holds a request of OTLP's JSON
//! with this item alone, its resource and its scope, so that tools which read such requests read it as it is:
//! `{"resourceLogs":[{"resource":{…},"scopeLogs":[{"scope":{…},"logRecords":[{…}]}]}]}`.
//!
//! Invariants: a request is taken as a whole, or refused as a whole, but for items that are nested too deep to be
//! read back; the records of a request that is taken are no larger than the caller's bound, whatever is in it;
//! the same telemetry makes the same records, in whichever encoding it came.
//!
//! Must not: quote a request in an error.

mod answer;
mod item;
mod read;
mod schema;
mod write;

use backstop_archive::{OTLP_LOGS, OTLP_METRICS, OTLP_TRACES};
use backstop_delivery::{Signal, Wall};
use bytes::Bytes;
use std::time::Duration;

pub use answer::{Answer, Encoding};
pub(crate) use item::{Received as ReceivedItem, is_unnamed, wrap};
use read::Unreadable;
use schema::Message;
use write::Strictness;

use crate::wire::{Field, Fields, Malformed};

/// About what a record costs beside its text.
const OVERHEAD: usize = 256;

/// A signal's names and messages.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The type of its records.
    pub(crate) kind: &'static str,
    request: Message,
    pub(crate) item: Message,
    /// The names of the request's list, of a resource's and of a scope's.
    pub(crate) names: [&'static str; 3],
    /// The number of an item's attributes; none where it has none of its own.
    pub(crate) attributes: Option<u32>,
}

static LOGS: Shape = Shape {
    kind: OTLP_LOGS,
    request: &schema::LOGS_REQUEST,
    item: &schema::LOG_RECORD,
    names: ["resourceLogs", "scopeLogs", "logRecords"],
    attributes: Some(6),
};
static METRICS: Shape = Shape {
    kind: OTLP_METRICS,
    request: &schema::METRICS_REQUEST,
    item: &schema::METRIC,
    names: ["resourceMetrics", "scopeMetrics", "metrics"],
    attributes: None,
};
static TRACES: Shape = Shape {
    kind: OTLP_TRACES,
    request: &schema::TRACES_REQUEST,
    item: &schema::SPAN,
    names: ["resourceSpans", "scopeSpans", "spans"],
    attributes: Some(9),
};

impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl Eq for Shape {}

impl std::hash::Hash for Shape {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.kind.hash(state);
    }
}

impl Shape {
    fn of(signal: Signal) -> &'static Self {
        match signal {
            Signal::Log => &LOGS,
            Signal::Metric | Signal::PostedMetric => &METRICS,
            Signal::Span => &TRACES,
        }
    }

    /// That of a record's type.
    pub(crate) fn of_kind(kind: &str) -> Option<&'static Self> {
        [&LOGS, &METRICS, &TRACES]
            .into_iter()
            .find(|shape| shape.kind == kind)
    }
}

/// What a request holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Received {
    pub signal: Signal,
    /// A record for each item: the members `"time":…,"type":…,"record":…`.
    pub fragments: Vec<Bytes>,
    /// Items that cannot be taken, as OTLP counts them: data points, where the item is a metric.
    pub rejected: u64,
}

impl Received {
    /// About the bytes of memory that it takes.
    pub fn cost(&self) -> usize {
        self.fragments.iter().map(|it| it.len() + OVERHEAD).sum()
    }
}

/// Why nothing of a request is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It is not a request of this signal in this encoding.
    Malformed,
    /// Its records would take more than the bound.
    TooLarge,
}

impl From<Malformed> for Refused {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Reads a request of which the records take at most `most_bytes`. Items without a time are of `now`.
///
/// # Errors
///
/// Where nothing of it can be taken.
pub fn receive(
    signal: Signal,
    encoding: Encoding,
    body: &[u8],
    most_bytes: usize,
    now: Wall,
) -> Result<Received, Refused> {
    let shape = Shape::of(signal);
    let mut converted = Vec::new();
    let request = match encoding {
        Encoding::Protobuf => body,
        Encoding::Json => {
            let mut read = |body: &[u8]| {
                converted.clear();
                write::protobuf(shape.request, body, Strictness::Strict, &mut converted)
            };
            // Text that was cut in the middle of a character costs no more than that character.
            read(body)
                .or_else(|_| read(&repaired(body)))
                .map_err(|_| Refused::Malformed)?;
            &converted
        }
    };
    let mut reader = Reader {
        shape,
        signal,
        now,
        room: most_bytes,
        received: Received {
            signal,
            fragments: Vec::new(),
            rejected: 0,
        },
    };
    for group in Fields(request) {
        if let (1, Field::Bytes(group)) = group? {
            reader.group(group)?;
        }
    }
    Ok(reader.received)
}

struct Reader {
    shape: &'static Shape,
    signal: Signal,
    now: Wall,
    room: usize,
    received: Received,
}

/// What stands before and after an item.
#[derive(Default)]
struct Around {
    before: Vec<u8>,
    after: Vec<u8>,
}

/// The levels of a request above an item have the same numbers: what all below have in common, the list of those
/// below, and the address of a schema.
const COMMON: u32 = 1;
const LIST: u32 = 2;
const SCHEMA_URL: u32 = 3;

impl Around {
    /// Writes what is common to all in a message's list. An error is one of all of them.
    fn of(message: &[u8], common: (&str, Message), list: &str) -> Result<Self, Unreadable> {
        let mut around = Self::default();
        let mut schema_url = None;
        let mut found = None;
        for field in Fields(message) {
            match field? {
                (COMMON, Field::Bytes(bytes)) => found = Some(bytes),
                (SCHEMA_URL, Field::Bytes(bytes)) => schema_url = Some(bytes),
                _ => {}
            }
        }
        let (name, message) = common;
        around.before.push(b'{');
        if let Some(bytes) = found {
            read::name(&mut around.before, name);
            read::json(message, bytes, &mut around.before)?;
            around.before.push(b',');
        }
        read::name(&mut around.before, list);
        around.before.push(b'[');
        around.after.push(b']');
        if let Some(url) = schema_url.filter(|url| !url.is_empty()) {
            around.after.push(b',');
            read::name(&mut around.after, "schemaUrl");
            // A text can be written, and a vector takes everything.
            _ = serde_json::to_writer(&mut around.after, &*String::from_utf8_lossy(url));
        }
        around.after.push(b'}');
        Ok(around)
    }
}

impl Reader {
    fn group(&mut self, group: &[u8]) -> Result<(), Refused> {
        let [_, scopes, items] = self.shape.names;
        let resource = readable(Around::of(group, ("resource", &schema::RESOURCE), scopes))?;
        for field in Fields(group) {
            let (LIST, Field::Bytes(scope)) = field? else {
                continue;
            };
            let around = readable(Around::of(scope, ("scope", &schema::SCOPE), items))?;
            for field in Fields(scope) {
                let (LIST, Field::Bytes(item)) = field? else {
                    continue;
                };
                match (&resource, &around) {
                    (Some(resource), Some(around)) => self.item(item, resource, around)?,
                    _ => self.reject(item)?,
                }
            }
        }
        Ok(())
    }

    fn reject(&mut self, item: &[u8]) -> Result<(), Refused> {
        self.received.rejected += self.counts(item)?;
        Ok(())
    }

    fn item(&mut self, item: &[u8], resource: &Around, scope: &Around) -> Result<(), Refused> {
        let [groups, ..] = self.shape.names;
        let time = self.time(item)?.rfc3339();
        let kind = self.shape.kind;
        let mut text =
            format!(r#""time":"{time}","type":"{kind}","record":{{"{groups}":["#).into_bytes();
        let around = [resource, scope].map(|it| it.before.len() + it.after.len());
        let least = text.len() + around[0] + around[1] + OVERHEAD;
        self.room = self.room.checked_sub(least).ok_or(Refused::TooLarge)?;
        text.reserve(around[0] + around[1] + 2 * item.len());
        text.extend_from_slice(&resource.before);
        text.extend_from_slice(&scope.before);
        let start = text.len();
        if readable(read::json(self.shape.item, item, &mut text))?.is_none() {
            return self.reject(item);
        }
        let length = text.len() - start;
        self.room = self.room.checked_sub(length).ok_or(Refused::TooLarge)?;
        text.extend_from_slice(&scope.after);
        text.extend_from_slice(&resource.after);
        text.extend_from_slice(b"]}");
        text.shrink_to_fit();
        self.received.fragments.push(text.into());
        Ok(())
    }

    /// When it was: a log when it happened or was observed, a span when it ended, a metric when its first point was
    /// taken.
    fn time(&self, item: &[u8]) -> Result<Wall, Refused> {
        let fixed = |message: &[u8], numbers: [u32; 2]| -> Result<u64, Malformed> {
            let mut times = [0; 2];
            for field in Fields(message) {
                if let (number, Field::Fixed64(time)) = field? {
                    let known = numbers.iter().position(|known| *known == number);
                    if let Some(place) = known {
                        times[place] = time;
                    }
                }
            }
            let [first, second] = times;
            Ok(if first > 0 { first } else { second })
        };
        let time = match self.signal {
            Signal::Log => fixed(item, [1, 11])?,
            Signal::Span => fixed(item, [8, 7])?,
            Signal::Metric | Signal::PostedMetric => match points(item)?.next() {
                Some(point) => fixed(point?, [3, 2])?,
                None => 0,
            },
        };
        Ok(if time == 0 {
            self.now
        } else {
            Wall(Duration::from_nanos(time))
        })
    }

    fn counts(&self, item: &[u8]) -> Result<u64, Refused> {
        match self.signal {
            Signal::Log | Signal::Span => Ok(1),
            // One without points is an item, too: what is rejected is never zero.
            Signal::Metric | Signal::PostedMetric => Ok((points(item)?.count() as u64).max(1)),
        }
    }
}

/// The same JSON without halves of characters: half a pair of surrogates, as JavaScript writes a text that was cut, or
/// bytes that are not UTF-8. What is valid stays as it is.
fn repaired(body: &[u8]) -> Vec<u8> {
    let mut text = String::from_utf8_lossy(body).into_owned().into_bytes();
    backstop_json::repair_surrogates(&mut text);
    text
}

/// `None` where it is nested too deep.
fn readable<T>(read: Result<T, Unreadable>) -> Result<Option<T>, Refused> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(Unreadable::TooDeep) => Ok(None),
        Err(Unreadable::Malformed) => Err(Refused::Malformed),
    }
}

/// The data points of a metric.
fn points(metric: &[u8]) -> Result<impl Iterator<Item = Result<&[u8], Malformed>>, Malformed> {
    /// Gauge, sum, histogram, exponential histogram, summary.
    const DATA: [u32; 5] = [5, 7, 9, 10, 11];
    let mut data: &[u8] = &[];
    for field in Fields(metric) {
        if let (number, Field::Bytes(bytes)) = field?
            && DATA.contains(&number)
        {
            data = bytes;
        }
    }
    Ok(Fields(data).filter_map(|field| match field {
        Ok((1, Field::Bytes(point))) => Some(Ok(point)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    }))
}

#[cfg(test)]
mod tests;
