//! What OpenTelemetry's own SDKs post to a real extension, in real receivers: counted, through an outage and a replay.
//!
//! One test, because there is one port that SDKs post to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use backstop_simulator::Invocation;
use backstop_tests::{Outcome, World};
use serde_json::Value;
use tokio::process::Command;
use tokio::time::{Instant, timeout};

use super::server::{Kind, Server};
use super::signals::elements;
use super::{Case, PATIENCE, replay};

/// Spans and logs of one run.
const COUNT: u64 = 7;
/// An SDK starts, exports and ends within this time.
const HANDLER: Duration = Duration::from_secs(8);
const ENDPOINT: &str = "http://127.0.0.1:4318";

/// An SDK, and how it posts.
#[derive(Debug, Clone, Copy)]
enum Sdk {
    Python,
    /// `proto`, or `http`, which is JSON.
    Node(&'static str),
}

impl Sdk {
    /// The command that is the function; `None` where the SDK is not installed.
    fn command(self) -> Option<Command> {
        let sources = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/receivers/sdks"));
        let mut command = match self {
            Self::Python => {
                let python = std::env::var_os("BACKSTOP_PYTHON_SDK");
                let mut command = Command::new(python.expect("run scripts/receivers"));
                command
                    .arg(sources.join("function.py"))
                    .arg(COUNT.to_string());
                command
            }
            Self::Node(encoding) => {
                let folder = PathBuf::from(std::env::var_os("BACKSTOP_NODE_SDK")?);
                // Node finds modules beside the file that asks for them.
                let script = folder.join("function.mjs");
                std::fs::copy(sources.join("function.mjs"), &script).unwrap();
                let mut command = Command::new("node");
                command.arg(script).args([&COUNT.to_string(), encoding]);
                command
            }
        };
        command
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", ENDPOINT)
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
            .env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
            .env_remove("HTTP_PROXY")
            .env_remove("http_proxy")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Some(command)
    }
}

/// What a receiver, or the archive, holds of what was posted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Held {
    spans: u64,
    logs: u64,
    /// By their names; an SDK posts the same metric each time it exports.
    metrics: BTreeMap<String, u64>,
    /// Texts that say what must have come through.
    signs: BTreeMap<&'static str, u64>,
}

const SIGNS: [&str; 4] = [
    "python-shop",
    "node-shop",
    "unknown_service",
    "someone@example.com",
];

impl Held {
    /// Adds a request of OTLP's JSON.
    fn add(&mut self, request: &Value) {
        let all = |names: [&str; 3]| elements(request, &names);
        let named = |items: Vec<&Value>, prefix: &str| -> Vec<String> {
            let names = items.iter().filter_map(|it| it["name"].as_str());
            names
                .filter(|it| it.starts_with(prefix))
                .map(str::to_owned)
                .collect()
        };
        self.spans += named(all(["resourceSpans", "scopeSpans", "spans"]), "sdk.").len() as u64;
        for name in named(all(["resourceMetrics", "scopeMetrics", "metrics"]), "sdk.") {
            *self.metrics.entry(name).or_default() += 1;
        }
        for log in all(["resourceLogs", "scopeLogs", "logRecords"]) {
            let body = log["body"]["stringValue"].as_str().unwrap_or_default();
            self.logs += u64::from(body.starts_with("sdk log "));
        }
        let text = request.to_string();
        for sign in SIGNS {
            *self.signs.entry(sign).or_default() += u64::from(text.contains(sign));
        }
    }

    fn items(&self) -> u64 {
        self.spans + self.logs + self.metrics.values().sum::<u64>()
    }
}

fn collected(server: &Server) -> Held {
    let mut held = Held::default();
    for signal in ["logs", "metrics", "traces"] {
        let text = server.stored_of(signal);
        // The last line may be half written.
        let requests = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        requests.for_each(|request| held.add(&request));
    }
    held
}

/// What Rotel prints of each item: it proves that all were taken, field by field.
fn printed(server: &Server) -> Held {
    let mut held = Held::default();
    for line in server.stored_of("").lines().map(str::trim) {
        let (name, value) = line.split_once(": ").unwrap_or((line, ""));
        match (name.trim_start_matches("-> ").trim_end(), value.trim()) {
            ("Name", name @ ("sdk.orders" | "sdk.duration")) => {
                *held.metrics.entry(name.to_owned()).or_default() += 1;
            }
            ("Name", "sdk.work") => held.spans += 1,
            ("Body", body) if body.contains("sdk log ") => held.logs += 1,
            _ => {}
        }
    }
    held
}

fn archived(outcome: &Outcome) -> Held {
    let mut held = Held::default();
    for line in &outcome.archived {
        let kind = line["type"].as_str().unwrap_or_default();
        if kind.starts_with("otlp.") {
            held.add(&line["record"]);
        }
    }
    held
}

