//! Wiring: from the environment's variables to a running pipeline.
//!
//! Whatever is wrong with the configuration, init succeeds: an extension that fails there takes the
//! function down with it.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use backstop_config::{
    ConfigError, Fallback, InitializationType, ProcessEnvironment, Settings, TelemetryType,
    redaction,
};
use backstop_delivery::{
    Chain, ChainParts, Clock, Jitter, LinkSettings, Phase, Role, SharedLedger, Signal, SystemClock,
    Window, WindowControl,
};
use backstop_sinks::codec::{LineEncoder, Resource};
use backstop_sinks::secret::Secrets;
use backstop_sinks::{Classifier, FirehoseSink, HttpError, HttpsSink, S3Sink, SharedHttp};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use crate::buffer::Handover;
use crate::buffer::spool::{LedgerFile, Spool};
use crate::diagnostics::Log;
use crate::lifecycle::api::{Api, ApiError, Event, Function, Lifecycle as _, Subscription};
use crate::metrics::Metrics;
use crate::pipeline::{Parts, Pipeline, Routes, TransformStage, Unknown, Wanted, asks};
use crate::settings;
use crate::source::{Inbox, Listener};
use crate::transform::{Derivations, Deriver};

/// The longest a fallback may take for one attempt, whatever the window leaves.
const FALLBACK_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the extension until Lambda ends it.
pub async fn run() -> ExitCode {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (settings, errors) = settings::resolve(&ProcessEnvironment);
    let log = Log::new(settings.log_level, clock.clone());
    match Box::pin(start(settings, errors, log.clone(), clock)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.error("Cannot run", &json!({"error": error.to_string()}));
            ExitCode::FAILURE
        }
    }
}

async fn start(
    mut settings: Settings,
    mut errors: Vec<ConfigError>,
    log: Log,
    clock: Arc<dyn Clock>,
) -> Result<(), ApiError> {
    let runtime_api = settings.function.runtime_api.clone().unwrap_or_default();
    let initialization_type = settings.function.initialization_type.clone();
    // Before Lambda starts the runtime, which is after every extension has registered: an SDK may post from the
    // function's first line.
    let otlp = otlp_listener(&settings, &log).await;
    let registered = Api::register(&runtime_api, &own_name(), events(&initialization_type)).await;
    // The account is Lambda's to say, and all mistakes are one line.
    if let Ok((_, function)) = &registered
        && let Some(account) = &function.account_id
    {
        errors.extend(settings.keep_to_account(account));
    }
    let transforms = TransformStage::new(&settings.transforms, &mut errors);
    let is_redaction_unknown = redaction::is_unknown(&ProcessEnvironment, &mut errors);
    if !errors.is_empty() {
        log.error(
            "Invalid configuration",
            &json!({"errors": ConfigError::summary(&errors)}),
        );
    }
    let (mut api, function) = registered?;
    let stop = terminated();
    if settings.primary.is_none() && settings.fallbacks.is_empty() {
        // The configuration's errors have said so.
        idle(api, stop, &log).await;
        return Ok(());
    }
    let Some(listener) = telemetry_listener(&mut api, &settings, &log).await else {
        idle(api, stop, &log).await;
        return Ok(());
    };
    // Half of the bound is where a burst is slowed down; the rest is for what must not wait.
    let inbox = Arc::new(Inbox::new(settings.buffer_max_bytes / 2));
    tokio::spawn(listener.serve(inbox.clone()));
    if let Some(otlp) = otlp {
        tokio::spawn(otlp.serve(inbox.clone()));
    }
    let ledger = SharedLedger::default();
    let http = http(&settings, &log, &clock);
    let resource = resource(&settings, &function);
    let secrets = Secrets::of_function(http.clone(), settings.aws.clone(), &resource.function_name);
    let unknown = if is_redaction_unknown {
        Some(Unknown::Invalid)
    } else {
        settings.parameter.clone().map(|parameter| {
            let has_primary = settings.primary.is_some();
            let secrets = secrets.clone();
            let ask = asks(ProcessEnvironment, secrets, parameter, has_primary, errors);
            Unknown::Parameter(ask)
        })
    };
    let function_name = resource.function_name.clone();
    let chain = chain(
        &settings,
        (http, secrets, resource),
        ledger.clone(),
        &log,
        &clock,
    );
    let window = WindowControl::new(Window {
        ends: Instant::now(),
        phase: Phase::Handler,
        epoch: 0,
    });
    let handover = handover(&settings, &log);
    let parts = Parts {
        api,
        stop,
        wanted: Wanted::new(&settings),
        deriver: deriver(&settings, &function),
        classifier: Classifier::of(settings.primary.as_ref()),
        transforms: if unknown.is_some() {
            TransformStage::none()
        } else {
            transforms
        },
        metrics: Metrics::new(settings.metrics, function_name),
        routes: Routes::new(&settings),
        unknown,
        inbox,
        chain: Arc::new(chain),
        ledger,
        log,
        clock,
        window,
        flush: settings.flush,
        buffer_max_bytes: settings.buffer_max_bytes,
        handover,
        initialization_type,
    };
    Pipeline::new(parts).run().await;
    Ok(())
}

