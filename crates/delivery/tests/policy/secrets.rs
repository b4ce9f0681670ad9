//! A sink whose token is in a store: nothing of a batch leaves before it is there.

use std::time::Duration;

use crate::support::{Rig, SecretRead, SinkBehaviour, batch, ms, pair};
use backstop_delivery::{BreakerState, Cause, Detail, NoSecret, Notice, Phase, Role, SinkName};
use tokio::time::Instant;

use SinkName::{Https, S3};

const STORE: &str = "Secrets Manager";
const DENIED: NoSecret = NoSecret {
    store: STORE,
    what: "answered",
    status: Some(400),
    code: Some("AccessDeniedException"),
    may_pass: false,
    timed_out: false,
};

/// Why the breaker opened, each time that an operator was shown it.
fn reported(rig: &Rig) -> Vec<Cause> {
    let cause = |notice| match notice {
        Notice::BreakerOpened {
            sink: Https, cause, ..
        } => Some(cause),
        _ => None,
    };
    rig.notices().into_iter().filter_map(cause).collect()
}

fn ambiguous(rig: &Rig) -> u64 {
    let line: String = rig.ledger.lock().line();
    let after = line.split("\"ambiguous\":").nth(1).unwrap();
    after.split(',').next().unwrap().parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_read_before_the_first_request_and_then_no_more() {
    let rig = pair();
    rig.keep(Https, [SecretRead::After(ms(40))]);
    let started = Instant::now();
    for first in [1, 2] {
        let left = rig
            .flush(vec![batch(first, 1)], Phase::Handler, ms(500))
            .await;
        assert!(left.is_empty());
    }
    assert_eq!((started.elapsed(), rig.reads(Https)), (ms(40), 1));
    rig.assert_delivered(&[(Https, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_denies_opens_the_breaker_at_once_and_nothing_is_ambiguous() {
    let rig = pair();
    rig.keep(Https, [SecretRead::Refuses(DENIED)]);
    let started = Instant::now();
    let left = rig
        .flush(vec![batch(1, 2)], Phase::PostRuntime, ms(500))
        .await;
    assert!(left.is_empty());
    assert_eq!(started.elapsed(), Duration::ZERO, "no retry helps");
    assert_eq!(
        (rig.calls(Https), rig.breaker(Https)),
        (0, BreakerState::Open)
    );
    assert_eq!(rig.last_diverted(S3).unwrap().cause.reason, "no_secret");
    rig.assert_delivered(&[(S3, 2)]);
    assert_eq!(ambiguous(&rig), 0);
    let [cause] = reported(&rig)[..] else {
        panic!("once: {:?}", reported(&rig));
    };
    assert_eq!(cause.detail, Some(Detail::NoSecret(DENIED)));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_for_now_is_asked_again_within_the_budget() {
    let rig = pair();
    let busy = NoSecret::passing(STORE, "cannot be reached");
    rig.keep(
        Https,
        [SecretRead::Refuses(busy), SecretRead::Refuses(busy)],
    );
    let left = rig.flush(vec![batch(1, 1)], Phase::Handler, ms(1000)).await;
    assert!(left.is_empty());
    assert_eq!((rig.reads(Https), rig.calls(Https)), (3, 1));
    rig.assert_delivered(&[(Https, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_leaves_the_fallback_its_time_and_nothing_is_ambiguous() {
    let rig = pair();
    rig.keep(Https, [SecretRead::Nothing]);
    let started = Instant::now();
    let left = rig
        .flush(vec![batch(1, 1)], Phase::PostRuntime, ms(500))
        .await;
    assert!(left.is_empty());
    assert_eq!(started.elapsed(), ms(350), "all but the fallback's reserve");
    assert_eq!(
        (rig.calls(Https), rig.breaker(Https)),
        (0, BreakerState::Open)
    );
    rig.assert_delivered(&[(S3, 1)]);
    assert_eq!(ambiguous(&rig), 0);
    let [cause] = reported(&rig)[..] else {
        panic!("once: {:?}", reported(&rig));
    };
    assert_eq!(
        cause.detail,
        Some(Detail::NoSecret(NoSecret::timed_out(STORE)))
    );
}

#[tokio::test(start_paused = true)]
async fn a_read_that_the_window_cuts_short_is_nobodys_failure() {
    let rig = Rig::new(&[(Https, Role::Primary)]);
    // It usually takes its time.
    rig.say_in_turn(Https, [SinkBehaviour::After(ms(400), 200)]);
    rig.keep(Https, []);
    rig.flush(vec![batch(1, 1)], Phase::Handler, ms(1000)).await;
    rig.keep(Https, [SecretRead::Nothing]);
    let left = rig.start_flush(vec![batch(2, 1)], Phase::Handler, ms(1000));
    rig.advance(ms(50)).await;
    rig.window.set(Phase::PostRuntime, Instant::now() + ms(100));
    let left = left.await.unwrap();
    assert_eq!(left.len(), 1, "it waits");
    assert_eq!(rig.breaker(Https), BreakerState::Closed);
    assert!(!left[0].is_ambiguous());
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_is_read_again_once() {
    for status in [401, 403] {
        let rig = pair();
        rig.keep(Https, []);
        rig.say_in_turn(
            Https,
            [SinkBehaviour::Status(200), SinkBehaviour::Status(status)],
        );
        for first in [1, 2] {
            rig.flush(vec![batch(first, 1)], Phase::Handler, ms(500))
                .await;
        }
        assert_eq!((rig.reads(Https), rig.calls(Https)), (2, 3), "{status}");
        assert_eq!(rig.breaker(Https), BreakerState::Closed);
        rig.assert_delivered(&[(Https, 2)]);
        let ids = rig.ids(Https);
        assert_eq!(ids[1], ids[2], "the same batch under the same id");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_stays_wrong_diverts_and_is_read_again_by_probes_only() {
    let rig = pair();
    rig.keep(Https, []);
    rig.say_in_turn(Https, [SinkBehaviour::Status(200)]);
    rig.flush(vec![batch(1, 1)], Phase::Handler, ms(500)).await;
    rig.say(Https, SinkBehaviour::Status(401));
    for first in 2..6 {
        rig.flush(vec![batch(first, 1)], Phase::Handler, ms(500))
            .await;
    }
    assert_eq!((rig.reads(Https), rig.calls(Https)), (2, 3));
    rig.advance(Duration::from_secs(5)).await;
    rig.flush(vec![batch(6, 1)], Phase::Handler, ms(500)).await;
    assert_eq!((rig.reads(Https), rig.calls(Https)), (3, 5), "a probe");
    rig.assert_delivered(&[(Https, 1), (S3, 5)]);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_read_for_the_request_is_not_read_again_for_it() {
    let rig = pair();
    rig.keep(Https, []);
    rig.say(Https, SinkBehaviour::Status(401));
    rig.flush(vec![batch(1, 1)], Phase::Handler, ms(500)).await;
    assert_eq!((rig.reads(Https), rig.calls(Https)), (1, 1));
    rig.assert_delivered(&[(S3, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_sink_without_a_secret_is_asked_once_when_it_refuses() {
    let rig = pair();
    rig.say(Https, SinkBehaviour::Status(401));
    rig.flush(vec![batch(1, 1)], Phase::Handler, ms(500)).await;
    assert_eq!(rig.calls(Https), 1);
}

#[tokio::test(start_paused = true)]
async fn another_trouble_with_the_secret_is_reported_when_a_probe_finds_it() {
    let rig = pair();
    let gone = NoSecret {
        code: Some("ResourceNotFoundException"),
        ..DENIED
    };
    rig.keep(Https, [DENIED, DENIED, gone].map(SecretRead::Refuses));
    for first in 1..5 {
        rig.flush(vec![batch(first, 1)], Phase::Handler, ms(500))
            .await;
        rig.advance(Duration::from_mins(1)).await;
    }
    let codes: Vec<_> = (reported(&rig).iter())
        .map(|cause| cause.detail.and_then(|detail| detail.code()))
        .collect();
    assert_eq!(codes, [DENIED.code, gone.code], "each once");
    assert!(rig.notices().contains(&Notice::BreakerClosed {
        sink: Https,
        signal: None
    }));
    rig.assert_delivered(&[(Https, 1), (S3, 3)]);
}
