//! The chain on a paused clock: every row of the classification table, every bound of time, and the
//! books after each.

use std::time::Duration;

use crate::support::{Rig, SinkBehaviour, batch, ms};
use backstop_delivery::{BreakerState, DropReason, Failure, PartAnswer, Phase, Role, SinkName};
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

/// What each answer of the primary leads to: how often it is asked, and the breaker after that.
#[tokio::test(start_paused = true)]
async fn each_row_of_the_table_leads_where_it_says() {
    let again = |code| SinkBehaviour::Status(code);
    let table: [(&str, SinkBehaviour, usize, BreakerState, &str); 22] = [
        ("408", again(408), 3, BreakerState::Open, "timeout"),
        ("425", again(425), 3, BreakerState::Open, "throttled"),
        ("429", again(429), 3, BreakerState::Open, "throttled"),
        ("500", again(500), 3, BreakerState::Open, "server_error"),
        ("503", again(503), 3, BreakerState::Open, "server_error"),
        (
            "refused",
            SinkBehaviour::Nothing(Failure::Refused),
            3,
            BreakerState::Open,
            "refused",
        ),
        (
            "reset",
            SinkBehaviour::Nothing(Failure::Reset),
            3,
            BreakerState::Open,
            "reset",
        ),
        (
            "dns",
            SinkBehaviour::Nothing(Failure::Dns),
            3,
            BreakerState::Open,
            "dns",
        ),
        (
            "tls",
            SinkBehaviour::Nothing(Failure::Tls),
            3,
            BreakerState::Open,
            "tls",
        ),
        (
            "hang",
            SinkBehaviour::Hang,
            1,
            BreakerState::Open,
            "timeout",
        ),
        ("401", again(401), 1, BreakerState::Open, "unauthorized"),
        ("403", again(403), 1, BreakerState::Open, "unauthorized"),
        ("404", again(404), 1, BreakerState::Open, "not_found"),
        ("302", again(302), 1, BreakerState::Open, "redirected"),
        ("402", again(402), 1, BreakerState::Open, "payment_required"),
        ("405", again(405), 1, BreakerState::Open, "not_accepted"),
        ("409", again(409), 3, BreakerState::Open, "conflict"),
        ("410", again(410), 1, BreakerState::Open, "not_found"),
        ("415", again(415), 1, BreakerState::Open, "not_accepted"),
        ("421", again(421), 1, BreakerState::Open, "not_accepted"),
        // Eight of the ten are refused alone, and then the sink is known.
        ("400", again(400), 13, BreakerState::Closed, "rejected"),
        ("422", again(422), 13, BreakerState::Closed, "rejected"),
    ];
    for (name, say, calls, state, reason) in table {
        let rig = Rig::new(&[(Https, Role::Primary), (S3, Role::Fallback)]);
        rig.say(Https, say);
        let left = rig
            .flush(vec![batch(1, 10)], Phase::PostRuntime, ms(500))
            .await;
        assert!(left.is_empty(), "{name}: something was left");
        rig.assert_delivered(&[(S3, 10)]);
        assert_eq!(rig.calls(Https), calls, "{name}: attempts at the primary");
        assert_eq!(rig.breaker(Https), state, "{name}: the primary's breaker");
        let diverted = rig.last_diverted(S3).unwrap();
        assert_eq!(
            (diverted.sink, diverted.cause.reason),
            (Https, reason),
            "{name}"
        );
    }
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
async fn a_primary_without_time_is_not_passed_over_but_waited_for() {
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
async fn a_batch_too_large_is_split_until_it_fits_and_one_alone_becomes_a_dead_letter() {
    let rig = Rig::new(&[(Https, Role::Primary), (S3, Role::Fallback)]);
    // Three records fit; record 7 never does.
    rig.say(
        Https,
        SinkBehaviour::TooLarge {
            most: 3,
            never: Some(7),
        },
    );
    assert!(
        rig.flush(vec![batch(1, 16)], Phase::Handler, ms(3000))
            .await
            .is_empty()
    );
    rig.assert_delivered(&[(Https, 15), (S3, 1)]);
    let diverted = rig.last_diverted(S3).unwrap();
    assert_eq!(
        (diverted.cause.reason, diverted.cause.status),
        ("too_large", Some(413))
    );
    assert_eq!(
        rig.breaker(Https),
        BreakerState::Closed,
        "it is well, only small"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_known_to_be_too_large_is_split_before_it_is_sent() {
    let rig = Rig::new(&[(Https, Role::Primary)]);
    rig.say(
        Https,
        SinkBehaviour::TooLarge {
            most: 3,
            never: None,
        },
    );
    assert!(
        rig.flush(vec![batch(1, 16)], Phase::Handler, ms(3000))
            .await
            .is_empty()
    );
    let calls = rig.calls(Https);
    assert!(
        rig.flush(vec![batch(101, 16)], Phase::Handler, ms(3000))
            .await
            .is_empty()
    );
    assert_eq!(
        rig.calls(Https) - calls,
        8,
        "eight pairs, and nothing refused"
    );
    // To the moment: what is remembered for five minutes is not known any more.
    rig.advance(Duration::from_mins(5)).await;
    rig.say(Https, SinkBehaviour::Status(200));
    assert!(
        rig.flush(vec![batch(201, 16)], Phase::Handler, ms(3000))
            .await
            .is_empty()
    );
    assert_eq!(
        rig.sequences(Https).last().unwrap().len(),
        16,
        "what is old news is tried again"
    );
    rig.assert_delivered(&[(Https, 48)]);
}

#[tokio::test(start_paused = true)]
async fn dead_letters_without_an_archive_are_dropped_by_name() {
    for (say, reason) in [
        (SinkBehaviour::Status(400), DropReason::Rejected),
        (
            SinkBehaviour::TooLarge {
                most: 0,
                never: None,
            },
            DropReason::TooLarge,
        ),
    ] {
        let rig = Rig::new(&[(Https, Role::Primary)]);
        rig.say(Https, say);
        assert!(
            rig.flush(vec![batch(1, 4)], Phase::Handler, ms(3000))
                .await
                .is_empty()
        );
        assert_eq!(rig.ledger.lock().dropped(reason), 4);
        assert!(rig.ledger.lock().adds_up(0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_waits_for_the_archive_and_never_goes_back_to_the_primary() {
    let rig = Rig::new(&[(Https, Role::Primary), (S3, Role::Fallback)]);
    rig.say(Https, SinkBehaviour::Status(400));
    rig.say(S3, SinkBehaviour::Nothing(Failure::Refused));
    let left = rig.flush(vec![batch(1, 4)], Phase::Handler, ms(3000)).await;
    // The four, their halves, and each alone.
    assert_eq!((left.len(), rig.calls(Https)), (1, 7));
    rig.say(Https, SinkBehaviour::Status(200));
    rig.say(S3, SinkBehaviour::Status(200));
    rig.advance(Duration::from_secs(10)).await;
    assert!(rig.flush(left, Phase::Handler, ms(3000)).await.is_empty());
    assert_eq!(rig.calls(Https), 7);
    rig.assert_delivered(&[(S3, 4)]);
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
async fn a_partial_success_sends_only_the_failed_parts_again() {
    let rig = Rig::new(&[(Firehose, Role::Fallback), (S3, Role::Fallback)]);
    // Parts of two records; of five parts the second and the last fail, then all go through.
    rig.say_in_turn(
        Firehose,
        [
            SinkBehaviour::Parts(PartAnswer::Retry, vec![1, 4]),
            SinkBehaviour::Parts(PartAnswer::Retry, vec![]),
        ],
    );
    assert!(
        rig.flush(vec![batch(1, 9)], Phase::Handler, ms(3000))
            .await
            .is_empty()
    );
    assert_eq!(
        rig.sequences(Firehose),
        [vec![1, 2, 3, 4, 5, 6, 7, 8, 9], vec![3, 4, 9]]
    );
    rig.assert_delivered(&[(Firehose, 9)]);
}

#[tokio::test(start_paused = true)]
async fn parts_that_nothing_was_heard_of_are_ambiguous_and_the_others_are_not() {
    let rig = Rig::new(&[(Firehose, Role::Fallback), (S3, Role::Fallback)]);
    rig.say(Firehose, SinkBehaviour::Parts(PartAnswer::Unheard, vec![0]));
    assert!(
        rig.flush(vec![batch(1, 9)], Phase::Handler, ms(3000))
            .await
            .is_empty()
    );
    rig.assert_delivered(&[(Firehose, 7), (S3, 2)]);
    assert_eq!(rig.ledger.lock().ambiguous(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_a_partial_success_leaves_goes_on_to_the_next_sink_alone() {
    let rig = Rig::new(&[(Firehose, Role::Fallback), (S3, Role::Fallback)]);
    rig.say(Firehose, SinkBehaviour::Parts(PartAnswer::Retry, vec![0]));
    assert!(
        rig.flush(vec![batch(1, 9)], Phase::Handler, ms(3000))
            .await
            .is_empty()
    );
    assert_eq!(rig.sequences(S3), [vec![1, 2]]);
    rig.assert_delivered(&[(Firehose, 7), (S3, 2)]);
}

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
async fn a_request_from_before_a_freeze_is_made_again_under_the_same_id() {
    let rig = Rig::new(&[(Https, Role::Primary), (S3, Role::Fallback)]);
    rig.say_in_turn(Https, [SinkBehaviour::Hang, SinkBehaviour::Status(200)]);
    let flush = rig.start_flush(vec![batch(1, 10)], Phase::Handler, Duration::from_secs(30));
    tokio::time::sleep(ms(20)).await;
    rig.window.thawed();
    assert!(flush.await.unwrap().is_empty());
    assert_eq!(rig.ids(Https), vec!["0000000000000001-1-10"; 2]);
    rig.assert_delivered(&[(Https, 10)]);
    assert_eq!(
        rig.breaker(Https),
        BreakerState::Closed,
        "the freeze broke it, not the sink"
    );
    assert_eq!(rig.ledger.lock().ambiguous(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_primary_is_found_out_where_freezes_come_more_often_than_time_outs() {
    let rig = Rig::new(&[(Https, Role::Primary), (S3, Role::Fallback)]);
    rig.say(Https, SinkBehaviour::Hang);
    let flush = rig.start_flush(vec![batch(1, 10)], Phase::Handler, Duration::from_secs(30));
    for _ in 0..10 {
        tokio::time::sleep(ms(150)).await;
        rig.window.thawed();
    }
    assert!(flush.is_finished());
    rig.assert_delivered(&[(S3, 10)]);
    assert_eq!(
        (rig.calls(Https), rig.breaker(Https)),
        (2, BreakerState::Open)
    );
}

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
