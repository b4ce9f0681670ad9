//! The flush under way: how it begins, what bounds it, and what comes back of it.
//!
//! Invariant: there is one at a time, and it ends with the pipeline.

use std::time::Duration;

use backstop_delivery::{Batch, Phase};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Pipeline;
use crate::lifecycle::api::Lifecycle;
use crate::lifecycle::flush::Stage;
use crate::lifecycle::invocation::NO_DEADLINE;

/// While memory runs short, a flush may not go on for longer than this without a sink taking anything,
/// and then has a little more for the next one.
const PRESSED: Duration = Duration::from_millis(500);
const PRESSED_REST: Duration = Duration::from_millis(300);
/// After a flush in which no sink took anything, the next try comes no sooner, unless the stage changes.
const STUCK: Duration = Duration::from_secs(1);

/// A flush in progress. Dropping it ends the flush.
#[derive(Debug)]
pub(crate) struct Flush(pub(super) JoinHandle<Vec<Batch>>);

impl Drop for Flush {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<L: Lifecycle> Pipeline<L> {
    pub(super) fn start_flush(&mut self) {
        let now = Instant::now();
        let is_bounded = self.api.is_some() && !self.managed_instances;
        match (self.window.current().phase, self.invocation.stage) {
            (Phase::Shutdown, _) => {}
            // No invocation bounds it; a freeze may interrupt it, and the thaw is noticed.
            _ if !is_bounded => self.window.set(Phase::Handler, now + NO_DEADLINE),
            (_, Stage::Handler) => self.follow_handler_from_here(),
            (_, Stage::PostRuntime) => {}
        }
        self.invocation.has_flushed = true;
        self.progress.1 = now;
        self.join_repeats();
        self.handover.flush_begins(&self.ledger.lock());
        let batches = self.buffer.take(self.clock.wall());
        let (chain, window) = (self.chain.clone(), self.window_view.clone());
        let flush = async move { chain.flush(batches, &window).await };
        self.flush = Some(Flush(tokio::spawn(flush)));
        self.update_inbox();
    }

    pub(super) fn flushed(&mut self, left: Vec<Batch>) {
        self.flush = None;
        let is_stuck = !left.is_empty() && self.buffer.is_all_in_flight(&left);
        self.stuck_until = is_stuck.then(|| Instant::now() + STUCK);
        self.buffer.settle(left, self.clock.wall());
        self.join_repeats();
        let handover = &mut self.handover;
        handover.flush_is_over(&mut self.buffer, &self.ledger.lock());
        if self.is_taking_deferred() {
            self.inbox.wake();
        }
        self.update_inbox();
    }

    /// A burst fills the buffer faster than a sink that hangs is given up: it is given up sooner.
    pub(super) fn flush_under_pressure(&mut self) {
        let now = Instant::now();
        let delivered = self.ledger.lock().delivered_in_all();
        if delivered != self.progress.0 || self.flush.is_none() {
            self.progress = (delivered, now);
        }
        let window = self.window.current();
        let is_pressed = self.urgent_bytes() > self.buffer.max_bytes() / 2;
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
    pub(super) fn update_inbox(&self) {
        let draining = self.flush.is_some() && self.chain.can_deliver();
        let draining = draining && (!self.defers() || self.is_taking_deferred());
        let waiting = self.urgent_bytes() + self.deferred_bytes_to_leave();
        self.inbox.observe(waiting, draining);
    }

    /// The bytes for which something else is to hurry or to wait. Not what is for the archive only while no
    /// fallback takes any: it would slow the function down for as long as that lasts, and is dropped first.
    fn urgent_bytes(&self) -> usize {
        let held = self.buffer.held_bytes();
        if self.chain.can_archive() {
            held
        } else {
            held - self.buffer.archived_bytes()
        }
    }
}

/// Waits for the flush under way; without end where there is none.
pub(super) async fn ended(flush: &mut Option<Flush>) -> Vec<Batch> {
    match flush {
        Some(flush) => (&mut flush.0).await.unwrap_or_default(),
        None => std::future::pending().await,
    }
}
