//! A Lambda execution environment around a real extension process.
//!
//! In the order of an environment's life: `builder` starts it, `local_api` serves the Extensions and the
//! Telemetry API, `lifecycle` holds the events for `/next`, `queue` and `delivery` bring telemetry,
//! `invocation` plays the function, `process` freezes and thaws, `shutdown` ends it.
//!
//! Invariants: of the telemetry, emitted = acknowledged + dropped + what is queued; no process is
//! left behind. Must not know the extension under test: any extension runs in it.

mod builder;
mod delivery;
mod events;
mod invocation;
mod lifecycle;
mod local_api;
mod process;
mod progress;
mod queue;
mod shutdown;
mod subscription;
mod temp;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

pub use builder::EnvironmentBuilder;
pub use invocation::{Invocation, InvocationReport, Outcome};
pub use lifecycle::ShutdownReason;
pub use progress::{Registration, StartTimings};
pub use queue::TelemetryCounts;
pub use shutdown::ShutdownReport;
pub use subscription::{Subscription, TelemetryMode};

use crate::error::SimulationError;
use crate::sync::lock;
use delivery::Telemetry;
use events::Events;
use lifecycle::Lifecycle;
use local_api::LocalApiServer;
use process::ExtensionProcess;
use progress::Tracker;
use queue::Kind;
use temp::TempDirectory;

/// How the environment comes to be, and with it what the platform does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InitializationType {
    /// For an invocation that waits.
    #[default]
    OnDemand,
    /// Ahead of traffic: frozen after init until the first invocation.
    ProvisionedConcurrency,
    /// From a snapshot: frozen after init, restored at the first invocation.
    SnapStart,
    /// Lambda Managed Instances: no INVOKE, never frozen, concurrent invocations.
    ManagedInstances,
}

impl InitializationType {
    /// The value of `AWS_LAMBDA_INITIALIZATION_TYPE`.
    pub fn name(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::ProvisionedConcurrency => "provisioned-concurrency",
            Self::SnapStart => "snap-start",
            Self::ManagedInstances => "lambda-managed-instances",
        }
    }
}

/// A running execution environment. Dropping it kills the extension.
pub struct Environment {
    process: ExtensionProcess,
    local_api: LocalApiServer,
    lifecycle: Arc<Lifecycle>,
    telemetry: Arc<Telemetry>,
    tracker: Arc<Tracker>,
    events: Arc<Events>,
    settings: Settings,
    timings: StartTimings,
    init: Duration,
    /// One invocation at a time, except on Managed Instances.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    peak_rss_bytes: AtomicU64,
    /// After the process: it must not lose its directory while it runs.
    temp_dir: TempDirectory,
}

/// What the builder has settled.
#[derive(Debug)]
struct Settings {
    timeout: Duration,
    freeze: bool,
    samples_traces: bool,
    shutdown_flush: Duration,
}

