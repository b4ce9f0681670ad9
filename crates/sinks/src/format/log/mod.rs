//! A record as a log, once for all formats: its message, severity, time, ids and fields.
//!
//! | record | message | severity | time |
//! |---|---|---|---|
//! | text | the text without its last line feed | from Lambda's own prefix, else none | the event's |
//! | a JSON object, or text that is one | its `message` or `msg`, else the object | its `level` or `severity` | its `timestamp`, else the event's |
//! | a platform event | `CloudWatch`'s wording ([`platform`]) | info, or error by its status | the event's |
//!
//! Invariants: any bytes have a view: what cannot be read is the message as it is; the original is never
//! changed, and [`Log::original`] gives it whole.

mod level;
mod line;
mod platform;
mod scratch;
pub mod trace;

pub use level::has_prefix;

use std::borrow::Cow;
use std::time::Duration;

use backstop_delivery::Wall;
pub(crate) use level::Level;
pub(crate) use line::Line;
pub(crate) use scratch::Scratch;
pub(crate) use trace::{SpanId, TraceId};

use backstop_json::{Json, is_uuid};

/// A record's id, which tells repetitions.
pub(crate) const UID: &str = "log.record.uid";
/// The request id.
pub(crate) const INVOCATION_ID: &str = "faas.invocation_id";
/// The Telemetry API's type, as OpenTelemetry's Lambda receiver names it.
pub(crate) const TYPE: &str = "type";

/// Few objects have more members.
const USUAL_MEMBERS: usize = 16;

/// The type of a record from which no more can be read.
const UNKNOWN: &str = "unknown";

/// What a format may say of a record.
#[derive(Debug)]
pub(crate) struct Log<'a> {
    /// `log.record.uid`.
    pub(crate) id: Cow<'a, str>,
    /// The Telemetry API's type.
    pub(crate) kind: Cow<'a, str>,
    /// When it happened.
    pub(crate) time: Wall,
    /// When Lambda received it.
    pub(crate) observed: Wall,
    pub(crate) message: Cow<'a, str>,
    pub(crate) level: Option<Level>,
    /// `faas.invocation_id`.
    pub(crate) request_id: Option<Cow<'a, str>>,
    pub(crate) trace_id: Option<TraceId>,
    pub(crate) span_id: Option<SpanId>,
    /// The members of its object that are not said otherwise: by the message, the level, the time or an id.
    pub(crate) fields: Vec<(Cow<'a, str>, Json<'a>)>,
    /// The object itself.
    object: Option<Json<'a>>,
}

impl<'a> Log<'a> {
    /// The view of a record. One whose time cannot be read is of `now`.
    pub(crate) fn of(line: &'a Line<'_>, now: Wall) -> Self {
        let time = line.time.as_deref().and_then(Wall::from_rfc3339);
        let observed = time.unwrap_or(now);
        let mut log = Self {
            id: Cow::Borrowed(&line.id),
            kind: Cow::Borrowed(line.kind.as_deref().unwrap_or(UNKNOWN)),
            time: observed,
            observed,
            message: Cow::Borrowed(""),
            level: None,
            request_id: line.request_id.as_deref().map(Cow::Borrowed),
            trace_id: None,
            span_id: None,
            fields: Vec::new(),
            object: None,
        };
        let Some(record) = line.record else {
            log.message = Cow::Borrowed(line.text);
            return log;
        };
        match line.object() {
            Some(object) => {
                log.object = Some(object);
                if log.is_platform() {
                    platform::read(&mut log, object);
                } else {
                    log.read_object(object);
                }
            }
            None => match &line.record_text {
                Some(text) => log.read_text(text),
                None => log.message = Cow::Borrowed(record.get()),
            },
        }
        log
    }

