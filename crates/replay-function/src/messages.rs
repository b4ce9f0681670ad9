//! Messages of the queue: which of them are done, and when the others come again.
//!
//! Invariants: a message is acknowledged only once its object is done, or is in the dead-letter queue with
//! the reason; a message fails alone; while the replay is halted, no object is read. Must not: fail as a whole,
//! as SQS would then count a receive of each message and wait for the full visibility timeout.

use aws_sdk_sqs::types::ChangeMessageVisibilityBatchRequestEntry as Entry;
use backstop_replay::queue::Order;
use backstop_replay::{Left, Outcome, Summary};
use serde_json::{Value, json};

use crate::app::{App, Done, Stop, poison};
use crate::event::Message;
use crate::report::Report;

/// Entries of one request.
const MOST_ENTRIES: usize = 10;
/// The longest pause after failures.
const LONGEST_RETRY: u32 = 3600;
/// An object that there was no time for comes again soon.
const SOON: u32 = 5;

/// What the messages of one invocation became.
#[derive(Debug, Default)]
struct Tally {
    /// Messages that come again, each with the time until then.
    again: Vec<(usize, u32)>,
    summary: Summary,
    done: u64,
    missing: u64,
    buried: u64,
    continued: u64,
    reasons: Vec<Value>,
}

impl Tally {
    fn again(&mut self, at: usize, seconds: u32) {
        self.again.push((at, seconds));
    }

    fn reason(&mut self, message: &Message, reason: &str) {
        let key = Order::parse(&message.body).map(|order| order.key);
        self.reasons
            .push(json!({ "key": key.ok(), "reason": reason }));
    }
}

impl App {
    /// Replays what messages name. The answer says which of them come again.
    pub(crate) async fn messages(&self, messages: &[Message], stop: &Stop) -> Value {
        let mut tally = Tally::default();
        let mut report = Report::of(&self.settings.function);
        match self.take(messages, stop, &mut tally).await {
            Ok(outcome) => {
                report.say("outcome", outcome);
            }
            // The bucket or the queue cannot be reached, or a role lacks something: nothing is lost.
            Err(error) => {
                report
                    .say("outcome", "error")
                    .say("error", format!("{error:#}"));
                tally.again = (0..messages.len())
                    .map(|at| (at, self.settings.halted))
                    .collect();
            }
        }
        if let Err(error) = self.defer(messages, &tally.again).await {
            report.say("visibilityError", format!("{error:#}"));
        }
        report
            .summary(&tally.summary)
            .count("ObjectsReplayed", tally.done)
            .count("ObjectsBuried", tally.buried)
            .count("ObjectsLeft", tally.again.len() as u64)
            .say("objectsMissing", tally.missing)
            .say("objectsContinued", tally.continued);
        if !tally.reasons.is_empty() {
            report.say("reasons", tally.reasons);
        }
        report.write();
        let failures = tally.again.iter();
        let failures = failures.map(|(at, _)| json!({ "itemIdentifier": messages[*at].id }));
        json!({ "batchItemFailures": failures.collect::<Vec<_>>() })
    }

