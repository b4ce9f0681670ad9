//! Messages of the queue: which of them are done, and when the others come again.
//!
//! Invariants: a message is acknowledged only once its object is done, or is in the dead-letter queue with
//! the reason; a message fails alone, but that all messages of one object share what became of it; while the
//! replay is halted, no object is read; nothing that fails after the objects were replayed changes what became of
//! them. Must not: fail as a whole, as SQS would then count a receive of each message and wait for the full
//! visibility timeout.

use aws_sdk_sqs::types::ChangeMessageVisibilityBatchRequestEntry as Entry;
use backstop_replay::queue::Order;
use backstop_replay::{Left, Outcome, Summary};
use serde_json::{Value, json};

use crate::app::{App, Done, NO_QUEUE, Stop};
use crate::breaker::set_mapping;
use crate::event::Message;
use crate::refusal::{Refusal, refusal};
use crate::report::Report;
use crate::settings::LONGEST_RETRY;

/// Entries of one request.
const MOST_ENTRIES: usize = 10;
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
    errors: Vec<String>,
}

impl Tally {
    fn reason(&mut self, key: Option<&str>, reason: &str) {
        self.reasons.push(json!({ "key": key, "reason": reason }));
    }
}

/// The messages of one object: they share what becomes of it.
#[derive(Debug)]
struct Unit {
    at: Vec<usize>,
    body: String,
    order: Result<Order, String>,
    receives: u32,
}

/// What becomes of the messages of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Gone,
    /// They come again after this number of seconds.
    Again(u32),
}

