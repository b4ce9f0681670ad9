//! Batches for the archive only: who is asked, and what that costs the others.

use backstop_delivery::{Batch, BreakerState, Phase, Record, Role, SinkName, Wall};

use crate::support::{Rig, SinkBehaviour, batch, ms};

const PRIMARY: SinkName = SinkName::Https;
const FIREHOSE: SinkName = SinkName::Firehose;
const S3: SinkName = SinkName::S3;

fn rig() -> Rig {
    Rig::new(&[
        (PRIMARY, Role::Primary),
        (FIREHOSE, Role::Fallback),
        (S3, Role::Fallback),
    ])
}

/// Copies of the records of [`batch`].
fn copies(first: u64, count: u64) -> Batch {
    let records = batch(first, count).into_records();
    let copies = records.iter().map(Record::mirrored).collect();
    Batch::new(Wall::default(), copies).unwrap()
}

#[tokio::test(start_paused = true)]
async fn copies_go_to_the_first_fallback_that_takes_them_and_never_to_the_primary() {
    let rig = rig();
    rig.say(FIREHOSE, SinkBehaviour::Status(503));
    let all = vec![batch(1, 2), copies(1, 2)];
    let left = rig.flush(all, Phase::PostRuntime, ms(3000)).await;
    assert!(left.is_empty());
    rig.assert_delivered(&[(PRIMARY, 2), (S3, 2)]);
    assert_eq!(rig.sequences(PRIMARY), [[1, 2]]);
    assert_eq!(rig.sequences(S3), [[1, 2]]);
    // They were not diverted from anywhere, whatever state the primary is in.
    assert!(rig.diverted(S3).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_primary_that_is_down_diverts_its_records_and_not_their_copies() {
    for phase in [Phase::Handler, Phase::Shutdown] {
        let rig = rig();
        rig.say(PRIMARY, SinkBehaviour::Status(401));
        rig.flush(vec![batch(1, 1)], phase, ms(1500)).await;
        assert_eq!(rig.breaker(PRIMARY), BreakerState::Open);
        let all = vec![batch(3, 2), copies(3, 2)];
        assert!(rig.flush(all, phase, ms(1500)).await.is_empty());
        let called = rig.recorded(FIREHOSE);
        let copied: Vec<_> = called.iter().filter(|it| it.diverted.is_none()).collect();
        assert_eq!(copied.len(), 1, "{called:?}");
        assert_eq!(copied[0].sequences, [3, 4]);
        assert_eq!(called.len(), 3, "{called:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_archive_that_hangs_takes_no_time_and_no_place_from_the_primary() {
    let rig = rig();
    for fallback in [FIREHOSE, S3] {
        rig.say(fallback, SinkBehaviour::Hang);
    }
    rig.say(PRIMARY, SinkBehaviour::After(ms(100), 200));
    // More than fit side by side, and all before the primary's.
    let mut all: Vec<Batch> = (0..6).map(|at| copies(1 + at, 1)).collect();
    all.extend((0..4).map(|at| batch(10 + at, 1)));
    let began = tokio::time::Instant::now();
    let left = rig.flush(all, Phase::PostRuntime, ms(500)).await;
    assert!(began.elapsed() <= ms(500), "{:?}", began.elapsed());
    rig.assert_delivered(&[(PRIMARY, 4)]);
    let left: Vec<bool> = left.iter().map(Batch::is_archive_only).collect();
    assert_eq!(left, [true; 6], "they wait");
    assert_eq!(rig.breaker(PRIMARY), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_a_fallback_finds_too_large_is_archived_in_pieces() {
    let rig = Rig::new(&[(PRIMARY, Role::Primary), (S3, Role::Fallback)]);
    rig.say(
        S3,
        SinkBehaviour::TooLarge {
            most: 3,
            never: None,
        },
    );
    let left = rig
        .flush(vec![copies(1, 10)], Phase::Handler, ms(3000))
        .await;
    assert!(left.is_empty());
    rig.assert_delivered(&[(S3, 10)]);
    assert!(rig.sequences(PRIMARY).is_empty());
}
