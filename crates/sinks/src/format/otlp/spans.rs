//! Spans as OTLP has them. A derived record holds them in OTLP's JSON, which is copied into a JSON body, and read
//! for one in protobuf (field numbers: opentelemetry-proto 1.11.0, `trace.proto`).
//!
//! Invariant: a span without ids, which a receiver refuses with its whole request, gets into no body.

use backstop_archive::{Holds, holds};
use serde_json::Value;

use super::{attribute, unhex, value};
use crate::format::log::Line;
use crate::wire::Message as _;

/// The spans of a record; none where it holds none that can be read.
pub(super) fn spans(line: &Line<'_>) -> Vec<Value> {
    let (Some(kind), Some(record)) = (&line.kind, line.record) else {
        return Vec::new();
    };
    if holds(kind.as_bytes(), record.get().as_bytes()) != Some(Holds::Spans) {
        return Vec::new();
    }
    let record: Value = serde_json::from_str(record.get()).unwrap_or_default();
    let Some(spans) = record["spans"].as_array() else {
        return Vec::new();
    };
    let is_id = |span: &Value, name: &str, length: usize| {
        let id = span[name].as_str().unwrap_or_default();
        id.len() == length && id.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let is_whole = |span: &&Value| is_id(span, "traceId", 32) && is_id(span, "spanId", 16);
    spans.iter().filter(is_whole).cloned().collect()
}

/// One element of `ScopeSpans.spans`.
pub(super) fn write(span: &Value, out: &mut Vec<u8>) {
    let text = |name: &str| span[name].as_str().unwrap_or_default();
    out.message(2, |out| {
        out.bytes(1, &unhex(text("traceId")));
        out.bytes(2, &unhex(text("spanId")));
        if let parent @ [_, ..] = &*unhex(text("parentSpanId")) {
            out.bytes(4, parent);
        }
        out.string(5, text("name"));
        out.varint(6, span["kind"].as_u64().unwrap_or_default());
        out.fixed64(7, number(&span["startTimeUnixNano"]));
        out.fixed64(8, number(&span["endTimeUnixNano"]));
        for pair in span["attributes"].as_array().into_iter().flatten() {
            let name = pair["key"].as_str().unwrap_or_default();
            attribute(out, 9, name, |out| any(&pair["value"], out));
        }
        if let Some(status) = span["status"].as_object() {
            out.message(15, |out| {
                if let Some(message) = status.get("message").and_then(Value::as_str) {
                    out.string(2, message);
                }
                let code = status.get("code").and_then(Value::as_u64);
                out.varint(3, code.unwrap_or_default());
            });
        }
    });
}

/// 64 bits, which are text in protobuf's JSON.
fn number(value: &Value) -> u64 {
    let text = value.as_str().and_then(|text| text.parse().ok());
    text.or_else(|| value.as_u64()).unwrap_or_default()
}

/// An `AnyValue` of OTLP's JSON.
fn any(value: &Value, out: &mut Vec<u8>) {
    let Some((kind, inner)) = value.as_object().and_then(|it| it.iter().next()) else {
        return;
    };
    match kind.as_str() {
        "intValue" => {
            let text = inner.as_str().and_then(|text| text.parse::<i64>().ok());
            let whole = text.or_else(|| inner.as_i64()).unwrap_or_default();
            value::of(&whole.into(), out);
        }
        _ => value::of(inner, out),
    }
}
