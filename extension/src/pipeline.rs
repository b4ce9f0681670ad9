//! The pipeline: one loop that waits for what comes next and lets the pure decisions decide.
//!
//! Four things can happen: Lambda has an event for us, telemetry arrives, a flush ends, a timer runs
//! out. After each, [`Pipeline::act`] asks [`decide`] until it says to wait.

use std::sync::Arc;
use std::time::Duration;

use backstop_config::{FlushSettings, InitializationType};
use backstop_delivery::{
    Batch, Chain, Clock, DropReason, Phase, SharedLedger, Wall, WindowControl, WindowView,
};
use backstop_telemetry::{Kind, Platform, decode};
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Fuse, FusedFuture as _};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::buffer::{Buffer, Handover};
use crate::diagnostics::Log;
use crate::lifecycle::api::{ApiError, Event, Lifecycle};
use crate::lifecycle::flush::{Action, Manner, Situation, Stage, decide};
use crate::lifecycle::rate::Rate;
use crate::source::{Inbox, MOST_BODY_BYTES};
use crate::transform::Enricher;

/// Of Lambda's 2 s at shutdown, what is left for writing the ledger and ending the process.
const SHUTDOWN_MARGIN: Duration = Duration::from_millis(300);
/// The longest we send at shutdown, whatever Lambda's deadline says.
const LONGEST_SHUTDOWN: Duration = Duration::from_millis(1700);
/// How long stragglers are waited for at shutdown when the last invocation has not been reported.
const STRAGGLERS: Duration = Duration::from_millis(300);
/// Before an invocation's deadline, what is left for calling `/next`.
const DEADLINE_MARGIN: Duration = Duration::from_millis(50);
/// Without an invocation's deadline (Managed Instances, init): longer than any attempt.
const NO_DEADLINE: Duration = Duration::from_mins(1);
/// News of the runtime's end that is older than this is not late: its clock is another.
const IMPLAUSIBLY_LATE: Duration = Duration::from_mins(1);
/// While memory runs short, a flush may not go on for longer than this without a sink taking anything,
/// and then has a little more for the next one.
const PRESSED: Duration = Duration::from_millis(500);
const PRESSED_REST: Duration = Duration::from_millis(300);
/// After a flush in which no sink took anything, the next try comes no sooner, unless the stage changes.
const STUCK: Duration = Duration::from_secs(1);

/// A flush under way; it ends with whoever waits for it.
#[derive(Debug)]
pub(crate) struct Flush(JoinHandle<Vec<Batch>>);

impl Drop for Flush {
    fn drop(&mut self) {
        self.0.abort();
    }
}

type NextEvent<L> = BoxFuture<'static, (L, Result<Event, ApiError>)>;

/// What the pipeline is made of.
#[derive(Debug)]
pub(crate) struct Parts<L> {
    pub(crate) api: L,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) chain: Arc<Chain>,
    pub(crate) ledger: SharedLedger,
    pub(crate) log: Log,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) window: (WindowControl, WindowView),
    pub(crate) flush: FlushSettings,
    pub(crate) buffer_max_bytes: usize,
    pub(crate) handover: Handover,
    pub(crate) initialization_type: InitializationType,
}

/// The loop's state.
pub(crate) struct Pipeline<L> {
    inbox: Arc<Inbox>,
    chain: Arc<Chain>,
    pub(crate) ledger: SharedLedger,
    log: Log,
    clock: Arc<dyn Clock>,
    window: WindowControl,
    window_view: WindowView,
    settings: FlushSettings,
    managed_instances: bool,
    restore_pending: bool,

    pub(crate) buffer: Buffer,
    handover: Handover,
    enricher: Enricher,
    rate: Rate,
    /// Our connection to Lambda, while `/next` is not called.
    api: Option<L>,
    next: Fuse<NextEvent<L>>,
    pub(crate) flush: Option<Flush>,
    invocation: Invocation,
    stuck_until: Option<Instant>,
    /// Records delivered so far, and when that number last changed.
    progress: (u64, Instant),
}