/// Where Lambda posts telemetry, as it was asked to; `None`, once the log says why, where it will not.
async fn telemetry_listener(api: &mut Api, settings: &Settings, log: &Log) -> Option<Listener> {
    let runtime_api = settings.function.runtime_api.as_deref().unwrap_or_default();
    let bound = Listener::bind(runtime_api).await;
    let (listener, elsewhere) = bound
        .inspect_err(|error| {
            log.error(
                "Cannot listen for telemetry",
                &json!({"error": error.to_string()}),
            );
        })
        .ok()?;
    if let Some(elsewhere) = elsewhere {
        log.warn(
            "The sandbox's own address is not known or cannot be used: listening at the next best",
            &elsewhere.details(),
        );
    }
    let types: Vec<&str> = settings
        .telemetry_types
        .iter()
        .map(|kind| TelemetryType::as_str(*kind))
        .collect();
    match api.subscribe(&listener.uri(), &types).await {
        Ok(Subscription::Subscribed) => return Some(listener),
        Ok(Subscription::Unsupported) => log.error(
            "This platform has no Telemetry API: nothing will be sent",
            &json!({}),
        ),
        Err(error) => log.error(
            "Cannot subscribe to telemetry",
            &json!({"error": error.to_string()}),
        ),
    }
    None
}

/// Where the function posts its own telemetry, if that is wanted.
async fn otlp_listener(settings: &Settings, log: &Log) -> Option<Listener> {
    if !settings.otlp_receiver {
        return None;
    }
    match Listener::bind_otlp().await {
        Ok(listener) => Some(listener),
        Err(error) => {
            log.error(
                "Cannot receive OTLP at 127.0.0.1:4318: stop what listens there, or unset BACKSTOP_OTLP_RECEIVER",
                &json!({"error": error.to_string()}),
            );
            None
        }
    }
}

/// Makes metrics and spans, as far as the primary gets them.
fn deriver(settings: &Settings, function: &Function) -> Deriver {
    let wanted = Derivations::of(settings.primary.as_ref());
    let name = resource(settings, function).function_name;
    let mode = &settings.function.initialization_type;
    Deriver::new(wanted, name, *mode == InitializationType::ManagedInstances)
}

/// What a later run in the same environment will find. Managed Instances are never frozen, and when
/// one ends so does its `/tmp`.
fn handover(settings: &Settings, log: &Log) -> Handover {
    let max_bytes = match settings.function.initialization_type {
        InitializationType::ManagedInstances => 0,
        _ => settings.spool.max_bytes,
    };
    let directory = &settings.spool.directory;
    Handover::new(
        Spool::new(directory.clone(), max_bytes),
        LedgerFile::new(directory.clone(), max_bytes > 0),
        log.clone(),
    )
}

/// The client of all sinks and stores. It connects to nothing yet.
fn http(settings: &Settings, log: &Log, clock: &Arc<dyn Clock>) -> SharedHttp {
    let warn = {
        let log = log.clone();
        move |error: &HttpError| {
            log.warn(
                "Unusable certificate file",
                &json!({"error": error.to_string()}),
            );
        }
    };
    let (files, proxies) = (settings.ca_files.clone(), settings.proxies.clone());
    SharedHttp::new(files, proxies, clock.clone(), warn)
}

