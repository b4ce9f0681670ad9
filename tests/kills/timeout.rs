//! The platform ends an invocation, or brings back a snapshot, in the middle of an outage.

use std::time::Duration;

use backstop_simulator::traffic::Traffic;
use backstop_simulator::{Fault, InitializationType, Outcome, ShutdownReason};
use backstop_tests::{World, invocation};

use crate::HANDLER;

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_times_out_while_the_primary_hangs_loses_nothing() {
    for strategy in ["auto", "end", "periodic", "continuous"] {
        let world = World::start().await.unwrap();
        world.intake.set_fault(Some(Fault::Hang)).await.unwrap();
        let environment = world
            .environment()
            .timeout(Duration::from_secs(1))
            .env("BACKSTOP_FLUSH_STRATEGY", strategy)
            .start()
            .await
            .unwrap();
        let mut traffic = Traffic::new(300);
        for _ in 0..2 {
            let report = environment
                .invoke(invocation(&mut traffic, 20, HANDLER))
                .await
                .unwrap();
            assert!(!report.overran, "{strategy}");
        }
        let mut last = invocation(&mut traffic, 50, Duration::from_millis(200));
        last.outcome = Outcome::Timeout;
        environment.invoke(last).await.unwrap();
        let outcome = world
            .settle_after(ShutdownReason::Timeout, &environment, traffic.position())
            .await
            .unwrap();
        outcome.assert_nothing_lost();
        assert_eq!(outcome.delivered("https"), 0, "{strategy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_times_out_with_every_sink_hanging_leaves_its_records_to_the_next_run() {
    let world = World::start().await.unwrap();
    let hang = Some(Fault::Hang);
    world.intake.set_fault(hang).await.unwrap();
    world.firehose.set_fault(hang).await.unwrap();
    world.s3.set_fault(hang).await.unwrap();
    let sandbox = tempfile::tempdir().unwrap();
    let start = async || {
        let builder = world.environment().temp_dir(sandbox.path());
        let builder = builder.timeout(Duration::from_secs(1));
        builder.start().await.unwrap()
    };
    let environment = start().await;
    let mut traffic = Traffic::new(300);
    let mut last = invocation(&mut traffic, 50, Duration::from_millis(200));
    last.outcome = Outcome::Timeout;
    environment.invoke(last).await.unwrap();
    let outcome = world
        .settle_after(ShutdownReason::Timeout, &environment, 50)
        .await
        .unwrap();
    outcome.assert_adds_up();
    assert_eq!(
        (outcome.report.killed, outcome.report.exit_code),
        (false, Some(0))
    );
    let left = outcome.ledger("pending");
    assert!(left >= 50, "{}", outcome.stderr());
    assert!(
        outcome.stderr().contains("they wait in the spool"),
        "{}",
        outcome.stderr()
    );

    world.intake.set_fault(None).await.unwrap();
    world.firehose.set_fault(None).await.unwrap();
    world.s3.set_fault(None).await.unwrap();
    let environment = start().await;
    environment
        .invoke(invocation(&mut traffic, 10, HANDLER))
        .await
        .unwrap();
    let outcome = world
        .settle(&environment, traffic.position())
        .await
        .unwrap();
    assert_eq!(outcome.ledger("recovered"), left);
    outcome.assert_nothing_lost();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_taken_and_restored_in_an_outage_loses_nothing() {
    for fault in [Fault::Refuse, Fault::Hang, Fault::Status(503)] {
        let world = World::start().await.unwrap();
        world.intake.set_fault(Some(fault)).await.unwrap();
        let environment = world
            .environment()
            .initialization_type(InitializationType::SnapStart)
            .start()
            .await
            .unwrap();
        let mut traffic = Traffic::new(300);
        for index in 0..4 {
            if index == 3 {
                world.intake.set_fault(None).await.unwrap();
            }
            let report = environment
                .invoke(invocation(&mut traffic, 20, HANDLER))
                .await
                .unwrap();
            assert!(!report.overran, "{fault}");
        }
        let outcome = world
            .settle(&environment, traffic.position())
            .await
            .unwrap();
        outcome.assert_nothing_lost();
        // The first invocation is held until its records are out. Those of the others may wait, and go to
        // the primary, which is asked again as soon as it is back.
        let archived = outcome.archived.len();
        assert!(archived >= 20, "{fault}: {archived} archived");
    }
}
