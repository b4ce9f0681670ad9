//! The promise as a property: random lives of an execution environment, run through the real pipeline.
//!
//! Everything between the listener's inbox and the sinks is the code that ships: decoder, buffer,
//! flush decision, chain, breakers, spool, ledger. Scripted are the three ends: Lambda
//! ([`lambda::Lambda`]), the sinks ([`world::World`]) and the clock, which is paused, so that a
//! sequence of minutes takes a millisecond. What must hold is in [`rules`].
//!
//! The lives are the same in every run, so that a change is judged by itself and not by luck: to search
//! elsewhere, which the nightly job does, set `BACKSTOP_MODEL_SEED`. `BACKSTOP_MODEL_CASES` sets how many
//! lives there are. A failure names its seed and is shrunk and printed as steps; put it into [`examples`]
//! under a name.

mod asking;
mod behaviour;
mod examples;
mod insights;
mod lambda;
mod life;
mod parameter;
mod posts;
mod routes;
mod rules;
mod sink;
mod steps;
mod stuck_post;
mod tampering;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use steps::{Setup, Step};

/// In the inner loop; the full run asks for more.
const CASES: u64 = 2_000;
/// Lives of one seed: the next ones have the next seed, whichever thread runs them.
const SHARE: u32 = 500;

/// Runs one sequence on a clock of its own; panics where a rule is broken.
/// Says how many records the last shutdown gave up.
fn run(setup: &Setup, steps: &[Step]) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut lambda = lambda::Lambda::new(setup);
        for step in steps {
            lambda.step(step).await;
        }
        lambda.end().await
    })
}

#[test]
fn whatever_happens_every_record_is_delivered_counted_or_kept() {
    let number = |name: &str| -> Option<u64> {
        let text = std::env::var(name).ok()?;
        Some(
            text.parse()
                .unwrap_or_else(|_| panic!("{name} is no number: {text}")),
        )
    };
    let cases = number("BACKSTOP_MODEL_CASES").unwrap_or(CASES);
    let first = number("BACKSTOP_MODEL_SEED").unwrap_or(0);
    let (next, last) = (
        AtomicU64::new(first),
        first + cases.div_ceil(u64::from(SHARE)),
    );
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= last {
                        break;
                    }
                    run_share(seed);
                }
            });
        }
    });
}

fn run_share(seed: u64) {
    let config = Config {
        cases: SHARE,
        failure_persistence: None,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let strategy = (steps::setup(), prop::collection::vec(steps::step(), 1..14));
    TestRunner::new_with_rng(config, random)
        .run(&strategy, |(setup, steps)| {
            run(&setup, &steps);
            Ok(())
        })
        .unwrap_or_else(|failure| {
            panic!("BACKSTOP_MODEL_SEED={seed} BACKSTOP_MODEL_CASES={SHARE}: {failure}")
        });
}
