//! The probe: is there something to replay, does the primary answer, and then into the queue with it.
//!
//! The archive is listed from a cursor of time: what was written up to it was in the queue once, and is now at
//! the primary, still in the queue, or in the dead-letter queue with its reason. A cap ends a pass over the
//! archive in its middle, and the next run goes on behind the last key. The primary answers if one object can
//! really be replayed. Invariants: one probe at a time; nothing is enqueued while the queue is not empty, or
//! while the primary is down; the cursor moves after the queue has everything, so that a kill at any moment
//! enqueues objects twice at most. Must not: start again what a person stopped.

use std::time::{Duration, SystemTime};

use backstop_archive::{Filter, Moment};
use backstop_replay::queue::{Order, Sending, Wanted};
use backstop_replay::{Left, Outcome};
use serde_json::{Value, json};

use crate::app::{App, Done, stop_before};
use crate::report::Report;
use crate::state::{Cursor, Halted, Pass, State};

/// How long the primary may take to show that it answers.
const CANARY: Duration = Duration::from_secs(20);

/// What a listing from the cursor on has found.
#[derive(Debug, Default)]
struct Found {
    orders: Vec<Order>,
    bytes: u64,
    /// When the oldest of them was written, in milliseconds.
    oldest: Option<i64>,
    until: i64,
    /// The last key that was taken, where a cap ended the listing.
    last: Option<String>,
}

impl App {
    /// Looks, and begins a replay where `enqueues`; else it only goes on with what is in the queue.
    pub(crate) async fn probe(&self, deadline: u64, enqueues: bool) -> anyhow::Result<Value> {
        let state = self.state().await?;
        let Some(lease) = state.lease().await else {
            return Ok(json!({ "outcome": "busy" }));
        };
        let mut report = Report::of(&self.settings.function);
        let probed = Box::pin(self.look(state, deadline, enqueues, &mut report)).await;
        lease.release().await;
        let answer = match &probed {
            Ok(answer) => answer.clone(),
            Err(error) => json!({ "outcome": "error", "error": format!("{error:#}") }),
        };
        report.say("probe", answer).write();
        probed
    }

    async fn look(
        &self,
        state: &State,
        deadline: u64,
        enqueues: bool,
        report: &mut Report,
    ) -> anyhow::Result<Value> {
        let halted = state.halted().await?;
        report.count("Halted", u64::from(halted.is_some()));
        let queue = self.queue.as_ref();
        let queue = queue.ok_or_else(|| anyhow::anyhow!("BACKSTOP_REPLAY_QUEUE_URL is not set"))?;
        let depth = queue.depth().await?;
        let (cursor, tag) = state.cursor().await?;
        // While a run is under way, the next one does not begin.
        let found = if enqueues && depth.total() == 0 {
            self.scan(&cursor).await?
        } else {
            Found::default()
        };
        let waiting = depth.total() + found.orders.len() as u64;
        report.count("UnreplayedObjects", waiting);
        if let Some(oldest) = found.oldest {
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of some years")]
            report.seconds(
                "OldestUnreplayedAge",
                (now() - oldest).max(0) as f64 / 1000.0,
            );
        }
        if let Some(Halted {
            is_manual: true,
            reason,
            since,
            ..
        }) = halted.as_ref().filter(|_| enqueues)
        {
            return Ok(json!({
                "outcome": "stopped", "reason": reason, "since": since, "unreplayed": waiting,
            }));
        }
        let canary = halted.as_ref().and_then(|it| it.order.clone());
        let canary = canary.or_else(|| found.orders.iter().min_by_key(|it| it.bytes).cloned());
        if halted.is_none() && found.orders.is_empty() {
            if cursor.pass.is_some() && depth.total() == 0 && enqueues {
                // A pass that a cap had ended exactly at its end.
                state
                    .set_cursor(&cursor.after(&found), tag.as_deref())
                    .await?;
            }
            // Somebody may have disabled it, or a kill has left it so.
            self.reset().await?;
            let outcome = if waiting > 0 { "running" } else { "nothing" };
            return Ok(json!({ "outcome": outcome, "unreplayed": waiting }));
        }
        if let Some(canary) = canary
            && let Some(reason) = self.is_down(&canary, deadline, report).await?
        {
            report.count("PrimaryHealthy", 0);
            return Ok(json!({ "outcome": "down", "reason": reason, "unreplayed": waiting }));
        }
        report.count("PrimaryHealthy", 1);
        let mut sending = Sending::new(queue.clone());
        for order in &found.orders {
            sending.push(order).await?;
        }
        sending.end().await?;
        if !found.orders.is_empty() {
            let next = cursor.after(&found);
            state.set_cursor(&next, tag.as_deref()).await?;
        }
        self.reset().await?;
        report.count("ObjectsEnqueued", found.orders.len() as u64);
        Ok(json!({
            "outcome": if found.orders.is_empty() { "resumed" } else { "enqueued" },
            "objects": found.orders.len(),
            "bytes": found.bytes,
            "isLimited": found.last.is_some(),
        }))
    }

