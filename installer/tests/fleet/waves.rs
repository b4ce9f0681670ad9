//! Waves, and what stops them.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::Arc;

use backstop_fake_aws::ControlPlane;
use backstop_fake_aws::{FunctionSpec, KeyAccess, Metric, Place};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::stage::{ACCOUNT, Stage, here};

const UPDATE: &str = "UpdateFunctionConfiguration";

async fn with_functions(count: usize) -> Stage {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", count, &FunctionSpec::default());
    stage
}

/// The names of functions that were written, in order.
fn written(plane: &ControlPlane) -> Vec<String> {
    let calls = plane.calls().into_iter();
    calls
        .filter(|call| call.operation == UPDATE && call.status == 200)
        .map(|call| call.subject)
        .collect()
}

/// The function cannot be changed once it is planned to be: its environment cannot be read any more.
fn spoil(stage: &Stage, function: &'static str) {
    let plane = Arc::clone(&stage.plane);
    stage.plane.before("GetFunction", function, 2, move || {
        plane.change(&here(), function, |spec| {
            spec.key_access = KeyAccess::Denied;
        });
    });
}

fn mend(stage: &Stage, function: &str) {
    (stage.plane).change(&here(), function, |spec| {
        spec.key_access = KeyAccess::Granted;
    });
}

