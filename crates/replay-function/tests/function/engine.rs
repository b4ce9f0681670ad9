//! An outage, the probe, and the queue.

use std::time::Duration;

use backstop_archive::Moment;
use backstop_simulator::Fault;
use serde_json::json;

use crate::stage::{Stage, key, line};

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_replayed_once_when_the_primary_is_back_and_not_again() {
    let stage = Stage::set(&[]).await;
    let ids = stage.archive(0..40, 25);
    stage
        .intake
        .set_fault(Some(Fault::Status(503)))
        .await
        .unwrap();
    let down = stage.mode("probe").await;
    assert_eq!(down["outcome"], "down", "{down}");
    assert_eq!(down["unreplayed"], 40, "{down}");
    assert!(stage.cloud.waiting().is_empty());
    assert_eq!(stage.intake.record_count(), 0);

    stage.intake.set_fault(None).await.unwrap();
    let begun = stage.mode("probe").await;
    assert_eq!(begun["outcome"], "enqueued", "{begun}");
    assert_eq!(begun["objects"], 40, "{begun}");
    // While the queue is not empty, no second run begins.
    let running = stage.mode("probe").await;
    assert_eq!(running["outcome"], "running", "{running}");
    stage.pump(5).await;
    stage.assert_once(&ids);
    assert!(stage.cloud.dead_letters().is_empty());
    let tags = stage.s3.tags();
    assert_eq!(tags.len(), 40, "{tags:?}");

    let requests = stage.intake.deliveries().len();
    let second = stage.mode("probe").await;
    assert_eq!(second["outcome"], "nothing", "{second}");
    assert!(stage.cloud.waiting().is_empty());
    assert_eq!(stage.intake.deliveries().len(), requests);

    // What comes later is found, and nothing else.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let late = stage.archive(40..42, 25);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let third = stage.mode("probe").await;
    assert_eq!(third["objects"], 2, "{third}");
    stage.pump(5).await;
    stage.assert_once(&ids.union(&late).cloned().collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_has_a_cap_and_the_next_one_goes_on_behind_it() {
    let stage = Stage::set(&[("BACKSTOP_REPLAY_MAX_OBJECTS", "7")]).await;
    let ids = stage.archive(0..20, 2);
    for (objects, is_limited) in [(7, true), (7, true), (6, false)] {
        let run = stage.mode("probe").await;
        assert_eq!(
            (&run["objects"], &run["isLimited"]),
            (&json!(objects), &json!(is_limited)),
            "{run}"
        );
        stage.pump(10).await;
    }
    stage.assert_once(&ids);
    assert_eq!(stage.mode("probe").await["outcome"], "nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_written_late_under_the_key_of_an_old_hour_is_found() {
    let stage = Stage::set(&[]).await;
    let first = stage.archive(0..1, 1);
    assert_eq!(stage.mode("probe").await["objects"], 1);
    stage.pump(5).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    // An environment was frozen with it for ten days.
    let written = Moment(backstop_common::time::now_ms() - 10 * 24 * 3_600_000).to_string();
    let hour = format!("dt={}/hour={}", &written[..10], &written[11..13]);
    let late = format!("backstop/v1/account=1/region=r/function=f/{hour}/late.ndjson");
    stage.put(&late, format!("{}\n", line("late", "x")).as_bytes());
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(stage.mode("probe").await["objects"], 1);
    stage.pump(5).await;
    let mut ids = first;
    ids.insert("late".to_owned());
    stage.assert_once(&ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_goes_on_behind_the_last_key_and_does_not_begin_again() {
    let stage = Stage::set(&[("BACKSTOP_REPLAY_MAX_OBJECTS", "4")]).await;
    stage.archive(0..10, 1);
    assert_eq!(stage.mode("probe").await["isLimited"], true);
    stage.pump(5).await;
    let before = stage.s3.asked().len();
    assert_eq!(stage.mode("probe").await["isLimited"], true);
    let asked = stage.s3.asked().split_off(before);
    let listings = asked
        .iter()
        .filter(|it| it.contains("v1%2F") && it.contains("list-type"));
    let (mut count, mut is_behind) = (0, true);
    for listing in listings {
        count += 1;
        is_behind &= listing.contains("start-after");
    }
    assert!(count > 0 && is_behind, "{asked:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_shares_what_becomes_of_its_object() {
    let stage = Stage::set(&[]).await;
    let ids = stage.archive(0..2, 2);
    stage.intake.refuse_lines_with(Some((503, "r0-")));
    for object in [0, 0, 1] {
        stage.cloud.put(&stage.message(&key(object)));
    }
    // The first turn fails for both messages of the object: neither is deleted, or buried alone.
    assert!(stage.cloud.poll(3, crate::stage::MINUTE).await);
    assert_eq!(stage.cloud.waiting().len(), 2);
    assert!(stage.cloud.dead_letters().is_empty());
    let said = format!("{:?}", stage.log());
    let reason = "the primary did not take 2 of its records: server_error (status 503)";
    assert!(said.contains(reason), "{said}");
    stage.intake.refuse_lines_with(None);
    stage.pump(3).await;
    stage.assert_once(&ids);
    assert!(stage.cloud.dead_letters().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_key_that_s3_calls_denied_is_missing() {
    let stage = Stage::set(&[]).await;
    let ids = stage.archive(0..2, 1);
    stage.s3.hide_missing();
    for object in [0, 1, 99] {
        stage.cloud.put(&stage.message(&key(object)));
    }
    stage.pump(3).await;
    stage.assert_once(&ids);
    assert!(stage.cloud.is_on() && stage.cloud.dead_letters().is_empty());
    assert_eq!(stage.mode("probe").await["outcome"], "enqueued");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_cannot_be_used_is_an_error_and_a_held_one_is_said() {
    let stage = Stage::set(&[]).await;
    let lease = "backstop/replay/lease.json";
    stage.put(lease, b"not a lease");
    let error = stage.invoke(json!({ "mode": "probe" }), crate::stage::MINUTE);
    let error = error.await.unwrap_err();
    let message = error["errorMessage"].as_str().unwrap();
    assert!(
        message.contains("the probe's lease cannot be taken"),
        "{error}"
    );
    let held = json!({ "owner": "another", "writer": "w", "expiresAt": "2099-01-01T00:00:00Z" });
    stage.put(lease, held.to_string().as_bytes());
    let busy = stage.mode("probe").await;
    assert_eq!(busy["outcome"], "busy", "{busy}");
    let log = stage.log();
    assert!(log[0]["probe"]["error"].is_string(), "{}", log[0]);
    assert_eq!(log[1]["probe"]["outcome"], "busy");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_come_again_change_nothing() {
    let stage = Stage::set(&[]).await;
    let ids = stage.archive(0..10, 5);
    for _ in 0..3 {
        for object in 0..10 {
            stage.cloud.put(&stage.message(&key(object)));
            stage.cloud.put(&stage.message(&key(object)));
        }
        stage.pump(10).await;
        stage.assert_once(&ids);
    }
    assert!(stage.cloud.dead_letters().is_empty());
    // One that is not there any more was replayed, as a rule.
    stage.cloud.put(&stage.message(&key(99)));
    stage.pump(10).await;
    assert!(stage.cloud.dead_letters().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_killed_anywhere_loses_nothing() {
    let mut stage = Stage::set(&[]).await;
    let ids = stage.archive(0..60, 20);
    for object in 0..60 {
        stage.cloud.put(&stage.message(&key(object)));
    }
    stage
        .intake
        .set_fault(Some(Fault::Slow(Duration::from_millis(20))))
        .await
        .unwrap();
    let mut seed = 7_u64;
    for _ in 0..12 {
        // A small generator: the moments differ, and are the same in each run.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let moment = Duration::from_millis(30 + (seed >> 33) % 300);
        let cloud = stage.cloud.clone();
        let polling = tokio::spawn(async move {
            while !cloud.waiting().is_empty() {
                if !cloud.poll(5, crate::stage::MINUTE).await {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        });
        tokio::time::sleep(moment).await;
        stage.kill().await;
        polling.abort();
        stage.restart();
    }
    stage.intake.set_fault(None).await.unwrap();
    stage.pump(5).await;
    stage.assert_all_at_primary(&ids);
    assert!(
        stage.cloud.dead_letters().is_empty(),
        "{:?}",
        stage.cloud.dead_letters()
    );
    // A repetition is the same request under the same key.
    let mut keys = std::collections::BTreeMap::new();
    for (key, status) in stage.intake.deliveries() {
        if status == 200 {
            *keys.entry(key.unwrap()).or_insert(0) += 1;
        }
    }
    assert_eq!(keys.len(), 60, "an object makes one request, however often");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_objects_are_replayed_and_each_record_once() {
    let stage = Stage::set(&[("BACKSTOP_REPLAY_CONCURRENCY", "16")]).await;
    let ids = stage.archive(0..10_000, 1);
    let begun = stage.mode("probe").await;
    assert_eq!(begun["objects"], 10_000, "{begun}");
    stage.pump(100).await;
    stage.assert_once(&ids);
    assert_eq!(stage.s3.tags().len(), 10_000);
    assert!(
        stage.peak_memory() < 200 * 1024,
        "{} KiB",
        stage.peak_memory()
    );
    assert_eq!(stage.mode("probe").await["outcome"], "nothing");
}