    async fn take(
        &self,
        messages: &[Message],
        stop: &Stop,
        tally: &mut Tally,
    ) -> anyhow::Result<&'static str> {
        if let Some(halted) = self.state().await?.halted().await? {
            for at in 0..messages.len() {
                tally.again(at, self.settings.halted);
            }
            // An earlier attempt may have failed.
            self.trip(&halted.reason, halted.is_manual, None).await?;
            return Ok("halted");
        }
        let mut read: Vec<Option<Done>> = messages.iter().map(|_| None).collect();
        let mut orders = Vec::new();
        let mut places = Vec::new();
        for (at, message) in messages.iter().enumerate() {
            match Order::parse(&message.body) {
                Ok(order) => {
                    orders.push(order);
                    places.push(at);
                }
                Err(reason) => read[at] = Some(poison(reason)),
            }
        }
        let halted = match self.replay(&orders, stop).await {
            Ok(done) => {
                let refusal = refusal(&done, *stop.borrow());
                for (at, done) in places.iter().zip(done) {
                    read[*at] = Some(done);
                }
                refusal
            }
            Err(error) => Some((format!("{error:#}"), 0)),
        };
        if let Some((reason, order)) = &halted {
            // First of all, so that no other environment goes on.
            let order = orders.get(*order).cloned();
            self.trip(reason, false, order).await?;
        }
        let has_sent = read.iter().flatten().any(|done| done.summary.sent > 0);
        for (at, (message, done)) in messages.iter().zip(read).enumerate() {
            let Some(Done { outcome, summary }) = done else {
                tally.again(at, self.settings.halted);
                continue;
            };
            tally.summary.add(summary);
            match outcome {
                Outcome::Done => tally.done += 1,
                Outcome::Missing => tally.missing += 1,
                Outcome::Poison(reason) => self.bury(at, message, &reason, tally).await,
                Outcome::Left(Left::Interrupted) if has_sent => {
                    self.proceed(at, message, tally).await;
                }
                Outcome::Left(Left::Interrupted) => tally.again(at, SOON),
                Outcome::Left(_) if halted.is_some() => tally.again(at, self.settings.halted),
                Outcome::Left(Left::Halted(reason) | Left::Failed(reason)) => {
                    tally.reason(message, &reason);
                    let most = self.queue_facts().await?.most_receives;
                    if most.is_some_and(|most| message.receives() >= most) {
                        self.bury(at, message, &reason, tally).await;
                    } else {
                        tally.again(at, pause(self.settings.retry, message.receives()));
                    }
                }
            }
        }
        if let Some((reason, _)) = halted {
            tally.reasons.push(json!({ "halted": reason }));
            return Ok("halted");
        }
        Ok("replayed")
    }

    /// As a new message: that there was no time for it is no failed attempt. Where an invocation got nothing
    /// done it is one, or a message could come again without an end.
    async fn proceed(&self, at: usize, message: &Message, tally: &mut Tally) {
        let sent = match &self.queue {
            Some(queue) => queue.again(&message.body).await.is_ok(),
            None => false,
        };
        if sent {
            tally.continued += 1;
        } else {
            tally.again(at, SOON);
        }
    }

    /// Into the dead-letter queue, with the reason; without one, SQS does it after the last receive.
    async fn bury(&self, at: usize, message: &Message, reason: &str, tally: &mut Tally) {
        tally.reason(message, reason);
        let Some(queue) = &self.dead_letters else {
            tally.again(at, pause(self.settings.retry, message.receives()));
            return;
        };
        match queue.bury(&message.body, reason).await {
            Ok(()) => tally.buried += 1,
            Err(error) => {
                tally.reason(message, &format!("{error:#}"));
                tally.again(at, pause(self.settings.retry, message.receives()));
            }
        }
    }

    /// Says when messages become visible again.
    async fn defer(&self, messages: &[Message], again: &[(usize, u32)]) -> anyhow::Result<()> {
        let Some(url) = &self.settings.queue_url else {
            return Ok(());
        };
        for part in again.chunks(MOST_ENTRIES) {
            let entries = part.iter().map(|(at, seconds)| {
                Entry::builder()
                    .id(at.to_string())
                    .receipt_handle(&messages[*at].receipt_handle)
                    .visibility_timeout(i32::try_from(*seconds).unwrap_or(i32::MAX))
                    .build()
            });
            let entries = entries.collect::<Result<Vec<_>, _>>()?;
            let request = self.clients.sqs.change_message_visibility_batch();
            let request = request.queue_url(url).set_entries(Some(entries));
            let sent = request.send().await;
            sent.map_err(|error| {
                backstop_common::Failure::of("changing the visibility of messages", &error)
            })?;
        }
        Ok(())
    }
}

/// Whether the primary is the reason that objects are left, why, and the object at which it showed.
fn refusal(done: &[Done], is_stopped: bool) -> Option<(String, usize)> {
    let halted = done
        .iter()
        .enumerate()
        .find_map(|(at, it)| match &it.outcome {
            Outcome::Left(Left::Halted(reason)) => Some((reason.clone(), at)),
            _ => None,
        });
    if halted.is_some() || is_stopped {
        return halted;
    }
    // Fewer objects than it takes to be sure, and each has had all of its attempts.
    let sent: u64 = done.iter().map(|it| it.summary.sent).sum();
    let at = done.iter().position(|it| it.summary.failed > 0)?;
    (sent == 0).then(|| {
        (
            "the primary took none of the records that were sent".to_owned(),
            at,
        )
    })
}

/// How long a message waits that was received so often.
fn pause(first: u32, receives: u32) -> u32 {
    let doubled = 2_u32.saturating_pow(receives.saturating_sub(1));
    first.saturating_mul(doubled).min(LONGEST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(outcome: Outcome, sent: u64, failed: u64) -> Done {
        let mut summary = Summary::default();
        (summary.sent, summary.failed) = (sent, failed);
        Done { outcome, summary }
    }

    #[test]
    fn the_breaker_opens_where_the_primary_is_the_reason_and_only_there() {
        let halted = || Outcome::Left(Left::Halted("401".to_owned()));
        let failed = || Outcome::Left(Left::Failed("503".to_owned()));
        let broken = || Outcome::Left(Left::Failed("it cannot be read".to_owned()));
        let left = || Outcome::Left(Left::Interrupted);
        for (all, is_stopped, expected) in [
            (
                vec![done(Outcome::Done, 9, 0), done(halted(), 0, 3)],
                false,
                Some(1),
            ),
            (vec![done(failed(), 0, 3)], false, Some(0)),
            (
                vec![done(Outcome::Done, 9, 0), done(failed(), 0, 3)],
                false,
                None,
            ),
            (vec![done(broken(), 0, 0)], false, None),
            // There was no time: that says nothing of the primary.
            (vec![done(left(), 0, 3)], true, None),
            (
                vec![done(Outcome::Poison("damaged".to_owned()), 0, 0)],
                false,
                None,
            ),
            (vec![], false, None),
        ] {
            let found = refusal(&all, is_stopped).map(|(_, at)| at);
            assert_eq!(found, expected, "{all:?}");
        }
    }

    #[test]
    fn pauses_double_and_end_at_an_hour() {
        assert_eq!(
            [1, 2, 3, 9, 40].map(|it| pause(30, it)),
            [30, 60, 120, 3600, 3600]
        );
        assert_eq!(pause(0, 3), 0);
    }
}
