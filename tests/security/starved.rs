//! A function that has used up what processes share: threads, descriptors. And what is left of the
//! extension's memory when it ends.

use std::time::Duration;

use backstop_simulator::traffic::Traffic;
use backstop_tests::shim::{Refused, Shim};
use backstop_tests::{World, invocation};

use crate::{LINES, run};

const HANDLER: Duration = Duration::from_millis(15);

/// The primary by its name, which has to be looked up.
fn by_name(world: &World) -> String {
    world.intake.url().replace("127.0.0.1", "localhost")
}

#[tokio::test]
async fn without_a_thread_a_name_is_not_known_and_records_go_where_none_is_needed() {
    let Some(shim) = Shim::new() else {
        return;
    };
    let world = World::start().await.unwrap();
    shim.refuse(Refused::Threads, true);
    let environment = world
        .environment()
        .env("BACKSTOP_PRIMARY_URL", by_name(&world));
    let outcome = run(&world, shim.load(environment)).await;
    outcome.assert_nothing_lost();
    assert_eq!(outcome.delivered("https"), 0, "{}", outcome.stderr());
    let reasons = outcome.reasons();
    assert!(reasons.contains("dns"), "{reasons:?}");
    assert!(
        !outcome.stderr().contains("Panicked"),
        "{}",
        outcome.stderr()
    );
}

#[tokio::test]
async fn names_are_still_looked_up_when_the_function_uses_up_the_threads_later() {
    let Some(shim) = Shim::new() else {
        return;
    };
    let world = World::start().await.unwrap();
    let environment = world
        .environment()
        .env("BACKSTOP_FLUSH_STRATEGY", "end")
        .env("BACKSTOP_PRIMARY_URL", by_name(&world));
    let environment = shim.load(environment).start().await.unwrap();
    let mut traffic = Traffic::new(200);
    for index in 0..4 {
        shim.refuse(Refused::Threads, index > 0);
        let lines = invocation(&mut traffic, 10, HANDLER);
        environment.invoke(lines).await.unwrap();
        // Open connections are gone: the name has to be looked up again.
        world
            .intake
            .set_fault(Some(backstop_simulator::Fault::Refuse))
            .await
            .unwrap();
        world.intake.set_fault(None).await.unwrap();
    }
    let outcome = world.settle(&environment, 4 * LINES).await.unwrap();
    outcome.assert_nothing_lost();
    assert_eq!(outcome.archived.len(), 0, "{}", outcome.stderr());
    assert!(
        outcome.delivered("https") >= 4 * LINES,
        "{}",
        outcome.stderr()
    );
}

#[tokio::test]
async fn without_descriptors_records_wait_and_nothing_spins() {
    let Some(shim) = Shim::new() else {
        return;
    };
    let world = World::start().await.unwrap();
    let environment = world.environment().env("BACKSTOP_FLUSH_STRATEGY", "end");
    let environment = shim.load(environment).start().await.unwrap();
    let mut traffic = Traffic::new(200);
    for refuse in [false, true, true, false] {
        shim.refuse(Refused::Descriptors, refuse);
        world
            .intake
            .set_fault(Some(backstop_simulator::Fault::Refuse))
            .await
            .unwrap();
        world.intake.set_fault(None).await.unwrap();
        let lines = invocation(&mut traffic, 10, HANDLER);
        environment.invoke(lines).await.unwrap();
    }
    let cpu = environment.cpu_time().unwrap_or_default();
    let outcome = world.settle(&environment, 4 * LINES).await.unwrap();
    outcome.assert_nothing_lost();
    assert!(cpu < Duration::from_secs(1), "{cpu:?} of CPU");
    assert!(
        !outcome.stderr().contains("Panicked"),
        "{}",
        outcome.stderr()
    );
}

#[tokio::test]
async fn an_extension_that_starts_without_descriptors_waits_for_some() {
    let Some(shim) = Shim::new() else {
        return;
    };
    let world = World::start().await.unwrap();
    shim.refuse(Refused::Descriptors, true);
    let environment = shim.load(world.environment());
    let (outcome, ()) = tokio::join!(run(&world, environment), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        shim.refuse(Refused::Descriptors, false);
    });
    outcome.assert_nothing_lost();
}

#[tokio::test]
async fn the_extension_leaves_no_core_dump() {
    let world = World::start().await.unwrap();
    let environment = world.environment().start().await.unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", environment.pid())).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let words: Vec<&str> = core.unwrap_or_default().split_ascii_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{limits}");
    drop(world.settle(&environment, 0).await.unwrap());
}
