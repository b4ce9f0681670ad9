//! Layers in lists, and who signed them.

use backstop_fake_aws::{FunctionSpec, Signing};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use super::{FUNCTION, LAYER, Rig, arn, here, text, texts, zip};

const PROFILE: &str = "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/backstop/1";

#[tokio::test]
async fn a_version_keeps_what_it_was_published_with() {
    let rig = Rig::new();
    let body = json!({
        "Content": { "ZipFile": BASE64_STANDARD.encode(zip(10)) },
        "Description": "1.2.3", "LicenseInfo": "Apache-2.0",
        "CompatibleArchitectures": ["arm64"], "CompatibleRuntimes": ["python3.13"],
    });
    let (status, published) = rig.call(&here(), Method::POST, LAYER, body.clone()).await;
    assert_eq!(status, 201);
    rig.publish(&here(), 20).await;
    let (_, read) = rig.get(&format!("{LAYER}/1")).await;
    let (_, versions) = rig
        .pages(&format!("{LAYER}?MaxItems=1"), "LayerVersions")
        .await;
    let matching = format!("{LAYER}?CompatibleArchitecture=arm64");
    let (_, matching) = rig.pages(&matching, "LayerVersions").await;
    for shown in [&published, &read, &versions[1], &matching[0]] {
        for member in [
            "Description",
            "LicenseInfo",
            "CompatibleArchitectures",
            "CompatibleRuntimes",
        ] {
            assert_eq!(shown[member], body[member], "{member}");
        }
    }
    assert_eq!((versions.len(), matching.len()), (2, 1));
}

#[tokio::test]
async fn layers_come_in_pages_with_their_newest_version() {
    let rig = Rig::new();
    for index in 0..55 {
        let path = format!("/2018-10-31/layers/layer-{index:02}/versions");
        let body = json!({ "Content": { "ZipFile": BASE64_STANDARD.encode(zip(10)) } });
        rig.call(&here(), Method::POST, &path, body.clone()).await;
        if index == 54 {
            rig.call(&here(), Method::POST, &path, body).await;
        }
    }
    rig.call(
        &here(),
        Method::DELETE,
        "/2018-10-31/layers/layer-00/versions/1",
        Value::Null,
    )
    .await;
    let (pages, layers) = rig.pages("/2018-10-31/layers", "Layers").await;
    assert_eq!((pages, layers.len()), (2, 54));
    assert_eq!(layers[53]["LayerName"], "layer-54");
    assert_eq!(layers[53]["LatestMatchingVersion"]["Version"], 2);
}

#[tokio::test]
async fn code_that_has_to_be_signed_takes_what_a_trusted_profile_signed() {
    let rig = Rig::with(FunctionSpec {
        signing: Signing::Enforce,
        ..FunctionSpec::default()
    });
    rig.publish(&here(), 10).await;
    rig.publish(&here(), 20).await;
    let layers = |version: u64| json!({ "Layers": [arn(version)] });
    rig.0.sign_layer(&here(), "backstop", 1, PROFILE);
    let (status, answer) = rig.update(layers(1)).await;
    assert_eq!(status, 400, "signed by nobody who is trusted: {answer}");
    rig.0.allow_publishers(&here(), &[PROFILE]);
    assert_eq!(rig.update(layers(2)).await.0, 400, "not signed");
    let (status, updated) = rig.update(layers(1)).await;
    assert_eq!(status, 200, "{updated}");
    assert_eq!(updated["Layers"][0]["SigningProfileVersionArn"], PROFILE);
    // What has no layers has nothing unsigned.
    assert_eq!(rig.update(json!({ "Layers": [] })).await.0, 200);
    for path in [
        format!("{LAYER}/1"),
        format!("/2018-10-31/layers?find=LayerVersion&Arn={}", arn(1)),
    ] {
        let (_, version) = rig.get(&path).await;
        assert_eq!(version["Content"]["SigningProfileVersionArn"], PROFILE);
        assert!(text(&version["Content"]["SigningJobArn"]).contains("signing-jobs"));
    }
    let (_, unsigned) = rig.get(&format!("{LAYER}/2")).await;
    assert_eq!(unsigned["Content"]["SigningJobArn"], Value::Null);
}

