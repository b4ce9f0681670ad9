//! What the function itself tells.

use std::collections::BTreeMap;

use backstop_fake_aws::{FunctionSpec, KeyAccess, PackageType, Signing};

use super::{KEY, check, doctor, healthy, not_ok, report, variables};
use crate::stage::{ACCOUNT, Stage, here};

/// What is wrong, a function that has it, and the checks that do not come out well.
type Case = (
    &'static str,
    FunctionSpec,
    &'static [(&'static str, &'static str)],
);

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a list of cases")]
async fn each_fault_has_the_check_that_tells_it() {
    let stage = Stage::set().await;
    let arm = stage
        .publish(&here(), "backstop-extension-arm64-9-0-0", "arm")
        .await;
    let older = stage
        .publish(&here(), "backstop-extension-x86_64-0-0-9", "older")
        .await;
    let ours = stage.layers.values().next().unwrap().clone();
    let with = |name: &str, value: &str| {
        let mut spec = healthy(&stage);
        spec.environment.insert(name.to_owned(), value.to_owned());
        spec
    };
    let layers = |layers: &[&str]| FunctionSpec {
        layers: layers.iter().map(|arn| (*arn).to_owned()).collect(),
        ..healthy(&stage)
    };
    let base = healthy(&stage);
    let (ok, deleted) = (base.clone(), format!("{}:7", ours.trim_end_matches(":1")));
    let theirs = "arn:aws:lambda:eu-west-1:999999999999:layer:backstop-extension-x86_64-0-1-0:1";
    let private = with("BACKSTOP_PRIMARY_URL", "https://collector.internal/");
    let full: Vec<String> = (0..5)
        .map(|number| format!("arn:aws:lambda:eu-west-1:{ACCOUNT}:layer:theirs-{number}:1"))
        .collect();
    let cases: Vec<Case> = vec![
        ("none", ok, &[]),
        ("absent", layers(&[]), &[("layer", "problem")]),
        (
            "full",
            FunctionSpec {
                layers: full,
                ..base.clone()
            },
            &[("layer", "problem")],
        ),
        ("twice", layers(&[&ours, &older]), &[("layer", "problem")]),
        ("older", layers(&[&older]), &[("release", "warning")]),
        (
            "deleted",
            layers(&[&deleted]),
            &[("layer-version", "problem")],
        ),
        (
            "not shared",
            layers(&[theirs]),
            &[("layer-version", "unknown")],
        ),
        (
            "architecture",
            FunctionSpec {
                architecture: Some("arm64".to_owned()),
                ..base.clone()
            },
            &[("architecture", "problem")],
        ),
        (
            "newer, and another architecture",
            FunctionSpec {
                architecture: Some("arm64".to_owned()),
                ..layers(&[&arm])
            },
            &[("release", "warning"), ("architecture", "problem")],
        ),
        (
            "asleep",
            FunctionSpec {
                state: Some("Inactive"),
                ..base.clone()
            },
            &[("state", "warning")],
        ),
        (
            "failed",
            FunctionSpec {
                state: Some("Failed"),
                ..base.clone()
            },
            &[("state", "problem")],
        ),
        (
            "old runtime",
            FunctionSpec {
                runtime: Some("python3.6".to_owned()),
                ..base.clone()
            },
            &[("runtime", "problem")],
        ),
        (
            "another vendor",
            layers(&[
                &ours,
                "arn:aws:lambda:eu-west-1:464622532012:layer:Datadog-Extension:65",
            ]),
            &[("other-extension", "warning")],
        ),
        (
            "managed",
            FunctionSpec {
                tags: [(
                    "aws:cloudformation:stack-name".to_owned(),
                    "shop".to_owned(),
                )]
                .into(),
                ..base.clone()
            },
            &[("owner", "warning")],
        ),
        (
            "signed code only",
            FunctionSpec {
                signing: Signing::Enforce,
                ..base.clone()
            },
            &[("code-signing", "warning")],
        ),
        (
            "nearly full environment",
            with("TABLE", &"x".repeat(3500)),
            &[("environment", "warning")],
        ),
        (
            "unknown key",
            FunctionSpec {
                key_access: KeyAccess::Denied,
                ..base.clone()
            },
            &[("environment", "unknown"), ("settings", "unknown")],
        ),
        (
            "invalid",
            with("BACKSTOP_LOG_LEVEL", "loud"),
            &[("settings", "problem")],
        ),
        (
            "short timeout",
            FunctionSpec {
                timeout: Some(1),
                ..with("BACKSTOP_MAX_ADDED_MS", "900")
            },
            &[("timeout", "warning")],
        ),
        (
            "plain http",
            FunctionSpec {
                environment: variables(&[
                    ("BACKSTOP_PRIMARY_URL", "http://intake.example.com/"),
                    ("BACKSTOP_ALLOW_PLAINTEXT", "true"),
                ]),
                ..base.clone()
            },
            &[("primary", "warning"), ("fallbacks", "warning")],
        ),
        (
            "vpc",
            FunctionSpec {
                vpc_id: Some("vpc-1".to_owned()),
                ..base.clone()
            },
            &[("network", "warning")],
        ),
        ("private", private.clone(), &[("network", "warning")]),
        (
            "private, in a VPC that the fallbacks have to leave",
            FunctionSpec {
                vpc_id: Some("vpc-1".to_owned()),
                ..private
            },
            &[("network", "warning")],
        ),
        (
            "private, in a VPC that nothing has to leave",
            FunctionSpec {
                vpc_id: Some("vpc-1".to_owned()),
                environment: variables(&[("BACKSTOP_PRIMARY_URL", "https://10.1.2.3/")]),
                ..base.clone()
            },
            &[("fallbacks", "warning")],
        ),
        (
            "loopback",
            with("BACKSTOP_PRIMARY_URL", "http://127.0.0.1:4318/"),
            &[("network", "warning")],
        ),
        (
            "no primary",
            FunctionSpec {
                environment: [(
                    "BACKSTOP_FIREHOSE_STREAM".to_owned(),
                    "telemetry".to_owned(),
                )]
                .into(),
                ..base.clone()
            },
            &[("primary", "warning")],
        ),
        (
            "no sink at all",
            FunctionSpec {
                environment: BTreeMap::new(),
                ..base.clone()
            },
            &[
                ("settings", "problem"),
                ("primary", "problem"),
                ("fallbacks", "warning"),
            ],
        ),
        (
            "wrong stream",
            with("BACKSTOP_FIREHOSE_STREAM", "other"),
            &[("firehose", "problem")],
        ),
        (
            "wrong prefix",
            with("BACKSTOP_S3_PREFIX", "logs"),
            &[("archive", "problem")],
        ),
        (
            "wrong key",
            with("BACKSTOP_S3_KMS_KEY_ID", &KEY.replace("8cd4", "9cd4")),
            &[("key", "warning")],
        ),
        (
            "alias",
            with("BACKSTOP_S3_KMS_KEY_ID", "alias/archive"),
            &[("key", "unknown")],
        ),
        (
            "snap start",
            FunctionSpec {
                snap_start: true,
                ..base.clone()
            },
            &[("snap-start", "warning")],
        ),
        (
            "switched off",
            FunctionSpec {
                reserved_concurrency: Some(0),
                ..base.clone()
            },
            &[("concurrency", "problem")],
        ),
    ];
    for (what, spec, expected) in cases {
        let (finished, json) = report(&stage, spec).await;
        assert_eq!(not_ok(&json), expected, "{what}: {}", finished.stdout);
        let is_problem = expected.iter().any(|(_, state)| *state == "problem");
        assert_eq!(finished.code, Some(i32::from(is_problem)), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_that_is_signed_as_the_function_asks_passes() {
    const PROFILE: &str = "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/layers/1";
    let stage = Stage::set().await;
    let spec = FunctionSpec {
        signing: Signing::Enforce,
        ..healthy(&stage)
    };
    let layer = "backstop-extension-x86_64-0-1-0";
    stage.plane.sign_layer(&here(), layer, 1, PROFILE);
    let (_, json) = report(&stage, spec.clone()).await;
    assert_eq!(check(&json, "code-signing").0, "warning", "{json}");
    stage.plane.allow_publishers(&here(), &[PROFILE]);
    let (_, json) = report(&stage, spec).await;
    assert_eq!(check(&json, "code-signing").0, "ok", "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_told_what_to_write_into_its_dockerfile() {
    let stage = Stage::set().await;
    let spec = FunctionSpec {
        package_type: PackageType::Image,
        runtime: None,
        layers: Vec::new(),
        environment: BTreeMap::new(),
        ..healthy(&stage)
    };
    let (finished, json) = report(&stage, spec).await;
    let (is, reported) = check(&json, "package");
    assert_eq!(is, "warning");
    assert!(
        reported.contains("ADD extension-x86_64.tar.gz /opt/"),
        "{reported}"
    );
    // Its settings may be in the image.
    assert_eq!(check(&json, "settings").0, "unknown");
    assert_eq!(
        not_ok(&json),
        [("package", "warning"), ("settings", "unknown")]
    );
    assert_eq!(finished.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_since_a_run_is_told() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 1, &FunctionSpec::default());
    stage.attach(&["orders-*"]).await;
    let json = doctor(&stage, &["orders-000", "--output", "json"])
        .await
        .json();
    assert_eq!(check(&json, "drift").0, "ok");
    stage.plane.deploy(
        &here(),
        "orders-000",
        ("BACKSTOP_PRIMARY_URL", "https://other.example.com/"),
    );
    let json = doctor(&stage, &["orders-000", "--output", "json"])
        .await
        .json();
    let (is, reported) = check(&json, "drift");
    assert_eq!(is, "warning");
    assert!(
        reported.contains("changed: BACKSTOP_PRIMARY_URL"),
        "{reported}"
    );
}
