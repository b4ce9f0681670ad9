//! A primary with a protocol of its own: what it says of each record, what it would never take, and how much
//! one request has room for.

use crate::support::{Rig, SinkBehaviour, Which, batch, ms, pair};
use backstop_delivery::{
    BreakerState, DropReason, Notice, PartAnswer, Phase, Role, SinkName, Unfit, Verdict,
};

use PartAnswer::{Refused, Retry, Taken, Unheard};
use SinkName::{Https, S3};

/// Takes all but the first records of a batch, and does not say which it refused.
fn unnamed(refused: u64) -> SinkBehaviour {
    SinkBehaviour::Unnamed(Which::Of((1..=refused).collect()), ms(0))
}

/// Names these, one a request.
fn names(wrong: Vec<u64>) -> SinkBehaviour {
    SinkBehaviour::Names {
        wrong: Which::Of(wrong),
        after: ms(0),
        keeps_before: false,
    }
}

#[tokio::test(start_paused = true)]
async fn each_record_goes_its_own_way() {
    let rig = pair();
    rig.say_in_turn(
        Https,
        [
            SinkBehaviour::Records(vec![Taken, Refused, Retry, Unheard, Retry, Taken]),
            SinkBehaviour::Records(vec![Taken, Taken, Refused]),
        ],
    );
    let left = rig.flush(vec![batch(1, 6)], Phase::Handler, ms(3000)).await;
    assert!(left.is_empty());
    assert_eq!(
        rig.sequences(Https)[1],
        [3, 4, 5],
        "only what waits is sent again"
    );
    assert_eq!(rig.sequences(S3), [vec![2, 5]]);
    rig.assert_delivered(&[(Https, 4), (S3, 2)]);
    let diverted = rig.last_diverted(S3).unwrap().cause;
    assert_eq!((diverted.reason, diverted.status), ("rejected", Some(400)));
    assert_eq!(rig.breaker(Https), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_waits_too_long_is_diverted_with_its_own_reason() {
    let rig = pair();
    rig.say_in_turn(Https, [SinkBehaviour::Records(vec![Taken, Retry, Refused])]);
    rig.say(Https, SinkBehaviour::Records(vec![Retry]));
    rig.flush(vec![batch(1, 3)], Phase::Handler, ms(5000)).await;
    rig.assert_delivered(&[(Https, 1), (S3, 2)]);
    let reasons: Vec<_> = rig.diverted(S3).iter().map(|it| it.cause.reason).collect();
    assert_eq!(reasons, ["throttled", "rejected"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_for_another_number_of_records_proves_nothing() {
    for answers in [vec![], vec![Taken], vec![Taken; 4]] {
        let rig = pair();
        rig.say(Https, SinkBehaviour::Records(answers));
        rig.flush(vec![batch(1, 3)], Phase::Handler, ms(3000)).await;
        rig.assert_delivered(&[(S3, 3)]);
        assert_eq!(rig.last_diverted(S3).unwrap().cause.reason, "unproven");
    }
}

/// Sent again it would be there twice; not archived, the refused ones would be lost.
#[tokio::test(start_paused = true)]
async fn a_batch_of_which_some_were_refused_and_nobody_knows_which_is_archived_and_not_sent_again()
{
    let rig = pair();
    rig.say(Https, unnamed(3));
    let left = rig
        .flush(vec![batch(1, 10)], Phase::Handler, ms(3000))
        .await;
    assert!(left.is_empty());
    assert_eq!(rig.calls(Https), 1);
    rig.assert_delivered(&[(S3, 10)]);
    let counts = rig.ledger.lock().clone();
    assert_eq!((counts.ambiguous(), counts.dead_letters()), (10, 10));
    assert_eq!(rig.last_diverted(S3).unwrap().cause.reason, "partial");
    assert_eq!(rig.breaker(Https), BreakerState::Closed);
    let rig = Rig::new(&[(Https, Role::Primary)]);
    rig.say(Https, unnamed(3));
    rig.flush(vec![batch(1, 10)], Phase::Handler, ms(3000))
        .await;
    rig.assert_delivered(&[(Https, 7)]);
    assert_eq!(rig.ledger.lock().dropped(DropReason::Rejected), 3);
}

/// Condemned, the batch would be offered to the same archive without end.
#[tokio::test(start_paused = true)]
async fn an_archive_that_does_not_say_what_it_refused_has_proven_nothing() {
    let rig = Rig::new(&[(S3, Role::Fallback)]);
    rig.say(S3, unnamed(1));
    let left = rig.flush(vec![batch(1, 3)], Phase::Handler, ms(5000)).await;
    assert_eq!(left.len(), 1);
    assert_eq!(rig.calls(S3), 3);
    rig.assert_delivered(&[]);
}

/// Each is sent at most once more for each record that is named after it: whether the sink has kept it is not
/// known.
#[tokio::test(start_paused = true)]
async fn records_that_are_named_one_by_one_cost_the_others_one_more_request() {
    let rig = pair();
    let bad = vec![1, 40, 41, 100];
    rig.say(Https, names(bad.clone()));
    let left = rig
        .flush(vec![batch(1, 100)], Phase::Handler, ms(9000))
        .await;
    assert!(left.is_empty());
    assert_eq!(rig.sequences(S3), [bad]);
    rig.assert_delivered(&[(Https, 96), (S3, 4)]);
    let mut sent = vec![0; 101];
    // The record that is named ends what the sink looks at.
    for request in rig.sequences(Https) {
        let named = request.iter().position(|it| [1, 40, 41, 100].contains(it));
        let looked_at = &request[..named.unwrap_or(request.len())];
        for sequence in looked_at {
            sent[usize::try_from(*sequence).unwrap()] += 1;
        }
    }
    assert!(sent.iter().all(|times| *times <= 2), "{sent:?}");
    assert_eq!(rig.breaker(Https), BreakerState::Closed);
    let ambiguous = rig.ledger.lock().ambiguous();
    assert_eq!(ambiguous, 96, "all of them stood before one that was named");
}

#[tokio::test(start_paused = true)]
async fn a_primary_that_names_every_record_is_asked_for_a_few() {
    let rig = pair();
    rig.say(Https, names((1..=1000).collect()));
    let left = rig
        .flush(vec![batch(1, 1000)], Phase::Handler, ms(9000))
        .await;
    assert!(left.is_empty());
    rig.assert_delivered(&[(S3, 1000)]);
    assert!(rig.calls(Https) <= 20, "{}", rig.calls(Https));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_was_not_sent_cannot_be_named() {
    let rig = Rig::new(&[(S3, Role::Fallback)]);
    rig.say(S3, names(vec![2]));
    let left = rig.flush(vec![batch(1, 3)], Phase::Handler, ms(5000)).await;
    assert_eq!((left.len(), rig.calls(S3)), (1, 3), "an archive names none");
}

#[tokio::test(start_paused = true)]
async fn a_status_means_what_the_protocol_says() {
    for (verdict, code, calls, breaker) in [
        (Verdict::Divert, 500, 1, BreakerState::Closed),
        (Verdict::Stop, 260, 1, BreakerState::Open),
        (Verdict::Retry { after: None }, 418, 3, BreakerState::Open),
    ] {
        let rig = pair();
        rig.say(Https, SinkBehaviour::Judged(verdict.clone(), code));
        rig.flush(vec![batch(1, 2)], Phase::Handler, ms(9000)).await;
        rig.assert_delivered(&[(S3, 2)]);
        assert_eq!(rig.calls(Https), calls, "{verdict:?}");
        assert_eq!(rig.breaker(Https), breaker, "{verdict:?}");
        let cause = rig.last_diverted(S3).unwrap().cause;
        assert_eq!(cause.status, Some(code));
    }
    let rig = pair();
    rig.say(Https, SinkBehaviour::Judged(Verdict::Delivered, 204));
    rig.flush(vec![batch(1, 2)], Phase::Handler, ms(9000)).await;
    rig.assert_delivered(&[(Https, 2)]);
}

#[tokio::test(start_paused = true)]
async fn what_one_request_has_no_room_for_takes_another_in_order() {
    let rig = pair();
    rig.cap(Https, 100);
    let left = rig
        .flush(vec![batch(1, 250)], Phase::Handler, ms(3000))
        .await;
    assert!(left.is_empty());
    let sizes: Vec<usize> = rig.sequences(Https).iter().map(Vec::len).collect();
    assert_eq!(sizes, [100, 100, 50]);
    assert_eq!(
        rig.sequences(Https).concat(),
        (1..=250).collect::<Vec<u64>>()
    );
    rig.assert_delivered(&[(Https, 250)]);
}

#[tokio::test(start_paused = true)]
async fn a_dead_primary_with_little_room_costs_the_archive_no_more_than_a_second_object() {
    let rig = pair();
    rig.cap(Https, 100);
    rig.say(Https, SinkBehaviour::Judged(Verdict::Stop, 403));
    let left = rig
        .flush(vec![batch(1, 1000)], Phase::Handler, ms(3000))
        .await;
    assert!(left.is_empty());
    rig.assert_delivered(&[(S3, 1000)]);
    assert_eq!((rig.calls(Https), rig.calls(S3)), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_refused_is_found_where_one_request_has_little_room() {
    let rig = pair();
    rig.cap(Https, 16);
    rig.say(
        Https,
        SinkBehaviour::Refuses(400, Which::Of(vec![40]), ms(1)),
    );
    let left = rig
        .flush(vec![batch(1, 100)], Phase::Handler, ms(9000))
        .await;
    assert!(left.is_empty());
    rig.assert_delivered(&[(Https, 99), (S3, 1)]);
    assert_eq!(rig.sequences(S3), [vec![40]]);
}

#[tokio::test(start_paused = true)]
async fn what_the_primary_would_never_take_is_a_dead_letter_unasked() {
    let rig = pair();
    rig.unfit(
        Https,
        &[(2, Unfit::TooLarge), (3, Unfit::TooOld), (5, Unfit::TooOld)],
    );
    let left = rig.flush(vec![batch(1, 6)], Phase::Handler, ms(3000)).await;
    assert!(left.is_empty());
    assert_eq!(rig.sequences(Https), [vec![1, 4, 6]]);
    rig.assert_delivered(&[(Https, 3), (S3, 3)]);
    let dead = |notice: &Notice| match notice {
        Notice::DeadLetter { cause, records, .. } => Some((cause.reason, *records)),
        _ => None,
    };
    let dead: Vec<_> = rig.notices().iter().filter_map(dead).collect();
    assert_eq!(dead, [("too_large", 1), ("too_old", 2)]);
    assert_eq!(rig.ledger.lock().dead_letters(), 3);
}

/// They are known once the request is made, when the time is shared out already.
#[tokio::test(start_paused = true)]
async fn at_shutdown_dead_letters_that_nobody_knew_of_are_kept_their_time() {
    let rig = pair();
    rig.unfit(Https, &[(2, Unfit::TooOld)]);
    rig.say(Https, SinkBehaviour::Hang);
    rig.say(S3, SinkBehaviour::After(ms(76), 200));
    let left = rig
        .flush(vec![batch(1, 3)], Phase::Shutdown, ms(1700))
        .await;
    assert!(left.is_empty(), "{left:?}");
    rig.assert_delivered(&[(S3, 3)]);
    assert_eq!(rig.ledger.lock().dead_letters(), 1);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_fit_the_primary_is_not_asked() {
    let all = [(1, Unfit::TooOld), (2, Unfit::TooLarge)];
    let rig = pair();
    rig.unfit(Https, &all);
    rig.flush(vec![batch(1, 2)], Phase::Handler, ms(3000)).await;
    assert_eq!(rig.calls(Https), 0);
    rig.assert_delivered(&[(S3, 2)]);
    let rig = Rig::new(&[(Https, Role::Primary)]);
    rig.unfit(Https, &all);
    let left = rig
        .flush(vec![batch(1, 2)], Phase::Shutdown, ms(3000))
        .await;
    assert!(left.is_empty());
    let ledger = rig.ledger.lock();
    let dropped = |reason| ledger.dropped(reason);
    assert_eq!(
        (dropped(DropReason::TooOld), dropped(DropReason::TooLarge)),
        (1, 1)
    );
}
