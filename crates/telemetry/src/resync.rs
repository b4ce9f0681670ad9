//! The slow path: a body that is not a well-formed array of events, element by element.
//!
//! A value that parses is an element. Where one does not, its text up to the next thing that looks
//! like the start of an event is kept as one malformed record, and decoding goes on there.

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::decode::{Element, Event, malformed, quoted};

/// Lambda writes `time` first in each event; after a broken element this is where the next begins.
const START_OF_EVENT: &[u8] = b"{\"time\"";

/// Each failed attempt may read to the end of the body, so a hostile body must not buy many of them.
const MAX_BROKEN: usize = 256;

pub(crate) fn decode(body: &Bytes, text: &str, received: &str, events: &mut Vec<Event>) {
    let mut at = first_element(text);
    let mut broken_seen = 0;
    while let Some(start) = next_value(text, at) {
        let rest = &text[start..];
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
        if let Some(Ok(value)) = values.next() {
            at = start + values.byte_offset();
            push_value(body, value.get(), received, events);
        } else {
            broken_seen += 1;
            let end = memchr::memmem::find(&rest.as_bytes()[1..], START_OF_EVENT)
                .filter(|_| broken_seen < MAX_BROKEN)
                .map_or(text.len(), |offset| start + 1 + offset);
            let broken = text[start..end].trim_end_matches(is_between_values);
            if !broken.is_empty() {
                events.push(malformed(&quoted(broken), received));
            }
            at = end;
        }
    }
}

fn push_value(body: &Bytes, value: &str, received: &str, events: &mut Vec<Event>) {
    let event = serde_json::from_str::<Element<'_>>(value)
        .ok()
        .and_then(|element| element.event(body, received))
        .unwrap_or_else(|| malformed(value, received));
    events.push(event);
}

/// Where the first element may begin: past the array's own bracket. Any other opens an element.
fn first_element(text: &str) -> usize {
    let start = next_value(text, 0).unwrap_or_default();
    start + usize::from(text[start..].starts_with('['))
}

/// The offset of the next value, past white space, commas and the array's closing bracket.
fn next_value(text: &str, from: usize) -> Option<usize> {
    let skipped = text
        .get(from..)?
        .find(|char: char| !is_between_values(char))?;
    Some(from + skipped)
}

fn is_between_values(char: char) -> bool {
    char.is_ascii_whitespace() || matches!(char, ',' | ']')
}
