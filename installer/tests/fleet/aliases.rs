//! Versions that are published of changed functions, and aliases that are moved to them and back.

use std::process::Stdio;
use std::sync::Arc;

use backstop_fake_aws::{FunctionSpec, Moment};
use serde_json::{Value, json};

use crate::stage::{Finished, Stage, here};

pub(crate) const ORDERS: &str = "orders-000";

/// Functions with the alias `live` on version 1.
pub(crate) async fn with_aliases(count: usize) -> Stage {
    let stage = Stage::set().await;
    let spec = FunctionSpec {
        aliases: vec!["live".to_owned()],
        ..FunctionSpec::default()
    };
    stage.add(&here(), "orders", count, &spec);
    stage
}

pub(crate) async fn attach(stage: &Stage) -> Finished {
    let arguments = ["orders-*", "--move-alias", "live", "--output", "json"];
    stage.attach(&arguments).await
}

/// Where the alias leads, and how many layers there are.
pub(crate) async fn leads_to(stage: &Stage, function: &str) -> (String, usize) {
    let client = stage.client(&here());
    let alias = client
        .get_alias()
        .function_name(function)
        .name("live")
        .send()
        .await;
    let version = alias.unwrap().function_version().unwrap().to_owned();
    let found = client
        .get_function()
        .function_name(function)
        .qualifier(&version)
        .send()
        .await;
    let layers = found.unwrap().configuration().unwrap().layers().len();
    (version, layers)
}

