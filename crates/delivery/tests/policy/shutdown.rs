//! At shutdown each sink gets its share of the time, those that were given up too.

use std::time::Duration;

use crate::support::{Rig, SinkBehaviour, alone, batch, ms, pair};
use backstop_delivery::{Phase, Role, SinkName};
use tokio::time::Instant;

use SinkName::{Firehose, Https, S3};

#[tokio::test(start_paused = true)]
async fn a_shutdown_during_an_attempt_leaves_each_sink_its_time() {
    let rig = Rig::new(&[
        (Https, Role::Primary),
        (Firehose, Role::Fallback),
        (S3, Role::Fallback),
    ]);
    rig.say(Https, SinkBehaviour::Hang);
    let flush = rig.start_flush(vec![batch(1, 10)], Phase::Handler, Duration::from_secs(30));
    tokio::time::sleep(ms(100)).await;
    let started = Instant::now();
    rig.window.set(Phase::Shutdown, started + ms(1700));
    assert!(flush.await.unwrap().is_empty());
    assert_eq!(started.elapsed().as_millis(), 1250);
    rig.assert_delivered(&[(Firehose, 10)]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_hangs_at_shutdown_leaves_time_for_another_to_the_same_sink() {
    let rig = Rig::new(&[(S3, Role::Fallback)]);
    rig.say(S3, SinkBehaviour::Hang);
    let flush = rig.start_flush(vec![batch(1, 10)], Phase::Handler, Duration::from_secs(30));
    tokio::time::sleep(ms(100)).await;
    rig.say(S3, SinkBehaviour::After(ms(100), 200));
    rig.window.set(Phase::Shutdown, Instant::now() + ms(1700));
    assert!(flush.await.unwrap().is_empty());
    rig.assert_delivered(&[(S3, 10)]);
}

#[tokio::test(start_paused = true)]
async fn shutdown_asks_even_sinks_that_were_given_up() {
    let rig = Rig::new(&[(Https, Role::Primary), (S3, Role::Fallback)]);
    rig.say(Https, SinkBehaviour::Status(503));
    rig.say(S3, SinkBehaviour::Status(503));
    let left = rig
        .flush(vec![batch(1, 10)], Phase::PostRuntime, ms(500))
        .await;
    assert_eq!(left.len(), 1);
    rig.say(S3, SinkBehaviour::Status(200));
    assert!(rig.flush(left, Phase::Shutdown, ms(1700)).await.is_empty());
    rig.assert_delivered(&[(S3, 10)]);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_primary_at_shutdown_leaves_time_to_archive_a_full_buffer() {
    let rig = Rig::new(&[(Https, Role::Primary), (S3, Role::Fallback)]);
    rig.say(Https, SinkBehaviour::Hang);
    rig.say(S3, SinkBehaviour::After(ms(60), 200));
    let batches: Vec<_> = (0..32).map(|index| batch(index * 10 + 1, 10)).collect();
    let started = Instant::now();
    assert!(
        rig.flush(batches, Phase::Shutdown, ms(1700))
            .await
            .is_empty()
    );
    assert!(started.elapsed() <= ms(1700));
    rig.assert_delivered(&[(S3, 320)]);
}

#[tokio::test(start_paused = true)]
async fn less_than_a_hundred_milliseconds_are_used_only_by_the_last_sink_at_shutdown() {
    for (phase, calls) in [
        (Phase::PostRuntime, 0),
        (Phase::Handler, 0),
        (Phase::Shutdown, 1),
    ] {
        let rig = Rig::new(&[(S3, Role::Fallback)]);
        let left = rig.flush(vec![batch(1, 1)], phase, ms(50)).await;
        assert_eq!((left.len(), rig.calls(S3)), (1 - calls, calls), "{phase:?}");
        let left = rig.flush(left, phase, ms(0)).await;
        assert_eq!((left.len(), rig.calls(S3)), (1 - calls, calls), "{phase:?}");
    }
    let rig = pair();
    assert!(
        rig.flush(vec![batch(1, 1)], Phase::Shutdown, ms(99))
            .await
            .is_empty()
    );
    assert_eq!((rig.calls(Https), rig.calls(S3)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_during_an_attempt_leaves_it_half_of_a_short_end() {
    let rig = pair();
    rig.say(Https, SinkBehaviour::Hang);
    let flush = rig.start_flush(vec![batch(1, 1)], Phase::Handler, Duration::from_secs(30));
    tokio::time::sleep(ms(100)).await;
    let started = Instant::now();
    rig.window.set(Phase::Shutdown, started + ms(200));
    assert!(flush.await.unwrap().is_empty());
    assert_eq!(started.elapsed(), ms(100));
    rig.assert_delivered(&[(S3, 1)]);
}

#[tokio::test(start_paused = true)]
async fn at_shutdown_there_is_time_for_a_short_wait_before_a_retry() {
    let rig = pair();
    rig.say_in_turn(Https, [SinkBehaviour::Status(503)]);
    let left = rig
        .flush(vec![batch(1, 1)], Phase::Shutdown, ms(1700))
        .await;
    assert!(left.is_empty());
    rig.assert_delivered(&[(Https, 1)]);
    assert_eq!(rig.calls(S3), 0);
}

#[tokio::test(start_paused = true)]
async fn a_wait_before_a_retry_ends_when_the_environment_is_taken_down() {
    let rig = alone();
    rig.say_in_turn(
        Https,
        [SinkBehaviour::RetryAfter(429, Duration::from_secs(20))],
    );
    let flush = rig.start_flush(vec![batch(1, 1)], Phase::Handler, Duration::from_mins(1));
    rig.advance(ms(100)).await;
    let shutdown = tokio::time::Instant::now();
    rig.window.set(Phase::Shutdown, shutdown + ms(1000));
    assert!(flush.await.unwrap().is_empty());
    assert_eq!(shutdown.elapsed(), ms(0), "asked again at once");
    rig.assert_delivered(&[(Https, 1)]);
}
