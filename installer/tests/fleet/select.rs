//! Which functions are meant, in which accounts and regions.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_lambda::types::Architecture;
use backstop_fake_aws::{FunctionSpec, Moment, Organization, PackageType, Place};
use serde_json::Value;

use crate::stage::{ACCOUNT, Finished, Stage, here};

/// The functions that a plan looks at, as `ACCOUNT REGION NAME`.
async fn planned(stage: &Stage, arguments: &[&str]) -> Vec<String> {
    let layer = stage.layers[&here()].clone();
    let mut all = vec![
        "plan",
        "--output",
        "json",
        "--layer",
        &layer,
        "--read-rate",
        "500",
    ];
    all.extend(arguments);
    let finished = stage.run(&all).await;
    assert!(
        matches!(finished.code, Some(0 | 3)),
        "{}",
        finished.snapshot()
    );
    let json = finished.json();
    let text = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
    (json["functions"].as_array().unwrap().iter())
        .map(|it| {
            format!(
                "{} {} {}",
                text(it, "account"),
                text(it, "region"),
                text(it, "name")
            )
        })
        .collect()
}

/// The same, in one place.
async fn names(stage: &Stage, arguments: &[&str]) -> Vec<String> {
    let planned = planned(stage, arguments).await;
    (planned.iter())
        .map(|it| it.rsplit(' ').next().unwrap().to_owned())
        .collect()
}

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_are_chosen_by_everything_that_is_said() {
    let stage = Stage::set().await;
    for (name, runtime, architecture, pairs) in [
        (
            "orders-api",
            "nodejs22.x",
            "x86_64",
            &[("team", "shop"), ("stage", "prod")][..],
        ),
        (
            "orders-worker",
            "python3.13",
            "arm64",
            &[("team", "shop"), ("stage", "test")],
        ),
        (
            "payments-api",
            "nodejs20.x",
            "x86_64",
            &[("team", "money"), ("stage", "prod")],
        ),
        ("search", "java21", "x86_64", &[]),
    ] {
        let spec = FunctionSpec {
            name: name.to_owned(),
            runtime: Some(runtime.to_owned()),
            architecture: Some(architecture.to_owned()),
            tags: tags(pairs),
            ..FunctionSpec::default()
        };
        stage.plane.add_function(&here(), spec);
    }
    let image = FunctionSpec {
        name: "model".to_owned(),
        package_type: PackageType::Image,
        ..FunctionSpec::default()
    };
    stage.plane.add_function(&here(), image);
    let arn = format!("arn:aws:lambda:eu-west-1:{ACCOUNT}:function:search");
    let any_arn = "arn:aws:lambda:*:*:function:orders-*";
    for (arguments, expected) in [
        (
            &["--all"][..],
            &[
                "model",
                "orders-api",
                "orders-worker",
                "payments-api",
                "search",
            ][..],
        ),
        (&["orders-api"], &["orders-api"]),
        (
            &["orders-*", "search"],
            &["orders-api", "orders-worker", "search"],
        ),
        (&["/api$/"], &["orders-api", "payments-api"]),
        (&[&arn], &["search"]),
        (&[any_arn], &["orders-api", "orders-worker"]),
        (
            &["--all", "--exclude", "*-api", "--exclude", "/^mod/"],
            &["orders-worker", "search"],
        ),
        (
            &["--tag", "team"],
            &["orders-api", "orders-worker", "payments-api"],
        ),
        (&["--tag", "team=shop"], &["orders-api", "orders-worker"]),
        (
            &["--tag", "team=shop,money", "--tag", "stage=prod"],
            &["orders-api", "payments-api"],
        ),
        (&["orders-*", "--tag", "stage=test"], &["orders-worker"]),
        (
            &["--runtime", "nodejs*,java*"],
            &["orders-api", "payments-api", "search"],
        ),
        (&["--architecture", "arm64"], &["orders-worker"]),
        (&["--package-type", "image"], &["model"]),
        (&["/nothing/"], &[]),
    ] {
        assert_eq!(names(&stage, arguments).await, expected, "{arguments:?}");
    }
    // The same in the file, which a command line that chooses goes before.
    let file = "[select]\nfunctions = [\"*-api\"]\ntags = { team = [\"money\", \"other\"] }\n";
    std::fs::write(stage.directory.path().join("backstop.toml"), file).unwrap();
    assert_eq!(names(&stage, &[]).await, ["payments-api"]);
    assert_eq!(names(&stage, &["search"]).await, ["search"]);
}

