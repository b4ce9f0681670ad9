//! The spans of an invocation: itself, what went before it in a new environment, and what Lambda says of its
//! response. In OTLP's JSON, which is also how the archive has them.

use std::time::Duration;

use backstop_delivery::Wall;
use backstop_json::{Decimal, Json, push_string};

use super::trace::span_id_of;
use super::{Event, OpenInvocation};

/// `SPAN_KIND_INTERNAL` and `SPAN_KIND_SERVER`.
const INTERNAL: &str = "1";
const SERVER: &str = "2";

/// Few invocations have longer attributes, in bytes.
const USUAL: usize = 256;

/// Lambda repeats an init that failed once.
const MOST_INITS: usize = 2;

/// What an invocation waits for in a new environment.
#[derive(Debug, Default)]
pub(super) struct Phases {
    is_cold: bool,
    inits: Vec<Phase>,
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
    /// Whether the invocation waits for an init, which is a cold start.
    pub(super) fn is_cold(&self) -> bool {
        self.is_cold
    }

    /// Says whether it is the first init of the invocation.
    pub(super) fn init_started(&mut self, at: Option<Wall>) -> bool {
        if self.inits.len() == MOST_INITS {
            self.inits.pop();
        }
        self.inits.extend(at.map(Phase::new));
        !std::mem::replace(&mut self.is_cold, true)
    }

    pub(super) fn init_ended(&mut self, at: Option<Wall>, failure: Option<&str>) {
        if let Some(init) = self.inits.last_mut() {
            init.end(at, failure);
        }
    }

    pub(super) fn restore_started(&mut self, at: Option<Wall>) {
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
    let is_cold = invocation.phases.is_cold;
    let failure = event.failure();
    let mut attributes = String::with_capacity(USUAL);
    attributes.push_str(r#"{"key":"faas.coldstart","value":{"boolValue":"#);
    attributes.push_str(if is_cold { "true}}" } else { "false}}" });
    let mut text = |name: &str, value: &str| {
        attributes.push_str(r#",{"key":""#);
        attributes.push_str(name);
        attributes.push_str(r#"","value":{"stringValue":"#);
        push_string(&mut attributes, value);
        attributes.push_str("}}");
    };
    text("faas.invocation_id", &invocation.request_id);
    if let Some(arn) = &invocation.function_arn {
        text("aws.lambda.invoked_arn", arn);
    }
    if let Some(failure) = &failure {
        text("error.type", failure);
    }
    let trace = &invocation.trace;
    let mut all = String::with_capacity(2 * USUAL + attributes.len());
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
        failure: failure.as_deref(),
    });
    let mut child = |id: &str, name: &str, (from, to): (Wall, Wall), failure: Option<&str>| {
        push(Span {
            id: &span_id_of(&invocation.request_id, id),
            parent: Some(&trace.span_id),
            name,
            kind: INTERNAL,
            from,
            to: to.max(from),
            attributes: "",
            failure,
        });
    };
    let Phases { inits, restore, .. } = &invocation.phases;
    let inits = ["init", "second init"].into_iter().zip(inits);
    let inits = inits.map(|(id, phase)| (id, "init", phase));
    let restore = restore.iter().map(|phase| ("restore", "restore", phase));
    for (id, name, phase) in inits.chain(restore) {
        // One that runs within an invocation may fail without a word, and with it the invocation.
        let until = if phase.started < started {
            started
        } else {
            ended
        };
        let times = (phase.started, phase.ended.unwrap_or(until));
        child(id, name, times, phase.failure.as_deref());
    }
    for span in event.items("spans") {
        let text = |name: &str| span.member(name).and_then(Json::string);
        let name = match text("name").as_deref() {
            Some("responseLatency") => "response latency",
            Some("responseDuration") => "response",
            Some("runtimeOverhead") => "runtime overhead",
            _ => continue,
        };
        let from = text("start").as_deref().and_then(Wall::from_rfc3339);
        let lasts = span.member("durationMs").and_then(Json::number);
        let lasts = lasts.map(|it| it / 1000.0);
        let lasts = lasts.and_then(|it| Duration::try_from_secs_f64(it).ok());
        if let (Some(from), Some(lasts)) = (from, lasts) {
            child(name, name, (from, Wall(from.0.saturating_add(lasts))), None);
        }
    }
    all
}

struct Span<'a> {
    id: &'a str,
    parent: Option<&'a str>,
    name: &'a str,
    kind: &'static str,
    from: Wall,
    to: Wall,
    attributes: &'a str,
    failure: Option<&'a str>,
}

impl Span<'_> {
    fn write(&self, trace_id: &str, out: &mut String) {
        for part in ["{\"traceId\":\"", trace_id, "\",\"spanId\":\"", self.id] {
            out.push_str(part);
        }
        if let Some(parent) = self.parent {
            out.push_str("\",\"parentSpanId\":\"");
            out.push_str(parent);
        }
        out.push_str("\",\"name\":");
        push_string(out, self.name);
        for part in [
            ",\"kind\":",
            self.kind,
            ",\"startTimeUnixNano\":\"",
            &Decimal::of(self.from.nanoseconds()),
            "\",\"endTimeUnixNano\":\"",
            &Decimal::of(self.to.nanoseconds()),
            "\",\"attributes\":[",
            self.attributes,
            "]",
        ] {
            out.push_str(part);
        }
        if let Some(failure) = self.failure {
            out.push_str(",\"status\":{\"code\":2,\"message\":");
            push_string(out, failure);
            out.push('}');
        }
        out.push('}');
    }
}
