//! Sends batches to the primary: retries, splits and gives up.
//!
//! Invariants: every record given to [`Sender::deliver`] is, when it returns, counted as sent,
//! rejected or failed; rejected is only what was refused alone, or by a primary that refuses
//! everything; a pause never outlasts an interruption. Must not: decide what a status means, which is
//! [`Answer::verdict`]'s, nor how a refused body is halved, which is [`Isolation`]'s: both are the
//! extension's.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use backstop_delivery::{
    Answer, Backoff, Cause, Failure, Isolation, Jitter, PartAnswer, Role, Turn, Verdict,
};
use tokio::sync::{Notify, watch};

use super::batch::{Record, idempotency_key};
use super::summary::{Problem, Summary};
use super::target::Target;

const MOST_ATTEMPTS: u32 = 8;
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_secs(15);
/// A `Retry-After` beyond this is cut: the attempts are counted anyway.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(1);
/// Time for a request in progress after an interruption.
const GRACE: Duration = Duration::from_secs(2);
/// Stop after this many batches in a row have used up their attempts.
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

/// How the attempts at one request ended, and for which records. The others went their own way.
enum End<'a> {
    /// Taken, as far as they are not counted yet.
    Delivered(Vec<&'a Record>),
    TooLarge(Cause, Vec<&'a Record>),
    Rejected(Cause, Vec<&'a Record>),
    /// One of them is refused, and those before it and after it are to be sent again.
    Named(Cause, Vec<&'a Record>, Vec<Vec<&'a Record>>),
    /// More than one request may hold: the first ones, and the rest.
    Cut(Vec<&'a Record>, Vec<&'a Record>),
    Failed(Vec<&'a Record>),
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
        // Those of one signal share a request.
        let mut whole: Vec<&Record> = batch.iter().collect();
        whole.sort_by_cached_key(|record| self.target.sink.signal(&record.line));
        let mut isolation = Isolation::new(whole, MOST_REQUESTS, refuses_all);
        let mut last_cause = None;
        loop {
            let records = match isolation.turn() {
                Turn::Done => return summary,
                Turn::Ask(records) => records,
                Turn::Condemned(rest) => {
                    self.refuses_all.store(true, Ordering::Relaxed);
                    for records in rest {
                        if let Some(cause) = last_cause {
                            reject(&mut summary, object, &records, cause);
                        }
                    }
                    continue;
                }
                Turn::Unresolved(rest) => {
                    for records in rest {
                        summary.failed += records.len() as u64;
                        summary.problem(Problem::unresolved(object, &records));
                    }
                    continue;
                }
            };
            let sent_before = summary.sent;
            let alone = match self.attempts(object, records, &mut summary).await {
                End::Delivered(records) => {
                    summary.sent += records.len() as u64;
                    // Of a request whose records were all unfit, or refused by name, nothing was taken.
                    if summary.sent > sent_before {
                        self.refuses_all.store(false, Ordering::Relaxed);
                        isolation.taken();
                    } else {
                        isolation.unheard();
                    }
                    continue;
                }
                End::Failed(records) => {
                    summary.failed += records.len() as u64;
                    isolation.unheard();
                    continue;
                }
                End::Cut(head, tail) => {
                    isolation.put_first(vec![head, tail]);
                    continue;
                }
                End::Named(cause, named, rest) => {
                    last_cause = Some(cause);
                    isolation.named(rest);
                    Some(named)
                }
                End::TooLarge(cause, records) => {
                    last_cause = Some(cause);
                    isolation.too_large(records)
                }
                End::Rejected(cause, records) => {
                    last_cause = Some(cause);
                    isolation.refused(records)
                }
            };
            if let (Some(records), Some(cause)) = (alone, last_cause) {
                reject(&mut summary, object, &records, cause);
            }
        }
    }

    async fn attempts<'a>(
        &self,
        object: &str,
        mut records: Vec<&'a Record>,
        summary: &mut Summary,
    ) -> End<'a> {
        let mut failures = 0;
        loop {
            let lines: Vec<&str> = records.iter().map(|record| record.line.as_str()).collect();
            let framed = self.target.sink.frame(&lines);
            if framed.covers < records.len() {
                let tail = records.split_off(framed.covers.max(1));
                return End::Cut(records, tail);
            }
            if !framed.unfit.is_empty() {
                // They are never sent, and what is left makes another body.
                for (index, unfit) in framed.unfit.iter().rev() {
                    let record = records.remove(*index);
                    summary.rejected += 1;
                    summary.problem(Problem::unfit(object, record, *unfit));
                }
                if records.is_empty() {
                    return End::Delivered(records);
                }
                continue;
            }
            let body = framed.body;
            if records.len() > 1 && body.len() >= self.too_large.load(Ordering::Relaxed) {
                return End::TooLarge(Answer::status(413).cause(), records);
            }
            let key = idempotency_key(object, &records);
            // The same body as long as nothing of it is taken.
            loop {
                if self.halted().is_some() || *self.stop.borrow() {
                    return End::Failed(records);
                }
                let answer = tokio::select! {
                    answer = self.target.sink.post(framed.signal, &key, body.clone(), records.len()) => answer,
                    () = self.out_of_time() => Answer::None(Failure::TimedOut),
                };
                let cause = answer.cause();
                let after = match answer.verdict(Role::Primary) {
                    Verdict::Delivered => {
                        self.exhausted.store(0, Ordering::Relaxed);
                        return End::Delivered(records);
                    }
                    Verdict::Isolate => return End::Rejected(cause, records),
                    Verdict::Named => {
                        let at = answer.named().unwrap_or_default().min(records.len() - 1);
                        let mut named = records.split_off(at);
                        let tail = named.split_off(1);
                        let mut rest = vec![records, tail];
                        rest.retain(|records| !records.is_empty());
                        return End::Named(cause, named, rest);
                    }
                    Verdict::Split => {
                        self.too_large.fetch_min(body.len(), Ordering::Relaxed);
                        return End::TooLarge(cause, records);
                    }
                    Verdict::Stop => {
                        self.halt(stop_advice(cause));
                        return End::Failed(records);
                    }
                    Verdict::Divert => {
                        self.exhaust(cause);
                        return End::Failed(records);
                    }
                    Verdict::Condemn => {
                        self.exhausted.store(0, Ordering::Relaxed);
                        let refused = answer.unnamed().unwrap_or(records.len());
                        let refused = refused.min(records.len());
                        summary.rejected += refused as u64;
                        summary.problem(Problem::unnamed(object, &records, refused, cause));
                        records.truncate(records.len() - refused);
                        return End::Delivered(records);
                    }
                    Verdict::Retry { after } => after,
                    Verdict::Parts => None,
                };
                let is_new = take_answered(object, &mut records, &answer, summary);
                if records.is_empty() {
                    self.exhausted.store(0, Ordering::Relaxed);
                    return End::Delivered(records);
                }
                failures += 1;
                if failures >= MOST_ATTEMPTS {
                    self.exhaust(cause);
                    return End::Failed(records);
                }
                self.pause(failures, after).await;
                if is_new {
                    break;
                }
            }
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
                .unwrap_or("run the same command again when the primary is healthy");
            self.halt(format!(
                "the primary does not accept records: {cause}; {advice}"
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

fn reject(summary: &mut Summary, object: &str, records: &[&Record], cause: Cause) {
    summary.rejected += records.len() as u64;
    summary.problem(Problem::rejected(object, records, cause));
}

/// Counts what an answer says of single records, and leaves those that are to be sent again. Whether those are
/// fewer than before.
fn take_answered(
    object: &str,
    records: &mut Vec<&Record>,
    answer: &Answer,
    summary: &mut Summary,
) -> bool {
    let Answer::Records {
        records: answers,
        refused: cause,
        ..
    } = answer
    else {
        return false;
    };
    if answers.len() != records.len() {
        // It does not say which are meant.
        return false;
    }
    let cause = cause.as_deref().copied();
    let cause = cause.unwrap_or_else(|| answer.cause());
    let before = records.len();
    let mut answers = answers.iter();
    let mut refused = Vec::new();
    records.retain(|record| match answers.next() {
        Some(PartAnswer::Taken) => {
            summary.sent += 1;
            false
        }
        Some(PartAnswer::Refused) => {
            refused.push(*record);
            false
        }
        Some(PartAnswer::Retry | PartAnswer::Unheard) | None => true,
    });
    if !refused.is_empty() {
        reject(summary, object, &refused, cause);
    }
    records.len() < before
}

fn stop_advice(cause: Cause) -> String {
    match cause.reason {
        "unauthorized" => format!(
            "the primary rejected the credentials: {cause}; check the token (--token-file or \
             BACKSTOP_PRIMARY_TOKEN) and --header-file, then run the same command again"
        ),
        "payment_required" => format!(
            "the primary's account cannot accept records: {cause}; check its plan and quota, then \
             run the same command again"
        ),
        "redirected" => format!(
            "the primary redirects, and Backstop follows no redirects: {cause}; give its new \
             address with --to"
        ),
        "not_accepted" => format!(
            "the primary does not accept such requests: {cause}; check the address in --to, \
             --format and --header-file"
        ),
        _ => format!("the primary does not know this path: {cause}; check the path in --to"),
    }
}
