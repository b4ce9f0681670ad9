//! `backstop layer publish`: the same layer everywhere, once.

use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use backstop_fake_aws::Moment;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::layer_stage::{
    ACCOUNTS, Asked, Fate, LayerStage, ORGANIZATION, REGIONS, count, everywhere,
};
use crate::support::Finished;

const SHARED: [&str; 3] = ["publish", "--share-organization", ORGANIZATION];
const JSON: [&str; 2] = ["--output", "json"];
const ARM64: [&str; 2] = ["--zip", "arm64=dist/extension-arm64.zip"];

#[tokio::test]
async fn a_layer_is_published_and_shared_everywhere_and_once() {
    let stage = LayerStage::set();
    let publish = [&SHARED[..], &["--manifest", "layers.json"]].concat();
    let finished = stage.everywhere(&publish).await;
    insta::assert_snapshot!("publish_everywhere", finished.snapshot());
    assert_eq!(stage.plane.count("PublishLayerVersion"), 18);
    assert_eq!(stage.plane.count("AddLayerVersionPermission"), 18);

    let again = stage.everywhere(&[&publish[..], &JSON].concat()).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(count(&again.json()["layers"], "same"), 18);
    assert_eq!(stage.plane.count("PublishLayerVersion"), 18);
    assert_eq!(stage.plane.count("AddLayerVersionPermission"), 18);

    let versions = stage.versions().await;
    assert_eq!(versions.len(), 18);
    let manifest = stage.json("layers.json");
    assert_eq!(
        (&manifest["schemaVersion"], &manifest["release"]),
        (&1.into(), &"0.1.0".into())
    );
    for version in versions {
        assert_eq!(version["sharedWith"], json!([ORGANIZATION]));
        let text = |member: &str| version[member].as_str().unwrap_or_default();
        let listed = &manifest["layers"][text("account")][text("region")][text("architecture")];
        for (member, of) in [("arn", "arn"), ("version", "version"), ("sha256", "sha256")] {
            assert_eq!(listed[member], version[of]);
        }
    }
}

#[tokio::test]
async fn other_bytes_are_another_version_that_is_shared_as_well() {
    let stage = LayerStage::set();
    let publish = [&SHARED[..], &ARM64, &JSON].concat();
    stage.finished(&publish).await;
    stage.pack("second");
    let finished = stage.finished(&publish).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    insta::with_settings!({filters => vec![(r"[0-9a-f]{64}", "[sha256]")]}, {
        insta::assert_snapshot!("publish_json", finished.snapshot());
    });
    let versions = stage.versions().await;
    let shared: Vec<_> = versions
        .iter()
        .map(|it| (&it["version"], &it["sharedWith"]))
        .collect();
    let with = json!([ORGANIZATION]);
    assert_eq!(shared, [(&json!(2), &with), (&json!(1), &with)]);
    assert_ne!(versions[0]["sha256"], versions[1]["sha256"]);
}

#[tokio::test]
async fn a_version_that_is_kept_is_shared_with_those_who_were_added() {
    let stage = LayerStage::set();
    stage.finished(&[&SHARED[..], &ARM64].concat()).await;
    let more = format!("{},{}", ACCOUNTS[0], ACCOUNTS[1]);
    let publish = [&SHARED[..], &ARM64, &["--share", &more], &JSON].concat();
    let dry = stage
        .finished(&[&publish[..], &["--dry-run"]].concat())
        .await
        .json();
    let layer = stage.finished(&publish).await.json()["layers"][0].clone();
    assert_eq!(layer["outcome"], "same");
    // Its own account may use it without.
    assert_eq!(layer["sharedWith"], json!([ACCOUNTS[1], ORGANIZATION]));
    for finished in [&dry["layers"][0], &layer] {
        assert_eq!(finished["newlySharedWith"], json!([ACCOUNTS[1]]));
    }
    assert_eq!(dry["layers"][0]["sharedWith"], json!([ORGANIZATION]));
    assert_eq!(stage.plane.count("AddLayerVersionPermission"), 2);
}