#[tokio::test]
async fn code_that_need_not_be_signed_takes_any_layer() {
    let rig = Rig::with(FunctionSpec {
        signing: Signing::Warn,
        ..FunctionSpec::default()
    });
    rig.publish(&here(), 10).await;
    let layers = json!({ "Layers": [arn(1)] });
    assert_eq!(rig.update(layers).await.0, 200);
}

#[tokio::test]
async fn signing_configurations_are_listed_with_their_functions() {
    let rig = Rig::with(FunctionSpec {
        signing: Signing::Enforce,
        ..FunctionSpec::default()
    });
    for index in 0..60 {
        let spec = FunctionSpec {
            name: format!("function-{index:02}"),
            signing: if index < 55 {
                Signing::Warn
            } else {
                Signing::None
            },
            ..FunctionSpec::default()
        };
        rig.0.add_function(&here(), spec);
    }
    rig.0.allow_publishers(&here(), &[PROFILE]);
    let configs = "/2020-04-22/code-signing-configs";
    let (pages, listed) = rig
        .pages(&format!("{configs}?MaxItems=1"), "CodeSigningConfigs")
        .await;
    assert_eq!(pages, 2);
    let policies: Vec<&Value> = (listed.iter())
        .map(|config| &config["CodeSigningPolicies"]["UntrustedArtifactOnDeployment"])
        .collect();
    assert_eq!(policies, ["Enforce", "Warn"]);
    let arns = texts(&listed, "CodeSigningConfigArn");
    let (_, config) = rig.get(&format!("{configs}/{}", arns[0])).await;
    assert_eq!(config["CodeSigningConfig"], listed[0]);
    assert_eq!(
        listed[0]["AllowedPublishers"]["SigningProfileVersionArns"],
        json!([PROFILE])
    );
    let (_, own) = rig
        .get("/2020-06-30/functions/orders/code-signing-config")
        .await;
    assert_eq!(
        own["CodeSigningConfigArn"],
        listed[0]["CodeSigningConfigArn"]
    );
    let functions = |arn: &str| format!("{configs}/{arn}/functions");
    let (pages, warned) = rig.pages(&functions(&arns[1]), "FunctionArns").await;
    assert_eq!((pages, warned.len()), (2, 55));
    let (_, enforced) = rig.pages(&functions(&arns[0]), "FunctionArns").await;
    let (_, orders) = rig.get(FUNCTION).await;
    assert_eq!(enforced, [orders["Configuration"]["FunctionArn"].clone()]);
    assert_eq!(rig.get(&functions(&format!("{}x", arns[0]))).await.0, 404);
}

#[tokio::test]
async fn there_is_room_for_so_much_code() {
    let rig = Rig::with(FunctionSpec {
        unzipped_bytes: 30_000,
        ..FunctionSpec::default()
    });
    rig.publish(&here(), 100_000).await;
    let layer = zip(100_000).len() as u64;
    let usage = async || {
        let (_, settings) = rig.get("/2016-08-19/account-settings").await;
        let usage = &settings["AccountUsage"];
        (
            usage["TotalCodeSize"].clone(),
            usage["FunctionCount"].clone(),
        )
    };
    assert_eq!(usage().await, ((10_000 + layer).into(), 1.into()));
    rig.0.set_code_storage(Some(20_000 + layer));
    let versions = format!("{FUNCTION}/versions");
    let (status, _) = rig.call(&here(), Method::POST, &versions, json!({})).await;
    assert_eq!(status, 201);
    assert_eq!(usage().await.0, 20_000 + layer);
    let (status, refused) = rig.publish(&here(), 100_000).await;
    assert_eq!(status, 400, "{refused}");
    rig.0.deploy(&here(), "orders", ("A", "1"));
    let (status, refused) = rig.call(&here(), Method::POST, &versions, json!({})).await;
    assert_eq!(status, 400, "{refused}");
    rig.0.set_code_storage(None);
    assert_eq!(rig.publish(&here(), 100_000).await.0, 201);
}
