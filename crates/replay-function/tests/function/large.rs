//! An object that one invocation has no time for.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::stage::{Stage, line};

#[tokio::test(flavor = "multi_thread")]
async fn a_large_object_goes_on_where_the_invocation_before_had_to_stop() {
    let stage = Stage::set(&[("BACKSTOP_REPLAY_RATE", "3MB")]).await;
    let text = "x".repeat(4000);
    let (mut object, mut ids) = (String::new(), BTreeSet::new());
    for record in 0..9000 {
        let id = format!("large-{record}");
        writeln!(object, "{}", line(&id, &text)).unwrap();
        ids.insert(id);
    }
    let key = "backstop/v1/account=1/region=r/function=f/dt=2026-01-31/hour=08/large.ndjson";
    stage.put(key, object.as_bytes());
    assert!(object.len() > 32 * 1024 * 1024);
    stage.cloud.put(&stage.message(key));
    // Four seconds a turn: the first ones must stop in the middle.
    let mut turns = 0;
    while !stage.cloud.waiting().is_empty() {
        if stage.cloud.poll(1, 6000).await {
            turns += 1;
            assert!(turns < 60);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(turns > 1, "the object was to take more than one invocation");
    assert!(stage.cloud.dead_letters().is_empty());
    stage.assert_once(&ids);
    assert!(
        stage.peak_memory() < 120 * 1024,
        "{} KiB",
        stage.peak_memory()
    );
    let keys = stage.s3.object_keys().unwrap();
    let kept = keys.iter().filter(|key| key.contains("/segment-"));
    assert_eq!(kept.count(), 0, "the checkpoint is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_smaller_object_that_has_no_time_in_one_invocation_gets_on_in_each() {
    let stage = Stage::set(&[("BACKSTOP_REPLAY_RATE", "1MB")]).await;
    let text = "x".repeat(4000);
    let (mut object, mut ids) = (String::new(), BTreeSet::new());
    for record in 0..3000 {
        let id = format!("r-{record}");
        writeln!(object, "{}", line(&id, &text)).unwrap();
        ids.insert(id);
    }
    let key = "backstop/v1/account=1/region=r/function=f/dt=2026-01-31/hour=08/slow.ndjson";
    stage.put(key, object.as_bytes());
    assert!(object.len() < 32 * 1024 * 1024);
    stage.cloud.put(&stage.message(key));
    let mut turns = 0;
    while !stage.cloud.waiting().is_empty() {
        if stage.cloud.poll(1, 6000).await {
            turns += 1;
            assert!(
                turns < 12,
                "{} records are there",
                stage.intake.record_count()
            );
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(turns > 2 && stage.cloud.dead_letters().is_empty());
    // Only what the first invocation sent, which wrote nothing down, is sent twice.
    stage.assert_all_at_primary(&ids);
    let records = stage.intake.records();
    assert!(records.values().all(|count| *count <= 2));
}
