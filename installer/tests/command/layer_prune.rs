//! `backstop layer list` and `backstop layer prune`.

use std::collections::BTreeMap;

use backstop_fake_aws::FunctionSpec;
use serde_json::{Value, json};

use crate::layer_stage::{ACCOUNTS, Fate, LayerStage, ORGANIZATION, REGIONS, count, place};

const ARM64: [&str; 2] = ["--zip", "arm64=dist/extension-arm64.zip"];
const JSON: [&str; 2] = ["--output", "json"];
const ALL_BUT_ONE: [&str; 4] = ["prune", "--keep", "1", "--yes"];

fn arn(account: usize, region: usize, version: u64) -> String {
    let (account, region) = (ACCOUNTS[account], REGIONS[region]);
    format!("arn:aws:lambda:{region}:{account}:layer:backstop-extension-arm64-0-1-0:{version}")
}

fn function(name: &str, layers: &[String]) -> FunctionSpec {
    FunctionSpec {
        name: name.to_owned(),
        layers: layers.to_vec(),
        ..FunctionSpec::default()
    }
}

/// Publishes versions 1 to `versions` of arm64.
async fn publish(stage: &LayerStage, versions: u32, more: &[&str]) {
    for version in 1..=versions {
        stage.pack(&version.to_string());
        let finished = stage
            .finished(&[&["publish"], &ARM64[..], more].concat())
            .await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
    }
}

/// The numbers of the versions that are left, by region.
async fn left(stage: &LayerStage) -> BTreeMap<String, Vec<u64>> {
    let mut left: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for version in stage.versions().await {
        let region = version["region"].as_str().unwrap_or_default().to_owned();
        left.entry(region)
            .or_default()
            .extend(version["version"].as_u64());
    }
    left
}

