//! Progress of the demo: a few lines redrawn on a terminal, one line per phase elsewhere.
//!
//! Must not: be asked for numbers that the result needs; what it shows is as of now and no more.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use backstop_simulator::S3Server;
use serde_json::Value;

use super::stage::Stage;
use crate::output::{Lines, Output, grouped};

const BAR: &str = "invocations  {bar:40} {pos}/{len}  {elapsed}";

/// The view.
#[derive(Debug)]
pub struct View {
    output: Output,
    lines: Lines,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    stderr_read: usize,
    open: HashMap<String, bool>,
    /// Lines in the objects that were read so far.
    s3_lines: HashMap<String, u64>,
}

impl View {
    /// A view of this many invocations.
    pub fn new(output: Output, invocations: u32) -> Self {
        Self {
            output,
            lines: Lines::new(output.draws(), u64::from(invocations), BAR, 3),
            state: Mutex::default(),
        }
    }

    /// A new phase begins.
    pub(super) fn phase(&self, text: &str) {
        if !self.output.draws() {
            self.output.progress(text);
        }
    }

    /// Draws what is so after an invocation.
    pub(super) fn show(&self, scene: &Stage, invocation: u32, is_down: bool) {
        if !self.output.draws() {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.read_stderr(&scene.environment.stderr_lines());
        let https = scene.intake.record_count() as u64;
        let firehose = scene.firehose.accepted().lines;
        let s3 = state.count_s3(&scene.s3);
        let pending = scene
            .environment
            .emitted()
            .saturating_sub(https + firehose + s3);
        let primary = if is_down { "DOWN" } else { "up" };
        let breaker = if state.open.get("https").copied().unwrap_or_default() {
            "open"
        } else {
            "closed"
        };
        self.lines.draw(
            u64::from(invocation),
            [
                String::new(),
                format!("primary      {primary:8} breaker {breaker}"),
                format!(
                    "records      https {}  firehose {}  s3 {}",
                    grouped(https),
                    grouped(firehose),
                    grouped(s3)
                ),
                format!("in flight {}", grouped(pending)),
            ],
        );
    }

    /// Takes it away.
    pub fn clear(&self) {
        self.lines.clear();
    }
}

impl State {
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
