//! How the parameter with the transforms is asked for: when, how often, and what it costs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use backstop_config::FlushStrategy;
use backstop_delivery::{DropReason, NoSecret};
use bytes::Bytes;
use futures_util::FutureExt as _;
use tempfile::TempDir;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::behaviour::ms;
use super::examples::SETUP;
use super::life::Life;
use super::steps::Setup;
use super::world::World;
use crate::lifecycle::api::Event;
use crate::pipeline::{Late, Routes, TransformStage, Unknown};

/// After this time the store answers.
#[derive(Debug, Clone, Copy)]
enum Store {
    Answers(u64),
    Fails(u64),
}

struct Environment {
    life: Life,
    world: World,
    start: Instant,
    /// When each question was asked, in milliseconds from the start.
    asked: Arc<Mutex<Vec<u64>>>,
    _tmp: TempDir,
}

impl Environment {
    /// The store answers the questions in this order; the last answer is that to all further ones.
    fn start(setup: &Setup, answers: &'static [Store]) -> Self {
        let (world, tmp, start) = (World::new(setup), TempDir::new().unwrap(), Instant::now());
        let asked: Arc<Mutex<Vec<u64>>> = Arc::default();
        let asks = asked.clone();
        let ask = Box::new(move || {
            let mut asks = asks.lock().unwrap();
            let answer = answers[asks.len().min(answers.len() - 1)];
            asks.push(u64::try_from(start.elapsed().as_millis()).unwrap());
            async move {
                let (Store::Answers(after) | Store::Fails(after)) = answer;
                sleep(ms(after)).await;
                match answer {
                    Store::Answers(_) => Ok(Late {
                        transforms: TransformStage::none(),
                        routes: Routes::default(),
                        errors: Vec::new(),
                    }),
                    Store::Fails(_) => Err(NoSecret::passing("a store", "refused").into()),
                }
            }
            .boxed()
        });
        let unknown = Some(Unknown::Parameter(ask));
        let beginning = (TransformStage::none(), Routes::default(), unknown);
        let life = Life::begin(setup, &world, tmp.path().join("backstop"), beginning);
        Self {
            life,
            world,
            start,
            asked,
            _tmp: tmp,
        }
    }

    fn asked(&self) -> Vec<u64> {
        self.asked.lock().unwrap().clone()
    }

    async fn run_for(&self, milliseconds: u64) {
        sleep(ms(milliseconds)).await;
        for _ in 0..32 {
            yield_now().await;
        }
    }

    async fn post(&self, body: String) {
        assert!(self.life.inbox.push(Bytes::from(body)).await);
    }

    /// The function writes lines with these numbers.
    async fn write(&self, numbers: std::ops::Range<u64>, padding: usize) {
        let padding = "x".repeat(padding);
        let lines: Vec<String> = numbers
            .map(|number| {
                let time = self.world.clock().wall().rfc3339();
                format!(
                    r##"{{"time":"{time}","type":"function","record":"#{number}# {padding}"}}"##
                )
            })
            .collect();
        self.post(format!("[{}]", lines.join(","))).await;
    }

    fn deadline_ms(&self, left: u64) -> u64 {
        let at = self.world.clock().wall().0 + ms(left);
        u64::try_from(at.as_millis()).unwrap()
    }

    fn invoke(&self, request: &str) {
        self.life.script.send(Event::Invoke {
            request_id: request.to_owned(),
            deadline_ms: self.deadline_ms(60_000),
        });
    }

    async fn runtime_is_done(&self, request: &str, number: u64) {
        let time = self.world.clock().wall().rfc3339();
        self.post(format!(
            r##"[{{"time":"{time}","type":"platform.runtimeDone","record":{{"requestId":"{request}","n":"#{number}#"}}}}]"##
        ))
        .await;
    }

    /// An invocation of 20 ms; how long the extension held it after that.
    async fn invocation(&self, request: &str, number: u64) -> Duration {
        self.invoke(request);
        self.run_for(20).await;
        let done = Instant::now();
        self.runtime_is_done(request, number).await;
        self.run_for(0).await;
        self.life
            .script
            .ready()
            .await
            .saturating_duration_since(done)
    }

    fn dropped(&self, reason: DropReason) -> u64 {
        self.life.ledger.lock().dropped(reason)
    }

    async fn shut_down(&mut self) {
        self.life.script.send(Event::Shutdown {
            shutdown_reason: "spindown".to_owned(),
            deadline_ms: self.deadline_ms(2_000),
        });
        (&mut self.life.task).await.unwrap();
    }
}

