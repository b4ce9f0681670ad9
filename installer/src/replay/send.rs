//! Gets batches into the primary: retries, splits, and knows when to give up.
//!
//! Invariants: every record given to [`Sender::deliver`] is, when it returns, counted as sent,
//! rejected or failed; rejected is only what was refused alone, or by a primary that refuses
//! everything; a pause never outlasts an interruption. Must not: decide what a status means, which is
//! [`Answer::verdict`]'s, nor how a refused body is halved, which is [`Isolation`]'s: both are the
//! extension's.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use backstop_delivery::{Answer, Backoff, Cause, Failure, Isolation, Jitter, Role, Turn, Verdict};
use tokio::sync::{Notify, watch};

use super::batch::{Record, idempotency_key};
use super::summary::{Problem, Summary};
use super::target::Target;

const MOST_ATTEMPTS: u32 = 8;
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_secs(15);
/// A `Retry-After` beyond this is cut: the attempts are counted anyway.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(1);
/// What a request under way may still take after an interruption.
const GRACE: Duration = Duration::from_secs(2);
/// After so many batches in a row that used up their attempts, the rest would fare no better.
const MOST_EXHAUSTED: u32 = 3;
/// Requests for one batch of which something was refused. Nobody waits for a replay: this is enough for
/// any batch in which one record of twenty is bad, and ends what would go on for each single record.
const MOST_REQUESTS: u32 = 1024;

/// Sends batches to one target.
#[derive(Debug)]
pub(super) struct Sender {
    target: Target,
    backoff: Backoff,
    jitter: Jitter,
    stop: watch::Receiver<bool>,
    /// The smallest body that was called too large.
    too_large: AtomicUsize,
    exhausted: AtomicU32,
    /// The last batch was refused as a whole.
    refuses_all: AtomicBool,
    halted: Mutex<Option<String>>,
    is_halted: Notify,
}

/// How the attempts at one request ended.
enum End {
    Delivered,
    TooLarge(Cause),
    Rejected(Cause),
    Failed,
}

impl Sender {
    pub(super) fn new(target: Target, stop: watch::Receiver<bool>) -> anyhow::Result<Self> {
        let seed = std::process::id();
        Ok(Self {
            target,
            backoff: Backoff::try_new(FIRST_BACKOFF, LONGEST_BACKOFF)?,
            jitter: Jitter::seeded(u64::from(seed)),
            stop,
            too_large: AtomicUsize::new(usize::MAX),
            exhausted: AtomicU32::new(0),
            refuses_all: AtomicBool::new(false),
            halted: Mutex::default(),
            is_halted: Notify::new(),
        })
    }

