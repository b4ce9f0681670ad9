//! Files of others: they set no variable and grant no permission that is not Backstop's.

use std::fs;

use backstop_fake_aws::FunctionSpec;
use serde_json::{Value, json};

use crate::stage::{Stage, here};

const PASS: &str = "arn:aws:iam::111122223333:role/admin";

#[tokio::test(flavor = "multi_thread")]
async fn a_tampered_plan_is_refused_with_what_it_would_have_done() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 1, &FunctionSpec::default());
    let before = stage.everything();
    let layer = stage.layers[&here()].clone();
    let path = stage.directory.path().join("plan.json");
    let bucket = "BACKSTOP_S3_BUCKET=archive";
    let arguments = [
        "plan",
        "--all",
        "--layer",
        &layer,
        "--set",
        bucket,
        "--grant",
        "--out",
        "plan.json",
    ];
    let planned = stage.run(&arguments).await;
    assert_eq!(planned.code, Some(0), "{}", planned.snapshot());
    let plan: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut plan = plan.clone();
        change(&mut plan);
        plan
    };
    let variable = |plan: &mut Value, name: &str| {
        for (side, value) in [
            ("before", Value::Null),
            ("after", json!({ "value": "/opt/hunter2" })),
        ] {
            plan["functions"][0]["change"][side]["variables"][name] = value;
        }
    };
    for (tampered, words) in [
        (
            with(&|plan| variable(plan, "AWS_LAMBDA_EXEC_WRAPPER")),
            "AWS_LAMBDA_EXEC_WRAPPER: Backstop sets only variables of the extension",
        ),
        (
            with(&|plan| plan["sources"]["DB_PASSWORD"] = json!({ "file": "/etc/hostname" })),
            "DB_PASSWORD: Backstop sets only variables of the extension",
        ),
        (
            with(&|plan| {
                plan["grants"][0]["goal"]["give"][0] =
                    json!({ "action": "iam:PassRole", "resource": PASS });
            }),
            "iam:PassRole on arn:aws:iam::111122223333:role/admin is not a permission that a fallback needs",
        ),
        (
            with(&|plan| plan["grants"][0]["role"] = json!(PASS)),
            "which is not the role of any function in the plan",
        ),
        (
            with(&|plan| {
                plan["grants"][0]["goal"] =
                    json!({ "takeBack": { "places": [], "isBroken": false } });
            }),
            "it would widen the policy",
        ),
        (
            with(&|plan| plan["action"] = json!({ "undo": { "run": "20260101-000000-abcdef" } })),
            "use `backstop undo 20260101-000000-abcdef`",
        ),
    ] {
        fs::write(&path, tampered.to_string()).unwrap();
        let finished = stage.run(&["apply", "plan.json", "--yes"]).await;
        assert_eq!(finished.code, Some(1), "{words} {}", finished.snapshot());
        assert!(
            finished.stderr.contains(words),
            "{words} {}",
            finished.snapshot()
        );
        assert!(
            !finished.stderr.contains("hunter2"),
            "{}",
            finished.snapshot()
        );
        assert_eq!(stage.everything(), before);
    }
    fs::write(&path, plan.to_string()).unwrap();
    let finished = stage.run(&["apply", "plan.json", "--yes"]).await;
    assert_eq!(finished.code, Some(0), "{}", finished.snapshot());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_projects_file_sets_no_variable_of_the_function() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 1, &FunctionSpec::default());
    let text = "[settings]\nNODE_OPTIONS = \"--require /opt/hunter2\"\nPATH = \"/opt\"\n";
    fs::write(stage.directory.path().join("backstop.toml"), text).unwrap();
    let before = stage.everything();
    let finished = stage.attach(&["--all"]).await;
    assert_eq!(finished.code, Some(2), "{}", finished.snapshot());
    assert!(
        finished
            .stderr
            .contains("NODE_OPTIONS, PATH: Backstop sets only variables of the extension"),
        "{}",
        finished.snapshot()
    );
    assert!(
        !finished.stderr.contains("hunter2"),
        "{}",
        finished.snapshot()
    );
    assert_eq!(stage.everything(), before);
}
