//! Batches that are too large, and records that no retry can save.

use std::time::Duration;

use crate::support::{Rig, SinkBehaviour, batch, ms, pair};
use backstop_delivery::{Batch, BreakerState, DropReason, Failure, Phase, Role, SinkName};

use SinkName::{Firehose, Https, S3};

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
        "what was found long ago is tried again"
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
async fn dead_letters_are_counted_where_they_are_archived() {
    let rig = pair();
    rig.say(Https, SinkBehaviour::Status(400));
    let left: Vec<Batch> = rig.flush(vec![batch(1, 4)], Phase::Handler, ms(3000)).await;
    assert!(left.is_empty());
    assert!(rig.ledger.lock().line().contains("\"dead_letters\":4"));
}