/// The invocation at hand; before the first one, init.
struct Invocation {
    request_id: String,
    manner: Manner,
    stage: Stage,
    /// Lambda's deadline, with a margin.
    ends: Instant,
    has_flushed: bool,
    is_reported: bool,
}

/// What ended the loop.
#[derive(Debug)]
pub(crate) enum End {
    Shutdown {
        reason: String,
        deadline_ms: u64,
    },
    /// Lambda answers no more: the environment is going away without a word.
    ApiGone(ApiError),
}

impl End {
    /// Whether `/tmp` goes with the environment. Otherwise Lambda may start us anew in it.
    fn is_for_good(&self) -> bool {
        matches!(self, Self::Shutdown { reason, .. } if reason == "spindown")
    }
}

impl<L: Lifecycle> Pipeline<L> {
    pub(crate) fn new(mut parts: Parts<L>) -> Self {
        let managed_instances = parts.initialization_type == InitializationType::ManagedInstances;
        // Managed Instances run invocations side by side and are never frozen.
        let manner = if managed_instances {
            Manner::Continuous
        } else {
            Manner::End
        };
        let (window, window_view) = parts.window;
        let mut buffer = Buffer::new(parts.buffer_max_bytes);
        let now = parts.clock.wall();
        parts.handover.inherit(&mut buffer, &parts.ledger, now);
        Self {
            inbox: parts.inbox,
            chain: parts.chain,
            ledger: parts.ledger,
            log: parts.log,
            clock: parts.clock,
            window,
            window_view,
            settings: parts.flush,
            managed_instances,
            restore_pending: parts.initialization_type == InitializationType::SnapStart,
            buffer,
            handover: parts.handover,
            enricher: Enricher::default(),
            rate: Rate::default(),
            api: None,
            next: parts.api.next().boxed().fuse(),
            flush: None,
            invocation: Invocation {
                request_id: String::new(),
                manner,
                stage: Stage::Handler,
                ends: Instant::now(),
                has_flushed: false,
                is_reported: true,
            },
            stuck_until: None,
            progress: (0, Instant::now()),
        }
    }

    /// Runs until Lambda shuts the environment down.
    pub(crate) async fn run(mut self) {
        let end = loop {
            if let Some(end) = self.turn().await {
                break end;
            }
        };
        self.shut_down(end).await;
    }

    /// Acts, and waits for one thing to happen. `Some` where it is the end.
    pub(crate) async fn turn(&mut self) -> Option<End> {
        self.act();
        let timer = self.timer();
        tokio::select! {
            biased;
            (api, event) = &mut self.next, if !self.next.is_terminated() => match event {
                Ok(Event::Invoke { request_id, deadline_ms }) => {
                    self.api = Some(api);
                    self.invoked(request_id, deadline_ms);
                }
                Ok(Event::Shutdown { shutdown_reason, deadline_ms }) => {
                    return Some(End::Shutdown { reason: shutdown_reason, deadline_ms });
                }
                Ok(Event::Other) => self.next = api.next().boxed().fuse(),
                Err(error) => return Some(End::ApiGone(error)),
            },
            () = self.inbox.arrival() => self.receive(),
            left = ended(&mut self.flush) => self.flushed(left),
            () = sleep_until(timer) => {}
        }
        None
    }

    /// An invocation begins: the handler runs from now on.
    fn invoked(&mut self, request_id: String, deadline_ms: u64) {
        let now = self.clock.wall();
        self.rate.record(now);
        self.window.thawed();
        if std::mem::take(&mut self.restore_pending) {
            self.restored();
        }
        let left = until(deadline_ms, now).saturating_sub(DEADLINE_MARGIN);
        self.invocation = Invocation {
            request_id,
            manner: Manner::of(self.settings.strategy, self.rate.is_often()),
            stage: Stage::Handler,
            ends: Instant::now() + left,
            has_flushed: false,
            is_reported: false,
        };
        self.stuck_until = None;
        self.window.set(Phase::Handler, self.invocation.ends);
        self.receive();
    }

