//! What was so after each invocation: where records were, the breaker, and what sending added.
//!
//! Invariant: it is read while the environment is frozen, so that looking costs the extension nothing.
//! Must not: be asked for numbers that the result needs; what it shows is as of then and no more.

use std::collections::HashMap;
use std::time::Duration;

use backstop_simulator::S3Server;
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::stage::Stage;

/// More would be narrower than a pixel.
const MOST_SAMPLES: u32 = 400;

/// What was so after an invocation.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// Its number, from 1.
    pub invocation: u32,
    /// Since the first one began, in milliseconds.
    pub elapsed_ms: u64,
    /// Whether the primary was down.
    pub primary_down: bool,
    /// Whether the primary's breaker was open, by what the extension had logged.
    pub breaker_open: bool,
    /// The most that sending added to an invocation since the sample before, in milliseconds.
    pub added_ms: f64,
    /// Records at the primary.
    pub https: u64,
    /// Records that Firehose had accepted.
    pub firehose: u64,
    /// Records in the objects that the extension had written.
    pub s3: u64,
}

/// Takes the samples.
#[derive(Debug)]
pub(super) struct Timeline {
    start: Instant,
    /// Invocations for one sample.
    step: u32,
    added: Duration,
    state: State,
    pub(super) samples: Vec<Sample>,
}

impl Timeline {
    pub(super) fn new(invocations: u32) -> Self {
        Self {
            start: Instant::now(),
            step: invocations.div_ceil(MOST_SAMPLES).max(1),
            added: Duration::ZERO,
            state: State::default(),
            samples: Vec::new(),
        }
    }

    /// Looks after an invocation; the newest sample.
    pub(super) fn look(
        &mut self,
        stage: &Stage,
        invocation: u32,
        is_down: bool,
        added: Duration,
    ) -> Option<&Sample> {
        self.added = self.added.max(added);
        if !invocation.is_multiple_of(self.step) {
            return self.samples.last();
        }
        self.state.read_stderr(&stage.environment.stderr_lines());
        self.samples.push(Sample {
            invocation,
            elapsed_ms: u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX),
            primary_down: is_down,
            breaker_open: self.state.is_open("https"),
            added_ms: crate::report::milliseconds(self.added),
            https: stage.intake.record_count() as u64,
            firehose: stage.firehose.accepted().lines,
            s3: self.state.count_s3(&stage.s3),
        });
        self.added = Duration::ZERO;
        self.samples.last()
    }
}

#[derive(Debug, Default)]
struct State {
    stderr_read: usize,
    open: HashMap<String, bool>,
    /// Lines in the objects that were read so far.
    s3_lines: HashMap<String, u64>,
}

impl State {
    fn is_open(&self, sink: &str) -> bool {
        self.open.get(sink).copied().unwrap_or_default()
    }

    /// The breakers, as the extension tells of them.
    fn read_stderr(&mut self, lines: &[String]) {
        for line in lines.iter().skip(self.stderr_read) {
            let Ok(line) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            let event = &line["backstop"];
            let (Some(sink), Some(message)) = (event["sink"].as_str(), event["message"].as_str())
            else {
                continue;
            };
            if message == "A sink takes records again" {
                self.open.insert(sink.to_owned(), false);
            } else if event["records"].is_null() && event["tookUs"].is_null() {
                self.open.insert(sink.to_owned(), true);
            }
        }
        self.stderr_read = lines.len();
    }

    /// Records in the objects that the extension itself wrote.
    fn count_s3(&mut self, s3: &S3Server) -> u64 {
        for key in s3.object_keys().unwrap_or_default() {
            if key.contains("/account=") && !self.s3_lines.contains_key(&key) {
                let packed = s3.object_bytes(&key).unwrap_or_default();
                let plain = backstop_sinks::codec::gunzip(&packed, 64 << 20).unwrap_or_default();
                let lines = plain.split(|byte| *byte == b'\n').count() as u64;
                self.s3_lines.insert(key, lines.saturating_sub(1));
            }
        }
        self.s3_lines.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breakers_are_told_by_what_the_extension_says() {
        let line = |text: &str| text.to_owned();
        let opened = line(
            r#"{"backstop":{"level":"WARN","message":"A sink does not take records: they are diverted","reason":"server_error","sink":"https","status":503}}"#,
        );
        let dead = line(
            r#"{"backstop":{"level":"WARN","message":"A sink refused records for good: they are dead letters","reason":"rejected","records":3,"sink":"s3","status":400}}"#,
        );
        let closed = line(
            r#"{"backstop":{"level":"INFO","message":"A sink takes records again","sink":"https"}}"#,
        );
        let mut state = State::default();
        state.read_stderr(&[line("text"), opened.clone(), dead.clone()]);
        assert_eq!(state.open.get("https"), Some(&true));
        assert_eq!(state.open.get("s3"), None);
        state.read_stderr(&[line("text"), opened, dead, closed]);
        assert_eq!(state.open.get("https"), Some(&false));
    }
}
