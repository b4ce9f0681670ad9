//! Attach, detach and undo, as the operator sees them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use backstop_fake_aws::{FunctionSpec, KeyAccess, PackageType, Place, Signing};
use insta::assert_snapshot;

use crate::stage::{ACCOUNT, Finished, Stage, here};

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn attaching_and_undoing_leaves_every_function_as_it_was() {
    let stage = Stage::set().await;
    let theirs = stage.publish(&here(), "zeta", "theirs").await;
    let spec = FunctionSpec {
        layers: vec![theirs],
        environment: variables(&[("TABLE", "orders")]),
        ..FunctionSpec::default()
    };
    stage.add(&here(), "orders", 20, &spec);
    let before = stage.everything();
    let attached = stage.attach(&["orders-*"]).await;
    assert_eq!(attached.code, Some(0), "{}", attached.snapshot());
    assert_snapshot!("attached", stage.masked(&attached));
    assert_ne!(stage.everything(), before);

    // Again: nothing to do, and nothing is written.
    let writes = stage.plane.count("UpdateFunctionConfiguration");
    let again = stage.attach(&["orders-*"]).await;
    assert_snapshot!("attached_again", stage.masked(&again));
    assert_eq!(stage.plane.count("UpdateFunctionConfiguration"), writes);

    let runs = stage.run(&["runs"]).await;
    assert_snapshot!("runs", stage.masked(&runs));
    let undone = stage.run(&["undo", &attached.run(), "--yes"]).await;
    assert_eq!(undone.code, Some(0), "{}", undone.snapshot());
    assert_snapshot!("undone", stage.masked(&undone));
    assert_eq!(stage.everything(), before);

    // An undoing is a run: it can be undone as well.
    let back = stage.run(&["undo", &undone.run(), "--yes"]).await;
    assert_eq!(back.code, Some(0), "{}", back.snapshot());
    let detached = stage.run(&["detach", "--yes", "orders-*"]).await;
    assert_eq!(detached.code, Some(0), "{}", detached.snapshot());
    assert_eq!(stage.everything(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_changed_is_refused_with_its_reason() {
    let stage = Stage::set().await;
    let mut full = Vec::new();
    for number in 0..5 {
        full.push(
            stage
                .publish(&here(), &format!("theirs-{number}"), "theirs")
                .await,
        );
    }
    let datadog = stage.publish(&here(), "Datadog-Extension", "theirs").await;
    let tag = |key: &str, value: &str| FunctionSpec {
        tags: variables(&[(key, value)]),
        ..FunctionSpec::default()
    };
    let with = |change: &dyn Fn(&mut FunctionSpec)| {
        let mut spec = FunctionSpec::default();
        change(&mut spec);
        spec
    };
    for (name, spec) in [
        ("fine", FunctionSpec::default()),
        ("five-layers", with(&|it| it.layers.clone_from(&full))),
        ("image", with(&|it| it.package_type = PackageType::Image)),
        ("us-east-1.replica", FunctionSpec::default()),
        (
            "arm",
            with(&|it| it.architecture = Some("arm64".to_owned())),
        ),
        ("locked", with(&|it| it.key_access = KeyAccess::Denied)),
        ("asleep", with(&|it| it.state = Some("Inactive"))),
        ("being-made", with(&|it| it.state = Some("Pending"))),
        ("broken", with(&|it| it.state = Some("Failed"))),
        ("stacked", tag("aws:cloudformation:stack-name", "shop")),
        ("terraformed", tag("ManagedBy", "terraform")),
        ("signed", with(&|it| it.signing = Signing::Enforce)),
        ("old", with(&|it| it.runtime = Some("python3.7".to_owned()))),
        ("watched", with(&|it| it.layers = vec![datadog.clone()])),
        (
            "large",
            with(&|it| it.environment = variables(&[("A", &"a".repeat(4070))])),
        ),
        ("heavy", with(&|it| it.unzipped_bytes = 262_144_000)),
    ] {
        let name = name.to_owned();
        stage
            .plane
            .add_function(&here(), FunctionSpec { name, ..spec });
    }
    let before = stage.everything();
    let arguments = ["--all", "--dry-run"];
    let planned = stage.attach(&arguments).await;
    assert_eq!(planned.code, Some(0), "{}", planned.snapshot());
    assert_snapshot!("refusals", stage.masked(&planned));
    assert_eq!(stage.everything(), before);

    let strict = stage.attach(&["--all", "--strict"]).await;
    assert_eq!(strict.code, Some(5), "{}", strict.snapshot());
    assert_eq!(stage.everything(), before);
    let only = stage.attach(&["image", "locked"]).await;
    assert_eq!(only.code, Some(5), "{}", only.snapshot());

    // The rest is changed, and what is refused is left alone.
    let attached = stage.attach(&["--all"]).await;
    assert_eq!(attached.code, Some(0), "{}", attached.snapshot());
    let after = stage.everything();
    let changed: Vec<&String> = (after.iter())
        .filter(|(name, configuration)| before.get(*name) != Some(*configuration))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(changed, [&format!("{ACCOUNT} eu-west-1 fine")]);

    let allowed = stage
        .attach(&[
            "stacked",
            "asleep",
            "watched",
            "--include-managed",
            "--include-inactive",
            "--beside-others",
        ])
        .await;
    assert_eq!(allowed.code, Some(0), "{}", allowed.snapshot());
    assert!(
        allowed.stdout.contains("3  changed now"),
        "{}",
        allowed.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_shown_or_kept() {
    let stage = Stage::set().await;
    let spec = FunctionSpec {
        environment: variables(&[
            ("BACKSTOP_PRIMARY_TOKEN", "their-hunter1"),
            ("DB", "hunter0"),
        ]),
        ..FunctionSpec::default()
    };
    stage.add(&here(), "orders", 2, &spec);
    let before = stage.everything();
    let path = |name: &str| stage.directory.path().join(name);
    fs::write(path("token"), "our-hunter2\n").unwrap();
    fs::write(path("headers"), "x-key: our-hunter3\n").unwrap();
    fs::write(path("url"), "https://intake.example.com/?key=our-hunter4").unwrap();
    let layer = &stage.layers[&here()];
    let planned = stage
        .run(&[
            "plan",
            "--all",
            "--layer",
            layer,
            "--token-file",
            "token",
            "--header-file",
            "headers",
            "--url-file",
            "url",
            "--overwrite",
            "BACKSTOP_PRIMARY_TOKEN",
            "--out",
            "plan.json",
        ])
        .await;
    assert_eq!(planned.code, Some(0), "{}", planned.snapshot());
    assert!(
        planned
            .stdout
            .contains("~ BACKSTOP_PRIMARY_TOKEN=*** was ***"),
        "{}",
        planned.stdout
    );
    let applied = stage.run(&["apply", "plan.json", "--yes"]).await;
    assert_eq!(applied.code, Some(0), "{}", applied.snapshot());
    let after = serde_json::to_string(&stage.everything()).unwrap();
    for secret in ["our-hunter2", "our-hunter3", "our-hunter4"] {
        assert!(after.contains(secret), "{after}");
    }
    let journal = fs::read_to_string(stage.journal(&applied.run())).unwrap();
    let plan = fs::read_to_string(path("plan.json")).unwrap();
    for text in [
        &planned.stdout,
        &planned.stderr,
        &applied.stdout,
        &applied.stderr,
        &plan,
    ] {
        assert!(!text.contains("hunter"), "{text}");
    }
    // What was there before is in the journal, or it could not be put back; ours is not.
    assert!(
        !journal.contains("our-hunter") && !journal.contains("hunter0"),
        "{journal}"
    );

    // A change on top of ours, and back again: what is ours is kept nowhere.
    fs::write(path("second"), "our-hunter5\n").unwrap();
    let rotated = stage
        .run(&[
            "attach",
            "--all",
            "--layer",
            layer,
            "--token-file",
            "second",
            "--yes",
        ])
        .await;
    assert_eq!(rotated.code, Some(0), "{}", rotated.snapshot());
    let back = stage.run(&["undo", &rotated.run(), "--yes"]).await;
    assert_eq!(back.code, Some(0), "{}", back.snapshot());
    assert_eq!(serde_json::to_string(&stage.everything()).unwrap(), after);
    for run in [&rotated, &back] {
        let journal = fs::read_to_string(stage.journal(&run.run())).unwrap();
        assert!(!journal.contains("our-hunter"), "{journal}");
    }

    // A token that is not the planned one is not taken for it.
    let undone = stage.run(&["undo", &applied.run(), "--yes"]).await;
    assert_eq!(undone.code, Some(0), "{}", undone.snapshot());
    assert_eq!(stage.everything(), before);
    let journal = fs::read_to_string(stage.journal(&undone.run())).unwrap();
    assert!(!journal.contains("our-hunter"), "{journal}");
    fs::write(path("token"), "another").unwrap();
    let refused = stage.run(&["apply", "plan.json", "--yes"]).await;
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(
        refused
            .stderr
            .contains("has changed since the plan was made"),
        "{}",
        refused.stderr
    );
    assert_eq!(stage.everything(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_between_plan_and_apply_is_kept() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 3, &FunctionSpec::default());
    let layer = &stage.layers[&here()];
    let arguments = [
        "plan",
        "--all",
        "--layer",
        layer,
        "--set",
        "BACKSTOP_S3_BUCKET=archive",
    ];
    let planned = stage
        .run(&[&arguments[..], &["--out", "plan.json"]].concat())
        .await;
    assert_eq!(planned.code, Some(0), "{}", planned.snapshot());
    stage
        .plane
        .deploy(&here(), "orders-000", ("TABLE", "orders-v2"));
    stage.plane.deploy(
        &here(),
        "orders-001",
        ("BACKSTOP_S3_BUCKET", "their-archive"),
    );
    let applied = stage.run(&["apply", "plan.json", "--yes"]).await;
    let environment = |name: &str| {
        let configuration = stage.plane.configuration(&here(), name).unwrap();
        configuration["Environment"]["Variables"].to_string()
    };
    assert_eq!(
        environment("orders-000"),
        r#"{"BACKSTOP_S3_BUCKET":"archive","TABLE":"orders-v2"}"#
    );
    assert_eq!(
        environment("orders-001"),
        r#"{"BACKSTOP_S3_BUCKET":"their-archive"}"#
    );
    assert_snapshot!("deployed_meanwhile", stage.masked(&applied));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_place_that_fails_costs_the_others_nothing() {
    let places = [
        here(),
        Place::new(ACCOUNT, "us-east-1"),
        Place::new("444455556666", "eu-west-1"),
        Place::new("777788889999", "eu-west-1"),
    ];
    let stage = Stage::in_places(&places).await;
    for place in &places {
        stage.add(place, "orders", 2, &FunctionSpec::default());
    }
    stage.plane.set_region_down("us-east-1", true);
    stage.plane.deny_roles("777788889999");
    let arguments = [
        "--all",
        "--regions",
        "eu-west-1,us-east-1,ap-east-1",
        "--role",
        "Operator",
        "--accounts",
        "111122223333,444455556666,777788889999",
    ];
    let attached = stage.attach(&arguments).await;
    assert_eq!(attached.code, Some(3), "{}", attached.snapshot());
    assert_snapshot!("places_that_fail", stage.masked(&attached));
    // The rest, once it can be reached.
    stage.plane.set_region_down("us-east-1", false);
    let again = stage.attach(&arguments).await;
    assert!(
        again.stdout.contains("2  changed now"),
        "{}",
        again.snapshot()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_told_and_nothing_is_changed() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 1, &FunctionSpec::default());
    let before = stage.everything();
    let layer = stage.layers[&here()].clone();
    let attach = |more: &[&'static str]| {
        let mut all = vec!["attach".to_owned(), "--layer".to_owned(), layer.clone()];
        all.extend(more.iter().map(|it| (*it).to_owned()));
        all
    };
    let mut reported = String::new();
    for (arguments, code) in [
        (attach(&["orders-000"]), 2),
        (attach(&["--yes"]), 2),
        (attach(&["nowhere", "--yes"]), 3),
        (attach(&["/(/", "--yes"]), 2),
        (
            attach(&["--all", "--yes", "--set", "BACKSTOP_MAX_ADDED_MS=soon"]),
            2,
        ),
        (
            attach(&["--all", "--yes", "--set", "BACKSTOP_PRIMARY_TOKEN=hunter2"]),
            2,
        ),
        (attach(&["--all", "--yes", "--set", "PATH=x"]), 2),
        (attach(&["--all", "--yes", "--accounts", "12"]), 2),
        (attach(&["--all", "--yes", "--accounts", "444455556666"]), 3),
        (
            vec!["attach".to_owned(), "--all".to_owned(), "--yes".to_owned()],
            2,
        ),
        (
            vec!["undo".to_owned(), "20260101-000000-abcdef".to_owned()],
            1,
        ),
        (vec!["resume".to_owned(), "../plan".to_owned()], 1),
        (vec!["apply".to_owned(), "absent.json".to_owned()], 1),
        (
            vec![
                "plan".to_owned(),
                "--explain".to_owned(),
                "nothing".to_owned(),
            ],
            2,
        ),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let finished = stage.run(&arguments).await;
        assert_eq!(
            finished.code,
            Some(code),
            "{arguments:?} {}",
            finished.snapshot()
        );
        assert!(!finished.stderr.contains("hunter2"), "{}", finished.stderr);
        let (words, finished) = (arguments.join(" "), stage.masked(&finished));
        writeln!(reported, "$ backstop {words}\n{finished}").unwrap();
    }
    assert_snapshot!("mistakes", reported);
    assert_eq!(stage.everything(), before);
    let explained = stage.run(&["plan", "--explain", "all"]).await;
    assert_snapshot!("reasons", explained.stdout);
    // Whatever else is said, in options or in the environment.
    let mut command = stage.backstop(&["plan", "--explain", "image", "--output", "json"]);
    command.env("BACKSTOP_STATE_DIR", stage.directory.path());
    let explained: Finished = command.output().await.unwrap().into();
    assert_eq!(explained.json()["reasons"][0]["code"], "image");
}
