//! What the function and the platform say: lines, events and posts, with the platform's times.

use std::time::Duration;

use backstop_delivery::Wall;
use bytes::Bytes;
use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::super::posts;
use super::super::steps::{Deadline, Invocation, Metrics, Output, RuntimeDone, SECRET};
use super::super::world::{Number, derived_from, parse_number};
use super::Lambda;

impl Lambda {
    /// The function writes its lines. Says when it last showed that it runs.
    pub(super) async fn run_function(&mut self, invocation: &Invocation, request: &str) -> Instant {
        let start = self.platform("platform.start", request);
        self.post_in_turn(invocation, start, None);
        let mut alive = Instant::now();
        if let Some(runtime_done) = self.late_runtime_done.take() {
            self.post(runtime_done);
        }
        for (index, output) in invocation.output.iter().enumerate() {
            self.tamper_at(invocation, index..=index);
            self.run_for(Duration::from_millis(output.after)).await;
            if self.is_behind(invocation) && !self.setup.is_posted(output) {
                let body = self.body(output);
                self.post_in_turn(invocation, body, Some(output));
            } else {
                self.write(output);
            }
            alive = Instant::now();
        }
        self.tamper_at(invocation, invocation.output.len()..=usize::MAX);
        self.skew_clocks(invocation.clock_skew);
        self.run_for(Duration::from_millis(invocation.rest)).await;
        alive
    }

