//! A run of the controller is undone as any other.

use std::time::Duration;

use backstop_fake_aws::{FunctionSpec, Moment};
use serde_json::json;

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_undoes_to_the_byte_and_shows_the_status() {
    let stage = Stage::set().await;
    let spec = FunctionSpec {
        environment: [("TABLE".to_owned(), "orders".to_owned())].into(),
        ..FunctionSpec::default()
    };
    stage.add("orders", 5, &spec);
    let before = stage.everything();
    let empty = stage.backstop(&["controller", "status"]).await;
    assert_eq!(empty.status.code(), Some(3), "{empty:?}");
    let result = stage.environment("attach", &[]).plan().await;
    let run = result["runs"][0].as_str().unwrap();
    let status = stage.backstop(&["controller", "status"]).await;
    let text = String::from_utf8(status.stdout).unwrap();
    assert_eq!(status.status.code(), Some(0), "{text}");
    for part in ["Mode attach; last plan", "5  attached", run] {
        assert!(text.contains(part), "{text}");
    }
    let json = stage
        .backstop(&["controller", "status", "--output", "json"])
        .await;
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["lastPlan"]["counts"]["attached"], 5, "{json}");
    let undone = stage
        .backstop(&["undo", run, "--yes", "--rate", "100"])
        .await;
    assert_eq!(undone.status.code(), Some(0), "{undone:?}");
    assert_eq!(stage.everything(), before);
    stage.stop(true).await;
    let stopped = stage.backstop(&["controller", "status"]).await;
    let text = String::from_utf8(stopped.stdout).unwrap();
    assert!(text.contains("controller/stop stops all writes"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_environment_leaves_nothing_unknown() {
    let stage = Stage::set().await;
    stage.add("orders", 6, &FunctionSpec::default());
    let held = (stage.plane).hold("UpdateFunctionConfiguration", 3, Moment::BeforeItIsAnswered);
    let attach = stage.environment("attach", &[]);
    attach.start(&json!({ "action": "plan" })).await;
    tokio::time::timeout(Duration::from_mins(1), held.reached())
        .await
        .expect("the call comes");
    attach.kill().await;
    held.release();
    let result = stage.environment("attach", &[]).plan().await;
    assert_eq!(result["counts"]["failed"], 0, "{result}");
    let quiet = stage.environment("attach", &[]).plan().await;
    assert_eq!(quiet["counts"]["unchanged"], 6, "{quiet}");
    // Each was written once, although one answer was never heard.
    assert_eq!(stage.writes(), 6);
}
