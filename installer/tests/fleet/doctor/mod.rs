//! One function, looked at from all sides.

mod asked;
mod faults;
mod needed;
mod send;

use std::collections::BTreeMap;

use backstop_fake_aws::{FunctionSpec, Place, Signing};
use serde_json::Value;

use crate::stage::{ACCOUNT, Finished, Stage, here};
use backstop_simulator::LittleServer;

const STREAM: &str = "arn:aws:firehose:eu-west-1:111122223333:deliverystream/telemetry";
const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/8cd4ed10-4dd8-4c4f-9ab3-3a6f2b7f0b1c";

async fn doctor(stage: &Stage, arguments: &[&str]) -> Finished {
    let all = [
        &["doctor", "--rate", "500", "--read-rate", "500"],
        arguments,
    ]
    .concat();
    stage.run(&all).await
}

/// How a check came out, and all that is said of it.
fn check<'a>(report: &'a Value, name: &str) -> (&'a str, String) {
    let checks = report["checks"].as_array().unwrap();
    let found = checks.iter().find(|it| it["check"] == name);
    let found = found.unwrap_or_else(|| panic!("{name} was not checked: {report}"));
    (found["state"].as_str().unwrap(), found.to_string())
}

/// The checks that did not come out well, in order.
fn not_ok(report: &Value) -> Vec<(&str, &str)> {
    let checks = report["checks"].as_array().unwrap().iter();
    let states = checks.map(|it| (it["check"].as_str().unwrap(), it["state"].as_str().unwrap()));
    states.filter(|(_, state)| *state != "ok").collect()
}

fn variables(more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let all = [
        (
            "BACKSTOP_PRIMARY_URL",
            "https://intake.example.com/v1?key=hunter2",
        ),
        ("BACKSTOP_PRIMARY_TOKEN", "hunter2"),
    ];
    (all.iter().chain(more))
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// With both fallbacks, a key and everything that they need.
fn healthy(stage: &Stage) -> FunctionSpec {
    let document = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [
            { "Effect": "Allow", "Action": "firehose:PutRecordBatch", "Resource": STREAM },
            { "Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::archive/backstop/v1/*" },
            { "Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": KEY,
              "Condition": { "StringLike": { "kms:ViaService": "s3.*" } } },
        ],
    });
    (stage.plane).put_role_policy(ACCOUNT, "orders", "backstop", &document.to_string());
    FunctionSpec {
        name: "orders".to_owned(),
        runtime: Some("nodejs22.x".to_owned()),
        layers: stage.layers.values().cloned().collect(),
        memory_mb: Some(512),
        timeout: Some(30),
        environment: variables(&[
            ("BACKSTOP_FIREHOSE_STREAM", "telemetry"),
            ("BACKSTOP_S3_BUCKET", "archive"),
            ("BACKSTOP_S3_KMS_KEY_ID", KEY),
        ]),
        ..FunctionSpec::default()
    }
}

/// The report on a function of this kind; nothing of it holds the secret.
async fn report(stage: &Stage, spec: FunctionSpec) -> (Finished, Value) {
    let s3 = LittleServer::s3("archive", 200, "eu-west-1");
    let name = spec.name.clone();
    stage.plane.add_function(&here(), spec);
    let mut command = stage.backstop(&[
        "doctor",
        &name,
        "--output",
        "json",
        "--rate",
        "500",
        "--read-rate",
        "500",
    ]);
    command.env("AWS_ENDPOINT_URL_S3", s3.endpoint());
    let finished: Finished = command.output().await.unwrap().into();
    assert!(
        !finished.snapshot().contains("hunter2"),
        "{}",
        finished.snapshot()
    );
    let json = finished.json();
    (finished, json)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_function_has_nothing_to_tell() {
    let stage = Stage::set().await;
    let (finished, json) = report(&stage, healthy(&stage)).await;
    insta::assert_json_snapshot!("doctor_json", json);
    assert_eq!(not_ok(&json), []);
    assert_eq!(finished.code, Some(0));

    let s3 = LittleServer::s3("archive", 200, "eu-west-1");
    let mut command = stage.backstop(&["doctor", "orders"]);
    command.env("AWS_ENDPOINT_URL_S3", s3.endpoint());
    let finished: Finished = command.output().await.unwrap().into();
    insta::assert_snapshot!("doctor_table", finished.snapshot());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_with_what_to_do_and_exit_code_1() {
    let stage = Stage::set().await;
    let spec = FunctionSpec {
        environment: variables(&[
            ("BACKSTOP_FIREHOSE_STREAM", "telemetry"),
            ("BACKSTOP_MAX_ADDED_MS", "soon"),
            ("BACKSTOP_PRIMARY_FORMT", "json"),
            ("BACKSTOP_BUFFER_MAX_BYTES", "67108864"),
        ]),
        layers: Vec::new(),
        reserved_concurrency: Some(0),
        vpc_id: Some("vpc-1".to_owned()),
        signing: Signing::Enforce,
        memory_mb: Some(128),
        timeout: None,
        ..healthy(&stage)
    };
    stage.plane.add_function(&here(), spec);
    stage
        .plane
        .put_role_policy(ACCOUNT, "orders", "backstop", "{}");
    let finished = doctor(&stage, &["orders"]).await;
    insta::assert_snapshot!("doctor_problems", finished.snapshot());
    assert_eq!(finished.code, Some(1));
    assert!(!finished.snapshot().contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_function_is_found_by_its_arn_and_by_a_name_that_only_one_has() {
    let stage = Stage::set().await;
    let elsewhere = Place::new(ACCOUNT, "eu-central-1");
    stage.plane.add_function(&here(), healthy(&stage));
    stage.plane.add_function(&elsewhere, healthy(&stage));
    let arn = format!("arn:aws:lambda:eu-central-1:{ACCOUNT}:function:orders");
    let finished = doctor(&stage, &[&arn, "--output", "json"]).await;
    assert_eq!(
        finished.json()["arn"],
        arn.as_str(),
        "{}",
        finished.snapshot()
    );

    let regions = ["--regions", "eu-west-1,eu-central-1"];
    let finished = doctor(&stage, &[&["orders"], &regions[..]].concat()).await;
    assert_eq!(finished.code, Some(2));
    assert!(finished.stderr.contains(&arn), "{}", finished.snapshot());
    let finished = doctor(&stage, &["payments"]).await;
    assert_eq!(finished.code, Some(1));
    assert!(
        finished
            .stderr
            .contains("there is no function payments in 111122223333 eu-west-1"),
        "{}",
        finished.snapshot()
    );
    let finished = doctor(&stage, &["orders-*"]).await;
    assert_eq!(finished.code, Some(2), "{}", finished.snapshot());
}
