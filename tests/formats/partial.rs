//! Of 500 records the receiver refuses a few: those alone are dead letters, live and in a replay.

use backstop_simulator::traffic::{FunctionRecord, Traffic};
use backstop_simulator::{Dialect, Fault};
use backstop_tests::{World, in_parallel};
use serde_json::Value;

use crate::{is_each_once, live, replay};

const MARK: &str = "poison";
const LINES: usize = 500;
const BAD: [usize; 3] = [7, 250, 499];
/// More than a batch has attempts.
const MANY_BAD: [usize; 12] = [0, 1, 2, 99, 100, 180, 250, 260, 370, 480, 498, 499];

/// 500 lines, these of them marked.
fn marked(bad: &[usize]) -> Vec<FunctionRecord> {
    let mut lines = Traffic::plain(200).records(LINES);
    for bad in bad.iter().copied() {
        if let Value::String(text) = &lines[bad].0 {
            lines[bad] = FunctionRecord::from(format!("{text} {MARK}"));
        }
    }
    lines
}

fn is_bad(line: &Value) -> bool {
    let text = line["record"].as_str().unwrap_or_default();
    text.contains(MARK) || text.len() > 255_000
}

#[tokio::test(flavor = "multi_thread")]
async fn three_refused_of_500_are_three_dead_letters_with_the_receivers_status() {
    let runs = Dialect::ALL.map(|dialect| async move {
        let world = World::start_speaking(dialect).await.unwrap();
        world.intake.refuse_lines_with(Some((400, MARK)));
        let outcome = live(&world, marked(&BAD), &[]).await;
        (dialect, world, outcome)
    });
    for (dialect, world, outcome) in Box::pin(in_parallel(runs)).await {
        let name = format!("{dialect:?}\n{}", outcome.stderr());
        outcome.assert_adds_up();
        assert_eq!(outcome.missing(), [0; 0], "{name}");
        assert!(is_each_once(&world), "{name}");
        let bad = outcome.archived.iter().filter(|line| is_bad(line));
        assert_eq!(bad.count(), 3, "{name}");
        let stored = outcome.primary.len() as u64;
        if dialect == Dialect::Otlp {
            // Nobody knows which: whole batches are archived, and the ledger says that they are in two places.
            assert_eq!(outcome.reasons(), ["partial".to_owned()].into(), "{name}");
            let twice = outcome.archived.len() as u64 - 3;
            assert!(outcome.ledger("ambiguous") >= twice, "{name}");
            assert_eq!(
                stored,
                outcome.ledger("received") - outcome.dropped("own_log") - 3
            );
            continue;
        }
        assert_eq!(outcome.archived.len(), 3, "{name}");
        for line in &outcome.archived {
            assert_eq!(line["diverted"]["reason"], "rejected", "{name}");
            assert_eq!(line["diverted"]["status"], 400, "{name}");
        }
        assert_eq!(outcome.ledger("dead_letters"), 3, "{name}");
        assert_eq!(stored, outcome.delivered("https"), "{name}");

        // The receiver still refuses them, and then it is fixed.
        let (summary, code) = replay(&world, dialect, dialect.token()).await;
        assert_eq!(
            (&summary["rejected"], code),
            (&3.into(), 3),
            "{name} {summary}"
        );
        world.intake.refuse_lines_with(None);
        let (summary, code) = replay(&world, dialect, dialect.token()).await;
        assert_eq!((&summary["sent"], code), (&3.into(), 0), "{name} {summary}");
        assert_eq!(world.intake.record_count() as u64, stored + 3, "{name}");
        assert!(is_each_once(&world), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_after_an_outage_delivers_488_and_names_the_12_that_are_refused() {
    let runs = Dialect::ALL.map(|dialect| async move {
        let world = World::start_speaking(dialect).await.unwrap();
        world
            .intake
            .set_fault(Some(Fault::Status(503)))
            .await
            .unwrap();
        let outcome = live(&world, marked(&MANY_BAD), &[]).await;
        outcome.assert_nothing_lost();
        assert_eq!(outcome.primary.len(), 0, "{dialect:?}");
        world.intake.set_fault(None).await.unwrap();
        world.intake.refuse_lines_with(Some((400, MARK)));
        let (summary, code) = replay(&world, dialect, dialect.token()).await;
        (dialect, world, outcome, summary, code)
    });
    for (dialect, world, outcome, summary, code) in Box::pin(in_parallel(runs)).await {
        let archived = outcome.archived.len();
        let name = format!("{dialect:?} {summary}");
        assert_eq!(code, 3, "{name}");
        assert_eq!(summary["rejected"], 12, "{name}");
        assert_eq!(summary["failed"], 0, "{name}");
        assert_eq!(summary["sent"], archived - 12, "{name}");
        assert_eq!(world.intake.record_count(), archived - 12, "{name}");
        assert!(is_each_once(&world), "{name}");
        let problems = summary["problems"].as_array().unwrap();
        let named = problems.iter().filter_map(|it| it["problem"].as_str());
        assert!(named.clone().count() > 0, "{name}");
        for problem in named {
            assert!(problem.starts_with("the primary refused"), "{name}");
        }
    }
}

/// Loki says which lines are too long in words only: they are never sent.
#[tokio::test(flavor = "multi_thread")]
async fn lines_that_loki_would_refuse_are_not_sent() {
    let world = World::start_speaking(Dialect::Loki).await.unwrap();
    let mut lines = Traffic::plain(200).records(LINES);
    for bad in BAD {
        if let Value::String(text) = &lines[bad].0 {
            lines[bad] = FunctionRecord::from(format!("{text}{}", "x".repeat(256_000)));
        }
    }
    let outcome = live(&world, lines, &[]).await;
    let name = outcome.stderr();
    outcome.assert_nothing_lost();
    assert_eq!(outcome.archived.len(), 3, "{name}");
    assert!(outcome.archived.iter().all(is_bad), "{name}");
    assert_eq!(outcome.reasons(), ["too_large".to_owned()].into(), "{name}");
    assert_eq!(outcome.ledger("dead_letters"), 3, "{name}");
    assert_eq!(world.intake.refusals(), [""; 0], "{name}");

    let (summary, code) = replay(&world, Dialect::Loki, Dialect::Loki.token()).await;
    assert_eq!((&summary["rejected"], code), (&3.into(), 3), "{summary}");
    assert_eq!(world.intake.refusals(), [""; 0], "{summary}");
}
