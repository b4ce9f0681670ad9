//! The promise as a property: random lives of an execution environment, run through the real pipeline.
//!
//! Everything between the listener's inbox and the sinks is the code that ships: decoder, buffer,
//! flush decision, chain, breakers, spool, ledger. Scripted are the three ends: Lambda
//! ([`lambda::Lambda`]), the sinks ([`world::World`]) and the clock, which is paused, so that a
//! sequence of minutes takes a millisecond. What must hold is in [`rules`].
//!
//! `BACKSTOP_MODEL_CASES` sets how many sequences are run. A failure is shrunk and printed as steps;
//! put it into [`examples`] under a name.

mod examples;
mod lambda;
mod rules;
mod steps;
mod world;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use steps::{Setup, Step};

/// In the inner loop; the full run asks for more.
const CASES: u32 = 2_000;

/// Runs one sequence on a clock of its own; panics where a rule is broken.
fn run(setup: &Setup, steps: &[Step]) {
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
        lambda.end().await;
    });
}

#[test]
fn whatever_happens_every_record_is_delivered_counted_or_kept() {
    let cases = std::env::var("BACKSTOP_MODEL_CASES");
    let cases = cases
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(CASES);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = cases / u32::try_from(threads).unwrap_or(1) + 1;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| run_cases(share));
        }
    });
}

fn run_cases(cases: u32) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let strategy = (steps::setup(), prop::collection::vec(steps::step(), 1..14));
    TestRunner::new(config)
        .run(&strategy, |(setup, steps)| {
            run(&setup, &steps);
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}
