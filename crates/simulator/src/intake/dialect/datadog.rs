//! Datadog's intake of logs (<https://docs.datadoghq.com/api/latest/logs/#send-logs>), for logs in the shape of
//! its own Lambda extension.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::Value;

use super::{Dialect, Entry, JSON, Problem, Refusal, media_type, only, text, wrong_age};
use crate::intake::decode::Received;
use crate::traffic;

const MOST_BYTES: usize = 5_000_000;
const MOST_ENTRIES: usize = 1_000;
/// A longer entry is cut, without a word.
const MOST_ENTRY_BYTES: usize = 1_000_000;
/// Older logs are dropped, without a word.
const OLDEST: Duration = Duration::from_hours(18);
/// What [bottlecap](https://github.com/DataDog/datadog-lambda-extension) sends, and what is added here: the
/// intake makes attributes of the rest.
const IN_MESSAGE: &[&str] = &[
    "message",
    "lambda",
    "timestamp",
    "status",
    "log.record.uid",
    "type",
    "trace_id",
    "span_id",
    "record",
];

pub(super) fn read(request: &Request<Bytes>) -> Result<Vec<Entry>, Refusal> {
    let refuse = |status, reason: &str| Dialect::Datadog.refuse(status, reason);
    if media_type(request.headers()) != JSON {
        return Err(refuse(415, "the content type is not application/json"));
    }
    let plain = Dialect::Datadog.plain(request)?;
    if plain.len() > MOST_BYTES {
        return Err(refuse(413, "the payload is larger than 5 MB"));
    }
    let entries: Vec<Value> =
        serde_json::from_slice(&plain).map_err(|error| refuse(400, &error.to_string()))?;
    if entries.len() > MOST_ENTRIES {
        return Err(refuse(413, "there are more than 1,000 entries"));
    }
    let entries = entries.iter().map(entry);
    let entries: Result<_, _> = entries.collect();
    entries.map_err(|reason| refuse(400, &reason))
}

fn entry(entry: &Value) -> Result<Entry, String> {
    let length = entry.to_string().len();
    let entry = only(
        entry,
        &["message", "hostname", "service", "ddsource", "ddtags"],
    )?;
    for name in ["hostname", "service", "ddsource", "ddtags"] {
        text(entry, name)?;
    }
    let tags = text(entry, "ddtags")?.unwrap_or_default();
    if let Some(tag) = tags.split(',').find(|tag| !tag.contains(':')) {
        return Err(format!("the tag {tag:?} has no value"));
    }
    let message = entry.get("message").ok_or("an entry has no message")?;
    let message = only(message, IN_MESSAGE)?;
    let said = text(message, "message")?.ok_or("a message has no text")?;
    let lambda = message.get("lambda").ok_or("a message has no lambda")?;
    let lambda = only(lambda, &["arn", "request_id"])?;
    text(lambda, "arn")?.ok_or("a lambda has no arn")?;
    let status = text(message, "status")?.unwrap_or_default();
    if !["trace", "debug", "info", "warn", "error", "fatal"].contains(&status) {
        return Err(format!("there is no status {status:?}"));
    }
    let time = message.get("timestamp").and_then(Value::as_u64);
    let time = time.ok_or("\"timestamp\" is not in milliseconds since 1970")?;
    let id = text(message, "log.record.uid")?.unwrap_or_default();
    let problem = wrong_age(time.into(), OLDEST)
        .or_else(|| (length > MOST_ENTRY_BYTES).then(|| "it is cut to 1 MB".to_owned()));
    Ok(Entry {
        received: Received {
            id: id.to_owned(),
            sequence: traffic::sequence_of(&said.into()),
            line: said.to_owned(),
        },
        key: None,
        at: None,
        problem: problem.map(|reason| Problem::new(Problem::LATER, reason)),
    })
}
