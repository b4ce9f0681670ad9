//! What the routes archive beside the primary, with the real extension, and what replay makes of it.

use std::collections::BTreeSet;
use std::time::Duration;

use backstop_simulator::Fault;
use backstop_simulator::traffic::{FunctionRecord, Traffic};
use backstop_tests::{Outcome, World, invocation};
use serde_json::Value;

use super::{id, json};

const LINES: usize = 20;
const HANDLER: Duration = Duration::from_millis(15);
const MIRRORED: &str = ".mirrored.ndjson.gz";

/// A few invocations under `mirror`, with S3 alone to archive in.
async fn mirrored(world: &World) -> Outcome {
    let environment = world
        .environment()
        .env("BACKSTOP_ROUTE", "mirror")
        .env("BACKSTOP_FALLBACK", "s3")
        .env("BACKSTOP_FLUSH_STRATEGY", "end")
        .start()
        .await
        .unwrap();
    let mut traffic = Traffic::new(200);
    for _ in 0..4 {
        let lines = invocation(&mut traffic, LINES, HANDLER);
        environment.invoke(lines).await.unwrap();
    }
    let outcome = world.settle(&environment, traffic.position()).await;
    let outcome = outcome.unwrap();
    outcome.assert_adds_up();
    assert!(outcome.missing().is_empty(), "{}", outcome.stderr());
    outcome
}

fn ids(lines: &[Value]) -> BTreeSet<String> {
    lines.iter().map(id).collect()
}

