//! What goes wrong at random, and what a test has happen at a certain call.

use std::collections::BTreeMap;
use std::sync::Arc;

use backstop_fake_aws::{Faults, FunctionSpec, Moment};
use reqwest::Method;
use serde_json::{Value, json};

use super::{CONFIGURATION, FUNCTION, Rig, here};

fn variable(value: usize) -> Value {
    json!({ "Environment": { "Variables": { "A": value.to_string() } } })
}

fn faults(share: f64) -> Faults {
    Faults {
        share,
        seed: 1,
        hangs: false,
    }
}

#[tokio::test]
async fn faults_are_the_same_each_time_and_some_writes_fail_after_they_were_done() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let rig = Rig::new();
        rig.0.set_faults(Some(faults(0.5)));
        let (mut statuses, mut counts) = (Vec::new(), BTreeMap::new());
        for value in 0..200 {
            let before = rig.0.snapshot();
            let (status, _) = rig.update(variable(value)).await;
            let is_done = rig.0.snapshot() != before;
            *counts.entry((status, is_done)).or_insert(0) += 1;
            statuses.push(status);
        }
        let kinds: Vec<(u16, bool)> = counts.keys().copied().collect();
        assert_eq!(
            kinds,
            [
                (200, true),
                (409, false),
                (429, false),
                (500, false),
                (500, true)
            ]
        );
        assert!((70..130).contains(&counts[&(200, true)]), "{counts:?}");
        let done: usize = counts
            .iter()
            .filter(|((_, is_done), _)| *is_done)
            .map(|(_, count)| count)
            .sum();
        assert_eq!(rig.0.writes()[&(here(), "orders".to_owned())], done);
        rig.0.set_faults(Some(faults(1.0)));
        for _ in 0..20 {
            assert_ne!(rig.get(FUNCTION).await.0, 409, "a read is in nobody's way");
        }
        rig.0.set_faults(None);
        assert_eq!(rig.update(variable(1000)).await.0, 200);
        runs.push(statuses);
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn a_call_that_is_never_answered_may_have_been_done() {
    let rig = Rig::new();
    rig.0.set_faults(Some(Faults {
        hangs: true,
        ..faults(1.0)
    }));
    for value in 0..20 {
        let call = rig.update(variable(value));
        tokio::pin!(call);
        // Until the call is in the log: what is not answered then never is.
        let logged = async {
            while rig.0.count("UpdateFunctionConfiguration") <= value {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = &mut call => {}
            () = logged => {}
        }
    }
    let silent = rig.0.calls().iter().filter(|call| call.status == 0).count();
    assert!((1..20).contains(&silent), "{silent}");
}

#[tokio::test]
async fn somebody_deploys_between_a_read_and_its_write() {
    let rig = Arc::new(Rig::new());
    rig.0.add_function(
        &here(),
        FunctionSpec {
            name: "others".to_owned(),
            ..FunctionSpec::default()
        },
    );
    let theirs = Arc::clone(&rig);
    rig.0
        .before("UpdateFunctionConfiguration", "orders", 2, move || {
            theirs.0.deploy(&here(), "orders", ("THEIRS", "1"));
        });
    let mut statuses = Vec::new();
    for value in 0..3 {
        // Calls on another function are not counted.
        let path = CONFIGURATION.replace("orders", "others");
        rig.call(&here(), Method::PUT, &path, variable(value)).await;
        let mut body = variable(value);
        body["RevisionId"] = rig.revision().await.into();
        let (status, _) = rig.update(body).await;
        statuses.push(status);
    }
    assert_eq!(statuses, [200, 412, 200]);
}

#[tokio::test]
async fn a_call_is_held_before_or_after_it_is_done() {
    for (moment, is_done) in [
        (Moment::BeforeItIsDone, false),
        (Moment::BeforeItIsAnswered, true),
    ] {
        let rig = Arc::new(Rig::new());
        let before = rig.0.snapshot();
        let held = rig.0.hold("UpdateFunctionConfiguration", 1, moment);
        let theirs = Arc::clone(&rig);
        let call = tokio::spawn(async move { theirs.update(variable(1)).await });
        held.reached().await;
        // Others are not held.
        assert_eq!(rig.get(FUNCTION).await.0, 200);
        assert_eq!(rig.0.snapshot() != before, is_done);
        held.release();
        assert_eq!(call.await.unwrap().0, 200);
        assert_ne!(rig.0.snapshot(), before);
    }
}

#[tokio::test]
async fn a_caller_that_dies_before_its_call_is_done_has_asked_for_nothing() {
    let rig = Arc::new(Rig::new());
    let before = rig.0.snapshot();
    let held = rig
        .0
        .hold("UpdateFunctionConfiguration", 1, Moment::BeforeItIsDone);
    let theirs = Arc::clone(&rig);
    let call = tokio::spawn(async move { theirs.update(variable(1)).await });
    held.reached().await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    // The server is told by the kernel in its own time: until it has heard, the call is under way.
    while held.is_waiting() {
        tokio::task::yield_now().await;
    }
    held.release();
    assert_eq!(rig.get(FUNCTION).await.0, 200);
    assert_eq!(
        (rig.0.snapshot(), rig.0.count("UpdateFunctionConfiguration")),
        (before, 0)
    );
}

#[tokio::test]
async fn a_snapshot_is_without_what_changes_by_itself() {
    let rig = Rig::with(FunctionSpec {
        aliases: vec!["live".to_owned()],
        ..FunctionSpec::default()
    });
    let before = rig.0.snapshot();
    assert_eq!(rig.0.writes(), BTreeMap::new());
    rig.0.set_update_time(std::time::Duration::from_hours(1));
    assert_eq!(rig.update(json!({ "Layers": [] })).await.0, 200);
    assert_eq!(rig.0.snapshot(), before);
    assert_eq!(rig.0.writes()[&(here(), "orders".to_owned())], 1);
    assert_eq!(rig.update(json!({})).await.0, 409, "the first is under way");
    assert_eq!(rig.0.writes()[&(here(), "orders".to_owned())], 1);
    rig.0
        .set_alias(&here(), "orders", ("live", "$LATEST"), None);
    let moved = rig.0.snapshot();
    assert_ne!(moved, before);
    rig.0.deploy(&here(), "orders", ("A", "1"));
    assert_ne!(rig.0.snapshot(), moved);
}
