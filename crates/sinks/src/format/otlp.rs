//! `otlp`: OpenTelemetry's protocol over HTTP, in protobuf or JSON
//! (<https://opentelemetry.io/docs/specs/otlp/>; field numbers: opentelemetry-proto 1.11.0).
//!
//! A success that refuses some records (`partial_success`) does not say which, and must not be retried: with
//! a fallback the whole batch is archived, since one too many is better than one too few.

mod json;
mod value;

use backstop_config::Primary;
use backstop_delivery::{Answer, Failure};
use serde_json::Value;

use super::answers::{OTLP, Row};
use super::assemble::{Frame, Limits, Logs, Written, logs};
use super::log::Log;
use super::resource::Attributes;
use super::wire::{Field, Fields, Malformed, Message as _};
use super::{Context, Format, Reply};
use crate::codec::{Item, Output};

/// The OTLP/HTTP format.
#[derive(Debug)]
pub(super) struct Otlp {
    is_json: bool,
    most_bytes: usize,
}

/// A Collector takes 20 MiB and answers 400 above that; vendors take less.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// New Relic takes 1 MB (<https://docs.newrelic.com/docs/opentelemetry/best-practices/opentelemetry-otlp/>).
const MOST_BYTES_AT_NEW_RELIC: usize = 900_000;

impl Otlp {
    pub(super) fn new(primary: &Primary) -> Self {
        let is_new_relic = host(&primary.url).ends_with(".nr-data.net");
        Self {
            is_json: primary.options.is_json,
            most_bytes: if is_new_relic {
                MOST_BYTES_AT_NEW_RELIC
            } else {
                MOST_BYTES
            },
        }
    }
}

/// The host of an address.
fn host(url: &str) -> &str {
    let (_, rest) = url.split_once("://").unwrap_or_default();
    let end = rest.find(['/', ':', '?']).unwrap_or(rest.len());
    &rest[..end]
}

impl Format for Otlp {
    fn content_type(&self) -> &'static str {
        if self.is_json {
            "application/json"
        } else {
            "application/x-protobuf"
        }
    }

    fn write(&self, items: &[Item<'_>], context: Context, out: &mut Output) -> Written {
        logs(self, items, context, out)
    }

    fn answers(&self) -> &'static [Row] {
        OTLP
    }

    fn most_answer_bytes(&self) -> usize {
        64 * 1024
    }

    fn read(&self, reply: &Reply<'_>) -> Answer {
        let refused = if reply.is_of("application/json") {
            refused_in_json(reply.body)
        } else {
            refused_in_protobuf(reply.body)
        };
        match refused {
            Some(0) => Answer::status(reply.status),
            Some(refused) => Answer::Unnamed {
                refused: usize::try_from(refused).unwrap_or(usize::MAX),
                code: reply.status,
            },
            // Something else than an OTLP receiver has answered.
            None => Answer::None(Failure::Unproven),
        }
    }
}

/// `rejected_log_records`; none where it is no answer of OTLP's.
fn refused_in_json(body: &[u8]) -> Option<u64> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let answer = answer.as_object()?;
    // Parsers of protobuf's JSON take both spellings.
    let partial = answer
        .get("partialSuccess")
        .or_else(|| answer.get("partial_success"));
    let Some(partial) = partial else {
        return Some(0);
    };
    let refused = partial.get("rejectedLogRecords");
    match refused.or_else(|| partial.get("rejected_log_records")) {
        // 64-bit integers are text in protobuf's JSON; some write numbers.
        Some(Value::String(count)) => count.parse().ok(),
        Some(Value::Number(count)) => count.as_u64(),
        Some(_) => None,
        None => Some(0),
    }
}

fn refused_in_protobuf(body: &[u8]) -> Option<u64> {
    fn read(body: &[u8]) -> Result<u64, Malformed> {
        let mut refused = 0;
        for field in Fields(body) {
            let (1, Field::Bytes(partial)) = field? else {
                continue;
            };
            for field in Fields(partial) {
                if let (1, Field::Varint(count)) = field? {
                    refused = count;
                }
            }
        }
        Ok(refused)
    }
    read(body).ok()
}

impl Logs for Otlp {
    fn limits(&self) -> Limits {
        Limits {
            records: 10_000,
            bytes: self.most_bytes,
            record_bytes: usize::MAX,
            age: None,
        }
    }

    fn frame(&self) -> Frame {
        if self.is_json {
            Frame {
                open: "{\"resourceLogs\":[",
                between: ",",
                close: "]}",
                group: Some(","),
            }
        } else {
            Frame {
                group: Some(""),
                ..Frame::default()
            }
        }
    }

    fn write_log(&self, log: &Log<'_>, _resource: &Attributes, out: &mut Vec<u8>) {
        if self.is_json {
            json::write_log(log, out);
        } else {
            write_log(log, out);
        }
    }

    fn wrap(&self, resource: &Attributes, _division: Option<&str>, logs: &[u8], out: &mut Vec<u8>) {
        if self.is_json {
            json::wrap(resource, logs, out);
        } else {
            wrap(resource, logs, out);
        }
    }
}

/// Nanoseconds since 1970, which 64 bits hold until 2554.
fn nanoseconds(time: backstop_delivery::Wall) -> u64 {
    u64::try_from(time.0.as_nanos()).unwrap_or(u64::MAX)
}

/// The name of this instrumentation scope.
const SCOPE: &str = "backstop";

/// `ResourceLogs`, of which the records are written already.
fn wrap(resource: &Attributes, logs: &[u8], out: &mut Vec<u8>) {
    let mut scope = Vec::new();
    scope.message(1, |scope| {
        scope.string(1, SCOPE);
        scope.string(2, env!("CARGO_PKG_VERSION"));
    });
    out.message(1, |resource_logs| {
        resource_logs.message(1, |message| {
            for (name, value) in &resource.all {
                attribute(message, 1, name, |out| value::of(value, out));
            }
        });
        resource_logs.message(2, |scope_logs| {
            scope_logs.extend_from_slice(&scope);
            scope_logs.extend_from_slice(logs);
        });
    });
}

/// One element of `ScopeLogs.log_records`.
fn write_log(log: &Log<'_>, out: &mut Vec<u8>) {
    out.message(2, |record| {
        record.fixed64(1, nanoseconds(log.time));
        if let Some(level) = log.level {
            record.varint(2, u64::from(level.number()));
            record.string(3, level.name());
        }
        record.message(5, |body| body.string(1, &log.message));
        for (name, value) in log.attributes() {
            attribute(record, 6, name, |out| out.string(1, value));
        }
        for (name, value) in log.own_fields() {
            attribute(record, 6, &name, |out| value::of_raw(value, out));
        }
        if let Some(id) = &log.trace_id {
            record.bytes(9, &unhex(id));
        }
        if let Some(id) = &log.span_id {
            record.bytes(10, &unhex(id));
        }
        record.fixed64(11, nanoseconds(log.observed));
    });
}

fn attribute(out: &mut Vec<u8>, field: u32, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
    out.message(field, |pair| {
        pair.string(1, name);
        pair.message(2, value);
    });
}

/// The bytes of hexadecimal digits.
fn unhex(text: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map_while(byte).collect()
}
