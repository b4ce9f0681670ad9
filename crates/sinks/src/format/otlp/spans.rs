//! Spans as OTLP has them. A derived record holds them in OTLP's JSON, which is copied into a JSON body, and read
//! for one in protobuf (field numbers: opentelemetry-proto 1.11.0, `trace.proto`).
//!
//! Invariant: a span without ids, which a receiver refuses with its whole request, gets into no body.

use std::borrow::Cow;

use backstop_archive::{Holds, holds};

use super::value;
use crate::format::log::{Line, trace};
use crate::wire::{Message as _, long_message};
use backstop_json::Json;

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
    let spans = spans.into_iter().flat_map(Json::items);
    for span in spans.filter(|span| is_whole(*span)) {
        if !is_json {
            long_message(out, 2, |out| write_span(span, out));
            continue;
        }
        if !out.is_empty() {
            out.push(b',');
        }
        out.extend_from_slice(span.get().as_bytes());
    }
}

fn is_whole(span: Json<'_>) -> bool {
    let is_id = |id: Option<Json<'_>>, length: usize| {
        let id = id.and_then(Json::plain).unwrap_or_default();
        id.len() == length && id.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    is_id(span.member("traceId"), 32) && is_id(span.member("spanId"), 16)
}

/// The fields of a span, in the order in which it has its members.
fn write_span(span: Json<'_>, out: &mut Vec<u8>) {
    for (name, value) in span.members() {
        match &*name {
            "traceId" => id(1, value, out),
            "spanId" => id(2, value, out),
            "parentSpanId" => id(4, value, out),
            "name" => out.string(5, &value.string().unwrap_or_default()),
            "kind" => out.varint(6, number(value)),
            "startTimeUnixNano" => out.fixed64(7, number(value)),
            "endTimeUnixNano" => out.fixed64(8, number(value)),
            "attributes" => value.items().for_each(|pair| attribute(pair, out)),
            "status" => out.message(15, |out| status(value, out)),
            _ => {}
        }
    }
}

fn id(field: u32, value: Json<'_>, out: &mut Vec<u8>) {
    let text = value.plain().unwrap_or_default();
    if text.is_empty() {
        return;
    }
    out.message_of(field, text.len() / 2);
    out.extend(trace::bytes(text.as_bytes()));
}

fn attribute(pair: Json<'_>, out: &mut Vec<u8>) {
    let (mut key, mut any) = (Cow::Borrowed(""), None);
    for (name, value) in pair.members() {
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
