//! What may be changed of a function, and when.

use std::time::Duration;

use backstop_fake_aws::{FunctionSpec, KeyAccess, PackageType, Place, Signing};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{CONFIGURATION, FUNCTION, LAYER, Rig, arn, here};

#[tokio::test]
async fn a_stale_revision_is_refused_and_nothing_is_changed() {
    let rig = Rig::with(FunctionSpec::default());
    let revision = rig.revision().await;
    let before = rig.0.configuration(&here(), "orders");
    rig.0.deploy(&here(), "orders", ("DEPLOYED", "1"));
    let body = json!({ "RevisionId": revision, "Environment": { "Variables": { "A": "1" } } });
    let (status, answer) = rig.update(body.clone()).await;
    assert_eq!(status, 412, "{answer}");
    let after = rig.0.configuration(&here(), "orders").unwrap();
    assert_ne!(Some(&after), before.as_ref());
    assert_eq!(
        after["Environment"]["Variables"],
        json!({ "DEPLOYED": "1" })
    );
    let mut body = body;
    body["RevisionId"] = rig.revision().await.into();
    assert_eq!(rig.update(body).await.0, 200);
}

#[tokio::test]
async fn an_update_takes_its_time_and_refuses_another_meanwhile() {
    let rig = Rig::with(FunctionSpec::default());
    rig.0.set_update_time(Duration::from_hours(1));
    let body = || json!({ "Environment": { "Variables": { "A": "1" } } });
    let (status, answer) = rig.update(body()).await;
    assert_eq!(
        (status, &answer["LastUpdateStatus"]),
        (200, &"InProgress".into())
    );
    assert_eq!(rig.update(body()).await.0, 409);
    let versions = "/2015-03-31/functions/orders/versions";
    let (status, _) = rig.call(&here(), Method::POST, versions, json!({})).await;
    assert_eq!(status, 409);

    let pending = Rig::with(FunctionSpec {
        state: Some("Pending"),
        ..FunctionSpec::default()
    });
    assert_eq!(pending.update(body()).await.0, 409);
}

#[tokio::test]
async fn what_is_too_much_is_refused_by_the_byte() {
    let rig = Rig::with(FunctionSpec::default());
    // {"A":"…"} is 8 bytes more than what stands in it.
    let environment =
        |bytes: usize| json!({ "Environment": { "Variables": { "A": "x".repeat(bytes - 8) } } });
    assert_eq!(rig.update(environment(4096)).await.0, 200);
    let (status, answer) = rig.update(environment(4097)).await;
    assert!(
        status == 400 && answer["message"].as_str().unwrap().contains("4KB"),
        "{answer}"
    );
    let padded = |bytes: usize| {
        let empty = json!({ "Description": "" }).to_string().len();
        json!({ "Description": "x".repeat(bytes - empty) })
    };
    assert_eq!(rig.update(padded(5120)).await.0, 200);
    assert_eq!(rig.update(padded(5121)).await.0, 413);
}

