//! SIGKILL at the worst moments, and the extension that is started afterwards in the same sandbox.
//!
//! What a sink had acknowledged is there for good. What waited when a freeze could come is in the spool,
//! and the next run delivers it; what was in memory only is counted by it as lost.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use backstop_simulator::traffic::Traffic;
use backstop_simulator::{Environment, Fault, SimulationError};
use backstop_tests::{Outcome, World, invocation};

use crate::{HANDLER, LIMIT};

const LINES: usize = 20;

async fn start(world: &World, sandbox: &Path, strategy: &str) -> Environment {
    world
        .environment()
        .temp_dir(sandbox)
        .env("BACKSTOP_FLUSH_STRATEGY", strategy)
        .env("BACKSTOP_FLUSH_INTERVAL_MS", "100")
        .start()
        .await
        .unwrap()
}

/// Ids of all that sinks hold now.
async fn held(world: &World) -> BTreeSet<String> {
    world.firehose.flush().await.unwrap();
    let mut held: BTreeSet<String> = world.intake.records().into_keys().collect();
    let archived = world.s3.archive_lines().unwrap();
    held.extend(
        archived
            .iter()
            .filter_map(|line| line["id"].as_str().map(str::to_owned)),
    );
    held
}

/// The extension that comes next in the sandbox, with everything well again.
async fn next_life(
    world: &World,
    sandbox: &Path,
    traffic: &mut Traffic,
    held_before: &BTreeSet<String>,
) -> Outcome {
    world.intake.set_fault(None).await.unwrap();
    let first_life = Traffic::position(traffic);
    let environment = start(world, sandbox, "end").await;
    for _ in 0..2 {
        environment
            .invoke(invocation(traffic, LINES, HANDLER))
            .await
            .unwrap();
    }
    let outcome = world
        .settle(&environment, Traffic::position(traffic))
        .await
        .unwrap();
    outcome.assert_adds_up();
    assert_eq!(
        (outcome.report.killed, outcome.report.exit_code),
        (false, Some(0)),
        "{}",
        outcome.stderr()
    );
    let held_after = held(world).await;
    assert!(
        held_before.is_subset(&held_after),
        "what was acknowledged is there"
    );
    let missing = outcome.missing();
    assert!(
        missing.iter().all(|sequence| *sequence < first_life),
        "the next life is complete: {missing:?}\n{}",
        outcome.stderr()
    );
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_during_a_handler_what_was_acknowledged_is_there() {
    let world = World::start().await.unwrap();
    let sandbox = tempfile::tempdir().unwrap();
    let mut traffic = Traffic::new(300);
    let environment = start(&world, sandbox.path(), "continuous").await;
    let long = invocation(&mut traffic, 2000, LIMIT);
    let killed = async {
        // In the middle of a stream of lines, of which some have gone out.
        assert!(world.intake.wait_for_records(50, LIMIT).await);
        environment.kill().await;
    };
    let (report, ()) = tokio::join!(environment.invoke(long), killed);
    assert!(
        matches!(report, Err(SimulationError::Exited { .. })),
        "{report:?}"
    );
    let held = held(&world).await;
    assert!(held.len() >= 50);
    next_life(&world, sandbox.path(), &mut traffic, &held).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_right_after_an_invocation_nothing_that_was_posted_is_missing() {
    for (strategy, fault) in [
        ("end", None),
        ("end", Some(Fault::Refuse)),
        ("periodic", None),
        ("auto", Some(Fault::Status(503))),
    ] {
        let world = World::start().await.unwrap();
        let sandbox = tempfile::tempdir().unwrap();
        world.intake.set_fault(fault).await.unwrap();
        let mut traffic = Traffic::new(300);
        let environment = start(&world, sandbox.path(), strategy).await;
        for _ in 0..3 {
            environment
                .invoke(invocation(&mut traffic, LINES, HANDLER))
                .await
                .unwrap();
        }
        environment.kill().await;
        let held = held(&world).await;
        let outcome = next_life(&world, sandbox.path(), &mut traffic, &held).await;
        assert_eq!(outcome.dropped("killed"), 0, "{}", outcome.stderr());
        let missing = outcome.missing();
        // Who is ready before the runtime is done is frozen before Lambda has posted the last lines.
        let unposted = match strategy {
            "end" => 0,
            _ => environment.telemetry().dropped,
        };
        let newest = 3 * LINES as u64 - missing.len() as u64;
        assert!(
            missing.len() as u64 <= unposted && missing.iter().all(|sequence| *sequence >= newest),
            "{strategy}: {unposted} were not posted, {missing:?}\n{}",
            outcome.stderr()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_a_flush_to_a_primary_that_hangs_the_next_life_goes_on() {
    let world = World::start().await.unwrap();
    let sandbox = tempfile::tempdir().unwrap();
    let mut traffic = Traffic::new(300);
    let environment = start(&world, sandbox.path(), "end").await;
    environment
        .invoke(invocation(&mut traffic, LINES, HANDLER))
        .await
        .unwrap();
    let held = held(&world).await;
    world.intake.set_fault(Some(Fault::Hang)).await.unwrap();
    let asked: u64 = world.intake.requests().values().sum();
    let last = invocation(&mut traffic, LINES, Duration::from_secs(2));
    let killed = async {
        // A request that hangs is counted when it ends: until then only its connection shows.
        tokio::time::sleep(Duration::from_millis(500)).await;
        environment.kill().await;
    };
    let (report, ()) = tokio::join!(environment.invoke(last), killed);
    assert!(
        matches!(report, Err(SimulationError::Exited { .. })),
        "{report:?}"
    );
    assert!(
        world.intake.wait_for_requests(asked + 1, LIMIT).await,
        "it was in a request"
    );
    let outcome = next_life(&world, sandbox.path(), &mut traffic, &held).await;
    // They had come since `/next` returned, and so were in memory only.
    assert!(outcome.dropped("killed") > 0, "{}", outcome.stderr());
    assert!(
        outcome
            .stderr()
            .contains("the last run of this environment was killed"),
        "{}",
        outcome.stderr()
    );
}
