//! One invocation: from the thaw to the freeze.
//!
//! Invariants: the function's lines come between `platform.start` and `platform.runtimeDone`; an
//! invocation is over when the function has answered and the extension is back in `/next`; the
//! report is emitted after that, so it usually arrives with the next thaw. Must not let a slow
//! extension pass as a fast one: what it adds is measured, never estimated.

use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::events::Run;
use super::lifecycle::{LifecycleEvent, deadline_ms};
use super::queue::Kind;
use super::{Environment, InitializationType};
use crate::error::SimulationError;
use crate::sync::lock;
use crate::time::timestamp;
use crate::traffic::{FunctionRecord, REQUEST_ID};

/// What the function answers.
const RESPONSE: &str = r#"{"statusCode":200,"body":"ok"}"#;
/// What a restore is said to have taken.
const RESTORE: Duration = Duration::from_millis(120);

/// How the function ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outcome {
    #[default]
    Success,
    /// It answers with an error.
    Error,
    /// It runs into its timeout. Except on Managed Instances the environment is then due for
    /// [`Environment::shutdown`] with [`super::ShutdownReason::Timeout`].
    Timeout,
}

impl Outcome {
    pub(super) fn status(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Timeout => "timeout",
        }
    }

    pub(super) fn error_type(self) -> Option<&'static str> {
        match self {
            Self::Error => Some("Function.Unknown"),
            Self::Success | Self::Timeout => None,
        }
    }
}

/// What the function does in one invocation.
#[derive(Debug, Clone, Default)]
pub struct Invocation {
    /// What it logs. [`REQUEST_ID`] in a line is replaced by the real one.
    pub lines: Vec<FunctionRecord>,
    /// How long it runs; the lines are spread evenly over it, or come all at once when it is zero.
    pub duration: Duration,
    /// How it ends. Running longer than the function's timeout is a timeout in any case.
    pub outcome: Outcome,
}

/// What an invocation has cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvocationReport {
    /// The invocation's request id.
    pub request_id: String,
    /// From the start of the invocation to the runtime's response.
    pub runtime: Duration,
    /// From the runtime's response to the extension's `/next`; zero when that came earlier.
    pub added: Duration,
    /// The extension was not back before the function's timeout. The environment is then due for
    /// a shutdown, as after a function's timeout.
    pub overran: bool,
}

impl Environment {
    /// Runs one invocation. They queue up, except on Managed Instances, where they run at once.
    pub async fn invoke(
        &self,
        invocation: Invocation,
    ) -> Result<InvocationReport, SimulationError> {
        let turn = if self.is_managed() {
            None
        } else {
            Some(self.turn.lock().await)
        };
        let first = self.begin()?;
        let report = tokio::select! {
            report = self.run(invocation, first) => report,
            _ = self.process.exited() => {
                self.process.drained().await;
                self.end("the extension's process has ended");
                Err(self.exited())
            }
        };
        drop(turn);
        report
    }

    /// Whether this is the first invocation, if there may be one at all.
    fn begin(&self) -> Result<bool, SimulationError> {
        let mut state = lock(&self.state);
        if let Some(reason) = state.over {
            return Err(SimulationError::Over(reason));
        }
        state.invocations += 1;
        Ok(state.invocations == 1)
    }

