//! Splunk's HTTP Event Collector
//! (<https://docs.splunk.com/Documentation/Splunk/latest/Data/FormateventsforHTTPEventCollector>).
//!
//! One event that is wrong ends the request: the answer names it by its number, and nothing of the request is kept.

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Map, Value, json};

use super::{Dialect, Entry, EntryOutcome, JSON, Problem, Refusal, media_type, only, reply, text};
use crate::intake::decode::Received;
use crate::traffic;

/// Splunk Cloud's limit is not documented; senders stay at this.
const MOST_BYTES: usize = 1_000_000;
/// The indexes that the token may write to.
const INDEXES: &[&str] = &["main"];

const NO_DATA: u16 = 5;
pub(super) const INVALID_DATA_FORMAT: u16 = 6;
const INCORRECT_INDEX: u16 = 7;
const INVALID_CHANNEL: u16 = 11;
const EVENT_REQUIRED: u16 = 12;
const EVENT_BLANK: u16 = 13;
const INDEXED_FIELDS: u16 = 15;

/// The code that goes with a status where none is known better.
pub(super) fn code_of(status: u16) -> u16 {
    match status {
        400 => INVALID_DATA_FORMAT,
        401 => 3,
        403 => 4,
        413 => 27,
        500 => 8,
        429 | 503 => 9,
        other => other,
    }
}

fn words(code: u16) -> &'static str {
    match code {
        0 => "Success",
        2 => "Token is required",
        3 => "Invalid authorization",
        4 => "Invalid token",
        NO_DATA => "No data",
        INVALID_DATA_FORMAT => "Invalid data format",
        INCORRECT_INDEX => "Incorrect index",
        8 => "Internal server error",
        9 => "Server is busy",
        INVALID_CHANNEL => "Invalid data channel",
        EVENT_REQUIRED => "Event field is required",
        EVENT_BLANK => "Event field cannot be blank",
        INDEXED_FIELDS => "Error in handling indexed fields",
        404 => "The requested URL was not found on this server.",
        _ => "Error",
    }
}

/// An answer in the collector's words.
pub(super) fn said(status: u16, code: u16, event: Option<usize>) -> Response<Bytes> {
    let mut said = json!({ "text": words(code), "code": code });
    if let Some(event) = event {
        said["invalid-event-number"] = event.into();
    }
    reply(status, JSON, said.to_string())
}

pub(super) fn forbid(is_given: bool, reason: &str) -> Refusal {
    let (status, code) = if is_given { (403, 4) } else { (401, 2) };
    Refusal {
        response: Box::new(said(status, code, None)),
        reason: format!("{status}: {reason}"),
    }
}

pub(super) fn answer(fates: &[EntryOutcome]) -> Response<Bytes> {
    let wrong = fates
        .iter()
        .enumerate()
        .find_map(|(index, fate)| match fate {
            EntryOutcome::Refused(problem) => Some((index, problem)),
            EntryOutcome::Stored | EntryOutcome::There => None,
        });
    match wrong {
        Some((index, problem)) => said(problem.status, problem.code, Some(index)),
        None => said(200, 0, None),
    }
}

pub(super) fn read(request: &Request<Bytes>) -> Result<Vec<Entry>, Refusal> {
    let refuse = |code, reason: String| Refusal {
        response: Box::new(said(400, code, None)),
        reason: format!("code {code}: {reason}"),
    };
    // Splunk itself ignores it; others that speak its protocol do not.
    if media_type(request.headers()) != JSON {
        let reason = "the content type is not application/json".to_owned();
        return Err(refuse(INVALID_DATA_FORMAT, reason));
    }
    if let Some(channel) = request.headers().get("x-splunk-request-channel")
        && !is_guid(channel.as_bytes())
    {
        return Err(refuse(INVALID_CHANNEL, format!("{channel:?} is no GUID")));
    }
    let plain = Dialect::Splunk.plain(request)?;
    if plain.len() > MOST_BYTES {
        return Err(Dialect::Splunk.refuse(413, "the body is larger than 1 MB"));
    }
    let mut entries = Vec::new();
    for event in serde_json::Deserializer::from_slice(&plain).into_iter::<Value>() {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                return Err(Refusal {
                    response: Box::new(said(400, INVALID_DATA_FORMAT, Some(entries.len()))),
                    reason: error.to_string(),
                });
            }
        };
        entries.push(entry(&event));
    }
    if entries.is_empty() {
        return Err(refuse(NO_DATA, "there is no event".to_owned()));
    }
    Ok(entries)
}

fn is_guid(text: &[u8]) -> bool {
    let is_right = |(place, byte): (usize, &u8)| match place {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.iter().enumerate().all(is_right)
}

fn entry(event: &Value) -> Entry {
    let nothing = Map::new();
    let fields = event.get("fields").and_then(Value::as_object);
    let fields = fields.unwrap_or(&nothing);
    let id = fields.get("log.record.uid").and_then(Value::as_str);
    let said = event.get("event").unwrap_or(&Value::Null);
    Entry {
        received: Received {
            id: id.unwrap_or_default().to_owned(),
            sequence: traffic::sequence_of(said),
            line: said.to_string(),
        },
        key: None,
        at: None,
        problem: problem(event).map(|(code, reason)| Problem {
            status: 400,
            code,
            reason,
        }),
    }
}

fn problem(event: &Value) -> Option<(u16, String)> {
    let known = [
        "time",
        "host",
        "source",
        "sourcetype",
        "index",
        "event",
        "fields",
    ];
    let object = match only(event, &known) {
        Ok(object) => object,
        Err(reason) => return Some((INVALID_DATA_FORMAT, reason)),
    };
    for name in ["host", "source", "sourcetype", "index"] {
        if let Err(reason) = text(object, name) {
            return Some((INVALID_DATA_FORMAT, reason));
        }
    }
    if !object.get("time").is_none_or(Value::is_number) {
        return Some((INVALID_DATA_FORMAT, "\"time\" is not a number".to_owned()));
    }
    if let Some(index) = object.get("index").and_then(Value::as_str)
        && !INDEXES.contains(&index)
    {
        return Some((INCORRECT_INDEX, format!("there is no index {index:?}")));
    }
    match object.get("event") {
        None | Some(Value::Null) => return Some((EVENT_REQUIRED, "there is no event".to_owned())),
        Some(Value::String(text)) if text.is_empty() => {
            return Some((EVENT_BLANK, "the event is blank".to_owned()));
        }
        Some(Value::Object(object)) if object.is_empty() => {
            return Some((EVENT_BLANK, "the event is blank".to_owned()));
        }
        Some(_) => {}
    }
    let fields = match object.get("fields") {
        None => return None,
        Some(Value::Object(fields)) => fields,
        Some(_) => return Some((INDEXED_FIELDS, "\"fields\" is not an object".to_owned())),
    };
    let nested = fields.iter().find(|(_, value)| value.is_object());
    nested.map(|(name, _)| (INDEXED_FIELDS, format!("the field {name:?} is an object")))
}