/// One environment, with one invocation in which the SDK runs.
async fn live(world: &World, server: &Server, case: &Case, sdk: Sdk) -> Outcome {
    let environment = world
        .environment()
        .env("BACKSTOP_PRIMARY_URL", server.url(case.path))
        .env("BACKSTOP_PRIMARY_FORMAT", case.format)
        .env("BACKSTOP_PRIMARY_OPTIONS", case.options)
        .env("BACKSTOP_FIREHOSE_STREAM", "")
        .env("BACKSTOP_OTLP_RECEIVER", "true")
        .env("BACKSTOP_REDACT", "email")
        .env("BACKSTOP_MAX_ADDED_MS", "10000")
        .env("BACKSTOP_PRIMARY_TIMEOUT_MS", "10000")
        .env("BACKSTOP_FLUSH_STRATEGY", "end")
        .timeout(Duration::from_mins(1))
        .start()
        .await
        .unwrap();
    let invocation = environment.invoke(Invocation {
        duration: HANDLER,
        ..Invocation::default()
    });
    let function = async {
        // Once the handler runs.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut command = sdk.command().unwrap();
        let ended = timeout(HANDLER, command.output())
            .await
            .expect("in time")
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(
            ended.status.success() && !said.contains("Failed to export"),
            "{sdk:?}: {said}"
        );
    };
    let (report, ()) = tokio::join!(invocation, function);
    report.unwrap();
    world.settle(&environment, 0).await.unwrap()
}

async fn holds(server: &Server, kind: Kind, expected: u64) -> Held {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let held = match kind {
            Kind::Rotel => printed(server),
            _ => collected(server),
        };
        if held.items() >= expected || Instant::now() > deadline {
            return held;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

async fn through_an_outage(case: &Case, sdk: Sdk) {
    let world = World::start().await.unwrap();
    let mut server = Server::new(case.receiver);
    server.start().await;
    let healthy = live(&world, &server, case, sdk).await;
    healthy.assert_adds_up();
    let said = healthy.stderr();
    assert_eq!(healthy.delivered("s3"), 0, "{case:?} {sdk:?}\n{said}");
    let held = holds(&server, case.receiver, 2 * COUNT + 2).await;
    assert_eq!(
        (held.spans, held.logs),
        (COUNT, COUNT),
        "{case:?} {sdk:?} {held:?}\n{said}"
    );
    let names: Vec<&str> = held.metrics.keys().map(String::as_str).collect();
    assert_eq!(names, ["sdk.duration", "sdk.orders"], "{case:?} {sdk:?}");
    if case.receiver == Kind::Collector {
        let name = if matches!(sdk, Sdk::Python) {
            "python-shop"
        } else {
            "node-shop"
        };
        assert!(held.signs[name] > 0, "{held:?}");
        assert_eq!(held.signs["someone@example.com"], 0, "redacted: {held:?}");
    }

    server.stop();
    let down = live(&world, &server, case, sdk).await;
    down.assert_adds_up();
    assert_eq!(down.delivered("https"), 0, "{case:?}\n{}", down.stderr());
    let kept = archived(&down);
    assert_eq!((kept.spans, kept.logs), (COUNT, COUNT), "{kept:?}");
    assert_eq!(kept.metrics, held.metrics, "{case:?} {sdk:?}");
    assert_eq!(kept.signs["someone@example.com"], 0, "{kept:?}");
    server.start().await;
    let replayed = replay(&world, &server, case, "logs,metrics,traces").await;
    assert_eq!(
        replayed["sent"],
        down.delivered("s3"),
        "{case:?} {replayed}"
    );
    let twice = 2 * held.items();
    let held = holds(&server, case.receiver, twice).await;
    assert_eq!(
        (held.spans, held.logs),
        (2 * COUNT, 2 * COUNT),
        "{case:?} {sdk:?} {held:?}"
    );
    assert_eq!(held.items(), twice, "{case:?} {sdk:?} {held:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sdks_post_is_stored_once_through_an_outage_and_a_replay() {
    drop(rustls::crypto::ring::default_provider().install_default());
    for (receiver, options, sdk) in [
        (Kind::Rotel, "", Sdk::Python),
        (Kind::Collector, "", Sdk::Python),
        (Kind::Collector, "", Sdk::Node("proto")),
        (Kind::Collector, "encoding=json", Sdk::Node("http")),
    ] {
        if receiver.place().is_none() || sdk.command().is_none() {
            println!("left out: {receiver:?} {sdk:?}");
            continue;
        }
        let case = Case::otlp(receiver, options);
        through_an_outage(&case, sdk).await;
    }
}
