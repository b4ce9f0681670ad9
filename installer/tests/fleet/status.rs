//! Which functions have the layer, and whether that is what was left there.

use backstop_fake_aws::{FunctionSpec, KeyAccess, PackageType, Place};

use crate::stage::{ACCOUNT, REGION, Stage, here};

const OTHER: &str = "444455556666";

/// With fast calls: nothing is paced in these tests.
async fn status(stage: &Stage, arguments: &[&str]) -> crate::stage::Finished {
    stage
        .run(
            &[
                &["status", "--rate", "500", "--read-rate", "500"],
                arguments,
            ]
            .concat(),
        )
        .await
}

/// Attached, drifted in each way, attached by others, without the layer, and those that can have none.
async fn a_fleet_with_everything() -> Stage {
    let stage = Stage::set().await;
    let plane = &stage.plane;
    stage.add(&here(), "orders", 5, &FunctionSpec::default());
    let token = stage.directory.path().join("token");
    std::fs::write(&token, "hunter2").unwrap();
    let token = token.to_str().unwrap();
    let attached = stage.attach(&["orders-*", "--token-file", token]).await;
    assert_eq!(attached.code, Some(0), "{}", attached.snapshot());

    let newer = stage
        .publish(&here(), "backstop-extension-x86_64-0-2-0", "second")
        .await;
    plane.change(&here(), "orders-001", |spec| spec.layers.clear());
    plane.change(&here(), "orders-002", |spec| {
        spec.layers = vec![newer.clone()];
    });
    plane.deploy(&here(), "orders-003", ("BACKSTOP_PRIMARY_TOKEN", "hunter3"));
    plane.change(&here(), "orders-004", |spec| {
        spec.environment.remove("BACKSTOP_PRIMARY_URL");
        spec.layers.clear();
    });
    let ours = stage.layers.values().next().unwrap().clone();
    for (name, spec) in [
        (
            "by-hand",
            FunctionSpec {
                layers: vec![ours.clone()],
                ..FunctionSpec::default()
            },
        ),
        ("bare", FunctionSpec::default()),
        (
            "image",
            FunctionSpec {
                package_type: PackageType::Image,
                ..FunctionSpec::default()
            },
        ),
        ("us-east-1.edge", FunctionSpec::default()),
        (
            "sealed",
            FunctionSpec {
                key_access: KeyAccess::Denied,
                ..FunctionSpec::default()
            },
        ),
    ] {
        let name = name.to_owned();
        plane.add_function(&here(), FunctionSpec { name, ..spec });
    }
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn coverage_releases_and_drift_are_told_without_a_call_for_each_function() {
    let stage = a_fleet_with_everything().await;
    let (reads, lists) = (
        stage.plane.count("GetFunction"),
        stage.plane.count("ListFunctions"),
    );
    let reported = status(&stage, &[]).await;
    insta::assert_snapshot!("status_table", stage.masked(&reported));
    assert_eq!(stage.plane.count("GetFunction"), reads);
    assert_eq!(stage.plane.count("ListFunctions"), lists + 1);

    let json = status(&stage, &["--output", "json"]).await;
    assert_eq!(json.code, Some(0));
    insta::assert_json_snapshot!("status_json", json.json());
    for finished in [&reported, &json] {
        assert!(
            !finished.snapshot().contains("hunter"),
            "{}",
            finished.snapshot()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_alone_can_be_asked_for_with_an_exit_code_of_its_own() {
    let stage = a_fleet_with_everything().await;
    let reported = status(&stage, &["--drift-only", "--detailed-exitcode"]).await;
    insta::assert_snapshot!("status_drift_only", stage.masked(&reported));
    assert_eq!(reported.code, Some(4));
    let json = status(&stage, &["--drift-only", "--output", "json"]).await;
    assert_eq!(json.code, Some(0));
    let names = json.json()["functions"].as_array().unwrap().len();
    assert_eq!(names, 4, "{}", json.stdout);
    assert_eq!(json.json()["coverage"]["functions"], 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_as_it_was_left_is_no_drift_and_what_was_undone_has_none() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 3, &FunctionSpec::default());
    let attached = stage.attach(&["orders-*"]).await;
    let reported = status(&stage, &["--detailed-exitcode"]).await;
    assert_eq!(reported.code, Some(0), "{}", reported.snapshot());

    stage.run(&["undo", &attached.run(), "--yes"]).await;
    let reported = status(&stage, &["--detailed-exitcode", "--output", "json"]).await;
    assert_eq!(reported.code, Some(4), "{}", reported.snapshot());
    let coverage = &reported.json()["coverage"];
    assert_eq!(
        (&coverage["without"], &coverage["drifted"]),
        (&3.into(), &0.into())
    );
    // Those that are as they should be.
    let reported = status(&stage, &["--exclude", "orders-*", "--detailed-exitcode"]).await;
    assert_eq!(reported.code, Some(0), "{}", reported.snapshot());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_took_away_and_is_back_is_drift() {
    let stage = Stage::set().await;
    let ours = stage.layers.values().next().unwrap().clone();
    let spec = FunctionSpec {
        name: "orders".to_owned(),
        layers: vec![ours.clone()],
        environment: [("BACKSTOP_TAGS".to_owned(), "team=a".to_owned())].into(),
        ..FunctionSpec::default()
    };
    stage.plane.add_function(&here(), spec);
    let detached = stage.run(&["detach", "orders", "--yes"]).await;
    assert_eq!(detached.code, Some(0), "{}", detached.snapshot());
    let reported = status(&stage, &["--detailed-exitcode", "--output", "json"]).await;
    assert_eq!(
        reported.json()["coverage"]["drifted"],
        0,
        "{}",
        reported.stdout
    );
    stage.plane.change(&here(), "orders", |spec| {
        spec.layers = vec![ours.clone()];
        spec.environment
            .insert("BACKSTOP_TAGS".to_owned(), "team=a".to_owned());
    });
    let reported = status(&stage, &["--drift-only", "--detailed-exitcode"]).await;
    assert_eq!(reported.code, Some(4));
    for part in ["layer attached again: ", "changed: BACKSTOP_TAGS"] {
        assert!(reported.stdout.contains(part), "{}", reported.snapshot());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_cannot_be_looked_at_is_told_and_the_others_are_shown() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 1, &FunctionSpec::default());
    stage.add(
        &Place::new(ACCOUNT, "eu-central-1"),
        "orders",
        2,
        &FunctionSpec::default(),
    );
    stage.plane.deny_roles(OTHER);
    let accounts = format!("{ACCOUNT},{OTHER}");
    let regions = format!("{REGION},eu-central-1");
    let reported = status(
        &stage,
        &[
            "--accounts",
            &accounts,
            "--role",
            "Operator",
            "--regions",
            &regions,
            "--detailed-exitcode",
        ],
    )
    .await;
    insta::assert_snapshot!("status_partial", stage.masked(&reported));
    // Before the 4 of functions without the layer: more may be behind the door.
    assert_eq!(reported.code, Some(3));
    let reported = status(&stage, &["orders-000", "payments"]).await;
    assert_eq!(reported.code, Some(3));
    assert!(
        reported.stdout.contains("Not found: payments"),
        "{}",
        reported.snapshot()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn colour_is_for_those_who_ask_where_there_is_no_terminal() {
    let stage = Stage::set().await;
    let plain = status(&stage, &[]).await;
    assert!(!plain.stdout.contains('\x1b'), "{plain:?}");
    let coloured = status(&stage, &["--color", "always"]).await;
    assert!(coloured.stdout.starts_with("\x1b[1;32m"), "{coloured:?}");
    let json = status(&stage, &["--color", "always", "--output", "json"]).await;
    assert!(!json.stdout.contains('\x1b'), "{json:?}");
}
