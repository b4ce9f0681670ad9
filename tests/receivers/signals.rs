//! Metrics and spans of a real extension in real receivers: what invocations did, counted and drawn, through an
//! outage and a replay.

use std::collections::BTreeMap;
use std::time::Duration;

use backstop_simulator::traffic::Traffic;
use backstop_simulator::{Invocation, Outcome};
use backstop_tests::{World, invocation};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::server::{Kind, Server};
use super::{Case, HANDLER, PATIENCE, replay};

/// What the extension counts itself.
const RECEIVED: &str = "backstop.received";
/// That succeed; one more fails.
const INVOCATIONS: u32 = 5;
const SPANS: u32 = INVOCATIONS + 1;
const EMF: &str = r#"{"_aws":{"Timestamp":1767225600000,"CloudWatchMetrics":[{"Namespace":"Shop","Dimensions":[["Stage"]],"Metrics":[{"Name":"Orders","Unit":"Count"}]}]},"Stage":"prod","Orders":3}"#;

/// What a receiver holds: the sum of each metric, and the names of the spans with their number.
#[derive(Debug, Default, PartialEq)]
struct Held {
    sums: BTreeMap<String, f64>,
    counts: BTreeMap<String, u64>,
    spans: BTreeMap<String, u32>,
    exceptions: usize,
}

fn number(value: &Value) -> f64 {
    let text = value.as_str().and_then(|text| text.parse().ok());
    text.or_else(|| value.as_f64()).unwrap_or_default()
}

pub(super) fn elements<'a>(value: &'a Value, names: &[&str]) -> Vec<&'a Value> {
    names.iter().fold(vec![value], |all, name| {
        let inner = |it: &'a Value| it[*name].as_array().into_iter().flatten();
        all.into_iter().flat_map(inner).collect()
    })
}

fn collected(server: &Server) -> Held {
    let mut held = Held::default();
    let requests = |signal: &str| -> Vec<Value> {
        let text = server.stored_of(signal);
        // The last line may be half written.
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        lines.collect()
    };
    for request in requests("metrics") {
        for metric in elements(&request, &["resourceMetrics", "scopeMetrics", "metrics"]) {
            let name = metric["name"].as_str().unwrap_or_default();
            for point in elements(&metric["sum"], &["dataPoints"]) {
                *held.sums.entry(name.to_owned()).or_default() += number(&point["asDouble"]);
            }
            for point in elements(&metric["histogram"], &["dataPoints"]) {
                let count = number(&point["count"]).to_string();
                *held.counts.entry(name.to_owned()).or_default() +=
                    count.parse::<u64>().unwrap_or_default();
            }
        }
    }
    for request in requests("traces") {
        for span in elements(&request, &["resourceSpans", "scopeSpans", "spans"]) {
            let name = span["name"].as_str().unwrap_or_default();
            *held.spans.entry(name.to_owned()).or_default() += 1;
        }
    }
    for request in requests("logs") {
        let logs = elements(&request, &["resourceLogs", "scopeLogs", "logRecords"]);
        let is_exception = |log: &&&Value| log["eventName"] == "faas.invocation.exception";
        held.exceptions += logs.iter().filter(is_exception).count();
    }
    held
}

/// What Rotel prints of each metric and span: it proves that both were taken, field by field.
fn printed(server: &Server) -> Held {
    let mut held = Held::default();
    let mut metric = String::new();
    for line in server.stored_of("").lines().map(str::trim) {
        let (name, value) = line
            .split_once(": ")
            .unwrap_or((line.trim_start_matches("-> "), ""));
        match name.trim_start_matches("-> ").trim_end() {
            "Name" if line.starts_with("->") => value.clone_into(&mut metric),
            "Value" => {
                *held.sums.entry(metric.clone()).or_default() += value.parse().unwrap_or(0.0);
            }
            "Count" => {
                *held.counts.entry(metric.clone()).or_default() += value.parse().unwrap_or(0);
            }
            "Name" => *held.spans.entry(value.to_owned()).or_default() += 1,
            "exception.type" => held.exceptions += 1,
            _ => {}
        }
    }
    held
}

async fn live(world: &World, server: &Server, case: &Case) -> backstop_tests::Outcome {
    let environment = world
        .environment()
        .env("BACKSTOP_PRIMARY_URL", server.url(case.path))
        .env("BACKSTOP_PRIMARY_FORMAT", case.format)
        .env("BACKSTOP_PRIMARY_OPTIONS", case.options)
        .env("BACKSTOP_FIREHOSE_STREAM", "")
        .timeout(Duration::from_mins(1))
        .env("BACKSTOP_MAX_ADDED_MS", "10000")
        .env("BACKSTOP_PRIMARY_TIMEOUT_MS", "10000")
        .env("BACKSTOP_FLUSH_STRATEGY", "end")
        .env("BACKSTOP_METRICS", "otlp")
        .start()
        .await
        .unwrap();
    let mut traffic = Traffic::new(300);
    for _ in 1..INVOCATIONS {
        let lines = invocation(&mut traffic, 20, HANDLER);
        environment.invoke(lines).await.unwrap();
    }
    environment.emit_raw(format!(
        r#"{{"time":"{}","type":"function","record":{EMF}}}"#,
        super::now()
    ));
    for outcome in [Outcome::Success, Outcome::Error] {
        let invocation = Invocation {
            duration: HANDLER,
            outcome,
            ..Invocation::default()
        };
        environment.invoke(invocation).await.unwrap();
    }
    world
        .settle(&environment, 20 * (u64::from(INVOCATIONS) - 1))
        .await
        .unwrap()
}

