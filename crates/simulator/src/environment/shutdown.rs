//! The end of an environment: flush, SHUTDOWN, and SIGKILL after 2,000 ms.
//!
//! Invariants: the telemetry is flushed before SHUTDOWN; when `shutdown` returns, the
//! process is gone. Must not be kinder than Lambda.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::lifecycle::{LifecycleEvent, deadline_ms};
use super::{Environment, ShutdownReason};
use crate::error::SimulationError;
use crate::sync::lock;

/// What Lambda gives to the shutdown phase of an environment with external extensions.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(2);

/// How an environment ended.
#[derive(Debug, Clone, PartialEq)]
pub struct ShutdownReport {
    /// From the delivery of SHUTDOWN to the end of the process.
    pub duration: Duration,
    /// It had to be killed.
    pub killed: bool,
    /// Its exit code; `None` when a signal ended it.
    pub exit_code: Option<i32>,
    /// The object under `backstop.ledger` of the last line on stderr that has one.
    pub ledger: Option<Value>,
    /// All its lines on stderr.
    pub stderr: Vec<String>,
    /// All its lines on stdout.
    pub stdout: Vec<String>,
}

impl Environment {
    /// Ends the environment. Afterwards only its counts and lines can be asked for.
    pub async fn shutdown(
        &self,
        reason: ShutdownReason,
    ) -> Result<ShutdownReport, SimulationError> {
        let turn = self.turn.lock().await;
        self.end("it was shut down");
        if std::mem::replace(&mut lock(&self.state).is_shut_down, true) {
            return Err(SimulationError::Over("it was shut down"));
        }
        if self.process.exit_status().is_some() {
            return Ok(self.ended(Duration::ZERO, false).await);
        }
        self.thaw();
        // What can't be flushed in time is counted as dropped when the queue is closed.
        tokio::select! {
            _ = self.telemetry.flush(self.settings.shutdown_flush) => {}
            _ = self.process.exited() => {}
        }
        self.peak_rss_bytes();

        let sent = Instant::now();
        if self.asked_for("SHUTDOWN") {
            self.lifecycle.push(LifecycleEvent::Shutdown {
                reason,
                deadline_ms: deadline_ms(SHUTDOWN_LIMIT),
            });
        }
        let delivered = self.tracker.find(|progress| progress.shutdown_at);
        let from = tokio::select! {
            delivered = tokio::time::timeout(SHUTDOWN_LIMIT, delivered) => delivered.unwrap_or(sent),
            _ = self.process.exited() => sent,
        };
        let exited = tokio::time::timeout_at(from + SHUTDOWN_LIMIT, self.process.exited()).await;
        let killed = exited.is_err();
        if killed {
            self.process.kill().await;
        }
        let duration = from.elapsed();
        drop(turn);
        Ok(self.ended(duration, killed).await)
    }

    async fn ended(&self, duration: Duration, killed: bool) -> ShutdownReport {
        self.process.drained().await;
        self.telemetry.close();
        let stderr = self.process.stderr();
        ShutdownReport {
            duration,
            killed,
            exit_code: self.process.exit_status().and_then(|status| status.code()),
            ledger: stderr.iter().rev().find_map(|line| ledger(line)),
            stderr,
            stdout: self.process.stdout(),
        }
    }
}

fn ledger(line: &str) -> Option<Value> {
    let mut line: Value = serde_json::from_str(line).ok()?;
    line.pointer_mut("/backstop/ledger").map(Value::take)
}
