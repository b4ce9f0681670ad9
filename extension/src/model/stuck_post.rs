//! A request of the function's that never comes to its end, as one that dribbles: what it may hold up.

use backstop_config::FlushStrategy;
use bytes::Bytes;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::behaviour::ms;
use super::examples::SETUP;
use super::life::Life;
use super::steps::Setup;
use super::world::World;
use crate::lifecycle::api::Event;

#[tokio::test(start_paused = true)]
async fn a_post_without_an_end_holds_next_once_and_no_flush_and_no_shutdown() {
    let setup = Setup {
        strategy: FlushStrategy::End,
        ..SETUP
    };
    let (world, tmp) = (World::new(&setup), TempDir::new().unwrap());
    let mut life = Life::start(&setup, &world, tmp.path().join("backstop"));
    let deadline_ms = |left| {
        let at = world.clock().wall().0 + ms(left);
        u64::try_from(at.as_millis()).unwrap()
    };
    let inbox = life.inbox.clone();
    let stuck = inbox.begin_post();
    for number in 0..4_u64 {
        let request_id = format!("request-{number}");
        let time = world.clock().wall().rfc3339();
        life.script.ready().await;
        life.script.send(Event::Invoke {
            request_id: request_id.clone(),
            deadline_ms: deadline_ms(60_000),
        });
        sleep(ms(20)).await;
        let done = Instant::now();
        let body = format!(
            r##"[{{"time":"{time}","type":"function","record":"#{}#"}},{{"time":"{time}","type":"platform.runtimeDone","record":{{"requestId":"{request_id}","n":"#{}#"}}}}]"##,
            2 * number,
            2 * number + 1,
        );
        assert!(life.inbox.push(Bytes::from(body)).await);
        // Sinks take 20 ms.
        sleep(ms(30)).await;
        let shown = life.ledger.lock().line();
        assert_eq!(
            life.ledger.lock().delivered_in_all(),
            2 * number + 2,
            "{shown}"
        );
        let held = life.script.ready().await.saturating_duration_since(done);
        if number == 0 {
            assert!((ms(450)..=ms(502)).contains(&held), "held {held:?}");
        } else {
            assert!(held <= ms(30), "held {held:?} again");
        }
    }
    let other = inbox.begin_post();
    let began = Instant::now();
    life.script.send(Event::Shutdown {
        shutdown_reason: "spindown".to_owned(),
        deadline_ms: deadline_ms(2_000),
    });
    (&mut life.task).await.unwrap();
    assert!(began.elapsed() <= ms(400), "{:?}", began.elapsed());
    drop((stuck, other));
}
