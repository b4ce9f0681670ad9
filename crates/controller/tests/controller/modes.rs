//! What each mode writes, and what it reports.

use backstop_fake_aws::FunctionSpec;
use serde_json::{Value, json};

use crate::stage::{Stage, batch, created, here};

fn counts(result: &Value, names: [&str; 4]) -> [u64; 4] {
    names.map(|name| result["counts"][name].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn report_writes_nothing_and_says_what_it_would() {
    let stage = Stage::set().await;
    stage.add("orders", 3, &FunctionSpec::default());
    let before = stage.everything();
    let mut report = stage.environment("report", &[]);
    let result = report.plan().await;
    let names = ["functions", "new", "attached", "failed"];
    assert_eq!(counts(&result, names), [3, 3, 0, 0], "{result}");
    assert_eq!(stage.everything(), before);
    assert_eq!(stage.writes(), 0);
    // `backstop controller status` reads it, and what an event came to beside it.
    let event = report.done(&batch(&[created("orders-0000")])).await;
    assert_eq!(stage.kept("controller/last-plan.json"), result);
    assert_eq!(stage.kept("controller/last-events.json"), event);
}

#[tokio::test(flavor = "multi_thread")]
async fn attach_attaches_new_functions_and_leaves_drift_to_enforce() {
    let stage = Stage::set().await;
    stage.add("orders", 3, &FunctionSpec::default());
    let names = ["functions", "attached", "unchanged", "drifted"];
    let mut attach = stage.environment("attach", &[]);
    let result = attach.plan().await;
    assert_eq!(counts(&result, names), [3, 3, 0, 0], "{result}");
    let again = attach.plan().await;
    assert_eq!(counts(&again, names), [3, 0, 3, 0], "{again}");
    assert!(again.get("runs").is_none(), "{again}");

    // Somebody takes the layer off one, and changes the address of another.
    stage
        .plane
        .change(&here(), "orders-0000", |it| it.layers.clear());
    stage.plane.deploy(
        &here(),
        "orders-0001",
        ("BACKSTOP_MAX_ADDED_MS", "not wanted"),
    );
    let drifted = attach.plan().await;
    assert_eq!(drifted["counts"]["attached"], 0, "{drifted}");
    assert_eq!(drifted["counts"]["drifted"], 1, "{drifted}");
    assert!(!stage.is_attached("orders-0000"));

    let mut enforce = stage.environment("enforce", &[]);
    let repaired = enforce.plan().await;
    assert_eq!(repaired["counts"]["repaired"], 1, "{repaired}");
    assert!(stage.is_attached("orders-0000"));
    // The change by somebody else stays.
    let other = stage.plane.configuration(&here(), "orders-0001").unwrap();
    let variables = &other["Environment"]["Variables"];
    assert_eq!(variables["BACKSTOP_MAX_ADDED_MS"], "not wanted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wanted_state_that_is_empty_or_unreadable_changes_nothing() {
    let stage = Stage::set().await;
    stage.add("orders", 2, &FunctionSpec::default());
    let before = stage.everything();
    let layer = format!("[layer]\narns = [\"{}\"]\n", stage.layer);
    let mut enforce = stage.environment("enforce", &[]);
    for (text, expected) in [
        (layer.clone(), "selects no functions"),
        ("[select]\nall = true\n".to_owned(), "no layer is given"),
        (
            format!("{layer}[select]\nfunctions = []\n"),
            "selects no functions",
        ),
        ("hunter2".to_owned(), "cannot be used"),
        (
            format!("{layer}[select]\nal = true\n"),
            "did you mean `all`",
        ),
    ] {
        stage.want_text(&text).await;
        let error = enforce
            .invoke(&json!({ "action": "plan" }))
            .await
            .expect_err("it cannot be used");
        let error = error.to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
        let kept = stage.kept("controller/last-plan.json");
        assert!(kept["error"].as_str().unwrap().contains(expected), "{kept}");
    }
    assert_eq!(stage.everything(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wanted_state_may_be_a_parameter() {
    let stage = Stage::set().await;
    stage.add("orders", 1, &FunctionSpec::default());
    let text = format!(
        "[select]\nfunctions = [\"orders-*\"]\n[layer]\narns = [\"{}\"]\n[settings]\n\
         BACKSTOP_PRIMARY_URL = \"https://intake.example.com/\"\n",
        stage.layer
    );
    stage
        .plane
        .set_parameter(&here(), "/backstop/wanted", &text);
    let endpoint = stage.plane.endpoint();
    let mut attach = stage.environment(
        "attach",
        &[
            ("CONTROLLER_CONFIG", "ssm:/backstop/wanted"),
            ("AWS_ENDPOINT_URL_SSM", &endpoint),
        ],
    );
    let result = attach.plan().await;
    assert_eq!(result["counts"]["attached"], 1, "{result}");
}
