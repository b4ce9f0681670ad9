//! The time a flush has: a deadline that moves while attempts are under way.
//!
//! A flush that begins while the handler runs has until the invocation's deadline; when the runtime
//! finishes, the same flush has only what the user allows to be added; at shutdown, what Lambda
//! leaves. The lifecycle moves the window through [`WindowControl`]; attempts watch it through
//! [`WindowView`].

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::outcome::Failure;
use crate::phase::Phase;
use crate::share;

/// A deadline and what it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// When sending must be over.
    pub ends: Instant,
    /// The phase it is for.
    pub phase: Phase,
    /// Grows with each thaw. A request that was under way across one may have lost its connection.
    pub epoch: u64,
}

/// Moves the window.
#[derive(Debug)]
pub struct WindowControl(watch::Sender<Window>);

/// Watches the window.
#[derive(Debug, Clone)]
pub struct WindowView(watch::Receiver<Window>);

/// What bounds one attempt besides the window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    /// The sink's own time-out.
    pub(crate) until: Instant,
    /// What the sinks after this one must have left.
    pub(crate) reserve: Duration,
    /// The same from the moment that the environment is taken down, where each of them counts.
    pub(crate) shutdown_reserve: Duration,
    /// The epoch in which the attempt began.
    pub(crate) epoch: u64,
    /// What the sink usually needs: outside of shutdown no reserve cuts an attempt shorter, since the
    /// batch would only be sent twice.
    pub(crate) needs: Duration,
    /// When the attempt began.
    pub(crate) started: Instant,
    /// How long after a thaw an answer to a request from before it is waited for.
    pub(crate) thaw_grace: Duration,
    /// For a probe: how long after the handler's run it may still be answered.
    pub(crate) probe_grace: Option<Duration>,
}

impl WindowControl {
    /// A window that starts as `window`.
    pub fn new(window: Window) -> (Self, WindowView) {
        let (sender, receiver) = watch::channel(window);
        (Self(sender), WindowView(receiver))
    }

    /// Moves the window's end and phase.
    pub fn set(&self, phase: Phase, ends: Instant) {
        self.0.send_modify(|window| {
            window.phase = phase;
            window.ends = ends;
        });
    }

    /// Notes that the environment may have been frozen and thawed.
    pub fn thawed(&self) {
        self.0
            .send_modify(|window| window.epoch = window.epoch.wrapping_add(1));
    }

    /// The window as it is.
    pub fn current(&self) -> Window {
        *self.0.borrow()
    }
}

impl WindowView {
    /// The window as it is.
    pub fn current(&self) -> Window {
        *self.0.borrow()
    }

    /// The time left, less `reserve`.
    pub(crate) fn left(&self, reserve: Duration) -> Duration {
        self.current()
            .ends
            .saturating_duration_since(Instant::now())
            .saturating_sub(reserve)
    }

    /// Resolves when another phase than now's becomes this one.
    pub(crate) async fn becomes(&mut self, phase: Phase) {
        let started_in = self.current().phase;
        let is_there = |window: &Window| window.phase == phase && phase != started_in;
        if self.0.wait_for(is_there).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Resolves when an attempt under `limit` must end, and says why.
    pub(crate) async fn cut(&mut self, limit: Limit) -> Failure {
        let mut thawed_at = None;
        let mut handler_done_at = None;
        loop {
            let window = *self.0.borrow_and_update();
            let reserve = match window.phase {
                Phase::Shutdown => {
                    let left = window.ends.saturating_duration_since(Instant::now());
                    share::kept(limit.shutdown_reserve, left)
                }
                Phase::Handler | Phase::PostRuntime => limit.reserve,
            };
            let mut window_end = window.ends.checked_sub(reserve).unwrap_or(window.ends);
            if window.phase != Phase::Shutdown {
                let enough = limit.started.checked_add(limit.needs);
                window_end = window_end.max(enough.unwrap_or(window.ends).min(window.ends));
            }
            let mut end = (limit.until.min(window_end), Failure::TimedOut);
            if let Some(grace) = limit.probe_grace
                && window.phase != Phase::Handler
            {
                let handler_done_at = *handler_done_at.get_or_insert_with(Instant::now);
                end.0 = end
                    .0
                    .min(handler_done_at.checked_add(grace).unwrap_or(end.0));
            }
            if window.epoch != limit.epoch {
                let thawed_at = *thawed_at.get_or_insert_with(Instant::now);
                let grace_ends = thawed_at + limit.thaw_grace;
                if grace_ends < end.0 {
                    end = (grace_ends, Failure::Thawed);
                }
            }
            tokio::select! {
                () = sleep_until(end.0) => return end.1,
                changed = self.0.changed() => {
                    if changed.is_err() {
                        // Nobody is left to move the window: it stays as it is.
                        sleep_until(end.0).await;
                        return end.1;
                    }
                }
            }
        }
    }
}
