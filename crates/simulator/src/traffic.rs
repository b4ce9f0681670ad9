//! Function output that looks real, and can be counted.
//!
//! The shapes are those of the fixtures: plain text with tab-separated fields, Python's `[INFO]`,
//! JSON objects, errors with a stack, EMF, and now and then a traceback over several lines. Invariants:
//! every record carries its sequence number, which [`sequence_of`] finds again in the record as
//! it was received; the same generator makes the same records. Must not draw on a clock or on chance.

use serde_json::{Value, json};

/// Stands for the request id in a line; [`crate::environment`] puts the real one in its place.
pub const REQUEST_ID: &str = "00000000-0000-0000-0000-000000000000";

const FILLER: &str = "order accepted, stock reserved, payment authorised, parcel booked; ";
const TIME: &str = "2026-01-01T00:00:00.000Z";

/// The record of one `function` event: a string or an object, as the Telemetry API has it.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionRecord(pub Value);

impl From<&str> for FunctionRecord {
    fn from(line: &str) -> Self {
        Self(line.into())
    }
}

impl From<String> for FunctionRecord {
    fn from(line: String) -> Self {
        Self(line.into())
    }
}

impl From<Value> for FunctionRecord {
    fn from(record: Value) -> Self {
        Self(record)
    }
}

/// An endless source of function records, numbered from 0.
#[derive(Debug, Clone)]
pub struct Traffic {
    next: u64,
    line_bytes: usize,
    plain: bool,
}

impl Traffic {
    /// Records of all shapes, each roughly `line_bytes` long.
    pub fn new(line_bytes: usize) -> Self {
        Self {
            next: 0,
            line_bytes,
            plain: false,
        }
    }

    /// Plain text lines only.
    pub fn plain(line_bytes: usize) -> Self {
        Self {
            plain: true,
            ..Self::new(line_bytes)
        }
    }

    /// Goes on from this sequence number.
    #[must_use]
    pub fn starting_at(self, sequence: u64) -> Self {
        Self {
            next: sequence,
            ..self
        }
    }

    /// The sequence number of the next record, which is how many there were when it began at 0.
    pub fn position(&self) -> u64 {
        self.next
    }

    /// The next `count` records.
    pub fn records(&mut self, count: usize) -> Vec<FunctionRecord> {
        self.take(count).collect()
    }

    fn record(&self, sequence: u64) -> Value {
        let fill = |used: usize| filler(self.line_bytes.saturating_sub(used));
        let shape = if self.plain { 0 } else { sequence % 16 };
        match shape {
            4 | 11 => format!(
                "[INFO]\t{TIME}\t{REQUEST_ID}\tseq={sequence:06} {}",
                fill(90)
            )
            .into(),
            5 | 12 => json!({
                "timestamp": TIME, "level": "INFO", "requestId": REQUEST_ID,
                "seq": sequence, "message": fill(130),
            }),
            6 => json!({
                "time": TIME, "dataset": "custom-json-line", "seq": sequence,
                "data": { "name": "Order.Placed", "duration_ms": 12.5, "note": fill(120) },
            }),
            9 => json!({
                "timestamp": TIME, "level": "ERROR", "requestId": REQUEST_ID, "seq": sequence,
                "errorType": "Error", "errorMessage": fill(200),
                "stackTrace": ["at handler (/var/task/index.js:3:9)"],
            }),
            13 => {
                let metrics = json!({
                    "_aws": { "Timestamp": 1_767_225_600_000_u64, "CloudWatchMetrics": [{
                        "Namespace": "app", "Dimensions": [["Service"]],
                        "Metrics": [{ "Name": "Orders", "Unit": "Count" }],
                    }] },
                    "Service": "orders", "Orders": 3, "seq": sequence, "note": fill(230),
                });
                format!("{metrics}\n").into()
            }
            15 => format!(
                "Traceback (most recent call last):\n  File \"/var/task/app.py\", line 7, in \
                 handler\n    raise ValueError('seq={sequence:06} {}')\nValueError: out of stock\n",
                fill(150)
            )
            .into(),
            shape => {
                let level = if shape == 7 { "WARN" } else { "INFO" };
                let text = fill(90);
                format!("{TIME}\t{REQUEST_ID}\t{level}\tseq={sequence:06} {text}\n").into()
            }
        }
    }
}

impl Iterator for Traffic {
    type Item = FunctionRecord;

    fn next(&mut self) -> Option<FunctionRecord> {
        let record = self.record(self.next);
        self.next += 1;
        Some(FunctionRecord(record))
    }
}

/// The sequence number of a record that a [`Traffic`] made, from its text or its object.
pub fn sequence_of(record: &Value) -> Option<u64> {
    match record {
        Value::String(text) => text_sequence(text),
        Value::Object(fields) => fields.get("seq").and_then(Value::as_u64),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

fn text_sequence(text: &str) -> Option<u64> {
    let after = |mark: &str| text.find(mark).map(|at| &text[at + mark.len()..]);
    let digits = after("seq=").or_else(|| after("\"seq\":"))?;
    let end = digits
        .find(|digit: char| !digit.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end].parse().ok()
}

fn filler(bytes: usize) -> String {
    FILLER.chars().cycle().take(bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_gives_its_sequence_number_back() {
        for (record, sequence) in Traffic::new(300).take(64).zip(0_u64..) {
            assert_eq!(sequence_of(&record.0), Some(sequence), "{record:?}");
        }
    }

    #[test]
    fn a_record_is_about_as_long_as_asked() {
        for record in Traffic::new(400).take(64) {
            let bytes = record.0.to_string().len();
            assert!((300..=500).contains(&bytes), "{bytes} bytes: {record:?}");
        }
    }

    #[test]
    fn the_second_half_continues_the_first() {
        let mut whole = Traffic::new(100);
        let whole = whole.records(32);
        let mut first = Traffic::new(100);
        let mut parts = first.records(16);
        parts.extend(Traffic::new(100).starting_at(first.position()).records(16));
        assert_eq!(parts, whole);
    }

    #[test]
    fn other_records_have_no_sequence_number() {
        for record in [
            json!("hello"),
            json!({ "message": "seq=1" }),
            json!(null),
            json!("seq="),
        ] {
            assert_eq!(sequence_of(&record), None);
        }
    }
}
