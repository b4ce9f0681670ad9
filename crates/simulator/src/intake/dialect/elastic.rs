//! The bulk API of Elasticsearch and `OpenSearch`, with a data stream of the Elastic Common Schema behind it
//! (<https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk>).
//!
//! A line that is no action refuses the whole request; a document that cannot be stored is an item of its own.

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Map, Value, json};

use super::{Dialect, Entry, EntryOutcome, JSON, Problem, Refusal, media_type, only, reply, text};
use crate::intake::decode::Received;
use crate::traffic;

const MOST_ID_BYTES: usize = 512;
/// What the URL may ask for.
const PARAMETERS: &[&str] = &["filter_path", "pipeline", "refresh", "routing", "timeout"];
/// The objects of the schema, and their members that are text.
const SCHEMA: &[(&str, &[&str])] = &[
    ("ecs", &["version"]),
    ("log", &["level"]),
    ("event", &["id", "dataset", "action", "outcome"]),
    ("faas", &["name", "version", "id", "execution"]),
    ("trace", &["id"]),
    ("error", &["type", "message", "stack_trace"]),
    ("span", &["id"]),
];
/// Those that have objects in them, or members of any name.
const LOOSE: &[&str] = &["cloud", "service", "labels", "fields"];

pub(super) fn error(status: u16, reason: &str) -> Response<Bytes> {
    let kind = match status {
        401 | 403 => "security_exception",
        429 => "es_rejected_execution_exception",
        400..=499 => "illegal_argument_exception",
        _ => "internal_server_error",
    };
    let error = json!({ "root_cause": [{ "type": kind, "reason": reason }], "type": kind, "reason": reason });
    reply(
        status,
        JSON,
        json!({ "error": error, "status": status }).to_string(),
    )
}

pub(super) fn read(request: &Request<Bytes>) -> Result<Vec<Entry>, Refusal> {
    let refuse = |status, reason: &str| Dialect::Elastic.refuse(status, reason);
    let unknown = parameters(request).find(|(name, _)| !PARAMETERS.contains(name));
    if let Some((name, _)) = unknown {
        let reason = format!("the request contains an unrecognized parameter: [{name}]");
        return Err(refuse(400, &reason));
    }
    if !["application/x-ndjson", JSON].contains(&media_type(request.headers())) {
        return Err(refuse(406, "the content type header is not supported"));
    }
    let plain = Dialect::Elastic.plain(request)?;
    if plain.last() != Some(&b'\n') {
        let reason = "The bulk request must be terminated by a newline [\\n]";
        return Err(refuse(400, reason));
    }
    let index = request.uri().path().trim_end_matches("_bulk");
    let index = index.trim_matches('/');
    entries(&plain[..plain.len() - 1], index).map_err(|reason| refuse(400, &reason))
}

fn parameters(request: &Request<Bytes>) -> impl Iterator<Item = (&str, &str)> {
    let query = request.uri().query().unwrap_or_default();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn entries(plain: &[u8], index_of_path: &str) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    let mut lines = plain.split(|byte| *byte == b'\n');
    while let Some(line) = lines.next() {
        let action: Map<String, Value> =
            serde_json::from_slice(line).map_err(|_| "Malformed action/metadata line")?;
        let mut members = action.iter();
        let (Some((operation, of)), None) = (members.next(), members.next()) else {
            return Err("an action line has one action".to_owned());
        };
        if !["create", "index"].contains(&operation.as_str()) {
            return Err(format!("the action [{operation}] has no document here"));
        }
        let of = only(of, &["_index", "_id", "routing", "pipeline"])?;
        let index = text(of, "_index")?.unwrap_or(index_of_path);
        if index.is_empty() {
            return Err("index is missing".to_owned());
        }
        let id = text(of, "_id")?;
        if id.is_some_and(|id| id.len() > MOST_ID_BYTES) {
            return Err("id is too long, must be no longer than 512 bytes".to_owned());
        }
        let document = lines.next().ok_or("an action has no document")?;
        entries.push(entry(operation, index, id, document));
    }
    Ok(entries)
}

