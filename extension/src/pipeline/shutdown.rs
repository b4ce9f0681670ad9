//! The end: what is left is sent in what Lambda leaves us, and the books are closed.
//!
//! Invariant: the ledger line is written, whatever else fails.

use std::time::Duration;

use backstop_delivery::{DropReason, Phase};
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::{Pipeline, until};
use crate::lifecycle::api::{ApiError, Lifecycle};

/// Of Lambda's 2 s at shutdown, what is left for writing the ledger and ending the process.
const SHUTDOWN_MARGIN: Duration = Duration::from_millis(300);
/// The longest we send at shutdown, whatever Lambda's deadline says.
const LONGEST_SHUTDOWN: Duration = Duration::from_millis(1700);
/// How long stragglers are waited for at shutdown when the last invocation has not been reported.
const STRAGGLERS: Duration = Duration::from_millis(300);

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
