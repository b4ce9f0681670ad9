//! Others attach, upgrade and take off layers, ours and theirs: before, between and after our own runs.

use std::sync::Arc;

use backstop_fake_aws::{FunctionSpec, Place};
use serde_json::{Value, json};

use crate::stage::{Finished, Stage, here};

const ORDERS: &str = "orders-000";

/// One function that was attached from here, and upgraded by somebody else since.
async fn upgraded() -> (Stage, Finished, String) {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 1, &FunctionSpec::default());
    let attached = stage.attach(&["orders-*"]).await;
    assert_eq!(attached.code, Some(0), "{}", attached.snapshot());
    let newer = stage
        .publish(&here(), "backstop-extension-x86_64-0-2-0", "second")
        .await;
    stage.plane.change(&here(), ORDERS, |spec| {
        spec.layers = vec![newer.clone()];
        let url = "https://theirs.example.com/".to_owned();
        spec.environment.insert("BACKSTOP_OTHER".to_owned(), url);
    });
    (stage, attached, newer)
}

fn layers(stage: &Stage, function: &str) -> Vec<String> {
    let configuration = stage.plane.configuration(&here(), function).unwrap();
    let layers = configuration["Layers"].as_array().cloned();
    let arns = layers.unwrap_or_default().into_iter();
    arns.map(|layer| layer["Arn"].as_str().unwrap().to_owned())
        .collect()
}