    /// Takes in all that has arrived.
    fn receive(&mut self) {
        let mut has_received = false;
        while let Some(body) = self.inbox.pop() {
            has_received = true;
            self.take_in(&body);
            let shed = self.buffer.shed();
            if shed > 0 {
                self.ledger
                    .lock()
                    .drop_records(DropReason::BufferFull, shed as u64);
                self.log.error(
                    "Dropped records: the buffer is full and no sink takes them",
                    &json!({"records": shed, "bufferMaxBytes": self.buffer.max_bytes()}),
                );
                self.handover.strike(&mut self.buffer);
            }
        }
        let oversized = self.inbox.take_oversized();
        if oversized > 0 {
            self.log.error(
                "Refused a telemetry request that is too large",
                &json!({"requests": oversized, "maxBytes": MOST_BODY_BYTES}),
            );
        }
        self.hurry_when_pressed();
        self.tell_inbox();
        if has_received {
            self.handover.count(&self.ledger.lock());
        }
        if self.may_freeze() {
            self.handover.keep(&mut self.buffer);
        }
    }

    /// Whether Lambda may freeze us at any moment, with something left.
    fn may_freeze(&self) -> bool {
        self.api.is_none() || self.invocation.manner == Manner::Continuous
    }

    fn take_in(&mut self, body: &Bytes) {
        let now = self.clock.wall();
        let mut malformed = 0;
        for event in decode(body, &now.rfc3339()) {
            self.ledger.lock().receive(1);
            match &event.kind {
                Kind::OwnLine => {
                    self.ledger.lock().drop_records(DropReason::OwnLog, 1);
                    continue;
                }
                Kind::Malformed => malformed += 1,
                Kind::Platform(platform) => self.observe(platform),
                Kind::Function | Kind::Extension | Kind::Unknown => {}
            }
            let record = self.enricher.record(event.fragment);
            self.buffer.push(record, now);
        }
        if malformed > 0 {
            self.log.warn(
                "Telemetry that is not an event was kept as text",
                &json!({"records": malformed, "type": backstop_telemetry::MALFORMED}),
            );
        }
    }

    fn observe(&mut self, platform: &Platform) {
        let is_ours =
            |request_id: &str| request_id.is_empty() || request_id == self.invocation.request_id;
        match platform {
            Platform::RuntimeDone { request_id, time } if is_ours(request_id) => {
                if self.invocation.stage == Stage::Handler && !self.managed_instances {
                    self.runtime_done(time);
                }
            }
            Platform::Report { request_id } if is_ours(request_id) => {
                self.invocation.is_reported = true;
            }
            Platform::RestoreStart => {
                self.restore_pending = false;
                self.restored();
            }
            Platform::LogsDropped { records } => {
                self.ledger.lock().lose_upstream(*records);
                self.log.error(
                    "Lambda dropped telemetry before it reached us",
                    &json!({"records": records}),
                );
            }
            Platform::RuntimeDone { .. } | Platform::Report { .. } | Platform::Other => {}
        }
    }

    /// From here every millisecond is added to the invocation: the window closes at the user's bound,
    /// or at the function's own deadline where that comes first. It opened when the platform says it
    /// did: after a burst the news comes late, behind all the output before it.
    fn runtime_done(&mut self, time: &str) {
        self.invocation.stage = Stage::PostRuntime;
        self.stuck_until = None;
        let late = Wall::from_rfc3339(time)
            .map(|done| self.clock.wall().since(done))
            .filter(|late| *late < IMPLAUSIBLY_LATE)
            .unwrap_or_default();
        let ends = Instant::now() + self.settings.max_added.saturating_sub(late);
        self.window
            .set(Phase::PostRuntime, ends.min(self.invocation.ends));
    }

    fn restored(&mut self) {
        self.enricher.restored();
        self.chain.reset();
    }

    /// Does what the decision says, until it says to wait.
    fn act(&mut self) {
        loop {
            match decide(&self.situation()) {
                Action::Wait => return,
                Action::Flush => self.start_flush(),
                Action::BeReady => {
                    let Some(api) = self.api.take() else { return };
                    self.handover.keep(&mut self.buffer);
                    self.next = api.next().boxed().fuse();
                }
            }
        }
    }