fn entry(operation: &str, index: &str, id: Option<&str>, line: &[u8]) -> Entry {
    let document: Result<Value, _> = serde_json::from_slice(line);
    let document = document.unwrap_or_default();
    let member = |pointer: &str| document.pointer(pointer).and_then(Value::as_str);
    let sequence = document.get("fields").and_then(traffic::sequence_of);
    let message = member("/message").unwrap_or_default();
    Entry {
        received: Received {
            id: member("/event/id").unwrap_or_default().to_owned(),
            sequence: sequence.or_else(|| traffic::sequence_of(&message.into())),
            line: String::from_utf8_lossy(line).into_owned(),
        },
        key: id.map(|id| format!("{index}/{id}")),
        at: None,
        problem: problem(operation, index, &document)
            .err()
            .map(|reason| Problem::new(400, reason)),
    }
}

fn problem(operation: &str, index: &str, document: &Value) -> Result<(), String> {
    let is_upper = |char: char| char.is_ascii_uppercase() || "\\/*?\"<>|, #:".contains(char);
    if index.contains(is_upper) {
        return Err(format!("Invalid index name [{index}]"));
    }
    if operation != "create" {
        return Err("only write ops with an op_type of create are allowed".to_owned());
    }
    let object = document.as_object().ok_or("failed to parse")?;
    let time = text(object, "@timestamp")?.ok_or("it has no @timestamp")?;
    chrono::DateTime::parse_from_rfc3339(time)
        .map_err(|_| format!("failed to parse date field [{time}]"))?;
    text(object, "message")?;
    for (name, value) in object {
        let name = name.as_str();
        if let Some((_, members)) = SCHEMA.iter().find(|(known, _)| *known == name) {
            let object = only(value, members)?;
            for member in *members {
                text(object, member)?;
            }
        } else if LOOSE.contains(&name) {
            value
                .as_object()
                .ok_or_else(|| format!("object mapping for [{name}] tried to parse a value"))?;
        } else if !["@timestamp", "message"].contains(&name) {
            return Err(format!("dynamic introduction of [{name}] is not allowed"));
        }
    }
    Ok(())
}

pub(super) fn answer(request: &Request<Bytes>, fates: &[EntryOutcome]) -> Response<Bytes> {
    let is_filtered = parameters(request).any(|(name, _)| name == "filter_path");
    let item = |fate: &EntryOutcome| {
        let (status, kind, reason) = match fate {
            EntryOutcome::Stored => (201, "", ""),
            EntryOutcome::There => (
                409,
                "version_conflict_engine_exception",
                "document already exists",
            ),
            EntryOutcome::Refused(problem) => {
                (problem.status, kind_of(problem.status), &*problem.reason)
            }
        };
        let mut outcome = json!({ "status": status });
        if !kind.is_empty() {
            outcome["error"] = json!({ "type": kind });
        }
        if !is_filtered {
            outcome["_index"] = ".ds-logs-aws.lambda-default-000001".into();
            if !kind.is_empty() {
                outcome["error"]["reason"] = reason.into();
            }
        }
        json!({ "create": outcome })
    };
    let items: Vec<Value> = fates.iter().map(item).collect();
    let errors = fates
        .iter()
        .any(|fate| !matches!(fate, EntryOutcome::Stored));
    let mut answer = json!({ "errors": errors, "items": items });
    if !is_filtered {
        answer["took"] = 7.into();
    }
    reply(200, JSON, answer.to_string())
}

fn kind_of(status: u16) -> &'static str {
    match status {
        400 => "document_parsing_exception",
        401 | 403 => "security_exception",
        404 => "index_not_found_exception",
        429 => "es_rejected_execution_exception",
        _ => "unavailable_shards_exception",
    }
}