#[tokio::test]
async fn a_region_that_is_down_holds_up_no_other_and_is_done_the_next_time() {
    let stage = LayerStage::set();
    stage.plane.set_region_down("eu-central-1", true);
    let publish = [&SHARED[..], &["--manifest", "layers.json"]].concat();
    let finished = stage.everywhere(&publish).await;
    insta::with_settings!({filters => vec![(r"ServiceException.*", "ServiceException […]")]}, {
        insta::assert_snapshot!("publish_region_down", finished.snapshot());
    });
    let layers = stage.json("layers.json")["layers"].clone();
    assert_eq!(layers[ACCOUNTS[1]]["eu-central-1"], Value::Null);
    assert_eq!(layers[ACCOUNTS[1]]["us-east-1"]["arm64"]["version"], 1);

    stage.plane.set_region_down("eu-central-1", false);
    let again = stage.everywhere(&[&publish[..], &JSON].concat()).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    let again = again.json();
    assert_eq!(
        (
            count(&again["layers"], "same"),
            count(&again["layers"], "published")
        ),
        (12, 6)
    );
    assert_eq!(stage.plane.count("PublishLayerVersion"), 18);
    let layers = stage.json("layers.json")["layers"].clone();
    assert_eq!(layers[ACCOUNTS[1]]["eu-central-1"]["arm64"]["version"], 1);
}

