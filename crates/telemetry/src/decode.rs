//! A POST body as events, one after the other.
//!
//! A value that is JSON is an element. Where one is not, its text up to the next thing that looks like
//! the start of an event is kept as one malformed record, and decoding goes on there.
//!
//! Invariants: nothing is decoded before it is asked for; the work is bounded by a multiple of the
//! body, and the number of events by [`MOST_ELEMENTS`].

use std::iter::FusedIterator;
use std::ops::Range;

use backstop_json::{MOST_DEPTH, NotJson, Scanner};
use bytes::Bytes;

use crate::fragment::Writer;
use crate::platform::Platform;

/// Elements of one body that become an event each; what follows them is one malformed record. Lambda
/// sends at most 10,000 in a body, and each costs more memory than its text.
pub const MOST_ELEMENTS: usize = 20_000;

/// Lambda writes `time` first in each event; after a broken element this is where the next begins.
const START_OF_EVENT: &[u8] = b"{\"time\"";

/// How many times the length of the body may be spent on elements that turn out to be broken.
const BROKEN_BUDGET: usize = 4;

/// What some writers put before a text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The marker that starts each line the extension itself logs.
const OWN_LINE: &[u8] = b"{\"backstop\":";
/// The same line as Lambda forwards it when the log format is text: inside a JSON string.
const OWN_LINE_AS_STRING: &[u8] = b"\"{\\\"backstop\\\":";

/// One element of a telemetry batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What the element is, as far as the pipeline acts on it.
    pub kind: Kind,
    /// `"time":…,"type":…,"record":…` as received, on one line.
    pub fragment: Bytes,
    /// The text of its member `request_id`. Lambda sends none; the spool has some.
    pub request_id: Option<Bytes>,
    /// Its member `original`, as JSON. Lambda sends none either.
    pub original: Option<Bytes>,
    /// What stood before it in the body is not JSON: it may be a part of that, and its type what a function wrote.
    pub is_astray: bool,
}

/// What the pipeline needs to know of an element; everything else stays text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Output of the function.
    Function,
    /// Output of an extension.
    Extension,
    /// A line that this extension logged itself and must not send again.
    OwnLine,
    /// A platform event.
    Platform(Platform),
    /// A type this version does not know; kept like any other.
    Unknown,
    /// Not a telemetry event; kept as a record of type [`MALFORMED`](crate::MALFORMED).
    Malformed,
}

/// Decodes one POST body into events, in order, each when it is asked for.
///
/// `received` is the RFC 3339 time to write where an element has none.
pub fn decode<'a>(body: &'a Bytes, received: &str) -> Events<'a> {
    Events {
        body,
        at: first_element(body),
        elements_left: MOST_ELEMENTS,
        broken_budget: body.len().saturating_mul(BROKEN_BUDGET),
        is_astray: false,
        writer: Writer::new(body, received),
    }
}

/// The events of a body.
#[derive(Debug)]
pub struct Events<'a> {
    body: &'a Bytes,
    at: usize,
    elements_left: usize,
    broken_budget: usize,
    is_astray: bool,
    writer: Writer,
}

/// A value of the body, as far as the Telemetry API's schema goes. Members stay raw.
#[derive(Debug, Default)]
struct Element {
    time: Option<Range<usize>>,
    kind: Option<Range<usize>>,
    record: Option<Range<usize>>,
    request_id: Option<Range<usize>>,
    original: Option<Range<usize>>,
    /// One of the first three was there twice: nobody knows which is meant.
    has_duplicate: bool,
}

impl Iterator for Events<'_> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let start = next_value(self.body, self.at)?;
        let Some(elements_left) = self.elements_left.checked_sub(1) else {
            return Some(self.text(start, self.body.len()));
        };
        self.elements_left = elements_left;
        let mut scanner = Scanner::new(self.body, start);
        if let Ok(element) = element(&mut scanner) {
            self.at = scanner.at;
            return Some(self.event(start, &element, &scanner));
        }
        self.is_astray = true;
        self.broken_budget = self.broken_budget.saturating_sub(scanner.at - start);
        let rest = &self.body[start + 1..];
        let next = memchr::memmem::find(rest, START_OF_EVENT).filter(|_| self.broken_budget > 0);
        let end = next.map_or(self.body.len(), |offset| start + 1 + offset);
        Some(self.text(start, end))
    }
}

impl FusedIterator for Events<'_> {}

