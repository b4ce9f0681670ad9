//! Bodies back to records, by what other people's decoders make of them.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use prost::Message;
use serde_json::{Map, Value, json};

use super::*;

/// What a receiver knows of a record. What a format does not carry is empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Stored {
    pub(super) id: String,
    pub(super) text: String,
    pub(super) request_id: String,
    /// Everything, as JSON.
    pub(super) whole: Value,
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub(super) fn decode(name: Name, is_json: bool, body: &[u8]) -> Vec<Stored> {
    match name {
        Name::Ndjson => stream(body).iter().map(line).collect(),
        Name::Json => parse(body)
            .as_array()
            .expect("an array")
            .iter()
            .map(line)
            .collect(),
        Name::Otlp if is_json => otlp(&serde_json::from_slice(body).expect("it is OTLP/JSON")),
        Name::Otlp => otlp(&ExportLogsServiceRequest::decode(body).expect("it is OTLP")),
        Name::Elastic => elastic(body),
        Name::Loki if is_json => loki_json(&parse(body)),
        Name::Loki => loki(body),
        Name::Splunk => stream(body).iter().map(splunk).collect(),
        Name::Datadog => parse(body)
            .as_array()
            .expect("an array")
            .iter()
            .map(datadog)
            .collect(),
        Name::NewRelic => new_relic(&parse(body)),
    }
}

fn parse(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("it is JSON")
}

fn stream(body: &[u8]) -> Vec<Value> {
    let values = serde_json::Deserializer::from_slice(body).into_iter();
    values.collect::<Result<_, _>>().expect("it is JSON")
}

fn line(value: &Value) -> Stored {
    let record = &value["record"];
    Stored {
        id: string(&value["id"]),
        text: record
            .as_str()
            .map_or_else(|| record.to_string(), str::to_owned),
        request_id: string(&value["request_id"]),
        whole: value.clone(),
    }
}

fn any(value: &AnyValue) -> Value {
    match &value.value {
        None => Value::Null,
        Some(Any::StringValue(text)) => json!(text),
        Some(Any::BoolValue(value)) => json!(value),
        Some(Any::IntValue(value)) => json!(value),
        Some(Any::DoubleValue(value)) => json!(value),
        Some(Any::ArrayValue(array)) => array.values.iter().map(any).collect(),
        Some(Any::KvlistValue(list)) => Value::Object(pairs(&list.values)),
        Some(other) => panic!("{other:?} is not written"),
    }
}

fn pairs(list: &[KeyValue]) -> Map<String, Value> {
    let value = |pair: &KeyValue| pair.value.as_ref().map_or(Value::Null, any);
    list.iter()
        .map(|pair| (pair.key.clone(), value(pair)))
        .collect()
}

fn otlp(request: &ExportLogsServiceRequest) -> Vec<Stored> {
    let mut stored = Vec::new();
    for group in &request.resource_logs {
        let resource = pairs(&group.resource.as_ref().expect("a resource").attributes);
        for scope in &group.scope_logs {
            assert_eq!(scope.scope.as_ref().expect("a scope").name, "backstop");
            for record in &scope.log_records {
                let attributes = pairs(&record.attributes);
                let get = |name: &str| string(attributes.get(name).unwrap_or(&Value::Null));
                let text = any(record.body.as_ref().expect("a body"));
                let digits = |it: &u8| [it >> 4, it & 15].map(|it| char::from_digit(it.into(), 16));
                let hex = |id: &[u8]| -> String { id.iter().flat_map(digits).flatten().collect() };
                stored.push(Stored {
                    id: get("log.record.uid"),
                    text: string(&text),
                    request_id: get("faas.invocation_id"),
                    whole: json!({
                        "time": record.time_unix_nano,
                        "observed": record.observed_time_unix_nano,
                        "severity": record.severity_number,
                        "severityText": record.severity_text,
                        "trace": hex(&record.trace_id),
                        "span": hex(&record.span_id),
                        "attributes": attributes,
                        "resource": resource,
                    }),
                });
            }
        }
    }
    stored
}

fn elastic(body: &[u8]) -> Vec<Stored> {
    assert_eq!(
        body.last(),
        Some(&b'\n'),
        "a bulk request ends with a line feed"
    );
    let text = std::str::from_utf8(body).expect("it is text");
    let lines: Vec<Value> = text.lines().map(|line| parse(line.as_bytes())).collect();
    let (pairs, rest) = lines.as_chunks::<2>();
    assert!(rest.is_empty());
    let stored = pairs.iter().map(|[action, document]| {
        assert_eq!(action["create"]["_id"], document["event"]["id"]);
        Stored {
            id: string(&action["create"]["_id"]),
            text: string(&document["message"]),
            request_id: string(&document["faas"]["execution"]),
            whole: document.clone(),
        }
    });
    stored.collect()
}