    fn situation(&self) -> Situation {
        let now = Instant::now();
        Situation {
            manner: self.invocation.manner,
            stage: self.invocation.stage,
            ready: self.api.is_none(),
            sending: self.flush.is_some(),
            has_flushed: self.invocation.has_flushed,
            pending: self.buffer.pending_bytes(),
            age: self.buffer.age(self.clock.wall()),
            interval: self.settings.interval,
            stuck: self.stuck_until.is_some_and(|until| now < until),
            wants_probe: self.chain.wants_probe(),
            in_time: now < self.stage_ends(),
        }
    }

    /// When the stage is over. While the handler runs the window may be nearer, for one flush.
    fn stage_ends(&self) -> Instant {
        match self.invocation.stage {
            Stage::Handler => self.invocation.ends,
            Stage::PostRuntime => self.window.current().ends,
        }
    }

    fn start_flush(&mut self) {
        let now = Instant::now();
        let is_bounded = self.api.is_some() && !self.managed_instances;
        match (self.window.current().phase, self.invocation.stage) {
            (Phase::Shutdown, _) => {}
            // No invocation bounds it; a freeze may interrupt it, and the thaw is noticed.
            _ if !is_bounded => self.window.set(Phase::Handler, now + NO_DEADLINE),
            (_, Stage::Handler) => self.window.set(Phase::Handler, self.invocation.ends),
            (_, Stage::PostRuntime) => {}
        }
        self.invocation.has_flushed = true;
        self.progress.1 = now;
        self.handover.flush_begins(&self.ledger.lock());
        let batches = self.buffer.take(self.clock.wall());
        let (chain, window) = (self.chain.clone(), self.window_view.clone());
        let flush = async move { chain.flush(batches, &window).await };
        self.flush = Some(Flush(tokio::spawn(flush)));
        self.tell_inbox();
    }

    fn flushed(&mut self, left: Vec<Batch>) {
        self.flush = None;
        let in_vain = !left.is_empty() && self.buffer.is_all_that_was_out(&left);
        self.stuck_until = in_vain.then(|| Instant::now() + STUCK);
        self.buffer.settle(left, self.clock.wall());
        let handover = &mut self.handover;
        handover.flush_is_over(&mut self.buffer, &self.ledger.lock());
        self.tell_inbox();
    }

    /// A burst fills the buffer faster than a sink that hangs is given up: it is given up sooner.
    fn hurry_when_pressed(&mut self) {
        let now = Instant::now();
        let delivered = self.ledger.lock().delivered_in_all();
        if delivered != self.progress.0 || self.flush.is_none() {
            self.progress = (delivered, now);
        }
        let window = self.window.current();
        let is_pressed = self.buffer.held_bytes() > self.buffer.max_bytes() / 2;
        let ends = now + PRESSED_REST;
        if is_pressed
            && now >= self.progress.1 + PRESSED
            && window.phase == Phase::Handler
            && window.ends > ends
        {
            self.progress.1 = now;
            self.window.set(Phase::Handler, ends);
        }
    }

    /// Holding back helps only while something is being sent: what Lambda has to say next may be what
    /// the sending waits for, such as that the runtime is done.
    fn tell_inbox(&self) {
        let draining = self.flush.is_some() && self.chain.is_open_for_business();
        self.inbox.observe(self.buffer.held_bytes(), draining);
    }

    /// When to look again though nothing happened.
    fn timer(&self) -> Instant {
        let now = Instant::now();
        let mut at = now + NO_DEADLINE;
        if self.buffer.pending_bytes() > 0 && self.flush.is_none() {
            if let Some(until) = self.stuck_until.filter(|until| *until > now) {
                at = at.min(until);
            } else if self.invocation.manner == Manner::Continuous {
                let age = self.buffer.age(self.clock.wall());
                at = at.min(now + self.settings.interval.saturating_sub(age));
            }
        }
        if self.api.is_some() && now < self.stage_ends() {
            at = at.min(self.stage_ends());
        }
        at
    }

