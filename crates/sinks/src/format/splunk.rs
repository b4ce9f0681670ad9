//! `splunk`: the HTTP Event Collector
//! (<https://docs.splunk.com/Documentation/Splunk/latest/Data/FormateventsforHTTPEventCollector>).
//!
//! A success says that events are well-formed, not that they are indexed: indexer acknowledgment, which takes
//! seconds, is not waited for. The channel that it needs is sent.

use backstop_config::Primary;
use backstop_delivery::{Answer, Cause, Detail, Failure, Verdict};
use backstop_json::Fnv;
use http::header::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::answers::{Row, SPLUNK};
use super::assemble::{Limits, Logs, Written, logs};
use super::log::{INVOCATION_ID, Level, Log, TYPE, UID};
use super::resource::Attributes;
use super::text::{Decimal, Object, string};
use super::{Context, Format, Reply};
use crate::codec::{Item, Output};

/// The names that our own fields have.
const FIELDS: &[&str] = &[
    UID,
    INVOCATION_ID,
    TYPE,
    "level",
    "cloud.region",
    "cloud.account.id",
    "faas.version",
    "faas.instance",
    "trace_id",
    "span_id",
];
const CHANNEL: HeaderName = HeaderName::from_static("x-splunk-request-channel");

/// The event format.
#[derive(Debug)]
pub(super) struct Splunk {
    index: Option<String>,
    source: Option<String>,
    sourcetype: String,
}

impl Splunk {
    pub(super) fn new(primary: &Primary) -> Self {
        let options = primary.options.clone();
        Self {
            index: options.index,
            source: options.source,
            sourcetype: options
                .sourcetype
                .unwrap_or_else(|| "aws:lambda".to_owned()),
        }
    }
}

impl Format for Splunk {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn headers(&self, key: &str) -> Vec<(HeaderName, HeaderValue)> {
        // Any GUID will do: a channel keeps acknowledgments apart, and none is asked for.
        let hash = Fnv::of(key.as_bytes());
        let text = format!(
            "{:08x}-0000-4000-8000-{:012x}",
            hash >> 32,
            hash & 0xffff_ffff
        );
        let value = HeaderValue::from_str(&text).ok();
        value.map(|value| (CHANNEL, value)).into_iter().collect()
    }

    fn write(&self, items: &[Item<'_>], context: Context, out: &mut Output) -> Written {
        logs(self, items, context, out)
    }

    fn answers(&self) -> &'static [Row] {
        SPLUNK
    }

    fn most_answer_bytes(&self) -> usize {
        16 * 1024
    }

    fn read(&self, reply: &Reply<'_>) -> Answer {
        let Ok(said) = serde_json::from_slice::<HecAnswer>(reply.body) else {
            // A refusal may come from something before the collector; a success may not.
            return if (200..=299).contains(&reply.status) {
                Answer::None(Failure::Unproven)
            } else {
                reply.by_default()
            };
        };
        let judged = |verdict| Answer::Judged {
            verdict,
            code: reply.status,
            detail: Some(Detail::Code(name(said.code))),
        };
        match (reply.status, said.code) {
            (200..=299, 0) => Answer::status(reply.status),
            (200..=299, _) => Answer::None(Failure::Unproven),
            (400, 5 | 6 | 12 | 13 | 15) => match said.event {
                Some(index) if index < reply.records => {
                    let cause = Cause::of_status(400, Some(Detail::Code(name(said.code))));
                    Answer::Named {
                        index,
                        cause: Box::new(cause),
                    }
                }
                _ => judged(Verdict::Isolate),
            },
            (400..=499, _) if reply.status != 429 && reply.status != 408 && reply.status != 413 => {
                // The token, the channel or the index: no event is wrong.
                judged(Verdict::Stop)
            }
            _ => reply.by_default(),
        }
    }
}

#[derive(Deserialize)]
struct HecAnswer {
    code: u16,
    #[serde(rename = "invalid-event-number")]
    event: Option<usize>,
}

/// Splunk's own words for its codes.
fn name(code: u16) -> &'static str {
    match code {
        0 => "Success",
        1 => "Token disabled",
        2 => "Token is required",
        3 => "Invalid authorization",
        4 => "Invalid token",
        5 => "No data",
        6 => "Invalid data format",
        7 => "Incorrect index",
        8 => "Internal server error",
        9 => "Server is busy",
        10 => "Data channel is missing",
        11 => "Invalid data channel",
        12 => "Event field is required",
        13 => "Event field cannot be blank",
        14 => "ACK is disabled",
        15 => "Error in handling indexed fields",
        16 => "Query string authorization is not enabled",
        _ => "an unknown code",
    }
}

impl Logs for Splunk {
    fn limits(&self) -> Limits {
        Limits {
            records: 10_000,
            bytes: 1_000_000,
            record_bytes: usize::MAX,
            age: None,
        }
    }

    /// What is the same in each event of a resource. The object of fields is left open for those of the log.
    fn write_resource(&self, resource: &Attributes, out: &mut Vec<u8>) {
        let mut event = Object::inside(out);
        event.some("host", resource.text("faas.name"));
        let source = format!("lambda:{}", resource.or_empty("faas.name"));
        event.text("source", self.source.as_deref().unwrap_or(&source));
        event.text("sourcetype", &self.sourcetype);
        event.some("index", self.index.as_deref());
        event.begin("fields", |fields| {
            fields.some("cloud.region", resource.text("cloud.region"));
            fields.some("cloud.account.id", resource.text("cloud.account.id"));
            fields.some("faas.version", resource.text("faas.version"));
            fields.some("faas.instance", resource.text("faas.instance"));
            for (name, value) in resource.tags_beside(FIELDS, str::to_owned) {
                fields.own_text(&name, &value);
            }
        });
    }

    fn write_log(&self, log: &Log<'_>, _: &Attributes, written: &[u8], out: &mut Vec<u8>) {
        let mut event = Object::open(out);
        let time = log.time.0;
        event.raw("time", |out| {
            out.extend_from_slice(Decimal::of(time.as_secs()).as_bytes());
            out.push(b'.');
            let millis = u64::from(time.subsec_millis());
            out.extend_from_slice(Decimal::padded(millis, 3).as_bytes());
        });
        event.raw("event", |out| match log.object() {
            // An empty object is blank, too.
            Some(object) if object.get().len() > 2 => {
                out.extend_from_slice(object.get().as_bytes());
            }
            _ if log.original().trim().is_empty() => string(out, " "),
            _ => string(out, log.original()),
        });
        event.continued(written, |fields| {
            fields.some(UID, Some(&log.id));
            fields.some(INVOCATION_ID, log.request_id.as_deref());
            fields.some(TYPE, Some(&log.kind));
            fields.some("level", log.level.map(Level::lower));
            fields.some("trace_id", log.trace_id.as_deref());
            fields.some("span_id", log.span_id.as_deref());
        });
        event.close();
    }
}
