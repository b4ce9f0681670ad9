//! The pipeline: one loop that waits for what comes next and lets the pure decisions decide.
//!
//! Six things can happen: Lambda has an event for us, telemetry arrives, a flush ends, a parameter is
//! read, a timer runs out, the process is asked to end. After each, [`Pipeline::act`] asks [`decide`] until it says to wait.

use std::sync::Arc;
use std::time::Duration;

use backstop_config::{FlushSettings, InitializationType};
use backstop_delivery::{Chain, Clock, Phase, SharedLedger, Wall, WindowControl, WindowView};
use backstop_sinks::Classifier;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Fuse, FusedFuture as _};
use serde_json::json;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use crate::buffer::{Buffer, Handover};
use crate::diagnostics::Log;
use crate::lifecycle::api::{ApiError, Event, Lifecycle};
use crate::lifecycle::clocks::{InvocationStart, Timeout};
use crate::lifecycle::flush::{Action, FlushInputs, FlushMode, Stage, decide};
use crate::lifecycle::invocation::{Invocation, NO_DEADLINE};
use crate::lifecycle::rate::Rate;
use crate::lifecycle::runtime_done::RuntimeDoneTracker;
use crate::metrics::Metrics;
use crate::source::Inbox;
use crate::transform::{Deriver, Enricher};

mod deferred;
mod flight;
mod insights;
mod intake;
mod parameter;
mod posted;
mod publish;
mod routes;
mod shutdown;
mod transforms;

use deferred::{Deferred, asked};
pub(crate) use flight::Flush;
use flight::ended;
pub(crate) use intake::Wanted;
#[cfg(test)]
pub(crate) use parameter::{Ask, Late};
pub(crate) use parameter::{Unknown, asks};
pub(crate) use routes::Routes;
pub(crate) use shutdown::End;
pub(crate) use transforms::TransformStage;

/// A flush gives up this long before its time is up, at most: no attempt begins with less.
const LEAST_HOLD: Duration = Duration::from_millis(100);
/// Telemetry that is less far behind the handler is on its way as usual.
const LEAST_BACKLOG: Duration = Duration::from_millis(250);

type NextEvent<L> = BoxFuture<'static, (L, Result<Event, ApiError>)>;

/// What the pipeline is made of.
pub(crate) struct Parts<L> {
    pub(crate) api: L,
    /// Resolves when the process is asked to end without a SHUTDOWN.
    pub(crate) stop: BoxFuture<'static, ()>,
    pub(crate) wanted: Wanted,
    pub(crate) deriver: Deriver,
    pub(crate) classifier: Classifier,
    pub(crate) transforms: TransformStage,
    pub(crate) metrics: Metrics,
    pub(crate) routes: Routes,
    /// Why transforms and routes are not these, but unknown yet.
    pub(crate) unknown: Option<Unknown>,
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
    wanted: Wanted,
    deriver: Deriver,
    classifier: Classifier,
    transforms: TransformStage,
    metrics: Metrics,
    routes: Routes,
    /// What waits for these two.
    deferred: Option<Deferred>,
    managed_instances: bool,
    restore_pending: bool,

    pub(crate) buffer: Buffer,
    handover: Handover,
    /// The environment ends for good: nothing needs to be kept for a next run.
    is_last_run: bool,
    enricher: Enricher,
    rate: Rate,
    /// Our connection to Lambda, while `/next` is not called.
    api: Option<L>,
    next: Fuse<NextEvent<L>>,
    stop: BoxFuture<'static, ()>,
    pub(crate) flush: Option<Flush>,
    invocation: Invocation,
    runtime_done: RuntimeDoneTracker,
    timeout: Timeout,
    /// Where the handler's stage was last seen to end.
    followed: Instant,
    stuck_until: Option<Instant>,
    /// When the runtime was done, while `/next` is held after it.
    held_since: Option<Instant>,
    /// Records delivered so far, and when that number last changed.
    progress: (u64, Instant),
}

