//! What keeps the controller from loops, and from what is not its own.

use std::collections::BTreeMap;
use std::time::Duration;

use backstop_fake_aws::{FunctionSpec, Moment};
use serde_json::json;

use crate::stage::{Stage, batch, created, here};

#[tokio::test(flavor = "multi_thread")]
async fn the_switch_stops_all_writes_and_the_plan_goes_on() {
    let stage = Stage::set().await;
    stage.add("orders", 2, &FunctionSpec::default());
    stage.stop(true).await;
    let mut enforce = stage.environment("enforce", &[]);
    let result = enforce.plan().await;
    assert_eq!(result["isStopped"], true, "{result}");
    assert_eq!(result["counts"]["new"], 2, "{result}");
    assert_eq!(stage.writes(), 0);
    stage.stop(false).await;
    let result = enforce.plan().await;
    assert_eq!(result["counts"]["attached"], 2, "{result}");

    // A switch that cannot be read counts as set.
    stage.add("pay", 1, &FunctionSpec::default());
    let endpoint = stage.plane.endpoint();
    let more = [
        ("CONTROLLER_SWITCH", "ssm:/backstop/absent"),
        ("AWS_ENDPOINT_URL_SSM", endpoint.as_str()),
    ];
    let result = stage.environment("enforce", &more).plan().await;
    assert_eq!(result["isStopped"], true, "{result}");
    assert!(!stage.is_attached("pay-0000"));
    let place = here();
    (stage.plane).set_parameter(&place, "/backstop/absent", "run");
    let result = stage.environment("enforce", &more).plan().await;
    assert_eq!(result["counts"]["attached"], 1, "{result}");
}

#[tokio::test(flavor = "multi_thread")]
async fn itself_and_functions_of_other_tools_are_not_written() {
    let stage = Stage::set().await;
    for (name, tag) in [
        ("controller", None),
        ("replay", None),
        ("stack", Some(("aws:cloudformation:stack-id", "arn"))),
        ("terraform", Some(("ManagedBy", "terraform"))),
        ("free", None),
    ] {
        let tags = tag.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let spec = FunctionSpec {
            name: name.to_owned(),
            tags: tags.into_iter().collect(),
            ..FunctionSpec::default()
        };
        stage.plane.add_function(&here(), spec);
    }
    let more = [("CONTROLLER_NEVER", "replay")];
    let result = stage.environment("enforce", &more).plan().await;
    let counts = &result["counts"];
    assert_eq!(
        (&counts["attached"], &counts["own"], &counts["refused"]),
        (&json!(1), &json!(2), &json!(2)),
        "{result}"
    );
    assert!(stage.is_attached("free"));
    assert_eq!(stage.writes(), 1);
    let reasons: BTreeMap<&str, &str> = (result["functions"].as_array().unwrap().iter())
        .map(|row| {
            (
                row["arn"].as_str().unwrap(),
                row["reason"].as_str().unwrap(),
            )
        })
        .collect();
    let of = |name: &str| {
        reasons
            .iter()
            .find(|(arn, _)| arn.ends_with(name))
            .unwrap()
            .1
    };
    assert_eq!(*of(":stack"), "managed-by-cfn");
    assert_eq!(*of(":terraform"), "managed-by-terraform");

    let more = [
        ("CONTROLLER_NEVER", "replay"),
        ("CONTROLLER_INCLUDE_MANAGED", "true"),
    ];
    let result = stage.environment("enforce", &more).plan().await;
    assert_eq!(result["counts"]["attached"], 2, "{result}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_is_set_while_functions_are_written_stops_the_others() {
    let stage = Stage::set().await;
    stage.add("orders", 60, &FunctionSpec::default());
    stage.want_at(2, "all = true").await;
    let held = (stage.plane).hold("UpdateFunctionConfiguration", 1, Moment::BeforeItIsDone);
    let mut attach = stage.environment("attach", &[]);
    attach.start(&json!({ "action": "plan" })).await;
    tokio::time::timeout(Duration::from_mins(1), held.reached())
        .await
        .expect("the first write comes");
    stage.stop(true).await;
    held.release();
    let result = attach.answer().await.unwrap();
    let (counts, written) = (&result["counts"], stage.writes());
    assert_eq!(result["isStopped"], true, "{result}");
    assert!((1..60).contains(&written), "{written}");
    assert_eq!(counts["attached"], written, "{counts}");
    assert_eq!(counts["notBegun"], 60 - written, "{counts}");
    assert_eq!(counts["failed"], 0, "{counts}");
    assert_eq!(attach.line().await["Stopped"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_that_cannot_be_read_do_not_make_a_function_free() {
    let stage = Stage::set().await;
    stage.add("orders", 2, &FunctionSpec::default());
    stage.plane.deny("ListTags");
    let mut enforce = stage.environment("enforce", &[]);
    let result = enforce.plan().await;
    assert_eq!(result["counts"]["unreadable"], 2, "{result}");
    let detail = result["functions"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("grant lambda:ListTags"), "{detail}");
    assert_eq!(enforce.line().await["Skipped"], 2);
    let status = stage.backstop(&["controller", "status"]).await;
    let text = String::from_utf8(status.stdout).unwrap();
    assert_eq!(status.status.code(), Some(3), "{text}");
    assert!(text.contains("2  left, because too little"), "{text}");

    // Nor one of the selection, where that is by tags.
    stage.want("tags = { team = \"payments\" }").await;
    let more = [("CONTROLLER_INCLUDE_MANAGED", "true")];
    let mut enforce = stage.environment("enforce", &more);
    let result = enforce.done(&batch(&[created("orders-0000")])).await;
    assert_eq!(result["counts"]["unreadable"], 1, "{result}");
    assert_eq!(stage.writes(), 0);

    stage.want("all = true").await;
    stage.plane.allow("ListTags");
    let result = enforce.plan().await;
    assert_eq!(result["counts"]["attached"], 2, "{result}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fight_ends_after_a_few_writes() {
    let stage = Stage::set().await;
    stage.add("orders", 2, &FunctionSpec::default());
    let mut enforce = stage.environment("enforce", &[("CONTROLLER_MAX_WRITES", "3")]);
    let mut written = 0;
    for round in 0..6 {
        let result = enforce.done(&batch(&[created("orders-0000")])).await;
        let counts = &result["counts"];
        written += counts["attached"].as_u64().unwrap() + counts["repaired"].as_u64().unwrap();
        let limited = u64::from(round >= 3);
        assert_eq!(
            counts["limited"].as_u64(),
            Some(limited),
            "{round} {result}"
        );
        // A tool of somebody else takes it off again.
        stage
            .plane
            .change(&here(), "orders-0000", |it| it.layers.clear());
    }
    assert_eq!((written, stage.writes()), (3, 3));
    // A new environment knows the writes of the one before; another function has its own count.
    let result = stage
        .environment("enforce", &[("CONTROLLER_MAX_WRITES", "3")])
        .plan()
        .await;
    assert_eq!(result["counts"]["limited"], 1, "{result}");
    assert_eq!(result["counts"]["attached"], 1, "{result}");
}
