//! What execution roles are granted, and when it is taken back.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use backstop_fake_aws::{FunctionSpec, Moment, Place};
use serde_json::{Value, json};

use crate::stage::{ACCOUNT, Finished, Stage, here};

const POLICY: &str = "backstop-fallback";
const STREAM: &str = "BACKSTOP_FIREHOSE_STREAM=logs";

fn there() -> Place {
    Place::new(ACCOUNT, "us-east-1")
}

fn of_role(role: &str) -> FunctionSpec {
    FunctionSpec {
        role: Some(format!("arn:aws:iam::{ACCOUNT}:role/{role}")),
        ..FunctionSpec::default()
    }
}

/// Functions `a-000` and `b-000` with one role in one region, and `a-000` in another.
async fn with_shared_role() -> Stage {
    let stage = Stage::in_places(&[here(), there()]).await;
    for (place, name) in [(here(), "a"), (here(), "b"), (there(), "a")] {
        stage.add(&place, name, 1, &of_role("service/shared"));
    }
    stage
}

async fn grant(stage: &Stage, arguments: &[&str]) -> Finished {
    let mut all = vec!["--grant", "--set", STREAM];
    all.extend(arguments);
    let finished = stage.attach(&all).await;
    assert_eq!(finished.code, Some(0), "{}", finished.snapshot());
    finished
}

async fn undo(stage: &Stage, run: &str) -> Finished {
    stage.run(&["undo", run, "--yes"]).await
}

fn policy(stage: &Stage, role: &str) -> Option<Value> {
    let document = stage.plane.role_policy(ACCOUNT, role, POLICY)?;
    Some(serde_json::from_str(&document).unwrap())
}

