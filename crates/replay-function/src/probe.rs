//! The probe: is there something to replay, does the primary answer, and then into the queue with it.
//!
//! The archive is listed from a cursor of time: what was written up to it was in the queue once, and is now at
//! the primary, still in the queue, or in the dead-letter queue with its reason. A cap ends a pass over the
//! archive in its middle, and so does the time of an invocation: the next run goes on behind the last key.
//! The primary answers if it takes an object, or a record of this function's own. Invariants: one probe at a
//! time; nothing is enqueued while the queue is not empty, or while the primary is down; the cursor moves after
//! the queue has everything, so that a kill at any moment enqueues objects twice at most. Must not: start again
//! what a person stopped.

use std::time::Duration;

use anyhow::{Context as _, bail};
use backstop_replay::queue::{Order, Sending};
use backstop_replay::{Left, Outcome};
use serde_json::{Value, json};

use crate::app::{App, Done, NO_QUEUE, stop_before, stop_half_way};
use crate::report::Report;
use crate::scan::Found;
use crate::state::{Halted, State};

/// How long the primary may take to show that it answers.
const CANARY: Duration = Duration::from_secs(20);

/// What the probe says of the primary.
enum Health {
    Well,
    /// It cannot take records, or AWS denies something, and the marker to be written for that.
    Down(String, Option<Box<Halted>>),
}

impl App {
    /// Looks, and begins a replay where `enqueues`; else it only goes on with what is in the queue.
    pub(crate) async fn probe(&self, deadline: u64, enqueues: bool) -> anyhow::Result<Value> {
        let mut report = Report::of(&self.settings.function);
        let probed = Box::pin(self.alone(deadline, enqueues, &mut report)).await;
        let answer = match &probed {
            Ok(answer) => answer.clone(),
            Err(error) => json!({ "outcome": "error", "error": format!("{error:#}") }),
        };
        report.say("probe", answer).write();
        probed
    }

    async fn alone(
        &self,
        deadline: u64,
        enqueues: bool,
        report: &mut Report,
    ) -> anyhow::Result<Value> {
        let state = self.state().await?;
        let lease = state
            .lease()
            .await
            .context("the probe's lease cannot be taken")?;
        let lease = match lease {
            Ok(lease) => lease,
            Err(held) => return Ok(json!({ "outcome": "busy", "reason": held.to_string() })),
        };
        let probed = Box::pin(self.look(state, deadline, enqueues, report)).await;
        lease.release().await;
        probed
    }

