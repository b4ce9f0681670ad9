//! OTLP's logs in protobuf, and what stands around any items (field numbers: opentelemetry-proto 1.11.0).

use super::{SCOPE, event_name, value};
use crate::codec::Output;
use crate::format::log::Log;
use crate::format::resource::Attributes;
use crate::wire::{Message as _, field_of, long_message};

/// `ResourceLogs`, `ResourceMetrics` or `ResourceSpans`, which have the same fields; the items are written already.
pub(super) fn wrap(resource: &Attributes, items: &[u8], out: &mut Output) {
    let mut described = Vec::new();
    described.message(1, |message| {
        for (name, value) in resource.in_otlp() {
            message.message(1, |pair| {
                pair.string(1, name);
                pair.message(2, |any| value::of(&value, any));
            });
        }
    });
    let mut scope = Vec::new();
    scope.message(1, |scope| {
        scope.string(1, SCOPE);
        scope.string(2, env!("CARGO_PKG_VERSION"));
    });
    let scope_items = scope.len() + items.len();
    let head = out.bytes();
    head.message_of(1, described.len() + field_of(scope_items));
    head.extend_from_slice(&described);
    head.message_of(2, scope_items);
    head.extend_from_slice(&scope);
    out.append(items);
}

/// One element of `ScopeLogs.log_records`. What is alike in many stands together, which compresses better: fields
/// of protobuf have no order.
pub(super) fn write_log(log: &Log<'_>, out: &mut Vec<u8>) {
    long_message(out, 2, |record| {
        if let Some(level) = log.level {
            record.varint(2, u64::from(level.number()));
            record.string(3, level.name());
        }
        let [uid, invocation, kind] = log.known();
        text(record, kind);
        record.fixed64(1, log.time.nanoseconds());
        record.fixed64(11, log.observed.nanoseconds());
        text(record, invocation);
        text(record, uid);
        let body = field_of(log.message.len());
        record.message_of(5, body);
        record.string(1, &log.message);
        for (name, value) in log.own_fields() {
            value::attribute(record, 6, &name, value);
        }
        if let Some(id) = &log.trace_id {
            record.message_of(9, id.len() / 2);
            id.push_bytes(record);
        }
        if let Some(id) = &log.span_id {
            record.message_of(10, id.len() / 2);
            id.push_bytes(record);
        }
        if let Some(name) = event_name(log) {
            record.string(12, name);
        }
    });
}

/// An attribute that is left out where there is nothing to say.
fn text(record: &mut Vec<u8>, (name, value): (&str, &str)) {
    if !value.is_empty() {
        value::text_attribute(record, 6, name, value);
    }
}