#[tokio::test]
async fn an_account_whose_role_cannot_be_assumed_is_told_and_the_others_are_done() {
    let stage = LayerStage::set();
    stage.plane.deny_roles(ACCOUNTS[2]);
    let finished = stage.everywhere(&[&SHARED[..], &JSON].concat()).await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    let finished = finished.json();
    assert_eq!(count(&finished["layers"], "published"), 12);
    assert_eq!(finished["skipped"][0]["account"], ACCOUNTS[2]);
    let reason = finished["skipped"][0]["reason"]
        .as_str()
        .unwrap_or_default();
    assert!(
        reason.contains(":role/BackstopInstaller cannot be assumed"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_region_that_is_not_enabled_is_left_out_with_a_note() {
    let stage = LayerStage::set();
    let finished = stage
        .finished(&[&SHARED[..], &ARM64, &["--regions", "eu-west-1,ap-east-1"]].concat())
        .await;
    insta::assert_snapshot!("publish_region_disabled", finished.snapshot());
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let stage = LayerStage::set();
    let finished = stage
        .finished(&[&SHARED[..], &["--dry-run", "--manifest", "layers.json"]].concat())
        .await;
    insta::assert_snapshot!("publish_dry_run", finished.snapshot());
    assert_eq!(stage.plane.count("PublishLayerVersion"), 0);
    assert!(!stage.path("layers.json").exists());
}

#[tokio::test]
async fn a_manifest_takes_in_what_is_published_elsewhere_and_is_terraforms_by_its_name() {
    let stage = LayerStage::set();
    crate::layer_stage::write(
        &stage.path("fleet.auto.tfvars.json"),
        br#"{"stage":"prod","backstop_layers":{}}"#,
    );
    for region in REGIONS {
        for manifest in ["layers.json", "fleet.auto.tfvars.json"] {
            let finished = stage
                .finished(&["publish", "--regions", region, "--manifest", manifest])
                .await;
            assert_eq!(finished.code, Some(0), "{finished:?}");
        }
    }
    let (own, terraforms) = (
        stage.json("layers.json"),
        stage.json("fleet.auto.tfvars.json"),
    );
    for region in REGIONS {
        let arn = format!(
            "arn:aws:lambda:{region}:{}:layer:backstop-extension-arm64-0-1-0:1",
            ACCOUNTS[0]
        );
        assert_eq!(own["layers"][ACCOUNTS[0]][region]["arm64"]["arn"], arn);
    }
    assert_eq!(own["layers"], terraforms["backstop_layers"]);
    assert_eq!(terraforms["stage"], "prod");
}

#[tokio::test]
async fn the_manifest_of_the_projects_file_is_written_too() {
    let stage = LayerStage::set();
    let project = "[layer]\nmanifest = \"layers.json\"\n";
    crate::layer_stage::write(&stage.path("backstop.toml"), project.as_bytes());
    let finished = stage
        .finished(&["publish", "--release", "1.2.3-rc.1"])
        .await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(stage.json("layers.json")["release"], "1.2.3-rc.1");
    let versions = stage.versions().await;
    assert_eq!(versions[0]["name"], "backstop-extension-arm64-1-2-3-rc-1");
    assert_eq!(versions[0]["release"], "1.2.3-rc.1");
}

/// Whether it publishes a version.
fn publishes(asked: &Asked<'_>) -> bool {
    asked.method == "POST" && asked.path.ends_with("/versions")
}

#[tokio::test]
async fn a_version_whose_answer_was_lost_is_found_and_not_published_twice() {
    let stage = LayerStage::intercepted(|asked| {
        if publishes(asked) {
            Fate::Lose
        } else {
            Fate::Pass
        }
    })
    .await;
    let finished = stage.finished(&[&SHARED[..], &ARM64, &JSON].concat()).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let layer = &finished.json()["layers"][0];
    assert_eq!(
        (&layer["outcome"], &layer["version"]),
        (&"published".into(), &1.into())
    );
    assert_eq!(layer["sharedWith"], json!([ORGANIZATION]));
    assert_eq!(stage.plane.count("PublishLayerVersion"), 1);
}

#[tokio::test]
async fn what_may_or_may_not_have_been_published_is_not_published_again() {
    let stage = LayerStage::intercepted(|asked| {
        if publishes(asked) {
            reported(503, "ServiceException", "try later")
        } else {
            Fate::Pass
        }
    })
    .await;
    let finished = stage.finished(&[&SHARED[..], &ARM64, &JSON].concat()).await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    assert_eq!(finished.json()["layers"][0]["outcome"], "failed");
    assert_eq!(stage.plane.count("PublishLayerVersion"), 0);
    // It was looked for: once before, and more than once after.
    assert!(stage.plane.count("ListLayerVersions") > 2);
}

#[tokio::test]
async fn a_region_that_does_not_know_compatible_architectures_gets_the_layer_without() {
    let stage = LayerStage::intercepted(|asked| {
        if publishes(asked) && asked.text.contains("CompatibleArchitectures") {
            let message = "CompatibleArchitectures is not supported in this region";
            reported(400, "InvalidParameterValueException", message)
        } else {
            Fate::Pass
        }
    })
    .await;
    let finished = stage.finished(&[&SHARED[..], &ARM64].concat()).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(stage.plane.count("PublishLayerVersion"), 1);
}

#[tokio::test]
async fn a_full_account_is_told_with_what_makes_room_and_throttling_is_waited_out() {
    let throttled = AtomicUsize::new(0);
    let stage = LayerStage::intercepted(move |asked| {
        if publishes(asked) && asked.path.contains("x86_64") {
            return reported(
                400,
                "CodeStorageExceededException",
                "Code storage limit exceeded.",
            );
        }
        if publishes(asked) && throttled.fetch_add(1, Ordering::Relaxed) == 0 {
            return reported(429, "TooManyRequestsException", "Rate exceeded");
        }
        Fate::Pass
    })
    .await;
    let finished = stage.finished(&[&SHARED[..], &JSON].concat()).await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    let layers = finished.json()["layers"].clone();
    assert_eq!(layers[0]["outcome"], "failed");
    let reason = layers[0]["reason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("CodeStorageExceededException") && reason.contains("backstop layer prune"),
        "{reason}"
    );
    assert_eq!(layers[1]["outcome"], "published");
}

#[tokio::test]
async fn a_permission_that_is_not_read_back_is_a_failure_and_not_in_the_manifest() {
    let policy = json!({ "Policy": "{\"Statement\":[]}", "RevisionId": "r" }).to_string();
    let stage = LayerStage::intercepted(move |asked| {
        let is_read = asked.method == "GET" && asked.path.ends_with("/policy");
        if is_read && asked.path.contains("arm64") {
            Fate::Answer(200, "", policy.clone())
        } else {
            Fate::Pass
        }
    })
    .await;
    let publish = [&SHARED[..], &["--manifest", "layers.json"], &JSON].concat();
    let finished = stage.finished(&publish).await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    let layers = finished.json()["layers"].clone();
    let reason = layers[1]["reason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("the version's policy does not grant access to o-abcde12345"),
        "{reason}"
    );
    let written = &stage.json("layers.json")["layers"][ACCOUNTS[0]]["eu-west-1"];
    assert_eq!(written["arm64"], Value::Null);
    assert_eq!(written["x86_64"]["version"], 1);
}

#[tokio::test]
async fn a_grant_whose_answer_was_lost_is_read_back_and_counts() {
    let stage = LayerStage::intercepted(|asked| {
        let is_grant = asked.method == "POST" && asked.path.ends_with("/policy");
        if is_grant { Fate::Lose } else { Fate::Pass }
    })
    .await;
    let finished = stage.finished(&[&SHARED[..], &ARM64, &JSON].concat()).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(
        finished.json()["layers"][0]["sharedWith"],
        json!([ORGANIZATION])
    );
    assert_eq!(stage.plane.count("AddLayerVersionPermission"), 1);
}

#[tokio::test]
async fn everyone_is_meant_only_where_that_is_said_twice() {
    let stage = LayerStage::set();
    let publish = [&["publish", "--public"], &ARM64[..], &JSON].concat();
    let refused = stage.finished(&publish).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("cannot ask for confirmation without a terminal: give --yes"),
        "{refused:?}"
    );
    assert_eq!(stage.plane.calls(), []);
    let finished = stage.finished(&[&publish[..], &["--yes"]].concat()).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(
        finished.json()["layers"][0]["sharedWith"],
        json!(["everyone"])
    );
}

#[tokio::test]
async fn bytes_that_arrived_otherwise_are_a_failure_and_not_in_the_manifest() {
    let stage = LayerStage::intercepted(|asked| {
        let content = json!({ "CodeSha256": "b3RoZXI=", "CodeSize": 5 });
        let answer = json!({ "LayerVersionArn": "arn:other", "Version": 1, "Content": content });
        if publishes(asked) {
            Fate::Answer(201, "", answer.to_string())
        } else {
            Fate::Pass
        }
    })
    .await;
    let publish = [&SHARED[..], &ARM64, &["--manifest", "layers.json"], &JSON].concat();
    let finished = stage.finished(&publish).await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    let layer = finished.json()["layers"][0].clone();
    let reason = layer["reason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("Lambda stored bytes other than those sent: publish again"),
        "{reason}"
    );
    assert_eq!(stage.plane.count("AddLayerVersionPermission"), 0);
    assert!(!stage.path("layers.json").exists());
}

#[tokio::test]
async fn an_interrupted_run_finishes_what_is_under_way_and_says_what_it_did_not_begin() {
    let stage = LayerStage::set();
    let held: Vec<_> = (1..=16)
        .map(|number| {
            stage
                .plane
                .hold("PublishLayerVersion", number, Moment::BeforeItIsDone)
        })
        .collect();
    let everywhere = everywhere();
    let everywhere: Vec<&str> = everywhere.iter().map(String::as_str).collect();
    let mut command = stage.layer(
        &[
            &SHARED[..],
            &["--manifest", "layers.json"],
            &JSON,
            &everywhere,
        ]
        .concat(),
    );
    let mut running = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command runs");
    for held in &held {
        held.reached().await;
    }
    let pid = running.id().expect("it is running").to_string();
    let killed = Command::new("kill").args(["-INT", &pid]).status().await;
    assert!(killed.expect("there is kill").success());
    let mut stderr = BufReader::new(running.stderr.take().expect("it is piped")).lines();
    while let Some(line) = stderr.next_line().await.expect("it is text") {
        if line.starts_with("Interrupted") {
            break;
        }
    }
    drop(held);
    let finished: Finished = running.wait_with_output().await.expect("it ends").into();
    assert_eq!(finished.code, Some(130), "{finished:?}");
    let layers = &finished.json()["layers"];
    assert_eq!(
        (count(layers, "published"), count(layers, "stopped")),
        (16, 2)
    );
    let written = &stage.json("layers.json")["layers"];
    assert_eq!(written[ACCOUNTS[0]][REGIONS[0]]["arm64"]["version"], 1);
    assert_eq!(written[ACCOUNTS[2]][REGIONS[2]], Value::Null);
}

fn reported(status: u16, code: &'static str, message: &str) -> Fate {
    Fate::Answer(
        status,
        code,
        json!({ "message": message, "Message": message }).to_string(),
    )
}
