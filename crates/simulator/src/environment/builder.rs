//! Starts an environment: from its settings to the extension's first `/next`.
//!
//! Invariant: when `start` returns, the extension has registered and waits in `/next`, and the
//! init's events are emitted; otherwise its process is gone and its last lines are in the error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::delivery::Telemetry;
use super::events::{self, Events};
use super::lifecycle::Lifecycle;
use super::local_api::{LocalApi, LocalApiServer};
use super::process::{ExtensionProcess, OnLine};
use super::progress::{Progress, StartTimings, Tracker};
use super::temp::TempDirectory;
use super::{Environment, InitializationType, Settings, State, TelemetryMode};
use crate::error::SimulationError;
use crate::s3;

/// What Lambda sets for every process of an environment.
const CONSTANTS: [(&str, &str); 4] = [
    ("TZ", ":UTC"),
    ("LANG", "en_US.UTF-8"),
    ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin"),
    (
        "LD_LIBRARY_PATH",
        "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
    ),
];

/// The settings of an [`Environment`].
#[derive(Debug, Clone)]
#[must_use]
pub struct EnvironmentBuilder {
    extension: PathBuf,
    function_name: String,
    function_version: String,
    account_id: String,
    region: String,
    memory_mb: u32,
    timeout: Duration,
    init_timeout: Duration,
    shutdown_flush: Duration,
    queue_limit_bytes: usize,
    variables: BTreeMap<String, String>,
    initialization: InitializationType,
    mode: TelemetryMode,
    freeze: bool,
    samples_traces: bool,
    temp_dir: Option<PathBuf>,
}

impl Default for EnvironmentBuilder {
    fn default() -> Self {
        Self {
            extension: PathBuf::new(),
            function_name: "demo".to_owned(),
            function_version: "$LATEST".to_owned(),
            account_id: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            memory_mb: 128,
            timeout: Duration::from_secs(3),
            init_timeout: Duration::from_secs(10),
            shutdown_flush: Duration::from_secs(10),
            queue_limit_bytes: 64 * 1024 * 1024,
            variables: BTreeMap::new(),
            initialization: InitializationType::default(),
            mode: TelemetryMode::default(),
            freeze: true,
            samples_traces: true,
            temp_dir: None,
        }
    }
}

impl EnvironmentBuilder {
    /// The executable of the extension; its file name is the extension's name.
    pub fn extension(mut self, path: impl Into<PathBuf>) -> Self {
        self.extension = path.into();
        self
    }

    /// The function's name. Default: `demo`.
    pub fn function_name(mut self, name: impl Into<String>) -> Self {
        self.function_name = name.into();
        self
    }

    /// The function's version. Default: `$LATEST`.
    pub fn function_version(mut self, version: impl Into<String>) -> Self {
        self.function_version = version.into();
        self
    }

    /// The account. Default: 123456789012.
    pub fn account_id(mut self, account_id: impl Into<String>) -> Self {
        self.account_id = account_id.into();
        self
    }

    /// The region. Default: us-east-1.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// The function's memory in megabytes. Default: 128.
    pub fn memory_mb(mut self, megabytes: u32) -> Self {
        self.memory_mb = megabytes;
        self
    }

    /// The function's timeout. Default: 3 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long the extension may take to its first `/next`. Default: 10 s.
    pub fn init_timeout(mut self, timeout: Duration) -> Self {
        self.init_timeout = timeout;
        self
    }

    /// How long telemetry may take to reach the extension before SHUTDOWN. Default: 10 s.
    pub fn shutdown_flush(mut self, limit: Duration) -> Self {
        self.shutdown_flush = limit;
        self
    }

    /// The size of the platform's telemetry queue in bytes. Default: 64 MiB.
    pub fn queue_limit_bytes(mut self, bytes: usize) -> Self {
        self.queue_limit_bytes = bytes;
        self
    }