/// From the `number`th time on that errors are counted, this function fails each time.
fn fail_at_count(stage: &Stage, number: usize, function: &'static str) {
    for other in 0..10 {
        let name = format!("orders-{other:03}");
        stage
            .plane
            .set_metric(&here(), &name, Metric::Invocations, Some(10.0));
        stage
            .plane
            .set_metric(&here(), &name, Metric::Errors, Some(0.0));
    }
    let plane = Arc::clone(&stage.plane);
    stage.plane.before("GetMetricData", "", number, move || {
        plane.set_metric(&here(), function, Metric::Errors, Some(10.0));
    });
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_canary_is_taken_from_every_place_and_each_wave_waits_for_the_one_before() {
    let places = [here(), Place::new(ACCOUNT, "us-east-1")];
    let stage = Stage::in_places(&places).await;
    for place in &places {
        stage.add(place, "orders", 4, &FunctionSpec::default());
    }
    let regions = ["--regions", "eu-west-1,us-east-1"];
    let waves = ["--canary", "20%", "--wave", "50%"];
    let finished = stage
        .attach(&[
            "orders-*", regions[0], regions[1], waves[0], waves[1], waves[2], waves[3],
        ])
        .await;
    assert_eq!(finished.code, Some(0), "{}", finished.snapshot());
    for line in [
        "Wave 1 of 3, the canary: 2 functions",
        "Wave 2 of 3: 4 functions",
        "Wave 3 of 3: 2 functions",
    ] {
        assert!(finished.stderr.contains(line), "{}", finished.snapshot());
    }
    let calls = stage.plane.calls().into_iter();
    let written: Vec<String> = calls
        .filter(|call| call.operation == UPDATE)
        .map(|call| format!("{} {}", call.place.region, call.subject))
        .collect();
    let set = |range: std::ops::Range<usize>| -> BTreeSet<&str> {
        written[range].iter().map(String::as_str).collect()
    };
    assert_eq!(
        set(0..2),
        BTreeSet::from(["eu-west-1 orders-000", "us-east-1 orders-000"])
    );
    assert_eq!(
        set(2..6),
        BTreeSet::from([
            "eu-west-1 orders-001",
            "us-east-1 orders-001",
            "eu-west-1 orders-002",
            "us-east-1 orders-002",
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_in_the_canary_stops_and_the_run_can_be_resumed() {
    let stage = with_functions(6).await;
    spoil(&stage, "orders-000");
    let finished = stage.attach(&["orders-*", "--canary", "2"]).await;
    assert_eq!(finished.code, Some(3), "{}", finished.snapshot());
    // What was under way beside it is finished.
    assert!(written(&stage.plane).len() <= 1, "{}", finished.snapshot());
    assert!(
        finished
            .stdout
            .contains("Stopped: a function of the canary failed"),
        "{}",
        finished.stdout
    );
    assert!(
        finished.stdout.contains("not started"),
        "{}",
        finished.stdout
    );
    let run = finished.run();
    assert!(
        finished
            .stdout
            .contains(&format!("To continue: backstop resume {run}")),
        "{}",
        finished.stdout
    );

    mend(&stage, "orders-000");
    let resumed = stage.run(&["resume", &run, "--yes"]).await;
    assert_eq!(resumed.code, Some(0), "{}", resumed.snapshot());
    assert_eq!(written(&stage.plane).len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_failures_stop_and_fewer_do_not() {
    let stage = with_functions(9).await;
    spoil(&stage, "orders-001");
    spoil(&stage, "orders-002");
    let waves = ["orders-*", "--wave", "3", "--max-failures"];
    let finished = stage
        .attach(&[
            waves[0], waves[1], waves[2], waves[3], "2", "--output", "json",
        ])
        .await;
    assert_eq!(finished.code, Some(3), "{}", finished.snapshot());
    let summary = finished.json();
    assert_eq!(summary["stopped"], "2 functions failed", "{summary}");
    assert_eq!(list(&summary["left"]).len(), 2, "{summary}");
    assert_eq!(summary["notBegun"], 6, "{summary}");

    // A third one would have been needed.
    let finished = stage
        .run(&["resume", &finished.run(), "--yes", "--max-failures", "3"])
        .await;
    assert_eq!(finished.code, Some(3), "{}", finished.snapshot());
    assert!(
        !finished.stdout.contains("Stopped"),
        "{}",
        finished.snapshot()
    );
    assert_eq!(written(&stage.plane).len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rise_of_errors_stops_after_the_wave_and_a_resumed_run_does_not_wait_for_it_again() {
    let stage = with_functions(10).await;
    fail_at_count(&stage, 2, "orders-001");
    let options = ["--canary", "2", "--bake", "0.1", "--max-error-rise", "5"];
    let mut arguments = vec!["orders-*"];
    arguments.extend(options);
    let finished = stage.attach(&arguments).await;
    assert_eq!(finished.code, Some(3), "{}", finished.snapshot());
    for line in [
        "Stopped: 50.0 % of invocations fail, up from 0.0 %",
        "111122223333 eu-west-1 orders-001: 100.0 % of invocations fail, up from 0.0 %",
        "8  not started",
    ] {
        assert!(finished.stdout.contains(line), "{}", finished.snapshot());
    }
    assert_eq!(written(&stage.plane).len(), 2);

    stage
        .plane
        .set_metric(&here(), "orders-001", Metric::Errors, None);
    let counted = stage.plane.count("GetMetricData");
    let resumed = stage.run(&["resume", &finished.run(), "--yes"]).await;
    assert_eq!(resumed.code, Some(0), "{}", resumed.snapshot());
    assert_eq!(stage.plane.count("GetMetricData") - counted, 2);
    assert_eq!(
        resumed.stderr.matches("Waiting for").count(),
        1,
        "{}",
        resumed.snapshot()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_stops_is_undone_at_once_where_that_was_asked() {
    let stage = with_functions(10).await;
    fail_at_count(&stage, 2, "orders-000");
    let before = stage.plane.snapshot();
    // What is asked for is kept in the plan.
    let plan = stage.directory.path().join("plan.json");
    let plan = plan.to_str().unwrap();
    let mut planning = vec![
        "plan", "orders-*", "--out", plan, "--canary", "30%", "--bake", "0.1",
    ];
    planning.extend(["--max-error-rise", "5", "--undo-on-stop", "--rate", "100"]);
    planning.extend(["--layer", &stage.layers[&here()]]);
    planning.extend([
        "--set",
        "BACKSTOP_PRIMARY_URL=https://intake.example.com/v1",
    ]);
    let planned = stage.run(&planning).await;
    assert_eq!(planned.code, Some(0), "{}", planned.snapshot());
    let finished = stage
        .run(&["apply", plan, "--yes", "--output", "json"])
        .await;
    assert_eq!(finished.code, Some(3), "{}", finished.snapshot());
    let summary = finished.json();
    assert_eq!(summary["changed"], 3, "{summary}");
    assert_eq!(summary["notBegun"], 7, "{summary}");
    assert_eq!(summary["undo"]["changed"], 3, "{summary}");
    assert_eq!(
        summary["undo"]["action"]["undo"]["run"], summary["run"],
        "{summary}"
    );
    assert_ne!(summary["undo"]["run"], summary["run"], "{summary}");
    assert_eq!(stage.plane.snapshot(), before);
    let runs = stage.run(&["runs", "--output", "json"]).await.json();
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(2), "{runs}");
    // Three were changed of ten, and these three were put back.
    assert_eq!(runs["runs"][1]["done"], 3, "{runs}");
    assert_eq!(runs["runs"][1]["left"], 7, "{runs}");
    assert_eq!(runs["runs"][1]["isUndone"], true, "{runs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_watched_is_not_begun() {
    let stage = with_functions(3).await;
    let plane = Arc::clone(&stage.plane);
    stage.plane.before("GetMetricData", "", 1, move || {
        plane.set_region_down("eu-west-1", true);
    });
    let finished = stage
        .attach(&["orders-*", "--bake", "0.1", "--max-error-rise", "5"])
        .await;
    assert_eq!(finished.code, Some(3), "{}", finished.snapshot());
    assert!(
        finished.stdout.contains("Stopped: counting errors in"),
        "{}",
        finished.snapshot()
    );
    assert!(
        finished.stdout.contains("3  not started"),
        "{}",
        finished.snapshot()
    );
    assert!(written(&stage.plane).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_between_waves_can_be_interrupted() {
    let stage = with_functions(4).await;
    let layer = &stage.layers[&here()];
    let mut arguments = vec![
        "attach", "orders-*", "--yes", "--rate", "100", "--layer", layer,
    ];
    arguments.extend(["--canary", "1", "--bake", "60m"]);
    let mut child = stage
        .backstop(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.starts_with("Waiting for 3600 s") {
            break;
        }
    }
    let id = child.id().unwrap().to_string();
    let killed = tokio::process::Command::new("kill")
        .args(["-INT", &id])
        .status()
        .await;
    assert!(killed.unwrap().success());
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(130));
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("3  not started"), "{stdout}");
    assert!(stdout.contains("To continue: backstop resume"), "{stdout}");
    assert_eq!(written(&stage.plane), ["orders-000"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn options_that_mean_nothing_by_themselves_are_told() {
    let stage = with_functions(1).await;
    let finished = stage.attach(&["orders-*", "--bake", "5m"]).await;
    assert_eq!(finished.code, Some(2), "{}", finished.snapshot());
    assert!(
        finished.stderr.contains("--bake needs"),
        "{}",
        finished.snapshot()
    );
    assert_eq!(stage.plane.count("ListFunctions"), 0);
}
