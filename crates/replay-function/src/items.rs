//! A batch of a Distributed Map: its objects are replayed, or the invocation fails and says which are not.
//!
//! Step Functions repeats what failed for a time (`Left`), stops at a refusal (`Halted`), and counts what no
//! attempt can replay (`Poison`) against the tolerated failures. Invariant: an invocation that succeeds has
//! left nothing.

use backstop_replay::archive::Listed;
use backstop_replay::queue::{Order, Wanted};
use backstop_replay::{Left, Outcome, Summary};
use lambda_runtime::Diagnostic;
use serde_json::{Value, json};

use crate::app::{App, Stop};
use crate::event::Items;
use crate::refusal::refusal;
use crate::report::Report;

/// Objects to name; an error has room for 256 KiB.
const NAMED: usize = 100;

impl App {
    /// Replays a batch.
    pub(crate) async fn items(&self, items: Items, stop: &Stop) -> Result<Value, Diagnostic> {
        let failure = |kind: &str, message: String| Diagnostic {
            error_type: kind.to_owned(),
            error_message: message,
        };
        let error = |error: anyhow::Error| failure("Left", format!("{error:#}"));
        let state = self.state().await.map_err(error)?;
        if let Some(halted) = state.halted().await.map_err(error)? {
            return Err(failure("Halted", halted.halted.reason));
        }
        let bucket = &self.settings.archive.bucket;
        let mut orders: Vec<Order> = Vec::new();
        for item in items.items {
            let object = Listed::named(item.key, item.size, item.etag);
            let order = Order::new(bucket, &object, Wanted::default());
            if !orders.contains(&order) {
                orders.push(order);
            }
        }
        let done = match self.replay(&orders, stop).await {
            Ok(done) => done,
            Err(error) => return Err(failure("Halted", format!("{error:#}"))),
        };
        let halted = match refusal(&done, *stop.borrow()) {
            Some(refusal) if self.goes_on(&refusal, &orders).await.is_none() => Some(refusal),
            _ => None,
        };
        let (mut summary, mut poison, mut left, mut missing) =
            (Summary::default(), Vec::new(), Vec::new(), 0);
        for (order, done) in orders.iter().zip(done) {
            summary.add(done.summary);
            match done.outcome {
                Outcome::Done => {}
                Outcome::Missing => missing += 1,
                Outcome::Poison(reason) => poison.push((order, reason)),
                Outcome::Left(
                    Left::Halted(reason) | Left::Failed(reason) | Left::Denied { reason, .. },
                ) => left.push((order, reason)),
                Outcome::Left(Left::Interrupted) => {
                    left.push((order, "there was no time for it".to_owned()));
                }
            }
        }
        let mut report = Report::of(&self.settings.function);
        report
            .summary(&summary)
            .count(
                "ObjectsReplayed",
                (orders.len() - poison.len() - left.len()) as u64,
            )
            .count("ObjectsBuried", poison.len() as u64)
            .count("ObjectsLeft", left.len() as u64);
        report.write();
        let named = |all: &[(&Order, String)]| {
            let all = all.iter().take(NAMED);
            let all = all.map(|(order, reason)| json!({ "key": order.key, "reason": reason }));
            Value::Array(all.collect())
        };
        let result = json!({
            "objects": orders.len(),
            "missing": missing,
            "records": summary.records,
            "sent": summary.sent,
            "duplicates": summary.duplicates,
            "left": named(&left),
            "poison": named(&poison),
        });
        if let Some(refusal) = halted {
            let halted = refusal.halted(&orders);
            self.trip(&halted).await.map_err(error)?;
            return Err(failure("Halted", result.to_string()));
        }
        if !left.is_empty() {
            return Err(failure("Left", result.to_string()));
        }
        if !poison.is_empty() {
            return Err(failure("Poison", result.to_string()));
        }
        Ok(result)
    }
}
