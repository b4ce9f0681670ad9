//! What the function writes to its log: one line of JSON an invocation, with its metrics.
//!
//! `CloudWatch` makes metrics of the line (embedded metric format). Invariant: a line holds counts, keys and
//! reasons of this program, and no record. Must not: print anything else.

use std::io::Write as _;

use backstop_common::time::now_ms;
use backstop_replay::Summary;
use serde_json::{Map, Value, json};

const NAMESPACE: &str = "Backstop/Replay";

/// The line of one invocation.
#[derive(Debug)]
pub(crate) struct Report {
    function: String,
    metrics: Vec<(&'static str, &'static str, f64)>,
    members: Map<String, Value>,
}

impl Report {
    /// Of a function.
    pub(crate) fn of(function: &str) -> Self {
        Self {
            function: function.to_owned(),
            metrics: Vec::new(),
            members: Map::new(),
        }
    }

    pub(crate) fn count(&mut self, name: &'static str, count: u64) -> &mut Self {
        #[expect(clippy::cast_precision_loss, reason = "a metric is a double")]
        self.metrics.push((name, "Count", count as f64));
        self
    }

    pub(crate) fn seconds(&mut self, name: &'static str, seconds: f64) -> &mut Self {
        self.metrics.push((name, "Seconds", seconds));
        self
    }

    /// What is not a metric.
    pub(crate) fn say(&mut self, name: &str, value: impl Into<Value>) -> &mut Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// The counts of a replay.
    pub(crate) fn summary(&mut self, summary: &Summary) -> &mut Self {
        self.count("RecordsSent", summary.sent)
            .count("RecordsFailed", summary.failed)
            .count("RecordsRejected", summary.rejected)
            .count("BytesSent", summary.sent_bytes);
        self.say("records", summary.records)
            .say("duplicates", summary.duplicates)
            .say("filtered", summary.filtered)
            .say("objectsMarked", summary.objects_marked);
        if summary.id_conflicts > 0 {
            self.say("idConflicts", summary.id_conflicts);
        }
        self
    }

    pub(crate) fn line(&self) -> String {
        let names = self.metrics.iter();
        let names = names.map(|(name, unit, _)| json!({ "Name": name, "Unit": unit }));
        let mut members = self.members.clone();
        members.insert(
            "_aws".to_owned(),
            json!({ "Timestamp": now_ms(), "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [["FunctionName"]],
                "Metrics": names.collect::<Vec<_>>(),
            }]}),
        );
        members.insert("FunctionName".to_owned(), self.function.clone().into());
        for (name, _, value) in &self.metrics {
            members.insert((*name).to_owned(), json!(value));
        }
        Value::Object(members).to_string()
    }

    /// Writes the line.
    pub(crate) fn write(&self) {
        // Without a log there is nobody to report that to.
        writeln!(std::io::stdout().lock(), "{}", self.line()).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_of_the_embedded_metric_format() {
        let mut report = Report::of("replay");
        report.count("RecordsSent", 7).say("outcome", "replayed");
        let line: Value = serde_json::from_str(&report.line()).expect("it is JSON");
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "Backstop/Replay");
        assert_eq!(directive["Dimensions"], json!([["FunctionName"]]));
        assert_eq!(
            directive["Metrics"],
            json!([{ "Name": "RecordsSent", "Unit": "Count" }])
        );
        assert_eq!(
            (&line["RecordsSent"], &line["FunctionName"]),
            (&json!(7.0), &json!("replay"))
        );
        assert_eq!(line["outcome"], "replayed");
    }
}
