//! A log that the function posted by OTLP, as a line of JSON: for formats that have names of their own for what a log
//! holds.
//!
//! | OTLP | line |
//! |---|---|
//! | body | `message` |
//! | `severityNumber` | `level` |
//! | `traceId`, `spanId` | `trace_id`, `span_id` |
//! | `eventName`, the scope's name and version | `event.name`, `otel.scope.name`, `otel.scope.version` |
//! | attributes | members of their names; `faas.invocation_id` is `requestId` |
//! | the resource's attributes | the resource's, before Backstop's own; `service.name` as a member, too |
//!
//! Invariant: what cannot be read stays as it is.

use std::borrow::Cow;

use backstop_archive::OTLP_LOGS;
use backstop_json::Json;
use bytes::Bytes;
use serde_json::{Map, Value};

use super::log::{INVOCATION_ID, Line};
use super::text::Object;
use crate::otlp::{ReceivedItem, is_unnamed};

/// The text of a log that the function posted and its resource; `None` of any other record.
pub(super) fn plain(line: &Line<'_>, resource: &[u8]) -> Option<(String, Bytes)> {
    if line.kind.as_deref() != Some(OTLP_LOGS) {
        return None;
    }
    let record = line.record?;
    let received = ReceivedItem::of(OTLP_LOGS, record.get())?;
    let log = Json::valid(received.item.get()).tree();
    let around = Json::valid(&received.around).tree();
    let mut out = Vec::with_capacity(record.get().len());
    let mut members = Object::open(&mut out);
    members.some("time", line.time.as_deref());
    members.text("type", OTLP_LOGS);
    members.object("record", |record| {
        let body = any(&log["body"]);
        match &body {
            Value::String(body) => record.text("message", body),
            Value::Null => record.text("message", ""),
            other => record.text("message", &other.to_string()),
        }
        let mut taken = vec!["message", "level", "trace_id", "span_id"];
        record.some("level", level(log["severityNumber"].as_u64()));
        record.some("trace_id", log["traceId"].as_str());
        record.some("span_id", log["spanId"].as_str());
        record.some("event.name", log["eventName"].as_str());
        record.some("otel.scope.name", around["scope"]["name"].as_str());
        record.some("otel.scope.version", around["scope"]["version"].as_str());
        // Some formats have no place for it in the resource.
        let resource = pairs(&around["resource"]);
        let service = resource
            .iter()
            .find(|(name, value)| *name == "service.name" && !is_unnamed(name, value));
        record.some(
            "service.name",
            service.and_then(|(_, value)| value.as_str()),
        );
        let attributes = pairs(&log);
        let id = attributes.iter().find(|(name, _)| *name == INVOCATION_ID);
        record.some("requestId", id.and_then(|(_, value)| value.as_str()));
        taken.extend([
            "event.name",
            "otel.scope.name",
            "otel.scope.version",
            "requestId",
            "service.name",
        ]);
        for (index, (name, value)) in attributes.iter().enumerate() {
            if *name == INVOCATION_ID && value.is_string() {
                continue;
            }
            let is_taken =
                taken.contains(name) || attributes[..index].iter().any(|it| it.0 == *name);
            let name = if is_taken {
                Cow::Owned(format!("attributes.{name}"))
            } else {
                Cow::Borrowed(*name)
            };
            record.own(&name, |out| super::text::write(out, value));
        }
    });
    members.some("request_id", line.request_id.as_deref());
    members.close();
    let text = std::str::from_utf8(resource).unwrap_or_default();
    let mut resource = match Json::of(text).map(Json::tree) {
        Some(Value::Object(known)) => known,
        _ => Map::new(),
    };
    for (name, value) in pairs(&around["resource"]) {
        if !is_unnamed(name, &value) {
            resource.insert(name.to_owned(), value);
        }
    }
    let text = String::from_utf8(out).ok()?;
    Some((text, Value::Object(resource).to_string().into()))
}

/// The attributes of an item or a resource.
fn pairs(holder: &Value) -> Vec<(&str, Value)> {
    let all = holder["attributes"].as_array().into_iter().flatten();
    all.filter_map(|pair| Some((pair["key"].as_str()?, any(&pair["value"]))))
        .collect()
}

/// An `AnyValue` as an ordinary value.
fn any(value: &Value) -> Value {
    let Some((kind, inner)) = value.as_object().and_then(|it| it.iter().next()) else {
        return Value::Null;
    };
    match kind.as_str() {
        "intValue" => {
            let number = inner.as_str().and_then(|text| text.parse::<i64>().ok());
            // One beyond 64 bits stays the text that it is.
            number.map_or_else(|| inner.clone(), Value::from)
        }
        "arrayValue" => {
            let all = inner["values"].as_array().into_iter().flatten();
            all.map(any).collect()
        }
        "kvlistValue" => {
            let all = inner["values"].as_array().into_iter().flatten();
            let pair = |pair: &Value| Some((pair["key"].as_str()?.to_owned(), any(&pair["value"])));
            Value::Object(all.filter_map(pair).collect())
        }
        _ => inner.clone(),
    }
}

/// The name of a severity's range
/// (<https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber>).
fn level(number: Option<u64>) -> Option<&'static str> {
    Some(match number? {
        1..=4 => "trace",
        5..=8 => "debug",
        9..=12 => "info",
        13..=16 => "warn",
        17..=20 => "error",
        21..=24 => "fatal",
        _ => return None,
    })
}
