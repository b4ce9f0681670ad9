//! `otlp`: OpenTelemetry's protocol over HTTP, in protobuf or JSON
//! (<https://opentelemetry.io/docs/specs/otlp/>; field numbers: opentelemetry-proto 1.11.0).
//!
//! A success that refuses some records (`partial_success`) does not say which, and must not be retried: with
//! a fallback the whole batch is archived, since one too many is better than one too few.

mod answer;
mod datadog;
mod derived;
mod json;
mod metrics;
mod protobuf;
mod spans;
mod value;

use backstop_archive::{EXCEPTION, OTLP_LOGS};
use backstop_config::Primary;
use backstop_delivery::{Answer, Failure, Signal};
use http::header::{HeaderName, HeaderValue};
use serde_json::Value;

use super::answers::{OTLP, Row};
use super::assemble::{Frame, Limits, Logs, Written, logs};
use super::log::{INVOCATION_ID, Line, Log, UID};
use super::resource::Attributes;
use super::{Context, Format, Reply};
use crate::codec::{Item, Output};
use crate::otlp::{self, ReceivedItem, Shape};

/// The OTLP/HTTP format of one signal.
#[derive(Debug)]
pub(super) struct Otlp {
    signal: Signal,
    is_json: bool,
    is_datadog: bool,
    most_bytes: usize,
}

/// A Collector takes 20 MiB and answers 400 above that; vendors take less.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// New Relic takes 1 MB (<https://docs.newrelic.com/docs/opentelemetry/best-practices/opentelemetry-otlp/>).
const MOST_BYTES_AT_NEW_RELIC: usize = 900_000;

/// What a signal's lists are called in JSON.
#[derive(Debug, Clone, Copy)]
struct Names {
    /// Of the request.
    groups: &'static str,
    /// Of a resource.
    scopes: &'static str,
    /// Of a scope.
    items: &'static str,
    /// The number of those that were refused.
    refused: [&'static str; 2],
}

const LOGS: Names = Names {
    groups: "{\"resourceLogs\":[",
    scopes: "scopeLogs",
    items: "logRecords",
    refused: ["rejectedLogRecords", "rejected_log_records"],
};
const METRICS: Names = Names {
    groups: "{\"resourceMetrics\":[",
    scopes: "scopeMetrics",
    items: "metrics",
    refused: ["rejectedDataPoints", "rejected_data_points"],
};
const SPANS: Names = Names {
    groups: "{\"resourceSpans\":[",
    scopes: "scopeSpans",
    items: "spans",
    refused: ["rejectedSpans", "rejected_spans"],
};

impl Otlp {
    /// The format of a signal at this address.
    pub(super) fn new(primary: &Primary, url: &str, signal: Signal) -> Self {
        let is_new_relic = host(url).ends_with(".nr-data.net");
        Self {
            signal,
            is_json: primary.options.is_json,
            is_datadog: signal == Signal::PostedMetric || datadog::is_intake(host(url)),
            most_bytes: if is_new_relic {
                MOST_BYTES_AT_NEW_RELIC
            } else {
                MOST_BYTES
            },
        }
    }
}

impl Otlp {
    fn names(&self) -> &'static Names {
        match self.signal {
            Signal::Log => &LOGS,
            Signal::Metric | Signal::PostedMetric => &METRICS,
            Signal::Span => &SPANS,
        }
    }
}

/// The name of an event, which tells it from other logs
/// (<https://opentelemetry.io/docs/specs/semconv/general/events/>).
fn event_name(log: &Log<'_>) -> Option<&'static str> {
    (log.kind == EXCEPTION).then_some("faas.invocation.exception")
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
        match self.signal {
            Signal::Log => logs(self, items, context, out),
            Signal::Metric | Signal::PostedMetric | Signal::Span => {
                self.write_derived(items, context, out)
            }
        }
    }

    fn headers(&self, _key: &str) -> Vec<(HeaderName, HeaderValue)> {
        if self.is_datadog {
            datadog::headers(self.signal)
        } else {
            Vec::new()
        }
    }

    fn answers(&self) -> &'static [Row] {
        OTLP
    }

    fn most_answer_bytes(&self) -> usize {
        64 * 1024
    }

    fn read(&self, reply: &Reply<'_>) -> Answer {
        let refused = if reply.is_of("application/json") {
            answer::refused_in_json(self.names(), reply.body)
        } else {
            answer::refused_in_protobuf(reply.body)
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
                open: self.names().groups,
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

    /// It goes on as what it is.
    fn plain(&self, _line: &Line<'_>, _resource: &[u8]) -> Option<(String, bytes::Bytes)> {
        None
    }

    /// What the function posted keeps its resource and its scope.
    fn division(&self, log: &Log<'_>, _context: Context) -> Option<String> {
        received(log).map(|item| item.around)
    }

    fn write_log(&self, log: &Log<'_>, _: &Attributes, _: &[u8], out: &mut Vec<u8>) {
        if let Some(item) = received(log) {
            let request_id = log.request_id.as_deref().unwrap_or_default();
            item.write(
                &[(UID, &log.id), (INVOCATION_ID, request_id)],
                self.is_json,
                out,
            );
        } else if self.is_json {
            json::write_log(log, out);
        } else {
            protobuf::write_log(log, out);
        }
    }

    fn wrap(&self, resource: &Attributes, division: Option<&str>, logs: &[u8], out: &mut Output) {
        if let Some((around, shape)) = division.zip(Shape::of_kind(OTLP_LOGS)) {
            wrap_received(shape, around, resource, (logs, self.is_json), out);
        } else if self.is_json {
            json::wrap(self.names(), resource, logs, out);
        } else {
            protobuf::wrap(resource, logs, out);
        }
    }
}

/// What the function posted, where a log is that.
fn received<'a>(log: &Log<'a>) -> Option<ReceivedItem<'a>> {
    if log.kind != OTLP_LOGS {
        return None;
    }
    ReceivedItem::of(&log.kind, log.object()?.get())
}

/// [`wrap`] for what the function posted.
fn wrap_received(
    shape: &Shape,
    around: &str,
    resource: &Attributes,
    (items, is_json): (&[u8], bool),
    out: &mut Output,
) {
    let value = |value: &Value| {
        let mut text = Vec::new();
        json::any_value(&mut text, value);
        serde_json::from_slice(&text).unwrap_or_default()
    };
    let all = resource.in_otlp();
    let known: Vec<(&str, Value)> = all.map(|(name, it)| (name, value(&it))).collect();
    otlp::wrap(shape, around, &known, items, is_json, out);
}

/// The name of this instrumentation scope.
const SCOPE: &str = "backstop";