impl<L: Lifecycle> Pipeline<L> {
    pub(crate) fn new(mut parts: Parts<L>) -> Self {
        let managed_instances = parts.initialization_type == InitializationType::ManagedInstances;
        // Managed Instances run invocations side by side and are never frozen.
        let mode = if managed_instances {
            FlushMode::Continuous
        } else {
            FlushMode::End
        };
        let (window, window_view) = parts.window;
        let mut buffer = Buffer::new(parts.buffer_max_bytes);
        let now = parts.clock.wall();
        let classifier = parts.classifier;
        let signal_of = |fragment: &[u8]| classifier.of_fragment(fragment);
        let inherited = parts
            .handover
            .inherit(&mut buffer, &parts.ledger, signal_of, now);
        parts.metrics.begin(&inherited, now);
        Self {
            inbox: parts.inbox,
            chain: parts.chain,
            ledger: parts.ledger,
            log: parts.log,
            clock: parts.clock,
            window,
            window_view,
            settings: parts.flush,
            wanted: parts.wanted,
            deriver: parts.deriver,
            classifier: parts.classifier,
            transforms: parts.transforms,
            metrics: parts.metrics,
            routes: parts.routes,
            deferred: parts.unknown.map(Deferred::new),
            managed_instances,
            restore_pending: parts.initialization_type == InitializationType::SnapStart,
            buffer,
            handover: parts.handover,
            is_last_run: false,
            enricher: Enricher::default(),
            rate: Rate::default(),
            api: None,
            next: parts.api.next().boxed().fuse(),
            stop: parts.stop,
            flush: None,
            invocation: Invocation::init(mode),
            runtime_done: RuntimeDoneTracker::default(),
            timeout: Timeout::default(),
            followed: Instant::now(),
            stuck_until: None,
            held_since: None,
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
        self.publish_when_due();
        if !self.inbox.is_empty() || self.is_taking_deferred() {
            // Between two turns of a burst everyone else has one.
            yield_now().await;
        }
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
            () = &mut self.stop => return Some(End::Terminated),
            // Before what arrives, which may be a flood.
            left = ended(&mut self.flush) => self.flushed(left),
            answer = asked(&mut self.deferred) => self.heard(answer),
            () = self.inbox.arrival() => self.receive(),
            () = sleep_until(timer) => {}
        }
        None
    }

    /// An invocation begins: the handler runs from now on.
    fn invoked(&mut self, request_id: String, deadline_ms: u64) {
        if request_id.is_empty() || deadline_ms == 0 {
            let details = json!({"requestId": request_id, "deadlineMs": deadline_ms});
            self.log.warn(
                "Lambda sent an INVOKE without an id or a deadline that can be read",
                &details,
            );
        }
        let wall = self.clock.wall();
        self.rate.record(wall);
        self.window.thawed();
        if std::mem::take(&mut self.restore_pending) {
            self.restored();
        }
        let mode = FlushMode::of(self.settings.strategy, self.rate.is_often());
        let began = InvocationStart::new(Instant::now(), wall, deadline_ms);
        self.is_over();
        self.invocation = Invocation::new(request_id, mode, began, self.timeout);
        self.stuck_until = None;
        self.held_since = None;
        let ahead = self.runtime_done.take_ahead(&self.invocation.request_id);
        if let Some(time) = ahead.started {
            self.invocation.started(&time, self.timeout);
        }
        self.follow_handler_from_here();
        if let Some(time) = ahead.done {
            self.runtime_done(&time);
        }
        self.receive();
        self.runtime_done.note_next_invocation();
        self.follow_handler();
    }

    /// The invocation at hand is over.
    fn is_over(&mut self) {
        let over = &mut self.invocation;
        over.update_timeout(&mut self.timeout);
        let request_id = std::mem::take(&mut over.request_id);
        if !request_id.is_empty() {
            let is_heard = over.stage == Stage::PostRuntime && !over.is_behind;
            self.runtime_done.note_end(request_id, is_heard);
        }
    }

    /// Whether the report of the runtime's end is worth holding `/next` for.
    fn is_end_expected(&self) -> bool {
        self.runtime_done.is_expected() && self.invocation.is_bounded()
    }

    fn handler_ends(&self) -> Instant {
        let is_expected = self.runtime_done.is_expected();
        self.invocation
            .handler_ends(is_expected, self.settings.max_added)
    }

    /// What is being sent has as long as the handler runs, for all we know.
    fn follow_handler_from_here(&mut self) {
        self.followed = self.handler_ends();
        self.window.set(Phase::Handler, self.followed);
    }

    /// More is known of when the handler ends: the window moves with it, unless it is another one, or was
    /// narrowed meanwhile.
    fn follow_handler(&mut self) {
        let window = self.window.current();
        let follows = window.phase == Phase::Handler && window.ends == self.followed;
        if follows && self.api.is_some() && self.invocation.stage == Stage::Handler {
            self.follow_handler_from_here();
        }
    }

    /// From here every millisecond is added to the invocation: the window closes at the user's bound,
    /// or at the function's own deadline where that comes first. It opened when the platform says it
    /// did: after a burst the event comes late, behind all the output before it.
    fn runtime_done(&mut self, time: &str) {
        let now = Instant::now();
        let late = self.invocation.since_done(time, now, self.clock.wall());
        if self.api.is_some() {
            self.held_since = now.checked_sub(late);
        }
        self.hold_for(self.settings.max_added.saturating_sub(late));
    }

    /// The runtime counts as done: `/next` is held for no longer than this.
    fn hold_for(&mut self, left: Duration) {
        self.invocation.stage = Stage::PostRuntime;
        self.stuck_until = None;
        let ends = (Instant::now() + left).min(self.invocation.ends());
        self.window.set(Phase::PostRuntime, ends);
    }

    /// Whether `/next` is held while the handler runs, for all we know.
    fn waits_for_runtime_done(&self) -> bool {
        let is_held = self.api.is_some() && !self.invocation.is_init() && !self.managed_instances;
        is_held && self.invocation.stage == Stage::Handler
    }

