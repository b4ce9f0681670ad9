//! What is named and is nowhere: each is told with the nearest, and no command ends as if all were well.

use backstop_fake_aws::FunctionSpec;
use serde_json::json;

use crate::stage::{ACCOUNT, Stage, here};

#[tokio::test(flavor = "multi_thread")]
async fn what_chooses_nothing_is_told_with_what_was_probably_meant() {
    let stage = Stage::set().await;
    for (name, team) in [
        ("orders-api", "shop"),
        ("orders-worker", "shop"),
        ("search", "money"),
    ] {
        let spec = FunctionSpec {
            name: name.to_owned(),
            runtime: Some("nodejs22.x".to_owned()),
            tags: [("team".to_owned(), team.to_owned())].into(),
            ..FunctionSpec::default()
        };
        stage.plane.add_function(&here(), spec);
    }
    let layer = stage.layers[&here()].clone();
    let arn = format!("arn:aws:lambda:eu-central-1:{ACCOUNT}:function:search");
    let outside = format!(
        "{arn}: {ACCOUNT} eu-central-1 is not among the targets of this command; give --regions \
         eu-central-1, and, for another account, --accounts {ACCOUNT} with --role"
    );
    for (arguments, chosen, reported) in [
        (&["orders-api"][..], 1, &[][..]),
        (&["--all"], 3, &[]),
        (
            &["orders-apy"],
            0,
            &["orders-apy: no such function; did you mean orders-api?"],
        ),
        (&["search", "payments"], 1, &["payments: no such function"]),
        (
            &["order-*", "search"],
            1,
            &["order-*: matches no function; did you mean orders-api?"],
        ),
        (
            &["/^serach/"],
            0,
            &["/^serach/: matches no function; did you mean search?"],
        ),
        (&[&arn], 0, &[outside.as_str()]),
        (
            &["--tag", "taem=shop"],
            0,
            &["--tag taem: no function has this tag; did you mean team?"],
        ),
        (
            &["--tag", "team=shp,money"],
            1,
            &["--tag team=shp: no function has this value; did you mean shop?"],
        ),
        (
            &["--all", "--exclude", "serach", "--exclude", "test-*"],
            3,
            &["--exclude serach: no such function; did you mean search?"],
        ),
        (
            &["--runtime", "nodjs22.x"],
            0,
            &["--runtime nodjs22.x: no function uses this runtime; did you mean nodejs22.x?"],
        ),
        (
            &["search", "--tag", "team=shop"],
            0,
            &["no function in 111122223333 eu-west-1 meets all conditions"],
        ),
    ] {
        let plan = ["plan", "--output", "json", "--layer", &layer];
        let planned = stage.run(&[&plan[..], arguments].concat()).await;
        let code = if reported.is_empty() { 0 } else { 3 };
        let shown = planned.snapshot();
        assert_eq!(planned.code, Some(code), "{arguments:?}: {shown}");
        let plan = planned.json();
        assert_eq!(plan["missing"], json!(reported), "{arguments:?}");
        assert_eq!(
            plan["functions"].as_array().map(Vec::len),
            Some(chosen),
            "{arguments:?}"
        );
    }
    // In a place without any function, those who ask for all of them are told.
    let empty = ["plan", "--all", "--layer", &layer, "--regions", "us-east-1"];
    let finished = stage.run(&empty).await;
    assert_eq!(finished.code, Some(3), "{}", finished.snapshot());
    assert!(
        finished
            .stdout
            .contains("no functions in 111122223333 us-east-1")
    );
    assert_eq!(
        stage.run(&["status", "--regions", "us-east-1"]).await.code,
        Some(0)
    );
    let doctor = stage.run(&["doctor", "orders-apy"]).await;
    assert_eq!(doctor.code, Some(1));
    assert!(
        doctor.stderr.contains("did you mean orders-api?"),
        "{}",
        doctor.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_is_taken_where_it_is_named_and_there() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 1, &FunctionSpec::default());
    let no_region =
        "error: no region is set: give --region, set AWS_REGION, or set `region` in the profile\n";
    for (region, arguments, code, reported) in [
        (None, &[][..], 2, no_region),
        (None, &["--regions", "eu-west-1"], 0, ""),
        (None, &["--regions", "all"], 0, ""),
        (
            Some("eu-wset-1"),
            &[],
            2,
            "error: there is no region eu-wset-1; did you mean eu-west-1?\n",
        ),
        (
            Some("eu-west-1"),
            &["--regions", "eu-wset-1"],
            2,
            "error: there is no region eu-wset-1; did",
        ),
        (
            Some("eu-west-1"),
            &["--regions", "eu-west-1,eu-west-7"],
            3,
            "eu-west-7: there is no region eu-west-7; did you mean eu-west-1?\n",
        ),
        (
            Some("eu-west-7"),
            &[],
            3,
            "there is no region eu-west-7; did you mean eu-west-1?\n",
        ),
    ] {
        let mut command = stage.backstop(&[&["status"], arguments].concat());
        command.env_remove("AWS_REGION");
        region.map(|region| command.env("AWS_REGION", region));
        let finished = crate::stage::Finished::from(command.output().await.unwrap());
        assert_eq!(
            finished.code,
            Some(code),
            "{region:?} {arguments:?}: {}",
            finished.snapshot()
        );
        let all = finished.stdout.clone() + &finished.stderr;
        assert!(
            all.contains(reported),
            "{region:?} {arguments:?}: {}",
            finished.snapshot()
        );
    }
}
