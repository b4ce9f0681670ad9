//! `backstop replay --like`: to the primary of a function, as its environment says it.

use std::collections::BTreeMap;

use backstop_fake_aws::{ControlPlane, FunctionSpec, Place};

use crate::replay::{counts, lines};
use crate::support::{DIRECT, Finished, Stage, backstop, run};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-west-1";

fn arn(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
}

fn function(plane: &ControlPlane, name: &str, variables: &[(&str, &str)]) {
    let environment: BTreeMap<String, String> = (variables.iter())
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let spec = FunctionSpec {
        name: name.to_owned(),
        environment,
        ..FunctionSpec::default()
    };
    plane.add_function(&Place::new(ACCOUNT, REGION), spec);
}

async fn replay(stage: &Stage, plane: &ControlPlane, more: &[&str]) -> Finished {
    let mut command = backstop();
    command
        .args(["replay", "--output", "json", "--from"])
        .arg(stage.path("backstop"))
        .args(["--endpoint-url", &plane.endpoint()])
        .args(more)
        .env("XDG_STATE_HOME", stage.state())
        .env("AWS_ACCESS_KEY_ID", ControlPlane::access_key(ACCOUNT))
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_MAX_ATTEMPTS", "1")
        // It is of another primary.
        .env("BACKSTOP_PRIMARY_TOKEN", "of-this-machine");
    if let Some(path) = stage.intake.ca_pem_path() {
        command.env("SSL_CERT_FILE", path);
    }
    run(&mut command).await
}

#[tokio::test]
async fn records_go_where_the_function_sends_its_own() {
    let stage = Stage::set().await;
    let plane = ControlPlane::start().expect("it starts");
    stage.put_lines(&format!("{DIRECT}/b1.ndjson.gz"), &lines(0..3, "one"));
    let url = stage.intake.url();
    function(
        &plane,
        "checkout",
        &[
            ("BACKSTOP_PRIMARY_URL", &format!("{url}?key=hunter2")),
            ("BACKSTOP_PRIMARY_FORMAT", "json"),
            ("BACKSTOP_PRIMARY_HEADERS", "x-team=payments"),
            ("BACKSTOP_PRIMARY_TOKEN", "hunter3"),
            ("DATABASE_PASSWORD", "hunter4"),
        ],
    );
    let finished = replay(&stage, &plane, &["--like", &arn("checkout")]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(counts(&finished.json(), &["sent"]), [3]);
    let last = stage.intake.last_headers();
    let of = |name: &str| last.get(name).and_then(|value| value.to_str().ok());
    assert_eq!(of("authorization"), Some("Bearer hunter3"));
    assert_eq!(of("x-team"), Some("payments"));
    assert_eq!(of("content-type"), Some("application/json"));
    let shown = format!("{}{}", finished.stdout, finished.stderr);
    assert!(!shown.contains("hunter"), "{shown}");
    assert!(
        shown.contains("to https://127.0.0.1/***") || shown.contains("/***"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_function_without_a_primary_or_that_is_not_there_is_an_error_with_what_to_do() {
    let stage = Stage::set().await;
    let plane = ControlPlane::start().expect("it starts");
    function(&plane, "plain", &[("OTHER", "hunter2")]);
    for (named, code, expected) in [
        (arn("plain"), 1, "has no BACKSTOP_PRIMARY_URL: give --to"),
        (arn("absent"), 1, "reading function arn:aws:lambda:"),
        (
            "checkout".to_owned(),
            2,
            "is not the ARN of a function: write it as",
        ),
        (
            "arn:aws:s3:::bucket".to_owned(),
            2,
            "is not the ARN of a function",
        ),
    ] {
        let finished = replay(&stage, &plane, &["--like", &named]).await;
        assert_eq!(finished.code, Some(code), "{finished:?}");
        assert!(finished.stderr.contains(expected), "{finished:?}");
        assert!(!finished.stderr.contains("hunter2"), "{finished:?}");
    }
    let both = [
        "--like",
        &arn("plain"),
        "--to",
        "https://intake.example.com",
    ];
    let refused = replay(&stage, &plane, &both).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
}
