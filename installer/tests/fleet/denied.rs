//! A caller that is refused the same thing again and again, and one whose credentials expire: neither asks ten
//! thousand times, each is told once, and the run can go on.

use std::fs;
use std::sync::Arc;

use backstop_fake_aws::{FunctionSpec, Place};
use insta::assert_snapshot;

use crate::stage::{ACCOUNT, Finished, Stage, here};

const FUNCTIONS: usize = 300;
/// What may be asked: the refusals that are counted, and what is under way at the last of them.
const MOST: usize = 60;

async fn attach(stage: &Stage, more: &[&str]) -> Finished {
    let mut all = vec!["attach", "orders-*", "--yes"];
    if !more.contains(&"--rate") {
        all.extend(["--rate", "20"]);
    }
    all.extend(["--set", "BACKSTOP_S3_BUCKET=archive"]);
    for layer in stage.layers.values() {
        all.extend(["--layer", layer]);
    }
    all.extend(more);
    stage.run(&all).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_is_denied_is_not_asked_for_each_function() {
    let places = [here(), Place::new(ACCOUNT, "us-east-1")];
    let stage = Stage::in_places(&places).await;
    stage.add(&places[0], "orders", FUNCTIONS, &FunctionSpec::default());
    stage.add(&places[1], "orders", 5, &FunctionSpec::default());
    stage.plane.deny("UpdateFunctionConfiguration");
    let regions = ["--regions", "eu-west-1,us-east-1"];
    let denied = attach(&stage, &[&regions[..], &["--output", "json"]].concat()).await;
    assert_eq!(denied.code, Some(3), "{}", denied.snapshot());
    let asked = stage.plane.count("UpdateFunctionConfiguration");
    assert!((10..MOST).contains(&asked), "{asked}");
    let left = denied.json()["left"].as_array().unwrap().clone();
    assert_eq!(left.len(), FUNCTIONS + 5);
    let tried = left.iter().filter(|it| it["isUntried"].is_null()).count();
    assert_eq!(tried, asked, "who was asked is told from who was not");

    // For people: once, with some of the names, or with all.
    let run = denied.run();
    let resume = ["resume", run.as_str(), "--rate", "20"];
    let mut shown = Vec::new();
    for more in [&[][..], &["--full"]] {
        let resumed = stage.run(&[&resume[..], more].concat()).await;
        assert_eq!(resumed.code, Some(3), "{}", resumed.snapshot());
        shown.push(stage.masked(&resumed));
    }
    let untried = regex::Regex::new(r"\d+  of them not tried").unwrap();
    assert_snapshot!(
        "denied_table",
        untried.replace(&shown[0], "NNN  of them not tried")
    );
    let full = &shown[1];
    assert_eq!(full.matches("orders-").count(), FUNCTIONS + 5, "{full}");
    assert_eq!(full.matches("not authorized").count(), 1, "{full}");

    let detail = stage.run(&["runs", &denied.run()]).await;
    assert_eq!(
        detail.stdout.matches("not authorized").count(),
        1,
        "{}",
        detail.stdout
    );

    // With the permission the same run does all of it.
    stage.plane.allow("UpdateFunctionConfiguration");
    let resumed = stage.run(&["resume", &denied.run(), "--rate", "500"]).await;
    assert_eq!(resumed.code, Some(0), "{}", resumed.snapshot());
    assert!(
        resumed.stdout.starts_with("305 functions attached\n"),
        "{}",
        resumed.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_planned_is_not_asked_for_each_function_either() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", FUNCTIONS, &FunctionSpec::default());
    stage.plane.deny("GetFunction");
    let planned = attach(&stage, &["--dry-run"]).await;
    assert_eq!(planned.code, Some(5), "{}", planned.snapshot());
    assert!(stage.plane.count("GetFunction") < MOST + 64);
    assert_snapshot!("denied_plan", stage.masked(&planned));
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_expire_end_the_run_and_a_resume_goes_on() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", FUNCTIONS, &FunctionSpec::default());
    let plane = Arc::clone(&stage.plane);
    stage
        .plane
        .before("UpdateFunctionConfiguration", "orders-000", 1, move || {
            plane.set_expired(true);
        });
    let aws = stage.directory.path().join(".aws");
    fs::create_dir(&aws).unwrap();
    let profile = "[profile operator]\naws_access_key_id = AKIA111122223333\naws_secret_access_key = secret\n";
    fs::write(aws.join("config"), profile).unwrap();
    let ended = attach(&stage, &["--profile", "operator"]).await;
    assert_eq!(ended.code, Some(3), "{}", ended.snapshot());
    let asked = stage.plane.count("UpdateFunctionConfiguration");
    assert!(asked < MOST, "{asked}");
    let shown = stage.masked(&ended);
    for (what, times) in [
        ("ExpiredTokenException", 1),
        ("sign in again", 1),
        ("`aws sso login`", 1),
        ("aws sso login --profile operator\n", 1),
        ("To continue: backstop resume RUN", 1),
    ] {
        assert_eq!(shown.matches(what).count(), times, "{what}: {shown}");
    }
    stage.plane.set_expired(false);
    let resumed = stage.run(&["resume", &ended.run(), "--rate", "500"]).await;
    assert_eq!(resumed.code, Some(0), "{}", resumed.snapshot());
    assert!(
        resumed.stdout.starts_with("300 functions attached\n"),
        "{}",
        resumed.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_that_may_not_be_written_are_asked_about_as_rarely() {
    let stage = Stage::set().await;
    for number in 0..30 {
        let spec = FunctionSpec {
            name: format!("orders-{number:03}"),
            role: Some(format!("arn:aws:iam::{ACCOUNT}:role/app-{number}")),
            ..FunctionSpec::default()
        };
        stage.plane.add_function(&here(), spec);
    }
    stage.plane.deny("PutRolePolicy");
    let denied = attach(&stage, &["--grant"]).await;
    assert_eq!(denied.code, Some(3), "{}", denied.snapshot());
    // After ten of them the 12th, 15th, 20th and 29th.
    assert_eq!(stage.plane.count("PutRolePolicy"), 14);
    assert_eq!(stage.plane.count("UpdateFunctionConfiguration"), 0);
    assert_snapshot!("denied_roles", stage.masked(&denied));
}

/// The roles that may not be written come first, and one that is as it should be shows nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_permission_for_some_roles_reaches_all_of_them() {
    let stage = Stage::set().await;
    for number in 0..40 {
        let kind = if number < 20 { "a" } else { "b" };
        let spec = FunctionSpec {
            name: format!("orders-{number:03}"),
            role: Some(format!("arn:aws:iam::{ACCOUNT}:role/{kind}-{number:02}")),
            ..FunctionSpec::default()
        };
        stage.plane.add_function(&here(), spec);
    }
    stage.plane.deny_for("PutRolePolicy", "a-");
    let said = attach(&stage, &["--grant", "--output", "json", "--rate", "500"]).await;
    assert_eq!(said.code, Some(3), "{}", said.snapshot());
    assert_eq!(said.json()["changed"], 20, "{}", said.stdout);
    // Each once: the twenty that are denied, and the twenty that are not.
    assert_eq!(stage.plane.count("PutRolePolicy"), 40);
    assert!(!said.stdout.contains("not tried"), "{}", said.stdout);
}

/// The names that may not be changed come first: whoever is behind them is reached in the same run.
#[tokio::test(flavor = "multi_thread")]
async fn a_permission_for_some_functions_changes_all_of_them() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders-a", 70, &FunctionSpec::default());
    stage.add(&here(), "orders-b", 70, &FunctionSpec::default());
    stage
        .plane
        .deny_for("UpdateFunctionConfiguration", "orders-a");
    let finished = attach(&stage, &["--output", "json", "--rate", "500"]).await;
    assert_eq!(finished.code, Some(3), "{}", finished.snapshot());
    assert_eq!(finished.json()["changed"], 70, "{}", finished.stdout);
    let left = finished.json()["left"].as_array().unwrap().clone();
    assert_eq!(left.len(), 70, "{}", finished.stdout);
    for it in left {
        let name = it["name"].as_str().unwrap();
        assert!(name.starts_with("orders-a"), "{it}");
        // Those behind the wall had their turn, too.
        assert!(it["isUntried"].is_null(), "{it}");
    }
}

/// Lambda names the layer, and not the function: nothing is wrong with the caller's own permissions.
#[tokio::test(flavor = "multi_thread")]
async fn layers_that_are_closed_do_not_stand_for_the_functions_of_others() {
    let stage = Stage::set().await;
    let of_layer = |name: &str, number: u32| FunctionSpec {
        name: name.to_owned(),
        layers: vec![format!(
            "arn:aws:lambda:eu-west-1:444455556666:layer:theirs-{number}:1"
        )],
        ..FunctionSpec::default()
    };
    for number in 0..20 {
        let spec = of_layer(&format!("orders-{number:02}"), number);
        stage.plane.add_function(&here(), spec);
    }
    stage.add(&here(), "orders-z", 20, &FunctionSpec::default());
    let finished = attach(&stage, &["--output", "json", "--dry-run"]).await;
    let functions = finished.json()["functions"].as_array().unwrap().clone();
    let unavailable = functions
        .iter()
        .filter(|it| it["reason"] == "layer-unavailable");
    assert_eq!(unavailable.count(), 20, "{}", finished.stdout);
    assert!(
        !finished.stdout.contains("not tried"),
        "{}",
        finished.stdout
    );
    let changes = functions.iter().filter(|it| it["verdict"] == "change");
    assert_eq!(changes.count(), 20, "{}", finished.stdout);
}
