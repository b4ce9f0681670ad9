//! That the unpacked layers run: in the simulator, as in Lambda.

use std::time::Duration;

use backstop_simulator::traffic::Traffic;
use backstop_simulator::{Environment, Fault};
use backstop_tests::{World, invocation};

use crate::{ARCHITECTURES, Opt};

/// An emulator needs its time.
const TIMEOUT: Duration = Duration::from_secs(30);
const HANDLER: Duration = Duration::from_millis(50);
const LINES: usize = 20;

async fn start(world: &World, opt: &Opt, fallback: &str) -> Environment {
    (world.environment().extension(&opt.extension))
        .env("BACKSTOP_FALLBACK", fallback)
        .init_timeout(TIMEOUT)
        .timeout(TIMEOUT)
        .start()
        .await
        .unwrap()
}

#[tokio::test]
async fn each_lives_through_a_healthy_life() {
    for architecture in ARCHITECTURES {
        let opt = Opt::of(architecture);
        let world = World::start().await.unwrap();
        let environment = start(&world, &opt, "firehose,s3").await;
        let registration = environment.registration().unwrap();
        assert_eq!(registration.name, "backstop-extension", "{architecture}");
        let mut traffic = Traffic::new(300);
        for _ in 0..5 {
            let lines = invocation(&mut traffic, LINES, HANDLER);
            environment.invoke(lines).await.unwrap();
        }
        let outcome = world
            .settle(&environment, traffic.position())
            .await
            .unwrap();
        outcome.assert_nothing_lost();
        assert!(outcome.archived.is_empty(), "{architecture}");
        assert!(
            outcome.delivered("https") >= traffic.position(),
            "{architecture}"
        );
    }
}

#[tokio::test]
async fn each_archives_what_the_primary_does_not_take() {
    for architecture in ARCHITECTURES {
        for (fallback, sink) in [("firehose,s3", "firehose"), ("s3", "s3")] {
            let opt = Opt::of(architecture);
            let world = World::start().await.unwrap();
            let environment = start(&world, &opt, fallback).await;
            let mut traffic = Traffic::new(300);
            for index in 0..6 {
                let fault = (index >= 2).then_some(Fault::Status(503));
                world.intake.set_fault(fault).await.unwrap();
                let lines = invocation(&mut traffic, LINES, HANDLER);
                environment.invoke(lines).await.unwrap();
            }
            let outcome = world
                .settle(&environment, traffic.position())
                .await
                .unwrap();
            outcome.assert_nothing_lost();
            assert!(
                outcome.delivered(sink) >= 4 * LINES as u64,
                "{architecture} {sink}"
            );
        }
    }
}