    /// The platform says that the runtime is done, in its way.
    pub(super) async fn post_runtime_done(&mut self, invocation: &Invocation, request: &str) {
        let foreign = format!(r#""requestId":"foreign-{}""#, self.next_request);
        let runtime_done = match invocation.runtime_done {
            RuntimeDone::Before | RuntimeDone::Never => return,
            RuntimeDone::Foreign => self.platform("platform.runtimeDone", &foreign),
            RuntimeDone::Once | RuntimeDone::Twice | RuntimeDone::Late => {
                self.platform("platform.runtimeDone", request)
            }
        };
        if invocation.runtime_done == RuntimeDone::Late {
            self.late_runtime_done = Some(runtime_done);
            return;
        }
        let late = Duration::from_millis(invocation.runtime_done_late);
        self.run_for(late).await;
        self.post_behind(runtime_done);
    }

    /// The extension is ready: what Lambda says after that, and the freeze.
    pub(super) async fn report(&mut self, invocation: &Invocation, request: &str) {
        self.note_unknown_end(invocation);
        self.check_spool();
        if invocation.runtime_done == RuntimeDone::Twice {
            let again = self.platform("platform.runtimeDone", request);
            self.post_behind(again);
        }
        let report = self.platform("platform.report", request);
        let is_posted = self.post_behind(report);
        self.run_for(Duration::ZERO).await;
        // It was ready, and something arrived. What is under way gets a copy when it comes back.
        self.is_tampered &= self.world.is_sending() || !is_posted;
        self.freeze(invocation.gap, invocation.freeze_breaks);
    }

    pub(super) fn write(&mut self, output: &Output) -> bool {
        if self.setup.is_posted(output) {
            return self.post_by_otlp(output);
        }
        let body = self.body(output);
        let is_taken = self.post(body);
        self.note_output(output, is_taken);
        is_taken
    }

    /// The function's lines as Lambda posts them.
    pub(super) fn body(&mut self, output: &Output) -> String {
        let lines: Vec<String> = (0..output.records)
            .map(|_| {
                let (number, time) = (self.number(), self.time());
                let padding = "x".repeat(output.padding);
                let secret = if self.setup.transforms.redacts { SECRET } else { "" };
                let is_unwanted = self.setup.transforms.filters && output.level == "DEBUG";
                if is_unwanted {
                    self.account.unwanted.insert(number);
                }
                // Where repeats become one, lines differ in what looks like a time.
                let shown = if self.setup.transforms.joins {
                    format!("2026-01-01T00:00:00.{number:09}Z")
                } else {
                    number.to_string()
                };
                let text = format!("{} #{shown}# {secret} {padding}", output.level);
                // In an object, what the line says of its level is not where loggers say it.
                let is_plain = is_unwanted || output.level == "ERROR";
                let record = if self.setup.embeds(number) && !is_plain {
                    format!(r#"{{"_aws":{{"CloudWatchMetrics":[{{"Metrics":[{{"Name":"m"}}]}}]}},"m":1,"line":"{text}"}}"#)
                } else {
                    format!("\"{text}\"")
                };
                format!(r#"{{"time":"{time}","type":"function","record":{record}}}"#)
            })
            .collect();
        format!("[{}]", lines.join(","))
    }

    pub(super) fn note_output(&mut self, output: &Output, is_taken: bool) {
        self.has_failed |= is_taken && output.level == "ERROR";
        self.account.lines_taken += if is_taken { output.records } else { 0 };
    }

    /// The function posts its lines as logs. Above the bound the request is refused, and nothing is received.
    pub(super) fn post_by_otlp(&mut self, output: &Output) -> bool {
        let is_unwanted = self.setup.transforms.filters && output.level == "DEBUG";
        let secret = if self.setup.transforms.redacts {
            SECRET
        } else {
            ""
        };
        let padding = "x".repeat(output.padding);
        let numbers: Vec<Number> = (0..output.records).map(|_| self.number()).collect();
        let texts: Vec<String> = (numbers.iter())
            .map(|number| format!("#{number}# {secret} {padding}"))
            .collect();
        let inbox = &self.life.inbox;
        let time = self.platform_clock();
        let posted = posts::logs(&texts, output.level, time, inbox.most_posted());
        let is_taken = posted.is_some_and(|posted| inbox.post(posted).is_ok());
        if is_taken {
            if is_unwanted {
                self.account.unwanted.extend(&numbers);
            }
            self.account.emitted.extend(numbers);
        }
        self.was_refused |= !is_taken;
        self.note_output(output, is_taken);
        is_taken
    }

    /// Posts a body. False where it was not taken: then it is Lambda's to count.
    pub(super) fn post(&mut self, body: String) -> bool {
        let numbers = self.numbers_in(&body);
        // Whether it is acknowledged at once is the inbox's own test.
        let answer = self.life.inbox.push(Bytes::from(body)).now_or_never();
        let is_taken = answer != Some(false);
        if is_taken {
            self.account.emitted.extend(numbers);
        }
        is_taken
    }

    /// The records that a body makes.
    pub(super) fn numbers_in(&self, body: &str) -> Vec<Number> {
        let mut numbers: Vec<Number> = numbers_in(body).collect();
        if self.setup.metrics == Metrics::Copied && body.contains("_aws") {
            let embedded = numbers.iter().filter(|number| self.setup.embeds(**number));
            let derived: Vec<Number> = embedded.map(|number| derived_from(*number)).collect();
            numbers.extend(derived);
        }
        numbers
    }

    pub(super) fn platform(&mut self, kind: &str, members: &str) -> String {
        let (number, time) = (self.number(), self.time());
        format!(
            r##"[{{"time":"{time}","type":"{kind}","record":{{{members},"n":"#{number}#"}}}}]"##
        )
    }

    pub(super) fn number(&mut self) -> Number {
        self.next_number += 1;
        self.current.push(self.next_number);
        self.next_number
    }

    /// As the platform gives times.
    pub(super) fn time(&self) -> String {
        self.platform_clock().rfc3339()
    }

    pub(super) fn platform_clock(&self) -> Wall {
        let ours = self.world.clock().wall().0;
        let ahead = Duration::from_millis(self.ahead_ms.unsigned_abs());
        Wall(if self.ahead_ms < 0 {
            ours.checked_sub(ahead).unwrap()
        } else {
            ours + ahead
        })
    }

    /// As Lambda gives a deadline.
    pub(super) fn deadline_ms(&self, deadline: Deadline, duration: Duration) -> u64 {
        let at = match deadline {
            Deadline::Right => self.platform_clock().0 + duration,
            Deadline::Past => self.platform_clock().0.saturating_sub(duration),
            Deadline::Missing => Duration::ZERO,
        };
        u64::try_from(at.as_millis()).unwrap()
    }
}

/// The numbers of the records in a body.
fn numbers_in(body: &str) -> impl Iterator<Item = Number> {
    body.split('#').skip(1).step_by(2).map(parse_number)
}