    /// A variable of the extension's environment, over any that Lambda would set.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    pub fn envs<N: Into<String>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        self.variables.extend(variables);
        self
    }

    /// The initialization type. Default: on demand.
    pub fn initialization_type(mut self, initialization: InitializationType) -> Self {
        self.initialization = initialization;
        self
    }

    /// How the platform treats the Telemetry API. Default: as Lambda does.
    pub fn telemetry(mut self, mode: TelemetryMode) -> Self {
        self.mode = mode;
        self
    }

    /// Whether X-Ray samples each invocation's trace.
    pub fn samples_traces(mut self, samples_traces: bool) -> Self {
        self.samples_traces = samples_traces;
        self
    }

    /// Whether the extension is stopped between invocations; by default it is, and never on
    /// Managed Instances.
    pub fn freeze(mut self, freeze: bool) -> Self {
        self.freeze = freeze;
        self
    }

    /// The environment's `/tmp`, which the extension finds in `TMPDIR`: an environment that goes on
    /// with the directory of an earlier one is the same sandbox, started again. By default each
    /// has a directory of its own, which goes with it.
    pub fn temp_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.temp_dir = Some(directory.into());
        self
    }

    /// Starts the extension and waits for its first `/next`.
    pub async fn start(self) -> Result<Environment, SimulationError> {
        // Not canonical: the name that counts is the one that was given, as in /opt/extensions.
        let executable =
            std::path::absolute(&self.extension).map_err(|source| SimulationError::Executable {
                path: self.extension.clone(),
                source,
            })?;
        let temp_dir = TempDirectory::of(self.temp_dir.as_deref())?;
        let extension_name = self
            .extension
            .file_name()
            .map(|name| name.to_string_lossy());
        let events = Arc::new(self.events(extension_name.unwrap_or_default().into_owned()));
        let telemetry = Arc::new(Telemetry::start(self.queue_limit_bytes));
        let tracker = Arc::new(Tracker::default());
        let lifecycle = Arc::new(Lifecycle::default());
        let local_api = LocalApiServer::start(LocalApi {
            account_id: self.account_id.clone(),
            lifecycle: Arc::clone(&lifecycle),
            initialization: self.initialization,
            mode: self.mode,
            events: Arc::clone(&events),
            telemetry: Arc::clone(&telemetry),
            tracker: Arc::clone(&tracker),
        })
        .await?;

        telemetry.emit([events.init_start()]);
        let started = Instant::now();
        let variables = self.extension_variables(&local_api, temp_dir.path());
        let on_line = on_line(&telemetry, &tracker);
        let process = ExtensionProcess::start(&executable, variables, &on_line)?;
        let progress = wait_for_next(&process, &tracker, self.init_timeout).await?;
        let registration = progress.registration.unwrap_or_default();
        telemetry.emit([events.extension_ready(&registration.events)]);
        tracker.change(|progress| progress.init_done = true);
        let init = started.elapsed();
        telemetry.emit([events.init_runtime_done(), events.init_report(init)]);

        let since = |at: Option<Instant>| at.map(|at| at.duration_since(started));
        let managed = self.initialization == InitializationType::ManagedInstances;
        let environment = Environment {
            process,
            local_api,
            lifecycle,
            telemetry,
            tracker,
            events,
            settings: Settings {
                timeout: self.timeout,
                freeze: self.freeze && !managed,
                samples_traces: self.samples_traces,
                shutdown_flush: self.shutdown_flush,
            },
            timings: StartTimings {
                register: since(progress.registered_at).unwrap_or_default(),
                first_next: since(progress.first_next_at).unwrap_or_default(),
            },
            init,
            turn: tokio::sync::Mutex::default(),
            state: Mutex::new(State::default()),
            peak_rss_bytes: AtomicU64::new(0),
            temp_dir,
        };
        match self.initialization {
            InitializationType::ProvisionedConcurrency | InitializationType::SnapStart => {
                environment.freeze().await;
            }
            InitializationType::OnDemand | InitializationType::ManagedInstances => {}
        }
        Ok(environment)
    }

    fn events(&self, extension_name: String) -> Events {
        let Self {
            region,
            account_id,
            function_name,
            ..
        } = self;
        Events {
            initialization: self.initialization,
            function_name: function_name.clone(),
            function_version: self.function_version.clone(),
            function_arn: format!("arn:aws:lambda:{region}:{account_id}:function:{function_name}"),
            instance_id: Uuid::new_v4().to_string(),
            memory_mb: self.memory_mb,
            extension_name,
        }
    }

    fn extension_variables(
        &self,
        local_api: &LocalApiServer,
        temp_dir: &Path,
    ) -> BTreeMap<String, String> {
        let own = [
            ("AWS_LAMBDA_FUNCTION_NAME", self.function_name.clone()),
            ("AWS_LAMBDA_FUNCTION_VERSION", self.function_version.clone()),
            (
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
                self.memory_mb.to_string(),
            ),
            ("AWS_REGION", self.region.clone()),
            ("AWS_DEFAULT_REGION", self.region.clone()),
            ("AWS_LAMBDA_RUNTIME_API", local_api.address().to_string()),
            (
                "AWS_LAMBDA_INITIALIZATION_TYPE",
                self.initialization.name().to_owned(),
            ),
            ("AWS_ACCESS_KEY_ID", s3::ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", s3::SECRET_KEY.to_owned()),
            ("AWS_SESSION_TOKEN", "simulator-session-token".to_owned()),
            ("TMPDIR", temp_dir.display().to_string()),
        ];
        let constants = CONSTANTS.map(|(name, value)| (name, value.to_owned()));
        let all = constants.into_iter().chain(own);
        let mut variables: BTreeMap<String, String> =
            all.map(|(name, value)| (name.to_owned(), value)).collect();
        variables.extend(self.variables.clone());
        variables
    }
}

/// Feeds the extension's own lines back as `extension` events, until SHUTDOWN.
fn on_line(telemetry: &Arc<Telemetry>, tracker: &Arc<Tracker>) -> OnLine {
    let (telemetry, tracker) = (Arc::clone(telemetry), Arc::clone(tracker));
    Arc::new(move |line| {
        if tracker.read(|progress| progress.shutdown_at.is_none()) {
            telemetry.emit([events::event("extension", &line.into())]);
        }
    })
}

async fn wait_for_next(
    process: &ExtensionProcess,
    tracker: &Tracker,
    limit: Duration,
) -> Result<Progress, SimulationError> {
    let ready = |progress: &Progress| {
        (progress.first_next_at.is_some() && progress.registration.is_some())
            .then(|| progress.clone())
    };
    let reason = tokio::select! {
        progress = tracker.find(ready) => return Ok(progress),
        status = process.exited() => {
            process.drained().await;
            status.map_or_else(|| "it is gone".to_owned(), |status| format!("it ended with {status}"))
        }
        () = tokio::time::sleep(limit) => {
            let stage = if tracker.read(|progress| progress.registration.is_some()) {
                "its first /next"
            } else {
                "its registration"
            };
            format!("{stage} did not come within {limit:?}")
        }
    };
    let reported = tracker.read(|progress| progress.reported_error.clone());
    let reason = reported.map_or_else(|| reason.clone(), |error| format!("{reason}; {error}"));
    Err(SimulationError::Init {
        reason,
        stderr: process.last_lines(),
    })
}
