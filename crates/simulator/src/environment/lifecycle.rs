//! The events that `/next` answers with, in their order.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::sync::lock;

/// Why an environment ends, as SHUTDOWN says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutdownReason {
    /// It is not needed any more.
    Spindown,
    /// The function ran into its timeout.
    Timeout,
    /// The function's process failed.
    Failure,
}

/// An event of the environment's life.
#[derive(Debug)]
pub(super) enum LifecycleEvent {
    Invoke {
        request_id: String,
        trace_id: String,
        function_arn: String,
        deadline_ms: u128,
    },
    Shutdown {
        reason: ShutdownReason,
        deadline_ms: u128,
    },
}

impl LifecycleEvent {
    /// The body of the answer.
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Invoke {
                request_id,
                trace_id,
                function_arn,
                deadline_ms,
            } => json!({
                "eventType": "INVOKE",
                "deadlineMs": deadline_ms,
                "requestId": request_id,
                "invokedFunctionArn": function_arn,
                "tracing": { "type": "X-Amzn-Trace-Id", "value": trace_id },
            }),
            Self::Shutdown {
                reason,
                deadline_ms,
            } => json!({
                "eventType": "SHUTDOWN",
                "shutdownReason": match reason {
                    ShutdownReason::Spindown => "spindown",
                    ShutdownReason::Timeout => "timeout",
                    ShutdownReason::Failure => "failure",
                },
                "deadlineMs": deadline_ms,
            }),
        }
    }
}

/// Events on their way to the extension.
#[derive(Debug, Default)]
pub(super) struct Lifecycle {
    events: Mutex<VecDeque<LifecycleEvent>>,
    arrived: Notify,
}

impl Lifecycle {
    pub(super) fn push(&self, event: LifecycleEvent) {
        lock(&self.events).push_back(event);
        self.arrived.notify_one();
    }

    /// Waits for the next event.
    pub(super) async fn next(&self) -> LifecycleEvent {
        loop {
            let event = lock(&self.events).pop_front();
            if let Some(event) = event {
                return event;
            }
            self.arrived.notified().await;
        }
    }
}

/// The time that is this far ahead, in milliseconds since 1970.
pub(super) fn deadline_ms(ahead: Duration) -> u128 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    (since.unwrap_or_default() + ahead).as_millis()
}