    /// Sends what is left in what Lambda leaves us, and closes the books.
    pub(crate) async fn shut_down(mut self, end: End) {
        let now = Instant::now();
        let budget = match &end {
            End::Shutdown { deadline_ms, .. } => until(*deadline_ms, self.clock.wall())
                .saturating_sub(SHUTDOWN_MARGIN)
                .min(LONGEST_SHUTDOWN),
            End::ApiGone(_) => LONGEST_SHUTDOWN,
        };
        let ends = now + budget;
        self.window.set(Phase::Shutdown, ends);
        self.await_stragglers(ends.min(now + STRAGGLERS)).await;
        if !end.is_for_good() {
            // Lambda's patience may end before ours.
            self.handover.keep(&mut self.buffer);
        }
        self.leave_time_for_the_rest(ends);
        self.finish_flush(ends).await;
        loop {
            self.receive();
            if self.buffer.pending_bytes() == 0 {
                break;
            }
            self.start_flush();
            self.leave_time_for_the_rest(ends);
            // What came back has been refused by every sink, breakers or not.
            if !self.finish_flush(ends).await {
                break;
            }
        }
        self.close_books(&end);
    }

    /// A sink that hangs must not cost those records their chance that wait behind this flush.
    fn leave_time_for_the_rest(&self, ends: Instant) {
        let now = Instant::now();
        let share = if self.flush.is_some() && self.buffer.pending_bytes() > 0 {
            ends.saturating_duration_since(now) / 2
        } else {
            ends.saturating_duration_since(now)
        };
        self.window.set(Phase::Shutdown, now + share);
    }

    /// Waits for the flush under way. True where every record in it was settled.
    async fn finish_flush(&mut self, ends: Instant) -> bool {
        let Some(mut flush) = self.flush.take() else {
            return true;
        };
        // Attempts end with the window by themselves; this is for one that would not.
        let Ok(Ok(left)) = timeout_at(ends + SHUTDOWN_MARGIN / 3, &mut flush.0).await else {
            return false;
        };
        let all_settled = left.is_empty();
        self.flushed(left);
        all_settled
    }

    /// On Lambda the last telemetry may come after SHUTDOWN. The report of the last invocation is
    /// the last of all, so nothing is waited for once it is here.
    async fn await_stragglers(&mut self, ends: Instant) {
        self.receive();
        while !self.invocation.is_reported {
            if timeout_at(ends, self.inbox.arrival()).await.is_err() {
                return;
            }
            self.receive();
        }
    }

    fn close_books(&mut self, end: &End) {
        let held = self.buffer.held_records() as u64;
        if !self.ledger.lock().adds_up(held) {
            // A bug of ours; better seen than hidden.
            self.log
                .error("The ledger does not add up", &json!({"held": held}));
        }
        let left = self.ledger.lock().pending();
        let why = match end {
            End::Shutdown { reason, .. } => reason.clone(),
            End::ApiGone(error) => error.to_string(),
        };
        let details = json!({"records": left, "shutdown": why});
        if left == 0 {
            self.handover.clear();
        } else if !end.is_for_good() && self.handover.leave(&mut self.buffer) {
            self.log.warn(
                "No sink has taken some records: they wait in the spool for the next run of this environment",
                &details,
            );
        } else {
            self.handover.clear();
            self.ledger.lock().drop_records(DropReason::Shutdown, left);
            self.log.error(
                "Lost records: the environment ends and no sink has taken them",
                &details,
            );
        }
        self.log.ledger(&self.ledger.lock().line());
        self.handover.reported();
    }
}

/// Waits for the flush under way; for ever where there is none.
async fn ended(flush: &mut Option<Flush>) -> Vec<Batch> {
    match flush {
        Some(flush) => (&mut flush.0).await.unwrap_or_default(),
        None => std::future::pending().await,
    }
}

/// From now to an instant that Lambda gives in milliseconds since the epoch.
fn until(deadline_ms: u64, now: Wall) -> Duration {
    Duration::from_millis(deadline_ms).saturating_sub(now.0)
}
