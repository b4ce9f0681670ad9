//! OTLP in JSON: names in lowerCamelCase, 64-bit integers as text, ids in hexadecimal
//! (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>).

use std::io::Write as _;

use serde_json::Value;

use super::value::DEEPEST;
use super::{Names, SCOPE, event_name};
use crate::codec::Output;
use crate::format::log::Log;
use crate::format::resource::Attributes;
use crate::format::text::{self, Object};
use backstop_json::Json;

/// One element of `logRecords`.
pub(super) fn write_log(log: &Log<'_>, out: &mut Vec<u8>) {
    let mut record = Object::open(out);
    record.some("eventName", event_name(log));
    record.raw("timeUnixNano", |out| quoted(out, log.time.nanoseconds()));
    record.raw("observedTimeUnixNano", |out| {
        quoted(out, log.observed.nanoseconds());
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
            for (name, value) in resource.in_otlp() {
                list.item(|out| attribute(out, name, |out| any_value(out, &value)));
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
    let written = if value.is_nested() {
        write(out, value, DEEPEST).map(drop)
    } else {
        leaf(out, value)
    };
    if written.is_none() {
        out.truncate(start);
        string_value(out, value.get());
    }
}

/// An array or an object, which may be followed by more. Says how long its text is; `None` where it cannot be written.
fn write(out: &mut Vec<u8>, value: Json<'_>, depth: usize) -> Option<usize> {
    let depth = depth.checked_sub(1)?;
    let name = if value.is_object() {
        "kvlistValue"
    } else {
        "arrayValue"
    };
    let mut length = None;
    let mut object = Object::open(out);
    object.object(name, |inner| {
        inner.raw("values", |out| {
            let mut list = text::List::open(out);
            length = if value.is_object() {
                write_members(&mut list, value, depth)
            } else {
                write_items(&mut list, value, depth)
            };
            list.close();
        });
    });
    object.close();
    length
}

fn write_members(list: &mut text::List<'_>, object: Json<'_>, depth: usize) -> Option<usize> {
    let mut members = object.members();
    while let Some((name, value)) = members.open() {
        let mut written = None;
        if value.is_nested() {
            list.item(|out| attribute(out, &name, |out| written = write(out, value, depth)));
            members.passed(written?);
        } else {
            let value = members.pass()?;
            list.item(|out| attribute(out, &name, |out| any_leaf(out, value)));
        }
    }
    Some(members.length())
}

fn write_items(list: &mut text::List<'_>, array: Json<'_>, depth: usize) -> Option<usize> {
    let mut items = array.items();
    while let Some(value) = items.open() {
        let mut written = None;
        if value.is_nested() {
            list.item(|out| written = write(out, value, depth));
            items.passed(written?);
        } else {
            let value = items.pass()?;
            list.item(|out| any_leaf(out, value));
        }
    }
    Some(items.length())
}

/// A value that is neither an array nor an object; its text where it cannot be written otherwise.
fn any_leaf(out: &mut Vec<u8>, value: Json<'_>) {
    if leaf(out, value).is_none() {
        string_value(out, value.get());
    }
}

/// `None` where it cannot be written, and nothing is.
fn leaf(out: &mut Vec<u8>, value: Json<'_>) -> Option<()> {
    let text = value.get();
    match text.as_bytes().first()? {
        b'"' => match value.plain() {
            Some(_) => raw_value(out, "stringValue", text),
            None => string_value(out, &value.string()?),
        },
        // A value without a member is right, and some receivers refuse the request for it.
        b'n' => string_value(out, text),
        b't' | b'f' => raw_value(out, "boolValue", text),
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