#[derive(Debug, Default)]
struct State {
    invocations: u64,
    is_shut_down: bool,
    /// Why nothing more can be invoked.
    over: Option<&'static str>,
}

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Environment")
            .field("process", &self.process)
            .field("local_api", &self.local_api)
            .field("settings", &self.settings)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Environment {
    /// Settings for a new environment; at least [`EnvironmentBuilder::extension`] must be given.
    pub fn builder() -> EnvironmentBuilder {
        EnvironmentBuilder::default()
    }

    /// Waits, frozen if it is frozen.
    pub async fn idle(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Emits a telemetry event of this `type`, with the time of now.
    pub fn emit(&self, event_type: &str, record: &Value) {
        self.telemetry.emit([events::event(event_type, record)]);
    }

    /// Emits the text of an event as it is, well-formed or not: it becomes one element of a batch.
    pub fn emit_raw(&self, json: impl Into<String>) {
        self.telemetry.emit([(Kind::Raw, json.into())]);
    }

    /// Posts a body to the extension's listener at once, past the queue and its counts.
    pub async fn post_raw_body(
        &self,
        body: impl Into<Bytes>,
    ) -> Result<StatusCode, SimulationError> {
        self.telemetry.post_raw(body.into()).await
    }

    /// Waits until all telemetry is acknowledged; `false` when `limit` is over.
    pub async fn wait_for_telemetry(&self, limit: Duration) -> bool {
        self.telemetry.wait_idle(limit).await
    }

    /// The totals of the telemetry.
    pub fn telemetry(&self) -> TelemetryCounts {
        self.telemetry.counts()
    }

    /// Events emitted so far for the types that are subscribed to.
    pub fn emitted(&self) -> u64 {
        self.telemetry().emitted
    }

    /// Events that the platform dropped before the extension had them.
    pub fn dropped_upstream(&self) -> u64 {
        self.telemetry().dropped
    }

    /// The subscription, once there is one.
    pub fn subscription(&self) -> Option<Subscription> {
        self.telemetry.subscription()
    }

    /// What the extension said when it registered.
    pub fn registration(&self) -> Option<Registration> {
        self.tracker.read(|progress| progress.registration.clone())
    }

    /// What the extension reported to `init/error` or `exit/error`, with its error type.
    pub fn reported_error(&self) -> Option<String> {
        self.tracker
            .read(|progress| progress.reported_error.clone())
    }

    /// How long the extension took to start.
    pub fn start_timings(&self) -> StartTimings {
        self.timings
    }

    /// The extension's lines on stderr so far.
    pub fn stderr_lines(&self) -> Vec<String> {
        self.process.stderr()
    }

    /// The extension's lines on stdout so far.
    pub fn stdout_lines(&self) -> Vec<String> {
        self.process.stdout()
    }

    /// What the extension has for `/tmp`.
    pub fn temp_dir(&self) -> &Path {
        self.temp_dir.path()
    }

    /// The extension's process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The state letter of the process in `/proc`: `S` sleeping, `R` running, `T` stopped, `Z` ended.
    pub fn process_state(&self) -> Option<char> {
        self.process.state()
    }

    /// The memory the extension uses now, in bytes; `None` when it has ended.
    pub fn rss_bytes(&self) -> Option<u64> {
        self.process.memory("VmRSS")
    }

    /// The most memory the extension has used, in bytes. After its end it is the last value seen,
    /// taken after each invocation and before SHUTDOWN.
    pub fn peak_rss_bytes(&self) -> u64 {
        let now = self.process.memory("VmHWM").unwrap_or_default();
        self.peak_rss_bytes
            .fetch_max(now, Ordering::Relaxed)
            .max(now)
    }

    /// The CPU that the extension has used so far, in user and system mode; `None` when it has ended.
    pub fn cpu_time(&self) -> Option<Duration> {
        self.process.cpu_time()
    }

    /// Whether the extension is stopped.
    pub fn is_frozen(&self) -> bool {
        self.process.is_frozen()
    }

    /// SIGKILL now, as when the host dies. There is nothing to shut down afterwards.
    pub async fn kill(&self) {
        self.end("it was killed");
        self.process.kill().await;
        self.telemetry.close();
    }

    fn end(&self, reason: &'static str) {
        lock(&self.state).over.get_or_insert(reason);
    }

    async fn freeze(&self) {
        if !self.settings.freeze {
            return;
        }
        self.telemetry.set_frozen(true);
        self.process.freeze().await;
    }

    fn thaw(&self) {
        self.process.thaw();
        self.telemetry.set_frozen(false);
    }

    fn is_managed(&self) -> bool {
        self.events.initialization == InitializationType::ManagedInstances
    }

    fn exited(&self) -> SimulationError {
        let status = self.process.exit_status();
        SimulationError::Exited {
            status: status.map_or_else(|| "unknown".to_owned(), |status| status.to_string()),
            stderr: self.process.last_lines(),
        }
    }
}