fn variables(stage: &Stage) -> Value {
    stage.plane.configuration(&here(), ORDERS).unwrap()["Environment"]["Variables"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_beside_somebodys_upgrade_changes_nothing_and_says_so() {
    let (stage, attached, newer) = upgraded().await;
    let before = stage.everything();
    let run = attached.run();
    let mut reported = String::new();
    for arguments in [&["undo", &run, "--dry-run"][..], &["undo", &run, "--yes"]] {
        reported += &stage.masked(&stage.run(arguments).await);
    }
    insta::assert_snapshot!("undo_beside_an_upgrade", reported);
    for arguments in [&["undo", &run, "--yes"][..], &["undo", &run, "--dry-run"]] {
        let json = stage
            .run(&[arguments, &["--output", "json"]].concat())
            .await;
        assert_eq!(json.code, Some(3), "{}", json.snapshot());
        let reported = json.json();
        let conflict = if arguments.contains(&"--yes") {
            reported["conflicts"][0]["reason"].to_string()
        } else {
            assert_eq!(
                reported["functions"][0]["reason"], "changed-since",
                "{reported}"
            );
            reported["functions"][0]["conflicts"][0].to_string()
        };
        assert!(conflict.contains(&newer), "{reported}");
        assert_eq!(stage.everything(), before);
    }
    let status = stage
        .run(&["status", "--drift-only", "--detailed-exitcode"])
        .await;
    assert_eq!(status.code, Some(4), "{}", status.snapshot());
    assert!(
        status
            .stdout
            .contains("layer is backstop-extension-x86_64-0-2-0:1"),
        "{}",
        status.snapshot()
    );

    // The way out takes the layer and its settings off, whoever put them there.
    let detached = stage.run(&["detach", ORDERS, "--yes"]).await;
    assert_eq!(detached.code, Some(0), "{}", detached.snapshot());
    assert!(layers(&stage, ORDERS).is_empty());
    assert_eq!(variables(&stage), json!({}));
    // And an undoing of that puts both back.
    let back = stage.run(&["undo", &detached.run(), "--yes"]).await;
    assert_eq!(back.code, Some(0), "{}", back.snapshot());
    assert_eq!(stage.everything(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_was_changed_since_is_counted_at_planning_and_at_the_end() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 2, &FunctionSpec::default());
    let attached = stage
        .attach(&["orders-*", "--set", "BACKSTOP_TAGS=team=a"])
        .await;
    stage
        .plane
        .deploy(&here(), ORDERS, ("BACKSTOP_TAGS", "team=b"));
    let run = attached.run();
    let dry = stage
        .run(&["undo", &run, "--dry-run", "--output", "json"])
        .await;
    assert_eq!(dry.code, Some(3), "{}", dry.snapshot());
    let conflict = &dry.json()["functions"][0]["conflicts"][0];
    assert_eq!(conflict["what"], "BACKSTOP_TAGS", "{}", dry.stdout);
    let undone = stage
        .run(&["undo", &run, "--yes", "--output", "json"])
        .await;
    assert_eq!(undone.code, Some(3), "{}", undone.snapshot());
    assert_eq!(undone.json()["changed"], 2, "{}", undone.stdout);
    assert_eq!(undone.json()["conflicts"].as_array().map(Vec::len), Some(1));
    assert!(layers(&stage, ORDERS).is_empty());
    assert_eq!(
        variables(&stage).to_string(),
        r#"{"BACKSTOP_TAGS":"team=b"}"#
    );
    let status = stage.run(&["status", "--drift-only"]).await;
    assert!(
        status.stdout.contains("changed: BACKSTOP_TAGS"),
        "{}",
        status.snapshot()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_between_the_reading_and_the_writing_of_a_detachment_is_a_refusal_for_good() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 1, &FunctionSpec::default());
    let attached = stage.attach(&["orders-*"]).await;
    assert_eq!(attached.code, Some(0), "{}", attached.snapshot());
    let newer = stage
        .publish(&here(), "backstop-extension-x86_64-0-2-0", "second")
        .await;
    let plane = Arc::clone(&stage.plane);
    let upgrade = newer.clone();
    stage
        .plane
        .before("UpdateFunctionConfiguration", ORDERS, 1, move || {
            plane.change(&here(), ORDERS, |spec| spec.layers = vec![upgrade]);
        });
    let detached = stage
        .run(&["detach", ORDERS, "--yes", "--output", "json"])
        .await;
    assert_eq!(detached.code, Some(3), "{}", detached.snapshot());
    let summary = detached.json();
    assert_eq!(summary["left"][0]["isFinal"], true, "{summary}");
    assert_eq!(layers(&stage, ORDERS), [newer]);
    assert_eq!(
        variables(&stage)["BACKSTOP_PRIMARY_URL"],
        "https://intake.example.com/v1"
    );
    // It cannot go on with, and does not say so.
    let resumed = stage.run(&["resume", &detached.run(), "--yes"]).await;
    assert_eq!(resumed.code, Some(3), "{}", resumed.snapshot());
    assert!(
        resumed.stdout.contains("cannot finish 1 function")
            && !resumed.stdout.contains("To continue"),
        "{}",
        resumed.snapshot()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_who_attach_leave_one_layer() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 3, &FunctionSpec::default());
    let first = stage.layers[&here()].clone();
    // Of the same layer, which Lambda would refuse beside the other, and of another release.
    let same = stage
        .publish(&here(), "backstop-extension-x86_64-0-1-0", "again")
        .await;
    let newer = stage
        .publish(&here(), "backstop-extension-x86_64-0-2-0", "second")
        .await;
    let plan = ["plan", "--all", "--layer", &first, "--out", "plan.json"];
    let bucket = ["--set", "BACKSTOP_S3_BUCKET=archive"];
    let planned = stage.run(&[&plan[..], &bucket].concat()).await;
    assert_eq!(planned.code, Some(0), "{}", planned.snapshot());
    // One is attached after the plan, one between reading and writing.
    stage.plane.change(&here(), ORDERS, |spec| {
        spec.layers = vec![same.clone()];
    });
    let (plane, upgrade) = (Arc::clone(&stage.plane), newer.clone());
    stage
        .plane
        .before("UpdateFunctionConfiguration", "orders-001", 1, move || {
            plane.change(&here(), "orders-001", |spec| spec.layers = vec![upgrade]);
        });
    let before = stage.everything();
    let applied = stage
        .run(&["apply", "plan.json", "--yes", "--output", "json"])
        .await;
    assert_eq!(applied.code, Some(0), "{}", applied.snapshot());
    for function in [ORDERS, "orders-001", "orders-002"] {
        assert_eq!(
            layers(&stage, function),
            std::slice::from_ref(&first),
            "{function}"
        );
    }
    let summary = applied.json();
    let replaced = summary["replaced"].as_array().unwrap();
    let replaced: Vec<&str> = (replaced.iter())
        .map(|it| it["reason"].as_str().unwrap())
        .collect();
    assert_eq!(replaced, [same.as_str(), &newer], "{summary}");
    // Each gets its own back.
    let undone = stage.run(&["undo", &applied.run(), "--yes"]).await;
    assert_eq!(undone.code, Some(0), "{}", undone.snapshot());
    assert_eq!(layers(&stage, "orders-001"), [newer]);
    stage
        .plane
        .change(&here(), "orders-001", |spec| spec.layers.clear());
    assert_eq!(
        stage.everything()["111122223333 eu-west-1 orders-000"],
        before["111122223333 eu-west-1 orders-000"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_that_is_gone_or_closed_is_refused_by_its_name() {
    let stage = Stage::set().await;
    let vendor = Place::new("444455556666", "eu-west-1");
    let closed = stage.publish(&vendor, "closed", "theirs").await;
    let gone = stage.publish(&here(), "gone", "theirs").await;
    for (name, layer) in [("gone", &gone), ("closed", &closed)] {
        let spec = FunctionSpec {
            name: name.to_owned(),
            layers: vec![layer.clone()],
            ..FunctionSpec::default()
        };
        stage.plane.add_function(&here(), spec);
    }
    delete(&stage, "gone", 1).await;
    let before = stage.everything();
    let planned = stage
        .attach(&["--all", "--dry-run", "--output", "json"])
        .await;
    let functions = planned.json()["functions"].clone();
    for (at, layer, words) in [
        (0, &closed, "is not shared with account 111122223333"),
        (1, &gone, "was deleted"),
    ] {
        assert_eq!(functions[at]["reason"], "layer-unavailable", "{functions}");
        let detail = functions[at]["detail"].as_str().unwrap();
        assert!(detail.contains(layer.as_str()), "{detail}");
        assert!(detail.contains(words), "{detail}");
    }
    let attached = stage.attach(&["--all"]).await;
    assert_eq!(attached.code, Some(5), "{}", attached.snapshot());
    assert_eq!(stage.everything(), before);
    assert_eq!(stage.plane.count("UpdateFunctionConfiguration"), 0);

    // It is deleted between plan and write: Lambda refuses, and so would it the next time.
    let late = stage.publish(&here(), "late", "theirs").await;
    stage.plane.change(&here(), "gone", |spec| {
        spec.layers = vec![late.clone()];
    });
    let layer = &stage.layers[&here()];
    let plan = ["plan", "gone", "--layer", layer, "--out", "plan.json"];
    let planned = stage.run(&plan).await;
    assert_eq!(planned.code, Some(0), "{}", planned.snapshot());
    delete(&stage, "late", 1).await;
    let applied = stage.run(&["apply", "plan.json", "--yes"]).await;
    assert_eq!(applied.code, Some(3), "{}", applied.snapshot());
    assert!(applied.stdout.contains(&late), "{}", applied.snapshot());
    assert!(
        !applied.stdout.contains("To continue"),
        "{}",
        applied.snapshot()
    );
}

async fn delete(stage: &Stage, layer: &str, version: i64) {
    let client = stage.client(&here());
    let request = client.delete_layer_version().layer_name(layer);
    request.version_number(version).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn prune_keeps_what_an_undo_puts_back_and_an_undo_without_it_is_refused() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 1, &FunctionSpec::default());
    let attached = stage.attach(&["orders-*"]).await;
    assert_eq!(attached.code, Some(0), "{}", attached.snapshot());
    let first = stage.layers[&here()].clone();
    let newer = stage
        .publish(&here(), "backstop-extension-x86_64-0-2-0", "second")
        .await;
    let upgraded = stage
        .run(&["attach", ORDERS, "--yes", "--layer", &newer])
        .await;
    assert_eq!(upgraded.code, Some(0), "{}", upgraded.snapshot());
    let prune = ["layer", "prune", "--keep", "1", "--yes", "--output", "json"];
    let kept = stage.run(&prune).await;
    assert_eq!(kept.code, Some(0), "{}", kept.snapshot());
    let version = &kept.json()["versions"][1];
    assert_eq!(version["arn"], first.as_str(), "{version}");
    assert_eq!(version["because"], "undo", "{version}");
    let run = upgraded.run();
    assert_eq!(
        version["reason"],
        format!("needed by `backstop undo {run}`")
    );
    assert_eq!(stage.plane.count("DeleteLayerVersion"), 0);

    let forced = stage
        .run(&[&prune[..], &["--include-undoable"]].concat())
        .await;
    assert_eq!(forced.code, Some(0), "{}", forced.snapshot());
    assert_eq!(stage.plane.count("DeleteLayerVersion"), 1);
    let before = stage.everything();
    let undone = stage.run(&["undo", &run, "--yes"]).await;
    assert_eq!(undone.code, Some(5), "{}", undone.snapshot());
    assert!(
        undone.stderr.contains(&format!("{first} was deleted"))
            || undone.stdout.contains(&format!("{first} was deleted")),
        "{}",
        undone.snapshot()
    );
    assert_eq!(stage.everything(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn prune_keeps_what_an_unfinished_run_still_has_to_attach() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 2, &FunctionSpec::default());
    stage.plane.deny("UpdateFunctionConfiguration");
    let stopped = stage.attach(&["orders-*"]).await;
    assert_eq!(stopped.code, Some(3), "{}", stopped.snapshot());
    let newer = "backstop-extension-x86_64-0-2-0";
    stage.publish(&here(), newer, "second").await;
    let prune = ["layer", "prune", "--keep", "1", "--yes", "--output", "json"];
    let kept = stage.run(&prune).await;
    assert_eq!(kept.code, Some(0), "{}", kept.snapshot());
    let version = &kept.json()["versions"][1];
    let reason = format!("needed by `backstop resume {}`", stopped.run());
    assert_eq!(version["reason"], reason, "{version}");
    assert_eq!(stage.plane.count("DeleteLayerVersion"), 0);
}

/// Lambda asks whoever changes a list for the right to read each layer of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_layer_that_may_not_be_read_is_noted() {
    let stage = Stage::set().await;
    let theirs = stage.publish(&here(), "theirs", "theirs").await;
    let spec = FunctionSpec {
        layers: vec![theirs.clone()],
        ..FunctionSpec::default()
    };
    stage.add(&here(), "orders", 1, &spec);
    stage.attach(&["orders-*"]).await;
    stage.plane.deny("GetLayerVersion");
    let detach = ["detach", "orders-*", "--dry-run"];
    let planned = stage.run(&detach).await;
    let note = format!("! cannot check whether {theirs} is usable: AccessDenied");
    assert!(planned.stdout.contains(&note), "{}", planned.snapshot());
}