    async fn run(
        &self,
        invocation: Invocation,
        first: bool,
    ) -> Result<InvocationReport, SimulationError> {
        self.thaw();
        let restored = first && self.events.initialization == InitializationType::SnapStart;
        if restored {
            self.telemetry.emit(self.events.restore(RESTORE));
        }
        let (request_id, trace_id) = self.start_invocation();
        let started = Instant::now();
        let deadline = started + self.settings.timeout;
        self.telemetry
            .emit([self.events.start(&request_id, &trace_id)]);
        let outcome = self.play(invocation, &request_id, started).await;
        let answered = Instant::now();

        let on_demand = self.events.initialization == InitializationType::OnDemand;
        let mut run = Run {
            request_id: &request_id,
            trace_id: &trace_id,
            outcome,
            runtime: answered.duration_since(started),
            added: Duration::ZERO,
            init: (first && on_demand).then_some(self.init),
            restore: restored.then_some(RESTORE),
            max_memory_used_mb: self.memory_used_mb(),
            produced_bytes: RESPONSE.len(),
        };
        self.telemetry.emit(self.events.runtime_done(&run));
        let back = if outcome == Outcome::Timeout || !self.asked_for("INVOKE") {
            Some(answered)
        } else {
            let back = self
                .tracker
                .find(|progress| progress.back_from(&request_id));
            tokio::time::timeout_at(deadline, back).await.ok()
        };
        let overran = back.is_none();
        run.added = back
            .unwrap_or_else(Instant::now)
            .saturating_duration_since(answered);
        if overran {
            run.outcome = Outcome::Timeout;
            self.end("an extension overran the function's timeout, and SHUTDOWN is due");
        } else if outcome == Outcome::Timeout && !self.is_managed() {
            self.end("the function timed out, and SHUTDOWN is due");
        } else {
            self.freeze().await;
        }
        self.peak_rss_bytes();
        self.telemetry.emit([self.events.report(&run)]);
        let (runtime, added) = (run.runtime, run.added);
        Ok(InvocationReport {
            request_id,
            runtime,
            added,
            overran,
        })
    }

    /// Tells the extension of a new invocation. Gives its request id and its trace id.
    fn start_invocation(&self) -> (String, String) {
        let request_id = Uuid::new_v4().to_string();
        let [root, parent] = [(); 2].map(|()| Uuid::new_v4().simple().to_string());
        let sampled = u8::from(self.settings.samples_traces);
        let seconds = deadline_ms(Duration::ZERO) / 1000;
        let (root, parent) = (&root[..24], &parent[..16]);
        let trace_id = format!("Root=1-{seconds:08x}-{root};Parent={parent};Sampled={sampled}");
        if self.asked_for("INVOKE") {
            self.lifecycle.push(LifecycleEvent::Invoke {
                request_id: request_id.clone(),
                trace_id: trace_id.clone(),
                function_arn: self.events.function_arn.clone(),
                deadline_ms: deadline_ms(self.settings.timeout),
            });
        }
        (request_id, trace_id)
    }

    /// Emits the function's lines over its duration, and says how it ended.
    async fn play(&self, invocation: Invocation, request_id: &str, started: Instant) -> Outcome {
        let Invocation {
            lines,
            duration,
            outcome,
        } = invocation;
        let timeout = self.settings.timeout;
        let late = duration > timeout;
        let (end, outcome) = match outcome {
            Outcome::Timeout => (started + timeout, Outcome::Timeout),
            Outcome::Success | Outcome::Error if late => (started + timeout, Outcome::Timeout),
            Outcome::Success | Outcome::Error => (started + duration, outcome),
        };
        let step = duration / u32::try_from(lines.len().max(1)).unwrap_or(u32::MAX);
        let mut lines = lines.iter().peekable();
        let mut due = started;
        while lines.peek().is_some() && due <= end {
            tokio::time::sleep_until(due).await;
            // All that became due while this task slept goes out together.
            let now = Instant::now();
            let mut events = Vec::new();
            while due <= now {
                let Some(line) = lines.next() else { break };
                events.push(function_event(line, request_id));
                due += step;
            }
            self.telemetry.emit(events);
        }
        tokio::time::sleep_until(end).await;
        outcome
    }

    /// Whether the extension has asked for events of this type.
    pub(super) fn asked_for(&self, event_type: &str) -> bool {
        self.tracker.read(|progress| {
            let registration = progress.registration.as_ref();
            registration.is_some_and(|it| it.events.iter().any(|event| event == event_type))
        })
    }

    /// What the report says: the extension's share is real, the function's is pretended.
    fn memory_used_mb(&self) -> u64 {
        let limit = u64::from(self.events.memory_mb);
        (limit / 4 + self.peak_rss_bytes() / (1024 * 1024)).min(limit)
    }
}

fn function_event(line: &FunctionRecord, request_id: &str) -> (Kind, String) {
    let record = line.0.to_string().replace(REQUEST_ID, request_id);
    let time = timestamp();
    (
        Kind::Function,
        format!(r#"{{"time":"{time}","type":"function","record":{record}}}"#),
    )
}
