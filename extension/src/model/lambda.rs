//! Lambda: invokes, delivers telemetry, freezes, resets and kills; and holds the extension to its time.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backstop_config::{FlushSettings, InitializationType};
use backstop_delivery::{
    Chain, ChainParts, Jitter, LinkSettings, Phase, Role, SharedLedger, Window, WindowControl,
};
use bytes::Bytes;
use futures_util::FutureExt as _;
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::rules::{self, Books as Account};
use super::steps::{End, Invocation, Setup, Step};
use super::world::{Deaf, Number, SINKS, World};
use crate::buffer::Handover;
use crate::buffer::spool::{Books, Spool};
use crate::diagnostics::Log;
use crate::lifecycle::api::{ApiError, Event, Lifecycle};
use crate::pipeline::{Parts, Pipeline};
use crate::source::Inbox;

/// The function's time-out.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(3);
/// What Lambda gives at shutdown before it kills.
const SHUTDOWN: Duration = Duration::from_secs(2);
/// The resolution of tokio's timer, twice: one at either end.
const TICK: Duration = Duration::from_millis(2);

/// The extension's end of the local API.
#[derive(Debug, Clone, Default)]
struct Script(Arc<ScriptState>);

#[derive(Debug, Default)]
struct ScriptState {
    event: Mutex<Option<Event>>,
    waiting_since: Mutex<Option<Instant>>,
    changed: Notify,
}

impl Lifecycle for Script {
    async fn next(self) -> (Self, Result<Event, ApiError>) {
        let state = self.0.clone();
        *state.waiting_since.lock().unwrap() = Some(Instant::now());
        state.changed.notify_waiters();
        loop {
            let changed = state.changed.notified();
            if let Some(event) = state.event.lock().unwrap().take() {
                *state.waiting_since.lock().unwrap() = None;
                return (self, Ok(event));
            }
            changed.await;
        }
    }
}

impl Script {
    fn send(&self, event: Event) {
        *self.0.event.lock().unwrap() = Some(event);
        self.0.changed.notify_waiters();
    }

    /// Since when the extension has been ready.
    async fn ready(&self) -> Instant {
        loop {
            let changed = self.0.changed.notified();
            if let Some(since) = *self.0.waiting_since.lock().unwrap() {
                return since;
            }
            changed.await;
        }
    }
}

/// One run of the extension.
struct Life {
    script: Script,
    inbox: Arc<Inbox>,
    ledger: SharedLedger,
    task: JoinHandle<()>,
}

/// The environment, over all runs of the extension in it.
pub(super) struct Lambda {
    setup: Setup,
    tmp: TempDir,
    pub(super) world: World,
    life: Life,
    next_number: Number,
    next_request: u64,
    account: Account,
}

impl Lambda {
    pub(super) fn new(setup: &Setup) -> Self {
        let tmp = tempfile::tempdir_in(memory()).unwrap();
        let world = World::new();
        let life = Life::start(setup, &world, tmp.path().join("backstop"));
        Self {
            setup: setup.clone(),
            tmp,
            world,
            life,
            next_number: 0,
            next_request: 0,
            account: Account::default(),
        }
    }

    fn directory(&self) -> PathBuf {
        self.tmp.path().join("backstop")
    }

    pub(super) async fn step(&mut self, step: &Step) {
        match step {
            Step::Sink(index, manner) => self.world.set(*index, manner),
            Step::ClockJump(seconds) => self.world.shift_clock(seconds * 1000),
            Step::Restore => {
                let body = self.platform(
                    "platform.restoreStart",
                    r#""initializationType":"snap-start""#,
                );
                self.post(body);
            }
            Step::Reset => {
                self.shut_down("failure").await;
                self.start_anew();
            }
            Step::Invoke(invocation) => self.invoke_or_kill(invocation).await,
        }
        self.run_for(Duration::ZERO).await;
    }

    async fn invoke_or_kill(&mut self, invocation: &Invocation) {
        match invocation.end {
            // Without a spool nothing can be known of a run that was killed.
            End::Killed(at, torn) if self.setup.has_spool => {
                let at = Instant::now() + Duration::from_millis(at);
                tokio::select! {
                    biased;
                    () = sleep_until(at) => {}
                    () = self.invoke(invocation) => {}
                }
                self.kill(torn).await;
            }
            End::KilledInFreeze if self.setup.has_spool => {
                self.invoke(invocation).await;
                self.kill(0).await;
            }
            End::TimesOut => {
                self.invoke(invocation).await;
                self.shut_down("timeout").await;
                self.start_anew();
            }
            End::Done | End::Killed(..) | End::KilledInFreeze => self.invoke(invocation).await,
        }
    }

