//! The permissions that are asked for are those of `crates/archive/permissions.json`.

use std::collections::BTreeMap;
use std::fs;

use backstop_fake_aws::FunctionSpec;
use serde_json::{Value, json};

use super::{check, healthy, report};
use crate::stage::{ACCOUNT, Stage};

/// The checks that belong to a permission.
const CHECKS: [&str; 4] = ["firehose", "archive", "key", "token"];

fn check_of(statement: &Value) -> &'static str {
    match statement["Action"].as_str() {
        Some("firehose:PutRecordBatch") => "firehose",
        Some("s3:PutObject") => "archive",
        Some("kms:GenerateDataKey") => "key",
        Some("secretsmanager:GetSecretValue" | "ssm:GetParameter" | "kms:Decrypt") => "token",
        other => panic!("{other:?} belongs to no check"),
    }
}

/// The check of a name that is about a resource; a token may need several permissions.
fn about<'a>(report: &'a Value, name: &str, resource: &str) -> (&'a str, String) {
    let checks = report["checks"].as_array().unwrap().iter();
    let mut named = checks.filter(|it| it["check"] == name);
    let found = named.find(|it| it.to_string().contains(resource));
    let found = found.unwrap_or_else(|| panic!("{name} of {resource} was not checked: {report}"));
    (found["state"].as_str().unwrap(), found.to_string())
}

fn named(report: &Value) -> impl Iterator<Item = &str> {
    let checks = report["checks"].as_array().unwrap().iter();
    checks.filter_map(|it| it["check"].as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_with_the_permissions_of_the_file_has_all_of_them_and_lacks_what_is_taken_away() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../crates/archive/permissions.json"
    );
    let file: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let stage = Stage::set().await;
    assert_eq!(file["account"], ACCOUNT);
    let cases = file["cases"].as_array().unwrap();
    for (number, case) in cases.iter().enumerate() {
        let set: BTreeMap<String, String> =
            serde_json::from_value(case["environment"].clone()).unwrap();
        let statements = case["statements"].as_array().unwrap();
        // All of it; then all but each one.
        for without in (0..=statements.len()).rev() {
            let granted: Vec<&Value> = (statements.iter().enumerate())
                .filter(|(at, _)| *at != without)
                .map(|(_, statement)| statement)
                .collect();
            let spec = healthy(&stage);
            let policy = json!({ "Version": "2012-10-17", "Statement": granted });
            (stage.plane).put_role_policy(ACCOUNT, "orders", "backstop", &policy.to_string());
            let mut environment = spec.environment.clone();
            environment.retain(|name, _| name == "BACKSTOP_PRIMARY_URL");
            environment.extend(set.clone());
            let spec = FunctionSpec {
                name: format!("orders-{number}-{without}"),
                role: Some("orders".to_owned()),
                environment,
                ..spec
            };
            let (_, report) = report(&stage, spec).await;
            for (at, statement) in statements.iter().enumerate() {
                let resource = statement["Resource"].as_str().unwrap();
                let (outcome, finished) = about(&report, check_of(statement), resource);
                let expected = match statement["Action"].as_str() {
                    _ if at != without => "ok",
                    // A key's own policy may allow it.
                    Some(action) if action.starts_with("kms:") => "warning",
                    _ => "problem",
                };
                assert_eq!(outcome, expected, "{} {finished}", case["case"]);
            }
            let of_permissions = CHECKS.into_iter().filter(|check| {
                let is_asked = named(&report).any(|it| it == *check);
                is_asked && !statements.iter().any(|it| check_of(it) == *check)
            });
            for check_name in of_permissions {
                // Only that a policy cannot name an alias.
                let (outcome, finished) = check(&report, check_name);
                assert_eq!((check_name, outcome), ("key", "unknown"), "{finished}");
            }
        }
    }
}
