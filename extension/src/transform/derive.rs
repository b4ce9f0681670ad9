//! Platform events as points of metrics, spans and events: what a backend draws its pictures from.
//!
//! Names and units follow OpenTelemetry's semantic conventions where there are some
//! (<https://opentelemetry.io/docs/specs/semconv/faas/>), and begin with `aws.lambda.` where there are none;
//! `docs/signals.md` lists them.
//!
//! Invariants: nothing is read where nothing is wanted; what an event does not say is left out; an event that Lambda
//! sends again is derived from once; the cold starts of the metrics are those of the spans; the memory is bounded,
//! whatever the events are.

mod counts;
mod event;
mod repeats;
mod spans;
mod trace;
mod write;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

use backstop_archive::{EXCEPTION, METRICS, SPANS};
use backstop_config::{Format, Primary};
use backstop_delivery::{RecordId, Signal, Wall};
use backstop_json::{Json, push_string};
use bytes::Bytes;

pub(crate) use counts::of_counts;
use event::Event;
use repeats::Repeats;
use spans::Phases;
use trace::Trace;
use write::{Metrics, fragment};

/// Invocations that may run at a time, on Managed Instances.
const MOST_OPEN: usize = 128;
const MIB: f64 = 1_048_576.0;
/// The price of a request and of a GB-second in US dollars, at list price in most regions (2026-11;
/// <https://aws.amazon.com/lambda/pricing/>).
const REQUEST_USD: f64 = 0.000_000_2;
const GB_SECOND_USD: f64 = if cfg!(target_arch = "aarch64") {
    0.000_013_333_4
} else {
    0.000_016_666_7
};

/// What is derived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Derivations {
    metrics: bool,
    spans: bool,
    exceptions: bool,
}

impl Derivations {
    /// What this primary gets. One that takes records as they are gets no events beside them.
    pub fn of(primary: Option<&Primary>) -> Self {
        let Some(primary) = primary else {
            return Self::default();
        };
        let is_raw = matches!(primary.format, Format::Ndjson | Format::Json);
        Self {
            metrics: primary.signals.metrics,
            spans: primary.signals.traces,
            exceptions: primary.signals.logs && !is_raw,
        }
    }

    fn are_none(self) -> bool {
        self == Self::default()
    }
}

/// A record that was derived from another.
#[derive(Debug, PartialEq, Eq)]
pub struct Derived {
    /// The signal that it is of.
    pub signal: Signal,
    /// Its text, as a decoded event has it.
    pub fragment: Bytes,
}

/// An invocation that has started.
#[derive(Debug)]
struct OpenInvocation {
    request_id: String,
    started: Option<Wall>,
    trace: Trace,
    function_arn: Option<String>,
    /// The init and the restore that it waits for, and no other invocation does.
    phases: Phases,
}

/// Derives records from platform events.
#[derive(Debug, Default)]
pub struct Deriver {
    wanted: Derivations,
    function_name: String,
    is_managed: bool,
    open: VecDeque<OpenInvocation>,
    /// What the next invocation has waited for.
    phases: Phases,
    repeats: Repeats,
}

impl Deriver {
    /// What is wanted of the events of this function; on Managed Instances reports alone say what happened.
    pub fn new(wanted: Derivations, function_name: String, is_managed: bool) -> Self {
        Self {
            wanted,
            function_name,
            is_managed,
            ..Self::default()
        }
    }

    /// What follows from a platform event; `parent` is the id of its record, where that is delivered.
    pub fn derive(&mut self, fragment: &[u8], parent: Option<RecordId>) -> Vec<Derived> {
        if self.wanted.are_none() {
            return Vec::new();
        }
        let Ok(fragment) = std::str::from_utf8(fragment) else {
            return Vec::new();
        };
        let event = Event::of(fragment);
        if self.repeats.has(&event) {
            return Vec::new();
        }
        let parent = parent.map(|id| id.to_string());
        let parent = parent.as_deref();
        let mut derived = Vec::new();
        match &*event.kind {
            "platform.initStart" => self.init_started(&mut derived, &event, parent),
            "platform.initRuntimeDone" => {
                let failure = event.failure();
                self.phases().init_ended(event.at, failure.as_deref());
            }
            "platform.initReport" => {
                let mut metrics = Metrics::default();
                metrics.observe("faas.init_duration", "s", event.seconds("durationMs"));
                Self::count_failure(&mut metrics, &event);
                self.push_metrics(&mut derived, &event, &metrics, (None, parent));
                self.push_exception(&mut derived, &event, "The initialization", parent);
            }
            "platform.restoreStart" => {
                // The init that it restores was another environment's, long ago.
                self.phases = Phases::default();
                self.phases().restore_started(event.at);
            }
            "platform.restoreRuntimeDone" => {
                let failure = event.failure();
                self.phases().restore_ended(event.at, failure.as_deref());
            }
            "platform.restoreReport" => {
                let mut metrics = Metrics::default();
                let name = "aws.lambda.restore_duration";
                metrics.observe(name, "s", event.seconds("durationMs"));
                Self::count_failure(&mut metrics, &event);
                self.push_metrics(&mut derived, &event, &metrics, (None, parent));
                self.push_exception(&mut derived, &event, "The restore", parent);
            }
            "platform.start" => self.started(&mut derived, &event, parent),
            "platform.runtimeDone" => self.ended(&mut derived, &event, parent),
            "platform.report" => {
                if self.is_managed {
                    self.ended(&mut derived, &event, parent);
                }
                self.reported(&mut derived, &event, parent);
            }
            _ => {}
        }
        derived
    }

