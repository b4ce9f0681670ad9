//! Objects that no attempt can replay end in the dead-letter queue, each with its reason.

use serde_json::json;

use crate::stage::{Stage, key, line};

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
async fn an_object_that_cannot_be_marked_is_buried_once_and_not_sent_again_and_again() {
    let stage = Stage::set(&[]).await;
    let ids = stage.archive(0..2, 2);
    stage.s3.deny_tags(true);
    for object in 0..2 {
        stage.cloud.put(&stage.message(&key(object)));
    }
    stage.pump(4).await;
    stage.assert_once(&ids);
    let buried = stage.cloud.dead_letters();
    assert_eq!(buried.len(), 2);
    let reason = buried[0].reason.as_deref().unwrap();
    assert!(reason.contains("it cannot be tagged"), "{reason}");
}