fn stream(region: &str) -> String {
    format!("arn:aws:firehose:{region}:{ACCOUNT}:deliverystream/logs")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_granted_what_its_functions_need_in_every_region_and_loses_it_with_them() {
    let stage = with_shared_role().await;
    let regions = ["--regions", "eu-west-1,us-east-1"];
    let bucket = ["--set", "BACKSTOP_S3_BUCKET=archive"];
    let finished = grant(
        &stage,
        &["a-*", regions[0], regions[1], bucket[0], bucket[1]],
    )
    .await;
    let expected = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "firehose:PutRecordBatch",
          "Resource": [stream("eu-west-1"), stream("us-east-1")] },
        { "Effect": "Allow", "Action": "s3:PutObject", "Resource": ["arn:aws:s3:::archive/backstop/v1/*"] },
    ]});
    assert_eq!(policy(&stage, "shared"), Some(expected.clone()));
    // Shown before, granted before any function is changed.
    let line = format!("+ firehose:PutRecordBatch on {}", stream("us-east-1"));
    assert!(finished.stderr.contains(&line), "{}", finished.snapshot());
    let calls = stage.plane.calls();
    let at = |operation| {
        calls
            .iter()
            .position(|call| call.operation == operation)
            .unwrap()
    };
    assert!(at("PutRolePolicy") < at("UpdateFunctionConfiguration"));
    assert_eq!(stage.plane.count("PutRolePolicy"), 1);

    let undone = undo(&stage, &finished.run()).await;
    assert_eq!(undone.code, Some(0), "{}", undone.snapshot());
    assert_eq!(policy(&stage, "shared"), None);

    // An undoing can be undone: it is granted again.
    let again = undo(&stage, &undone.run()).await;
    assert_eq!(again.code, Some(0), "{}", again.snapshot());
    assert_eq!(policy(&stage, "shared"), Some(expected));
    // And with that it can be taken off for good.
    let all = [
        "detach", "a-*", "--yes", "--rate", "100", regions[0], regions[1],
    ];
    let detached = stage.run(&all).await;
    assert_eq!(detached.code, Some(0), "{}", detached.snapshot());
    assert_eq!(policy(&stage, "shared"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_granted_that_was_not_asked_for() {
    let stage = with_shared_role().await;
    let finished = stage.attach(&["a-*", "--set", STREAM]).await;
    assert_eq!(finished.code, Some(0), "{}", finished.snapshot());
    let iam = ["GetRolePolicy", "PutRolePolicy", "DeleteRolePolicy"];
    assert!(
        iam.iter()
            .all(|operation| stage.plane.count(operation) == 0)
    );
    let undone = undo(&stage, &finished.run()).await;
    assert_eq!(undone.code, Some(0), "{}", undone.snapshot());
    assert!(
        iam.iter()
            .all(|operation| stage.plane.count(operation) == 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_role_keeps_it_while_another_function_needs_it() {
    let stage = with_shared_role().await;
    let first = grant(&stage, &["a-*"]).await;
    let second = grant(&stage, &["b-*"]).await;
    let undone = undo(&stage, &first.run()).await;
    assert_eq!(undone.code, Some(0), "{}", undone.snapshot());
    assert!(
        undone.stdout.contains("eu-west-1 b-000 needs it"),
        "{}",
        undone.snapshot()
    );
    assert!(policy(&stage, "shared").is_some());
    // The second run found it there, and is the last one.
    let undone = undo(&stage, &second.run()).await;
    assert_eq!(undone.code, Some(0), "{}", undone.snapshot());
    assert_eq!(policy(&stage, "shared"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_in_a_region_that_only_another_run_knows_counts_too() {
    let stage = with_shared_role().await;
    let far = grant(&stage, &["a-*", "--regions", "us-east-1"]).await;
    let near = grant(&stage, &["a-*"]).await;
    // The region cannot be looked at: nobody knows.
    stage.plane.set_region_down("us-east-1", true);
    let undone = undo(&stage, &near.run()).await;
    assert_eq!(undone.code, Some(3), "{}", undone.snapshot());
    assert!(
        undone.stdout.contains(
            "cannot tell whether functions in other accounts or regions need it: listing"
        ),
        "{}",
        undone.snapshot()
    );
    assert!(policy(&stage, "shared").is_some());
    stage.plane.set_region_down("us-east-1", false);
    let resumed = stage.run(&["resume", &undone.run(), "--yes"]).await;
    assert_eq!(resumed.code, Some(0), "{}", resumed.snapshot());
    assert!(
        resumed.stdout.contains("us-east-1 a-000 needs it"),
        "{}",
        resumed.snapshot()
    );
    let undone = undo(&stage, &far.run()).await;
    assert_eq!(undone.code, Some(0), "{}", undone.snapshot());
    assert_eq!(policy(&stage, "shared"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_of_that_name_is_added_to_and_put_back_byte_by_byte() {
    let stage = with_shared_role().await;
    let theirs = "{ \"Version\": \"2012-10-17\",\n  \"Statement\": {\"Sid\":\"100%\",\"Effect\":\"Allow\",\
                  \"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::theirs/*\"} }";
    stage
        .plane
        .put_role_policy(ACCOUNT, "shared", POLICY, theirs);
    let finished = grant(&stage, &["a-*"]).await;
    let both = policy(&stage, "shared").unwrap();
    assert_eq!(both["Statement"][0]["Sid"], "100%");
    assert_eq!(
        both["Statement"][1]["Resource"],
        json!([stream("eu-west-1")])
    );
    let undone = undo(&stage, &finished.run()).await;
    assert_eq!(undone.code, Some(0), "{}", undone.snapshot());
    assert_eq!(
        stage.plane.role_policy(ACCOUNT, "shared", POLICY).unwrap(),
        theirs
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_someone_else_wrote_since_stays() {
    let stage = with_shared_role().await;
    let finished = grant(&stage, &["a-*"]).await;
    let mut edited = policy(&stage, "shared").unwrap();
    edited["Statement"].as_array_mut().unwrap().push(json!(
        { "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*" }
    ));
    stage
        .plane
        .put_role_policy(ACCOUNT, "shared", POLICY, &edited.to_string());
    let undone = undo(&stage, &finished.run()).await;
    assert_eq!(undone.code, Some(3), "{}", undone.snapshot());
    assert!(
        undone.stdout.contains("someone changed the policy since"),
        "{}",
        undone.snapshot()
    );
    assert_eq!(policy(&stage, "shared"), Some(edited));
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_whose_role_cannot_be_written_are_left_and_the_others_are_not() {
    let stage = Stage::set().await;
    for role in ["guarded", "open"] {
        stage.add(&here(), role, 1, &of_role(role));
    }
    stage.add(
        &here(),
        "service",
        1,
        &of_role("aws-service-role/lambda/own"),
    );
    stage.plane.guard_role(ACCOUNT, "guarded");
    let finished = stage
        .attach(&["--all", "--grant", "--set", STREAM, "--output", "json"])
        .await;
    assert_eq!(finished.code, Some(3), "{}", finished.snapshot());
    let summary = finished.json();
    assert_eq!(summary["changed"], 1, "{summary}");
    assert_eq!(summary["refused"], 1, "{summary}");
    let reason = summary["left"][0]["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("role-not-writable: writing the policy"),
        "{summary}"
    );
    assert!(
        finished.stderr.contains("  role-not-writable: "),
        "{}",
        finished.snapshot()
    );
    let written = stage.plane.writes();
    assert_eq!(written.len(), 1);
    assert!(written.contains_key(&(here(), "open-000".to_owned())));
    let explained = stage.run(&["plan", "--explain", "role-not-writable"]).await;
    assert_eq!(explained.code, Some(0), "{}", explained.snapshot());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_seen_yet_is_looked_at_again() {
    let stage = with_shared_role().await;
    let written = Arc::new(Mutex::new(String::new()));
    let (plane, kept) = (Arc::clone(&stage.plane), Arc::clone(&written));
    // The third look is the first after the write.
    stage.plane.before("GetRolePolicy", "shared", 3, move || {
        *kept.lock().unwrap() = plane.role_policy(ACCOUNT, "shared", POLICY).unwrap();
        plane.put_role_policy(ACCOUNT, "shared", POLICY, r#"{"Statement":[]}"#);
    });
    let plane = Arc::clone(&stage.plane);
    stage.plane.before("GetRolePolicy", "shared", 4, move || {
        plane.put_role_policy(ACCOUNT, "shared", POLICY, &written.lock().unwrap());
    });
    grant(&stage, &["a-*"]).await;
    assert_eq!(stage.plane.count("GetRolePolicy"), 4);
    assert_eq!(stage.plane.count("PutRolePolicy"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_killed_while_it_granted_is_resumed_and_undone() {
    for moment in [Moment::BeforeItIsDone, Moment::BeforeItIsAnswered] {
        let stage = with_shared_role().await;
        let held = stage.plane.hold("PutRolePolicy", 1, moment);
        let layer = &stage.layers[&here()];
        let mut arguments = vec!["attach", "a-*", "--yes", "--rate", "100", "--layer", layer];
        arguments.extend(["--grant", "--set", STREAM]);
        let mut command = stage.backstop(&arguments);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        held.reached().await;
        child.kill().await.unwrap();
        drop(held);
        let runs = stage.run(&["runs"]).await;
        let run = runs.stdout.split_whitespace().next().unwrap().to_owned();
        let resumed = stage.run(&["resume", &run, "--yes"]).await;
        assert_eq!(resumed.code, Some(0), "{moment:?}: {}", resumed.snapshot());
        assert!(policy(&stage, "shared").is_some(), "{moment:?}");
        let undone = undo(&stage, &run).await;
        assert_eq!(undone.code, Some(0), "{moment:?}: {}", undone.snapshot());
        assert_eq!(policy(&stage, "shared"), None, "{moment:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_an_alias_leads_to_needs_it_as_long_as_it_does() {
    let stage = Stage::set().await;
    let spec = FunctionSpec {
        aliases: vec!["live".to_owned()],
        ..of_role("shared")
    };
    stage.add(&here(), "a", 1, &spec);
    grant(&stage, &["a-*", "--move-alias", "live"]).await;
    let detach = ["detach", "a-*", "--yes", "--rate", "100"];
    let detached = stage.run(&detach).await;
    assert_eq!(detached.code, Some(0), "{}", detached.snapshot());
    assert!(
        detached.stdout.contains("a-000:live needs it"),
        "{}",
        detached.snapshot()
    );
    assert!(policy(&stage, "shared").is_some());
    // The version stays, and nothing leads to it.
    stage.plane.set_alias(&here(), "a-000", ("live", "1"), None);
    let detached = stage.run(&detach).await;
    assert_eq!(detached.code, Some(0), "{}", detached.snapshot());
    assert_eq!(policy(&stage, "shared"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_attached_already_is_granted_what_it_lacks() {
    let stage = with_shared_role().await;
    let plain = stage.attach(&["a-*", "--set", STREAM]).await;
    assert_eq!(plain.code, Some(0), "{}", plain.snapshot());
    assert_eq!(policy(&stage, "shared"), None);
    // Nothing of the function is written, and the role is.
    let writes = stage.plane.count("UpdateFunctionConfiguration");
    let dry = ["a-*", "--set", STREAM, "--grant", "--dry-run"];
    let dry = stage.attach(&dry).await;
    assert!(
        dry.stdout.contains("+ firehose:PutRecordBatch on"),
        "{}",
        dry.snapshot()
    );
    let granted = grant(&stage, &["a-*"]).await;
    assert!(policy(&stage, "shared").is_some(), "{}", granted.snapshot());
    assert_eq!(stage.plane.count("UpdateFunctionConfiguration"), writes);
    // And once it is there, nothing.
    let again = grant(&stage, &["a-*"]).await;
    assert!(!again.stderr.contains("Run "), "{}", again.snapshot());
    assert_eq!(stage.plane.count("PutRolePolicy"), 1);
    // What was granted beside the attachment goes with it.
    let detached = stage.run(&["detach", "a-*", "--yes"]).await;
    assert_eq!(detached.code, Some(0), "{}", detached.snapshot());
    assert_eq!(policy(&stage, "shared"), None);

    // A role that cannot be written is told of, attached or not.
    let plain = stage.attach(&["a-*", "--set", STREAM]).await;
    assert_eq!(plain.code, Some(0), "{}", plain.snapshot());
    stage.plane.guard_role(ACCOUNT, "shared");
    let left = stage.attach(&["a-*", "--set", STREAM, "--grant"]).await;
    assert_eq!(left.code, Some(3), "{}", left.snapshot());
}