fn setup() -> Setup {
    Setup {
        strategy: FlushStrategy::End,
        buffer_max_bytes: 3_000_000,
        has_spool: false,
        ..SETUP
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_during_init_however_much_arrives() {
    let environment = Environment::start(&setup(), &[Store::Answers(10)]);
    environment.write(0..100, 15_000).await;
    environment.run_for(5_000).await;
    assert_eq!(environment.asked(), [0; 0]);
    environment.invocation("a", 100).await;
    assert_eq!(environment.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn next_is_held_for_the_first_question_once() {
    let environment = Environment::start(&setup(), &[Store::Answers(4_000)]);
    assert_eq!(environment.invocation("a", 0).await, ms(setup().max_added));
    for (number, request) in ["b", "c", "d"].iter().enumerate() {
        let held = environment.invocation(request, number as u64 + 1).await;
        assert!(held <= ms(1), "held {held:?} again");
    }
    assert_eq!(environment.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_the_rest_counts_from_the_failure() {
    let environment = Environment::start(&setup(), &[Store::Fails(5_000)]);
    let mut number = 0;
    while environment.start.elapsed() < ms(60_000) {
        environment.invocation(&format!("i-{number}"), number).await;
        number += 1;
    }
    let asked = environment.asked();
    for (index, two) in asked.windows(2).enumerate() {
        let rest = two[1] - two[0] - 5_000;
        let least = 1_000 << index;
        assert!(
            (least..least + 600).contains(&rest),
            "{rest} ms after failure {index}: {asked:?}"
        );
    }
    assert!(asked.len() >= 4, "{asked:?}");
}

/// A retry failed at the end, and was not repeated. A question from before a freeze was never answered, and
/// nothing else was asked. An answer came after half of the time, and nobody looked at it.
#[tokio::test(start_paused = true)]
async fn at_the_end_a_parameter_that_can_be_read_in_time_costs_no_record() {
    let lives: [&'static [Store]; 5] = [
        &[Store::Fails(0), Store::Fails(1_500), Store::Answers(0)],
        &[
            Store::Fails(0),
            Store::Fails(1_500),
            Store::Fails(0),
            Store::Answers(0),
        ],
        &[Store::Answers(60_000), Store::Answers(0)],
        &[Store::Fails(1_200), Store::Fails(0), Store::Answers(100)],
        &[Store::Fails(60_000), Store::Answers(1_300)],
    ];
    for answers in lives {
        let mut environment = Environment::start(&setup(), answers);
        environment.invoke("a");
        environment.write(0..10, 10).await;
        environment.run_for(50).await;
        environment.runtime_is_done("a", 10).await;
        environment.run_for(1_000).await;
        environment.invocation("b", 11).await;
        environment.shut_down().await;
        let line = environment.life.ledger.lock().line();
        assert_eq!(
            environment.dropped(DropReason::Shutdown),
            0,
            "{answers:?}: {line}"
        );
        assert_eq!(
            environment.life.ledger.lock().delivered_in_all(),
            12,
            "{answers:?}: {line}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_is_asked_little_and_the_end_comes_in_time() {
    let mut environment = Environment::start(&setup(), &[Store::Fails(0)]);
    environment.invocation("a", 0).await;
    let before = environment.asked().len();
    environment.shut_down().await;
    assert_eq!(environment.asked().len() - before, 2);
    assert_eq!(environment.dropped(DropReason::Shutdown), 1);
    let mut environment = Environment::start(&setup(), &[Store::Fails(60_000)]);
    environment.invocation("a", 0).await;
    let (before, began) = (environment.asked().len(), Instant::now());
    environment.shut_down().await;
    assert!(began.elapsed() <= ms(2_000));
    assert_eq!(environment.asked().len() - before, 1);
    assert_eq!(environment.dropped(DropReason::Shutdown), 1);
}

/// Records took more in the buffer than while they waited, so that some were dropped though all sinks were well.
#[tokio::test(start_paused = true)]
async fn once_the_parameter_is_read_no_record_is_dropped() {
    for padding in [0, 20, 1_000] {
        let setup = Setup {
            buffer_max_bytes: 300_000,
            ..setup()
        };
        let mut environment = Environment::start(&setup, &[Store::Answers(300)]);
        environment.invoke("a");
        let mut number = 0;
        // Until there is no room, and once more.
        while environment.dropped(DropReason::BufferFull) == 0 {
            environment.write(number..number + 10, padding).await;
            number += 10;
            environment.run_for(0).await;
        }
        while environment.asked().is_empty() {
            environment.run_for(1).await;
        }
        environment.write(number..number + 40, padding).await;
        environment.run_for(0).await;
        let before = environment.dropped(DropReason::BufferFull);
        environment.run_for(2_000).await;
        environment.runtime_is_done("a", number + 40).await;
        environment.run_for(2_000).await;
        environment.shut_down().await;
        let line = environment.life.ledger.lock().line();
        assert_eq!(
            environment.dropped(DropReason::BufferFull),
            before,
            "{padding}: {line}"
        );
        assert_eq!(
            environment.dropped(DropReason::Shutdown),
            0,
            "{padding}: {line}"
        );
    }
}