    /// Why nothing more is sent, and what to do about it.
    pub(super) fn halted(&self) -> Option<String> {
        self.halted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Sends a batch, in halves where it is too large or refused, and counts what became of it.
    pub(super) async fn deliver(&self, object: &str, batch: &[Record]) -> Summary {
        let mut summary = Summary::default();
        let refuses_all = self.refuses_all.load(Ordering::Relaxed);
        let mut isolation = Isolation::new(batch, MOST_REQUESTS, refuses_all);
        let mut last_cause = None;
        let reject = |summary: &mut Summary, records: &[Record], cause| {
            summary.rejected += records.len() as u64;
            summary.problem(Problem::rejected(object, records, cause));
        };
        loop {
            let records = match isolation.turn() {
                Turn::Done => return summary,
                Turn::Ask(records) => records,
                Turn::Condemned(rest) => {
                    self.refuses_all.store(true, Ordering::Relaxed);
                    for records in rest {
                        if let Some(cause) = last_cause {
                            reject(&mut summary, records, cause);
                        }
                    }
                    continue;
                }
                Turn::Unresolved(rest) => {
                    for records in rest {
                        summary.failed += records.len() as u64;
                        summary.problem(Problem::unresolved(object, records));
                    }
                    continue;
                }
            };
            let alone = match self.attempts(object, records).await {
                End::Delivered => {
                    self.refuses_all.store(false, Ordering::Relaxed);
                    summary.sent += records.len() as u64;
                    isolation.taken();
                    continue;
                }
                End::Failed => {
                    summary.failed += records.len() as u64;
                    isolation.unheard();
                    continue;
                }
                End::TooLarge(cause) => {
                    last_cause = Some(cause);
                    isolation.too_large(records)
                }
                End::Rejected(cause) => {
                    last_cause = Some(cause);
                    isolation.refused(records)
                }
            };
            if let (Some(records), Some(cause)) = (alone, last_cause) {
                reject(&mut summary, records, cause);
            }
        }
    }

    async fn attempts(&self, object: &str, records: &[Record]) -> End {
        let lines: Vec<String> = records.iter().map(|record| record.line.clone()).collect();
        let body = self.target.sink.frame(&lines);
        if records.len() > 1 && body.len() >= self.too_large.load(Ordering::Relaxed) {
            return End::TooLarge(Answer::status(413).cause());
        }
        let key = idempotency_key(object, records);
        let mut failures = 0;
        loop {
            if self.halted().is_some() || *self.stop.borrow() {
                return End::Failed;
            }
            let answer = tokio::select! {
                answer = self.target.sink.post(&key, body.clone()) => answer,
                () = self.out_of_time() => Answer::None(Failure::TimedOut),
            };
            let after = match answer.verdict(Role::Primary) {
                Verdict::Delivered => {
                    self.exhausted.store(0, Ordering::Relaxed);
                    return End::Delivered;
                }
                Verdict::Isolate => return End::Rejected(answer.cause()),
                Verdict::Split => {
                    self.too_large.fetch_min(body.len(), Ordering::Relaxed);
                    return End::TooLarge(answer.cause());
                }
                Verdict::Stop => {
                    self.halt(stop_advice(answer.cause()));
                    return End::Failed;
                }
                Verdict::Retry { after } => after,
                // Nothing that is posted over HTTP is taken in parts.
                Verdict::Parts => None,
            };
            failures += 1;
            if failures >= MOST_ATTEMPTS {
                self.exhaust(answer.cause());
                return End::Failed;
            }
            self.pause(failures, after).await;
        }
    }

    /// The end of what one request may take, which an interruption draws near.
    async fn out_of_time(&self) {
        tokio::select! {
            () = tokio::time::sleep(self.target.timeout) => {}
            () = self.stopped() => tokio::time::sleep(GRACE.min(self.target.timeout)).await,
        }
    }

    /// Resolves when nothing more is to be sent.
    pub(super) async fn ended(&self) {
        tokio::select! {
            () = self.stopped() => {}
            () = self.is_halted.notified() => {
                // The next one who asks is to hear of it too.
                self.is_halted.notify_one();
            }
        }
    }

    /// Resolves at an interruption; never where nobody could interrupt any more.
    async fn stopped(&self) {
        if self.stop.clone().wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    async fn pause(&self, failures: u32, after: Option<Duration>) {
        let pause = after.map_or_else(
            || self.backoff.delay(failures, self.jitter.next()),
            |after| after.min(LONGEST_RETRY_AFTER),
        );
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.stopped() => {}
        }
    }

    /// A batch has used up its attempts.
    fn exhaust(&self, cause: Cause) {
        if self.exhausted.fetch_add(1, Ordering::Relaxed) + 1 >= MOST_EXHAUSTED {
            let advice = self
                .target
                .warning()
                .unwrap_or("run the same command again when it is well");
            self.halt(format!(
                "the primary does not take records: {cause}; {advice}"
            ));
        }
    }

    fn halt(&self, reason: String) {
        self.halted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(reason);
        self.is_halted.notify_one();
    }
}

fn stop_advice(cause: Cause) -> String {
    match cause.reason {
        "unauthorized" => format!(
            "the primary refused our credentials: {cause}; check the token (--token-file or \
             BACKSTOP_PRIMARY_TOKEN) and --header-file, then run the same command again"
        ),
        "payment_required" => format!(
            "the primary's account cannot take records: {cause}; check its plan and quota, then run the \
             same command again"
        ),
        "redirected" => format!(
            "the primary redirects, which is not followed: {cause}; give its new address with --to"
        ),
        "not_accepted" => format!(
            "the primary does not accept such requests: {cause}; check the address in --to, --format \
             and --header-file"
        ),
        _ => format!("the primary was not found there: {cause}; check the path in --to"),
    }
}