const ROLE: [&str; 7] = [
    "--all",
    "--role",
    "Operator",
    "--external-id",
    "backstop-17",
    "--session-tag",
    "run=1",
];
const PROD: &str = "ou-root-prod1111";

/// The places of the functions that a plan looks at.
async fn places(stage: &Stage, more: &[&str]) -> Vec<String> {
    let planned = planned(stage, &[&ROLE[..], more].concat()).await;
    let place = |it: String| it.rsplit_once(' ').unwrap().0.to_owned();
    planned.into_iter().map(place).collect()
}

/// An organisation of five accounts, one of them closed, with a function in each region.
async fn organisation() -> Stage {
    let accounts = [
        "222222222222",
        "333333333333",
        "444444444444",
        "555555555555",
    ];
    let stage = Stage::set().await;
    for account in accounts.into_iter().chain([ACCOUNT]) {
        for region in ["eu-west-1", "us-east-1", "eu-south-2"] {
            let place = Place::new(account, region);
            stage.add(&place, "orders", 1, &FunctionSpec::default());
        }
    }
    let root = Organization::root();
    let (prod, deep, test) = (PROD, "ou-root-deep2222", "ou-root-test3333");
    stage.plane.add_organization(
        Organization::new("o-abcde12345", ACCOUNT)
            .unit(root, prod, "prod")
            .unit(prod, deep, "deep")
            .unit(root, test, "test")
            .account(prod, "222222222222", "shop")
            .account(deep, "333333333333", "shop-deep")
            .account(test, "444444444444", "shop-test")
            .suspended(prod, "555555555555", "closed"),
    );
    for account in accounts {
        stage.plane.require_external_id(account, "backstop-17");
    }
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_come_from_lists_files_and_organisations() {
    let stage = organisation().await;
    let root = Organization::root();
    assert_eq!(
        places(&stage, &["--organization"]).await,
        [
            "111122223333 eu-west-1",
            "222222222222 eu-west-1",
            "333333333333 eu-west-1",
            "444444444444 eu-west-1"
        ]
    );
    assert_eq!(
        places(&stage, &["--organization", "--include-ou", PROD]).await,
        ["222222222222 eu-west-1", "333333333333 eu-west-1"]
    );
    let exclude = ["--organization", "--include-ou", root, "--exclude-ou", PROD];
    assert_eq!(
        places(&stage, &exclude).await,
        ["111122223333 eu-west-1", "444444444444 eu-west-1"]
    );
    let file = "# ours\n222222222222\n\n444444444444 # tests\n";
    std::fs::write(stage.directory.path().join("accounts"), file).unwrap();
    assert_eq!(
        places(
            &stage,
            &["--accounts-file", "accounts", "--regions", "us-east-1"]
        )
        .await,
        ["222222222222 us-east-1", "444444444444 us-east-1"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn regions_are_those_that_are_enabled_and_roles_are_assumed_as_asked() {
    let stage = organisation().await;
    // Every region that is enabled: eu-south-2 is an account's own choice.
    stage.plane.set_regions("222222222222", &["eu-south-2"]);
    stage.plane.set_regions("333333333333", &[]);
    assert_eq!(
        places(
            &stage,
            &[
                "--accounts",
                "222222222222,333333333333",
                "--regions",
                "all"
            ]
        )
        .await,
        [
            "222222222222 eu-south-2",
            "222222222222 eu-west-1",
            "222222222222 us-east-1",
            "333333333333 eu-west-1",
            "333333333333 us-east-1"
        ]
    );
    let assumed = stage.plane.assumed();
    assert!(!assumed.is_empty());
    for assumed in assumed {
        assert_eq!(
            assumed.external_id.as_deref(),
            Some("backstop-17"),
            "{assumed:?}"
        );
        assert_eq!(assumed.session, "backstop", "{assumed:?}");
        assert_eq!(
            assumed.tags.get("run").map(String::as_str),
            Some("1"),
            "{assumed:?}"
        );
    }
    // Without it the accounts are left out, and told.
    let layer = stage.layers[&here()].clone();
    let arguments = [
        "plan",
        "--all",
        "--layer",
        &layer,
        "--role",
        "Operator",
        "--accounts",
        "222222222222",
    ];
    let finished = stage.run(&arguments).await;
    assert_eq!(finished.code, Some(3), "{}", finished.snapshot());
    assert!(
        finished.stdout.contains("and the external id"),
        "{}",
        finished.stdout
    );
}

/// An organisation has hundreds of accounts, and taking a role in each takes a while.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_answers_late_holds_up_no_other() {
    let stage = organisation().await;
    let held = stage
        .plane
        .hold("AssumeRole", 1, Moment::BeforeItIsAnswered);
    let arguments = [
        "plan",
        "--all",
        "--role",
        "Operator",
        "--external-id",
        "backstop-17",
        // A call that is given up would be made again, and be another one.
        "--timeout",
        "300",
        "--layer",
        &stage.layers[&here()],
        "--accounts",
        "222222222222,333333333333,444444444444",
    ];
    let mut command = stage.backstop(&arguments);
    let running = tokio::spawn(async move { command.output().await });
    let others = async {
        while stage.plane.assumed().len() < 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let others = tokio::time::timeout(Duration::from_mins(1), others).await;
    others.expect("the roles of the others are taken");
    drop(held);
    let finished: Finished = running.await.unwrap().unwrap().into();
    assert_eq!(finished.code, Some(0), "{}", finished.snapshot());
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_of_the_layer_in_other_accounts_are_not_asked_for_where_there_is_one() {
    let places = ["111122223333", "222222222222", "333333333333"];
    let places = places.map(|account| Place::new(account, "eu-west-1"));
    let stage = Stage::in_places(&places).await;
    for place in &places {
        stage.add(place, "orders", 1, &FunctionSpec::default());
    }
    let attached = stage
        .attach(&[
            "--all",
            "--role",
            "Operator",
            "--accounts",
            "111122223333,222222222222,333333333333",
        ])
        .await;
    assert_eq!(attached.code, Some(0), "{}", attached.snapshot());
    let calls = stage.plane.calls();
    let asked = calls
        .iter()
        .filter(|call| call.operation.starts_with("GetLayerVersion"));
    assert_eq!(
        asked.map(|call| call.status).collect::<Vec<_>>(),
        [200, 200, 200]
    );
}

/// The name of a layer that was published by hand does not tell for which architecture a version is.
#[tokio::test(flavor = "multi_thread")]
async fn versions_of_one_layer_may_be_for_different_architectures() {
    let stage = Stage::set().await;
    let mut layers = Vec::new();
    for architecture in [Architecture::X8664, Architecture::Arm64] {
        let spec = FunctionSpec {
            architecture: Some(architecture.as_str().to_owned()),
            ..FunctionSpec::default()
        };
        stage.add(&here(), architecture.as_str(), 1, &spec);
        let content = architecture.as_str().to_owned();
        let (place, name) = (here(), "backstop-extension-ours");
        let published = stage.publish_for(architecture, &place, name, &content);
        layers.push(published.await);
    }
    let [one, other] = &layers[..] else {
        panic!("there are two");
    };
    let planned = [
        "plan", "--all", "--layer", one, "--layer", other, "--output", "json",
    ];
    let plan = stage.run(&planned).await.json();
    let given = plan["functions"].as_array().unwrap().iter();
    let given = given.map(|it| {
        it["change"]["after"]["layers"][0]
            .as_str()
            .unwrap()
            .to_owned()
    });
    let mut given: Vec<String> = given.collect();
    given.sort_unstable();
    assert_eq!(given, layers);
}