/// What the archive holds of derived records, by their type.
fn archived(outcome: &backstop_tests::Outcome) -> BTreeMap<String, u32> {
    let mut types = BTreeMap::new();
    for line in &outcome.archived {
        let kind = line["type"].as_str().unwrap_or_default();
        if kind.starts_with("derived.") {
            *types.entry(kind.to_owned()).or_default() += 1;
        }
    }
    types
}

/// What a receiver holds, once it has all of this many lives, or after the longest wait.
async fn holds(server: &Server, kind: Kind, lives: u32) -> Held {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let held = match kind {
            Kind::Rotel => printed(server),
            _ => collected(server),
        };
        let counted = held.sums.get("faas.invocations").copied();
        let drawn = held.spans.get("orders").copied().unwrap_or_default();
        let has_all = counted.unwrap_or_default() >= f64::from(lives * INVOCATIONS)
            && drawn >= lives * SPANS
            && held.exceptions >= lives as usize
            && held.sums.contains_key(RECEIVED);
        if has_all || Instant::now() > deadline {
            return held;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

async fn through_an_outage(case: &Case) -> Value {
    let world = World::start().await.unwrap();
    let mut server = Server::new(case.receiver);
    server.start().await;
    let healthy = live(&world, &server, case).await;
    healthy.assert_adds_up();
    assert_eq!(healthy.delivered("s3"), 0, "{case:?}\n{}", healthy.stderr());
    assert!(
        healthy.ledger("derived") > 0,
        "{case:?}\n{}",
        healthy.stderr()
    );
    let all = f64::from(INVOCATIONS);
    let held = holds(&server, case.receiver, 1).await;
    assert_eq!(
        held.sums.get("faas.invocations"),
        Some(&all),
        "{case:?} {held:?}"
    );
    assert_eq!(
        held.sums.get("Shop.Orders"),
        Some(&3.0),
        "{case:?} {held:?}"
    );
    // In JSON Rotel reads the counts of a histogram only as numbers, which OTLP's JSON has as text, and drops the
    // whole point without a word.
    if (case.receiver, case.options) != (Kind::Rotel, "encoding=json") {
        assert_eq!(
            held.counts.get("faas.invoke_duration"),
            Some(&(u64::from(SPANS))),
            "{case:?} {held:?}"
        );
    }
    // The extension's own counts, up to its last flush.
    let lines = 20.0 * (all - 1.0);
    let received = held.sums.get(RECEIVED).copied().unwrap_or_default();
    assert!(received >= lines, "{case:?} {held:?}");
    assert_eq!(held.spans.get("orders"), Some(&SPANS), "{case:?} {held:?}");
    assert_eq!(held.spans.get("init"), Some(&1), "{case:?} {held:?}");
    assert_eq!(
        held.sums.get("faas.errors"),
        Some(&1.0),
        "{case:?} {held:?}"
    );
    assert_eq!(held.exceptions, 1, "{case:?} {held:?}");

    server.stop();
    let down = live(&world, &server, case).await;
    down.assert_adds_up();
    assert_eq!(down.delivered("https"), 0, "{case:?}\n{}", down.stderr());
    let kept = archived(&down);
    assert_eq!(kept.get("derived.spans"), Some(&SPANS), "{kept:?}");
    server.start().await;
    let replayed = replay(&world, &server, case, "logs,metrics,traces").await;
    assert_eq!(
        replayed["sent"],
        down.delivered("s3"),
        "{case:?} {replayed}"
    );
    let held = holds(&server, case.receiver, 2).await;
    assert_eq!(
        held.sums.get("faas.invocations"),
        Some(&(2.0 * all)),
        "{case:?} {held:?}"
    );
    assert_eq!(
        held.sums.get("Shop.Orders"),
        Some(&6.0),
        "{case:?} {held:?}"
    );
    assert_eq!(
        held.spans.get("orders"),
        Some(&(2 * SPANS)),
        "{case:?} {held:?}"
    );
    json!({
        "options": case.options, "receiver": format!("{:?}", case.receiver),
        "metrics": held.sums.len() + held.counts.len(),
        "invocations": held.sums["faas.invocations"], "spans": held.spans.values().sum::<u32>(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_and_spans_are_stored_once_through_an_outage_and_a_replay() {
    drop(rustls::crypto::ring::default_provider().install_default());
    for (receiver, options) in [
        (Kind::Rotel, ""),
        (Kind::Rotel, "encoding=json"),
        (Kind::Collector, ""),
        (Kind::Collector, "encoding=json"),
    ] {
        if receiver == Kind::Collector && receiver.place().is_none() {
            continue;
        }
        let case = Case::otlp(receiver, options);
        let row = through_an_outage(&case).await;
        println!("{row}");
    }
}
