//! Random answers, windows and freezes: whatever happens, each record is settled once or handed back,
//! the ledger adds up, and no flush outlives its window.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::{Rig, SinkBehaviour, batch, ms};
use backstop_delivery::{Batch, Failure, PartAnswer, Phase, Role, SinkName};
use proptest::prelude::*;
use tokio::time::Instant;

const SINKS: [SinkName; 3] = [SinkName::Https, SinkName::Firehose, SinkName::S3];

fn say() -> impl Strategy<Value = SinkBehaviour> {
    prop_oneof![
        4 => Just(SinkBehaviour::Status(200)),
        4 => prop::sample::select(vec![302, 400, 401, 404, 408, 429, 500, 503]).prop_map(SinkBehaviour::Status),
        2 => prop::sample::select(vec![Failure::Refused, Failure::Reset, Failure::Tls, Failure::Other])
            .prop_map(SinkBehaviour::Nothing),
        1 => Just(SinkBehaviour::Hang),
        1 => Just(SinkBehaviour::Unreached),
        2 => (1u64..400, prop::sample::select(vec![200, 503])).prop_map(|(wait, code)| SinkBehaviour::After(ms(wait), code)),
        1 => (0u64..3000).prop_map(|wait| SinkBehaviour::RetryAfter(429, ms(wait))),
        1 => (0usize..20).prop_map(|most| SinkBehaviour::TooLarge { most, never: None }),
        1 => (prop::sample::select(vec![PartAnswer::Retry, PartAnswer::Refused, PartAnswer::Unheard]), prop::collection::vec(0usize..3, 0..3)).prop_map(|(answer, parts)| SinkBehaviour::Parts(answer, parts)),
    ]
}

#[derive(Debug, Clone)]
struct Step {
    says: [Option<SinkBehaviour>; 3],
    new_records: u64,
    phase: Phase,
    window: u64,
    /// The runtime finishes so long after the flush began, with so much left.
    done: Option<(u64, u64)>,
    thaw: Option<u64>,
    pause: u64,
}

fn step() -> impl Strategy<Value = Step> {
    (
        prop::array::uniform3(prop::option::of(say())),
        0u64..90,
        prop::sample::select(vec![
            Phase::Handler,
            Phase::Handler,
            Phase::PostRuntime,
            Phase::Shutdown,
        ]),
        0u64..3000,
        prop::option::of((0u64..500, 0u64..800)),
        prop::option::of(0u64..500),
        0u64..20_000,
    )
        .prop_map(
            |(says, new_records, phase, window, done, thaw, pause)| Step {
                says,
                new_records,
                phase,
                window,
                done: done.filter(|_| phase == Phase::Handler),
                thaw,
                pause,
            },
        )
}

/// How often each record was settled: acknowledged by a sink.
fn acknowledged(rig: &Rig) -> BTreeMap<u64, usize> {
    let mut counts = BTreeMap::new();
    for sink in SINKS {
        for call in rig.recorded(sink) {
            for sequence in call.said_taken() {
                *counts.entry(sequence).or_default() += 1;
            }
        }
    }
    counts
}

async fn run(steps: Vec<Step>) {
    let roles = [Role::Primary, Role::Fallback, Role::Fallback];
    let rig = Rig::new(&SINKS.into_iter().zip(roles).collect::<Vec<_>>());
    let mut next = 1;
    let mut left: Vec<Batch> = Vec::new();
    for step in steps {
        for (sink, say) in SINKS.into_iter().zip(step.says) {
            if let Some(say) = say {
                rig.say(sink, say);
            }
        }
        left.extend((step.new_records > 0).then(|| batch(next, step.new_records)));
        next += step.new_records;
        let ends = Cell::new(Instant::now() + ms(step.window));
        let flush = rig.start_flush(std::mem::take(&mut left), step.phase, ms(step.window));
        let events = async {
            if let Some((after, more)) = step.done {
                tokio::time::sleep(ms(after)).await;
                // As the lifecycle does: never later than the window already was.
                ends.set(
                    ends.get()
                        .min(Instant::now() + ms(more))
                        .max(Instant::now()),
                );
                rig.window.set(Phase::PostRuntime, ends.get());
            }
            if let Some(after) = step.thaw {
                tokio::time::sleep(ms(after)).await;
                rig.window.thawed();
            }
            std::future::pending::<()>().await;
        };
        left = tokio::select! {
            left = flush => left.unwrap(),
            () = events => Vec::new(),
        };
        // A millisecond is the resolution of tokio's timer.
        assert!(
            Instant::now() <= ends.get() + ms(1),
            "{:?} over",
            Instant::now() - ends.get()
        );
        let held: usize = left.iter().map(Batch::len).sum();
        assert!(
            rig.ledger.lock().adds_up(held as u64),
            "{held} held, {}",
            rig.ledger.lock().line()
        );
        rig.advance(Duration::from_millis(step.pause)).await;
    }
    // Each record once: in one sink, or handed back. A sink that answered late was not heard, and is
    // not counted here; nothing was acknowledged twice.
    let counts = acknowledged(&rig);
    assert!(
        counts.values().all(|count| *count == 1),
        "acknowledged twice: {counts:?}"
    );
    for record in left.iter().flat_map(Batch::records) {
        assert!(
            !counts.contains_key(&record.id().sequence),
            "both taken and handed back"
        );
    }
    let delivered: u64 = SINKS
        .iter()
        .map(|sink| rig.ledger.lock().delivered(*sink))
        .sum();
    assert_eq!(counts.len() as u64, delivered);
    let held: usize = left.iter().map(Batch::len).sum();
    assert_eq!(
        delivered + held as u64,
        next - 1,
        "{}",
        rig.ledger.lock().line()
    );
}

/// Many cases, because they are cheap; `PROPTEST_CASES` has the last word, for runs that repeat this
/// hundreds of times.
fn config() -> ProptestConfig {
    if std::env::var_os("PROPTEST_CASES").is_some() {
        ProptestConfig::default()
    } else {
        ProptestConfig::with_cases(5000)
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_record_is_settled_once_or_handed_back(steps in prop::collection::vec(step(), 1..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(run(steps));
    }
}
