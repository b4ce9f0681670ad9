//! What others have to be asked: IAM, S3, the list of what is published.

use backstop_fake_aws::FunctionSpec;

use super::{check, doctor, healthy, report};
use crate::stage::{ACCOUNT, Finished, Stage, here};
use backstop_simulator::LittleServer;

#[tokio::test(flavor = "multi_thread")]
async fn aliases_on_versions_without_the_layer_are_told() {
    let stage = Stage::set().await;
    let spec = healthy(&stage);
    stage.plane.add_function(
        &here(),
        FunctionSpec {
            layers: Vec::new(),
            provisioned: vec!["live".to_owned()],
            ..spec.clone()
        },
    );
    stage.plane.publish_version(&here(), "orders");
    stage
        .plane
        .change(&here(), "orders", |it| it.layers.clone_from(&spec.layers));
    stage.plane.publish_version(&here(), "orders");
    stage
        .plane
        .set_alias(&here(), "orders", ("live", "1"), None);
    stage
        .plane
        .set_alias(&here(), "orders", ("canary", "2"), Some(("1", 0.5)));
    stage
        .plane
        .set_alias(&here(), "orders", ("good", "2"), None);
    stage
        .plane
        .set_alias(&here(), "orders", ("latest", "$LATEST"), None);
    let finished = doctor(&stage, &["orders", "--output", "json"]).await;
    let json = finished.json();
    let all = json["checks"].as_array().unwrap().iter();
    let reported: Vec<&str> = (all.filter(|it| it["state"] == "warning"))
        .map(|it| it["found"].as_str().unwrap())
        .filter(|found| found.contains("the layer"))
        .collect();
    assert_eq!(
        reported,
        [
            "canary points to version 1, which lacks the layer: invocations through it do not use the layer",
            "live points to version 1, which lacks the layer: invocations through it do not use the layer",
            "provisioned concurrency of live runs without the layer",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_costs_its_checks_only_and_is_named() {
    let stage = Stage::set().await;
    for operation in [
        "GetFunction",
        "GetLayerVersion",
        "GetFunctionCodeSigningConfig",
        "ListAliases",
        "SimulatePrincipalPolicy",
    ] {
        stage.plane.deny(operation);
    }
    stage.plane.add_function(&here(), healthy(&stage));
    let s3 = LittleServer::s3("archive", 403, "eu-west-1");
    let mut command = stage.backstop(&["doctor", "orders", "--output", "json"]);
    command.env("AWS_ENDPOINT_URL_S3", s3.endpoint());
    let finished: Finished = command.output().await.unwrap().into();
    let json = finished.json();
    for (name, permission) in [
        ("state", "lambda:GetFunction"),
        ("layer-version", "lambda:GetLayerVersion"),
        ("code-signing", "lambda:GetFunctionCodeSigningConfig"),
        ("firehose", "iam:SimulatePrincipalPolicy"),
        ("archive", "iam:SimulatePrincipalPolicy"),
        ("key", "iam:SimulatePrincipalPolicy"),
        ("bucket", "s3:ListBucket"),
        ("aliases", "lambda:ListAliases"),
    ] {
        let (is, reported) = check(&json, name);
        assert_eq!(is, "unknown", "{reported}");
        assert!(
            reported.contains(&format!("grant {permission}")),
            "{reported}"
        );
    }
    for name in ["layer", "release", "architecture", "settings", "primary"] {
        assert_eq!(check(&json, name).0, "ok", "{json}");
    }
    assert_eq!(finished.code, Some(0));
    // Nor may anything be listed: then there is nothing to check.
    stage.plane.deny("ListFunctions");
    let finished = doctor(&stage, &["orders"]).await;
    assert_eq!(finished.code, Some(1));
    assert!(
        finished.stderr.contains("lambda:GetFunction"),
        "{}",
        finished.snapshot()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bucket_is_looked_for() {
    let stage = Stage::set().await;
    stage.plane.add_function(&here(), healthy(&stage));
    for (status, region, expected, part) in [
        (200, "eu-west-1", "ok", "archive in eu-west-1"),
        (404, "", "problem", "archive does not exist"),
        (301, "us-east-1", "problem", "archive is in us-east-1"),
        (403, "us-east-1", "problem", "archive is in us-east-1"),
        (403, "eu-west-1", "unknown", "grant s3:ListBucket"),
    ] {
        let s3 = LittleServer::s3("archive", status, region);
        let mut command = stage.backstop(&["doctor", "orders", "--output", "json"]);
        command.env("AWS_ENDPOINT_URL_S3", s3.endpoint());
        let finished: Finished = command.output().await.unwrap().into();
        let json = finished.json();
        let (is, reported) = check(&json, "bucket");
        assert_eq!(is, expected, "{status} {region}: {reported}");
        assert!(reported.contains(part), "{reported}");
    }
    // An emulator, or an endpoint of the function's own network.
    let elsewhere = ("AWS_ENDPOINT_URL_S3", "http://s3.internal");
    stage.plane.deploy(&here(), "orders", elsewhere);
    let json = doctor(&stage, &["orders", "--output", "json"]).await.json();
    assert!(!json.to_string().contains(r#""check":"bucket""#), "{json}");
    assert_eq!(check(&json, "archive").0, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_gone_or_denied_is_a_problem() {
    let stage = Stage::set().await;
    let spec = healthy(&stage);
    let deny = r#"{"Statement":[{"Effect":"Deny","Action":"firehose:*","Resource":"*"}]}"#;
    stage
        .plane
        .put_role_policy(ACCOUNT, "orders", "guard", deny);
    let (_, json) = report(&stage, spec.clone()).await;
    let (is, reported) = check(&json, "firehose");
    assert_eq!(is, "problem");
    assert!(reported.contains("find the Deny"), "{reported}");
    stage.plane.remove_role(ACCOUNT, "orders");
    let (_, json) = report(&stage, spec).await;
    assert!(
        check(&json, "firehose").1.contains("does not exist"),
        "{json}"
    );
}
