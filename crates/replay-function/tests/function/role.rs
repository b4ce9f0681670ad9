//! The role that the Terraform module gives the function, held to the calls that it really makes.

use std::collections::BTreeSet;

use backstop_simulator::Fault;

use crate::stage::{Stage, key};

/// What Lambda's poller calls with the function's role.
const POLLER: [&str; 2] = ["sqs:ReceiveMessage", "sqs:DeleteMessage"];

/// Each action in the module's policy of these services, where objects are tagged.
fn granted() -> BTreeSet<String> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../terraform/modules/replay/policy.tf"
    );
    let text = std::fs::read_to_string(path).unwrap();
    let (marks, rest) = text.split_once("statements = concat(").unwrap();
    let marks = marks.split_once("    tag = [").unwrap().1;
    let marks = marks.split("\n    move = [").next().unwrap();
    let quoted = [marks, rest].join("\n");
    let quoted = quoted.split('"').skip(1).step_by(2);
    let is_action = |text: &&str| {
        let (service, action) = text.split_once(':').unwrap_or_default();
        ["s3", "sqs", "lambda"].contains(&service) && action.starts_with(char::is_uppercase)
    };
    let is_key = |text: &&str| *text == "lambda:FunctionArn";
    quoted
        .filter(is_action)
        .filter(|it| !is_key(it))
        .map(str::to_owned)
        .collect()
}

/// The action of S3 that a read asks for, and the key or prefix.
fn read(asked: &str) -> (String, String) {
    let (path, query) = asked.split_once('?').unwrap_or((asked, ""));
    let parameter = |name: &str| {
        query
            .split('&')
            .find_map(|it| it.strip_prefix(name)?.strip_prefix('='))
    };
    let plain = |text: &str| text.replace("%2F", "/").replace("%3D", "=");
    if parameter("list-type").is_some() {
        return (
            "s3:ListBucket".to_owned(),
            plain(parameter("prefix").unwrap_or_default()),
        );
    }
    let action = if query.contains("tagging") {
        "s3:GetObjectTagging"
    } else {
        "s3:GetObject"
    };
    let key = path
        .trim_start_matches('/')
        .split_once('/')
        .map_or("", |(_, key)| key);
    (action.to_owned(), plain(key))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_has_each_action_that_is_called_and_no_other() {
    let stage = Stage::set(&[]).await;
    stage.archive(0..6, 2);
    stage
        .intake
        .set_fault(Some(Fault::Status(401)))
        .await
        .unwrap();
    for object in 0..3 {
        stage.cloud.put(&stage.message(&key(object)));
    }
    stage.cloud.put("not a message");
    stage.pump(5).await;
    stage.intake.set_fault(None).await.unwrap();
    stage.mode("resume").await;
    stage.pump(5).await;
    stage.mode("probe").await;
    stage.pump(5).await;
    // What is replayed is asked for its tags.
    stage.cloud.put(&stage.message(&key(0)));
    stage.pump(5).await;
    // What goes on from a checkpoint, which is removed at the end.
    stage.archive(6..7, 2);
    let order = stage.message(&key(6));
    let order = order.replace('{', r#"{"isContinued":true,"#);
    stage.cloud.put(&order);
    stage.pump(5).await;

    let mut called: BTreeSet<String> = POLLER.map(str::to_owned).into();
    for call in stage.cloud.calls().keys() {
        let (action, queue) = call.split_once(' ').unwrap_or((call, ""));
        if queue == "replay-dead-letters" {
            assert_eq!(action, "SendMessage");
        }
        let service = if queue.is_empty() { "lambda" } else { "sqs" };
        called.insert(format!("{service}:{}", action.trim_end_matches("Batch")));
    }
    for asked in stage.s3.asked() {
        let (action, place) = read(&asked);
        let is_state = place.starts_with("backstop/replay/");
        assert!(is_state || place.starts_with("backstop/v1/"), "{asked}");
        called.insert(action);
    }
    let methods: BTreeSet<String> = stage
        .s3
        .heads()
        .iter()
        .map(|(method, _)| method.to_string())
        .collect();
    assert!(
        methods.contains("DELETE") && methods.contains("PUT"),
        "{methods:?}"
    );
    assert!(!stage.s3.tags().is_empty());
    // Writes of the state, of which the lease is one; and marks.
    called.extend(["s3:PutObject", "s3:DeleteObject", "s3:PutObjectTagging"].map(str::to_owned));
    assert_eq!(called, granted());
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_are_moved_leave_the_archive_and_are_not_found_again() {
    let stage = Stage::set(&[("BACKSTOP_REPLAY_AFTER", "move")]).await;
    let ids = stage.archive(0..4, 2);
    assert_eq!(stage.mode("probe").await["objects"], 4);
    stage.pump(5).await;
    stage.assert_once(&ids);
    let keys = stage.s3.object_keys().unwrap();
    let left = keys
        .iter()
        .filter(|key| key.starts_with("backstop/v1/"))
        .count();
    let moved = keys
        .iter()
        .filter(|key| key.starts_with("backstop/replayed/v1/"))
        .count();
    assert_eq!((left, moved), (0, 4), "{keys:?}");
}
