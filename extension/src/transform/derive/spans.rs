//! The spans of an invocation: itself, what went before it in a new environment, and what Lambda says of its
//! response. In OTLP's JSON, which is also how the archive has them.

use std::fmt::Write as _;
use std::time::Duration;

use backstop_delivery::Wall;

use super::trace::span_id_of;
use super::write::quoted;
use super::{Event, OpenInvocation};

/// `SPAN_KIND_INTERNAL` and `SPAN_KIND_SERVER`.
const INTERNAL: u8 = 1;
const SERVER: u8 = 2;

/// What happens once in an environment, before its first invocation.
#[derive(Debug, Default)]
pub(super) struct Phases {
    init: Option<Phase>,
    restore: Option<Phase>,
}

#[derive(Debug)]
struct Phase {
    started: Wall,
    ended: Option<Wall>,
    failure: Option<String>,
}

impl Phase {
    fn end(&mut self, at: Option<Wall>, failure: Option<&str>) {
        self.ended = at;
        self.failure = failure.map(str::to_owned);
    }
}

impl Phases {
    pub(super) fn init_started(&mut self, at: Option<Wall>) {
        self.init = at.map(Phase::new);
    }

    pub(super) fn init_ended(&mut self, at: Option<Wall>, failure: Option<&str>) {
        if let Some(init) = &mut self.init {
            init.end(at, failure);
        }
    }

    pub(super) fn restore_started(&mut self, at: Option<Wall>) {
        // The init that it restores was another environment's, long ago.
        self.init = None;
        self.restore = at.map(Phase::new);
    }

    pub(super) fn restore_ended(&mut self, at: Option<Wall>, failure: Option<&str>) {
        if let Some(restore) = &mut self.restore {
            restore.end(at, failure);
        }
    }
}

impl Phase {
    fn new(started: Wall) -> Self {
        Self {
            started,
            ended: None,
            failure: None,
        }
    }
}

/// The spans of an invocation that has ended, with commas between.
pub(super) fn of_invocation(
    invocation: &OpenInvocation,
    name: &str,
    started: Wall,
    event: &Event<'_>,
) -> String {
    let ended = event.at.unwrap_or(started).max(started);
    let is_cold = invocation.phases.init.is_some();
    let mut attributes = format!(r#"{{"key":"faas.coldstart","value":{{"boolValue":{is_cold}}}}}"#);
    let mut text = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        _ = write!(
            attributes,
            r#",{{"key":"{name}","value":{{"stringValue":{}}}}}"#,
            quoted(value)
        );
    };
    text("faas.invocation_id", &invocation.request_id);
    if let Some(arn) = &invocation.function_arn {
        text("aws.lambda.invoked_arn", arn);
    }
    if let Some(failure) = event.failure() {
        text("error.type", failure);
    }
    let trace = &invocation.trace;
    let mut all = String::new();
    let mut push = |span: Span<'_>| {
        if !all.is_empty() {
            all.push(',');
        }
        span.write(&trace.id, &mut all);
    };
    push(Span {
        id: &trace.span_id,
        parent: trace.parent.as_deref(),
        name,
        kind: SERVER,
        from: started,
        to: ended,
        attributes: &attributes,
        failure: event.failure(),
    });
    let mut child = |name: &str, from: Wall, to: Wall, failure: Option<&str>| {
        push(Span {
            id: &span_id_of(&invocation.request_id, name),
            parent: Some(&trace.span_id),
            name,
            kind: INTERNAL,
            from,
            to: to.max(from),
            attributes: "",
            failure,
        });
    };
    let phases = [
        ("init", &invocation.phases.init),
        ("restore", &invocation.phases.restore),
    ];
    for (name, phase) in phases {
        if let Some(phase) = phase {
            let ended = phase.ended.unwrap_or(started);
            child(name, phase.started, ended, phase.failure.as_deref());
        }
    }
    for span in event.record["spans"].as_array().into_iter().flatten() {
        let name = match span["name"].as_str() {
            Some("responseLatency") => "response latency",
            Some("responseDuration") => "response",
            Some("runtimeOverhead") => "runtime overhead",
            _ => continue,
        };
        let from = span["start"].as_str().and_then(Wall::from_rfc3339);
        let lasts = span["durationMs"].as_f64().map(|it| it / 1000.0);
        let lasts = lasts.and_then(|it| Duration::try_from_secs_f64(it).ok());
        if let (Some(from), Some(lasts)) = (from, lasts) {
            child(name, from, Wall(from.0.saturating_add(lasts)), None);
        }
    }
    all
}

struct Span<'a> {
    id: &'a str,
    parent: Option<&'a str>,
    name: &'a str,
    kind: u8,
    from: Wall,
    to: Wall,
    attributes: &'a str,
    failure: Option<&'a str>,
}

impl Span<'_> {
    fn write(&self, trace_id: &str, out: &mut String) {
        let (from, to) = (self.from.0.as_nanos(), self.to.0.as_nanos());
        _ = write!(out, r#"{{"traceId":"{trace_id}","spanId":"{}""#, self.id);
        if let Some(parent) = self.parent {
            _ = write!(out, r#","parentSpanId":"{parent}""#);
        }
        let (name, kind, attributes) = (quoted(self.name), self.kind, self.attributes);
        _ = write!(
            out,
            r#","name":{name},"kind":{kind},"startTimeUnixNano":"{from}","endTimeUnixNano":"{to}","attributes":[{attributes}]"#
        );
        if let Some(failure) = self.failure {
            _ = write!(
                out,
                r#","status":{{"code":2,"message":{}}}"#,
                quoted(failure)
            );
        }
        out.push('}');
    }
}
