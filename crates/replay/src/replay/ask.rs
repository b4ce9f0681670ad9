//! Asks the primary whether it takes records at all, with one of this program's own.
//!
//! It tells a primary that is down from an object that it cannot take. Must not: retry, or send anything of the
//! archive.

use std::time::Duration;

use backstop_common::time::{now, now_ms};
use backstop_delivery::{Answer, Failure, Role, Verdict};
use serde_json::json;

use super::target::Target;

/// What the id of such a record begins with.
const ID: &str = "backstop-probe-";
const TEXT: &str = "Backstop asks whether this primary takes records. Nothing needs to be done.";
/// Nobody waits for a primary that takes longer to say that it is there.
const LONGEST: Duration = Duration::from_secs(10);

impl Target {
    /// Sends one record. An answer that refuses the record is one, too; the error says what came instead.
    pub async fn ask(&self, function: &str) -> Result<(), String> {
        let id = format!("{ID}{}", now_ms());
        let line = json!({
            "id": id, "time": now(), "type": "function", "record": TEXT,
            "resource": { "faas.name": function },
        });
        let line = line.to_string();
        let signal = self
            .sink
            .signal("function", &json!(TEXT).to_string(), &line);
        let framed = self.sink.frame(signal, &[&line]);
        if !framed.unfit.is_empty() {
            return Err("the primary takes no logs, so it cannot be asked".to_owned());
        }
        let asked = self.sink.post(framed.signal, &id, framed.body, 1);
        let answer = tokio::time::timeout(LONGEST.min(self.timeout), asked).await;
        let answer = answer.unwrap_or(Answer::None(Failure::TimedOut));
        match answer.verdict(Role::Primary) {
            Verdict::Delivered
            | Verdict::Isolate
            | Verdict::Named
            | Verdict::Condemn
            | Verdict::Split => Ok(()),
            Verdict::Retry { .. } | Verdict::Parts | Verdict::Divert | Verdict::Stop => {
                let cause = answer.cause();
                let advice = self.sink.advice(framed.signal, cause);
                let advice = advice.map_or_else(String::new, |it| format!("; {it}"));
                Err(format!(
                    "the primary does not accept records: {cause}{advice}"
                ))
            }
        }
    }
}
