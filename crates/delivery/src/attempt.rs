//! The attempts to get one batch into one sink, with backoff, inside the sink's share of the window.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::backoff::Backoff;
use crate::batch::Batch;
use crate::breaker::Permit;
use crate::cause::Cause;
use crate::context::Context;
use crate::link::{LEAST_BUDGET, Link};
use crate::outcome::{Answer, Failure, PartAnswer, Sent, Verdict};
use crate::phase::Phase;
use crate::request::send_once;
use crate::role::Role;
use crate::sink::{Notice, Part};
use crate::window::{Limit, WindowView};

/// Attempts at one sink before the batch goes to the next. As many as open the breaker.
const MOST_ATTEMPTS: u32 = 3;
/// A sink that answers with errors is asked again after this multiple of the time that the answer took.
const PROBE_SHARE: u32 = 2;
/// How long a body size that was too large is not tried again.
const TOO_LARGE_IS_KNOWN: Duration = Duration::from_mins(5);

/// How the attempts ended.
pub(crate) enum Outcome {
    /// The sink took what was left of the batch.
    Delivered,
    /// The next sink's turn.
    Diverted(Cause),
    /// The sink calls the body too large.
    TooLarge(Cause),
    /// The sink will never take one of these records, or more.
    Rejected(Cause),
    /// The sink refused the record at this place, and the others have to be sent again.
    Named(usize, Cause),
    /// The sink refused some of the records without saying which, and took the others.
    Condemned {
        /// The number of those that it refused.
        refused: usize,
        /// What it said.
        cause: Cause,
    },
    /// The window moved before the sink had the time it usually takes: nobody's failure.
    CutShort,
}

/// What bounds the attempts at one sink.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttemptLimits {
    pub(crate) permit: Permit,
    /// What the sinks after this one must be left.
    pub(crate) reserve: Duration,
    /// The same, should the environment be taken down meanwhile.
    pub(crate) shutdown_reserve: Duration,
}

/// Tries until the sink takes the batch, the batch must go elsewhere, or the time is up.
///
/// Where a sink takes a part, the batch shrinks to what it did not take. What it refuses by name leaves the
/// batch for `refused`.
pub(crate) async fn send_with_retries(
    context: &Context,
    link: &Link,
    batch: &mut Batch,
    mut parts: Vec<Part>,
    window: &mut WindowView,
    limits: AttemptLimits,
    refused: &mut Vec<(Batch, Cause)>,
) -> Outcome {
    let (permit, reserve) = (limits.permit, limits.reserve);
    if batch.len() > 1 && known_too_large(context, link, &parts) {
        link.state().breaker.forget_probe();
        return Outcome::TooLarge(Answer::status(413).cause());
    }
    let mut failures = 0;
    let mut has_thawed = false;
    let mut has_renewed = false;
    loop {
        let started = Instant::now();
        let limit = limit(link, limits, window.current().epoch);
        let sending = send_once(link, batch, &parts, window, limit).await;
        let answer = sending.answer.proven(Sent {
            parts: parts.len(),
            records: batch.len(),
            role: link.role,
        });
        let verdict = answer.verdict(link.role);
        let cause = answer.cause();
        let took = started.elapsed();
        let delivered = verdict == Verdict::Delivered;
        context.observer.notice(Notice::Attempt {
            sink: link.sink.name(),
            took,
            delivered,
        });
        // What was read for this very request is as new as can be.
        has_renewed |= sending.has_prepared;
        if !has_renewed && is_unauthorized(&verdict, cause) && link.sink.renew(started) {
            // A token that was rotated: the same again, with the new one.
            has_renewed = true;
            continue;
        }
        if let Some(outcome) = ended(context, link, (&answer, &verdict), &parts, took) {
            return outcome;
        }
        let mut retry_after = None;
        if let Verdict::Retry { after } = verdict {
            retry_after = after;
        } else {
            refused.extend(apply_part_answers(
                context, link, batch, &mut parts, &answer,
            ));
            if batch.is_empty() {
                link.state().observe(took);
                sink_succeeded(context, link);
                return Outcome::Delivered;
            }
        }
        if is_cut_short(link, &answer, window, permit, took) {
            if answer == Answer::None(Failure::TimedOut) && sending.has_left {
                batch.mark_ambiguous();
            }
            // Once may be chance; a sink that is cut short each time is given up like any other.
            if link.state().is_new_cut(Instant::now()) {
                sink_failed(context, link, (cause, took), false, None);
            }
            return Outcome::CutShort;
        }
        let at_once = match answer {
            Answer::None(failure) => {
                link.state().was_silent(took, permit);
                if failure.is_ambiguous(sending.has_left) {
                    batch.mark_ambiguous();
                }
                if failure == Failure::Thawed && !has_thawed {
                    // The freeze broke it, not the sink: the same again, under the same id.
                    has_thawed = true;
                    continue;
                }
                // A second freeze without an answer is the sink's doing: where freezes come more
                // often than time-outs, nothing else would ever tell that it hangs.
                failure.used_its_budget() || failure == Failure::Thawed
            }
            _ => false,
        };
        failures += 1;
        let opened = sink_failed(context, link, (cause, took), at_once, retry_after);
        let pause = retry_after
            .unwrap_or_else(|| Backoff::within_a_flush().delay(failures, context.jitter.next()));
        let out_of_time = window.left(reserve) < pause.saturating_add(LEAST_BUDGET);
        if opened || at_once || permit == Permit::Probe || failures >= MOST_ATTEMPTS || out_of_time
        {
            return Outcome::Diverted(cause);
        }
        if !has_waited(pause, window, limit).await {
            return Outcome::Diverted(cause);
        }
    }
}

