//! Events that come late, twice, out of order, in storms, or never.

use std::sync::Arc;
use std::time::Duration;

use backstop_fake_aws::FunctionSpec;
use serde_json::{Value, json};

use crate::stage::{Stage, batch, created, here};

#[tokio::test(flavor = "multi_thread")]
async fn an_event_plans_for_its_function_only() {
    let stage = Stage::set().await;
    stage.add("orders", 40, &FunctionSpec::default());
    let mut attach = stage.environment("attach", &[]);
    let result = attach.done(&batch(&[created("orders-0007")])).await;
    assert_eq!(result["trigger"], "events", "{result}");
    assert_eq!(result["counts"]["functions"], 1, "{result}");
    assert!(stage.is_attached("orders-0007"));
    assert_eq!(stage.writes(), 1);
    // No list of all functions was made for it.
    assert_eq!(stage.plane.count("ListFunctions"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_outside_the_selection_are_left() {
    let stage = Stage::set().await;
    let spec = |team: &str| FunctionSpec {
        tags: [("team".to_owned(), team.to_owned())].into(),
        ..FunctionSpec::default()
    };
    stage.add("orders", 1, &spec("payments"));
    stage.add("other", 1, &spec("other"));
    stage.want("tags = { team = \"payments\" }").await;
    let mut attach = stage.environment("attach", &[]);
    let events = [
        created("orders-0000"),
        created("other-0000"),
        created("gone"),
    ];
    let result = attach.done(&batch(&events)).await;
    assert_eq!(result["counts"]["attached"], 1, "{result}");
    assert!(stage.is_attached("orders-0000"));
    assert!(!stage.is_attached("other-0000"));
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_and_old_events_write_once_and_the_plan_finds_the_lost_ones() {
    let stage = Stage::set().await;
    stage.add("orders", 12, &FunctionSpec::default());
    let mut attach = stage.environment("attach", &[]);
    // Backwards, each twice, and every third never.
    for number in (0..12).rev().filter(|number| number % 3 > 0) {
        let event = created(&format!("orders-{number:04}"));
        for _ in 0..2 {
            attach.done(&batch(&[event.clone(), event.clone()])).await;
        }
    }
    assert_eq!(stage.writes(), 8);
    let result = attach.plan().await;
    assert_eq!(result["counts"]["attached"], 4, "{result}");
    let again = attach.plan().await;
    assert_eq!(again["counts"]["unchanged"], 12, "{again}");
    assert_eq!(stage.writes(), 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_functions_that_must_wait_come_again() {
    let stage = Stage::set().await;
    stage.add("orders", 2, &FunctionSpec::default());
    stage.add("secret", 1, &FunctionSpec::default());
    let set = |state| {
        let change = move |it: &mut FunctionSpec| it.state = state;
        stage.plane.change(&here(), "orders-0000", change);
    };
    // One that is denied stands in the way of no other, and waits for nothing.
    stage.plane.deny_for("GetFunction", "secret");
    set(Some("Pending"));
    let mut attach = stage.environment("attach", &[]);
    let events = batch(&[
        created("orders-0000"),
        created("orders-0001"),
        created("secret-0000"),
    ]);
    let error = attach.invoke(&events).await.expect_err("one must wait");
    assert!(error.to_string().contains("events come again"), "{error}");
    assert!(stage.is_attached("orders-0001"));
    set(None);
    let result = attach.done(&events).await;
    let counts = &result["counts"];
    assert_eq!(
        (
            &counts["attached"],
            &counts["unchanged"],
            &counts["unreadable"]
        ),
        (&json!(1), &json!(1), &json!(1)),
        "{result}"
    );
    assert!(stage.is_attached("orders-0000"));

    // Nor are they lost where no time is left to begin.
    stage.add("late", 1, &FunctionSpec::default());
    let mut hasty = stage.environment_for("attach", &[], Duration::from_secs(140));
    let late = batch(&[created("late-0000")]);
    let error = hasty.invoke(&late).await.expect_err("it is not begun");
    assert!(error.to_string().contains("1 were not started"), "{error}");
    assert!(!stage.is_attached("late-0000"));
    attach.done(&late).await;
    assert!(stage.is_attached("late-0000"));
}

#[tokio::test(flavor = "multi_thread")]
async fn its_own_events_cost_no_call() {
    let stage = Stage::set().await;
    stage.add("orders", 1, &FunctionSpec::default());
    let mut attach = stage.environment("attach", &[]);
    attach.plan().await;
    let calls = stage.plane.calls().len();
    let mut event: Value =
        serde_json::from_str(created("orders-0000")["body"].as_str().unwrap()).unwrap();
    event["detail"]["userIdentity"]["arn"] =
        "arn:aws:sts::111122223333:assumed-role/controller-role/controller".into();
    let own = json!({ "body": event.to_string() });
    let result = attach.done(&batch(&[own])).await;
    assert_eq!(result["counts"]["ownEvents"], 1, "{result}");
    assert_eq!(stage.plane.calls().len(), calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_by_somebody_else_between_read_and_write_is_kept() {
    let stage = Stage::set().await;
    stage.add("orders", 3, &FunctionSpec::default());
    for (attempt, value) in [(1, "v2"), (2, "v3")] {
        let plane = Arc::clone(&stage.plane);
        let deploy = move || plane.deploy(&here(), "orders-0001", ("TABLE", value));
        let operation = "UpdateFunctionConfiguration";
        (stage.plane).before(operation, "orders-0001", attempt, deploy);
    }
    let result = stage.environment("enforce", &[]).plan().await;
    assert_eq!(result["counts"]["attached"], 3, "{result}");
    let function = stage.plane.configuration(&here(), "orders-0001").unwrap();
    assert_eq!(function["Environment"]["Variables"]["TABLE"], "v3");
    assert!(stage.is_attached("orders-0001"));
}

/// Many functions at once, by events in batches, under quotas that throttle. They are as few as they are
/// because the controller keeps to Lambda's own quotas: 10,000 functions take it more than ten minutes,
/// here as in an account. `BACKSTOP_STORM=10000` runs that.
#[tokio::test(flavor = "multi_thread")]
async fn a_storm_under_throttling_converges_and_then_is_quiet() {
    let stage = Stage::set().await;
    let count = std::env::var("BACKSTOP_STORM").map_or(400, |it| it.parse().unwrap());
    stage.add("orders", count, &FunctionSpec::default());
    stage.plane.set_quota(Some(8.0));
    stage.plane.set_update_time(Duration::from_millis(20));
    let mut attach = stage.environment("attach", &[]);
    let events: Vec<Value> = (0..count)
        .map(|number| created(&format!("orders-{number:04}")))
        .collect();
    for messages in events.chunks(100) {
        attach.done(&batch(messages)).await;
    }
    let quiet = attach.plan().await;
    assert_eq!(quiet["counts"]["unchanged"], count, "{}", quiet["counts"]);
    let writes = stage.plane.writes();
    assert_eq!(writes.len(), count);
    assert!(writes.values().all(|writes| *writes == 1));
}
