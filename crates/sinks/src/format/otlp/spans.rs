//! Spans as OTLP has them. A derived record holds them in OTLP's JSON, which is copied into a JSON body, and read
//! for one in protobuf (field numbers: opentelemetry-proto 1.11.0, `trace.proto`).
//!
//! Invariant: a span without ids, which a receiver refuses with its whole request, gets into no body.

use std::borrow::Cow;

use backstop_archive::{Holds, holds};

use super::value;
use crate::format::log::Line;
use crate::wire::{Message as _, long_message};
use backstop_json::{Json, Members, is_hex, push_unhexed};

/// Writes the spans of a record; nothing where it holds none that can be read.
pub(super) fn write(line: &Line<'_>, is_json: bool, out: &mut Vec<u8>) {
    let (Some(kind), Some(record)) = (&line.kind, line.record) else {
        return;
    };
    if holds(kind.as_bytes(), record.get().as_bytes()) != Some(Holds::Spans) {
        return;
    }
    let mut members = record.members();
    let mut spans = None;
    while let Some((name, value)) = members.open() {
        if name == "spans" {
            spans = Some(value);
            break;
        }
        members.pass();
    }
    let Some(spans) = spans else {
        return;
    };
    let mut spans = spans.items();
    while let Some(span) = spans.open() {
        if is_json || !span.is_object() {
            match spans.pass() {
                Some(span) if is_whole(span) => push_json(span, out),
                Some(_) => {}
                None => return,
            }
            continue;
        }
        let start = out.len();
        let mut members = span.members();
        let mut has_ids = false;
        long_message(out, 2, |out| has_ids = write_span(&mut members, out));
        if !has_ids {
            out.truncate(start);
        }
        spans.passed(members.length());
    }
}

fn push_json(span: Json<'_>, out: &mut Vec<u8>) {
    if !out.is_empty() {
        out.push(b',');
    }
    out.extend_from_slice(span.get().as_bytes());
}

/// The digits of an id of `length` digits.
fn digits(id: Json<'_>, length: usize) -> Option<&str> {
    let digits = id.plain().filter(|it| it.len() == length)?;
    is_hex(digits.as_bytes()).then_some(digits)
}

fn is_whole(span: Json<'_>) -> bool {
    let has_id = |name: &str, length: usize| {
        let id = span.member(name);
        id.is_some_and(|id| digits(id, length).is_some())
    };
    has_id("traceId", TRACE_DIGITS) && has_id("spanId", SPAN_DIGITS)
}

const TRACE_DIGITS: usize = 32;
const SPAN_DIGITS: usize = 16;

/// The fields of a span, in the order in which it has its members, each of which is read once. Says whether it has
/// its ids.
fn write_span(members: &mut Members<'_>, out: &mut Vec<u8>) -> bool {
    let (mut has_trace, mut has_own) = (false, false);
    while let Some((name, value)) = members.open() {
        if name == "attributes" && value.is_array() {
            members.passed(attributes(value, out));
            continue;
        }
        let Some(value) = members.pass() else {
            return false;
        };
        match &*name {
            "traceId" => has_trace = id(1, (value, TRACE_DIGITS), out),
            "spanId" => has_own = id(2, (value, SPAN_DIGITS), out),
            // A root has none.
            "parentSpanId" => _ = id(4, (value, SPAN_DIGITS), out),
            "name" => out.string(5, &value.string().unwrap_or_default()),
            "kind" => out.varint(6, number(value)),
            "startTimeUnixNano" => out.fixed64(7, number(value)),
            "endTimeUnixNano" => out.fixed64(8, number(value)),
            "status" => out.message(15, |out| status(value, out)),
            _ => {}
        }
    }
    has_trace && has_own
}

/// Writes the bytes of an ID with this many digits; false, and nothing written, if it is not one.
fn id(field: u32, (value, length): (Json<'_>, usize), out: &mut Vec<u8>) -> bool {
    let Some(digits) = digits(value, length) else {
        return false;
    };
    out.message_of(field, length / 2);
    push_unhexed(out, digits.as_bytes());
    true
}

/// The pairs of a list, which may be followed by more. Says how long its text is.
fn attributes(list: Json<'_>, out: &mut Vec<u8>) -> usize {
    let mut pairs = list.items();
    while let Some(pair) = pairs.open() {
        if pair.is_object() {
            let mut members = pair.members();
            attribute(&mut members, out);
            pairs.passed(members.length());
        } else if pairs.pass().is_none() {
            break;
        }
    }
    pairs.length()
}

fn attribute(members: &mut Members<'_>, out: &mut Vec<u8>) {
    let (mut key, mut any) = (Cow::Borrowed(""), None);
    for (name, value) in members {
        match &*name {
            "key" => key = value.string().unwrap_or_default(),
            "value" => any = value.members().next(),
            _ => {}
        }
    }
    match any {
        Some((kind, inner)) if kind != "intValue" => value::attribute(out, 9, &key, inner),
        any => out.message(9, |out| {
            out.string(1, &key);
            out.message(2, |out| {
                if let Some((_, inner)) = any {
                    // It is text in protobuf's JSON.
                    let whole = inner.plain().unwrap_or(inner.get());
                    let whole: i64 = whole.parse().unwrap_or_default();
                    value::whole(whole, out);
                }
            });
        }),
    }
}

fn status(status: Json<'_>, out: &mut Vec<u8>) {
    for (name, value) in status.members() {
        match &*name {
            "message" => out.string(2, &value.string().unwrap_or_default()),
            "code" => out.varint(3, number(value)),
            _ => {}
        }
    }
}

/// A whole number. 64 bits are text in protobuf's JSON.
fn number(value: Json<'_>) -> u64 {
    let text = value.plain().unwrap_or(value.get());
    text.parse().unwrap_or_default()
}
