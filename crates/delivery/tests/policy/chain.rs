//! The chain on a paused clock: the order of the sinks, the window, retries, and what an observer is notified of.

use std::time::Duration;

use crate::support::{Rig, SinkBehaviour, batch, ms, pair};
use backstop_delivery::{Failure, Notice, Phase, Role, SinkName};
use tokio::time::Instant;

use SinkName::{Firehose, Https, S3};

#[tokio::test(start_paused = true)]
async fn a_healthy_primary_takes_everything_and_no_one_else_is_asked() {
    let rig = Rig::new(&[
        (Https, Role::Primary),
        (Firehose, Role::Fallback),
        (S3, Role::Fallback),
    ]);
    let left = rig
        .flush(
            vec![batch(1, 10), batch(11, 5)],
            Phase::PostRuntime,
            ms(500),
        )
        .await;
    assert!(left.is_empty());
    rig.assert_delivered(&[(Https, 15)]);
    assert_eq!(rig.calls(Firehose) + rig.calls(S3), 0);
    assert_eq!(rig.ledger.lock().ambiguous(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_primary_never_costs_more_than_the_window_and_leaves_the_fallback_its_time() {
    for window in [ms(300), ms(500), ms(2000)] {
        let rig = Rig::new(&[(Https, Role::Primary), (S3, Role::Fallback)]);
        rig.say(Https, SinkBehaviour::Hang);
        let started = Instant::now();
        let left = rig
            .flush(vec![batch(1, 10)], Phase::PostRuntime, window)
            .await;
        assert!(left.is_empty());
        assert!(
            started.elapsed() + ms(149) <= window,
            "{window:?}: {:?}",
            started.elapsed()
        );
        // From now on the primary costs nothing at all.
        let started = Instant::now();
        assert!(
            rig.flush(vec![batch(11, 10)], Phase::PostRuntime, window)
                .await
                .is_empty()
        );
        assert_eq!(started.elapsed(), Duration::ZERO);
        rig.assert_delivered(&[(S3, 20)]);
    }
}

#[tokio::test(start_paused = true)]
async fn with_every_sink_hanging_the_window_still_holds_and_everything_comes_back() {
    for (phase, window) in [
        (Phase::PostRuntime, ms(500)),
        (Phase::Handler, ms(900)),
        (Phase::Shutdown, ms(1700)),
    ] {
        let rig = Rig::new(&[
            (Https, Role::Primary),
            (Firehose, Role::Fallback),
            (S3, Role::Fallback),
        ]);
        for sink in [Https, Firehose, S3] {
            rig.say(sink, SinkBehaviour::Hang);
        }
        let batches: Vec<_> = (0..20).map(|index| batch(index * 10 + 1, 10)).collect();
        let started = Instant::now();
        let left = rig.flush(batches, phase, window).await;
        assert!(
            started.elapsed() <= window,
            "{phase:?}: {:?}",
            started.elapsed()
        );
        assert_eq!(
            left.iter()
                .map(backstop_delivery::Batch::len)
                .sum::<usize>(),
            200
        );
        rig.assert_delivered(&[]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_flush_begun_in_the_handler_ends_in_time_when_the_runtime_finishes() {
    let rig = Rig::new(&[(Https, Role::Primary), (S3, Role::Fallback)]);
    rig.say(Https, SinkBehaviour::Hang);
    let flush = rig.start_flush(vec![batch(1, 10)], Phase::Handler, Duration::from_secs(30));
    tokio::time::sleep(ms(1000)).await;
    assert!(
        !flush.is_finished(),
        "the handler's run is free: the primary has its full time-out"
    );
    let done = Instant::now();
    rig.window.set(Phase::PostRuntime, done + ms(500));
    assert!(flush.await.unwrap().is_empty());
    assert!(done.elapsed() <= ms(351), "{:?}", done.elapsed());
    rig.assert_delivered(&[(S3, 10)]);
    assert_eq!(
        rig.ledger.lock().ambiguous(),
        10,
        "the primary may have them too"
    );
}

#[tokio::test(start_paused = true)]
async fn a_batch_waits_for_a_healthy_primary_that_has_too_little_time() {
    let rig = Rig::new(&[(Https, Role::Primary), (S3, Role::Fallback)]);
    let left = rig
        .flush(vec![batch(1, 10)], Phase::PostRuntime, ms(150))
        .await;
    assert_eq!(left.len(), 1);
    assert_eq!(rig.calls(Https) + rig.calls(S3), 0);
    assert!(rig.flush(left, Phase::Handler, ms(3000)).await.is_empty());
    rig.assert_delivered(&[(Https, 10)]);
}

#[tokio::test(start_paused = true)]
async fn a_success_between_failures_keeps_the_batch_at_the_primary() {
    let rig = Rig::new(&[(Https, Role::Primary), (S3, Role::Fallback)]);
    rig.say_in_turn(
        Https,
        [
            SinkBehaviour::Status(503),
            SinkBehaviour::Nothing(Failure::Reset),
            SinkBehaviour::Status(200),
        ],
    );
    assert!(
        rig.flush(vec![batch(1, 10)], Phase::PostRuntime, ms(500))
            .await
            .is_empty()
    );
    rig.assert_delivered(&[(Https, 10)]);
    assert_eq!(
        rig.ids(Https),
        vec!["0000000000000001-1-10"; 3],
        "a retry keeps its id"
    );
    assert_eq!(
        rig.ledger.lock().ambiguous(),
        10,
        "the reset one may have arrived"
    );
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_waited_for_inside_the_budget_and_diverts_beyond_it() {
    for (after, expected) in [(ms(200), Https), (Duration::from_secs(30), S3)] {
        let rig = Rig::new(&[(Https, Role::Primary), (S3, Role::Fallback)]);
        rig.say_in_turn(
            Https,
            [
                SinkBehaviour::RetryAfter(429, after),
                SinkBehaviour::Status(200),
            ],
        );
        let started = Instant::now();
        assert!(
            rig.flush(vec![batch(1, 10)], Phase::PostRuntime, ms(500))
                .await
                .is_empty()
        );
        rig.assert_delivered(&[(expected, 10)]);
        assert_eq!(started.elapsed() >= after, expected == Https);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_fallback_refuses_goes_to_the_next_and_is_never_given_up() {
    for code in [400, 403, 404, 503] {
        let rig = Rig::new(&[
            (Https, Role::Primary),
            (Firehose, Role::Fallback),
            (S3, Role::Fallback),
        ]);
        rig.say(Https, SinkBehaviour::Status(503));
        rig.say(Firehose, SinkBehaviour::Status(code));
        assert!(
            rig.flush(vec![batch(1, 4)], Phase::Handler, ms(3000))
                .await
                .is_empty()
        );
        rig.assert_delivered(&[(S3, 4)]);
        assert_eq!(
            rig.last_diverted(S3).unwrap().sink,
            Https,
            "the reason is the primary's"
        );
    }
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
async fn an_answer_that_had_come_when_the_time_was_up_is_heard() {
    let rig = pair();
    rig.say(Https, SinkBehaviour::Unread(Duration::from_secs(5)));
    rig.flush(vec![batch(1, 1)], Phase::Handler, Duration::from_secs(30))
        .await;
    rig.assert_delivered(&[(Https, 1)]);
    assert_eq!(rig.ledger.lock().ambiguous(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_observer_is_notified_of_each_attempt_each_breaker_change_and_each_dead_letter() {
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
async fn a_reset_reaches_every_sink() {
    let rig = pair();
    rig.chain.reset();
    assert_eq!((rig.resets(Https), rig.resets(S3)), (1, 1));
}

/// A connection that never comes to stand takes an attempt's time as a silent sink does, and nothing with it.
#[tokio::test(start_paused = true)]
async fn what_has_not_left_when_the_time_is_up_is_not_ambiguous() {
    for (behaviour, ambiguous) in [(SinkBehaviour::Unreached, 0), (SinkBehaviour::Hang, 4)] {
        for phase in [Phase::Handler, Phase::PostRuntime, Phase::Shutdown] {
            let rig = pair();
            rig.say(Https, behaviour.clone());
            let left = rig.flush(vec![batch(1, 4)], phase, ms(1500)).await;
            assert!(left.is_empty());
            rig.assert_delivered(&[(S3, 4)]);
            let found = rig.ledger.lock().ambiguous();
            assert_eq!(found, ambiguous, "{behaviour:?} {phase:?}");
            let diverted = rig.last_diverted(S3).unwrap();
            assert_eq!(diverted.cause.reason, "timeout");
        }
    }
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
