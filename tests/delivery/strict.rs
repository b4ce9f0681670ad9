//! A strict primary: it refuses a request for one record in it. That record alone is a dead letter.

use std::time::Duration;

use backstop_simulator::traffic::{FunctionRecord, Traffic};
use backstop_simulator::{Invocation, ShutdownReason};
use backstop_tests::{Outcome, World};
use serde_json::Value;

const POISON: &str = "poison";
const LINES: usize = 501;

/// One invocation of 501 lines of which one is refused.
async fn run(status: u16, strategy: &str, has_archive: bool, reason: ShutdownReason) -> Outcome {
    let world = World::start().await.unwrap();
    world.intake.refuse_lines_with(Some((status, POISON)));
    let mut builder = world
        .environment()
        .env("BACKSTOP_FLUSH_STRATEGY", strategy)
        .env("BACKSTOP_FIREHOSE_STREAM", "");
    if !has_archive {
        builder = builder.env("BACKSTOP_S3_BUCKET", "");
    }
    let environment = builder.start().await.unwrap();
    let mut traffic = Traffic::plain(200);
    let mut lines = traffic.records(LINES);
    if let Value::String(text) = &lines[250].0 {
        lines[250] = FunctionRecord::from(format!("{text} {POISON}"));
    }
    environment
        .invoke(Invocation {
            lines,
            duration: Duration::from_millis(50),
            ..Invocation::default()
        })
        .await
        .unwrap();
    world
        .settle_after(reason, &environment, LINES as u64)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refused_record_of_501_is_the_only_dead_letter() {
    for (status, strategy) in [(400, "end"), (422, "auto"), (400, "continuous")] {
        let outcome = run(status, strategy, true, ShutdownReason::Spindown).await;
        outcome.assert_nothing_lost();
        let name = format!("{status} {strategy}\n{}", outcome.stderr());
        assert_eq!(outcome.archived.len(), 1, "{name}");
        let line = &outcome.archived[0];
        assert!(line["record"].as_str().unwrap().ends_with(POISON), "{name}");
        assert_eq!(line["diverted"]["reason"], "rejected", "{name}");
        assert_eq!(line["diverted"]["status"], status, "{name}");
        assert_eq!(outcome.ledger("dead_letters"), 1, "{name}");
        assert_eq!(outcome.ledger("ambiguous"), 0, "{name}");
    }
}

/// Everything waits until SHUTDOWN, where there is no time to waste.
#[tokio::test(flavor = "multi_thread")]
async fn at_shutdown_it_is_found_as_well() {
    let outcome = run(400, "periodic", true, ShutdownReason::Spindown).await;
    outcome.assert_nothing_lost();
    assert_eq!(outcome.ledger("dead_letters"), 1, "{}", outcome.stderr());
    assert_eq!(outcome.archived.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_fallback_it_is_the_only_record_dropped() {
    let outcome = run(400, "end", false, ShutdownReason::Spindown).await;
    outcome.assert_adds_up();
    assert_eq!(outcome.dropped("rejected"), 1, "{}", outcome.stderr());
    assert_eq!(outcome.dropped("shutdown"), 0, "{}", outcome.stderr());
    assert_eq!(outcome.missing(), [250]);
}
