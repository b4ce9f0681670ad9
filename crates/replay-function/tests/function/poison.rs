//! Objects that no attempt can replay end in the dead-letter queue, each with its reason.

use serde_json::json;

use crate::stage::{MINUTE, Stage, key, line, marker};

#[tokio::test(flavor = "multi_thread")]
async fn damaged_and_foreign_objects_are_buried_with_their_reason_and_the_others_go_on() {
    let stage = Stage::set(&[]).await;
    let mut ids = stage.archive(0..5, 2);
    let folder = "backstop/v1/account=1/region=eu-west-1/function=f/dt=2026-01-31/hour=08";
    let damaged = format!("{folder}/damaged.ndjson.gz");
    let whole = stage.s3.object_bytes(&key(0)).unwrap();
    stage.put(&damaged, &whole[..whole.len() - 12]);
    let foreign = format!("{folder}/foreign.gz");
    stage.put(&foreign, b"this is not a line of the archive\n");
    let half = format!("{folder}/half.ndjson");
    stage.put(
        &half,
        format!("{}\nhunter2\n", line("half", "x")).as_bytes(),
    );
    ids.insert("half".to_owned());
    let elsewhere = json!({ "schemaVersion": 1, "bucket": "other", "key": key(0) }).to_string();
    let outside = stage.message("private/secrets.gz");
    let refused = format!("{folder}/refused.ndjson");
    stage.put(
        &refused,
        format!("{}\n", line("refused", "unacceptable")).as_bytes(),
    );
    stage.intake.refuse_lines_with(Some((400, "unacceptable")));
    for object in 0..5 {
        stage.cloud.put(&stage.message(&key(object)));
    }
    let bodies = [
        (stage.message(&damaged), "its gzip stream is broken"),
        (stage.message(&foreign), "line 1"),
        (stage.message(&half), "line 2"),
        (
            stage.message(&refused),
            "the primary refused the record refused",
        ),
        (elsewhere, "not part of the archive"),
        (outside, "not part of the archive"),
        ("hunter2".to_owned(), "not a message of Backstop"),
    ];
    for (body, _) in &bodies {
        stage.cloud.put(body);
    }
    stage.pump(4).await;
    stage.assert_all_at_primary(&ids);
    let buried = stage.cloud.dead_letters();
    assert_eq!(buried.len(), bodies.len());
    for (body, part) in &bodies {
        let message = buried.iter().find(|it| it.body == *body).unwrap();
        let reason = message.reason.as_deref().unwrap_or("none");
        assert!(reason.contains(part), "{body}: {reason}");
        assert!(!reason.contains("hunter2"), "{reason}");
    }
    assert!(stage.cloud.is_on(), "they are no reason to stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_the_primary_answers_with_500_is_buried_and_the_others_go_on() {
    let stage = Stage::with_receives(1, &[]).await;
    let mut ids = stage.archive(0..3, 1);
    let bad = "backstop/v1/account=1/region=r/function=f/dt=2026-01-31/hour=08/bad.ndjson";
    stage.put(bad, format!("{}\n", line("bad", "unacceptable")).as_bytes());
    stage.intake.refuse_lines_with(Some((500, "unacceptable")));
    // Alone in its batch it looks like a primary that is down.
    stage.cloud.put(&stage.message(bad));
    stage.pump(1).await;
    assert!(stage.cloud.is_on() && marker(&stage).is_none());
    let buried = stage.cloud.dead_letters();
    assert_eq!(buried.len(), 1);
    assert_eq!(buried[0].body, stage.message(bad));
    for object in 0..3 {
        stage.cloud.put(&stage.message(&key(object)));
    }
    stage.pump(5).await;
    stage.assert_once(&ids);

    // Nor does it keep the probe from beginning, whose smallest object it is.
    stage.put(
        bad,
        format!("{}\n", line("again", "unacceptable")).as_bytes(),
    );
    ids.extend(stage.archive(3..5, 1));
    let begun = stage.mode("probe").await;
    assert_eq!(begun["outcome"], "enqueued", "{begun}");
    stage.pump(5).await;
    stage.assert_once(&ids);
}

/// Its key may be another one than that of the others.
#[tokio::test(flavor = "multi_thread")]
async fn one_object_that_the_role_may_not_read_is_buried_and_the_others_go_on() {
    let stage = Stage::with_receives(1, &[]).await;
    let mut ids = stage.archive(0..3, 1);
    let bad = "backstop/v1/account=1/region=r/function=f/dt=2026-01-31/hour=08/bad.ndjson";
    let write = || stage.put(bad, format!("{}\n", line("bad", "x")).as_bytes());
    write();
    stage.s3.deny_reads(Some(bad));
    // Alone in its batch it looks like a role that may read nothing.
    stage.cloud.put(&stage.message(bad));
    stage.pump(1).await;
    assert!(stage.cloud.is_on() && marker(&stage).is_none());
    let buried = stage.cloud.dead_letters();
    assert_eq!(buried.len(), 1);
    let reason = buried[0].reason.as_deref().unwrap();
    assert!(reason.contains("s3:GetObject"), "{reason}");
    for object in 0..3 {
        stage.cloud.put(&stage.message(&key(object)));
    }
    stage.pump(5).await;
    stage.assert_once(&ids);

    // Nor does it keep the probe from beginning, whose smallest object it is.
    write();
    ids.extend(stage.archive(3..5, 1));
    let begun = stage.mode("probe").await;
    assert_eq!(begun["outcome"], "enqueued", "{begun}");
    stage.pump(5).await;
    stage.assert_once(&ids);
    assert!(stage.cloud.is_on());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_role_may_not_do_stops_the_replay_and_buries_nothing() {
    let stage = Stage::set(&[]).await;
    let ids = stage.archive(0..6, 2);
    for object in 0..6 {
        stage.cloud.put(&stage.message(&key(object)));
    }
    stage.s3.deny_reads(Some("backstop/v1/"));
    stage.pump(2).await;
    let halted = marker(&stage).unwrap();
    let reason = halted["reason"].as_str().unwrap();
    assert!(reason.contains("s3:GetObject"), "{halted}");
    assert!(!stage.cloud.is_on() && stage.cloud.dead_letters().is_empty());
    assert_eq!(stage.mode("probe").await["outcome"], "down");
    stage.s3.deny_reads(None);

    // The records of one object go out, and its mark is denied: it is not sent again at each probe.
    stage.s3.deny_tags(true);
    assert_eq!(stage.mode("probe").await["outcome"], "down");
    let requests = stage.intake.deliveries().len();
    for _ in 0..3 {
        assert_eq!(stage.mode("probe").await["outcome"], "down");
    }
    assert_eq!(stage.intake.deliveries().len(), requests);
    assert!(
        marker(&stage)
            .unwrap()
            .to_string()
            .contains("s3:PutObjectTagging")
    );
    assert!(stage.cloud.dead_letters().is_empty());
    stage.s3.deny_tags(false);
    assert_eq!(stage.mode("probe").await["outcome"], "resumed");
    stage.pump(2).await;
    stage.assert_once(&ids);
    assert!(stage.cloud.dead_letters().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_be_restored_first_is_counted_and_said_and_its_message_says_how() {
    let stage = Stage::set(&[]).await;
    let ids = stage.archive(0..1, 1);
    stage.archive(1..2, 1);
    stage.s3.freeze(&key(1));
    assert_eq!(stage.mode("probe").await["objects"], 1);
    let line = stage.log().pop().unwrap();
    assert_eq!(line["ObjectsToRestore"], 1.0, "{line}");
    assert_eq!(line["toRestore"]["first"], key(1));
    assert!(line["toRestore"]["advice"].is_string());
    stage.cloud.put(&stage.message(&key(1)));
    stage.pump(2).await;
    stage.assert_once(&ids);
    let buried = stage.cloud.dead_letters();
    assert_eq!(buried.len(), 1);
    let reason = buried[0].reason.as_deref().unwrap();
    assert!(reason.contains("restore-object"), "{reason}");
    assert!(stage.cloud.is_on());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_queue_the_probe_says_what_to_set_and_messages_are_not_received_in_vain() {
    let stage = Stage::set(&[("BACKSTOP_REPLAY_QUEUE_URL", "")]).await;
    stage.archive(0..1, 1);
    let error = stage.invoke(json!({ "mode": "probe" }), MINUTE).await;
    let error = error.unwrap_err();
    let message = error["errorMessage"].as_str().unwrap();
    assert!(message.contains("BACKSTOP_REPLAY_QUEUE_URL"), "{error}");
    stage.cloud.put(&stage.message(&key(0)));
    stage.pump(1).await;
    assert!(!stage.cloud.is_on());
    assert_eq!(stage.cloud.waiting().len(), 1);
    // What a Distributed Map replays needs none.
    assert_eq!(stage.mode("halt").await["outcome"], "stopped");
    assert_eq!(stage.mode("resume").await["outcome"], "resumed");
}
