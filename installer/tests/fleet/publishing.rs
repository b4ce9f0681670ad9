//! Publishing where nothing is changed: only where the extension is to be released or taken back, and only what
//! the plan was made of.

use backstop_fake_aws::FunctionSpec;
use serde_json::{Value, json};

use crate::stage::{Finished, Stage, here};

const ORDERS: &str = "orders-000";

async fn with_alias() -> Stage {
    let stage = Stage::set().await;
    let spec = FunctionSpec {
        aliases: vec!["live".to_owned()],
        ..FunctionSpec::default()
    };
    stage.add(&here(), "orders", 1, &spec);
    stage
}

async fn run(stage: &Stage, arguments: &[&str]) -> Finished {
    let finished = stage.run(arguments).await;
    assert_eq!(finished.code, Some(0), "{}", finished.snapshot());
    finished
}

/// The version that the alias leads to.
async fn leads_to(stage: &Stage) -> String {
    let client = stage.client(&here());
    let request = client.get_alias().function_name(ORDERS).name("live");
    let alias = request.send().await.unwrap();
    alias.function_version().unwrap().to_owned()
}

async fn traps(stage: &Stage, arguments: &[&str]) -> Value {
    let layer = &stage.layers[&here()];
    let all = ["plan", "--all", "--layer", layer, "--output", "json"];
    let finished = stage.run(&[&all[..], arguments].concat()).await;
    let traps = finished.json()["functions"][0]["traps"].clone();
    let of_aliases = |trap: &&Value| trap["trap"].as_str().unwrap().starts_with("alias");
    traps
        .as_array()
        .unwrap()
        .iter()
        .filter(of_aliases)
        .cloned()
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn detaching_publishes_nothing_where_backstop_never_was() {
    let stage = with_alias().await;
    stage.add(&here(), "never", 3, &FunctionSpec::default());
    for flag in [&["--publish-version"][..], &["--move-alias", "live"]] {
        let finished = run(&stage, &[&["detach", "--all", "--yes"], flag].concat()).await;
        assert!(!finished.stderr.contains("Run "), "{}", finished.snapshot());
    }
    assert_eq!(stage.plane.count("PublishVersion"), 0);
    assert_eq!(leads_to(&stage).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_detached_or_attached_since_the_plan_is_not_published() {
    for is_detach in [false, true] {
        let stage = with_alias().await;
        let layer = stage.layers[&here()].clone();
        let attach = ["attach", ORDERS, "--yes", "--layer", &layer];
        let detach = ["detach", ORDERS, "--yes"];
        let move_alias = ["--move-alias", "live"];
        let plan = ["plan", ORDERS, "--out", "plan.json"];
        if is_detach {
            run(&stage, &[&attach[..], &move_alias].concat()).await;
            run(&stage, &detach).await;
            run(&stage, &[&plan[..], &move_alias, &["--detach"]].concat()).await;
            run(&stage, &attach).await;
        } else {
            run(&stage, &attach).await;
            run(
                &stage,
                &[&plan[..], &move_alias, &["--layer", &layer]].concat(),
            )
            .await;
            run(&stage, &detach).await;
        }
        let (before, published) = (leads_to(&stage).await, stage.plane.count("PublishVersion"));
        let applied = stage.run(&["apply", "plan.json", "--yes"]).await;
        let context = format!("detach: {is_detach} {}", applied.snapshot());
        assert_eq!(applied.code, Some(3), "{context}");
        let why = "no version was published";
        assert!(applied.stdout.contains(why), "{context}");
        assert_eq!(stage.plane.count("PublishVersion"), published, "{context}");
        assert_eq!(leads_to(&stage).await, before, "{context}");
    }
}

/// A runtime that Lambda keeps up to date may differ; one that somebody pinned is unfinished work.
#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_that_was_pinned_is_not_released() {
    for (mode, code) in [("Auto", 0), ("FunctionUpdate", 0), ("Manual", 3)] {
        let stage = with_alias().await;
        (stage.plane).change(&here(), ORDERS, |spec| {
            let version = json!({ "RuntimeVersionArn": "arn:aws:lambda:eu-west-1::runtime:1" });
            spec.shown
                .insert("RuntimeVersionConfig".to_owned(), version);
            spec.update_runtime_on = mode.to_owned();
        });
        let finished = stage.attach(&["orders-*", "--move-alias", "live"]).await;
        assert_eq!(finished.code, Some(code), "{mode}: {}", finished.snapshot());
        let is_named = finished.stdout.contains("(runtime version)");
        assert_eq!(is_named, code == 3, "{mode}: {}", finished.snapshot());
    }
    // Who may not ask does not release it either.
    let stage = with_alias().await;
    stage.plane.deny("GetRuntimeManagementConfig");
    (stage.plane).change(&here(), ORDERS, |spec| {
        let version = json!({ "RuntimeVersionArn": "arn:aws:lambda:eu-west-1::runtime:1" });
        spec.shown
            .insert("RuntimeVersionConfig".to_owned(), version);
    });
    let finished = stage.attach(&["orders-*", "--move-alias", "live"]).await;
    assert_eq!(finished.code, Some(3), "{}", finished.snapshot());
    assert_eq!(leads_to(&stage).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_without_the_layer_is_noted_on_attached_functions_until_it_has_it() {
    let stage = with_alias().await;
    let attached = stage.attach(&["--all"]).await;
    assert_eq!(attached.code, Some(0), "{}", attached.snapshot());
    let keep = json!([{ "trap": "aliasesKeep", "aliases": ["live"] }]);
    assert_eq!(traps(&stage, &[]).await, keep);
    let moved = stage.attach(&["--all", "--move-alias", "live"]).await;
    assert_eq!(moved.code, Some(0), "{}", moved.snapshot());
    assert_eq!(traps(&stage, &[]).await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_that_an_alias_will_stay() {
    let stage = with_alias().await;
    let asked = ["--move-alias", "live"];
    assert_eq!(traps(&stage, &asked).await, json!([]));
    stage.plane.deploy(&here(), ORDERS, ("NEW", "1"));
    let unreleased = traps(&stage, &asked).await;
    assert_eq!(unreleased[0]["trap"], "aliasStays", "{unreleased}");
    let reason = unreleased[0]["reason"].as_str().unwrap();
    assert!(reason.contains("the extension (variables)"), "{reason}");
    stage.plane.publish_version(&here(), ORDERS);
    (stage.plane).set_alias(&here(), ORDERS, ("live", "1"), Some(("2", 0.1)));
    let divided = traps(&stage, &asked).await;
    let reason = divided[0]["reason"].as_str().unwrap();
    assert!(reason.contains("a deployment is in progress"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_that_divides_invocations_is_not_done() {
    let stage = with_alias().await;
    let attached = stage.attach(&["--all", "--move-alias", "live"]).await;
    assert_eq!(attached.code, Some(0), "{}", attached.snapshot());
    // One version has the layer, the other one has not.
    (stage.plane).set_alias(&here(), ORDERS, ("live", "2"), Some(("1", 0.5)));
    let again = stage.attach(&["--all", "--move-alias", "live"]).await;
    assert_eq!(again.code, Some(3), "{}", again.snapshot());
    assert!(
        again.stdout.contains("a deployment is in progress"),
        "{}",
        again.snapshot()
    );
}
