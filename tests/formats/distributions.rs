//! Metrics at Datadog: each value arrives as a distribution point, and each point that the function posts as OTLP, live
//! or by a replay after an outage.

use std::collections::BTreeMap;

use backstop_simulator::Invocation;
use backstop_simulator::traffic::{FunctionRecord, Traffic};
use backstop_simulator::{Dialect, Fault};
use backstop_tests::{Outcome, World};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::live;

const EMF: u64 = 3;

/// Plain lines, and some in the embedded metric format.
fn lines() -> Vec<FunctionRecord> {
    let mut lines = Traffic::plain(100).records(5);
    for index in 0..EMF {
        let line = json!({
            "_aws": {"CloudWatchMetrics": [{
                "Namespace": "shop", "Dimensions": [["tier"]], "Metrics": [{"Name": "paid", "Unit": "Count"}],
            }]},
            "tier": "gold, red", "paid": index,
        });
        // Without a time of its own it has that of its event.
        lines.push(FunctionRecord::from(line.to_string()));
    }
    lines
}

/// How many values each metric got, without its tags.
fn values(world: &World) -> BTreeMap<String, u32> {
    let records = world.intake.records();
    let metrics = records.iter().filter_map(|(id, count)| {
        let (metric, tags) = id.split_once('{')?;
        if metric.starts_with("sdk.") {
            // Points of the same second overwrite each other but for these tags.
            assert!(
                tags.contains("faas.name:orders") && tags.contains("faas.instance:"),
                "{id}"
            );
        } else {
            assert!(tags.contains("functionname:"), "{id}");
            assert!(!tags.contains("faas.instance"), "{id}");
        }
        Some((metric.to_owned(), *count))
    });
    metrics.collect()
}

#[track_caller]
fn assert_all_values(world: &World, stderr: &str) {
    let values = values(world);
    for (metric, count) in [
        ("aws.lambda.enhanced.invocations", 1),
        ("aws.lambda.enhanced.runtime_duration", 1),
        ("aws.lambda.enhanced.duration", 1),
        ("aws.lambda.enhanced.billed_duration", 1),
        ("aws.lambda.enhanced.memorysize", 1),
        ("shop.paid", 3),
    ] {
        assert_eq!(
            values.get(metric),
            Some(&count),
            "{metric} {values:?}\n{stderr}"
        );
    }
    assert!(
        !values.contains_key("aws.lambda.enhanced.errors"),
        "{values:?}"
    );
    let records = world.intake.records();
    let paid = records.keys().find(|id| id.starts_with("shop.paid"));
    assert!(
        paid.is_some_and(|id| id.contains("tier:gold_ red")),
        "{paid:?}"
    );
    let refusals = world.intake.refusals();
    assert!(refusals.is_empty(), "{refusals:?}\n{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_value_is_a_distribution_point_live_and_after_an_outage() {
    let variables = [("BACKSTOP_SIGNALS", "logs,metrics")];
    for is_down in [false, true] {
        let world = World::start_speaking(Dialect::Datadog).await.unwrap();
        let fault = is_down.then_some(Fault::Status(503));
        world.intake.set_fault(fault).await.unwrap();
        let outcome = live(&world, lines(), &variables).await;
        let stderr = outcome.stderr();
        outcome.assert_adds_up();
        assert_eq!(outcome.ledger("dead_letters"), 0, "{stderr}");
        if is_down {
            assert_eq!(world.intake.record_count(), 0, "{stderr}");
            world.intake.set_fault(None).await.unwrap();
            let token = Dialect::Datadog.token();
            let signals = "logs,metrics";
            let (summary, code) = crate::replay_of(&world, Dialect::Datadog, token, signals).await;
            assert_eq!((&summary["rejected"], code), (&0.into(), 0), "{summary}");
        }
        assert_all_values(&world, &stderr);
    }
}

/// A request of the function's SDK, with the temporality that Datadog takes and with that which SDKs have by default.
fn posted(now_ms: u128) -> Value {
    let time = format!("{now_ms}000000");
    let point = json!({"timeUnixNano": time, "asInt": "7"});
    let sum = |temporality: u8| json!({"dataPoints": [point], "aggregationTemporality": temporality, "isMonotonic": true});
    let histogram = json!({"aggregationTemporality": 1, "dataPoints": [{
        "timeUnixNano": time, "count": "2", "sum": 3.5, "bucketCounts": ["1", "1"], "explicitBounds": [1.0],
    }]});
    json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [
        {"name": "sdk.depth", "gauge": {"dataPoints": [point]}},
        {"name": "sdk.orders", "sum": sum(1)},
        {"name": "sdk.latency", "histogram": histogram},
        {"name": "sdk.forever", "sum": sum(2)},
    ]}]}]})
}

/// One invocation with these metrics posted before it.
async fn live_with_posted(world: &World) -> Outcome {
    let environment = world
        .environment()
        .env("BACKSTOP_FIREHOSE_STREAM", "")
        .env("BACKSTOP_SIGNALS", "logs,metrics")
        .env("BACKSTOP_OTLP_RECEIVER", "true")
        .env("BACKSTOP_MAX_ADDED_MS", "10000")
        .env("BACKSTOP_FLUSH_STRATEGY", "end")
        .start()
        .await
        .unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let body = posted(now.as_millis()).to_string();
    let request = format!(
        "POST /v1/metrics HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect("127.0.0.1:4318").await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    environment.invoke(Invocation::default()).await.unwrap();
    world.settle(&environment, 0).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_function_posts_arrives_as_otlp_and_what_datadog_refuses_is_archived() {
    for is_down in [false, true] {
        let world = World::start_speaking(Dialect::Datadog).await.unwrap();
        let fault = is_down.then_some(Fault::Status(503));
        world.intake.set_fault(fault).await.unwrap();
        let outcome = live_with_posted(&world).await;
        let stderr = outcome.stderr();
        outcome.assert_adds_up();
        let dead_letters = outcome.ledger("dead_letters");
        assert_eq!(dead_letters, 1, "the cumulative one\n{stderr}");
        if is_down {
            world.intake.set_fault(None).await.unwrap();
            let token = Dialect::Datadog.token();
            let signals = "logs,metrics";
            let (summary, _) = crate::replay_of(&world, Dialect::Datadog, token, signals).await;
            assert_eq!(summary["rejected"], 1, "it is one still: {summary}");
        }
        let refusals = world.intake.refusals();
        assert!(refusals.is_empty(), "{refusals:?}\n{stderr}");
        let values = values(&world);
        for metric in ["sdk.depth", "sdk.orders", "sdk.latency"] {
            assert_eq!(
                values.get(metric),
                Some(&1),
                "{metric} {values:?}\n{stderr}"
            );
        }
        assert!(!values.contains_key("sdk.forever"), "{values:?}");
        let invocations = values.get("aws.lambda.enhanced.invocations");
        assert_eq!(
            invocations,
            Some(&1),
            "the others go where they went: {values:?}"
        );
        let archived = outcome.archived.iter();
        let kept = archived.filter(|line| line["record"].to_string().contains("sdk.forever"));
        assert_eq!(kept.count(), 1, "{stderr}");
    }
}
