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

use std::borrow::Cow;
use std::time::Duration;

use backstop_delivery::Wall;
pub(crate) use level::Level;
pub(crate) use line::Line;
pub(crate) use scratch::Scratch;
pub(crate) use trace::{SpanId, TraceId};

use backstop_json::Json;

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
        let mut message = None;
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
                "timestamp" | "time" | "@timestamp" => match time(value, self.observed) {
                    Some(time) => {
                        self.time = time;
                        true
                    }
                    None => false,
                },
                "requestId" | "AWSRequestId" | "aws_request_id" | "function_request_id" => {
                    match value.string().filter(|id| !id.is_empty()) {
                        Some(id) => {
                            self.request_id = Some(id);
                            true
                        }
                        None => false,
                    }
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
    }
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

/// How far a log's own time may be from that at which Lambda received it. What is further away is not when it was
/// logged, whatever it is; as such it would be refused for its age, or be found where nobody looks.
const FURTHEST: Duration = Duration::from_hours(1);

/// RFC 3339 in UTC, or milliseconds since 1970, not far from when it was observed.
fn time(value: Json<'_>, observed: Wall) -> Option<Wall> {
    let time = stated_time(value)?;
    let apart = time.since(observed).max(observed.since(time));
    (apart <= FURTHEST).then_some(time)
}

fn stated_time(value: Json<'_>) -> Option<Wall> {
    if let Some(text) = value.string() {
        return match text.strip_suffix("+00:00") {
            Some(local) => Wall::from_rfc3339(&format!("{local}Z")),
            None => Wall::from_rfc3339(&text),
        };
    }
    let milliseconds = value.get().parse().ok()?;
    Some(Wall(Duration::from_millis(milliseconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(fragment: &str) -> (String, Option<&'static str>, u128, Option<String>) {
        let text = format!("{{{fragment}}}");
        let line = Line::parse(&text, Some("env-1".into()));
        let log = Log::of(&line, Wall::default());
        let request_id = log.request_id.as_deref().map(str::to_owned);
        let message = log.message.to_string();
        (
            message,
            log.level.map(Level::name),
            log.time.0.as_millis(),
            request_id,
        )
    }

    const EVENT: u128 = 1_767_225_600_000;

    #[test]
    fn each_kind_of_record_has_a_message_a_level_a_time_and_a_request_id() {
        let function = |record: &str| {
            format!(r#""time":"2026-01-01T00:00:00.000Z","type":"function","record":{record}"#)
        };
        let id = "8286a188-ba32-4475-8077-530cd35c09a9";
        for (record, message, level, time, request_id) in [
            (
                r#""hello\n""#.to_owned(),
                "hello".to_owned(),
                None,
                EVENT,
                None,
            ),
            (r#""\n""#.to_owned(), String::new(), None, EVENT, None),
            (r#""""#.to_owned(), String::new(), None, EVENT, None),
            ("12".to_owned(), "12".to_owned(), None, EVENT, None),
            (
                format!(r#""2026-01-01T00:00:00.000Z\t{id}\tERROR\tboom\n""#),
                format!("2026-01-01T00:00:00.000Z\t{id}\tERROR\tboom"),
                Some("ERROR"),
                EVENT,
                Some(id),
            ),
            (
                format!(r#""[WARNING]\t2026-01-01T00:00:00.000Z\t{id}\tboom\n""#),
                format!("[WARNING]\t2026-01-01T00:00:00.000Z\t{id}\tboom"),
                Some("WARN"),
                EVENT,
                Some(id),
            ),
            (
                format!(
                    r#"{{"timestamp":"2026-01-01T00:00:01.500Z","level":"info","requestId":"{id}","message":"m","n":1}}"#
                ),
                "m".to_owned(),
                Some("INFO"),
                EVENT + 1500,
                Some(id),
            ),
            (
                r#""{\"level\":50,\"time\":1767225601000,\"msg\":\"pino\"}\n""#.to_owned(),
                "pino".to_owned(),
                Some("ERROR"),
                EVENT + 1000,
                None,
            ),
            (
                r#"{"timestamp":"2025-12-31T22:59:59Z","message":"old"}"#.to_owned(),
                "old".to_owned(),
                None,
                EVENT,
                None,
            ),
            (
                r#"{"level":"loud","n":1}"#.to_owned(),
                r#"{"level":"loud","n":1}"#.to_owned(),
                None,
                EVENT,
                None,
            ),
            (
                r#""{not json""#.to_owned(),
                "{not json".to_owned(),
                None,
                EVENT,
                None,
            ),
            (
                r#"{"message":{"a":1},"timestamp":7}"#.to_owned(),
                r#"{"message":{"a":1},"timestamp":7}"#.to_owned(),
                None,
                EVENT,
                None,
            ),
        ] {
            let expected = (message, level, time, request_id.map(str::to_owned));
            assert_eq!(view(&function(&record)), expected, "{record}");
        }
    }

    #[test]
    fn a_time_that_cannot_be_read_is_the_present() {
        let now = Wall(Duration::from_hours(490_896));
        for time in ["\"t\"", "\"1969-12-31T23:59:59Z\"", "5", "null"] {
            let text = format!(r#"{{"time":{time},"type":"function","record":"x"}}"#);
            let line = Line::parse(&text, None);
            assert_eq!(Log::of(&line, now).time, now, "{time}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_the_message() {
        assert_eq!(view("no json").0, "{no json}");
        assert_eq!(
            view(r#""time":"t","type":"x""#).0,
            r#"{"time":"t","type":"x"}"#
        );
    }

    #[test]
    fn members_that_are_lifted_are_not_fields_and_the_original_is_whole() {
        let record = r#"{"level":"warn","message":"m","trace_id":"62e900b2710d76f009d6e7785905449a","span_id":"0efbd19962d95b05","user":{"id":7},"level2":"x"}"#;
        let fragment =
            format!(r#""time":"2026-01-01T00:00:00.000Z","type":"function","record":{record}"#);
        let text = format!("{{{fragment}}}");
        let line = Line::parse(&text, Some("env-1".into()));
        let log = Log::of(&line, Wall::default());
        let names: Vec<&str> = log.fields.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["user", "level2"]);
        assert_eq!(log.original(), record);
        assert_eq!(
            log.trace_id.as_deref(),
            Some("62e900b2710d76f009d6e7785905449a")
        );
        assert_eq!(log.span_id.as_deref(), Some("0efbd19962d95b05"));
    }
}
