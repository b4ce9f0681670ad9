//! `elastic`: the bulk API of Elasticsearch and `OpenSearch`, in the Elastic Common Schema
//! (<https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk>,
//! <https://docs.opensearch.org/latest/api-reference/document-apis/bulk/>).
//!
//! The action is `create` with the record's id as `_id`: data streams take nothing else, and what is there
//! already is answered with 409, which is a delivery. The function's own members stand below `fields`, so
//! that no log can conflict with the mapping or exhaust it.

use std::borrow::Cow;

use backstop_config::Primary;
use backstop_delivery::{Answer, Detail, Failure};
use backstop_json::Json;
use serde::Deserialize;

use super::answers::{ELASTIC, Row, Ruling};
use super::assemble::{Limits, Logs, Written, logs};
use super::log::{Level, Log};
use super::repeats;
use super::resource::Attributes;
use super::text::Object;
use super::{Context, Format, Reply, by_status};
use crate::codec::{Item, Output};

const INDEX: &str = "logs-aws.lambda-default";
/// Little of the answer is needed.
const FILTER: &str = "filter_path=errors,items.*.status,items.*.error.type";

/// The bulk format.
#[derive(Debug)]
pub(super) struct Elastic {
    index: String,
    has_ids: bool,
}

impl Elastic {
    pub(super) fn new(primary: &Primary) -> Self {
        let (address, _) = primary.url.split_once('?').unwrap_or((&primary.url, ""));
        let path = address.splitn(4, '/').nth(3);
        // An index in an action overrides the one in the address.
        let default = if path == Some("_bulk") { INDEX } else { "" };
        let index = primary.options.index.clone();
        Self {
            index: index.unwrap_or_else(|| default.to_owned()),
            has_ids: !primary.options.without_ids,
        }
    }
}

impl Format for Elastic {
    fn content_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn address(&self, url: &str) -> String {
        if url.contains("filter_path=") {
            return url.to_owned();
        }
        let separator = if url.contains('?') { '&' } else { '?' };
        format!("{url}{separator}{FILTER}")
    }

    fn write(&self, items: &[Item<'_>], context: Context, out: &mut Output) -> Written {
        logs(self, items, context, out)
    }

    fn answers(&self) -> &'static [Row] {
        ELASTIC
    }

    fn most_answer_bytes(&self) -> usize {
        // Some 100 bytes an item with an error; without the filter, which a proxy may ignore, four times that.
        2 * 1024 * 1024
    }

    fn read(&self, reply: &Reply<'_>) -> Answer {
        if reply.status == 400 {
            return reply.ruled(of_bad_request(reply.body));
        }
        let Ok(answer) = serde_json::from_slice::<Bulk<'_>>(reply.body) else {
            return Answer::None(Failure::Unproven);
        };
        match (answer.errors, answer.items) {
            (Some(false), _) => Answer::status(reply.status),
            (Some(true), Some(items)) => by_item(&items),
            _ => Answer::None(Failure::Unproven),
        }
    }
}

/// What a refusal of the whole request means. At an address without an API the receiver gives the error as a text; what
/// is wrong with a request it describes in an object.
fn of_bad_request(body: &[u8]) -> Ruling {
    #[derive(Deserialize)]
    struct Refusal<'a> {
        #[serde(borrow)]
        error: Cow<'a, str>,
    }
    let refusal = serde_json::from_slice::<Refusal<'_>>(body).ok();
    if refusal.is_some_and(|it| it.error.starts_with("no handler found")) {
        Ruling::Stop
    } else {
        Ruling::Isolate
    }
}

#[derive(Deserialize)]
struct Bulk<'a> {
    errors: Option<bool>,
    #[serde(borrow)]
    items: Option<Vec<Action<'a>>>,
}

/// `create` here; a receiver may name it otherwise.
#[derive(Deserialize)]
#[serde(untagged)]
enum Action<'a> {
    Of {
        #[serde(borrow, alias = "index")]
        create: Outcome<'a>,
    },
}

#[derive(Deserialize)]
struct Outcome<'a> {
    status: u16,
    #[serde(borrow)]
    error: Option<Error<'a>>,
}

#[derive(Deserialize)]
struct Error<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
}

/// The error types that are reported; others are reported by their status alone.
const TYPES: &[&str] = &[
    "cluster_block_exception",
    "document_parsing_exception",
    "es_rejected_execution_exception",
    "illegal_argument_exception",
    "index_closed_exception",
    "index_not_found_exception",
    "invalid_index_name_exception",
    "mapper_parsing_exception",
    "rejected_execution_exception",
    "security_exception",
    "strict_dynamic_mapping_exception",
    "unavailable_shards_exception",
    "version_conflict_engine_exception",
];