    async fn invoke(&mut self, invocation: &Invocation) {
        self.life.script.ready().await;
        self.next_request += 1;
        let request_id = format!("request-{}", self.next_request);
        let deadline = Instant::now() + FUNCTION_TIMEOUT;
        self.life.script.send(Event::Invoke {
            request_id: request_id.clone(),
            deadline_ms: self.ms_from_now(FUNCTION_TIMEOUT),
        });
        let request = format!(r#""requestId":"{request_id}""#);
        let start = self.platform("platform.start", &request);
        self.post(start);
        for output in &invocation.output {
            self.run_for(Duration::from_millis(output.after)).await;
            let lines: Vec<String> = (0..output.records)
                .map(|_| {
                    let (number, time) = (self.number(), self.time());
                    let padding = "x".repeat(output.padding);
                    format!(
                        r#"{{"time":"{time}","type":"function","record":"{} #{number}# {padding}"}}"#,
                        output.level
                    )
                })
                .collect();
            self.post(format!("[{}]", lines.join(",")));
        }
        self.run_for(Duration::from_millis(invocation.rest)).await;
        if invocation.end == End::TimesOut {
            sleep_until(deadline).await;
            return;
        }
        let done = Instant::now();
        let runtime_done = self.platform("platform.runtimeDone", &request);
        let late = Duration::from_millis(invocation.news_late);
        self.run_for(late).await;
        self.post(runtime_done);
        let ready = self.life.script.ready();
        let most = self.setup.max_added().max(late) + TICK;
        let ready = timeout(FUNCTION_TIMEOUT * 3, ready)
            .await
            .expect("never ready again");
        let added = ready.saturating_duration_since(done);
        assert!(added <= most, "added {added:?}, at most {most:?}");
        self.check_spool();
        let report = self.platform("platform.report", &request);
        self.post(report);
        self.run_for(Duration::ZERO).await;
        self.freeze(invocation.gap, invocation.freeze_breaks);
    }

    /// Wall time goes on, and nothing else.
    fn freeze(&mut self, gap: u64, breaks: bool) {
        self.life.check_task();
        self.check_spool();
        self.world.shift_clock(i64::try_from(gap).unwrap());
        if breaks {
            self.world.break_connections();
        }
    }

    /// Once the extension is ready, a freeze may come.
    fn check_spool(&self) {
        if self.setup.has_spool {
            rules::nothing_waits_in_memory_only(&self.life.ledger, &self.directory(), &self.world);
        }
    }

    async fn shut_down(&mut self, reason: &str) {
        self.life.script.send(Event::Shutdown {
            shutdown_reason: reason.to_owned(),
            deadline_ms: self.ms_from_now(SHUTDOWN),
        });
        let ended = timeout(SHUTDOWN + FUNCTION_TIMEOUT, &mut self.life.task).await;
        ended.expect("killed at shutdown").unwrap();
        if self.world.has_a_way_out(&self.setup) {
            rules::nothing_is_given_up(&self.life.ledger.lock());
        }
        self.account.close(&self.life.ledger.lock());
    }

    async fn kill(&mut self, torn: u64) {
        self.life.check_task();
        self.life.task.abort();
        drop((&mut self.life.task).await);
        yield_now().await;
        self.world.forget();
        // Acknowledged, and not yet looked at: the one moment in which a kill leaves no trace.
        while let Some(body) = self.life.inbox.pop() {
            for number in numbers_in(&String::from_utf8_lossy(&body)) {
                self.account.emitted.remove(&number);
            }
        }
        if torn > 0 {
            tear(&self.directory().join("spool"), torn);
        }
        self.account.kills += 1;
        self.start_anew();
    }

    fn start_anew(&mut self) {
        self.life = Life::start(&self.setup, &self.world, self.directory());
    }

    /// The environment ends for good, and every rule must hold.
    pub(super) async fn end(mut self) {
        let reason = if self.next_number.is_multiple_of(2) {
            "spindown"
        } else {
            "failure"
        };
        self.shut_down(reason).await;
        // What still was under way at the other end comes to rest.
        sleep(Duration::from_secs(10)).await;
        rules::every_record_is_accounted_for(&self.account, &self.world, &self.directory());
    }

    async fn run_for(&self, duration: Duration) {
        sleep(duration).await;
        for _ in 0..8 {
            yield_now().await;
        }
        self.life.check_task();
    }

    fn post(&mut self, body: String) {
        self.account.emitted.extend(numbers_in(&body));
        // Delivered; whether it is acknowledged at once is the inbox's own test.
        let _acknowledged = self.life.inbox.push(Bytes::from(body)).now_or_never();
    }

    fn platform(&mut self, kind: &str, members: &str) -> String {
        let (number, time) = (self.number(), self.time());
        format!(
            r##"[{{"time":"{time}","type":"{kind}","record":{{{members},"n":"#{number}#"}}}}]"##
        )
    }

    fn number(&mut self) -> Number {
        self.next_number += 1;
        self.next_number
    }

    fn time(&self) -> String {
        self.world.clock().wall().rfc3339()
    }

    /// As Lambda gives a deadline.
    fn ms_from_now(&self, duration: Duration) -> u64 {
        let deadline = self.world.clock().wall().0 + duration;
        u64::try_from(deadline.as_millis()).unwrap()
    }
}

impl Life {
    fn start(setup: &Setup, world: &World, directory: PathBuf) -> Self {
        let (script, ledger) = (Script::default(), SharedLedger::default());
        let inbox = Arc::new(Inbox::new(setup.buffer_max_bytes / 2));
        let log = Log::silent(world.clock());
        let roles = [Role::Primary, Role::Fallback, Role::Fallback];
        let links = (0..SINKS.len()).filter(|index| setup.sinks[*index]);
        let chain = Chain::new(ChainParts {
            links: links
                .map(|index| LinkSettings {
                    sink: world.sink(index),
                    role: roles[index],
                    timeout: Duration::from_secs(5),
                })
                .collect(),
            ledger: ledger.clone(),
            clock: world.clock(),
            observer: Arc::new(Deaf),
            jitter: Jitter::none(),
        });
        let spool_bytes = if setup.has_spool { 64 * 1024 * 1024 } else { 0 };
        let pipeline = Pipeline::new(Parts {
            api: script.clone(),
            inbox: inbox.clone(),
            chain: Arc::new(chain),
            ledger: ledger.clone(),
            log: log.clone(),
            clock: world.clock(),
            window: WindowControl::new(Window {
                ends: Instant::now(),
                phase: Phase::Handler,
                epoch: 0,
            }),
            flush: FlushSettings {
                strategy: setup.strategy,
                interval: Duration::from_millis(setup.interval),
                max_added: setup.max_added(),
            },
            buffer_max_bytes: setup.buffer_max_bytes,
            handover: Handover::new(
                Spool::new(directory.clone(), spool_bytes),
                Books::new(directory, setup.has_spool),
                log,
            ),
            initialization_type: InitializationType::OnDemand,
        });
        let task = tokio::spawn(live(pipeline, world.clone()));
        Self {
            script,
            inbox,
            ledger,
            task,
        }
    }

