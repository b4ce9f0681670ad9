//! Published versions, and aliases on them.

use std::time::Duration;

use backstop_fake_aws::FunctionSpec;
use reqwest::Method;
use serde_json::{Value, json};

use super::{CONFIGURATION, FUNCTION, FUNCTIONS, Rig, arn, here, text, texts};

async fn publish(rig: &Rig, body: Value) -> (u16, Value) {
    let path = format!("{FUNCTION}/versions");
    rig.call(&here(), Method::POST, &path, body).await
}

fn variable(value: usize) -> Value {
    json!({ "Environment": { "Variables": { "A": value.to_string() } } })
}

#[tokio::test]
async fn a_version_is_published_once_for_what_has_not_changed() {
    let rig = Rig::new();
    let (status, first) = publish(&rig, json!({ "Description": "first" })).await;
    assert_eq!((status, &first["Version"]), (201, &"1".into()));
    assert_eq!(first["Description"], "first");
    let (status, again) = publish(&rig, json!({})).await;
    assert_eq!((status, &again), (201, &first));
    rig.update(variable(1)).await;
    assert_eq!(publish(&rig, json!({})).await.1["Version"], "2");
    rig.0
        .change(&here(), "orders", |spec| spec.code = "new".to_owned());
    let (_, third) = publish(&rig, json!({})).await;
    assert_eq!(third["Version"], "3");
    assert_ne!(third["CodeSha256"], first["CodeSha256"]);
    // What was published stays as it was.
    let (_, kept) = rig.get(&format!("{CONFIGURATION}?Qualifier=1")).await;
    assert_eq!(
        (&kept["Version"], &kept["Environment"]),
        (&"1".into(), &Value::Null)
    );
    assert_eq!(rig.get(&format!("{FUNCTION}?Qualifier=4")).await.0, 404);
}

#[tokio::test]
async fn publishing_is_of_this_code_and_this_revision_or_not_at_all() {
    let rig = Rig::new();
    let (_, function) = rig.get(CONFIGURATION).await;
    assert_eq!(publish(&rig, json!({ "CodeSha256": "other" })).await.0, 400);
    assert_eq!(publish(&rig, json!({ "RevisionId": "other" })).await.0, 412);
    let body =
        json!({ "CodeSha256": function["CodeSha256"], "RevisionId": function["RevisionId"] });
    assert_eq!(publish(&rig, body).await.0, 201);
}

#[tokio::test]
async fn a_new_version_is_pending_for_as_long_as_an_update_takes() {
    let rig = Rig::new();
    rig.0.set_update_time(Duration::from_hours(1));
    let (_, published) = publish(&rig, json!({})).await;
    assert_eq!(published["State"], "Pending");
    tokio::time::pause();
    tokio::time::advance(Duration::from_hours(1)).await;
    tokio::time::resume();
    let (_, settled) = rig.get(&format!("{FUNCTION}?Qualifier=1")).await;
    assert_eq!(settled["Configuration"]["State"], "Active");
}

#[tokio::test]
async fn versions_come_in_pages_with_their_layers() {
    let rig = Rig::new();
    rig.publish(&here(), 10).await;
    for value in 0..60 {
        rig.0.deploy(&here(), "orders", ("A", &value.to_string()));
        rig.0.publish_version(&here(), "orders").unwrap();
        if value == 0 {
            rig.0
                .change(&here(), "orders", |spec| spec.layers = vec![arn(1)]);
        }
    }
    let (pages, versions) = rig.pages(&format!("{FUNCTION}/versions"), "Versions").await;
    assert_eq!((pages, versions.len()), (2, 61));
    assert_eq!(versions[0]["Version"], "$LATEST");
    assert!(text(&versions[0]["FunctionArn"]).ends_with(":orders:$LATEST"));
    assert_eq!(
        (&versions[1]["Version"], &versions[1]["Layers"]),
        (&"1".into(), &Value::Null)
    );
    assert_eq!(versions[60]["Layers"][0]["Arn"], arn(1));
    assert_eq!(versions[60]["State"], Value::Null);

    rig.0.add_function(
        &here(),
        FunctionSpec {
            name: "orders-of-tomorrow".to_owned(),
            ..FunctionSpec::default()
        },
    );
    rig.0
        .publish_version(&here(), "orders-of-tomorrow")
        .unwrap();
    let (pages, all) = rig
        .pages(&format!("{FUNCTIONS}?FunctionVersion=ALL"), "Functions")
        .await;
    assert_eq!((pages, all.len()), (2, 63));
    let mut arns = texts(&all, "FunctionArn");
    arns.dedup();
    assert_eq!(arns.len(), 63);
    assert_eq!(all[60]["Layers"][0]["Arn"], arn(1));
    assert!(arns[62].ends_with(":orders-of-tomorrow:1"));
}

