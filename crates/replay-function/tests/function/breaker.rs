//! A primary that refuses, or is down, costs no message its place.

use std::time::Duration;

use backstop_simulator::{Fault, SecretServer};
use serde_json::json;

use crate::stage::{MARKER, MINUTE, Stage, key, line, marker};

fn enqueue(stage: &Stage, objects: usize) {
    for object in 0..objects {
        stage.cloud.put(&stage.message(&key(object)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_stops_the_mapping_and_no_message_is_lost_or_buried() {
    let mut stage = Stage::set(&[("BACKSTOP_PRIMARY_TOKEN", "old")]).await;
    let ids = stage.archive(0..50, 4);
    stage
        .intake
        .require_header(Some(("authorization", "Bearer new")));
    enqueue(&stage, 50);
    stage.pump(5).await;
    assert!(!stage.cloud.is_on());
    let halted = marker(&stage).unwrap();
    let reason = halted["reason"].as_str().unwrap();
    assert!(reason.contains("rejected the credentials"), "{halted}");
    assert!(!halted.to_string().contains("old"), "{halted}");
    assert!(stage.cloud.dead_letters().is_empty());
    assert_eq!(stage.cloud.waiting().len(), 50);
    let received = stage
        .cloud
        .waiting()
        .iter()
        .filter(|it| it.receives > 0)
        .count();
    assert_eq!(received, 5, "the others were not even received");

    // An environment that has not heard of it asks no primary, and says when the messages come again.
    let requests = stage.intake.deliveries().len();
    let record = json!({ "messageId": "m", "receiptHandle": "m", "body": stage.message(&key(0)) });
    let answer = stage
        .invoke(json!({ "Records": [record] }), MINUTE)
        .await
        .unwrap();
    assert_eq!(
        answer,
        json!({ "batchItemFailures": [{ "itemIdentifier": "m" }] })
    );
    assert_eq!(stage.intake.deliveries().len(), requests);

    // The token is still wrong: the probe starts nothing.
    let down = stage.mode("probe").await;
    assert_eq!(down["outcome"], "down", "{down}");
    assert!(!stage.cloud.is_on() && marker(&stage).is_some());

    stage.set_variable("BACKSTOP_PRIMARY_TOKEN", "new").await;
    let resumed = stage.mode("resume").await;
    assert_eq!(resumed["outcome"], "resumed", "{resumed}");
    assert!(stage.cloud.is_on() && marker(&stage).is_none());
    stage.pump(5).await;
    stage.assert_once(&ids);
    assert!(stage.cloud.dead_letters().is_empty());
    let log = stage
        .log()
        .iter()
        .map(ToString::to_string)
        .collect::<String>();
    assert!(!log.contains("--"), "options of a command line: {log}");
}

/// What an invocation has sent is done, though it finds out then that the token has changed and cannot be read.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_replayed_stays_so_where_a_token_cannot_be_read_again() {
    let stores = SecretServer::start().await.unwrap();
    let endpoint = stores.endpoint();
    let arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:token-AbCdEf";
    stores.put(arn, "old");
    let variables = [
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", endpoint.as_str()),
        ("BACKSTOP_PRIMARY_TOKEN_SECRET_ARN", arn),
        // The good one of two has gone before the other one halts everything.
        ("BACKSTOP_REPLAY_CONCURRENCY", "1"),
    ];
    let stage = Stage::set(&variables).await;
    let ids = stage.archive(0..2, 1);
    enqueue(&stage, 1);
    stage.pump(1).await;
    assert_eq!(stores.requests(), 1, "the token is known now");

    stores.refuse_with(Some("AccessDeniedException"));
    let bad = "backstop/v1/account=1/region=r/function=f/dt=2026-01-31/hour=08/late.ndjson";
    stage.put(
        bad,
        format!("{}\n", line("late", "unacceptable")).as_bytes(),
    );
    stage.intake.refuse_lines_with(Some((401, "unacceptable")));
    stage.cloud.put(&stage.message(&key(1)));
    stage.cloud.put(&stage.message(bad));
    stage.pump(2).await;
    stage.assert_once(&ids);
    let waiting = stage.cloud.waiting();
    assert_eq!(waiting.len(), 1, "the other one is done");
    assert_eq!(waiting[0].body, stage.message(bad));
    assert!(marker(&stage).is_some() && !stage.cloud.is_on());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_dies_stops_the_mapping_even_with_one_object_a_batch() {
    let stage = Stage::set(&[]).await;
    let ids = stage.archive(0..8, 3);
    stage.intake.set_fault(Some(Fault::Refuse)).await.unwrap();
    enqueue(&stage, 8);
    stage.pump(1).await;
    assert!(!stage.cloud.is_on());
    assert!(stage.cloud.dead_letters().is_empty());
    assert!(stage.cloud.waiting().iter().all(|it| it.receives <= 1));
    stage.intake.set_fault(None).await.unwrap();
    // The schedule's probe goes on with what waits: no run begins beside it.
    let resumed = stage.mode("probe").await;
    assert_eq!(resumed["outcome"], "resumed", "{resumed}");
    stage.pump(1).await;
    stage.assert_once(&ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_alarm_or_a_person_stops_a_probe_does_not_start() {
    let stage = Stage::set(&[]).await;
    let ids = stage.archive(0..3, 1);
    let alarm = json!({ "source": "aws.cloudwatch", "alarmData": {
        "alarmName": "replay-dead-letters", "state": { "value": "ALARM" },
    }});
    let stopped = stage.invoke(alarm, MINUTE).await.unwrap();
    assert_eq!(stopped["reason"], "the alarm replay-dead-letters");
    assert!(!stage.cloud.is_on());
    let probed = stage.mode("probe").await;
    assert_eq!(probed["outcome"], "stopped", "{probed}");
    assert!(!stage.cloud.is_on() && stage.intake.record_count() == 0);
    // There is no object to try, and the primary is down: that it has sent nothing says nothing.
    stage.intake.set_fault(Some(Fault::Refuse)).await.unwrap();
    assert_eq!(stage.mode("resume").await["outcome"], "down");
    assert!(marker(&stage).is_some() && !stage.cloud.is_on());
    stage.intake.set_fault(None).await.unwrap();
    assert_eq!(stage.mode("resume").await["outcome"], "resumed");
    assert_eq!(stage.mode("probe").await["outcome"], "enqueued");
    stage.pump(5).await;
    stage.assert_once(&ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_set_wrongly_asks_for_no_more_messages_and_says_what_is_wrong() {
    let stage = Stage::set(&[("BACKSTOP_PRIMARY_URL", "http://host/hunter2")]).await;
    enqueue(&stage, 1);
    stage.pump(1).await;
    assert!(!stage.cloud.is_on());
    assert_eq!(stage.cloud.waiting().len(), 1);
    let error = stage
        .invoke(json!({ "mode": "probe" }), MINUTE)
        .await
        .unwrap_err();
    assert_eq!(error["errorType"], "Configuration");
    let message = error["errorMessage"].as_str().unwrap();
    assert!(
        message.contains("BACKSTOP_PRIMARY_URL") && !message.contains("hunter2"),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_that_began_before_a_person_stopped_the_replay_does_not_undo_it() {
    let stage = Stage::set(&[]).await;
    stage.archive(0..2, 1);
    stage.intake.set_fault(Some(Fault::Refuse)).await.unwrap();
    enqueue(&stage, 1);
    stage.pump(1).await;
    assert_eq!(marker(&stage).unwrap()["isManual"], false);
    // The canary takes its time, and meanwhile somebody stops the replay by hand.
    let slow = Fault::Slow(Duration::from_secs(3));
    stage.intake.set_fault(Some(slow)).await.unwrap();
    let probe = stage.invoke(json!({ "mode": "probe" }), MINUTE);
    let by_hand = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let there = stage.s3.object_bytes(MARKER).unwrap();
        let mut marker: serde_json::Value = serde_json::from_slice(&there).unwrap();
        marker["isManual"] = true.into();
        marker["reason"] = "by hand".into();
        stage.write(MARKER, &marker.to_string()).await;
    };
    let (probed, ()) = tokio::join!(probe, by_hand);
    assert_eq!(probed.unwrap()["outcome"], "stopped");
    assert_eq!(marker(&stage).unwrap()["reason"], "by hand");
    assert!(!stage.cloud.is_on());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_marker_that_was_removed_meanwhile_does_not_come_back() {
    let stage = Stage::set(&[]).await;
    let ids = stage.archive(0..1, 1);
    let stopped = stage.mode("halt").await;
    assert_eq!(stopped["isNew"], true, "{stopped}");
    // As if it were removed between a worker's look at it and what the worker does about it.
    let marker_file = stage.s3.object_bytes(MARKER).unwrap();
    let bucket = stage.bucket_path();
    stage.cloud.on_mappings(move || {
        std::fs::remove_file(bucket.join(MARKER)).ok();
    });
    let record = json!({ "messageId": "m", "receiptHandle": "m", "body": stage.message(&key(0)) });
    let answer = stage.invoke(json!({ "Records": [record] }), MINUTE).await;
    assert!(answer.unwrap().to_string().contains("\"m\""));
    assert!(marker(&stage).is_none() && !marker_file.is_empty());
    assert!(stage.cloud.is_on(), "nothing says that it is to be off");
    enqueue(&stage, 1);
    stage.pump(1).await;
    stage.assert_once(&ids);
}