/// What holds for all objects of an invocation.
#[derive(Debug, Clone, Copy)]
struct Turn {
    is_halted: bool,
    has_sent: bool,
    most_receives: Option<u32>,
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
            // The bucket cannot be reached, or a role lacks something: nothing was begun, and nothing is lost.
            Err(error) => {
                report.say("outcome", "error");
                tally.errors.push(format!("{error:#}"));
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
        if !tally.errors.is_empty() {
            report.say("errors", tally.errors);
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
        if self.queue.is_none() {
            // They could neither be put off nor go on: none is received until the setting is fixed.
            let arn = messages.first().map_or("", |it| &it.queue_arn);
            set_mapping(&self.clients.lambda, &self.settings.function, arn, false).await?;
            anyhow::bail!(NO_QUEUE);
        }
        if self.state().await?.halted().await?.is_some() {
            tally.again = (0..messages.len())
                .map(|at| (at, self.settings.halted))
                .collect();
            // An earlier attempt may have failed, or somebody enabled it.
            self.follow_marker().await?;
            return Ok("halted");
        }
        let units = units(messages);
        let orders: Vec<Order> = (units.iter())
            .filter_map(|unit| unit.order.clone().ok())
            .collect();
        let (done, refusal) = self.attempted(&orders, stop, tally).await;
        if let Some(refusal) = &refusal {
            // First of all, so that no other environment goes on.
            let halted = refusal.halted(&orders);
            if let Err(error) = self.trip(&halted).await {
                tally.errors.push(format!("{error:#}"));
            }
            tally.reasons.push(json!({ "halted": refusal.reason }));
        }
        let most_receives = match self.queue_facts().await {
            Ok(facts) => facts.most_receives,
            Err(error) => {
                tally.errors.push(format!("{error:#}"));
                None
            }
        };
        let turn = Turn {
            is_halted: refusal.is_some(),
            has_sent: done.iter().any(|done| done.summary.sent > 0),
            most_receives,
        };
        let mut done = done.into_iter();
        for unit in &units {
            let fate = match &unit.order {
                Err(reason) => self.bury(unit, reason, tally).await,
                Ok(order) => match done.next() {
                    Some(done) => self.fate((unit, order), done, turn, tally).await,
                    None => Fate::Again(self.settings.halted),
                },
            };
            if let Fate::Again(seconds) = fate {
                tally.again.extend(unit.at.iter().map(|at| (*at, seconds)));
            }
        }
        Ok(if turn.is_halted { "halted" } else { "replayed" })
    }

    /// Replays objects, and says why no other one is to be, where that is so.
    async fn attempted(
        &self,
        orders: &[Order],
        stop: &Stop,
        tally: &mut Tally,
    ) -> (Vec<Done>, Option<Refusal>) {
        if orders.is_empty() {
            return (Vec::new(), None);
        }
        let done = match self.replay(orders, stop).await {
            Ok(done) => done,
            Err(error) => {
                return (
                    Vec::new(),
                    Some(Refusal::of_primary(format!("{error:#}"), 0)),
                );
            }
        };
        let Some(refusal) = refusal(&done, *stop.borrow()) else {
            return (done, None);
        };
        let others = self.goes_on(&refusal, orders).await;
        let Some(others) = others else {
            return (done, Some(refusal));
        };
        // It is this object that cannot be replayed.
        let key = orders.get(refusal.at).map(|order| order.key.as_str());
        tally.reason(key, &format!("{}; {others}", refusal.reason));
        (done, None)
    }

    /// What becomes of the messages of an object.
    async fn fate(
        &self,
        (unit, order): (&Unit, &Order),
        Done { outcome, summary }: Done,
        turn: Turn,
        tally: &mut Tally,
    ) -> Fate {
        let has_moved = summary.sent + summary.rejected > 0;
        let is_begun = summary.objects > 0;
        tally.summary.add(summary);
        let reason = match outcome {
            Outcome::Done => {
                tally.done += 1;
                return Fate::Gone;
            }
            Outcome::Missing => {
                tally.missing += 1;
                return Fate::Gone;
            }
            Outcome::Poison(reason) => return self.bury(unit, &reason, tally).await,
            Outcome::Left(Left::Interrupted) if has_moved => {
                return self.proceed(order.continued().text(), tally).await;
            }
            Outcome::Left(Left::Interrupted) if turn.has_sent && !is_begun => {
                return self.proceed(unit.body.clone(), tally).await;
            }
            Outcome::Left(Left::Interrupted) => return Fate::Again(SOON),
            Outcome::Left(_) if turn.is_halted => return Fate::Again(self.settings.halted),
            // Another object of its batch is the reason: it had no attempt.
            Outcome::Left(Left::Halted(_)) if !is_begun => {
                return self.proceed(unit.body.clone(), tally).await;
            }
            Outcome::Left(
                Left::Halted(reason) | Left::Failed(reason) | Left::Denied { reason, .. },
            ) => reason,
        };
        if turn.most_receives.is_some_and(|most| unit.receives >= most) {
            return self.bury(unit, &reason, tally).await;
        }
        tally.reason(Some(&order.key), &reason);
        Fate::Again(pause(self.settings.retry, unit.receives))
    }

    /// As a new message: that there was no time for it is no failed attempt. Where an invocation got nothing
    /// done it is one, or a message could come again without an end.
    async fn proceed(&self, body: String, tally: &mut Tally) -> Fate {
        let Some(queue) = &self.queue else {
            return Fate::Again(SOON);
        };
        match queue.again(&body).await {
            Ok(()) => {
                tally.continued += 1;
                Fate::Gone
            }
            Err(error) => {
                tally.errors.push(format!("{error:#}"));
                Fate::Again(SOON)
            }
        }
    }

    /// Into the dead-letter queue, with the reason; without one, SQS does it after the last receive.
    async fn bury(&self, unit: &Unit, reason: &str, tally: &mut Tally) -> Fate {
        let key = unit.order.as_ref().ok().map(|order| order.key.as_str());
        tally.reason(key, reason);
        let again = Fate::Again(pause(self.settings.retry, unit.receives));
        let Some(queue) = &self.dead_letters else {
            return again;
        };
        match queue.bury(&unit.body, reason).await {
            Ok(()) => {
                tally.buried += 1;
                Fate::Gone
            }
            Err(error) => {
                tally.errors.push(format!("{error:#}"));
                again
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
            let sent = sent.map_err(|error| {
                backstop_common::Failure::of("changing the visibility of messages", &error)
            })?;
            if let Some(first) = sent.failed().first() {
                let code: String = first
                    .code()
                    .chars()
                    .filter(|it| it.is_alphanumeric())
                    .collect();
                anyhow::bail!(
                    "{} messages come again only after the queue's visibility timeout: {code}",
                    sent.failed().len()
                );
            }
        }
        Ok(())
    }
}

/// The messages by their objects, in their order.
fn units(messages: &[Message]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let order = Order::parse(&message.body);
        let known = order.as_ref().ok().and_then(|order| {
            let is_same = |it: &Order| it.subject() == order.subject();
            (units.iter_mut()).find(|unit| unit.order.as_ref().is_ok_and(is_same))
        });
        if let (Some(unit), Ok(order)) = (known, &order) {
            unit.at.push(at);
            unit.receives = unit.receives.max(message.receives());
            if order.is_continued {
                unit.order = Ok(order.clone());
                unit.body.clone_from(&message.body);
            }
            continue;
        }
        units.push(Unit {
            at: vec![at],
            body: message.body.clone(),
            order,
            receives: message.receives(),
        });
    }
    units
}

/// How long a message waits that was received so often.
fn pause(first: u32, receives: u32) -> u32 {
    let doubled = 2_u32.saturating_pow(receives.saturating_sub(1));
    first.saturating_mul(doubled).min(LONGEST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end_at_an_hour() {
        assert_eq!(
            [1, 2, 3, 9, 40].map(|it| pause(30, it)),
            [30, 60, 120, 3600, 3600]
        );
        assert_eq!(pause(0, 3), 0);
    }

    #[test]
    fn the_messages_of_one_object_are_one_and_one_that_was_begun_counts() {
        let message = |id: &str, body: String, receives: u32| {
            let attributes = json!({ "ApproximateReceiveCount": receives.to_string() });
            let message = json!({ "messageId": id, "body": body, "attributes": attributes });
            serde_json::from_value::<Message>(message).expect("it is a message")
        };
        let order = |key: &str| {
            let order = json!({ "schemaVersion": 1, "bucket": "b", "key": key }).to_string();
            Order::parse(&order).expect("it is an order")
        };
        let messages = [
            message("1", order("k").text(), 2),
            message("2", order("other").text(), 1),
            message("3", order("k").continued().text(), 4),
            message("4", "nothing".to_owned(), 1),
            message("5", "nothing".to_owned(), 1),
        ];
        let units = units(&messages);
        let at: Vec<&[usize]> = units.iter().map(|unit| unit.at.as_slice()).collect();
        assert_eq!(at, [&[0, 2][..], &[1], &[3], &[4]]);
        assert_eq!(units[0].receives, 4);
        assert!(units[0].order.as_ref().is_ok_and(|it| it.is_continued));
    }
}