    /// The phases of the invocation that waits for them: the one that is open, else the next one. Lambda repeats
    /// an init that failed within the invocation.
    fn phases(&mut self) -> &mut Phases {
        match self.open.back_mut() {
            Some(invocation) => &mut invocation.phases,
            None => &mut self.phases,
        }
    }

    /// No invocation waits for the init of provisioned concurrency, of a snapshot or of Managed Instances, which
    /// may be hours old, unless it runs within one.
    fn init_started(
        &mut self,
        derived: &mut Vec<Derived>,
        event: &Event<'_>,
        parent: Option<&str>,
    ) {
        let is_awaited = match &*event.text("phase") {
            "invoke" => true,
            "snap-start" => false,
            _ => event.text("initializationType") == "on-demand",
        };
        if self.is_managed || !is_awaited {
            return;
        }
        let is_first = self.phases().init_started(event.at);
        if is_first && !self.open.is_empty() {
            self.push_cold_start(derived, event, parent);
        }
    }

    /// Counts an invocation that waits for an init.
    fn push_cold_start(&self, derived: &mut Vec<Derived>, event: &Event<'_>, parent: Option<&str>) {
        let mut metrics = Metrics::default();
        metrics.count("faas.coldstarts", "{coldstart}", None);
        self.push_metrics(derived, event, &metrics, (None, parent));
    }

    fn started(&mut self, derived: &mut Vec<Derived>, event: &Event<'_>, parent: Option<&str>) {
        let request_id = event.text("requestId").into_owned();
        if self
            .open
            .iter()
            .any(|invocation| invocation.request_id == request_id)
        {
            return;
        }
        if self.open.len() == MOST_OPEN {
            self.open.pop_front();
        }
        let arn = event.get("functionArn").and_then(Json::string);
        let arn = arn.map(Cow::into_owned);
        let phases = std::mem::take(&mut self.phases);
        if phases.is_cold() {
            self.push_cold_start(derived, event, parent);
        }
        self.open.push_back(OpenInvocation {
            started: event.at,
            trace: Trace::of(event.get("tracing"), &request_id),
            function_arn: arn,
            phases,
            request_id,
        });
    }

    /// An invocation is over, as far as the runtime knows.
    fn ended(&mut self, derived: &mut Vec<Derived>, event: &Event<'_>, parent: Option<&str>) {
        let request_id = event.text("requestId");
        let known = self
            .open
            .iter()
            .position(|invocation| invocation.request_id == request_id);
        if !self.is_managed {
            // One at a time: what has started before it and never ended has been heard of for the last time.
            self.open.drain(..known.unwrap_or_default());
        }
        let invocation = match known {
            Some(at) if self.is_managed => self.open.remove(at),
            Some(_) => self.open.pop_front(),
            None => None,
        };
        let duration = event.seconds("durationMs");
        let before = || {
            let duration = Duration::try_from_secs_f64(duration?).ok()?;
            Some(Wall(event.at?.0.checked_sub(duration)?))
        };
        let started = invocation
            .as_ref()
            .and_then(|invocation| invocation.started)
            .or_else(before);
        // Its start was not heard: what it waited for is none of the next one's.
        let phases = match invocation {
            Some(_) => Phases::default(),
            None => std::mem::take(&mut self.phases),
        };
        let mut metrics = Metrics::default();
        if phases.is_cold() {
            metrics.count("faas.coldstarts", "{coldstart}", None);
        }
        if event.failure().is_none() {
            metrics.count("faas.invocations", "{invocation}", None);
        }
        Self::count_failure(&mut metrics, event);
        metrics.observe("faas.invoke_duration", "s", duration);
        metrics.observe(
            "aws.lambda.produced_bytes",
            "By",
            event.metric("producedBytes"),
        );
        for span in event.items("spans") {
            let name = match span.member("name").and_then(Json::plain) {
                Some("responseLatency") => "aws.lambda.response_latency",
                Some("responseDuration") => "aws.lambda.response_duration",
                _ => continue,
            };
            let seconds = span.member("durationMs").and_then(Json::number);
            let seconds = seconds.map(|it| it / 1000.0);
            metrics.observe(name, "s", seconds);
        }
        self.push_metrics(derived, event, &metrics, (started, parent));
        if self.wanted.spans
            && let Some(started) = started
        {
            let invocation = invocation.unwrap_or_else(|| OpenInvocation {
                trace: Trace::of(event.get("tracing"), &request_id),
                started: Some(started),
                function_arn: None,
                phases,
                request_id: request_id.clone().into_owned(),
            });
            let spans = spans::of_invocation(&invocation, &self.function_name, started, event);
            let record = fragment(&event.time, SPANS, parent, |out| {
                out.push_str("\"spans\":[");
                out.push_str(&spans);
                out.push(']');
            });
            derived.push(Derived {
                signal: Signal::Span,
                fragment: record,
            });
        }
        self.push_exception(derived, event, "The invocation", parent);
    }

