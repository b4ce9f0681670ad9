//! Metrics at Datadog: each value arrives as a distribution point, live or by a replay after an outage.

use std::collections::BTreeMap;

use backstop_simulator::traffic::{FunctionRecord, Traffic};
use backstop_simulator::{Dialect, Fault};
use backstop_tests::World;
use serde_json::json;

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
        assert!(tags.contains("functionname:"), "{id}");
        assert!(!tags.contains("faas.instance"), "{id}");
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
