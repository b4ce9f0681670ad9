//! `otlp`: OpenTelemetry's protocol over HTTP, in protobuf or JSON
//! (<https://opentelemetry.io/docs/specs/otlp/>; field numbers: opentelemetry-proto 1.11.0).
//!
//! A success that refuses some records (`partial_success`) does not say which, and must not be retried: with
//! a fallback the whole batch is archived, since one too many is better than one too few.

mod json;
mod metrics;
mod spans;
mod value;

use backstop_archive::{EXCEPTION, OTLP_LOGS};
use backstop_config::Primary;
use backstop_delivery::{Answer, Failure, Signal, Unfit, Wall};
use serde_json::Value;

use super::answers::{OTLP, Row};
use super::assemble::{Frame, Limits, Logs, Written, logs};
use super::log::{INVOCATION_ID, Line, Log, Scratch, UID};
use super::points;
use super::resource::Attributes;
use super::{Context, Format, Reply};
use crate::codec::{Item, Output};
use crate::otlp::{self, ReceivedItem, Shape};
use crate::wire::{Field, Fields, Malformed, Message as _, field_of};

/// The OTLP/HTTP format of one signal.
#[derive(Debug)]
pub(super) struct Otlp {
    signal: Signal,
    is_json: bool,
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
            Signal::Metric => &METRICS,
            Signal::Span => &SPANS,
        }
    }

    /// Writes what as many records hold as one request may: points are added up, spans and what the function posted
    /// stay as they are.
    fn write_derived(&self, items: &[Item<'_>], context: Context, out: &mut Output) -> Written {
        let mut written = Written::default();
        let mut groups: Vec<Group<'_>> = Vec::new();
        let mut size = 0;
        let mut scratch = Scratch::default();
        for (index, item) in items.iter().enumerate() {
            let line = scratch.line(item);
            written.covers = index + 1;
            let Some((origin, held)) = self.held(&line, context) else {
                written.unfit.push((index, Unfit::NoIntake));
                continue;
            };
            let known = groups
                .iter()
                .position(|group| group.text == &item.resource && group.origin == origin);
            let around = match known {
                Some(_) => 0,
                None => 2 * item.resource.len() + origin.most_bytes() + 1024,
            };
            let length = held.most_bytes();
            if length + around > self.most_bytes {
                written.unfit.push((index, Unfit::TooLarge));
                continue;
            }
            if size + length + around > self.most_bytes {
                written.covers = index;
                break;
            }
            size += length + around;
            let place = known.unwrap_or_else(|| {
                groups.push(Group::of(&item.resource, origin));
                groups.len() - 1
            });
            if let Some(group) = groups.get_mut(place) {
                group.add(held, self.is_json);
            }
        }
        self.write_groups(&groups, out);
        written
    }

    /// What a record holds, and of which origin it is; `None` where what the function posted cannot be read.
    fn held<'a>(&self, line: &'a Line<'_>, context: Context) -> Option<(Origin, Held<'a>)> {
        let kind = line.kind.as_deref().unwrap_or_default();
        let Some(shape) = Shape::of_kind(kind) else {
            let held = match self.signal {
                Signal::Metric => Held::Points(points::observations(line, context.now)),
                Signal::Log | Signal::Span => {
                    let mut written = Vec::new();
                    spans::write(line, self.is_json, &mut written);
                    Held::Item(written)
                }
            };
            return Some((Origin::Derived, held));
        };
        let item = ReceivedItem::of(kind, line.record?.get())?;
        let mut written = Vec::new();
        let added = [(
            INVOCATION_ID,
            line.request_id.as_deref().unwrap_or_default(),
        )];
        item.write(&added, self.is_json, &mut written);
        Some((Origin::Received(shape, item.around), Held::Item(written)))
    }

    fn write_groups(&self, groups: &[Group<'_>], out: &mut Output) {
        let frame = self.frame();
        out.bytes().extend_from_slice(frame.open.as_bytes());
        let mut is_first = true;
        for group in groups {
            let mut items = Vec::new();
            group.write(self.is_json, &mut items);
            if items.is_empty() {
                continue;
            }
            if !std::mem::take(&mut is_first) {
                out.bytes().extend_from_slice(frame.between.as_bytes());
            }
            let resource = Attributes::of(group.text);
            match &group.origin {
                Origin::Derived => self.wrap(&resource, None, &items, out),
                Origin::Received(shape, around) => {
                    wrap_received(
                        shape,
                        around,
                        &resource,
                        (&items, self.is_json),
                        out.bytes(),
                    );
                }
            }
            out.written();
        }
        out.bytes().extend_from_slice(frame.close.as_bytes());
    }
}

/// Where a record comes from.
#[derive(Debug, PartialEq)]
enum Origin {
    Derived,
    /// The function posted it: what stands around it.
    Received(&'static Shape, String),
}

impl Origin {
    /// The most bytes that it takes in a body beside its items.
    fn most_bytes(&self) -> usize {
        match self {
            Self::Derived => 0,
            // A control character of a text takes no more bytes in JSON than it takes here.
            Self::Received(_, around) => around.len(),
        }
    }
}

/// What a record holds.
enum Held<'a> {
    Points(Vec<points::Observation<'a>>),
    /// Spans, or what the function posted, as it is in the body.
    Item(Vec<u8>),
}

impl Held<'_> {
    /// The most bytes that it takes in a body, in either encoding.
    fn most_bytes(&self) -> usize {
        match self {
            Self::Points(all) => all.iter().map(points::Observation::most_bytes).sum(),
            Self::Item(written) => written.len() + 1,
        }
    }
}