fn by_item(items: &[Action<'_>]) -> Answer {
    let items = items.iter().map(|Action::Of { create }| {
        let kind = create
            .error
            .as_ref()
            .and_then(|error| error.kind.as_deref());
        let known = TYPES.iter().find(|known| Some(**known) == kind);
        (create.status, known.map(|kind| Detail::Code(kind)))
    });
    by_status::answer(items)
}

impl Logs for Elastic {
    fn limits(&self) -> Limits {
        Limits {
            records: 2_000,
            bytes: 5_000_000,
            record_bytes: usize::MAX,
            age: None,
        }
    }

    /// What is the same in each document of a resource. The function's object is left open for the invocation.
    fn write_resource(&self, resource: &Attributes, out: &mut Vec<u8>) {
        let mut members = Object::inside(out);
        members.object("cloud", |cloud| {
            cloud.text("provider", "aws");
            cloud.some("region", resource.text("cloud.region"));
            cloud.object("account", |it| {
                it.some("id", resource.text("cloud.account.id"));
            });
            cloud.object("service", |it| it.text("name", "lambda"));
        });
        members.object("service", |service| {
            service.some("name", resource.text("service.name"));
            service.object("node", |it| it.some("name", resource.text("faas.instance")));
        });
        members.object("labels", |labels| {
            // A dot would make it an object in an object.
            for (name, value) in resource.tags_beside(&[], |name| name.replace('.', "_")) {
                labels.own_text(&name, &value);
            }
        });
        members.begin("faas", |faas| {
            faas.some("name", resource.text("faas.name"));
            faas.some("version", resource.text("faas.version"));
            faas.some("id", resource.text("cloud.resource_id"));
        });
    }

    fn write_log(&self, log: &Log<'_>, _: &Attributes, written: &[u8], out: &mut Vec<u8>) {
        let mut line = Object::open(out);
        line.object("create", |create| {
            create.some("_index", Some(&self.index));
            if self.has_ids {
                create.some("_id", Some(&log.id));
            }
        });
        line.close();
        out.push(b'\n');
        write_document(log, written, out);
        out.push(b'\n');
    }
}

/// Why it failed, by the names that Lambda and OpenTelemetry give to it
/// (<https://www.elastic.co/docs/reference/ecs/ecs-error>). Only texts: anything else could conflict with the mapping.
fn write_error(log: &Log<'_>, document: &mut Object<'_>) {
    let text = |names: [&str; 2]| {
        let mut fields = log.fields.iter();
        let found = fields.find(|(name, _)| names.contains(&&**name));
        found.and_then(|(_, value)| value.string())
    };
    let all = [
        ("type", text(["exception.type", "errorType"])),
        ("message", text(["exception.message", "errorMessage"])),
        (
            "stack_trace",
            text(["exception.stacktrace", "stackTrace"]).or_else(|| lines(log)),
        ),
    ];
    if all.iter().any(|(_, value)| value.is_some()) {
        document.object("error", |error| {
            for (name, value) in &all {
                error.some(name, value.as_deref());
            }
        });
    }
}

/// The stack trace that Lambda's runtimes write as a list of lines.
fn lines<'a>(log: &Log<'a>) -> Option<Cow<'a, str>> {
    let mut fields = log.fields.iter();
    let (_, list) = fields.find(|(name, value)| name == "stackTrace" && value.is_array())?;
    let lines: Vec<Cow<'_, str>> = list.items().filter_map(Json::string).collect();
    (!lines.is_empty()).then(|| Cow::Owned(lines.join("\n")))
}

/// The document, by the Elastic Common Schema.
fn write_document(log: &Log<'_>, resource: &[u8], out: &mut Vec<u8>) {
    let mut document = Object::open(out);
    document.text("@timestamp", &log.time.rfc3339());
    document.text("message", &log.message);
    document.object("ecs", |ecs| ecs.text("version", "8.11.0"));
    if let Some(level) = log.level {
        document.object("log", |log| log.text("level", level.lower()));
    }
    document.object("event", |event| {
        event.some("id", Some(&log.id));
        event.text("dataset", "aws.lambda");
        event.some("action", Some(&log.kind));
        if log.level >= Some(Level::Error) {
            event.text("outcome", "failure");
        }
    });
    if log.level >= Some(Level::Error) {
        write_error(log, &mut document);
    }
    document.continued(resource, |faas| {
        faas.some("execution", log.request_id.as_deref());
    });
    if let Some(id) = &log.trace_id {
        document.object("trace", |trace| trace.text("id", id));
    }
    if let Some(id) = &log.span_id {
        document.object("span", |span| span.text("id", id));
    }
    if let Some(object) = log.object() {
        document.raw("fields", |out| {
            if repeats::has(object) {
                let mut fields = Object::open(out);
                fields.text("raw", object.get());
                fields.close();
            } else {
                // Between the tokens of an object only: in a string they are escaped. Here they would end the
                // document, and what follows could be an action.
                let parts = object.get().split(['\n', '\r']);
                parts.for_each(|part| out.extend_from_slice(part.as_bytes()));
            }
        });
    }
    document.close();
}
