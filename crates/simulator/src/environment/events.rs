//! The platform's own telemetry events, in the shapes of the fixtures.
//!
//! Invariant: a field is present in a mode exactly if AWS sends it in that mode. Must not decide
//! when an event is sent.

use std::time::Duration;

use serde_json::{Value, json};

use super::queue::Kind;
use super::{InitializationType, Outcome};
use crate::time::{milliseconds, timestamp, timestamp_before};

const RUNTIME_VERSION: &str = "nodejs:22.v50";
const RUNTIME_VERSION_ARN: &str = "arn:aws:lambda:us-east-1::runtime:\
     da57c20c4b965d5b75540f6865a35fc8030358e33ec44ecfed33e90901a27a72";

/// What all events of one environment share.
#[derive(Debug)]
pub(super) struct Events {
    pub(super) initialization: InitializationType,
    pub(super) function_name: String,
    pub(super) function_version: String,
    pub(super) function_arn: String,
    pub(super) instance_id: String,
    pub(super) memory_mb: u32,
    pub(super) extension_name: String,
}

/// One invocation as far as it is known when it is reported.
#[derive(Debug)]
pub(super) struct Run<'run> {
    pub(super) request_id: &'run str,
    pub(super) trace_id: &'run str,
    pub(super) outcome: Outcome,
    pub(super) runtime: Duration,
    pub(super) added: Duration,
    pub(super) init: Option<Duration>,
    pub(super) restore: Option<Duration>,
    pub(super) max_memory_used_mb: u64,
    pub(super) produced_bytes: usize,
}

/// The text of one event.
pub(super) fn event(event_type: &str, record: &Value) -> (Kind, String) {
    let json = json!({ "time": timestamp(), "type": event_type, "record": record });
    (Kind::of(event_type), json.to_string())
}

impl Events {
    pub(super) fn init_start(&self) -> (Kind, String) {
        let mut record = self.environment();
        record["initializationType"] = self.initialization.name().into();
        record["phase"] = "init".into();
        event("platform.initStart", &record)
    }

    pub(super) fn init_runtime_done(&self) -> (Kind, String) {
        event(
            "platform.initRuntimeDone",
            &json!({
                "initializationType": self.initialization.name(),
                "phase": "init",
                "status": "success",
            }),
        )
    }

    pub(super) fn init_report(&self, took: Duration) -> (Kind, String) {
        event(
            "platform.initReport",
            &json!({
                "initializationType": self.initialization.name(),
                "phase": "init",
                "status": "success",
                "metrics": { "durationMs": milliseconds(took) },
            }),
        )
    }

    pub(super) fn subscribed(&self, types: &[String]) -> (Kind, String) {
        event(
            "platform.telemetrySubscription",
            &json!({ "name": self.extension_name, "state": "Subscribed", "types": types }),
        )
    }

    pub(super) fn extension_ready(&self, events: &[String]) -> (Kind, String) {
        event(
            "platform.extension",
            &json!({ "name": self.extension_name, "state": "Ready", "events": events }),
        )
    }

    /// The three events of a restore, before the first invocation.
    pub(super) fn restore(&self, took: Duration) -> [(Kind, String); 3] {
        let metrics = json!({ "durationMs": milliseconds(took) });
        [
            event("platform.restoreStart", &self.environment()),
            event(
                "platform.restoreRuntimeDone",
                &json!({ "status": "success" }),
            ),
            event(
                "platform.restoreReport",
                &json!({ "status": "success", "metrics": metrics }),
            ),
        ]
    }

    pub(super) fn start(&self, request_id: &str, trace_id: &str) -> (Kind, String) {
        let mut record = json!({ "requestId": request_id, "version": self.function_version });
        if self.managed() {
            record["functionArn"] = self.function_arn.as_str().into();
        } else {
            record["tracing"] = tracing(trace_id);
        }
        event("platform.start", &record)
    }

    /// Nothing on Managed Instances, which have no such event.
    pub(super) fn runtime_done(&self, run: &Run<'_>) -> Option<(Kind, String)> {
        if self.managed() {
            return None;
        }
        let mut record = json!({
            "requestId": run.request_id,
            "status": run.outcome.status(),
            "metrics": { "durationMs": milliseconds(run.runtime) },
            "tracing": tracing(run.trace_id),
        });
        if let Some(error_type) = run.outcome.error_type() {
            record["errorType"] = error_type.into();
        }
        if run.outcome != Outcome::Timeout {
            let latency = milliseconds(run.runtime);
            record["metrics"]["producedBytes"] = run.produced_bytes.into();
            record["spans"] = json!([
                span("responseLatency", run.runtime, latency),
                span("responseDuration", Duration::ZERO, 0.1),
                span("runtimeOverhead", Duration::ZERO, 0.4),
            ]);
        }
        Some(event("platform.runtimeDone", &record))
    }

    pub(super) fn report(&self, run: &Run<'_>) -> (Kind, String) {
        let mut record = json!({
            "requestId": run.request_id,
            "status": run.outcome.status(),
            "metrics": { "durationMs": milliseconds(run.runtime) },
        });
        if let Some(error_type) = run.outcome.error_type() {
            record["errorType"] = error_type.into();
        }
        if self.managed() {
            record["spans"] = json!([
                span("responseLatency", run.runtime, milliseconds(run.runtime)),
                span("responseDuration", Duration::ZERO, 0.1),
            ]);
            return event("platform.report", &record);
        }
        let metrics = &mut record["metrics"];
        metrics["billedDurationMs"] = milliseconds(run.runtime + run.added).ceil().into();
        metrics["memorySizeMB"] = self.memory_mb.into();
        metrics["maxMemoryUsedMB"] = run.max_memory_used_mb.into();
        if let Some(init) = run.init {
            metrics["initDurationMs"] = milliseconds(init).into();
        }
        if let Some(restore) = run.restore {
            metrics["restoreDurationMs"] = milliseconds(restore).into();
        }
        record["tracing"] = tracing(run.trace_id);
        record["spans"] = json!([span(
            "extensionOverhead",
            run.added,
            milliseconds(run.added)
        )]);
        event("platform.report", &record)
    }

    fn environment(&self) -> Value {
        json!({
            "runtimeVersion": RUNTIME_VERSION,
            "runtimeVersionArn": RUNTIME_VERSION_ARN,
            "functionName": self.function_name,
            "functionVersion": self.function_version,
            "instanceId": self.instance_id,
            "instanceMaxMemory": u64::from(self.memory_mb) * 1024 * 1024,
        })
    }

    fn managed(&self) -> bool {
        self.initialization == InitializationType::ManagedInstances
    }
}

fn tracing(trace_id: &str) -> Value {
    let parent = trace_id
        .split("Parent=")
        .nth(1)
        .and_then(|rest| rest.split(';').next());
    json!({ "spanId": parent, "type": "X-Amzn-Trace-Id", "value": trace_id })
}

fn span(name: &str, ago: Duration, duration_ms: f64) -> Value {
    json!({ "name": name, "start": timestamp_before(ago), "durationMs": duration_ms })
}
