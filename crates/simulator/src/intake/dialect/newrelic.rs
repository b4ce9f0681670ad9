//! New Relic's Log API (<https://docs.newrelic.com/docs/logs/log-api/introduction-log-api/>).
//!
//! It answers 202 to whatever is JSON of the right form, and validates each log later: what it finds is in
//! no answer.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::{Map, Value};

use super::{Dialect, Entry, JSON, Problem, Refusal, media_type, only, text, wrong_age};
use crate::intake::decode::Received;
use crate::traffic;

const MOST_BYTES: usize = 1_000_000;
const MOST_ATTRIBUTES: usize = 255;
const MOST_NAME_BYTES: usize = 255;
const OLDEST: Duration = Duration::from_hours(48);

pub(super) fn read(request: &Request<Bytes>) -> Result<Vec<Entry>, Refusal> {
    let refuse = |status, reason: &str| Dialect::NewRelic.refuse(status, reason);
    if media_type(request.headers()) != JSON {
        return Err(refuse(415, "the content type is not application/json"));
    }
    let plain = Dialect::NewRelic.plain(request)?;
    if plain.len() > MOST_BYTES {
        return Err(refuse(413, "the payload is larger than 1 MB"));
    }
    entries(&plain).map_err(|reason| refuse(400, &reason))
}

fn entries(plain: &[u8]) -> Result<Vec<Entry>, String> {
    let blocks: Vec<Value> = serde_json::from_slice(plain).map_err(|error| error.to_string())?;
    let mut entries = Vec::new();
    for block in &blocks {
        let block = only(block, &["common", "logs"])?;
        let common = match block.get("common") {
            Some(common) => attributes(only(common, &["attributes", "timestamp"])?)?,
            None => Map::new(),
        };
        let logs = block.get("logs").and_then(Value::as_array);
        for log in logs.ok_or("\"logs\" is not an array")? {
            entries.push(entry(log, &common)?);
        }
    }
    Ok(entries)
}

fn entry(log: &Value, common: &Map<String, Value>) -> Result<Entry, String> {
    let log = only(log, &["timestamp", "message", "attributes"])?;
    let message = text(log, "message")?.ok_or("a log has no message")?;
    let time = log.get("timestamp").and_then(Value::as_u64);
    let time = time.ok_or("\"timestamp\" is not in milliseconds since 1970")?;
    let mut all = common.clone();
    all.extend(attributes(log)?);
    let id = text(&all, "log.record.uid")?.unwrap_or_default();
    let problem = invalid(&all).or_else(|| wrong_age(time.into(), OLDEST));
    Ok(Entry {
        received: Received {
            id: id.to_owned(),
            sequence: traffic::sequence_of(&message.into()),
            line: message.to_owned(),
        },
        key: None,
        at: None,
        problem: problem.map(|reason| Problem::new(Problem::LATER, reason)),
    })
}

fn attributes(of: &Map<String, Value>) -> Result<Map<String, Value>, String> {
    match of.get("attributes") {
        None => Ok(Map::new()),
        Some(Value::Object(attributes)) => Ok(attributes.clone()),
        Some(_) => Err("\"attributes\" is not an object".to_owned()),
    }
}

/// What an `NrIntegrationError` would tell. Objects are taken apart, with dots in the names.
fn invalid(attributes: &Map<String, Value>) -> Option<String> {
    let mut flat = 0;
    let mut open: Vec<(String, &Value)> = Vec::new();
    open.extend(attributes.iter().map(|(name, value)| (name.clone(), value)));
    while let Some((name, value)) = open.pop() {
        match value {
            Value::Object(members) => {
                let members = members.iter();
                open.extend(members.map(|(member, value)| (format!("{name}.{member}"), value)));
                continue;
            }
            Value::Array(_) => return Some(format!("the attribute {name:?} is an array")),
            _ if name.len() > MOST_NAME_BYTES => {
                return Some(format!("the name {name:?} is too long"));
            }
            _ => flat += 1,
        }
        if ["accountId", "eventType"].contains(&name.as_str()) {
            return Some(format!("the attribute {name:?} is reserved"));
        }
    }
    (flat > MOST_ATTRIBUTES).then(|| format!("it has {flat} attributes"))
}