impl Events<'_> {
    /// The event of a value that is JSON and begins at `start`.
    fn event(&mut self, start: usize, element: &Element, scanned: &Scanner<'_>) -> Event {
        let value = start..scanned.at;
        let writer = &mut self.writer;
        if scanned.is_unreadable {
            return malformed(writer.text(self.body, value));
        }
        let as_event = match element {
            Element {
                has_duplicate: false,
                time,
                kind: Some(kind),
                record: Some(record),
                request_id: _,
                original: _,
            } => Some((time, kind, record)),
            // An element without type or record is not lost: its whole text is kept.
            _ => None,
        };
        // A type that is not a string cannot be routed or filtered by anyone downstream.
        let as_event = as_event.and_then(|(time, kind, record)| {
            let name = self.body[kind.clone()].strip_prefix(b"\"")?;
            Some((time, kind, name.strip_suffix(b"\"")?, record))
        });
        let Some((time, kind, name, record)) = as_event else {
            // An object is one level more than the deepest of its values.
            let is_too_deep = self.body[start] == b'{' && scanned.depth == MOST_DEPTH;
            return malformed(if is_too_deep {
                writer.text(self.body, value)
            } else {
                writer.json(self.body, value, scanned)
            });
        };
        let time = time
            .clone()
            .filter(|time| self.body[time.clone()].starts_with(b"\""));
        let time_text = time.clone().map_or(&[][..], |time| &self.body[time]);
        let request_id = element.request_id.clone().and_then(|text| {
            let text = self.body.slice(text);
            let inner = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
            Some(text.slice_ref(inner))
        });
        Event {
            kind: Kind::of(name, time_text, &self.body[record.clone()]),
            fragment: writer.event(self.body, time, kind.clone(), record.clone(), scanned),
            request_id,
            original: element.original.clone().map(|it| self.body.slice(it)),
            is_astray: self.is_astray,
        }
    }

    /// The event of text that is not JSON.
    fn text(&mut self, start: usize, end: usize) -> Event {
        self.at = end;
        let text = &self.body[start..end];
        let between = text
            .iter()
            .rev()
            .take_while(|byte| is_between_values(**byte));
        let end = end - between.count();
        malformed(self.writer.text(self.body, start..end))
    }
}

fn malformed(fragment: Bytes) -> Event {
    Event {
        kind: Kind::Malformed,
        fragment,
        request_id: None,
        original: None,
        is_astray: false,
    }
}

/// Reads a value, and if it is an object notes what the schema knows of it.
fn element(scanner: &mut Scanner<'_>) -> Result<Element, NotJson> {
    let mut element = Element::default();
    if scanner.peek() != Some(b'{') {
        scanner.value()?;
        return Ok(element);
    }
    scanner.members(|name, value| {
        let member = match name {
            b"\"time\"" => &mut element.time,
            b"\"type\"" => &mut element.kind,
            b"\"record\"" => &mut element.record,
            b"\"request_id\"" => {
                element.request_id = Some(value);
                return;
            }
            b"\"original\"" => {
                element.original = Some(value);
                return;
            }
            _ if !name.contains(&b'\\') => return,
            _ => match serde_json::from_slice::<String>(name).as_deref() {
                Ok("time") => &mut element.time,
                Ok("type") => &mut element.kind,
                Ok("record") => &mut element.record,
                Ok(_) | Err(_) => return,
            },
        };
        element.has_duplicate |= member.replace(value).is_some();
    })?;
    Ok(element)
}

impl Kind {
    fn of(name: &[u8], time: &[u8], record: &[u8]) -> Self {
        match name {
            b"function" => Self::Function,
            b"extension" if is_own_line(record) => Self::OwnLine,
            b"extension" => Self::Extension,
            _ if name.starts_with(b"platform.") => Self::Platform(Platform::of(name, time, record)),
            _ => Self::Unknown,
        }
    }
}

fn is_own_line(record: &[u8]) -> bool {
    record.starts_with(OWN_LINE) || record.starts_with(OWN_LINE_AS_STRING)
}

/// Where the first element may begin: past the array's own bracket. Any other opens an element.
fn first_element(body: &[u8]) -> usize {
    let mark = usize::from(body.starts_with(BYTE_ORDER_MARK)) * BYTE_ORDER_MARK.len();
    match next_value(body, mark) {
        Some(start) => start + usize::from(body[start] == b'['),
        None => body.len(),
    }
}

/// The offset of the next value, past white space, commas and the array's closing bracket.
fn next_value(body: &[u8], from: usize) -> Option<usize> {
    let rest = body.get(from..)?;
    let skipped = rest.iter().position(|byte| !is_between_values(*byte))?;
    Some(from + skipped)
}

fn is_between_values(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b',' | b']')
}