    /// A body with telemetry up to this time was read, and nothing in it says that the runtime is done. Where the
    /// second in a row is far behind, as after a burst on a small share of a core, the runtime may have been done for
    /// as long: it counts as that. Half of what is left of the user's bound is for what is being sent, the other half
    /// for the copy in the spool. What is read later is sent in the next invocation.
    fn note_backlog(&mut self, read: Wall) {
        if !self.waits_for_runtime_done() {
            return;
        }
        let behind = (self.invocation).since_read(read, Instant::now(), self.clock.wall());
        let max_added = self.settings.max_added;
        let is_late = behind >= LEAST_BACKLOG.max(max_added / 2);
        if is_late && self.invocation.was_late {
            self.invocation.is_behind = true;
            self.hold_for(max_added.saturating_sub(behind) / 2);
        }
        self.invocation.was_late = is_late;
    }

    fn restored(&mut self) {
        self.enricher.restored();
        self.transforms.restored();
        self.decide_invocations();
        self.chain.reset();
        self.ask_again();
    }

    /// Does what the decision says, until it says to wait.
    fn act(&mut self) {
        self.ask_when_due();
        loop {
            match decide(&self.flush_inputs()) {
                Action::Wait => return,
                Action::Flush => self.start_flush(),
                // What arrived before the runtime was done is taken in before `/next`, while there is time.
                Action::BeReady if self.is_receiving() && self.may_hold() => return,
                Action::BeReady if self.is_asking_first() && self.may_hold() => return,
                Action::BeReady => {
                    let Some(api) = self.api.take() else { return };
                    self.inbox.give_up_posts();
                    self.invocation.was_cut = self.invocation.is_behind;
                    self.note_added_time();
                    self.note_useless_hold();
                    self.note_held_for_parameter();
                    self.join_repeats();
                    self.handover.keep(&mut self.buffer, &self.ledger.lock());
                    self.next = api.next().boxed().fuse();
                }
            }
        }
    }

    fn flush_inputs(&self) -> FlushInputs {
        let now = Instant::now();
        FlushInputs {
            mode: self.invocation.mode,
            stage: self.invocation.stage,
            ready: self.api.is_none(),
            sending: self.flush.is_some(),
            has_flushed: self.invocation.has_flushed,
            pending: self.buffer.pending_bytes(),
            age: self.buffer.age(self.clock.wall()),
            interval: self.settings.interval,
            stuck: self.stuck_until.is_some_and(|until| now < until),
            wants_probe: (self.chain).wants_probe(|role, signal| self.buffer.has(role, signal)),
            in_time: now < self.stage_ends(),
            may_be_over: !self.is_end_expected(),
        }
    }

    /// Whether something has arrived that is not taken in, or is just arriving from the function itself.
    fn is_receiving(&self) -> bool {
        !self.inbox.is_empty() || self.inbox.is_posting() || self.is_taking_deferred()
    }

    /// Whether `/next` may still be held, where this invocation is held at all.
    fn may_hold(&self) -> bool {
        self.invocation.mode != FlushMode::Continuous && Instant::now() < self.stage_ends()
    }

    /// Notes whether the time is up, and the runtime's end was expected and not heard of. Where a flush gave up
    /// just before, as there was no time left for an attempt, the next INVOKE tells.
    fn note_useless_hold(&mut self) {
        let waits = self.invocation.mode != FlushMode::Continuous && self.is_end_expected();
        if waits && self.invocation.stage == Stage::Handler {
            if !self.may_hold() {
                self.runtime_done.held_without_event();
            }
            if Instant::now() + LEAST_HOLD >= self.stage_ends() {
                self.runtime_done.held_until_deadline();
            }
        }
    }

    /// When the stage is over. While the handler runs the window may be nearer, for one flush.
    fn stage_ends(&self) -> Instant {
        match self.invocation.stage {
            Stage::Handler => self.handler_ends(),
            Stage::PostRuntime => self.window.current().ends,
        }
    }

    /// When to look again though nothing happened.
    fn timer(&self) -> Instant {
        let now = Instant::now();
        let mut at = now + NO_DEADLINE;
        if self.buffer.pending_bytes() > 0 && self.flush.is_none() {
            if let Some(until) = self.stuck_until.filter(|until| *until > now) {
                at = at.min(until);
            } else if self.invocation.mode == FlushMode::Continuous {
                let age = self.buffer.age(self.clock.wall());
                at = at.min(now + self.settings.interval.saturating_sub(age));
            }
        }
        let wall = self.clock.wall();
        let waits = [self.metrics.due_in(wall), self.parameter_due_in(wall)];
        for wait in waits.into_iter().flatten() {
            at = at.min(now + wait);
        }
        if self.api.is_some() && now < self.stage_ends() {
            at = at.min(self.stage_ends());
        }
        at
    }
}
