//! Sends batches to the primary: retries, splits and gives up.
//!
//! Invariants: every record given to [`Sender::deliver`] is, when it returns, counted as sent,
//! rejected or failed; rejected is only what was refused alone, or by a primary that refuses
//! everything, and is in the dead-letter file; what need not be sent again is in the checkpoint before the
//! next request of its batch; a pause never outlasts an interruption. Must not: decide what a status means, which is
//! [`Answer::verdict`]'s, nor how a refused body is halved, which is [`Isolation`]'s: both are the
//! extension's.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use backstop_archive::ArchivedLine;
use backstop_delivery::{
    Answer, Backoff, Cause, Failure, Isolation, Jitter, Role, Signal, Turn, Verdict,
};
use tokio::sync::{Notify, watch};

use super::advice::{advice_on, stop_advice};
use super::batch::{Record, idempotency_key};
use super::checkpoint::Checkpoint;
use super::dead_letters::DeadLetters;
use super::pace::Pace;
use super::summary::{Problem, Summary};
use super::tally::{Tally, take_answered};
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
    /// The primary is the reason, and not what is written down here.
    is_primary: AtomicBool,
    is_halted: Notify,
    state: SendState,
}

/// What outlives a batch: how far the replay is, what was rejected, and how fast records go.
#[derive(Debug, Default)]
pub(super) struct SendState {
    pub(super) checkpoint: Option<Checkpoint>,
    pub(super) dead_letters: DeadLetters,
    pub(super) pace: Pace,
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
    pub(super) fn new(
        target: Target,
        state: SendState,
        stop: watch::Receiver<bool>,
    ) -> anyhow::Result<Self> {
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
            is_primary: AtomicBool::new(false),
            is_halted: Notify::new(),
            state,
        })
    }

    pub(super) fn state(&self) -> &SendState {
        &self.state
    }

    /// The state, when nothing more is sent.
    pub(super) fn into_state(self) -> SendState {
        self.state
    }

    /// Whether nothing more is to be sent.
    pub(super) fn is_over(&self) -> bool {
        *self.stop.borrow() || self.halted().is_some()
    }

    /// Why nothing more is sent, and what to do about it.
    pub(super) fn halted(&self) -> Option<String> {
        self.halted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The same, where the primary is the reason.
    pub(super) fn refused(&self) -> Option<String> {
        let is_primary = self.is_primary.load(Ordering::Relaxed);
        self.halted().filter(|_| is_primary)
    }

    /// The signal of a record, as the primary gets it in `line`.
    pub(super) fn signal(&self, record: &ArchivedLine<'_>, line: &str) -> Signal {
        (self.target.sink).signal(&record.kind(), record.record(), line)
    }

    /// Sends a batch, in halves where it is too large or refused, and counts what became of it.
    pub(super) async fn deliver(&self, batch: &[Record]) -> Summary {
        let mut tally = Tally::default();
        let refuses_all = self.refuses_all.load(Ordering::Relaxed);
        // Those of one signal share a request.
        let mut whole: Vec<&Record> = batch.iter().collect();
        whole.sort_by_key(|record| record.signal);
        let mut isolation = Isolation::new(whole, MOST_REQUESTS, refuses_all);
        let mut last_cause = None;
        loop {
            self.write_down(&mut tally).await;
            let records = match isolation.turn() {
                Turn::Done => return tally.summary,
                Turn::Ask(records) => records,
                Turn::Condemned(rest) => {
                    self.refuses_all.store(true, Ordering::Relaxed);
                    for records in rest {
                        if let Some(cause) = last_cause {
                            tally.rejected(&records, cause);
                        }
                    }
                    continue;
                }
                Turn::Unresolved(rest) => {
                    for records in rest {
                        tally.summary.problem(Problem::unresolved(&records));
                        tally.failed(&records);
                    }
                    continue;
                }
            };
            let sent_before = tally.summary.sent;
            let alone = match self.attempts(records, &mut tally).await {
                End::Delivered(records) => {
                    for record in records {
                        tally.taken(record);
                    }
                    // Of a request whose records were all unfit, or refused by name, nothing was taken.
                    if tally.summary.sent > sent_before {
                        self.refuses_all.store(false, Ordering::Relaxed);
                        isolation.taken();
                    } else {
                        isolation.unheard();
                    }
                    continue;
                }
                End::Failed(records) => {
                    tally.failed(&records);
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
                tally.rejected(&records, cause);
            }
        }
    }

    /// Before anything else is sent: what was refused, and then that it need not be sent again.
    async fn write_down(&self, tally: &mut Tally<'_>) {
        let refused = std::mem::take(&mut tally.refused);
        if let Err(error) = self.state.dead_letters.write(&refused) {
            self.halt(format!("{error:#}"));
            // They are in the archive only: the next run sends them again.
            tally.summary.rejected -= refused.len() as u64;
            let records: Vec<&Record> = refused.iter().map(|(record, _)| *record).collect();
            tally.failed(&records);
        } else {
            tally
                .settled
                .extend(refused.iter().map(|(record, _)| *record));
        }
        let settled = std::mem::take(&mut tally.settled);
        let Some(checkpoint) = self
            .state
            .checkpoint
            .as_ref()
            .filter(|_| !settled.is_empty())
        else {
            return;
        };
        let mut groups: Vec<(String, Vec<u64>)> = Vec::new();
        for record in &settled {
            match groups.last_mut() {
                Some((object, records)) if *object == record.origin.digest => {
                    records.push(record.digest);
                }
                _ => groups.push((record.origin.digest.clone(), vec![record.digest])),
            }
        }
        if let Err(error) = checkpoint.settled(&groups).await {
            self.halt(format!("{error:#}"));
        }
    }

    /// Waits until a request of these records may begin.
    async fn wait_for_turn(&self, records: &[&Record]) {
        let bytes = records.iter().map(|record| record.line.len() + 1).sum();
        if let Some(turn) = self.state.pace.turn(records.len(), bytes) {
            tokio::select! {
                () = tokio::time::sleep_until(turn) => {}
                () = self.ended() => {}
            }
        }
    }

    async fn attempts<'a>(&self, mut records: Vec<&'a Record>, tally: &mut Tally<'a>) -> End<'a> {
        let mut failures = 0;
        loop {
            let signal = records.first().map_or(Signal::Log, |record| record.signal);
            let same = records.iter().take_while(|record| record.signal == signal);
            let lines: Vec<&str> = same.map(|record| record.line.as_str()).collect();
            let framed = self.target.sink.frame(signal, &lines);
            if framed.covers < records.len() {
                let tail = records.split_off(framed.covers.max(1));
                return End::Cut(records, tail);
            }
            if !framed.unfit.is_empty() {
                // They are never sent, and what is left makes another body.
                for (index, unfit) in framed.unfit.iter().rev() {
                    tally.unfit(records.remove(*index), *unfit);
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
            let key = idempotency_key(&records);
            // The same body as long as nothing of it is taken.
            loop {
                self.wait_for_turn(&records).await;
                if self.is_over() {
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
                        self.is_primary.store(true, Ordering::Relaxed);
                        self.halt(stop_advice(cause, self.target.sink.advice(signal, cause)));
                        return End::Failed(records);
                    }
                    Verdict::Divert => return self.exhaust(cause, records, tally),
                    Verdict::Condemn => {
                        self.exhausted.store(0, Ordering::Relaxed);
                        let refused = answer.unnamed().unwrap_or(records.len());
                        let refused = refused.min(records.len());
                        let taken = records.len() - refused;
                        tally
                            .summary
                            .problem(Problem::unnamed(&records, refused, cause));
                        tally.summary.rejected += refused as u64;
                        // It may be any of them, and none may be sent again.
                        for record in &records {
                            record.origin.partial();
                        }
                        tally.settled.extend(&records[taken..]);
                        records.truncate(taken);
                        return End::Delivered(records);
                    }
                    Verdict::Retry { after } => after,
                    Verdict::Parts => None,
                };
                let is_new = take_answered(&mut records, &answer, tally);
                self.write_down(tally).await;
                if records.is_empty() {
                    self.exhausted.store(0, Ordering::Relaxed);
                    return End::Delivered(records);
                }
                failures += 1;
                if failures >= MOST_ATTEMPTS {
                    return self.exhaust(cause, records, tally);
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

    /// A batch has used up its attempts: the last cause is named, whether the run goes on or not.
    fn exhaust<'a>(
        &self,
        cause: Cause,
        records: Vec<&'a Record>,
        tally: &mut Tally<'a>,
    ) -> End<'a> {
        let signal = records.first().map_or(Signal::Log, |record| record.signal);
        let own = self.target.sink.advice(signal, cause);
        let advice = self.target.warning().or(own).or_else(|| advice_on(cause));
        let why = match advice {
            Some(advice) => format!("{cause}; {advice}"),
            None => cause.to_string(),
        };
        tally.exhausted(&records, &why);
        if self.exhausted.fetch_add(1, Ordering::Relaxed) + 1 >= MOST_EXHAUSTED {
            let again = match advice {
                Some(_) => "",
                None => "; replay again when the primary is healthy",
            };
            self.is_primary.store(true, Ordering::Relaxed);
            self.halt(format!("the primary does not accept records: {why}{again}"));
        }
        End::Failed(records)
    }

    pub(super) fn halt(&self, reason: String) {
        self.halted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(reason);
        self.is_halted.notify_one();
    }
}
