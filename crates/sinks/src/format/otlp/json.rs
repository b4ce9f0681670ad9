//! OTLP in JSON: names in lowerCamelCase, 64-bit integers as text, ids in hexadecimal
//! (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>).

use std::io::Write as _;

use serde_json::Value;

use super::{Names, SCOPE, event_name, nanoseconds};
use crate::format::log::Log;
use crate::format::resource::Attributes;
use crate::format::text::{self, Object};

/// One element of `logRecords`.
pub(super) fn write_log(log: &Log<'_>, out: &mut Vec<u8>) {
    let mut record = Object::open(out);
    record.some("eventName", event_name(log));
    record.raw("timeUnixNano", |out| quoted(out, nanoseconds(log.time)));
    record.raw("observedTimeUnixNano", |out| {
        quoted(out, nanoseconds(log.observed));
    });
    if let Some(level) = log.level {
        record.raw("severityNumber", |out| {
            _ = write!(out, "{}", level.number());
        });
        record.text("severityText", level.name());
    }
    record.raw("body", |out| string_value(out, &log.message));
    record.raw("attributes", |out| {
        let mut list = text::List::open(out);
        for (name, value) in log.attributes() {
            list.item(|out| attribute(out, name, |out| string_value(out, value)));
        }
        for (name, value) in log.own_fields() {
            list.item(|out| {
                let parsed = serde_json::from_str(value.get());
                let parsed = parsed.unwrap_or_else(|_| Value::String(value.get().to_owned()));
                attribute(out, &name, |out| any_value(out, &parsed));
            });
        }
        list.close();
    });
    if let Some(id) = &log.trace_id {
        record.text("traceId", id);
    }
    if let Some(id) = &log.span_id {
        record.text("spanId", id);
    }
    record.close();
}

/// One element of the request's list, of which the items are written already.
pub(super) fn wrap(names: &Names, resource: &Attributes, items: &[u8], out: &mut Vec<u8>) {
    let mut group = Object::open(out);
    group.raw("resource", |out| {
        let mut object = Object::open(out);
        object.raw("attributes", |out| {
            let mut list = text::List::open(out);
            for (name, value) in &resource.all {
                list.item(|out| attribute(out, name, |out| any_value(out, value)));
            }
            list.close();
        });
        object.close();
    });
    group.raw(names.scopes, |out| {
        out.push(b'[');
        let mut scope_items = Object::open(out);
        scope_items.raw("scope", |out| {
            let mut scope = Object::open(out);
            scope.text("name", SCOPE);
            scope.text("version", env!("CARGO_PKG_VERSION"));
            scope.close();
        });
        scope_items.raw(names.items, |out| {
            out.push(b'[');
            out.extend_from_slice(items);
            out.push(b']');
        });
        scope_items.close();
        out.push(b']');
    });
    group.close();
}

pub(super) fn quoted(out: &mut Vec<u8>, number: impl std::fmt::Display) {
    // Writing to a vector cannot fail.
    _ = write!(out, "\"{number}\"");
}

pub(super) fn attribute(out: &mut Vec<u8>, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
    let mut pair = Object::open(out);
    pair.text("key", name);
    pair.raw("value", value);
    pair.close();
}

pub(super) fn string_value(out: &mut Vec<u8>, value: &str) {
    let mut object = Object::open(out);
    object.text("stringValue", value);
    object.close();
}

pub(super) fn any_value(out: &mut Vec<u8>, value: &Value) {
    let mut object = Object::open(out);
    match value {
        // A value without a member is right, and some receivers refuse the request for it.
        Value::Null => object.text("stringValue", "null"),
        Value::Bool(value) => object.raw("boolValue", |out| _ = write!(out, "{value}")),
        Value::String(value) => object.text("stringValue", value),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), ..) => object.raw("intValue", |out| quoted(out, whole)),
            (None, Some(large), _) => object.text("stringValue", &large.to_string()),
            (None, None, Some(real)) => {
                object.raw("doubleValue", |out| _ = write!(out, "{real:?}"));
            }
            (None, None, None) => object.text("stringValue", &number.to_string()),
        },
        Value::Array(values) => object.raw("arrayValue", |out| {
            let mut array = Object::open(out);
            array.raw("values", |out| {
                let mut list = text::List::open(out);
                for value in values {
                    list.item(|out| any_value(out, value));
                }
                list.close();
            });
            array.close();
        }),
        Value::Object(members) => object.raw("kvlistValue", |out| {
            let mut kvlist = Object::open(out);
            kvlist.raw("values", |out| {
                let mut list = text::List::open(out);
                for (name, value) in members {
                    list.item(|out| attribute(out, name, |out| any_value(out, value)));
                }
                list.close();
            });
            kvlist.close();
        }),
    }
    object.close();
}