#[tokio::test]
async fn a_version_is_deleted_unless_an_alias_is_on_it() {
    let rig = Rig::with(FunctionSpec {
        aliases: vec!["live".to_owned()],
        ..FunctionSpec::default()
    });
    for value in 2..5 {
        rig.0.deploy(&here(), "orders", ("A", &value.to_string()));
        rig.0.publish_version(&here(), "orders");
    }
    rig.0
        .set_alias(&here(), "orders", ("live", "1"), Some(("2", 0.1)));
    for (qualifier, status) in [
        ("?Qualifier=1", 409),
        ("?Qualifier=2", 409),
        ("?Qualifier=live", 400),
        ("?Qualifier=$LATEST", 400),
        ("?Qualifier=9", 404),
        ("", 501),
        ("?Qualifier=4", 204),
        ("?Qualifier=4", 404),
    ] {
        let path = format!("{FUNCTION}{qualifier}");
        let (answered, answer) = rig.call(&here(), Method::DELETE, &path, Value::Null).await;
        assert_eq!(answered, status, "{qualifier} {answer}");
    }
    // A number is not given twice.
    rig.0.deploy(&here(), "orders", ("A", "5"));
    assert_eq!(rig.0.publish_version(&here(), "orders"), Some(5));
}

#[tokio::test]
async fn aliases_come_in_pages_and_keep_their_weights() {
    let aliases = (0..55).map(|index| format!("alias-{index:02}"));
    let rig = Rig::with(FunctionSpec {
        aliases: aliases.collect(),
        ..FunctionSpec::default()
    });
    rig.0.deploy(&here(), "orders", ("A", "1"));
    rig.0.publish_version(&here(), "orders");
    rig.0
        .set_alias(&here(), "orders", ("alias-07", "1"), Some(("2", 0.25)));
    let list = format!("{FUNCTION}/aliases");
    let (pages, listed) = rig.pages(&list, "Aliases").await;
    assert_eq!((pages, listed.len()), (2, 55));
    let weights = json!({ "AdditionalVersionWeights": { "2": 0.25 } });
    assert_eq!(listed[7]["RoutingConfig"], weights);
    assert_eq!(listed[8]["RoutingConfig"], Value::Null);
    let (_, on_two) = rig
        .pages(&format!("{list}?FunctionVersion=2"), "Aliases")
        .await;
    assert!(on_two.is_empty());

    let alias = format!("{list}/alias-07");
    let update = async |body: Value| rig.call(&here(), Method::PUT, &alias, body).await;
    // Moving it keeps the weights; only what says so takes them off.
    let (_, moved) = update(json!({ "FunctionVersion": "2" })).await;
    assert_eq!(
        (&moved["FunctionVersion"], &moved["RoutingConfig"]),
        (&"2".into(), &weights)
    );
    let stale = json!({ "RevisionId": listed[7]["RevisionId"], "FunctionVersion": "1" });
    assert_eq!(update(stale).await.0, 412);
    for (version, weights, status) in [
        ("9", json!({}), 404),
        ("1", json!({ "9": 0.1 }), 404),
        ("1", json!({ "2": 1.5 }), 400),
        ("1", json!({ "1": 0.1, "2": 0.1 }), 400),
        ("$LATEST", json!({ "2": 0.5 }), 400),
        ("alias-08", json!({}), 400),
    ] {
        let routing = json!({ "AdditionalVersionWeights": weights });
        let (answered, answer) =
            update(json!({ "FunctionVersion": version, "RoutingConfig": routing })).await;
        assert_eq!(answered, status, "{version} {answer}");
    }
    let (_, cleared) = update(json!({ "RoutingConfig": {} })).await;
    assert_eq!(cleared["RoutingConfig"], Value::Null);
    assert_eq!(rig.get(&alias).await.1, cleared);
    let (_, by_alias) = rig
        .get(&format!("{CONFIGURATION}?Qualifier=alias-07"))
        .await;
    assert_eq!(by_alias["Version"], "2");
}

#[tokio::test]
async fn a_function_has_as_many_names_as_an_arn_has_parts() {
    let rig = Rig::with(FunctionSpec {
        aliases: vec!["live".to_owned()],
        ..FunctionSpec::default()
    });
    for (name, status) in [
        ("arn:aws:lambda:eu-west-1:111122223333:function:orders", 200),
        ("111122223333:function:orders", 200),
        ("orders:live", 200),
        ("orders:other", 404),
        (
            "arn:aws:lambda:eu-north-1:111122223333:function:orders",
            404,
        ),
    ] {
        let (answered, answer) = rig.get(&format!("{FUNCTIONS}/{name}")).await;
        assert_eq!(answered, status, "{name} {answer}");
    }
    let path = format!("{FUNCTIONS}/orders:1/configuration");
    let (status, answer) = rig.call(&here(), Method::PUT, &path, variable(1)).await;
    assert_eq!(status, 400, "{answer}");
}