fn splunk(event: &Value) -> Stored {
    let said = &event["event"];
    assert!(
        !said.is_null() && said != "" && said != &json!({}),
        "blank is refused"
    );
    let fields = event["fields"].as_object().expect("fields");
    assert!(fields.values().all(Value::is_string), "fields are flat");
    Stored {
        id: string(&event["fields"]["log.record.uid"]),
        text: said
            .as_str()
            .map_or_else(|| said.to_string(), str::to_owned),
        request_id: string(&event["fields"]["faas.invocation_id"]),
        whole: event.clone(),
    }
}

fn datadog(entry: &Value) -> Stored {
    let message = &entry["message"];
    assert!(message["timestamp"].is_u64() && entry["ddtags"].is_string());
    Stored {
        id: string(&message["log.record.uid"]),
        text: string(&message["message"]),
        request_id: string(&message["lambda"]["request_id"]),
        whole: entry.clone(),
    }
}

fn new_relic(body: &Value) -> Vec<Stored> {
    let mut stored = Vec::new();
    for group in body.as_array().expect("an array") {
        let common = group["common"]["attributes"]
            .as_object()
            .expect("attributes");
        assert!(
            common.values().all(|value| !value.is_array()),
            "arrays are not supported"
        );
        for log in group["logs"].as_array().expect("logs") {
            assert!(log["timestamp"].is_u64());
            stored.push(Stored {
                id: string(&log["attributes"]["log.record.uid"]),
                text: string(&log["message"]),
                request_id: string(&log["attributes"]["faas.invocation_id"]),
                whole: json!({"common": common, "log": log}),
            });
        }
    }
    stored
}

fn loki_json(body: &Value) -> Vec<Stored> {
    let mut stored = Vec::new();
    for stream in body["streams"].as_array().expect("streams") {
        for entry in stream["values"].as_array().expect("values") {
            let time: u64 = entry[0]
                .as_str()
                .expect("time is text")
                .parse()
                .expect("ns");
            let metadata = entry[2].as_object().expect("metadata");
            assert!(metadata.values().all(Value::is_string), "metadata is text");
            stored.push(Stored {
                id: string(&entry[2]["log_record_uid"]),
                text: string(&entry[1]),
                request_id: string(&entry[2]["faas_invocation_id"]),
                whole: json!({"time": time, "labels": stream["stream"], "metadata": entry[2]}),
            });
        }
    }
    stored
}

/// `pkg/push/push.proto` of Loki.
#[derive(Clone, PartialEq, Message)]
struct PushRequest {
    #[prost(message, repeated, tag = "1")]
    streams: Vec<Stream>,
}

#[derive(Clone, PartialEq, Message)]
struct Stream {
    #[prost(string, tag = "1")]
    labels: String,
    #[prost(message, repeated, tag = "2")]
    entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(message, optional, tag = "1")]
    timestamp: Option<Timestamp>,
    #[prost(string, tag = "2")]
    line: String,
    #[prost(message, repeated, tag = "3")]
    metadata: Vec<Pair>,
}

#[derive(Clone, PartialEq, Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Pair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

fn loki(body: &[u8]) -> Vec<Stored> {
    let request = PushRequest::decode(body).expect("it is a push");
    let mut stored = Vec::new();
    for stream in request.streams {
        // The labels are written in PromQL, whose strings are Go's; none of these tests needs more than JSON's.
        let inner = stream.labels.trim_matches(['{', '}']);
        let label = |it: &str| {
            let (name, value) = it.split_once('=').expect("a label");
            (
                name.to_owned(),
                serde_json::from_str(value).expect("a string"),
            )
        };
        let labels: Map<String, Value> = inner.split(", ").map(label).collect();
        for entry in stream.entries {
            let at = entry.timestamp.expect("a time");
            let metadata: Map<String, Value> = (entry.metadata.into_iter())
                .map(|pair| (pair.name, json!(pair.value)))
                .collect();
            let get = |name: &str| string(metadata.get(name).unwrap_or(&Value::Null));
            stored.push(Stored {
                id: get("log_record_uid"),
                request_id: get("faas_invocation_id"),
                text: entry.line,
                whole: json!({
                    "time": at.seconds * 1_000_000_000 + i64::from(at.nanos),
                    "labels": labels,
                    "metadata": metadata,
                }),
            });
        }
    }
    stored
}