/// Whether the sink does not know who asks.
fn is_unauthorized(verdict: &Verdict, cause: Cause) -> bool {
    *verdict == Verdict::Stop && matches!(cause.status, Some(401 | 403))
}

/// What an answer decides by itself, for the whole request; none where the rest has to be sent again.
fn ended(
    context: &Context,
    link: &Link,
    (answer, verdict): (&Answer, &Verdict),
    parts: &[Part],
    took: Duration,
) -> Option<Outcome> {
    let cause = answer.cause();
    let outcome = match verdict {
        Verdict::Delivered => {
            link.state().observe(took);
            Outcome::Delivered
        }
        Verdict::Condemn => {
            link.state().observe(took);
            let records = parts.iter().map(|part| part.records.len());
            let refused = answer.unnamed().unwrap_or_else(|| records.sum());
            Outcome::Condemned { refused, cause }
        }
        Verdict::Isolate => {
            link.state().observe_at_least(took);
            Outcome::Rejected(cause)
        }
        Verdict::Named => {
            link.state().observe_at_least(took);
            Outcome::Named(answer.named().unwrap_or_default(), cause)
        }
        Verdict::Split => {
            link.state().observe_at_least(took);
            remember_too_large(context, link, parts);
            Outcome::TooLarge(cause)
        }
        Verdict::Stop | Verdict::Divert => {
            let at_once = *verdict == Verdict::Stop;
            sink_failed(context, link, (cause, took), at_once, None);
            return Some(Outcome::Diverted(cause));
        }
        Verdict::Retry { .. } | Verdict::Parts => return None,
    };
    sink_succeeded(context, link);
    Some(outcome)
}

/// Whether the window ended the attempt before the sink had the time that it usually takes.
fn is_cut_short(
    link: &Link,
    answer: &Answer,
    window: &WindowView,
    permit: Permit,
    took: Duration,
) -> bool {
    permit == Permit::Normal
        && matches!(answer, Answer::None(failure) if failure.used_its_budget())
        && window.current().phase != Phase::Shutdown
        && took < link.state().needs()
}

/// What bounds an attempt that begins now.
fn limit(link: &Link, limits: AttemptLimits, epoch: u64) -> Limit {
    let started = Instant::now();
    let state = link.state();
    let is_probe = limits.permit == Permit::Probe;
    Limit {
        until: started.checked_add(link.timeout).unwrap_or(started),
        started,
        needs: if is_probe {
            state.probe_grace()
        } else {
            state.needs()
        },
        reserve: limits.reserve,
        shutdown_reserve: limits.shutdown_reserve,
        epoch,
        thaw_grace: state.thaw_grace(),
        probe_grace: is_probe.then(|| state.probe_grace()),
    }
}

/// Waits before the next attempt; false where there is no time for it any more.
async fn has_waited(pause: Duration, window: &mut WindowView, limit: Limit) -> bool {
    let mut phase = window.clone();
    tokio::select! {
        () = sleep(pause) => true,
        _ = window.cut(limit) => false,
        // The others' turn, and then this one's again.
        () = phase.becomes(Phase::Shutdown) => false,
    }
}

