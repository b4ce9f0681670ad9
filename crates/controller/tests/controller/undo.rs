//! A run of the controller is undone as any other.

use std::sync::Arc;
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
async fn what_was_done_before_an_error_is_counted() {
    let stage = Arc::new(Stage::set().await);
    stage.add("orders", 12, &FunctionSpec::default());
    stage.want_at(2, "all = true").await;
    let other = Arc::clone(&stage);
    let cut_off = move || other.s3.set_read_only(true);
    (stage.plane).before("UpdateFunctionConfiguration", "orders-0002", 1, cut_off);
    let mut attach = stage.environment("attach", &[]);
    let plan = json!({ "action": "plan" });
    let error = attach.invoke(&plan).await.expect_err("the journal ends");
    assert!(error.to_string().contains("was stopped"), "{error}");
    attach.line().await;
    let result = attach.line().await;
    let counts = &result["counts"];
    assert_eq!(counts["attached"], 2, "{result}");
    assert_eq!(counts["failed"], 10, "{result}");
    stage.s3.set_read_only(false);
    let again = stage.environment("attach", &[]).plan().await;
    assert_eq!(again["counts"]["failed"], 0, "{again}");
    assert!(stage.is_attached("orders-0011"));
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