    fn reported(&self, derived: &mut Vec<Derived>, event: &Event<'_>, parent: Option<&str>) {
        let mut metrics = Metrics::default();
        let (used, size) = (
            event.metric("maxMemoryUsedMB"),
            event.metric("memorySizeMB"),
        );
        metrics.observe("aws.lambda.duration", "s", event.seconds("durationMs"));
        let billed = event.seconds("billedDurationMs");
        metrics.observe("aws.lambda.billed_duration", "s", billed);
        metrics.observe("faas.mem_usage", "By", used.map(|it| it * MIB));
        metrics.observe("aws.lambda.memory_size", "By", size.map(|it| it * MIB));
        let cost = billed
            .zip(size)
            .map(|(seconds, size)| REQUEST_USD + seconds * (size / 1024.0) * GB_SECOND_USD);
        metrics.observe("aws.lambda.estimated_cost", "{USD}", cost);
        let is_full = used.zip(size).is_some_and(|(used, size)| used >= size);
        if let Some(failure) = event.failure()
            && (failure.contains("OutOfMemory") || is_full)
        {
            metrics.count("aws.lambda.out_of_memory", "{error}", None);
        }
        self.push_metrics(derived, event, &metrics, (None, parent));
    }

    /// Semantic conventions count timeouts apart from other errors.
    fn count_failure(metrics: &mut Metrics, event: &Event<'_>) {
        if let Some(failure) = event.failure() {
            match &*event.text("status") {
                "timeout" => metrics.count("faas.timeouts", "{timeout}", None),
                _ => metrics.count("faas.errors", "{error}", Some(&failure)),
            }
        }
    }

    fn push_metrics(
        &self,
        derived: &mut Vec<Derived>,
        event: &Event<'_>,
        metrics: &Metrics,
        (started, parent): (Option<Wall>, Option<&str>),
    ) {
        if !self.wanted.metrics || metrics.is_empty() {
            return;
        }
        let record = fragment(&event.time, METRICS, parent, |out| {
            if let Some(started) = started {
                out.push_str("\"start\":\"");
                out.push_str(&started.rfc3339());
                out.push_str("\",");
            }
            out.push_str("\"metrics\":[");
            out.push_str(metrics.text());
            out.push(']');
        });
        derived.push(Derived {
            signal: Signal::Metric,
            fragment: record,
        });
    }

    /// Why it failed, as an event
    /// (<https://opentelemetry.io/docs/specs/semconv/faas/>): a backend shows it even where the function had no
    /// chance to log anything.
    fn push_exception(
        &self,
        derived: &mut Vec<Derived>,
        event: &Event<'_>,
        what: &str,
        parent: Option<&str>,
    ) {
        let Some(failure) = event.failure().filter(|_| self.wanted.exceptions) else {
            return;
        };
        let after = event.seconds("durationMs");
        let after = after
            .map(|it| format!(" after {it:.2} s"))
            .unwrap_or_default();
        let message = match &*event.text("status") {
            "timeout" => format!("{what} timed out{after}"),
            _ if failure.contains("OutOfMemory") => format!("{what} ran out of memory{after}"),
            _ => format!("{what} failed{after}: {failure}"),
        };
        let request_id = event.text("requestId");
        let trace = Trace::of(event.get("tracing"), &request_id);
        let record = fragment(&event.time, EXCEPTION, parent, |out| {
            out.push_str("\"level\":\"ERROR\",\"message\":");
            push_string(out, &message);
            if !request_id.is_empty() {
                out.push_str(",\"requestId\":");
                push_string(out, &request_id);
            }
            if let Some(id) = trace.of_tracing() {
                out.push_str(",\"trace_id\":\"");
                out.push_str(id);
                out.push('"');
            }
            out.push_str(",\"exception.type\":");
            push_string(out, &failure);
            out.push_str(",\"exception.message\":");
            push_string(out, &message);
        });
        derived.push(Derived {
            signal: Signal::Log,
            fragment: record,
        });
    }
}

/// The record of a line in the embedded metric format, beside the log that it stays.
pub(crate) fn embedded_copy(fragment: &[u8]) -> Bytes {
    const FUNCTION: &[u8] = b"\"type\":\"function\"";
    let Some(at) = memchr::memmem::find(fragment, FUNCTION) else {
        return Bytes::copy_from_slice(fragment);
    };
    let kind = format!("\"type\":\"{METRICS}\"");
    let (before, after) = (&fragment[..at], &fragment[at + FUNCTION.len()..]);
    [before, kind.as_bytes(), after].concat().into()
}

#[cfg(test)]
mod tests;
