//! Our own log lines: few, on stderr, each one JSON object that starts with the marker `{"backstop":`.
//!
//! The marker lets the decoder recognise them when Lambda sends them back as extension telemetry.
//! ERROR means that data was lost, WARN that something went wrong and was survived. Invariants: a line
//! has at most [`MOST_LINE_BYTES`] and is valid JSON, but for the ledger line, which is never cut; what
//! a line says is in our own words, never in those of a parser that quotes what it read.

mod advice;
mod bounded;

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backstop_config::LogLevel;
use backstop_delivery::{Clock, Notice, Observer, Signal, Wall};
use serde_json::{Value, json};

use advice::advice;

/// The same message is not written more often.
const QUIET: Duration = Duration::from_secs(30);

/// Installs a panic hook that logs only the location: panic messages can quote telemetry, as those of
/// a slice, an `expect` or an assertion do.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string);
        let message = "Panicked, which is a bug: please report it";
        print(&bounded::line("ERROR", message, &json!({ "at": at })));
    }));
}

/// Says that the extension cannot even start, where there is no log yet.
pub fn cannot_start(error: &std::io::Error) {
    // The system's own words: of descriptors or memory that cannot be had.
    let details = json!({"error": error.to_string()});
    print(&bounded::line("ERROR", "Cannot start", &details));
}

/// Writes log lines.
#[derive(Debug, Clone)]
pub(crate) struct Log(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    level: LogLevel,
    clock: Arc<dyn Clock>,
    written: Mutex<HashMap<String, Written>>,
    print: fn(&str),
}

#[derive(Debug, Default)]
struct Written {
    last: Wall,
    suppressed: u64,
}

impl Log {
    pub(crate) fn new(level: LogLevel, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            level,
            clock,
            written: Mutex::default(),
            print,
        }))
    }

    /// A log that is written nowhere.
    #[cfg(test)]
    pub(crate) fn silent(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            level: LogLevel::Error,
            clock,
            written: Mutex::default(),
            print: |_| {},
        }))
    }

    pub(crate) fn error(&self, message: &'static str, details: &Value) {
        self.write(LogLevel::Error, message, details);
    }

    pub(crate) fn warn(&self, message: &'static str, details: &Value) {
        self.write(LogLevel::Warn, message, details);
    }

    pub(crate) fn info(&self, message: &'static str, details: &Value) {
        self.write(LogLevel::Info, message, details);
    }

    pub(crate) fn debug(&self, message: &'static str, details: &Value) {
        self.write(LogLevel::Debug, message, details);
    }

    /// The ledger line: a contract, so neither its level nor its rate is limited.
    pub(crate) fn ledger(&self, line: &str) {
        (self.0.print)(line);
    }

    fn write(&self, level: LogLevel, message: &'static str, details: &Value) {
        if !self.0.level.includes(level) {
            return;
        }
        // The same of another sink, or of another signal there, is said again.
        let [sink, signal] = ["sink", "signal"].map(|name| details[name].as_str());
        let (sink, signal) = (sink.unwrap_or_default(), signal.unwrap_or_default());
        let Some(suppressed) = self.admit(format!("{message} {sink} {signal}")) else {
            return;
        };
        let mut details = details.clone();
        if let Some(details) = details.as_object_mut()
            && suppressed > 0
        {
            details.insert("suppressed".to_owned(), suppressed.into());
        }
        let level = level.as_str().to_ascii_uppercase();
        (self.0.print)(&bounded::line(&level, message, &details));
    }

    /// Whether to write now, and how many of the same were not written before.
    fn admit(&self, message: String) -> Option<u64> {
        let now = self.0.clock.wall();
        let mut written = self
            .0
            .written
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match written.get_mut(&message) {
            Some(before) if now.since(before.last) < QUIET => {
                before.suppressed += 1;
                None
            }
            Some(before) => {
                let suppressed = before.suppressed;
                *before = Written {
                    last: now,
                    suppressed: 0,
                };
                Some(suppressed)
            }
            None => {
                written.insert(
                    message,
                    Written {
                        last: now,
                        suppressed: 0,
                    },
                );
                Some(0)
            }
        }
    }
}

impl Observer for Log {
    fn notice(&self, notice: Notice) {
        match notice {
            Notice::BreakerOpened {
                sink,
                signal,
                cause,
            } => {
                let mut details = json!({
                    "sink": sink.as_str(), "reason": cause.reason, "status": cause.status
                });
                if let Some(detail) = cause.detail {
                    if let Some(code) = detail.code() {
                        details["code"] = code.into();
                    }
                    details["detail"] = detail.to_string().into();
                }
                add_signal(&mut details, signal);
                self.warn(advice(sink, signal, cause), &details);
            }
            Notice::BreakerClosed { sink, signal } => {
                let mut details = json!({"sink": sink.as_str()});
                add_signal(&mut details, signal);
                self.info("A sink takes records again", &details);
            }
            Notice::DeadLetter {
                sink,
                cause,
                records,
            } => {
                let details = json!({
                    "sink": sink.as_str(), "reason": cause.reason, "status": cause.status, "records": records
                });
                self.warn(
                    "A sink refused records for good: they are dead letters",
                    &details,
                );
            }
            Notice::Attempt {
                sink,
                took,
                delivered,
            } => {
                let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                let details =
                    json!({"sink": sink.as_str(), "tookUs": took, "delivered": delivered});
                self.debug("Attempt", &details);
            }
        }
    }
}

fn add_signal(details: &mut Value, signal: Option<Signal>) {
    if let Some(signal) = signal {
        details["signal"] = signal.as_str().into();
    }
}

fn print(line: &str) {
    let mut stderr = std::io::stderr().lock();
    // Nobody is left to tell when stderr is closed.
    drop(writeln!(stderr, "{line}"));
}
