//! The chain where one millisecond, one failure or one sink more makes the difference. Most of these
//! were unwatched until mutation testing looked (`scripts/mutants`).

use std::time::Duration;

use crate::support::{Rig, SinkBehaviour, batch, ms};
use backstop_delivery::{Batch, BreakerState, Failure, Notice, Phase, Role, SinkName};
use tokio::time::Instant;

use SinkName::{Firehose, Https, S3};

/// A primary and the archive.
fn pair() -> Rig {
    Rig::new(&[(Https, Role::Primary), (S3, Role::Fallback)])
}

/// A primary, and nothing to keep time for.
fn alone() -> Rig {
    Rig::new(&[(Https, Role::Primary)])
}

#[tokio::test(start_paused = true)]
async fn pauses_between_attempts_double() {
    let rig = pair();
    rig.say(Https, SinkBehaviour::Status(503));
    let started = Instant::now();
    rig.flush(vec![batch(1, 1)], Phase::Handler, ms(3000)).await;
    assert_eq!((started.elapsed(), rig.calls(Https)), (ms(50 + 100), 3));
    rig.assert_delivered(&[(S3, 1)]);
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
async fn a_breaker_that_one_batch_opens_ends_its_attempts_and_the_third_those_of_its_neighbour() {
    let rig = pair();
    rig.say(Https, SinkBehaviour::Status(503));
    let both = vec![batch(1, 1), batch(2, 1)];
    assert!(rig.flush(both, Phase::Handler, ms(3000)).await.is_empty());
    // One fails for the third time in a row at its second attempt; the other has three.
    assert_eq!(rig.calls(Https), 5);
    rig.assert_delivered(&[(S3, 2)]);
}

#[tokio::test(start_paused = true)]
async fn batches_that_hang_together_are_given_up_together() {
    let rig = pair();
    rig.say(Https, SinkBehaviour::Hang);
    let both = vec![batch(1, 1), batch(2, 1)];
    let started = Instant::now();
    let window = Duration::from_secs(30);
    assert!(rig.flush(both, Phase::Handler, window).await.is_empty());
    // The time-out of the link, once.
    assert_eq!((started.elapsed(), rig.calls(Https)), (ms(5000), 2));
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
async fn an_answer_that_had_come_when_the_time_was_up_is_heard() {
    let rig = pair();
    rig.say(Https, SinkBehaviour::Unread(Duration::from_secs(5)));
    rig.flush(vec![batch(1, 1)], Phase::Handler, Duration::from_secs(30))
        .await;
    rig.assert_delivered(&[(Https, 1)]);
    assert_eq!(rig.ledger.lock().ambiguous(), 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_listens_hears_of_each_attempt_each_change_of_a_breaker_and_each_dead_letter() {
    let rig = pair();
    rig.say_in_turn(
        Https,
        [
            SinkBehaviour::Status(401),
            SinkBehaviour::After(ms(30), 200),
        ],
    );
    rig.flush(vec![batch(1, 1)], Phase::Handler, ms(3000)).await;
    rig.advance(Duration::from_secs(6)).await;
    rig.flush(vec![batch(2, 1)], Phase::Handler, ms(3000)).await;
    rig.say(Https, SinkBehaviour::Status(400));
    rig.flush(vec![batch(3, 4)], Phase::Handler, ms(3000)).await;
    let heard = rig.notices();
    let attempts: Vec<_> = heard
        .iter()
        .filter_map(|notice| match notice {
            Notice::Attempt {
                sink,
                took,
                delivered,
            } => Some((*sink, *took, *delivered)),
            _ => None,
        })
        .collect();
    let mut expected = vec![
        (Https, ms(0), false),
        (S3, ms(0), true),
        (Https, ms(30), true),
    ];
    // Four records, their halves, and each alone.
    expected.extend([(Https, ms(0), false); 7]);
    expected.push((S3, ms(0), true));
    assert_eq!(attempts, expected);
    let others: Vec<_> = heard
        .into_iter()
        .filter(|notice| !matches!(notice, Notice::Attempt { .. }))
        .collect();
    assert!(
        matches!(
            &others[..],
            [
                Notice::BreakerOpened { sink: Https, signal: None, cause },
                Notice::BreakerClosed { sink: Https, signal: None },
                Notice::DeadLetter { sink: Https, records: 4, .. },
            ] if cause.to_string() == "unauthorized (status 401)"
        ),
        "{others:?}"
    );
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

#[tokio::test(start_paused = true)]
async fn a_reset_reaches_every_sink() {
    let rig = pair();
    rig.chain.reset();
    assert_eq!((rig.resets(Https), rig.resets(S3)), (1, 1));
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

#[tokio::test(start_paused = true)]
async fn what_is_too_large_for_a_fallback_alone_goes_to_the_next_for_the_primarys_reason() {
    let rig = Rig::new(&[
        (Https, Role::Primary),
        (Firehose, Role::Fallback),
        (S3, Role::Fallback),
    ]);
    rig.say(Https, SinkBehaviour::Nothing(Failure::Tls));
    rig.say(Firehose, SinkBehaviour::Status(413));
    rig.flush(vec![batch(1, 1)], Phase::Handler, ms(3000)).await;
    rig.assert_delivered(&[(S3, 1)]);
    let diverted = rig.last_diverted(S3).unwrap();
    assert_eq!((diverted.sink, diverted.cause.reason), (Https, "tls"));
    assert!(rig.ledger.lock().line().contains("\"dead_letters\":0"));
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
async fn dead_letters_are_counted_where_they_are_archived() {
    let rig = pair();
    rig.say(Https, SinkBehaviour::Status(400));
    let left: Vec<Batch> = rig.flush(vec![batch(1, 4)], Phase::Handler, ms(3000)).await;
    assert!(left.is_empty());
    assert!(rig.ledger.lock().line().contains("\"dead_letters\":4"));
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
async fn an_answer_from_before_a_freeze_is_waited_for_after_the_thaw() {
    let rig = pair();
    rig.say(Https, SinkBehaviour::After(ms(120), 200));
    let flush = rig.start_flush(vec![batch(1, 1)], Phase::Handler, Duration::from_secs(30));
    tokio::time::sleep(ms(20)).await;
    rig.window.thawed();
    assert!(flush.await.unwrap().is_empty());
    assert_eq!(rig.calls(Https), 1);
    rig.assert_delivered(&[(Https, 1)]);
}

/// The freeze excuses a sink only where it took time from it.
/// A freeze between two invocations that follow at once takes no time, and the sink is still at work.
#[tokio::test(start_paused = true)]
async fn after_a_thaw_a_slow_sink_gets_the_time_that_it_usually_takes() {
    for (usual, is_known) in [(300, true), (600, true), (400, false)] {
        let rig = pair();
        if is_known {
            rig.say(Https, SinkBehaviour::After(ms(usual), 200));
            let window = Duration::from_secs(30);
            rig.flush(vec![batch(1, 1)], Phase::Handler, window).await;
        }
        rig.say(Https, SinkBehaviour::After(ms(usual), 200));
        let flush = rig.start_flush(vec![batch(11, 1)], Phase::Handler, Duration::from_secs(30));
        tokio::time::sleep(ms(20)).await;
        rig.window.thawed();
        assert!(flush.await.unwrap().is_empty());
        assert_eq!(rig.calls(Https), 1 + usize::from(is_known), "{usual}");
        assert_eq!(rig.ledger.lock().ambiguous(), 0, "{usual}");
    }
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

#[tokio::test(start_paused = true)]
async fn a_sink_whose_time_is_up_as_the_grace_of_a_thaw_ends_has_timed_out() {
    let rig = pair();
    rig.say(Https, SinkBehaviour::Hang);
    let flush = rig.start_flush(vec![batch(1, 1)], Phase::Handler, Duration::from_secs(30));
    tokio::time::sleep(ms(5000 - 250)).await;
    rig.window.thawed();
    assert!(flush.await.unwrap().is_empty());
    assert_eq!(rig.calls(Https), 1);
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

/// Without credentials nothing leaves, however often it is tried: the records are in one place only.
#[tokio::test(start_paused = true)]
async fn what_never_left_is_not_ambiguous() {
    for (failure, ambiguous) in [(Failure::NotSent, 0), (Failure::Other, 4)] {
        let rig = pair();
        rig.say(Https, SinkBehaviour::Nothing(failure));
        let left = rig.flush(vec![batch(1, 4)], Phase::Handler, ms(3000)).await;
        assert!(left.is_empty());
        rig.assert_delivered(&[(S3, 4)]);
        assert_eq!(rig.ledger.lock().ambiguous(), ambiguous, "{failure:?}");
        let diverted = rig.last_diverted(S3).unwrap();
        let reason = diverted.cause.reason;
        assert_eq!(
            reason == "not_sent",
            failure == Failure::NotSent,
            "{reason}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn no_retry_after_is_too_long_to_be_borne() {
    for after in [Duration::MAX, Duration::from_secs(u64::MAX)] {
        let rig = pair();
        rig.say(Https, SinkBehaviour::RetryAfter(503, after));
        rig.flush(vec![batch(1, 1)], Phase::Handler, ms(3000)).await;
        rig.assert_delivered(&[(S3, 1)]);
    }
}