#[tokio::test]
async fn layers_have_to_be_there_and_few_and_small_and_signed() {
    let rig = Rig::with(FunctionSpec {
        unzipped_bytes: 262_144_000 - 1000,
        ..FunctionSpec::default()
    });
    assert_eq!(rig.publish(&here(), 1000).await.0, 201);
    assert_eq!(rig.publish(&here(), 1001).await.0, 201);
    for (layers, status, problem) in [
        (vec![arn(1)], 200, ""),
        (vec![arn(2)], 400, "262144000"),
        (vec![arn(3)], 400, "does not exist"),
        (vec![arn(1), arn(1)], 400, "Two different versions"),
        (vec![arn(1); 6], 400, "more than 5"),
        (
            vec!["backstop".to_owned()],
            400,
            "not a valid layer version ARN",
        ),
        (
            vec![arn(1).replace("eu-west-1", "eu-north-1")],
            400,
            "same region",
        ),
    ] {
        let (answered, answer) = rig.update(json!({ "Layers": layers })).await;
        assert_eq!(answered, status, "{answer}");
        let message = answer["message"].as_str().unwrap_or_default();
        assert!(message.contains(problem), "{message}");
    }
    for (spec, problem) in [
        (
            FunctionSpec {
                package_type: PackageType::Image,
                ..FunctionSpec::default()
            },
            "packageType Image",
        ),
        (
            FunctionSpec {
                signing: Signing::Enforce,
                ..FunctionSpec::default()
            },
            "signature",
        ),
    ] {
        let rig = Rig::with(spec);
        rig.publish(&here(), 10).await;
        let (status, answer) = rig.update(json!({ "Layers": [arn(1)] })).await;
        assert!(
            status == 400 && answer["message"].as_str().unwrap().contains(problem),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_layer_of_another_account_has_to_be_shared() {
    let owner = Place::new("999988887777", "eu-west-1");
    let rig = Rig::with(FunctionSpec::default());
    rig.publish(&owner, 10).await;
    let layers = json!({ "Layers": [arn(1).replace("111122223333", &owner.account)] });
    assert_eq!(rig.update(layers.clone()).await.0, 403);
    let policy = format!("{LAYER}/1/policy");
    let grant = json!({
        "StatementId": "org", "Action": "lambda:GetLayerVersion", "Principal": "*", "OrganizationId": "o-1",
    });
    assert_eq!(
        rig.call(&owner, Method::POST, &policy, grant.clone())
            .await
            .0,
        201
    );
    assert_eq!(rig.call(&owner, Method::POST, &policy, grant).await.0, 409);
    assert_eq!(
        rig.update(layers.clone()).await.0,
        403,
        "not in that organisation"
    );
    rig.0.join_organization("111122223333", "o-1");
    assert_eq!(rig.update(layers.clone()).await.0, 200);
    let (_, read) = rig.call(&owner, Method::GET, &policy, Value::Null).await;
    assert!(
        read["Policy"]
            .as_str()
            .unwrap()
            .contains("aws:PrincipalOrgID"),
        "{read}"
    );
    rig.call(
        &owner,
        Method::DELETE,
        &format!("{policy}/org"),
        Value::Null,
    )
    .await;
    assert_eq!(rig.update(layers).await.0, 403);
}

#[tokio::test]
async fn an_environment_that_cannot_be_decrypted_is_not_shown() {
    let rig = Rig::with(FunctionSpec {
        key_access: KeyAccess::Denied,
        environment: [("SECRET".to_owned(), "1".to_owned())].into(),
        ..FunctionSpec::default()
    });
    let (_, shown) = rig.get(CONFIGURATION).await;
    assert_eq!(
        shown["Environment"]["Error"]["ErrorCode"],
        "AccessDeniedException"
    );
    assert_eq!(shown["Environment"]["Variables"], Value::Null);
    // It is there, and whoever writes its own variables alone has wiped it.
    let kept = rig.0.configuration(&here(), "orders").unwrap();
    assert_eq!(kept["Environment"]["Variables"]["SECRET"], "1");
}

#[tokio::test]
async fn lists_come_in_pages_and_say_less() {
    let rig = Rig::with(FunctionSpec::default());
    for index in 0..120 {
        let spec = FunctionSpec {
            name: format!("function-{index:03}"),
            ..FunctionSpec::default()
        };
        rig.0.add_function(&here(), spec);
    }
    let (mut seen, mut marker, mut pages) = (0, String::new(), 0);
    loop {
        let (_, page) = rig
            .get(&format!("/2015-03-31/functions?MaxItems=100{marker}"))
            .await;
        let functions = page["Functions"].as_array().unwrap();
        assert!(
            functions.len() <= 50 && functions.iter().all(|function| function["State"].is_null())
        );
        (seen, pages) = (seen + functions.len(), pages + 1);
        let Some(next) = page["NextMarker"].as_str() else {
            break;
        };
        marker = format!("&Marker={next}");
    }
    assert_eq!((seen, pages), (121, 3));
    let elsewhere = Place::new("111122223333", "us-east-1");
    let (_, page) = rig
        .call(
            &elsewhere,
            Method::GET,
            "/2015-03-31/functions",
            Value::Null,
        )
        .await;
    assert_eq!(page["Functions"], json!([]));
}

#[tokio::test]
async fn the_quota_is_shared_and_a_region_can_be_down() {
    let rig = Rig::with(FunctionSpec::default());
    rig.0.set_quota(Some(1.0));
    let (started, mut allowed) = (Instant::now(), 0);
    for _ in 0..60 {
        allowed += usize::from(rig.get(CONFIGURATION).await.0 == 200);
    }
    // What a slow machine takes longer for, the quota has filled up meanwhile.
    let most = 16.0 + 15.0 * started.elapsed().as_secs_f64();
    assert!(
        f64::from(u32::try_from(allowed).unwrap()) <= most,
        "{allowed} of {most}"
    );
    rig.0.set_quota(None);
    rig.0.set_region_down("eu-west-1", true);
    assert_eq!(rig.get(CONFIGURATION).await.0, 503);
    rig.0.set_region_down("eu-west-1", false);
    assert_eq!(rig.get(CONFIGURATION).await.0, 200);
    assert_eq!(rig.0.count("GetFunctionConfiguration"), 62);
    let (status, answer) = rig.get("/2015-03-31/function-of-tomorrow").await;
    assert!(
        status == 501
            && answer["message"]
                .as_str()
                .unwrap()
                .contains("function-of-tomorrow")
    );
}

#[tokio::test]
async fn an_environment_without_variables_is_an_empty_one() {
    let rig = Rig::with(FunctionSpec {
        environment: [("A".to_owned(), "1".to_owned())].into(),
        ..FunctionSpec::default()
    });
    let (_, kept) = rig.update(json!({ "Layers": [] })).await;
    assert_eq!(kept["Environment"]["Variables"], json!({ "A": "1" }));
    let (_, cleared) = rig.update(json!({ "Environment": {} })).await;
    assert_eq!(cleared["Environment"], Value::Null);
}

#[tokio::test]
async fn what_somebody_else_deletes_is_gone() {
    let rig = Rig::new();
    let policy = format!("{FUNCTION}/policy");
    let (status, answer) = rig.get(&policy).await;
    assert_eq!(status, 404);
    assert!(
        !answer["message"].as_str().unwrap().contains("orders"),
        "it is there, but has none: {answer}"
    );
    rig.0.remove_function(&here(), "orders");
    let (_, answer) = rig.get(&policy).await;
    assert!(answer["message"].as_str().unwrap().contains("orders"));
    assert_eq!(rig.get(CONFIGURATION).await.0, 404);
    assert!(rig.0.snapshot().is_empty());
}
