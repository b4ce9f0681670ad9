//! The pipeline: one loop that waits for what comes next and lets the pure decisions decide.
//!
//! Four things can happen: Lambda has an event for us, telemetry arrives, a flush ends, a timer runs
//! out. After each, [`Pipeline::act`] asks [`decide`] until it says to wait.

use std::sync::Arc;
use std::time::Duration;

use backstop_config::{FlushSettings, InitializationType};
use backstop_delivery::{Chain, Clock, Phase, SharedLedger, Wall, WindowControl, WindowView};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Fuse, FusedFuture as _};
use tokio::time::{Instant, sleep_until};

use crate::buffer::{Buffer, Handover};
use crate::diagnostics::Log;
use crate::lifecycle::api::{ApiError, Event, Lifecycle};
use crate::lifecycle::flush::{Action, Manner, Situation, Stage, decide};
use crate::lifecycle::invocation::Invocation;
use crate::lifecycle::rate::Rate;
use crate::source::Inbox;
use crate::transform::Enricher;

mod flight;
mod intake;
mod shutdown;

pub(crate) use flight::Flush;
use flight::ended;
pub(crate) use shutdown::End;

/// Before an invocation's deadline, what is left for calling `/next`.
const DEADLINE_MARGIN: Duration = Duration::from_millis(50);
/// Without an invocation's deadline (Managed Instances, init): longer than any attempt.
const NO_DEADLINE: Duration = Duration::from_mins(1);
/// News of the runtime's end that is older than this is not late: its clock is another.
const IMPLAUSIBLY_LATE: Duration = Duration::from_mins(1);
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
}

/// From now to an instant that Lambda gives in milliseconds since the epoch.
fn until(deadline_ms: u64, now: Wall) -> Duration {
    Duration::from_millis(deadline_ms).saturating_sub(now.0)
}
