//! One record that a strict primary refuses, among many: it alone is a dead letter, within the window and
//! a number of requests that is known.

use std::time::Duration;

use crate::support::{Rig, SinkBehaviour, Which, batch, ms, pair};
use backstop_delivery::{
    Answer, Batch, BreakerState, DropReason, Notice, Phase, Role, SinkName, Verdict,
};
use tokio::time::Instant;

use SinkName::{Https, S3};

/// Refuses these records, at once.
fn refuses(code: u16, bad: &[u64]) -> SinkBehaviour {
    SinkBehaviour::Refuses(code, Which::Of(bad.to_vec()), ms(0))
}

fn dead_letters(rig: &Rig) -> Vec<usize> {
    let records = |notice| match notice {
        Notice::DeadLetter { records, .. } => Some(records),
        _ => None,
    };
    rig.notices().into_iter().filter_map(records).collect()
}

fn line_says(rig: &Rig, dead_letters: u64) -> bool {
    let line = rig.ledger.lock().line();
    line.contains(&format!("\"dead_letters\":{dead_letters}"))
}

#[tokio::test(start_paused = true)]
async fn one_bad_record_of_501_is_the_only_dead_letter() {
    for code in [400, 422] {
        for bad in [1, 2, 251, 500, 501] {
            let rig = pair();
            rig.say(Https, refuses(code, &[bad]));
            let left = rig
                .flush(vec![batch(1, 501)], Phase::Handler, ms(3000))
                .await;
            assert!(left.is_empty());
            rig.assert_delivered(&[(Https, 500), (S3, 1)]);
            assert_eq!(rig.sequences(S3), [[bad]], "{code}");
            let diverted = rig.last_diverted(S3).unwrap();
            assert_eq!(diverted.cause.reason, "rejected");
            assert_eq!(diverted.cause.status, Some(code));
            assert!(line_says(&rig, 1), "{}", rig.ledger.lock().line());
            assert_eq!(dead_letters(&rig), [1]);
            assert_eq!(rig.breaker(Https), BreakerState::Closed, "it is healthy");
            assert_eq!(rig.ledger.lock().ambiguous(), 0);
            assert!(rig.calls(Https) <= 19, "{bad}: {}", rig.calls(Https));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_fallback_the_one_bad_record_is_the_only_drop() {
    let rig = Rig::new(&[(Https, Role::Primary)]);
    rig.say(Https, refuses(400, &[77]));
    let left = rig
        .flush(vec![batch(1, 501)], Phase::PostRuntime, ms(500))
        .await;
    assert!(left.is_empty());
    rig.assert_delivered(&[(Https, 500)]);
    assert_eq!(rig.ledger.lock().dropped(DropReason::Rejected), 1);
}

#[tokio::test(start_paused = true)]
async fn halves_are_named_by_their_first_record_and_their_length() {
    let rig = pair();
    rig.say(Https, refuses(400, &[3]));
    rig.flush(vec![batch(1, 4)], Phase::Handler, ms(3000)).await;
    let id = |tail: &str| format!("0000000000000001-{tail}");
    // The second half is known to be refused: it is halved unasked.
    assert_eq!(rig.ids(Https), ["1-4", "1-2", "3-1", "4-1"].map(id));
    assert_eq!(rig.ids(S3), [id("3-1")]);
}

#[tokio::test(start_paused = true)]
async fn the_archive_is_asked_once_for_all_dead_letters_of_a_batch() {
    let rig = pair();
    rig.say(Https, refuses(400, &[10, 200, 390]));
    rig.flush(vec![batch(1, 400)], Phase::Handler, ms(3000))
        .await;
    assert_eq!(rig.sequences(S3), [[10, 200, 390]]);
    rig.assert_delivered(&[(Https, 397), (S3, 3)]);
    assert_eq!(dead_letters(&rig), [3]);
}

/// A wrong format: every body is refused. Nobody pays for each of a thousand records to be asked.
#[tokio::test(start_paused = true)]
async fn a_primary_that_refuses_everything_costs_twenty_requests_for_a_thousand_records() {
    for (sinks, archived) in [(2, true), (1, false)] {
        let roles = [(Https, Role::Primary), (S3, Role::Fallback)];
        let rig = Rig::new(&roles[..sinks]);
        rig.say(Https, SinkBehaviour::Status(400));
        let left = rig
            .flush(vec![batch(1, 1000)], Phase::Handler, ms(3000))
            .await;
        assert_eq!((left.len(), rig.calls(Https)), (0, 20));
        // The next batch costs less, as nothing has changed.
        let left = rig
            .flush(vec![batch(1001, 1000)], Phase::Handler, ms(3000))
            .await;
        assert_eq!((left.len(), rig.calls(Https)), (0, 25));
        if archived {
            rig.assert_delivered(&[(S3, 2000)]);
            assert!(line_says(&rig, 2000));
            assert_eq!(rig.calls(S3), 2);
        } else {
            rig.assert_delivered(&[]);
            assert_eq!(rig.ledger.lock().dropped(DropReason::Rejected), 2000);
        }
    }
}

/// The format was fixed: what was concluded before holds no longer.
#[tokio::test(start_paused = true)]
async fn a_primary_that_takes_records_again_is_asked_for_each_half_again() {
    let rig = pair();
    rig.say(Https, SinkBehaviour::Status(400));
    rig.flush(vec![batch(1, 100)], Phase::Handler, ms(3000))
        .await;
    rig.assert_delivered(&[(S3, 100)]);
    for first in [101, 201] {
        rig.say(Https, refuses(400, &[first + 7]));
        rig.flush(vec![batch(first, 100)], Phase::Handler, ms(3000))
            .await;
    }
    rig.assert_delivered(&[(Https, 198), (S3, 102)]);
}

/// Every second record is bad: the bound of requests is reached, and the rest is not condemned.
#[tokio::test(start_paused = true)]
async fn what_the_bound_leaves_unresolved_is_diverted_and_no_dead_letter() {
    let rig = pair();
    let bad: Vec<u64> = (1..=1000).step_by(2).collect();
    rig.say(Https, refuses(422, &bad));
    let left = rig
        .flush(vec![batch(1, 1000)], Phase::Handler, ms(3000))
        .await;
    assert!(left.is_empty());
    assert!(rig.calls(Https) <= 128, "{}", rig.calls(Https));
    let (taken, archived, dead) = {
        let ledger = rig.ledger.lock();
        let dead = dead_letters(&rig).iter().sum::<usize>() as u64;
        (ledger.delivered(Https), ledger.delivered(S3), dead)
    };
    assert_eq!(taken + archived, 1000);
    assert!(dead > 0 && dead < archived, "{dead} of {archived}");
    assert!(line_says(&rig, dead));
    let reasons: Vec<_> = rig.recorded(S3).iter().map(|call| call.diverted).collect();
    assert!(
        reasons
            .iter()
            .all(|it| it.unwrap().cause.status == Some(422))
    );
    // Two requests to the archive: those that the primary refused alone, and the rest.
    assert_eq!(rig.calls(S3), 2);

    // Without an archive it waits, and each flush goes on where the last one ended.
    let rig = Rig::new(&[(Https, Role::Primary)]);
    rig.say(Https, refuses(422, &bad));
    let mut left = rig
        .flush(vec![batch(1, 1000)], Phase::Handler, ms(3000))
        .await;
    for _ in 0..20 {
        left = rig.flush(left, Phase::Handler, ms(3000)).await;
    }
    assert!(left.is_empty());
    rig.assert_delivered(&[(Https, 500)]);
    assert_eq!(rig.ledger.lock().dropped(DropReason::Rejected), 500);
}

/// Each request takes 60 ms, of 500: what is not resolved then waits, and is resolved in the end.
#[tokio::test(start_paused = true)]
async fn isolation_ends_with_the_window_and_goes_on_in_the_next_one() {
    let rig = pair();
    rig.say(
        Https,
        SinkBehaviour::Refuses(400, Which::Of(vec![123]), ms(60)),
    );
    rig.say(S3, SinkBehaviour::After(ms(60), 200));
    let mut left = vec![batch(1, 501)];
    for flush in 1..=10 {
        let started = Instant::now();
        left = rig.flush(left, Phase::PostRuntime, ms(500)).await;
        assert!(started.elapsed() <= ms(500), "{:?}", started.elapsed());
        assert_eq!(rig.ledger.lock().dropped(DropReason::Rejected), 0);
        assert!(left.len() <= 8, "{} pieces after {flush}", left.len());
        if left.is_empty() {
            assert!(flush > 1, "the window was long enough for all");
            break;
        }
        assert_eq!(
            rig.calls(S3),
            0,
            "nothing is condemned that was not refused alone"
        );
    }
    assert!(left.is_empty());
    rig.assert_delivered(&[(Https, 500), (S3, 1)]);
    assert_eq!(rig.sequences(S3), [[123]]);
}

/// What refuses is healthy: halving does not go on until an attempt is cut off, which would open the breaker.
#[tokio::test(start_paused = true)]
async fn a_slow_primary_that_refuses_is_not_taken_for_one_that_hangs() {
    let rig = pair();
    rig.say(
        Https,
        SinkBehaviour::Refuses(400, Which::Of(vec![30]), ms(300)),
    );
    let mut left = vec![batch(1, 60)];
    for _ in 0..20 {
        left = rig.flush(left, Phase::PostRuntime, ms(500)).await;
        assert_eq!(rig.breaker(Https), BreakerState::Closed);
        left = rig.flush(left, Phase::Handler, ms(1000)).await;
    }
    assert!(left.is_empty());
    rig.assert_delivered(&[(Https, 59), (S3, 1)]);
    assert_eq!(rig.ledger.lock().ambiguous(), 0, "no attempt was cut off");
}

/// At shutdown nothing comes after: what there is no time to resolve is archived, and is no dead letter.
#[tokio::test(start_paused = true)]
async fn at_shutdown_what_there_is_no_time_to_resolve_is_archived() {
    let rig = pair();
    rig.say(
        Https,
        SinkBehaviour::Refuses(400, Which::Of(vec![9, 400]), ms(200)),
    );
    rig.say(S3, SinkBehaviour::After(ms(60), 200));
    let batches: Vec<Batch> = (0..8).map(|index| batch(index * 60 + 1, 60)).collect();
    let started = Instant::now();
    let left = rig.flush(batches, Phase::Shutdown, ms(1700)).await;
    assert!(left.is_empty(), "{} left", left.len());
    assert!(started.elapsed() <= ms(1700));
    let ledger = rig.ledger.lock();
    assert_eq!(ledger.delivered(Https) + ledger.delivered(S3), 480);
    drop(ledger);
    assert!(dead_letters(&rig).iter().sum::<usize>() <= 2);
}

/// The primary fails while halves are under way: the rest goes to the archive in one piece, and only
/// what was refused alone is a dead letter.
#[tokio::test(start_paused = true)]
async fn a_primary_that_fails_during_isolation_leaves_one_piece_to_the_archive() {
    let rig = pair();
    rig.say_in_turn(Https, [400, 400, 400, 200].map(SinkBehaviour::Status));
    rig.say(Https, SinkBehaviour::Status(401));
    let left = rig
        .flush(vec![batch(1, 400)], Phase::Handler, ms(3000))
        .await;
    assert!(left.is_empty());
    assert_eq!(rig.calls(S3), 2, "the piece that failed, and the rest");
    assert!(line_says(&rig, 0));
    rig.assert_delivered(&[(Https, 50), (S3, 350)]);
}

/// No status but these three makes a dead letter, whatever the primary means by it.
#[tokio::test(start_paused = true)]
async fn no_other_status_makes_a_dead_letter() {
    for code in (100..=599).filter(|code| !(200..=299).contains(code)) {
        let rig = pair();
        rig.say(Https, SinkBehaviour::Status(code));
        let left = rig.flush(vec![batch(1, 3)], Phase::Handler, ms(3000)).await;
        assert!(left.is_empty(), "{code}");
        rig.assert_delivered(&[(S3, 3)]);
        let is_dead = matches!(code, 400 | 413 | 422);
        assert!(line_says(&rig, if is_dead { 3 } else { 0 }), "{code}");
        let state = rig.breaker(Https);
        assert_eq!(state == BreakerState::Closed, is_dead, "{code}");
        let at_once = Answer::status(code).verdict(Role::Primary) == Verdict::Stop;
        assert_eq!(rig.calls(Https) == 1, at_once, "{code}");
    }
    // Nor does any other drop a record where there is no archive.
    for code in [401, 402, 405, 407, 409, 410, 411, 415, 421, 500] {
        let rig = Rig::new(&[(Https, Role::Primary)]);
        rig.say(Https, SinkBehaviour::Status(code));
        let left = rig.flush(vec![batch(1, 3)], Phase::Handler, ms(3000)).await;
        assert_eq!(left.iter().map(Batch::len).sum::<usize>(), 3, "{code}");
        rig.say(Https, SinkBehaviour::Status(200));
        rig.advance(Duration::from_mins(2)).await;
        assert!(rig.flush(left, Phase::Handler, ms(3000)).await.is_empty());
        rig.assert_delivered(&[(Https, 3)]);
    }
}

/// Halving began while a handler ran, and the shutdown came: the archive gets the rest in time.
#[tokio::test(start_paused = true)]
async fn a_shutdown_that_comes_while_bodies_are_halved_leaves_the_archive_its_time() {
    for (batches, size) in [(1, 10), (1, 60), (4, 20), (9, 60)] {
        for (before, takes) in [(50, 92), (50, 140), (500, 140)] {
            let rig = pair();
            rig.say(Https, SinkBehaviour::After(ms(takes), 400));
            rig.say(S3, SinkBehaviour::After(ms(100), 200));
            let all = (0..batches).map(|number| batch(number * 100 + 1, size));
            let window = Duration::from_secs(30);
            let flush = rig.start_flush(all.collect(), Phase::Handler, window);
            tokio::time::sleep(ms(before)).await;
            let ends = Instant::now() + ms(1700);
            rig.window.set(Phase::Shutdown, ends);
            let left = flush.await.unwrap();
            assert!(left.is_empty(), "{batches} of {size}, {before}, {takes}");
            rig.assert_delivered(&[(S3, batches * size)]);
        }
    }
}

/// The window ends while a body is halved: what has not been asked waits together, not record by record.
#[tokio::test(start_paused = true)]
async fn what_waits_after_halving_is_a_batch_or_two() {
    let rig = pair();
    rig.say(Https, SinkBehaviour::After(ms(100), 422));
    let left = rig
        .flush(vec![batch(1, 77)], Phase::PostRuntime, ms(1400))
        .await;
    let sizes: Vec<usize> = left.iter().map(Batch::len).collect();
    assert!(sizes.len() <= 2, "{sizes:?}");
}
