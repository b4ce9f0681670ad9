//! One run of the extension: the real pipeline, with a script where Lambda's local API would be.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backstop_config::{FlushSettings, InitializationType, Primary, Settings, TelemetryType};
use backstop_delivery::{
    Chain, ChainParts, Jitter, LinkSettings, Phase, Role, SharedLedger, Signal, Window,
    WindowControl,
};
use backstop_sinks::Classifier;
use futures_util::FutureExt as _;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::lambda::SHUTDOWN;
use super::steps::{Metrics, Setup};
use super::world::{IgnoreNotices, SINKS, World};
use crate::buffer::Handover;
use crate::buffer::spool::{LedgerFile, Spool};
use crate::diagnostics::Log;
use crate::lifecycle::api::{ApiError, Event, Lifecycle};
use crate::pipeline::{Parts, Pipeline, Routes, TransformStage, Unknown, Wanted};
use crate::source::Inbox;
use crate::transform::Deriver;

/// The extension's end of the local API.
#[derive(Debug, Clone, Default)]
pub(super) struct Script(Arc<ScriptState>);

#[derive(Debug, Default)]
struct ScriptState {
    event: Mutex<Option<Event>>,
    waiting_since: Mutex<Option<Instant>>,
    changed: Notify,
}

impl Lifecycle for Script {
    async fn next(self) -> (Self, Result<Event, ApiError>) {
        let state = self.0.clone();
        *state.waiting_since.lock().unwrap() = Some(Instant::now());
        state.changed.notify_waiters();
        loop {
            let changed = state.changed.notified();
            if let Some(event) = state.event.lock().unwrap().take() {
                *state.waiting_since.lock().unwrap() = None;
                return (self, Ok(event));
            }
            changed.await;
        }
    }
}

impl Script {
    pub(super) fn send(&self, event: Event) {
        *self.0.event.lock().unwrap() = Some(event);
        self.0.changed.notify_waiters();
    }

    /// Since when the extension has been ready.
    pub(super) async fn ready(&self) -> Instant {
        loop {
            let changed = self.0.changed.notified();
            if let Some(since) = *self.0.waiting_since.lock().unwrap() {
                return since;
            }
            changed.await;
        }
    }
}

/// One run of the extension.
pub(super) struct Life {
    pub(super) script: Script,
    pub(super) inbox: Arc<Inbox>,
    pub(super) ledger: SharedLedger,
    pub(super) task: JoinHandle<()>,
}

impl Life {
    pub(super) fn start(setup: &Setup, world: &World, directory: PathBuf) -> Self {
        Self::begin(setup, world, directory, setup.beginning())
    }

    /// With these transforms and routes at the beginning.
    pub(super) fn begin(
        setup: &Setup,
        world: &World,
        directory: PathBuf,
        (transforms, routes, unknown): (TransformStage, Routes, Option<Unknown>),
    ) -> Self {
        let (script, ledger) = (Script::default(), SharedLedger::default());
        let inbox = Arc::new(Inbox::new(setup.buffer_max_bytes / 2));
        let log = Log::silent(world.clock());
        let roles = [Role::Primary, Role::Fallback, Role::Fallback];
        // Metrics have another address at the same primary.
        let signals = |index: usize| match (index, setup.metrics) {
            (0, Metrics::Moved | Metrics::Copied) => vec![Some(Signal::Log), Some(Signal::Metric)],
            _ => vec![None],
        };
        let links = (0..SINKS.len()).filter(|index| setup.sinks[*index]);
        let links = links.flat_map(|index| {
            let signals = signals(index).into_iter();
            signals.map(move |signal| LinkSettings {
                sink: world.sink(index, signal),
                role: roles[index],
                signal,
                timeout: Duration::from_secs(5),
            })
        });
        let chain = Chain::new(ChainParts {
            links: links.collect(),
            ledger: ledger.clone(),
            clock: world.clock(),
            observer: Arc::new(IgnoreNotices),
            jitter: Jitter::none(),
        });
        let spool_bytes = if setup.has_spool { 64 * 1024 * 1024 } else { 0 };
        let pipeline = Pipeline::new(Parts {
            api: script.clone(),
            stop: std::future::pending().boxed(),
            wanted: Wanted::of(
                &[
                    TelemetryType::Platform,
                    TelemetryType::Function,
                    TelemetryType::Extension,
                ],
                true,
            ),
            deriver: Deriver::default(),
            classifier: Classifier::of(primary(setup.metrics).as_ref()),
            transforms,
            metrics: crate::metrics::Metrics::default(),
            routes,
            unknown,
            inbox: inbox.clone(),
            chain: Arc::new(chain),
            ledger: ledger.clone(),
            log: log.clone(),
            clock: world.clock(),
            window: WindowControl::new(Window {
                ends: Instant::now(),
                phase: Phase::Handler,
                epoch: 0,
            }),
            flush: FlushSettings {
                strategy: setup.strategy,
                interval: Duration::from_millis(setup.interval),
                max_added: setup.max_added(),
            },
            buffer_max_bytes: setup.buffer_max_bytes,
            handover: Handover::new(
                Spool::new(directory.clone(), spool_bytes),
                LedgerFile::new(directory, setup.has_spool),
                log,
            ),
            initialization_type: InitializationType::OnDemand,
        });
        let task = tokio::spawn(live(pipeline, world.clone()));
        Self {
            script,
            inbox,
            ledger,
            task,
        }
    }

    /// A rule that was broken there is broken here.
    pub(super) fn check_task(&self) {
        assert!(!self.task.is_finished(), "the extension ended by itself");
    }
}

/// A primary that gets metrics, where there are some.
fn primary(metrics: Metrics) -> Option<Primary> {
    let options = match metrics {
        Metrics::None => return None,
        Metrics::Moved => "emf=metrics",
        Metrics::Copied => "emf=both",
    };
    let variables = [
        ("BACKSTOP_PRIMARY_URL", "https://intake.example.com"),
        ("BACKSTOP_PRIMARY_FORMAT", "otlp"),
        ("BACKSTOP_PRIMARY_OPTIONS", options),
    ];
    let variables: BTreeMap<String, String> = variables
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    Settings::resolve(&variables).0.primary
}

/// The extension's own loop, with the rules looked at after each turn.
async fn live(mut pipeline: Pipeline<Script>, world: World) {
    let end = loop {
        let end = pipeline.turn().await;
        pipeline.check();
        world.set_sending(pipeline.is_sending());
        world.set_deferred(pipeline.deferred_records());
        if !pipeline.is_sending() {
            world.mark_removed();
        }
        if let Some(end) = end {
            break end;
        }
    };
    let deadline = Instant::now() + SHUTDOWN;
    pipeline.shut_down(end).await;
    assert!(Instant::now() <= deadline, "killed at shutdown");
    world.set_deferred(0);
    world.mark_removed();
}
