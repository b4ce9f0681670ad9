//! How the time of a flush is shared out: what a sink usually takes, and what the sinks after it are kept.

use std::time::Duration;

use crate::support::{Rig, SinkBehaviour, alone, batch, ms, pair};
use backstop_delivery::{BreakerState, Phase, Role, SinkName};
use tokio::time::Instant;

use SinkName::{Firehose, Https, S3};

#[tokio::test(start_paused = true)]
async fn no_attempt_is_made_in_less_time_than_the_sink_usually_takes() {
    let rig = Rig::new(&[(Https, Role::Primary), (S3, Role::Fallback)]);
    rig.say(Https, SinkBehaviour::After(ms(300), 200));
    assert!(
        rig.flush(vec![batch(1, 10)], Phase::Handler, ms(3000))
            .await
            .is_empty()
    );
    let left = rig
        .flush(vec![batch(11, 10)], Phase::PostRuntime, ms(500))
        .await;
    assert_eq!(
        (left.len(), rig.calls(Https)),
        (1, 1),
        "it waits for the next handler's run"
    );
    assert!(rig.flush(left, Phase::Handler, ms(3000)).await.is_empty());
    rig.assert_delivered(&[(Https, 20)]);
}

#[tokio::test(start_paused = true)]
async fn a_sink_cut_short_by_the_runtimes_end_is_not_to_blame_until_it_is_so_each_time() {
    let rig = Rig::new(&[(Https, Role::Primary), (S3, Role::Fallback)]);
    rig.say(Https, SinkBehaviour::Hang);
    let mut left = (0..4)
        .map(|index| batch(index * 10 + 1, 10))
        .collect::<Vec<_>>();
    for cut in 1..=3 {
        let flush = rig.start_flush(left, Phase::Handler, Duration::from_secs(30));
        tokio::time::sleep(ms(60)).await;
        rig.window.set(Phase::PostRuntime, Instant::now());
        left = flush.await.unwrap();
        assert_eq!(left.len(), 4, "nothing is diverted for want of time");
        let expected = if cut < 3 {
            BreakerState::Closed
        } else {
            BreakerState::Open
        };
        assert_eq!(rig.breaker(Https), expected, "after {cut}");
    }
    assert!(
        rig.flush(left, Phase::PostRuntime, ms(500))
            .await
            .is_empty()
    );
    rig.assert_delivered(&[(S3, 40)]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_made_again_only_where_a_hundred_milliseconds_are_left_after_the_pause() {
    for (window, calls, took) in [(ms(149), 1, ms(0)), (ms(150), 2, ms(50))] {
        let rig = alone();
        rig.say(Https, SinkBehaviour::Status(503));
        let started = Instant::now();
        let left = rig
            .flush(vec![batch(1, 1)], Phase::PostRuntime, window)
            .await;
        assert_eq!((left.len(), rig.calls(Https)), (1, calls), "{window:?}");
        assert_eq!(started.elapsed(), took);
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_with_all_the_time_that_a_sink_needs_is_not_cut_short() {
    let rig = alone();
    rig.say(Https, SinkBehaviour::Hang);
    let left = rig
        .flush(vec![batch(1, 1)], Phase::PostRuntime, ms(100))
        .await;
    assert_eq!(left.len(), 1);
    assert_eq!(rig.breaker(Https), BreakerState::Open, "it had its time");
}

#[tokio::test(start_paused = true)]
async fn the_time_a_sink_takes_is_forgotten_slowly() {
    let rig = alone();
    rig.say_in_turn(Https, [SinkBehaviour::After(ms(320), 200)]);
    for first in [1, 2] {
        rig.flush(vec![batch(first, 1)], Phase::Handler, ms(3000))
            .await;
    }
    // Seven eighths of 320 ms, and half as long again.
    let left = rig
        .flush(vec![batch(3, 1)], Phase::PostRuntime, ms(419))
        .await;
    assert_eq!((left.len(), rig.calls(Https)), (1, 2));
    assert!(
        rig.flush(left, Phase::PostRuntime, ms(420))
            .await
            .is_empty()
    );
    rig.assert_delivered(&[(Https, 3)]);
}

#[tokio::test(start_paused = true)]
async fn a_fallback_is_kept_twice_the_time_it_takes() {
    let rig = pair();
    rig.say_in_turn(
        Https,
        [
            SinkBehaviour::Status(401),
            SinkBehaviour::Status(200),
            SinkBehaviour::Hang,
        ],
    );
    rig.say(S3, SinkBehaviour::After(ms(200), 200));
    rig.flush(vec![batch(1, 1)], Phase::Handler, ms(3000)).await;
    rig.advance(Duration::from_secs(6)).await;
    rig.flush(vec![batch(2, 1)], Phase::Handler, ms(3000)).await;
    rig.assert_delivered(&[(S3, 1), (Https, 1)]);
    let started = Instant::now();
    let left = rig
        .flush(vec![batch(3, 1)], Phase::PostRuntime, ms(900))
        .await;
    assert!(left.is_empty());
    assert_eq!(started.elapsed(), ms(900 - 400 + 200));
    rig.assert_delivered(&[(S3, 2), (Https, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_fallback_is_never_kept_more_than_half_of_what_is_left() {
    let rig = pair();
    let left = rig
        .flush(vec![batch(1, 1)], Phase::PostRuntime, ms(200))
        .await;
    assert!(left.is_empty());
    rig.assert_delivered(&[(Https, 1)]);
}

/// The fallback has not been asked for anything yet: a batch that has to wait would be sent twice.
#[tokio::test(start_paused = true)]
async fn what_is_reserved_for_the_fallback_does_not_cut_short_a_slow_primary() {
    let rig = pair();
    rig.say(Https, SinkBehaviour::After(ms(300), 200));
    let window = Duration::from_secs(30);
    rig.flush(vec![batch(1, 1)], Phase::Handler, window).await;
    let flush = rig.start_flush(vec![batch(11, 1)], Phase::Handler, window);
    tokio::time::sleep(ms(1)).await;
    let ends = Instant::now() + ms(300);
    rig.window.set(Phase::PostRuntime, ends);
    assert!(flush.await.unwrap().is_empty());
    rig.assert_delivered(&[(Https, 2)]);
    assert_eq!(rig.calls(Https), 2);
}

/// Without time at the primary: at shutdown, or with its breaker open, the archive has its turn.
#[tokio::test(start_paused = true)]
async fn what_the_primary_has_no_time_for_goes_on_where_waiting_would_not_help() {
    let rig = pair();
    assert!(
        rig.flush(vec![batch(1, 1)], Phase::Shutdown, ms(80))
            .await
            .is_empty()
    );
    let diverted = rig.last_diverted(S3).unwrap();
    assert_eq!((diverted.sink, diverted.cause.reason), (Https, "no_budget"));

    let rig = pair();
    rig.say(Https, SinkBehaviour::Status(401));
    rig.flush(vec![batch(1, 1)], Phase::Handler, ms(3000)).await;
    let left = rig
        .flush(vec![batch(2, 1)], Phase::PostRuntime, ms(120))
        .await;
    assert!(left.is_empty());
    let diverted = rig.last_diverted(S3).unwrap();
    assert_eq!(
        (diverted.sink, diverted.cause.reason),
        (Https, "breaker_open")
    );
    rig.assert_delivered(&[(S3, 2)]);
}

#[tokio::test(start_paused = true)]
async fn the_reason_stays_the_primarys_where_a_fallback_has_no_time_or_was_given_up() {
    for fault in [
        SinkBehaviour::Status(401),
        SinkBehaviour::After(ms(700), 200),
    ] {
        let rig = Rig::new(&[(Firehose, Role::Fallback), (S3, Role::Fallback)]);
        rig.say(Firehose, fault);
        rig.flush(vec![batch(1, 1)], Phase::Handler, ms(3000)).await;
        let left = rig.flush(vec![batch(2, 1)], Phase::Shutdown, ms(400)).await;
        assert!(left.is_empty());
        assert_eq!(rig.last_diverted(S3), None, "no primary was asked");
    }
}
