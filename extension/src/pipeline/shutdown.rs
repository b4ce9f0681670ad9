//! The end: sends the remaining records in the time that Lambda leaves, and closes the ledger.
//!
//! Invariants: the ledger line is written, whatever else fails; what the listener has acknowledged is in
//! it, and what comes later is refused.

use std::time::Duration;

use backstop_delivery::{DropReason, Phase};
use serde_json::json;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use super::Pipeline;
use super::deferred::asked;
use super::flight::ended;
use crate::lifecycle::api::{ApiError, Lifecycle};
use crate::lifecycle::clocks::shutdown_budget;

/// How long stragglers are waited for at shutdown when the last invocation has not been reported.
const STRAGGLERS: Duration = Duration::from_millis(300);
/// What is left to records behind the last flush where they have no other sink.
const LEAST_REST: Duration = Duration::from_millis(300);
/// Attempts end with the window; this is for one that would not.
const OVERTIME: Duration = Duration::from_millis(100);
/// Turns of the runtime in which the listener writes the acknowledgements that were held back.
const LAST_TURNS: usize = 8;

/// What ended the loop.
#[derive(Debug)]
pub(crate) enum End {
    Shutdown {
        reason: String,
        deadline_ms: u64,
    },
    /// Lambda answers no more: the environment is going away without a word.
    ApiGone(ApiError),
    /// SIGTERM, from a container's runtime or an emulator.
    Terminated,
}

impl End {
    /// Whether `/tmp` goes with the environment. Otherwise Lambda may start us again in it.
    fn is_for_good(&self) -> bool {
        matches!(self, Self::Shutdown { reason, .. } if reason == "spindown")
    }
}

impl<L: Lifecycle> Pipeline<L> {
    /// Sends the remaining records in the time that Lambda leaves, and closes the ledger.
    pub(crate) async fn shut_down(mut self, end: End) {
        let now = Instant::now();
        let deadline_ms = match &end {
            End::Shutdown { deadline_ms, .. } => *deadline_ms,
            End::ApiGone(_) | End::Terminated => 0,
        };
        if let End::ApiGone(error) = &end {
            self.log.warn(
                "Lambda's API answers no more: ending as at SHUTDOWN",
                &json!({"error": error.to_string()}),
            );
        }
        // From here on Lambda's patience may end at any moment.
        self.api = None;
        self.is_last_run = end.is_for_good();
        self.inbox.narrow();
        let ends = now + shutdown_budget(deadline_ms, self.clock.wall());
        self.window.set(Phase::Shutdown, ends);
        self.ask_at_last();
        self.receive();
        self.end_sampling();
        self.publish_before_remaining();
        self.send_remaining(ends, ends.min(now + STRAGGLERS)).await;
        self.flush = None;
        // What comes from now on is not acknowledged.
        self.inbox.close();
        if !self.inbox.is_empty() || self.is_taking_deferred() {
            while !self.inbox.is_empty() || self.is_taking_deferred() {
                self.receive();
            }
            self.send_remaining(ends, now).await;
            self.flush = None;
        }
        for _ in 0..LAST_TURNS {
            yield_now().await;
        }
        self.close_ledger(&end);
    }

    /// Receives and sends until nothing is left to do, or the time is over. On Lambda the last telemetry
    /// may come after SHUTDOWN; the report of the last invocation is the last of all, so that nothing is
    /// waited for once it is here.
    async fn send_remaining(&mut self, ends: Instant, stragglers: Instant) {
        // Of a flush that began here: whether something came back, and how it moved the queue behind it.
        // One that SHUTDOWN found under way says nothing: it had less time.
        let mut is_ours = false;
        let mut is_refused = false;
        let mut queue = (0, 0);
        let mut arrived: Option<Instant> = None;
        loop {
            self.receive();
            let now = Instant::now();
            if now >= ends + OVERTIME {
                return;
            }
            let waits = !self.invocation.is_reported && now < stragglers;
            // An answer is of use for as long as something can be sent.
            let asks = self.is_asking() && now < ends;
            // Of a backlog one body follows the other, up to the report.
            let follows = arrived.map(|at| (at + STRAGGLERS).min(ends));
            let follows = follows.filter(|until| now < *until && !self.invocation.is_reported);
            if self.flush.is_none() && !waits {
                self.report_insights(true);
                // What came back has been refused by every sink, breakers or not: only what they have not
                // been asked for yet is worth another flush, while that gets somewhere.
                let unsent = self.buffer.unsent();
                let (before, behind) = queue;
                let is_stuck = unsent == 0 || (unsent <= behind && behind == before);
                let is_done = self.buffer.pending_bytes() == 0 || (is_refused && is_stuck);
                if now >= ends || (is_done && !asks && follows.is_none()) {
                    return;
                }
                if !is_done {
                    self.window.set(Phase::Shutdown, ends);
                    self.start_flush();
                    is_ours = true;
                    queue = (unsent, self.buffer.unsent());
                }
            }
            self.leave_time_for_the_rest(ends);
            let timer = match (waits, asks, follows) {
                (true, _, _) => stragglers,
                (false, true, _) => ends,
                (false, false, Some(until)) if self.flush.is_none() => until,
                (false, false, _) => ends + OVERTIME,
            };
            tokio::select! {
                biased;
                left = ended(&mut self.flush) => {
                    is_refused = is_ours && !left.is_empty();
                    self.flushed(left);
                }
                answer = asked(&mut self.deferred) => self.heard_at_last(answer),
                () = self.inbox.arrival() => {
                    arrived = Some(Instant::now());
                    yield_now().await;
                }
                () = sleep_until(timer) => if !waits && !asks && follows.is_none() {
                    return;
                }
            }
        }
    }

    /// A sink that hangs must not cost those records their chance that wait behind this flush: they are left half of the
    /// time. Where there is no fallback, the same sink is theirs, and would have to be faster with them: they are left
    /// little, so that a slow one is not cut off twice.
    fn leave_time_for_the_rest(&self, ends: Instant) {
        let rest = self.buffer.pending_bytes() + self.deferred_bytes();
        if self.flush.is_some() && (rest > 0 || self.owes_report()) {
            let now = Instant::now();
            let left = ends.saturating_duration_since(now);
            let rest = if self.chain.has_fallback() {
                left / 2
            } else {
                LEAST_REST.min(left / 2)
            };
            let window = self.window.current().ends;
            self.window.set(Phase::Shutdown, (ends - rest).min(window));
        }
    }

    fn close_ledger(&mut self, end: &End) {
        self.lose_deferred();
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
            End::Terminated => "SIGTERM".to_owned(),
        };
        let lost = if left == 0 || end.is_for_good() {
            self.handover.clear();
            left
        } else {
            self.join_repeats();
            self.handover.leave(&mut self.buffer).min(left)
        };
        if lost > 0 {
            self.ledger.lock().drop_records(DropReason::Shutdown, lost);
            self.log.error(
                "Lost records: the environment ends and no sink has taken them",
                &json!({"records": lost, "shutdown": why}),
            );
        }
        if left > lost {
            self.log.warn(
                "No sink has taken some records: they wait in the spool for the next run of this environment",
                &json!({"records": left - lost, "shutdown": why}),
            );
        }
        let redacted = self.transforms.redacted().iter().cloned();
        self.ledger.lock().set_redacted(redacted);
        self.log.ledger(&self.ledger.lock().line());
        self.publish_remaining();
        self.handover.reported();
    }
}
