//! The record of patterns, with the real extension: whatever is dropped, sampled or diverted.

use std::time::Duration;

use backstop_simulator::traffic::FunctionRecord;
use backstop_simulator::{Fault, Invocation};
use backstop_tests::{Outcome, World};
use serde_json::{Value, json};

use super::json;

const INSIGHTS: &str = "derived.insights";

/// Six lines an invocation, of which the transforms leave none.
async fn insights(world: &World, route: &str) -> Outcome {
    let environment = world
        .environment()
        .env("BACKSTOP_INSIGHTS", "true")
        .env("BACKSTOP_ROUTE", route)
        .env("BACKSTOP_FALLBACK", "s3")
        .env("BACKSTOP_MIN_LEVEL", "warn")
        .env("BACKSTOP_SAMPLE", "0%")
        .env("BACKSTOP_SAMPLE_KEEP", "none")
        .env("BACKSTOP_DEDUPE", "true")
        .env("BACKSTOP_REDACT", "customer=/Ann [A-Z][a-z]+/")
        .env("BACKSTOP_TELEMETRY_TYPES", "function")
        .samples_traces(false)
        .start()
        .await
        .unwrap();
    for number in 0..5 {
        let mut lines: Vec<FunctionRecord> = (0..3)
            .map(|line| format!("[INFO] order {number}{line} placed").into())
            .collect();
        lines.push(json!({"level": "debug", "msg": format!("cache miss {number}")}).into());
        lines.push("[WARN] slow backend".into());
        lines.push(format!("[INFO] Ann Lee bought {number}").into());
        let invocation = Invocation {
            lines,
            duration: Duration::from_millis(15),
            ..Invocation::default()
        };
        environment.invoke(invocation).await.unwrap();
    }
    let outcome = world.settle(&environment, 0).await.unwrap();
    outcome.assert_adds_up();
    outcome
}

/// What the one record of a list says.
fn check(lines: &[Value], outcome: &Outcome) {
    let [line] = lines else {
        panic!("{lines:?}\n{}", outcome.stderr());
    };
    assert!(line["id"].is_string(), "{line}");
    let record = &line["record"];
    assert_eq!(
        (&record["lines"], &record["errors"]),
        (&30.into(), &0.into())
    );
    let patterns = record["patterns"].as_array().unwrap();
    let mut counts: Vec<(String, u64)> = patterns
        .iter()
        .map(|it| {
            (
                it["template"].as_str().unwrap().to_owned(),
                it["lines"].as_u64().unwrap(),
            )
        })
        .collect();
    counts.sort();
    let expected = [
        ("[INFO] [redacted:customer] bought <n>", 5),
        ("[INFO] order <n> placed", 15),
        ("[WARN] slow backend", 5),
        ("cache miss <n>", 5),
    ];
    let expected = expected.map(|(template, lines)| (template.to_owned(), lines));
    assert_eq!(counts, expected);
    assert_eq!(outcome.ledger("derived"), 1, "{}", outcome.stderr());
}

fn of_kind(lines: &[Value]) -> Vec<Value> {
    let lines = lines.iter().filter(|line| line["type"] == INSIGHTS);
    lines.cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_of_lines_that_no_transform_leaves_reach_the_primary() {
    let world = World::start().await.unwrap();
    world.intake.keep_lines(true);
    let outcome = insights(&world, "failover").await;
    let sent: Vec<Value> = (world.intake.lines().iter())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(sent.len(), 1, "{sent:?}");
    check(&of_kind(&sent), &outcome);
    assert_eq!(outcome.dropped("filtered"), 25, "{}", outcome.stderr());
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_are_archived_in_an_outage_and_replayed_beside_any_route() {
    for route in ["failover", "mirror", "sample"] {
        let world = World::start().await.unwrap();
        let down = Fault::Status(503);
        world.intake.set_fault(Some(down)).await.unwrap();
        let outcome = insights(&world, route).await;
        let archived = of_kind(&outcome.archived);
        let diverted = archived.iter().filter(|it| it["diverted"].is_object());
        check(&diverted.cloned().collect::<Vec<_>>(), &outcome);
        let copies = archived
            .iter()
            .filter(|it| it["route"] == "mirrored")
            .count();
        assert_eq!(copies, usize::from(route != "failover"), "{archived:?}");
        world.intake.set_fault(None).await.unwrap();
        let state = tempfile::tempdir().unwrap();
        let from = format!("s3://{}/backstop", world.s3.bucket());
        let to = world.intake.url();
        let replayed = json(
            &world,
            state.path(),
            &["replay", "--from", &from, "--to", &to],
        )
        .await;
        assert_eq!(replayed["sent"], 1, "{replayed}");
    }
}