pub(crate) fn first<'a>(summary: &'a Value, list: &str) -> &'a str {
    summary[list][0]["reason"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_alias_leads_to_a_version_with_the_layer_and_undo_puts_it_back() {
    let stage = with_aliases(3).await;
    stage.add(&here(), "orders-bare", 1, &FunctionSpec::default());
    let before = stage.plane.snapshot();
    let finished = attach(&stage).await;
    assert_eq!(finished.code, Some(0), "{}", finished.snapshot());
    let summary = finished.json();
    assert_eq!(summary["changed"], 4, "{summary}");
    assert_eq!(
        summary["versions"].as_array().map(Vec::len),
        Some(4),
        "{summary}"
    );
    assert_eq!(summary["aliases"], 3, "{summary}");
    assert_eq!(leads_to(&stage, ORDERS).await, ("2".to_owned(), 1));

    let undone = stage.run(&["undo", &finished.run(), "--yes"]).await;
    assert_eq!(undone.code, Some(0), "{}", undone.snapshot());
    assert_eq!(leads_to(&stage, ORDERS).await, ("1".to_owned(), 0));
    assert!(
        undone
            .stdout
            .contains("4  published versions of that run kept"),
        "{}",
        undone.stdout
    );
    assert!(
        undone.stdout.contains("eu-west-1: orders-000 version 2, "),
        "{}",
        undone.stdout
    );
    let after = stage.plane.snapshot();
    for (name, function) in &before {
        assert_eq!(after[name]["Configuration"], function["Configuration"]);
        assert_eq!(after[name]["Aliases"], function["Aliases"]);
    }

    // An undoing is a run as well.
    let again = stage.run(&["undo", &undone.run(), "--yes"]).await;
    assert_eq!(again.code, Some(0), "{}", again.snapshot());
    assert_eq!(leads_to(&stage, ORDERS).await, ("2".to_owned(), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_alias_a_version_is_published_and_nothing_leads_to_it() {
    let stage = with_aliases(1).await;
    let finished = stage.attach(&["orders-*", "--publish-version"]).await;
    assert_eq!(finished.code, Some(0), "{}", finished.snapshot());
    assert!(
        finished.stdout.contains("1  versions published"),
        "{}",
        finished.stdout
    );
    assert_eq!(leads_to(&stage, ORDERS).await, ("1".to_owned(), 0));
    let none = stage.attach(&["orders-*"]).await;
    assert_eq!(none.code, Some(0), "{}", none.snapshot());
    assert_eq!(stage.plane.count("PublishVersion"), 1);
    assert_eq!(stage.plane.count("GetAlias"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_before_the_version_is_not_published() {
    let stage = with_aliases(1).await;
    let plane = Arc::clone(&stage.plane);
    stage.plane.before("PublishVersion", ORDERS, 1, move || {
        plane.change(&here(), ORDERS, |spec| spec.code = "deployed".to_owned());
    });
    let finished = attach(&stage).await;
    assert_eq!(finished.code, Some(3), "{}", finished.snapshot());
    let summary = finished.json();
    assert!(
        first(&summary, "left").contains("code was deployed in the meantime"),
        "{summary}"
    );
    let calls = stage.plane.calls().into_iter();
    let statuses: Vec<u16> = calls
        .filter(|call| call.operation == "PublishVersion")
        .map(|call| call.status)
        .collect();
    assert_eq!(statuses, [412]);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_lost_are_found_out_by_reading() {
    for operation in ["PublishVersion", "UpdateAlias"] {
        let stage = with_aliases(1).await;
        let held = stage.plane.hold(operation, 1, Moment::BeforeItIsAnswered);
        let mut arguments = vec!["attach", "orders-*", "--yes", "--move-alias", "live"];
        arguments.extend(["--rate", "100", "--layer", &stage.layers[&here()]]);
        arguments.extend(["--timeout", "0.3"]);
        let finished = stage.run(&arguments).await;
        drop(held);
        assert_eq!(
            finished.code,
            Some(0),
            "{operation}: {}",
            finished.snapshot()
        );
        assert_eq!(
            leads_to(&stage, ORDERS).await,
            ("2".to_owned(), 1),
            "{operation}"
        );
        assert!(
            finished.stdout.contains("1  aliases moved"),
            "{operation}: {}",
            finished.stdout
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_killed_between_its_steps_goes_on_with_the_next() {
    for operation in ["PublishVersion", "UpdateAlias"] {
        for moment in [Moment::BeforeItIsDone, Moment::BeforeItIsAnswered] {
            let context = format!("{operation} {moment:?}");
            let stage = with_aliases(2).await;
            let held = stage.plane.hold(operation, 1, moment);
            let mut arguments = vec!["attach", "orders-*", "--yes", "--move-alias", "live"];
            arguments.extend(["--rate", "100", "--layer", &stage.layers[&here()]]);
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
            assert_eq!(resumed.code, Some(0), "{context}: {}", resumed.snapshot());
            for function in [ORDERS, "orders-001"] {
                assert_eq!(
                    leads_to(&stage, function).await,
                    ("2".to_owned(), 1),
                    "{context}"
                );
            }
            let undone = stage.run(&["undo", &run, "--yes"]).await;
            assert_eq!(undone.code, Some(0), "{context}: {}", undone.snapshot());
            for function in [ORDERS, "orders-001"] {
                assert_eq!(
                    leads_to(&stage, function).await,
                    ("1".to_owned(), 0),
                    "{context}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_whose_versions_are_snapshots_is_told_of() {
    let stage = Stage::set().await;
    let spec = FunctionSpec {
        snap_start: true,
        ..FunctionSpec::default()
    };
    stage.add(&here(), "orders", 1, &spec);
    let plain = stage.attach(&["orders-*", "--dry-run"]).await;
    assert!(plain.stdout.contains("! SnapStart"), "{}", plain.snapshot());
    let publishing = stage
        .attach(&["orders-*", "--dry-run", "--publish-version"])
        .await;
    assert!(
        !publishing.stdout.contains("! SnapStart"),
        "{}",
        publishing.snapshot()
    );
    assert!(
        publishing
            .stdout
            .contains("Publishes a version of each changed function"),
        "{}",
        publishing.snapshot()
    );
}

/// The configuration of the function's alias, as far as its extension goes.
fn alias_layers(stage: &Stage) -> usize {
    let all = stage.everything();
    all.values().next().unwrap()["Aliases"]["live"]["FunctionVersion"]
        .as_str()
        .map_or(0, |version| version.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn unfinished_work_of_any_kind_is_not_released() {
    let kinds: [(&str, Option<Value>); 20] = [
        ("Handler", Some("next.handler".into())),
        ("MemorySize", Some(1024.into())),
        ("Timeout", Some(60.into())),
        ("Runtime", Some("nodejs24.x".into())),
        ("Role", Some("arn:aws:iam::111122223333:role/next".into())),
        ("KMSKeyArn", Some("arn:aws:kms:eu-west-1:1:key/1".into())),
        (
            "VpcConfig",
            Some(json!({ "SubnetIds": ["subnet-1"], "VpcId": "vpc-1" })),
        ),
        ("SnapStart", Some(json!({ "ApplyOn": "PublishedVersions" }))),
        ("TracingConfig", Some(json!({ "Mode": "Active" }))),
        ("LoggingConfig", Some(json!({ "LogFormat": "JSON" }))),
        (
            "DeadLetterConfig",
            Some(json!({ "TargetArn": "arn:aws:sqs:eu-west-1:1:q" })),
        ),
        (
            "FileSystemConfigs",
            Some(json!([{ "Arn": "arn:aws:efs", "LocalMountPath": "/mnt/a" }])),
        ),
        ("EphemeralStorage", Some(json!({ "Size": 1024 }))),
        (
            "TenancyConfig",
            Some(json!({ "TenantIsolationMode": "PER_TENANT" })),
        ),
        (
            "SigningJobArn",
            Some("arn:aws:signer:eu-west-1:1:/signing-jobs/1".into()),
        ),
        // These may differ: they say which version it is, or are Lambda's.
        ("Description", None),
        ("ConfigSha256", None),
        ("RuntimeVersionConfig", None),
        ("StateReason", None),
        ("MasterArn", None),
    ];
    for (member, value) in kinds {
        let stage = with_aliases(1).await;
        let is_released = value.is_none();
        let value = value.unwrap_or_else(|| match member {
            "RuntimeVersionConfig" => {
                json!({ "RuntimeVersionArn": "arn:aws:lambda:eu-west-1::runtime:1" })
            }
            _ => "another".into(),
        });
        (stage.plane).change(&here(), ORDERS, |spec| {
            spec.shown.insert(member.to_owned(), value.clone());
        });
        let finished = attach(&stage).await;
        let context = format!("{member}: {}", finished.snapshot());
        if member == "MasterArn" {
            // A replica of Lambda@Edge is not changed at all.
            assert_eq!(finished.code, Some(5), "{context}");
        } else if is_released {
            assert_eq!(finished.code, Some(0), "{context}");
            assert_eq!(alias_layers(&stage), 2, "{context}");
        } else {
            assert_eq!(finished.code, Some(3), "{context}");
            let summary = finished.json();
            let reason = first(&summary, "aliasesLeft");
            assert!(reason.contains("in more than the extension"), "{context}");
            assert_eq!(leads_to(&stage, ORDERS).await, ("1".to_owned(), 0));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_attached_already_is_published_and_its_alias_moved() {
    let stage = with_aliases(2).await;
    let plain = stage.attach(&["orders-*"]).await;
    assert_eq!(plain.code, Some(0), "{}", plain.snapshot());
    assert_eq!(leads_to(&stage, ORDERS).await, ("1".to_owned(), 0));

    let planned = stage
        .attach(&["orders-*", "--move-alias", "live", "--dry-run"])
        .await;
    assert!(
        planned
            .stdout
            .contains("+ version of the current code and settings, and moves the alias live to it"),
        "{}",
        planned.snapshot()
    );
    let moved = attach(&stage).await;
    assert_eq!(moved.code, Some(0), "{}", moved.snapshot());
    assert_eq!(moved.json()["aliases"], 2, "{}", moved.stdout);
    assert_eq!(leads_to(&stage, ORDERS).await, ("2".to_owned(), 1));
    // What is done is not done again, and no run is begun.
    for arguments in [&["--move-alias", "live"][..], &["--publish-version"]] {
        let again = stage.attach(&[&["orders-*"], arguments].concat()).await;
        assert_eq!(again.code, Some(0), "{}", again.snapshot());
        assert!(!again.stderr.contains("Run "), "{}", again.snapshot());
    }
    assert_eq!(stage.plane.count("PublishVersion"), 2);

    let undone = stage.run(&["undo", &moved.run(), "--yes"]).await;
    assert_eq!(undone.code, Some(0), "{}", undone.snapshot());
    assert_eq!(leads_to(&stage, ORDERS).await, ("1".to_owned(), 0));
    // Detached before, and what is invoked still has it.
    let back = stage.run(&["undo", &undone.run(), "--yes"]).await;
    assert_eq!(back.code, Some(0), "{}", back.snapshot());
    let detach = ["detach", "orders-*", "--yes", "--rate", "100"];
    let detached = stage.run(&detach).await;
    assert!(
        detached
            .stderr
            .contains("! traffic goes through alias live"),
        "{}",
        detached.snapshot()
    );
    assert_eq!(leads_to(&stage, ORDERS).await, ("2".to_owned(), 1));
    let all: Vec<&str> = detach.into_iter().chain(["--move-alias", "live"]).collect();
    let off = stage.run(&all).await;
    assert_eq!(off.code, Some(0), "{}", off.snapshot());
    assert_eq!(leads_to(&stage, ORDERS).await, ("3".to_owned(), 0));
}
