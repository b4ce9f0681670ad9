//! Others are at work at the same time, and calls go wrong.

use std::sync::Arc;
use std::time::Duration;

use backstop_fake_aws::{Faults, FunctionSpec};

use crate::stage::{Stage, here};

/// Plans to attach every function, in `plan.json`.
async fn plan_all(stage: &Stage) {
    let layer = &stage.layers[&here()];
    let set = "BACKSTOP_PRIMARY_URL=https://intake.example.com/v1";
    let planned = stage
        .run(&[
            "plan",
            "--all",
            "--set",
            set,
            "--layer",
            layer,
            "--out",
            "plan.json",
        ])
        .await;
    assert_eq!(planned.code, Some(0), "{}", planned.snapshot());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_between_read_and_write_is_kept() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 3, &FunctionSpec::default());
    let plane = Arc::clone(&stage.plane);
    // Twice in a row somebody is faster.
    for (attempt, value) in [(1, "v2"), (2, "v3")] {
        let plane = Arc::clone(&stage.plane);
        let deploy = move || plane.deploy(&here(), "orders-001", ("TABLE", value));
        stage
            .plane
            .before("UpdateFunctionConfiguration", "orders-001", attempt, deploy);
    }
    let attached = stage.attach(&["--all"]).await;
    assert_eq!(attached.code, Some(0), "{}", attached.snapshot());
    assert!(
        attached
            .stdout
            .contains("1  merged with changes that others made"),
        "{}",
        attached.stdout
    );
    let configuration = plane.configuration(&here(), "orders-001").unwrap();
    let variables = &configuration["Environment"]["Variables"];
    assert_eq!(variables["TABLE"], "v3");
    assert_eq!(
        variables["BACKSTOP_PRIMARY_URL"],
        "https://intake.example.com/v1"
    );

    // The same while it is undone.
    let deploy = move || plane.deploy(&here(), "orders-001", ("STAGE", "prod"));
    stage
        .plane
        .before("UpdateFunctionConfiguration", "orders-001", 1, deploy);
    let undone = stage.run(&["undo", &attached.run(), "--yes"]).await;
    assert_eq!(undone.code, Some(0), "{}", undone.snapshot());
    let configuration = stage.plane.configuration(&here(), "orders-001").unwrap();
    let variables = configuration["Environment"]["Variables"].to_string();
    assert_eq!(variables, r#"{"STAGE":"prod","TABLE":"v3"}"#);
    assert_eq!(configuration.get("Layers"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_under_way_is_waited_for() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 8, &FunctionSpec::default());
    let before = stage.everything();
    stage.plane.set_update_time(Duration::from_millis(300));
    let attached = stage.attach(&["--all"]).await;
    assert_eq!(attached.code, Some(0), "{}", attached.snapshot());
    // At once, while nothing says that the last update has settled everywhere.
    let undone = stage.run(&["undo", &attached.run(), "--yes"]).await;
    assert_eq!(undone.code, Some(0), "{}", undone.snapshot());
    assert_eq!(stage.everything(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_calls_going_wrong_everything_is_done_or_told() {
    for seed in 0..3 {
        let stage = Stage::set().await;
        stage.add(&here(), "orders", 120, &FunctionSpec::default());
        let before = stage.everything();
        stage.plane.set_faults(Some(Faults {
            share: 0.05,
            seed,
            hangs: true,
        }));
        // Time-outs are shorter than an operator's, or the test would wait for them.
        let attached = stage
            .attach(&["--all", "--timeout", "0.5", "--wait", "60"])
            .await;
        stage.plane.set_faults(None);
        let code = attached.code;
        assert!(matches!(code, Some(0 | 3)), "{}", attached.snapshot());
        assert!(
            !attached.stderr.contains("TooManyRequests"),
            "{}",
            attached.stderr
        );
        let has_both = |it: &serde_json::Value| {
            let it = &it["Configuration"];
            let layers = it["Layers"].to_string();
            let variables = it["Environment"]["Variables"].to_string();
            let both = [
                layers.contains("backstop-extension"),
                variables.contains("BACKSTOP_"),
            ];
            assert_eq!(both[0], both[1], "half written: {it}");
            both[0]
        };
        let after = stage.everything();
        let left = after.values().filter(|it| !has_both(it)).count();
        assert_eq!(
            code == Some(0),
            left == 0,
            "{left} not done, {}",
            attached.snapshot()
        );
        let run = attached.run();
        let resumed = stage.run(&["resume", &run]).await;
        assert_eq!(resumed.code, Some(0), "{}", resumed.snapshot());
        assert!(stage.everything().values().all(has_both));
        let writes = stage.plane.writes();
        assert!(writes.values().all(|writes| *writes == 1), "{writes:?}");
        stage.plane.set_faults(Some(Faults {
            share: 0.05,
            seed: seed + 100,
            hangs: true,
        }));
        let undo = ["undo", run.as_str(), "--yes", "--wait", "60"];
        let undone = stage.run(&undo).await;
        stage.plane.set_faults(None);
        assert!(matches!(undone.code, Some(0 | 3)), "{}", undone.snapshot());
        if undone.code == Some(3) {
            let again = stage.run(&undo).await;
            assert_eq!(again.code, Some(0), "{}", again.snapshot());
        }
        assert_eq!(stage.everything(), before, "seed {seed}");
    }
}

/// The layers and the extension's variables of a function.
fn extension(stage: &Stage, name: &str) -> (Vec<String>, Vec<String>) {
    let configuration = stage.plane.configuration(&here(), name).unwrap();
    let layers = configuration["Layers"].as_array().into_iter().flatten();
    let variables = configuration["Environment"]["Variables"].as_object();
    let names = variables.into_iter().flat_map(|it| it.keys());
    (
        layers
            .map(|it| it["Arn"].as_str().unwrap().to_owned())
            .collect(),
        (names.filter(|name| name.starts_with("BACKSTOP_")).cloned()).collect(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_beside_an_upgrade_changes_nothing_and_detach_takes_both() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 1, &FunctionSpec::default());
    let attached = stage.attach(&["--all"]).await;
    assert_eq!(attached.code, Some(0), "{}", attached.snapshot());
    let newer = (stage.publish(&here(), "backstop-extension-x86_64-0-2-0", "second")).await;
    stage.plane.change(&here(), "orders-000", |spec| {
        spec.layers = vec![newer.clone()];
    });
    let upgraded = stage.everything();

    let run = attached.run();
    let undo = ["undo", run.as_str(), "--yes", "--output", "json"];
    for arguments in [&undo[..], &[&undo[..], &["--dry-run"]].concat()] {
        let undone = stage.run(arguments).await;
        assert_eq!(undone.code, Some(3), "{}", undone.snapshot());
        assert!(undone.stdout.contains(&newer), "{}", undone.stdout);
        assert_eq!(stage.everything(), upgraded);
    }
    let undone = stage.run(&undo).await.json();
    assert_eq!(undone["conflicts"][0]["name"], "orders-000", "{undone}");
    let status = stage
        .run(&["status", "--detailed-exitcode", "--output", "json"])
        .await;
    assert_eq!(status.code, Some(4), "{}", status.snapshot());
    let drift = &status.json()["functions"][0]["drift"][0];
    assert_eq!(drift["kind"], "layerChanged");
    assert_eq!(drift["is"], newer);

    let detached = stage.run(&["detach", "--all", "--yes"]).await;
    assert_eq!(detached.code, Some(0), "{}", detached.snapshot());
    assert_eq!(extension(&stage, "orders-000"), (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_older_than_an_attach_leaves_one_layer_or_is_refused_for_good() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 1, &FunctionSpec::default());
    let ours = stage.layers[&here()].clone();
    let newer = (stage.publish(&here(), "backstop-extension-x86_64-0-2-0", "second")).await;
    let put_newer = || {
        stage.plane.change(&here(), "orders-000", |spec| {
            spec.layers = vec![newer.clone()];
        });
    };
    plan_all(&stage).await;
    put_newer();
    let applied = (stage.run(&["apply", "plan.json", "--yes", "--output", "json"])).await;
    assert_eq!(applied.code, Some(0), "{}", applied.snapshot());
    assert_eq!(extension(&stage, "orders-000").0, [ours.as_str()]);
    let reason = applied.json()["replaced"][0]["reason"].to_string();
    assert!(reason.contains(&newer), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_is_not_ours_is_never_set() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 1, &FunctionSpec::default());
    let before = stage.everything();
    plan_all(&stage).await;
    let path = stage.directory.path().join("plan.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("BACKSTOP_PRIMARY_URL", "AWS_LAMBDA_EXEC_WRAPPER");
    std::fs::write(&path, text.replace("https://intake", "/tmp/hunter2")).unwrap();
    let applied = stage.run(&["apply", "plan.json", "--yes"]).await;
    assert_eq!(applied.code, Some(1), "{}", applied.snapshot());

    let project = "[settings]\nTABLE = \"hunter2\"\n";
    std::fs::write(stage.directory.path().join("backstop.toml"), project).unwrap();
    let attached = stage.attach(&["--all"]).await;
    assert_eq!(attached.code, Some(2), "{}", attached.snapshot());
    for (finished, name) in [(applied, "AWS_LAMBDA_EXEC_WRAPPER"), (attached, "TABLE")] {
        assert!(finished.stderr.contains(name), "{}", finished.stderr);
        assert!(
            !finished.snapshot().contains("hunter2"),
            "{}",
            finished.snapshot()
        );
    }
    assert_eq!(stage.everything(), before);
}