fn at_primary(world: &World) -> BTreeSet<String> {
    world.intake.records().into_keys().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_has_what_the_primary_has_and_replay_leaves_it_out() {
    let world = World::start().await.unwrap();
    let outcome = mirrored(&world).await;
    let archived = ids(&outcome.archived);
    assert_eq!(archived, at_primary(&world));
    assert_eq!(outcome.archived.len(), archived.len(), "each once");
    assert!(
        outcome.archived.iter().all(|it| it["route"] == "mirrored"),
        "{:?}",
        outcome.archived
    );
    assert_eq!(outcome.ledger("mirrored"), archived.len() as u64);
    let keys = world.s3.object_keys().unwrap();
    assert!(keys.iter().all(|it| it.ends_with(MIRRORED)), "{keys:?}");

    let state = tempfile::tempdir().unwrap();
    let from = format!("s3://{}/backstop", world.s3.bucket());
    let to = world.intake.url();
    let replay = ["replay", "--from", &from, "--to", &to];
    let replayed = json(&world, state.path(), &replay).await;
    assert_eq!(replayed["sent"], 0);
    assert_eq!(replayed["objectsFiltered"], keys.len());
    assert!(world.intake.records().values().all(|count| *count == 1));
    // To fill another primary.
    let all = [&replay[..], &["--include-mirrored"]].concat();
    let replayed = json(&world, state.path(), &all).await;
    assert_eq!(replayed["sent"], archived.len());
    assert!(world.intake.records().values().all(|count| *count == 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_outage_diverts_beside_a_mirror_is_replayed_once() {
    let world = World::start().await.unwrap();
    let down = Fault::Status(503);
    world.intake.set_fault(Some(down)).await.unwrap();
    let outcome = mirrored(&world).await;
    let copies = outcome.archived.iter().filter(|it| !it["route"].is_null());
    let diverted = outcome.archived.iter().filter(|it| it["route"].is_null());
    let diverted: Vec<Value> = diverted.cloned().collect();
    assert!(
        diverted
            .iter()
            .all(|it| it["diverted"]["reason"].is_string())
    );
    assert_eq!(copies.map(id).collect::<BTreeSet<_>>(), ids(&diverted));
    world.intake.set_fault(None).await.unwrap();

    let state = tempfile::tempdir().unwrap();
    let from = format!("s3://{}/backstop", world.s3.bucket());
    let to = world.intake.url();
    let replay = ["replay", "--from", &from, "--to", &to];
    let replayed = json(&world, state.path(), &replay).await;
    assert_eq!(replayed["sent"], diverted.len());
    assert_eq!(at_primary(&world), ids(&diverted));
    let replayed = json(&world, state.path(), &replay).await;
    assert_eq!(replayed["sent"], 0);
    assert!(world.intake.records().values().all(|count| *count == 1));
    // A copy is the record that was diverted: both are sent as one.
    let all = [&replay[..], &["--include-mirrored", "--include-replayed"]].concat();
    let replayed = json(&world, state.path(), &all).await;
    assert_eq!(replayed["sent"], diverted.len());
    assert_eq!(replayed["duplicates"], diverted.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_is_down_costs_the_primary_nothing() {
    for fault in [Fault::Status(503), Fault::Hang] {
        let world = World::start().await.unwrap();
        world.s3.set_fault(Some(fault)).await.unwrap();
        let outcome = mirrored(&world).await;
        assert!(outcome.archived.is_empty(), "{:?}", outcome.archived);
        let mirrored = outcome.ledger("mirrored");
        assert!(mirrored > 0);
        assert_eq!(
            outcome.dropped("shutdown"),
            mirrored,
            "{}",
            outcome.stderr()
        );
        assert_eq!(outcome.delivered("https"), mirrored, "{}", outcome.stderr());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_sample_the_archive_has_all_and_the_primary_what_the_transforms_leave() {
    let world = World::start().await.unwrap();
    world.intake.keep_lines(true);
    let environment = world
        .environment()
        .env("BACKSTOP_ROUTE", "sample")
        .env("BACKSTOP_FALLBACK", "s3")
        .env("BACKSTOP_TELEMETRY_TYPES", "function")
        .env("BACKSTOP_MIN_LEVEL", "info")
        .env("BACKSTOP_REDACT", "email")
        .env("BACKSTOP_SAMPLE", "0%")
        .env("BACKSTOP_SAMPLE_KEEP", "error")
        .samples_traces(false)
        .start()
        .await
        .unwrap();
    for number in 0..3 {
        let mut lines: Vec<FunctionRecord> = vec![
            format!("[DEBUG] detail of {number} for ann@example.com").into(),
            format!("[INFO] order {number}").into(),
        ];
        if number == 1 {
            lines.push("[ERROR] out of stock".into());
        }
        let invocation = backstop_simulator::Invocation {
            lines,
            duration: HANDLER,
            ..backstop_simulator::Invocation::default()
        };
        environment.invoke(invocation).await.unwrap();
    }
    let outcome = world.settle(&environment, 0).await.unwrap();
    outcome.assert_adds_up();
    let sent = world.intake.lines().join("\n");
    assert_eq!(world.intake.lines().len(), 2, "{sent}");
    for text in ["order 1", "out of stock"] {
        assert!(sent.contains(text), "{sent}");
    }
    let route = |text: &str| {
        let mut lines = outcome.archived.iter();
        let line = lines.find(|it| it["record"].as_str().unwrap_or_default().contains(text));
        line.unwrap_or_else(|| panic!("{text} is not archived"))["route"].clone()
    };
    assert_eq!(outcome.archived.len(), 7, "{:?}", outcome.archived);
    for (text, expected) in [
        ("detail of 1", "archived"),
        ("order 0", "archived"),
        ("order 1", "mirrored"),
        ("out of stock", "mirrored"),
    ] {
        assert_eq!(route(text), expected, "{text}");
    }
    let archived = serde_json::to_string(&outcome.archived).unwrap();
    assert!(!archived.contains("ann@example"), "{archived}");
    let [filtered, sampled] = ["filtered", "sampled"].map(|reason| outcome.dropped(reason));
    assert_eq!((filtered, sampled, outcome.ledger("mirrored")), (0, 0, 2));

    let state = tempfile::tempdir().unwrap();
    let from = format!("s3://{}/backstop", world.s3.bucket());
    let to = world.intake.url();
    let replayed = json(
        &world,
        state.path(),
        &["replay", "--from", &from, "--to", &to],
    )
    .await;
    assert_eq!(replayed["sent"], 0, "{replayed}");
}
