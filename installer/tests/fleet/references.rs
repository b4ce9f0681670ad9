//! A token that the function reads: set by its reference, granted, checked, and never copied.

use std::sync::{Arc, Mutex};

use backstop_fake_aws::FunctionSpec;
use backstop_simulator::LittleServer;
use serde_json::json;

use crate::stage::{ACCOUNT, Stage, here};

const ARN: &str = "BACKSTOP_PRIMARY_TOKEN_SECRET_ARN";

fn secret() -> String {
    format!("arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:token-abcdef")
}

fn of(stage: &Stage) -> FunctionSpec {
    FunctionSpec {
        role: Some(format!("arn:aws:iam::{ACCOUNT}:role/orders")),
        layers: stage.layers.values().cloned().collect(),
        ..FunctionSpec::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_is_shown_in_the_plan_and_granted_and_its_secret_is_not_read() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 1, &of(&stage));
    stage.plane.set_secret(&here(), "token", "hunter2");
    let reference = format!("secret:{}#api", secret());
    let arguments = ["orders-000", "--grant", "--token-reference", &reference];
    let finished = stage.attach(&arguments).await;
    assert_eq!(finished.code, Some(0), "{}", finished.snapshot());
    let variables = &stage.everything();
    let shown = format!("{variables:?} {}", finished.snapshot());
    assert!(shown.contains(&format!("{}#api", secret())), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    let calls = stage.plane.calls();
    assert!(calls.iter().all(|call| call.operation != "GetSecretValue"));
    let policy = stage
        .plane
        .role_policy(ACCOUNT, "orders", "backstop-fallback");
    let policy: serde_json::Value = serde_json::from_str(&policy.unwrap()).unwrap();
    assert_eq!(
        policy["Statement"],
        json!([{ "Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": [secret()] }])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_that_is_none_is_refused_and_not_shown() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 1, &of(&stage));
    for (reference, words) in [
        ("hunter2", "names no store of secrets"),
        (
            "secret:hunter2",
            "BACKSTOP_PRIMARY_TOKEN_SECRET_ARN is not the ARN of a secret",
        ),
        (
            "ssm:hun ter2",
            "BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER is not a parameter",
        ),
    ] {
        let arguments = ["orders-000", "--token-reference", reference];
        let finished = stage.attach(&arguments).await;
        assert_eq!(finished.code, Some(2), "{}", finished.snapshot());
        let shown = finished.snapshot();
        assert!(
            shown.contains(words) && !finished.stderr.contains("hunter2"),
            "{shown}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_says_whether_the_secret_is_there_and_sends_with_it() {
    let stage = Stage::set().await;
    let heads = Arc::new(Mutex::new(Vec::<String>::new()));
    let server = LittleServer::raw({
        let heads = Arc::clone(&heads);
        move |head| {
            heads.lock().unwrap().extend(head.iter().cloned());
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned()
        }
    });
    let mut spec = FunctionSpec {
        name: "orders".to_owned(),
        ..of(&stage)
    };
    (spec.environment).insert("BACKSTOP_PRIMARY_URL".to_owned(), server.endpoint());
    spec.environment.insert(ARN.to_owned(), secret());
    stage.plane.add_function(&here(), spec);
    let examine = async |more: &[&str]| {
        let arguments = [&["doctor", "orders", "--output", "json"], more].concat();
        let finished = stage.run(&arguments).await;
        assert!(
            !finished.snapshot().contains("hunter2"),
            "{}",
            finished.snapshot()
        );
        finished.json()
    };
    let check = |report: &serde_json::Value, name: &str| {
        let checks = report["checks"].as_array().unwrap().iter();
        let mut named = checks.filter(|it| it["check"] == name);
        named.next().map_or_else(String::new, ToString::to_string)
    };

    let report = examine(&[]).await;
    assert!(
        check(&report, "secret").contains("does not exist"),
        "{report}"
    );
    assert!(
        check(&report, "token").contains("secretsmanager:GetSecretValue"),
        "{report}"
    );

    stage.plane.set_secret(&here(), "token", "hunter2");
    let report = examine(&["--send"]).await;
    assert!(check(&report, "secret").contains("\"ok\""), "{report}");
    assert!(
        check(&report, "send").contains("accepted a test record"),
        "{report}"
    );
    let heads = heads.lock().unwrap().join("\n");
    assert!(heads.contains("Bearer hunter2"), "{heads}");

    stage.plane.deny("GetSecretValue");
    stage.plane.deny("DescribeSecret");
    let report = examine(&["--send"]).await;
    assert!(
        check(&report, "secret").contains("secretsmanager:DescribeSecret"),
        "{report}"
    );
    assert!(
        check(&report, "send").contains("AccessDeniedException"),
        "{report}"
    );
}