#[tokio::test]
async fn what_is_published_is_listed() {
    let stage = LayerStage::set();
    publish(&stage, 2, &["--share-organization", ORGANIZATION]).await;
    stage
        .finished(&["publish", "--release", "0.2.0", "--regions", "us-east-1"])
        .await;
    let everywhere = stage.everywhere(&["list"]).await;
    insta::assert_snapshot!("layer_list", everywhere.snapshot());
    let json = stage
        .finished(&[&["list", "--permissions"], &JSON[..]].concat())
        .await;
    insta::with_settings!({filters => vec![(r"[0-9a-f]{64}", "[sha256]")]}, {
        insta::assert_snapshot!("layer_list_json", json.snapshot());
    });
    stage.plane.set_region_down("us-east-1", true);
    let partly = stage.everywhere(&[&["list"], &JSON[..]].concat()).await;
    assert_eq!(partly.code, Some(3), "{partly:?}");
    let partly = partly.json();
    assert_eq!(partly["versions"].as_array().map(Vec::len), Some(2));
    assert_eq!(partly["unread"].as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn a_version_that_a_function_names_stays_whoevers_it_is_and_published_versions_count() {
    let stage = LayerStage::set();
    publish(&stage, 5, &["--share", ACCOUNTS[1]]).await;
    // Version 1 by nothing, 2 by another account's function, 3 by a published version alone.
    stage
        .plane
        .add_function(&place(1, 1), function("theirs", &[arn(0, 1, 2)]));
    stage
        .plane
        .add_function(&place(0, 1), function("own", &[arn(0, 1, 3)]));
    stage.plane.publish_version(&place(0, 1), "own");
    stage
        .plane
        .change(&place(0, 1), "own", |spec| spec.layers.clear());
    // The same number in another region is another version.
    stage
        .plane
        .add_function(&place(0, 2), function("elsewhere", &[arn(0, 1, 1)]));
    stage.plane.remove_function(&place(0, 2), "elsewhere");

    let plan = stage
        .everywhere(&["prune", "--keep", "1", "--dry-run"])
        .await;
    insta::assert_snapshot!("prune_plan", plan.snapshot());
    assert_eq!(stage.plane.count("DeleteLayerVersion"), 0);
    let done = stage.everywhere(&[&ALL_BUT_ONE[..], &JSON].concat()).await;
    insta::assert_snapshot!("prune_json", done.snapshot());
    assert_eq!(
        left(&stage).await,
        BTreeMap::from([("eu-west-1".to_owned(), vec![5, 3, 2])])
    );
}

#[tokio::test]
async fn without_a_terminal_the_plan_is_told_and_nothing_done() {
    let stage = LayerStage::set();
    publish(&stage, 3, &[]).await;
    let finished = stage.finished(&["prune", "--keep", "2"]).await;
    insta::assert_snapshot!("prune_without_yes", finished.snapshot());
    assert_eq!(stage.plane.count("DeleteLayerVersion"), 0);
    // As many as there are is nothing to ask about.
    let finished = stage.finished(&["prune"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
}

#[tokio::test]
async fn where_functions_could_not_be_looked_at_nothing_goes_that_they_could_name() {
    let stage = LayerStage::intercepted(|asked| {
        let is_theirs = asked
            .text
            .contains(&format!("Credential=ASIA{}", ACCOUNTS[1]));
        if is_theirs && asked.path.contains("/functions") && asked.text.contains("/eu-west-1/") {
            let message = "User is not authorized to perform: lambda:ListFunctions";
            Fate::Answer(
                403,
                "AccessDeniedException",
                json!({ "Message": message }).to_string(),
            )
        } else {
            Fate::Pass
        }
    })
    .await;
    publish(&stage, 2, &["--regions", "eu-west-1,us-east-1"]).await;
    let finished = stage.everywhere(&ALL_BUT_ONE).await;
    insta::assert_snapshot!("prune_unread", finished.snapshot());
    let expected = [("eu-west-1", vec![2, 1]), ("us-east-1", vec![2])];
    assert_eq!(
        left(&stage).await,
        expected
            .map(|(region, left)| (region.to_owned(), left))
            .into()
    );
}

#[tokio::test]
async fn where_a_role_cannot_be_assumed_nothing_goes_anywhere() {
    let stage = LayerStage::set();
    publish(&stage, 2, &["--regions", "eu-west-1,us-east-1"]).await;
    stage.plane.deny_roles(ACCOUNTS[2]);
    let finished = stage.everywhere(&[&ALL_BUT_ONE[..], &JSON].concat()).await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    assert_eq!(count(&finished.json()["versions"], "refused"), 2);
    assert_eq!(stage.plane.count("DeleteLayerVersion"), 0);
}

#[tokio::test]
async fn what_nobody_looked_into_may_use_stays_unless_that_is_asked_for() {
    let stage = LayerStage::set();
    publish(
        &stage,
        2,
        &["--share-organization", ORGANIZATION, "--share", ACCOUNTS[2]],
    )
    .await;
    let finished = stage.finished(&ALL_BUT_ONE).await;
    insta::assert_snapshot!("prune_shared", finished.snapshot());
    assert_eq!(stage.plane.count("DeleteLayerVersion"), 0);
    let finished = stage
        .finished(&[&ALL_BUT_ONE[..], &["--include-shared"]].concat())
        .await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(stage.plane.count("DeleteLayerVersion"), 1);
}

#[tokio::test]
async fn what_is_named_or_young_stays_and_of_each_architecture_the_newest() {
    let stage = LayerStage::set();
    publish(&stage, 1, &["--manifest", "layers.json"]).await;
    publish(&stage, 1, &["--release", "0.2.0"]).await;
    for version in ["1", "2", "3"] {
        stage.pack(version);
        // An older release that was published later is not the newest.
        stage.finished(&["publish", "--release", "0.1.1"]).await;
    }
    let because = |finished: &Value| {
        let versions = finished["versions"].as_array().cloned().unwrap_or_default();
        let mut all: Vec<String> = (versions.iter())
            .filter(|it| it["architecture"] == "arm64")
            .map(|it| {
                format!(
                    "{} {} {}",
                    it["release"],
                    it["version"],
                    it.get("because").unwrap_or(&it["outcome"])
                )
                .replace('"', "")
            })
            .collect();
        all.sort();
        all
    };
    let prune = ["prune", "--keep", "2", "--dry-run", "--output", "json"];
    let young = stage
        .finished(&[&prune[..], &["--older-than", "5000w"]].concat())
        .await
        .json();
    assert_eq!(
        because(&young),
        [
            "0.1.0 1 young",
            "0.1.1 1 young",
            "0.1.1 2 young",
            "0.1.1 3 newest",
            "0.2.0 1 newest"
        ]
    );
    let named = stage
        .finished(
            &[
                &prune[..],
                &["--older-than", "1h", "--manifest", "layers.json"],
            ]
            .concat(),
        )
        .await
        .json();
    assert_eq!(
        because(&named),
        [
            "0.1.0 1 named",
            "0.1.1 1 wouldDelete",
            "0.1.1 2 wouldDelete",
            "0.1.1 3 newest",
            "0.2.0 1 newest"
        ]
    );
    let x86_64 = named["versions"].as_array().into_iter().flatten();
    let kept = x86_64.filter(|it| it["architecture"] == "x86_64" && it["because"] == "newest");
    assert_eq!(kept.count(), 2);
}

#[tokio::test]
async fn a_version_that_cannot_be_deleted_is_told_and_the_others_go() {
    let stage = LayerStage::intercepted(|asked| {
        if asked.method == "DELETE" && asked.path.ends_with("/1") {
            let message = "User is not authorized to perform: lambda:DeleteLayerVersion";
            Fate::Answer(
                403,
                "AccessDeniedException",
                json!({ "Message": message }).to_string(),
            )
        } else {
            Fate::Pass
        }
    })
    .await;
    publish(&stage, 3, &[]).await;
    let finished = stage.finished(&[&ALL_BUT_ONE[..], &JSON].concat()).await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    let versions = &finished.json()["versions"];
    assert_eq!(
        (count(versions, "deleted"), count(versions, "failed")),
        (1, 1)
    );
}

#[tokio::test]
async fn on_a_terminal_the_plan_is_shown_and_only_yes_goes_on() {
    let stage = LayerStage::set();
    publish(&stage, 2, &[]).await;
    for (answer, code, deleted) in [("y\n", 1, 0), ("yes\n", 0, 1)] {
        let finished = stage.on_a_terminal(&["prune", "--keep", "1"], answer).await;
        assert_eq!(finished.code, Some(code), "{finished:?}");
        for part in [
            "would delete",
            "Delete 1 version? This cannot be undone. Type `yes` to continue:",
        ] {
            assert!(finished.stdout.contains(part), "{part}: {finished:?}");
        }
        assert_eq!(
            stage.plane.count("DeleteLayerVersion"),
            deleted,
            "{finished:?}"
        );
    }
}