    /// Lists what was written since the cursor, up to the cap.
    async fn scan(&self, cursor: &Cursor) -> anyhow::Result<Found> {
        let settled = cursor.settled.unwrap_or(i64::MIN);
        let newest = now() - i64::from(self.settings.settle) * 1000;
        let (until, after) = match &cursor.pass {
            Some(pass) => (pass.until, Some(pass.after.as_str())),
            None => (newest, None),
        };
        let filter = Filter {
            since: cursor.settled.map(Moment),
            // A mark says nothing of copies, and only a tag can be on them.
            without_mirrored: true,
            ..Filter::default()
        };
        let mut found = Found {
            until,
            ..Found::default()
        };
        let archive = self.archive();
        let bucket = &self.settings.archive.bucket;
        let mut listing = archive.list(&filter);
        'listing: while let Some(page) = listing.next().await? {
            for object in page.objects {
                let written = object.written.map_or(until, |it| it.0);
                let is_new = settled < written && written <= until;
                let is_behind = after.is_none_or(|after| object.key.as_str() > after);
                let is_wanted = filter.admits_object(&object.key, object.written);
                if !(is_new && is_behind && is_wanted) || object.is_frozen {
                    continue;
                }
                let limits = self.settings.limits;
                let bytes = found.bytes.saturating_add(object.bytes);
                let is_full = found.orders.len() as u64 >= limits.objects || bytes > limits.bytes;
                // One object is always taken, or a large one would end all runs.
                if is_full && !found.orders.is_empty() {
                    found.last = found.orders.last().map(|order| order.key.clone());
                    break 'listing;
                }
                found.bytes = bytes;
                found.oldest = Some(found.oldest.map_or(written, |it| it.min(written)));
                found
                    .orders
                    .push(Order::new(bucket, &object, Wanted::default()));
            }
        }
        Ok(found)
    }

    /// Why the primary does not answer, as far as one object shows it.
    async fn is_down(
        &self,
        canary: &Order,
        deadline: u64,
        report: &mut Report,
    ) -> anyhow::Result<Option<String>> {
        // What is set and kept now counts, and not what it was.
        self.forget_target().await;
        let stop = stop_before(deadline, Some(CANARY));
        let done = match self.replay(std::slice::from_ref(canary), &stop).await {
            Ok(done) => done,
            Err(error) => return Ok(Some(format!("{error:#}"))),
        };
        let Some(Done { outcome, summary }) = done.into_iter().next() else {
            return Ok(None);
        };
        report.summary(&summary);
        if summary.sent + summary.rejected > 0 {
            return Ok(None);
        }
        Ok(match outcome {
            Outcome::Left(Left::Halted(reason) | Left::Failed(reason)) => Some(reason),
            Outcome::Left(Left::Interrupted) => Some(format!(
                "the primary took nothing within {} seconds",
                CANARY.as_secs()
            )),
            Outcome::Done | Outcome::Missing | Outcome::Poison(_) => None,
        })
    }
}

impl Cursor {
    fn after(&self, found: &Found) -> Self {
        match &found.last {
            Some(last) => Self {
                settled: self.settled,
                pass: Some(Pass {
                    until: found.until,
                    after: last.clone(),
                }),
            },
            None => Self {
                settled: Some(found.until),
                pass: None,
            },
        }
    }
}

/// Now, in milliseconds.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_moves_to_the_end_of_a_pass_and_stays_while_a_cap_ends_it() {
        let start = Cursor::default();
        let first = Found {
            until: 100,
            last: Some("k".to_owned()),
            ..Found::default()
        };
        let middle = start.after(&first);
        assert_eq!(middle.settled, None);
        assert_eq!(
            middle.pass,
            Some(Pass {
                until: 100,
                after: "k".to_owned()
            })
        );
        let rest = Found {
            until: 100,
            ..Found::default()
        };
        let end = middle.after(&rest);
        assert_eq!(
            end,
            Cursor {
                settled: Some(100),
                pass: None
            }
        );
    }
}
