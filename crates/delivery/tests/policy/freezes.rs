//! Requests from before a freeze, and their answers after the thaw.

use std::time::Duration;

use crate::support::{Rig, SinkBehaviour, batch, ms, pair};
use backstop_delivery::{BreakerState, Phase, Role, SinkName};

use SinkName::{Https, S3};

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
