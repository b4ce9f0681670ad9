//! A sink that answers for each record by itself: each goes its own way, in one request where that is enough.

use crate::support::{Rig, SinkBehaviour, batch, ms};
use backstop_delivery::{BreakerState, DropReason, Notice, PartAnswer, Phase, Role, SinkName};

use PartAnswer::{Refused, Retry, Taken, Unheard};
use SinkName::{Firehose, Https, S3};

/// A primary that judges each record, and the archive.
fn judging() -> Rig {
    let rig = Rig::new(&[(Https, Role::Primary), (S3, Role::Fallback)]);
    rig.split(Https, 1);
    rig
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_by_name_is_a_dead_letter_without_another_request() {
    let rig = judging();
    rig.say_in_turn(Https, [SinkBehaviour::Parts(Refused, vec![0, 250, 499])]);
    let left = rig
        .flush(vec![batch(1, 500)], Phase::PostRuntime, ms(500))
        .await;
    assert!(left.is_empty());
    rig.assert_delivered(&[(Https, 497), (S3, 3)]);
    assert_eq!(rig.sequences(S3), [vec![1, 251, 500]]);
    assert_eq!((rig.calls(Https), rig.calls(S3)), (1, 1));
    let diverted = rig.last_diverted(S3).unwrap();
    let why = (diverted.cause.reason, diverted.cause.status);
    assert_eq!(why, ("rejected", Some(503)));
    let dead = |notice: &Notice| matches!(notice, Notice::DeadLetter { records: 3, .. });
    assert!(rig.notices().iter().any(dead));
    assert_eq!(rig.breaker(Https), BreakerState::Closed);
    assert_eq!(rig.ledger.lock().ambiguous(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_mixed_answer_retries_some_refuses_some_and_delivers_the_rest() {
    let rig = judging();
    rig.say_in_turn(
        Https,
        [
            SinkBehaviour::Each(vec![Taken, Refused, Retry, Unheard, Retry, Taken]),
            // Of the third, the fourth and the fifth record.
            SinkBehaviour::Each(vec![Taken, Taken, Refused]),
        ],
    );
    let left = rig.flush(vec![batch(1, 6)], Phase::Handler, ms(3000)).await;
    assert!(left.is_empty());
    assert_eq!(rig.sequences(Https)[1], [3, 4, 5]);
    assert_eq!(rig.sequences(S3), [vec![2, 5]]);
    rig.assert_delivered(&[(Https, 4), (S3, 2)]);
    // Those that were sent again with the one of which nothing was said, and the dead letters, which share
    // what is not known of one of them.
    assert_eq!(rig.ledger.lock().ambiguous(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_it_does_not_take_goes_to_the_archive_and_not_as_a_dead_letter() {
    let rig = judging();
    rig.say(Https, SinkBehaviour::Parts(Retry, vec![1]));
    let left = rig.flush(vec![batch(1, 4)], Phase::Handler, ms(3000)).await;
    assert!(left.is_empty());
    // The second of four; then alone it is the first, which this sink takes.
    rig.assert_delivered(&[(Https, 4)]);
    rig.say(Https, SinkBehaviour::Parts(Retry, vec![0]));
    rig.flush(vec![batch(5, 2)], Phase::Handler, ms(3000)).await;
    rig.assert_delivered(&[(Https, 5), (S3, 1)]);
    assert_eq!(rig.last_diverted(S3).unwrap().cause.reason, "partial");
}

#[tokio::test(start_paused = true)]
async fn without_a_fallback_only_what_is_refused_is_dropped() {
    let rig = Rig::new(&[(Https, Role::Primary)]);
    rig.split(Https, 1);
    rig.say_in_turn(Https, [SinkBehaviour::Parts(Refused, vec![2])]);
    let left = rig.flush(vec![batch(1, 9)], Phase::Handler, ms(3000)).await;
    assert!(left.is_empty());
    rig.assert_delivered(&[(Https, 8)]);
    assert_eq!(rig.ledger.lock().dropped(DropReason::Rejected), 1);
}

/// A sink that refuses each record by name is not down: its breaker stays closed.
#[tokio::test(start_paused = true)]
async fn a_primary_that_refuses_all_by_name_makes_dead_letters_of_all() {
    let rig = judging();
    rig.say_in_turn(Https, [SinkBehaviour::Parts(Refused, (0..10).collect())]);
    let left = rig
        .flush(vec![batch(1, 10)], Phase::Handler, ms(3000))
        .await;
    assert!(left.is_empty());
    rig.assert_delivered(&[(S3, 10)]);
    assert_eq!(rig.breaker(Https), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn an_archive_that_refuses_a_record_keeps_nothing_from_waiting() {
    let rig = Rig::new(&[(S3, Role::Fallback)]);
    rig.split(S3, 1);
    rig.say(S3, SinkBehaviour::Parts(Refused, vec![0]));
    let left = rig.flush(vec![batch(1, 3)], Phase::Handler, ms(3000)).await;
    let waiting: usize = left.iter().map(backstop_delivery::Batch::len).sum();
    assert_eq!(waiting, 1);
    rig.assert_delivered(&[(S3, 2)]);
}

/// Whatever it says of other parts than were sent proves nothing.
#[tokio::test(start_paused = true)]
async fn an_answer_for_another_number_of_parts_is_no_delivery() {
    for answers in [vec![], vec![Taken], vec![Taken; 4]] {
        let rig = judging();
        rig.say(Https, SinkBehaviour::Each(answers));
        let left = rig.flush(vec![batch(1, 3)], Phase::Handler, ms(3000)).await;
        assert!(left.is_empty());
        rig.assert_delivered(&[(S3, 3)]);
        assert_eq!(rig.last_diverted(S3).unwrap().cause.reason, "unproven");
        assert_eq!(rig.ledger.lock().ambiguous(), 3);
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