    /// A rule that was broken there is broken here.
    fn check_task(&self) {
        assert!(!self.task.is_finished(), "the extension ended by itself");
    }
}

/// The extension's own loop, with the rules looked at after each turn.
async fn live(mut pipeline: Pipeline<Script>, world: World) {
    let end = loop {
        let end = pipeline.turn().await;
        pipeline.check();
        if !pipeline.is_sending() {
            world.strike();
        }
        if let Some(end) = end {
            break end;
        }
    };
    let deadline = Instant::now() + SHUTDOWN;
    pipeline.shut_down(end).await;
    assert!(Instant::now() <= deadline, "killed at shutdown");
    world.strike();
}

/// A directory in memory, where there is one: a disk would take most of the time.
fn memory() -> PathBuf {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() {
        shared.to_owned()
    } else {
        std::env::temp_dir()
    }
}

/// The numbers of the records in a body.
fn numbers_in(body: &str) -> impl Iterator<Item = Number> {
    body.split('#')
        .skip(1)
        .step_by(2)
        .map(|number| number.parse().unwrap())
}

/// The kill came while records were appended: of the last frame, this much never reached the file.
fn tear(path: &Path, bytes: u64) {
    let spool = std::fs::read(path).unwrap_or_default();
    let (mut at, mut last) = (8, None);
    while let Some(header) = spool.get(at..at + 4) {
        let length = 8 + u32::from_le_bytes(header.try_into().unwrap()) as usize;
        last = Some((spool[at + 8], length as u64));
        at += length;
    }
    if let Some((b'R', length)) = last {
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(spool.len() as u64 - bytes.min(length))
            .unwrap();
    }
}