    async fn look(
        &self,
        state: &State,
        deadline: u64,
        enqueues: bool,
        report: &mut Report,
    ) -> anyhow::Result<Value> {
        let standing = state.halted().await?;
        let halted = standing.as_ref().map(|it| &it.halted);
        report.count("Halted", u64::from(halted.is_some()));
        // What a Distributed Map replays goes on without a queue.
        let queue = match &self.queue {
            Some(queue) => Some(queue),
            None if enqueues => bail!(NO_QUEUE),
            None => None,
        };
        let depth = match queue {
            Some(queue) => queue.depth().await?.total(),
            None => 0,
        };
        let (cursor, tag) = state.cursor().await?;
        // While a run is under way, the next one does not begin.
        let is_scanned = enqueues && depth == 0;
        let mut found = if is_scanned {
            self.scan(&cursor, stop_half_way(deadline)).await?
        } else {
            Found::default()
        };
        let waiting = depth + found.orders.len() as u64;
        report.count("UnreplayedObjects", waiting);
        found.tell(report);
        if let Some(halted) = halted.filter(|it| enqueues && it.is_manual) {
            return Ok(json!({
                "outcome": "stopped", "reason": halted.reason, "since": halted.since, "unreplayed": waiting,
            }));
        }
        if halted.is_none() && found.orders.is_empty() {
            if is_scanned && cursor.is_moved_to(&cursor.after(&found)) {
                let next = cursor.after(&found);
                state.set_cursor(&next, tag.as_deref()).await?;
            }
            // A kill may have left it disabled.
            self.follow_marker().await?;
            let outcome = if waiting > 0 { "running" } else { "nothing" };
            return Ok(json!({ "outcome": outcome, "unreplayed": waiting }));
        }
        // What is set and kept now counts, and not what it was.
        self.forget_target().await;
        let smallest = found.orders.iter().min_by_key(|it| it.bytes);
        let health = match halted {
            Some(halted) => self.health_again(halted, smallest, deadline, report).await,
            None => self.health(smallest, deadline, report).await,
        };
        if let Health::Down(reason, marker) = health {
            report.count("PrimaryHealthy", 0);
            match (marker, &standing) {
                (Some(marker), None) => drop(self.trip(&marker).await?),
                (Some(marker), Some(standing)) => state.replace(standing, *marker).await?,
                (None, _) => {}
            }
            return Ok(json!({ "outcome": "down", "reason": reason, "unreplayed": waiting }));
        }
        report.count("PrimaryHealthy", 1);
        if let Some(queue) = queue.filter(|_| !found.orders.is_empty()) {
            let stop = stop_before(deadline, None);
            let mut sending = Sending::new(queue.clone());
            let mut sent = 0;
            for order in &found.orders {
                if sent > 0 && *stop.borrow() {
                    break;
                }
                sending.push(order).await?;
                sent += 1;
            }
            sending.end().await?;
            found.keep(sent);
            let next = cursor.after(&found);
            state.set_cursor(&next, tag.as_deref()).await?;
        }
        let is_reset = match &standing {
            Some(standing) => self.reset(standing).await?,
            None => self.follow_marker().await.map(|()| true)?,
        };
        report.count("ObjectsEnqueued", found.orders.len() as u64);
        let outcome = match (is_reset, found.orders.is_empty()) {
            (false, _) => "stopped",
            (true, true) => "resumed",
            (true, false) => "enqueued",
        };
        Ok(json!({
            "outcome": outcome,
            "objects": found.orders.len(),
            "bytes": found.bytes,
            "isLimited": found.last.is_some(),
        }))
    }

    /// Whether what halted the replay is over.
    async fn health_again(
        &self,
        halted: &Halted,
        smallest: Option<&Order>,
        deadline: u64,
        report: &mut Report,
    ) -> Health {
        match halted.order.as_ref() {
            // Its records were sent, and are not to be sent at each probe.
            Some(order) if halted.is_sent => match self.mark(order).await {
                Ok(()) => Health::Well,
                Err(reason) => Health::Down(reason, None),
            },
            order => self.health(order.or(smallest), deadline, report).await,
        }
    }

    /// Whether the primary takes an object, or else a record of this function's own.
    async fn health(&self, canary: Option<&Order>, deadline: u64, report: &mut Report) -> Health {
        let mut suspect = None;
        if let Some(order) = canary {
            let stop = stop_before(deadline, Some(CANARY));
            let done = match self.replay(std::slice::from_ref(order), &stop).await {
                Ok(done) => done,
                Err(error) => return Health::Down(format!("{error:#}"), None),
            };
            for Done { outcome, summary } in done {
                report.summary(&summary);
                let is_heard = summary.sent + summary.rejected > 0;
                suspect = match outcome {
                    Outcome::Left(Left::Denied {
                        reason,
                        is_sent: false,
                    }) if self.reads_others(&[&order.key]).await => Some(reason),
                    Outcome::Left(Left::Denied { reason, is_sent }) => {
                        let marker = Box::new(Halted::found(&reason, Some(order.clone()), is_sent));
                        return Health::Down(reason, Some(marker));
                    }
                    _ if is_heard => return Health::Well,
                    Outcome::Left(Left::Halted(reason) | Left::Failed(reason)) => Some(reason),
                    Outcome::Left(Left::Interrupted) => Some(format!(
                        "the primary took nothing within {} seconds",
                        CANARY.as_secs()
                    )),
                    Outcome::Done | Outcome::Missing | Outcome::Poison(_) => None,
                };
            }
        }
        if let Err(reason) = self.ask().await {
            return Health::Down(suspect.unwrap_or(reason), None);
        }
        if let (Some(reason), Some(order)) = (suspect, canary) {
            let suspect = json!({ "key": order.key, "reason": reason });
            report.say("suspect", suspect);
        }
        Health::Well
    }
}