fn known_too_large(context: &Context, link: &Link, parts: &[Part]) -> bool {
    let size: usize = parts.iter().map(|part| part.body.len()).sum();
    known_limit(context, link).is_some_and(|limit| size >= limit)
}

fn remember_too_large(context: &Context, link: &Link, parts: &[Part]) {
    let size: usize = parts.iter().map(|part| part.body.len()).sum();
    let limit = known_limit(context, link).map_or(size, |known| known.min(size));
    link.state().too_large = Some((limit, context.clock.wall() + TOO_LARGE_IS_KNOWN));
}

/// The size the sink is known to call too large, while that is recent: somebody may raise the limit.
fn known_limit(context: &Context, link: &Link) -> Option<usize> {
    let now = context.clock.wall();
    link.state()
        .too_large
        .filter(|(_, until)| now < *until)
        .map(|(size, _)| size)
}

fn sink_succeeded(context: &Context, link: &Link) {
    let mut state = link.state();
    state.reported = None;
    let has_closed = state.breaker.succeeded();
    drop(state);
    if has_closed {
        context.observer.notice(Notice::BreakerClosed {
            sink: link.sink.name(),
            signal: link.signal,
        });
    }
}

fn sink_failed(
    context: &Context,
    link: &Link,
    (cause, took): (Cause, Duration),
    at_once: bool,
    retry_after: Option<Duration>,
) -> bool {
    let now = context.clock.wall();
    // Where each probe takes its time, probes are to be a small part of it all.
    let patience = (!at_once).then_some(took.saturating_mul(PROBE_SHARE));
    let not_before = retry_after.max(patience);
    let mut state = link.state();
    state.took_last = false;
    let random = context.jitter.next();
    let opened = state.breaker.failed(now, at_once, not_before, random);
    let is_news = opened || state.is_other_secret(cause);
    if is_news {
        state.reported = Some(cause);
    }
    drop(state);
    if is_news {
        context.observer.notice(Notice::BreakerOpened {
            sink: link.sink.name(),
            signal: link.signal,
            cause,
        });
    }
    opened
}

/// Counts what the sink took as delivered, hands back what it refused, and shrinks the batch and its parts to
/// the rest, which is ambiguous where the sink said nothing of it.
fn apply_part_answers(
    context: &Context,
    link: &Link,
    batch: &mut Batch,
    parts: &mut Vec<Part>,
    answer: &Answer,
) -> Option<(Batch, Cause)> {
    let named = Cause {
        reason: "rejected",
        ..answer.cause()
    };
    // What the last sink in the chain refuses has nowhere else to go: it waits.
    let fate = |answer: &PartAnswer| match (*answer, link.role) {
        (PartAnswer::Refused, Role::Fallback) => PartAnswer::Retry,
        (answer, _) => answer,
    };
    let waits = |fate: &PartAnswer| matches!(fate, PartAnswer::Retry | PartAnswer::Unheard);
    let mut fates = vec![PartAnswer::Unheard; batch.len()];
    let cause = match answer {
        Answer::Parts { parts: answers, .. } => {
            let mut waiting: Vec<Part> = Vec::new();
            for (part, answer) in parts.drain(..).zip(answers) {
                let fate = fate(answer);
                fates[part.records.clone()].fill(fate);
                if waits(&fate) {
                    let start = waiting.last().map_or(0, |last| last.records.end);
                    waiting.push(Part {
                        records: start..start + part.records.len(),
                        ..part
                    });
                }
            }
            *parts = waiting;
            named
        }
        Answer::Records {
            records, refused, ..
        } => {
            fates = records.iter().map(fate).collect();
            Cause {
                reason: "rejected",
                ..refused.as_deref().copied().unwrap_or(named)
            }
        }
        _ => return None,
    };
    let count = |fate| fates.iter().filter(|it| **it == fate).count();
    context.count_delivered(link, batch, count(PartAnswer::Taken));
    if count(PartAnswer::Unheard) > 0 {
        batch.mark_ambiguous();
    }
    let refused = batch.take_out(&fates, &PartAnswer::Refused);
    fates.retain(|fate| *fate != PartAnswer::Refused);
    batch.take_out(&fates, &PartAnswer::Taken);
    if matches!(answer, Answer::Records { .. }) && !batch.is_empty() {
        // Nothing was unfit, and all of it fitted, a moment ago.
        *parts = link.sink.encode(batch).parts;
    }
    refused.map(|refused| (refused, cause))
}
