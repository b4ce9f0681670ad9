//! OTLP over HTTP (<https://opentelemetry.io/docs/specs/otlp/>), as strict as its specification: a field that a
//! message does not have is refused, in both encodings.
//!
//! Records that are refused are counted in a success, and not named.

mod json;
mod metrics;
mod protobuf;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};

use super::{Dialect, Entry, EntryOutcome, JSON, Refusal, media_type, reply};
use crate::intake::decode::Received;
use crate::traffic;

pub(super) use metrics::{Point, metric_points};

const PROTOBUF: &str = "application/x-protobuf";
const MOST_BYTES: usize = 20 * 1024 * 1024;

/// A record, whichever way it was written.
#[derive(Debug, Default)]
struct Log {
    time: u64,
    observed: u64,
    severity: u64,
    body: Value,
    attributes: Vec<(String, Value)>,
    trace_id: Vec<u8>,
    span_id: Vec<u8>,
}

pub(super) fn read(request: &Request<Bytes>) -> Result<Vec<Entry>, Refusal> {
    let is_json = match media_type(request.headers()) {
        JSON => true,
        PROTOBUF => false,
        _ => return Err(Dialect::Otlp.refuse(415, "unsupported media type")),
    };
    let plain = Dialect::Otlp.plain(request)?;
    if plain.len() > MOST_BYTES {
        return Err(Dialect::Otlp.refuse(400, "request body too large"));
    }
    let logs = if is_json {
        json::logs(&plain)
    } else {
        protobuf::logs(&plain)
    };
    let logs = logs.and_then(|logs| {
        logs.iter().try_for_each(Log::check)?;
        Ok(logs)
    });
    match logs {
        Ok(logs) => Ok(logs.into_iter().map(Log::entry).collect()),
        Err(reason) => Err(Dialect::Otlp.refuse(400, &reason)),
    }
}

impl Log {
    /// What makes a Collector refuse the whole request.
    fn check(&self) -> Result<(), String> {
        let is_id = |id: &[u8], length| {
            id.is_empty() || (id.len() == length && id.iter().any(|byte| *byte != 0))
        };
        if !is_id(&self.trace_id, 16) || !is_id(&self.span_id, 8) {
            return Err("invalid length for an id".to_owned());
        }
        if self.severity > 24 {
            return Err(format!("there is no severity {}", self.severity));
        }
        if self.time == 0 || self.observed == 0 {
            return Err("a record has no time".to_owned());
        }
        Ok(())
    }

    fn entry(self) -> Entry {
        let attribute = |name: &str| {
            let found = self.attributes.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value)
        };
        let id = attribute("log.record.uid").and_then(Value::as_str);
        let sequence = attribute("seq").and_then(Value::as_u64);
        Entry {
            received: Received {
                id: id.unwrap_or_default().to_owned(),
                sequence: sequence.or_else(|| traffic::sequence_of(&self.body)),
                line: self.body.to_string(),
            },
            key: None,
            at: None,
            problem: None,
        }
    }
}

pub(super) fn answer(request: &Request<Bytes>, fates: &[EntryOutcome]) -> Response<Bytes> {
    let refused = fates.iter().filter_map(|fate| match fate {
        EntryOutcome::Refused(problem) => Some(problem.reason.as_str()),
        EntryOutcome::Stored | EntryOutcome::There => None,
    });
    let refused: Vec<&str> = refused.collect();
    let message = refused.first().copied().unwrap_or_default();
    if media_type(request.headers()) == JSON {
        let mut partial = json!({});
        if !refused.is_empty() {
            let count = refused.len().to_string();
            partial = json!({ "rejectedLogRecords": count, "errorMessage": message });
        }
        let body = json!({ "partialSuccess": partial });
        return reply(200, JSON, body.to_string());
    }
    let mut partial = Vec::new();
    if !refused.is_empty() {
        partial.push(0x08);
        varint(refused.len(), &mut partial);
        bytes(0x12, message.as_bytes(), &mut partial);
    }
    // The Collector's success is an empty `partial_success`, not nothing.
    let mut body = Vec::new();
    bytes(0x0a, &partial, &mut body);
    reply(200, PROTOBUF, body)
}

/// A `google.rpc.Status`.
pub(super) fn status(status: u16, reason: &str) -> Response<Bytes> {
    let mut body = Vec::new();
    bytes(0x12, reason.as_bytes(), &mut body);
    reply(status, PROTOBUF, body)
}

fn bytes(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    varint(bytes.len(), out);
    out.extend_from_slice(bytes);
}

fn varint(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value % 0x80).to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}
