//! A sink that was given up is found again by probes.

use std::time::Duration;

use crate::support::{Rig, SinkBehaviour, alone, batch, ms, pair};
use backstop_delivery::{BreakerState, Phase, Role, SinkName};
use tokio::time::Instant;

use SinkName::{Firehose, Https, S3};

#[tokio::test(start_paused = true)]
async fn a_recovered_primary_is_found_by_one_small_probe_while_a_handler_runs() {
    let rig = Rig::new(&[(Https, Role::Primary), (S3, Role::Fallback)]);
    rig.say(Https, SinkBehaviour::Status(503));
    rig.flush(vec![batch(1, 10)], Phase::PostRuntime, ms(500))
        .await;
    rig.say(Https, SinkBehaviour::Status(200));
    rig.advance(Duration::from_secs(6)).await;
    assert!(rig.chain.wants_probe(|_, _| true));
    rig.flush(vec![batch(11, 10)], Phase::PostRuntime, ms(500))
        .await;
    rig.assert_delivered(&[(S3, 20)]);
    rig.flush(vec![batch(21, 500)], Phase::Handler, ms(3000))
        .await;
    let sent = rig.sequences(Https);
    assert_eq!(sent[3].len(), 64, "the probe is small");
    rig.assert_delivered(&[(Https, 500), (S3, 20)]);
    assert_eq!(rig.breaker(Https), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_probe_is_given_twice_the_usual_time_once_the_handler_has_finished() {
    let rig = Rig::new(&[(Https, Role::Primary), (S3, Role::Fallback)]);
    rig.say_in_turn(Https, [SinkBehaviour::After(ms(20), 200)]);
    rig.say(Https, SinkBehaviour::Hang);
    for first in [1, 11] {
        rig.flush(vec![batch(first, 10)], Phase::PostRuntime, ms(500))
            .await;
    }
    rig.advance(Duration::from_secs(6)).await;
    let flush = rig.start_flush(vec![batch(21, 10)], Phase::Handler, Duration::from_secs(30));
    tokio::time::sleep(ms(200)).await;
    let done = Instant::now();
    rig.window.set(Phase::PostRuntime, done + ms(500));
    assert!(flush.await.unwrap().is_empty());
    assert_eq!(
        done.elapsed().as_millis(),
        40,
        "twice the 20 ms it took when it was well"
    );
    rig.assert_delivered(&[(Https, 10), (S3, 20)]);
    assert_eq!(rig.breaker(Https), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn a_primary_of_300_ms_is_used_and_found_again_by_handlers_of_20_ms() {
    let rig = Rig::new(&[
        (Https, Role::Primary),
        (Firehose, Role::Fallback),
        (S3, Role::Fallback),
    ]);
    rig.say(Https, SinkBehaviour::After(ms(300), 200));
    rig.flush(vec![batch(1, 10)], Phase::PostRuntime, ms(500))
        .await;
    rig.assert_delivered(&[(Https, 10)]);
    rig.say_in_turn(Https, [SinkBehaviour::Hang]);
    rig.flush(vec![batch(11, 10)], Phase::Handler, ms(3000))
        .await;
    assert_eq!(rig.breaker(Https), BreakerState::Open);
    rig.advance(Duration::from_secs(6)).await;
    let flush = rig.start_flush(vec![batch(21, 10)], Phase::Handler, Duration::from_secs(30));
    tokio::time::sleep(ms(20)).await;
    rig.window.set(Phase::PostRuntime, Instant::now() + ms(500));
    assert!(flush.await.unwrap().is_empty());
    rig.assert_delivered(&[(Https, 20), (Firehose, 10)]);
    assert_eq!(rig.breaker(Https), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_failed_probe_is_not_repeated() {
    let rig = pair();
    rig.say(Https, SinkBehaviour::Status(503));
    rig.flush(vec![batch(1, 1)], Phase::Handler, ms(3000)).await;
    assert_eq!(rig.calls(Https), 3);
    rig.advance(Duration::from_secs(6)).await;
    rig.flush(vec![batch(2, 1)], Phase::Handler, ms(3000)).await;
    assert_eq!(rig.calls(Https), 4);
    rig.assert_delivered(&[(S3, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_known_to_be_too_large_is_halved_and_probes_all_the_same() {
    let rig = pair();
    let most = SinkBehaviour::TooLarge {
        most: 8,
        never: None,
    };
    rig.say(Https, most.clone());
    rig.flush(vec![batch(1, 16)], Phase::Handler, ms(3000))
        .await;
    rig.say(Https, SinkBehaviour::Status(503));
    rig.flush(vec![batch(21, 1)], Phase::Handler, ms(3000))
        .await;
    assert_eq!(rig.breaker(Https), BreakerState::Open);
    rig.say(Https, most);
    rig.advance(Duration::from_secs(6)).await;
    rig.flush(vec![batch(31, 16)], Phase::Handler, ms(3000))
        .await;
    assert_eq!(rig.breaker(Https), BreakerState::Closed);
    rig.assert_delivered(&[(Https, 32), (S3, 1)]);
}

#[tokio::test(start_paused = true)]
async fn outside_shutdown_a_sink_that_was_given_up_is_not_asked() {
    let rig = pair();
    for sink in [Https, S3] {
        rig.say(sink, SinkBehaviour::Status(401));
    }
    let left = rig.flush(vec![batch(1, 1)], Phase::Handler, ms(3000)).await;
    assert_eq!((rig.calls(Https), rig.calls(S3)), (1, 1));
    let left = rig.flush(left, Phase::Handler, ms(3000)).await;
    assert_eq!((left.len(), rig.calls(Https), rig.calls(S3)), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_chain_tells_whether_it_can_be_used_and_whether_it_wants_a_probe() {
    let rig = alone();
    let tells = |rig: &Rig| (rig.chain.can_deliver(), rig.chain.wants_probe(|_, _| true));
    assert_eq!(tells(&rig), (true, false));
    rig.say(Https, SinkBehaviour::Status(401));
    rig.flush(vec![batch(1, 1)], Phase::Handler, ms(3000)).await;
    assert_eq!(tells(&rig), (false, false));
    rig.advance(Duration::from_secs(6)).await;
    assert_eq!(tells(&rig), (false, true));
}

/// Its first answer would come after all that the window leaves, and so would a probe's.
#[tokio::test(start_paused = true)]
async fn a_primary_that_is_slow_from_the_start_is_found_by_the_first_probe() {
    let rig = pair();
    rig.say(Https, SinkBehaviour::After(ms(400), 200));
    rig.flush(vec![batch(1, 1)], Phase::PostRuntime, ms(500))
        .await;
    rig.assert_delivered(&[(S3, 1)]);
    rig.advance(Duration::from_secs(6)).await;
    let flush = rig.start_flush(vec![batch(11, 1)], Phase::Handler, Duration::from_secs(30));
    tokio::time::sleep(ms(20)).await;
    rig.window.set(Phase::PostRuntime, Instant::now() + ms(500));
    assert!(flush.await.unwrap().is_empty());
    rig.assert_delivered(&[(S3, 1), (Https, 1)]);
    assert_eq!(rig.breaker(Https), BreakerState::Closed);
}