/// What is of one resource.
struct Group<'a> {
    text: &'a bytes::Bytes,
    origin: Origin,
    points: points::Points,
    items: Vec<u8>,
}

impl<'a> Group<'a> {
    fn of(resource: &'a bytes::Bytes, origin: Origin) -> Self {
        Self {
            text: resource,
            origin,
            points: points::Points::default(),
            items: Vec::new(),
        }
    }

    fn add(&mut self, held: Held<'_>, is_json: bool) {
        match held {
            Held::Item(written) if written.is_empty() => {}
            Held::Item(written) => {
                if is_json && !self.items.is_empty() {
                    self.items.push(b',');
                }
                self.items.extend(written);
            }
            Held::Points(all) => all.into_iter().for_each(|it| self.points.add(it)),
        }
    }

    fn write(&self, is_json: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.items);
        if is_json {
            metrics::write_json(&self.points, out);
        } else {
            metrics::write(&self.points, out);
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
            Signal::Metric | Signal::Span => self.write_derived(items, context, out),
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
            refused_in_json(self.names(), reply.body)
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

/// The number of those that were refused; none where it is no answer of OTLP's.
fn refused_in_json(names: &Names, body: &[u8]) -> Option<u64> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let answer = answer.as_object()?;
    // Parsers of protobuf's JSON take both spellings.
    let partial = answer
        .get("partialSuccess")
        .or_else(|| answer.get("partial_success"));
    let Some(partial) = partial else {
        return Some(0);
    };
    let [name, spelt_otherwise] = names.refused;
    match partial.get(name).or_else(|| partial.get(spelt_otherwise)) {
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
            write_log(log, out);
        }
    }

    fn wrap(&self, resource: &Attributes, division: Option<&str>, logs: &[u8], out: &mut Output) {
        if let Some((around, shape)) = division.zip(Shape::of_kind(OTLP_LOGS)) {
            wrap_received(shape, around, resource, (logs, self.is_json), out.bytes());
        } else if self.is_json {
            json::wrap(self.names(), resource, logs, out);
        } else {
            wrap(resource, logs, out);
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
    out: &mut Vec<u8>,
) {
    let value = |value: &Value| {
        let mut text = Vec::new();
        json::any_value(&mut text, value);
        serde_json::from_slice(&text).unwrap_or_default()
    };
    let all = resource.all.iter();
    let known: Vec<(&str, Value)> = all.map(|(name, it)| (&**name, value(it))).collect();
    otlp::wrap(shape, around, &known, items, is_json, out);
}

/// Nanoseconds since 1970, which 64 bits hold until 2554.
fn nanoseconds(time: Wall) -> u64 {
    u64::try_from(time.0.as_nanos()).unwrap_or(u64::MAX)
}

/// The name of this instrumentation scope.
const SCOPE: &str = "backstop";

/// `ResourceLogs`, `ResourceMetrics` or `ResourceSpans`, which have the same fields; the items are written already.
fn wrap(resource: &Attributes, items: &[u8], out: &mut Output) {
    let mut described = Vec::new();
    described.message(1, |message| {
        for (name, value) in &resource.all {
            message.message(1, |pair| {
                pair.string(1, name);
                pair.message(2, |any| value::of(value, any));
            });
        }
    });
    let mut scope = Vec::new();
    scope.message(1, |scope| {
        scope.string(1, SCOPE);
        scope.string(2, env!("CARGO_PKG_VERSION"));
    });
    let scope_items = scope.len() + items.len();
    let head = out.bytes();
    head.message_of(1, described.len() + field_of(scope_items));
    head.extend_from_slice(&described);
    head.message_of(2, scope_items);
    head.extend_from_slice(&scope);
    out.append(items);
}

/// One element of `ScopeLogs.log_records`. What is alike in many stands together, which compresses better: fields
/// of protobuf have no order.
fn write_log(log: &Log<'_>, out: &mut Vec<u8>) {
    out.long_message(2, |record| {
        if let Some(level) = log.level {
            record.varint(2, u64::from(level.number()));
            record.string(3, level.name());
        }
        let [uid, invocation, kind] = log.known();
        text(record, kind);
        record.fixed64(1, nanoseconds(log.time));
        record.fixed64(11, nanoseconds(log.observed));
        text(record, invocation);
        text(record, uid);
        let body = field_of(log.message.len());
        record.message_of(5, body);
        record.string(1, &log.message);
        for (name, value) in log.own_fields() {
            value::attribute(record, 6, &name, value);
        }
        if let Some(id) = &log.trace_id {
            record.message_of(9, id.len() / 2);
            record.extend(id.as_bytes_of());
        }
        if let Some(id) = &log.span_id {
            record.message_of(10, id.len() / 2);
            record.extend(id.as_bytes_of());
        }
        if let Some(name) = event_name(log) {
            record.string(12, name);
        }
    });
}

/// An attribute that is left out where there is nothing to say.
fn text(record: &mut Vec<u8>, (name, value): (&str, &str)) {
    if !value.is_empty() {
        value::text_attribute(record, 6, name, value);
    }
}
