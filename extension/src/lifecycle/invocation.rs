//! The invocation at hand: what is known of it, and how long `/next` may be held for it.
//!
//! Invariant: where the report of the runtime's end cannot be expected, the hold ends soon after the last
//! sign that the handler ran. Must not know sinks or buffers.

use std::time::Duration;

use backstop_delivery::Wall;
use tokio::time::Instant;

use super::clocks::{InvocationStart, Timeout};
use super::flush::{FlushMode, Stage};

/// Without an invocation's deadline (Managed Instances, init): longer than any attempt.
pub(crate) const NO_DEADLINE: Duration = Duration::from_mins(1);

/// The invocation at hand; before the first one, init.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(crate) struct Invocation {
    pub(crate) request_id: String,
    pub(crate) mode: FlushMode,
    pub(crate) stage: Stage,
    began: InvocationStart,
    /// Lambda's deadline, with a margin; `None` where it is not known.
    ends: Option<Instant>,
    /// The last sign that the handler ran.
    alive: Instant,
    /// The report of the runtime's end may be among what Lambda or we have dropped.
    may_miss_runtime_done: bool,
    pub(crate) has_flushed: bool,
    pub(crate) is_reported: bool,
    /// The last body of telemetry was far behind: one may be late, and two in a row are a backlog.
    pub(crate) was_late: bool,
    /// Telemetry is so far behind that the runtime counts as done, though nothing has said so.
    pub(crate) is_behind: bool,
    /// The last flush ended for that, which says nothing of the sinks, and more telemetry is on its way.
    pub(crate) was_cut: bool,
}

impl Invocation {
    /// Before the first invocation.
    pub(crate) fn init(mode: FlushMode) -> Self {
        let now = Instant::now();
        Self {
            request_id: String::new(),
            mode,
            stage: Stage::Handler,
            began: InvocationStart::new(now, Wall::default(), 0),
            ends: Some(now),
            alive: now,
            may_miss_runtime_done: false,
            has_flushed: false,
            is_reported: true,
            was_late: false,
            is_behind: false,
            was_cut: false,
        }
    }

    /// INVOKE has just arrived.
    pub(crate) fn new(
        request_id: String,
        mode: FlushMode,
        began: InvocationStart,
        timeout: Timeout,
    ) -> Self {
        Self {
            request_id,
            mode,
            stage: Stage::Handler,
            ends: began.ends(timeout),
            alive: began.at(),
            began,
            may_miss_runtime_done: false,
            has_flushed: false,
            is_reported: false,
            was_late: false,
            is_behind: false,
            was_cut: false,
        }
    }

    /// Whether no INVOKE has arrived yet.
    pub(crate) fn is_init(&self) -> bool {
        self.began.wall() == Wall::default()
    }

    /// When INVOKE arrived, by the wall clock.
    pub(crate) fn began(&self) -> Wall {
        self.began.wall()
    }

    /// Whether a record with this id is about this invocation. Some platforms give none.
    pub(crate) fn is_about(&self, request_id: &str) -> bool {
        request_id.is_empty() || request_id == self.request_id
    }

    /// The handler has just shown that it runs.
    pub(crate) fn note_activity(&mut self, now: Instant) {
        self.alive = now;
    }

    /// The platform says when it started.
    pub(crate) fn started(&mut self, time: &str, timeout: Timeout) {
        self.began.started(Wall::from_rfc3339(time));
        self.ends = self.began.ends(timeout);
    }

    /// It is over: what it has shown of the function's timeout.
    pub(crate) fn update_timeout(&self, timeout: &mut Timeout) {
        self.began.update_timeout(timeout);
    }

    /// Telemetry was dropped, and with it perhaps the report of the runtime's end.
    pub(crate) fn lose_runtime_done(&mut self) {
        self.may_miss_runtime_done = true;
    }

    /// Whether the report of the runtime's end is worth waiting for, where it can be expected at all.
    pub(crate) fn is_bounded(&self) -> bool {
        self.ends.is_some() && !self.may_miss_runtime_done
    }

    /// When the invocation must be over.
    pub(crate) fn ends(&self) -> Instant {
        self.ends.unwrap_or(self.began.at() + NO_DEADLINE)
    }

    /// When the handler's stage is over, for all we know: at the deadline where the report of its end can
    /// be expected; else it may have ended with its last sign, from where the user's bound counts.
    pub(crate) fn handler_ends(
        &self,
        is_runtime_done_expected: bool,
        max_added: Duration,
    ) -> Instant {
        if is_runtime_done_expected && self.is_bounded() {
            self.ends()
        } else {
            self.ends().min(self.alive + max_added)
        }
    }

    /// How long ago the runtime was done, when the platform gives that time.
    pub(crate) fn since_done(&self, time: &str, now: Instant, wall: Wall) -> Duration {
        self.began.since_done(Wall::from_rfc3339(time), now, wall)
    }

    /// How long ago the handler may have ended, once telemetry up to this time was read.
    pub(crate) fn since_read(&self, read: Wall, now: Instant, wall: Wall) -> Duration {
        self.began.since_read(read, now, wall)
    }
}
