//! Aliases that others move, divide or have not released: what is theirs stays.

use std::sync::Arc;

use backstop_fake_aws::FunctionSpec;

use crate::aliases::{ORDERS, attach, first, leads_to, with_aliases};
use crate::stage::{Stage, here};

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_that_divides_invocations_is_left_until_it_does_not() {
    let stage = with_aliases(1).await;
    stage.plane.deploy(&here(), ORDERS, ("NEW", "1"));
    stage.plane.publish_version(&here(), ORDERS);
    stage
        .plane
        .set_alias(&here(), ORDERS, ("live", "1"), Some(("2", 0.1)));
    let finished = attach(&stage).await;
    assert_eq!(finished.code, Some(3), "{}", finished.snapshot());
    let summary = finished.json();
    assert!(
        first(&summary, "aliasesLeft").contains("a deployment is in progress"),
        "{summary}"
    );
    assert_eq!(stage.plane.count("UpdateAlias"), 0);

    stage.plane.set_alias(&here(), ORDERS, ("live", "2"), None);
    let resumed = stage.run(&["resume", &finished.run(), "--yes"]).await;
    assert_eq!(resumed.code, Some(0), "{}", resumed.snapshot());
    assert_eq!(leads_to(&stage, ORDERS).await, ("3".to_owned(), 1));
    // The version was there.
    assert_eq!(stage.plane.count("PublishVersion"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_released_is_not_released_by_the_way() {
    let stage = with_aliases(1).await;
    (stage.plane).change(&here(), ORDERS, |spec| {
        spec.code = "not released".to_owned();
    });
    let finished = attach(&stage).await;
    assert_eq!(finished.code, Some(3), "{}", finished.snapshot());
    let summary = finished.json();
    assert!(
        first(&summary, "aliasesLeft").contains("the extension (code)"),
        "{summary}"
    );
    assert_eq!(leads_to(&stage, ORDERS).await, ("1".to_owned(), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_that_is_moved_meanwhile_is_read_again() {
    let stage = with_aliases(1).await;
    let plane = Arc::clone(&stage.plane);
    stage.plane.before("UpdateAlias", ORDERS, 1, move || {
        // To the same version: its revision is another one.
        plane.set_alias(&here(), ORDERS, ("live", "1"), None);
    });
    let finished = attach(&stage).await;
    assert_eq!(finished.code, Some(0), "{}", finished.snapshot());
    assert_eq!(stage.plane.count("UpdateAlias"), 2);
    assert_eq!(leads_to(&stage, ORDERS).await, ("2".to_owned(), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_that_others_moved_since_stays_there() {
    let stage = with_aliases(1).await;
    let finished = attach(&stage).await;
    assert_eq!(finished.code, Some(0), "{}", finished.snapshot());
    stage.plane.deploy(&here(), ORDERS, ("NEW", "1"));
    let theirs = stage
        .plane
        .publish_version(&here(), ORDERS)
        .unwrap()
        .to_string();
    stage
        .plane
        .set_alias(&here(), ORDERS, ("live", &theirs), None);

    let undone = stage
        .run(&["undo", &finished.run(), "--yes", "--output", "json"])
        .await;
    assert_eq!(undone.code, Some(3), "{}", undone.snapshot());
    let summary = undone.json();
    assert_eq!(summary["changed"], 1, "{summary}");
    assert!(
        first(&summary, "aliasesLeft").contains("was moved to version 3 since"),
        "{summary}"
    );
    assert_eq!(leads_to(&stage, ORDERS).await.0, theirs);
}

/// Version 2 was released a moment ago, and Lambda still moves the alias's provisioned concurrency to it.
async fn provisioning() -> Stage {
    let stage = Stage::set().await;
    let spec = FunctionSpec {
        aliases: vec!["live".to_owned()],
        provisioned: vec!["live".to_owned()],
        ..FunctionSpec::default()
    };
    stage.add(&here(), "orders", 1, &spec);
    stage.plane.deploy(&here(), ORDERS, ("NEW", "1"));
    stage.plane.publish_version(&here(), ORDERS);
    stage
        .plane
        .set_alias(&here(), ORDERS, ("live", "2"), Some(("1", 0.6)));
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_that_lambda_itself_divides_is_waited_for() {
    const LOOK: &str = "ListProvisionedConcurrencyConfigs";
    let stage = provisioning().await;
    let plane = Arc::clone(&stage.plane);
    stage.plane.before(LOOK, ORDERS, 2, move || {
        plane.set_alias(&here(), ORDERS, ("live", "2"), None);
    });
    let finished = attach(&stage).await;
    assert_eq!(finished.code, Some(0), "{}", finished.snapshot());
    assert_eq!(leads_to(&stage, ORDERS).await, ("3".to_owned(), 1));

    // Not for ever: the run says that it goes on, and a resume does the rest.
    let stage = provisioning().await;
    let arguments = [
        "orders-*",
        "--move-alias",
        "live",
        "--wait",
        "0.1",
        "--output",
        "json",
    ];
    let finished = stage.attach(&arguments).await;
    assert_eq!(finished.code, Some(3), "{}", finished.snapshot());
    let summary = finished.json();
    let reason = first(&summary, "aliasesLeft");
    assert!(
        reason.contains("still moving its provisioned concurrency"),
        "{summary}"
    );
    stage.plane.set_alias(&here(), ORDERS, ("live", "2"), None);
    let resumed = stage.run(&["resume", &finished.run(), "--yes"]).await;
    assert_eq!(resumed.code, Some(0), "{}", resumed.snapshot());
    assert_eq!(leads_to(&stage, ORDERS).await, ("3".to_owned(), 1));
}