/// The sinks, in the order in which they are tried. None of them connects to anything yet.
fn chain(
    settings: &Settings,
    (http, secrets, resource): (SharedHttp, Secrets, Resource),
    ledger: SharedLedger,
    log: &Log,
    clock: &Arc<dyn Clock>,
) -> Chain {
    let aws = &settings.aws;
    let lines = LineEncoder::new(resource);
    let primary = settings.primary.iter().flat_map(|primary| {
        let sink = |signal| {
            let sink = HttpsSink::of(http.clone(), primary, signal, lines.clone())?;
            Some(sink.with_secrets(primary, secrets.clone()))
        };
        let each = Signal::ALL.map(|signal| Some((signal, sink(signal)?)));
        each.into_iter()
            .flatten()
            .map(|(signal, sink)| LinkSettings {
                sink: Box::new(sink),
                role: Role::Primary,
                signal: Some(signal),
                timeout: primary.timeout,
            })
    });
    let fallbacks = settings
        .fallbacks
        .iter()
        .cloned()
        .map(|fallback| LinkSettings {
            sink: match fallback {
                Fallback::Firehose { stream, region, .. } => Box::new(FirehoseSink::new(
                    http.clone(),
                    aws.clone(),
                    (stream, region),
                    lines.clone(),
                )),
                Fallback::S3(archive) => Box::new(S3Sink::new(
                    http.clone(),
                    aws.clone(),
                    archive,
                    lines.clone(),
                )),
            },
            role: Role::Fallback,
            signal: None,
            timeout: FALLBACK_TIMEOUT,
        });
    Chain::new(ChainParts {
        links: primary.chain(fallbacks).collect(),
        ledger,
        clock: clock.clone(),
        observer: Arc::new(log.clone()),
        // Jitter has to differ between environments, not to be secret.
        jitter: Jitter::seeded(
            u64::from(std::process::id()) ^ u64::from(clock.wall().0.subsec_nanos()) << 32,
        ),
    })
}

fn resource(settings: &Settings, function: &Function) -> Resource {
    let or_variable = |registered: &str, variable: &str| {
        if registered.is_empty() {
            variable.to_owned()
        } else {
            registered.to_owned()
        }
    };
    Resource {
        function_name: or_variable(&function.name, &settings.function.name),
        function_version: or_variable(&function.version, &settings.function.version),
        region: settings.aws.region.clone(),
        account_id: function.account_id.clone().unwrap_or_default(),
        tags: settings.tags.clone(),
    }
}

/// Resolves when the process gets SIGTERM, which from here on does not end it by itself. Lambda sends
/// none to extensions; a container's runtime and emulators do.
fn terminated() -> BoxFuture<'static, ()> {
    let Ok(mut signals) = signal(SignalKind::terminate()) else {
        return std::future::pending().boxed();
    };
    async move {
        signals.recv().await;
    }
    .boxed()
}

/// Answers Lambda, and does nothing else, until it shuts us down or answers no more.
async fn idle(mut api: Api, mut stop: BoxFuture<'static, ()>, log: &Log) {
    loop {
        let event;
        (api, event) = tokio::select! {
            event = api.next() => event,
            () = &mut stop => return,
        };
        match event {
            Ok(Event::Shutdown { .. }) => return,
            Ok(Event::Invoke { .. } | Event::Other) => {}
            Err(error) => {
                let details = json!({"error": error.to_string()});
                log.warn("Lambda's API answers no more", &details);
                return;
            }
        }
    }
}

/// Lambda Managed Instances refuse an extension that asks for INVOKE.
fn events(initialization_type: &InitializationType) -> &'static [&'static str] {
    match initialization_type {
        InitializationType::ManagedInstances => &["SHUTDOWN"],
        InitializationType::OnDemand
        | InitializationType::ProvisionedConcurrency
        | InitializationType::SnapStart
        | InitializationType::Other(_) => &["INVOKE", "SHUTDOWN"],
    }
}

/// Lambda identifies an extension by its executable's file name.
fn own_name() -> String {
    std::env::current_exe()
        .ok()
        .and_then(|path| {
            path.file_name()
                .map(|name| name.to_string_lossy().into_owned())
        })
        .unwrap_or_else(|| "backstop-extension".to_owned())
}
