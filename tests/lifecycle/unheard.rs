//! A platform whose `platform.runtimeDone` is not wanted, never comes, or comes at another time: no
//! invocation is held for it.

use serde_json::json;

use backstop_simulator::traffic::Traffic;
use backstop_tests::{World, invocation};

use crate::HANDLER;
use crate::played::{Platform, Setup, event, runtime_done};

#[tokio::test(flavor = "multi_thread")]
async fn platform_events_are_heard_whatever_is_wanted_and_only_that_is_delivered() {
    for (wanted, subscribed, unwanted) in [
        ("function", vec!["function", "platform"], "platform"),
        (
            "function,extension",
            vec!["function", "extension", "platform"],
            "platform",
        ),
        ("extension", vec!["extension", "platform"], "platform"),
        ("platform", vec!["platform"], "nothing"),
    ] {
        let world = World::start().await.unwrap();
        world.intake.keep_lines(true);
        let environment = world
            .environment()
            .env("BACKSTOP_TELEMETRY_TYPES", wanted)
            .start()
            .await
            .unwrap();
        assert_eq!(environment.subscription().unwrap().types, subscribed);
        let mut traffic = Traffic::new(200);
        for _ in 0..3 {
            let report = environment
                .invoke(invocation(&mut traffic, 10, HANDLER))
                .await
                .unwrap();
            assert!(!report.overran, "{wanted}: held to the deadline");
        }
        let emitted = if wanted.contains("function") { 30 } else { 0 };
        let outcome = world.settle(&environment, emitted).await.unwrap();
        let ledger = outcome.report.ledger.as_ref().unwrap();
        assert_eq!(ledger["received"], environment.telemetry().acknowledged);
        let not_asked = ledger["dropped"]["not_asked"].as_u64().unwrap_or_default();
        assert_eq!(not_asked > 0, unwanted == "platform", "{wanted}: {ledger}");
        for line in world.intake.lines() {
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            let kind = line["type"].as_str().unwrap();
            let kind = kind.split('.').next().unwrap();
            assert!(wanted.contains(kind), "{wanted}: {line}");
        }
    }
}

#[tokio::test]
async fn a_platform_that_refuses_its_own_events_gets_what_was_asked_for() {
    let setup = Setup {
        variables: &[("BACKSTOP_TELEMETRY_TYPES", "function")],
        refused_type: Some("platform"),
        ..Setup::default()
    };
    let mut platform = Platform::start(setup).await;
    assert_eq!(platform.types(), json!(["function"]));
    for nexts in 2..5 {
        platform.invoke().await;
        assert!(platform.post(&[event("function", &json!("a line"))]).await);
        platform.ready(nexts).await;
    }
    platform.shut_down(None).await;
    let (_, ledger, stderr) = platform.end().await;
    assert_eq!(ledger["delivered"]["https"], 3, "{stderr}");
}

/// The deadline is ten minutes away: an invocation that is held for it fails the test.
#[tokio::test]
async fn without_news_of_the_runtimes_end_no_invocation_is_held_to_its_deadline() {
    for strategy in ["auto", "end", "periodic", "continuous"] {
        let setup = Setup {
            variables: &[("BACKSTOP_FLUSH_STRATEGY", strategy)],
            ..Setup::default()
        };
        let mut platform = Platform::start(setup).await;
        for nexts in 2..5 {
            platform.invoke().await;
            platform.post(&[event("function", &json!("a line"))]).await;
            platform.ready(nexts).await;
        }
        platform.shut_down(None).await;
        let (_, ledger, stderr) = platform.end().await;
        assert_eq!(ledger["delivered"]["https"], 3, "{strategy}: {stderr}");
    }
}

#[tokio::test]
async fn news_of_the_runtimes_end_may_come_first_or_twice_or_under_another_id() {
    let mut platform = Platform::start(Setup {
        variables: &[("BACKSTOP_FLUSH_STRATEGY", "end")],
        ..Setup::default()
    })
    .await;
    let start = event("platform.initReport", &json!({}));
    assert!(platform.post(&[start]).await);

    let first = platform.next_request_id();
    assert!(platform.post(&[runtime_done(&first)]).await);
    platform.invoke().await;
    platform.ready(2).await;

    let second = platform.invoke().await;
    assert!(platform.post(&[runtime_done(&second)]).await);
    platform.ready(3).await;
    assert!(platform.post(&[runtime_done(&second)]).await);

    // Before its INVOKE, an event under another id is about nothing: it is posted again until INVOKE has arrived.
    platform.invoke().await;
    platform
        .post_until_ready(&[runtime_done("another")], 4)
        .await;

    platform.shut_down(None).await;
    let (_, ledger, stderr) = platform.end().await;
    assert_eq!(ledger["received"], platform_events(&ledger), "{stderr}");
}

/// Everything that is in the ledger was delivered.
fn platform_events(ledger: &serde_json::Value) -> u64 {
    ledger["delivered"]["https"].as_u64().unwrap()
}