    /// What is known of it beside its fields, by the names of semantic conventions and the Telemetry API's
    /// `type`.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let known = self.known().into_iter();
        known.filter(|(_, value)| !value.is_empty())
    }

    /// The same, empty where it is not known.
    pub(crate) fn known(&self) -> [(&'static str, &str); 3] {
        let request_id = self.request_id.as_deref().unwrap_or_default();
        [
            (UID, &self.id),
            (INVOCATION_ID, request_id),
            (TYPE, &self.kind),
        ]
    }

    /// Its fields. Those whose names stand for something else among the attributes have `fields.` before them.
    pub(crate) fn own_fields(&self) -> impl Iterator<Item = (Cow<'_, str>, Json<'a>)> {
        self.fields.iter().map(|(name, value)| {
            let name = match &**name {
                UID | INVOCATION_ID | TYPE => Cow::Owned(format!("fields.{name}")),
                name => Cow::Borrowed(name),
            };
            (name, *value)
        })
    }

    /// The record's JSON object as it came, or its message where it is none.
    pub(crate) fn original(&self) -> &str {
        self.object.map_or(&self.message, Json::get)
    }

    /// What a person reads: a platform event in words, anything else as it came.
    pub(crate) fn text(&self) -> &str {
        if self.is_platform() {
            &self.message
        } else {
            self.original()
        }
    }

    /// Whether Lambda reported it.
    pub(crate) fn is_platform(&self) -> bool {
        self.kind.starts_with("platform.")
    }

    /// The record's JSON object as it came.
    pub(crate) fn object(&self) -> Option<Json<'a>> {
        self.object
    }

    fn read_text(&mut self, text: &'a str) {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        self.message = Cow::Borrowed(text);
        if let Some(prefix) = level::prefix(text) {
            self.level = Some(prefix.level);
            self.request_id = Some(Cow::Borrowed(prefix.request_id));
        }
    }

    fn read_object(&mut self, object: Json<'a>) {
        let (mut message, mut id, mut time) = (None, None, None);
        for (name, value) in object.members() {
            let is_said = match &*name {
                // Most names are others.
                name if !may_be_said(name) => false,
                "message" | "msg" if message.is_none() => {
                    message = value.string();
                    message.is_some()
                }
                "level" | "severity" | "log_level" | "severity_text" if self.level.is_none() => {
                    self.level = Level::of_json(value);
                    self.level.is_some()
                }
                "timestamp" | "time" | "@timestamp" if time.is_none() => {
                    time = own_time(value, self.observed);
                    time.is_some()
                }
                name if id.is_none() && ID_NAMES.contains(&name) => {
                    id = request_id(value);
                    id.is_some()
                }
                "trace_id" | "traceId" | "xray_trace_id" if self.trace_id.is_none() => {
                    self.trace_id = value.string().as_deref().and_then(trace::trace_id);
                    self.trace_id.is_some()
                }
                "span_id" | "spanId" if self.span_id.is_none() => {
                    self.span_id = value.string().as_deref().and_then(trace::span_id);
                    self.span_id.is_some()
                }
                _ => false,
            };
            if !is_said {
                if self.fields.is_empty() {
                    self.fields.reserve(USUAL_MEMBERS);
                }
                self.fields.push((name, value));
            }
        }
        self.message = message.unwrap_or(Cow::Borrowed(object.get()));
        self.time = time.unwrap_or(self.time);
        self.request_id = id.or(self.request_id.take());
        if self.request_id.is_none() {
            self.take_other_id();
        }
    }

    /// Takes an id that Lambda has not given, where nothing better is known.
    fn take_other_id(&mut self) {
        let is_id = |(name, value): &(Cow<'_, str>, Json<'_>)| {
            ID_NAMES.contains(&&**name) && value.inner().is_some_and(|id| !id.is_empty())
        };
        if let Some(at) = self.fields.iter().position(is_id) {
            self.request_id = self.fields.remove(at).1.string();
        }
    }
}

/// The members in which loggers write the request id.
const ID_NAMES: [&str; 4] = [
    "requestId",
    "AWSRequestId",
    "aws_request_id",
    "function_request_id",
];

/// The value of such a member, where it is as Lambda's request ids are: API Gateway's, which functions log by the same
/// name, need not be.
fn request_id(value: Json<'_>) -> Option<Cow<'_, str>> {
    value.string().filter(|id| is_uuid(id.as_bytes()))
}

/// Whether a record of the function's says of which invocation it is as a member of its object. In a text its prefix
/// may say it: see [`has_prefix`].
pub fn names_invocation(record: Json<'_>) -> bool {
    let text = record.string();
    line::object_of(text.as_deref(), record).is_some_and(|object| {
        (object.members())
            .any(|(name, value)| ID_NAMES.contains(&&*name) && request_id(value).is_some())
    })
}

/// Whether [`Log::read_object`] knows a name that begins like this.
#[inline]
fn may_be_said(name: &str) -> bool {
    let first = name.as_bytes().first();
    matches!(
        first,
        Some(b'@' | b'A' | b'a' | b'f' | b'l' | b'm' | b'r' | b's' | b't' | b'x')
    )
}

/// How far a log's own time may be before that at which Lambda received it, and after it. What is further away is not
/// when it was logged, whatever it is; as such it would be refused for its age, or be found where nobody looks. Datadog
/// and Loki take nothing that is further ahead; together the two are the hour that Loki's lines may be apart.
const FURTHEST_BEHIND: Duration = Duration::from_mins(50);
pub(super) const FURTHEST_AHEAD: Duration = Duration::from_mins(10);

/// RFC 3339, or milliseconds since 1970, not far from when it was observed.
fn own_time(value: Json<'_>, observed: Wall) -> Option<Wall> {
    let time = stated_time(value)?;
    let is_near = time.since(observed) <= FURTHEST_AHEAD && observed.since(time) <= FURTHEST_BEHIND;
    is_near.then_some(time)
}

fn stated_time(value: Json<'_>) -> Option<Wall> {
    if let Some(text) = value.string() {
        return Wall::from_rfc3339(&text).or_else(|| of_local(&text));
    }
    let milliseconds = value.get().parse().ok()?;
    Some(Wall(Duration::from_millis(milliseconds)))
}

/// A time that ends with how far it is from UTC, as `+02:00`.
fn of_local(text: &str) -> Option<Wall> {
    let (local, offset) = text.split_at_checked(text.len().checked_sub("+02:00".len())?)?;
    let (sign, offset) = offset.split_at_checked(1)?;
    let offset = Wall::from_rfc3339(&format!("1970-01-01T{offset}:00Z"))?.0;
    let local = Wall::from_rfc3339(&format!("{local}Z"))?.0;
    let time = match sign {
        "+" => local.checked_sub(offset),
        "-" => local.checked_add(offset),
        _ => None,
    };
    time.map(Wall)
}

#[cfg(test)]
mod tests;
