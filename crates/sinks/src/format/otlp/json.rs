//! OTLP in JSON: names in lowerCamelCase, 64-bit integers as text, ids in hexadecimal
//! (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>).

use std::io::Write as _;

use serde_json::Value;

use super::value::DEEPEST;
use super::{Names, SCOPE, event_name, nanoseconds};
use crate::codec::Output;
use crate::format::log::Log;
use crate::format::resource::Attributes;
use crate::format::text::{self, Object};
use backstop_json::Json;

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
            list.item(|out| attribute(out, &name, |out| any_json(out, value)));
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
pub(super) fn wrap(names: &Names, resource: &Attributes, items: &[u8], out: &mut Output) {
    let head = out.bytes();
    let mut group = Object::open(head);
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
        scope_items.raw(names.items, |out| out.push(b'['));
    });
    out.append(items);
    out.bytes().extend_from_slice(b"]}]}");
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

/// A value that was parsed.
pub(super) fn any_value(out: &mut Vec<u8>, value: &Value) {
    any_json(out, Json::valid(&value.to_string()));
}

/// A value as it came. What is nested beyond reason is its text.
fn any_json(out: &mut Vec<u8>, value: Json<'_>) {
    let start = out.len();
    if write(out, value, DEEPEST).is_none() {
        out.truncate(start);
        string_value(out, value.get());
    }
}

fn write(out: &mut Vec<u8>, value: Json<'_>, depth: usize) -> Option<()> {
    let text = value.get();
    let list = |out: &mut Vec<u8>,
                name: &'static str,
                items: &mut dyn FnMut(&mut text::List<'_>) -> Option<()>| {
        let mut result = None;
        let mut object = Object::open(out);
        object.object(name, |inner| {
            inner.raw("values", |out| {
                let mut list = text::List::open(out);
                result = items(&mut list);
                list.close();
            });
        });
        object.close();
        result
    };
    match text.as_bytes().first()? {
        b'"' => match value.plain() {
            Some(_) => raw_value(out, "stringValue", text),
            None => string_value(out, &value.string()?),
        },
        // A value without a member is right, and some receivers refuse the request for it.
        b'n' => string_value(out, text),
        b't' | b'f' => raw_value(out, "boolValue", text),
        b'[' => {
            let depth = depth.checked_sub(1)?;
            return list(out, "arrayValue", &mut |list| {
                value.items().try_for_each(|value| {
                    let mut written = None;
                    list.item(|out| written = write(out, value, depth));
                    written
                })
            });
        }
        b'{' => {
            let depth = depth.checked_sub(1)?;
            return list(out, "kvlistValue", &mut |list| {
                value.members().try_for_each(|(name, value)| {
                    let mut written = None;
                    list.item(|out| {
                        attribute(out, &name, |out| written = write(out, value, depth));
                    });
                    written
                })
            });
        }
        _ => match text.parse::<i64>() {
            // A double has a zero below zero.
            Ok(whole) if whole != 0 || text == "0" => {
                raw_value(out, "intValue", &format!("\"{text}\""));
            }
            // A double would keep the first digits only.
            _ if value.is_integer() && text != "-0" => string_value(out, text),
            _ => raw_value(out, "doubleValue", &format!("{:?}", value.number()?)),
        },
    }
    Some(())
}

/// A value whose text is JSON already.
fn raw_value(out: &mut Vec<u8>, name: &'static str, text: &str) {
    let mut object = Object::open(out);
    object.raw(name, |out| out.extend_from_slice(text.as_bytes()));
    object.close();
}
