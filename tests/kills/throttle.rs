//! At 128 MB a function has a fourteenth of a core, and so has the extension: outages, a slow primary.

use std::ops::Range;
use std::time::Duration;

use backstop_simulator::traffic::Traffic;
use backstop_simulator::{Environment, Fault};
use backstop_tests::throttle::Throttle;
use backstop_tests::{Outcome, World, invocation};

use crate::HANDLER;

/// Enough for a period's share to be used up.
const LINES: usize = 1000;

/// Nine invocations, of which the primary has the fault in those that are named.
async fn life(strategy: &str, fault: Fault, faulty: Range<u32>, handler: Duration) -> Outcome {
    let world = World::start().await.unwrap();
    let mut throttle = Throttle::new(&format!("{strategy}-{fault}"));
    let environment: Environment = world
        .environment()
        .freeze(throttle.may_freeze())
        .env("BACKSTOP_FLUSH_STRATEGY", strategy)
        .start()
        .await
        .unwrap();
    throttle.limit(environment.pid()).unwrap();
    let mut traffic = Traffic::new(300);
    for index in 0..9 {
        if index == faulty.start {
            world.intake.set_fault(Some(fault)).await.unwrap();
        } else if index == faulty.end {
            world.intake.set_fault(None).await.unwrap();
        }
        let report = environment
            .invoke(invocation(&mut traffic, LINES, handler))
            .await
            .unwrap();
        assert!(!report.overran, "{strategy}, {fault}");
    }
    let outcome = world
        .settle(&environment, traffic.position())
        .await
        .unwrap();
    assert!(
        throttle.has_bitten(),
        "{strategy}, {fault}: it never waited for its share"
    );
    outcome
}

/// Most of the burst is unread when the handler ends, and SHUTDOWN follows at once: it is read then.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_before_a_shutdown_is_read_to_its_end() {
    for fault in [None, Some(Fault::Refuse)] {
        let world = World::start().await.unwrap();
        world.intake.set_fault(fault).await.unwrap();
        let mut throttle = Throttle::new(if fault.is_some() { "dead" } else { "well" });
        let environment = world.environment().freeze(throttle.may_freeze());
        let environment = environment.start().await.unwrap();
        throttle.limit(environment.pid()).unwrap();
        let mut traffic = Traffic::new(300);
        let burst = invocation(&mut traffic, 20 * LINES, Duration::from_millis(5));
        environment.invoke(burst).await.unwrap();
        let outcome = world
            .settle(&environment, traffic.position())
            .await
            .unwrap();
        outcome.assert_nothing_lost();
        assert!(throttle.has_bitten());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_fourteenth_of_a_core_an_outage_loses_nothing() {
    for strategy in ["auto", "end"] {
        for fault in [Fault::Status(503), Fault::Hang, Fault::Refuse] {
            let outcome = life(strategy, fault, 3..6, HANDLER).await;
            outcome.assert_nothing_lost();
        }
    }
}

/// It answers later than the handler ends, and each next invocation thaws the request: a healthy primary
/// is neither given up for that nor asked twice.
///
/// To the record, and in paused time, `freezes` of the delivery crate holds this. Here the clock is real, and a
/// machine that stalls for longer than a request may take diverts one batch, as it should. A primary that
/// is misjudged has most of its records repeated or diverted.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_of_300_ms_is_not_taken_for_an_outage_beside_handlers_of_50_ms() {
    let slow = Fault::Slow(Duration::from_millis(300));
    for strategy in ["auto", "end"] {
        let outcome = life(strategy, slow, 0..9, Duration::from_millis(50)).await;
        outcome.assert_nothing_lost();
        let diverted = outcome.archived.len();
        let twice = (outcome.primary.values())
            .filter(|count| **count > 1)
            .count();
        assert!(
            10 * (diverted + twice) < outcome.primary.len(),
            "{strategy}: {diverted} diverted and {twice} sent again of {}",
            outcome.primary.len()
        );
    }
}
