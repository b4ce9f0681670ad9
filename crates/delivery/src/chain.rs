//! The sink chain: offers each batch to the sinks in order, within a window, and counts what becomes of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;

use crate::attempt::{AttemptLimits, Outcome, send_with_retries};
use crate::backoff::Jitter;
use crate::batch::Batch;
use crate::breaker::{BreakerState, Permit};
use crate::cause::Cause;
use crate::clock::{Clock, Wall};
use crate::context::Context;
use crate::drop_reason::DropReason;
use crate::ledger::SharedLedger;
use crate::link::{Link, LinkSettings};
use crate::outcome::DeadLetter;
use crate::phase::Phase;
use crate::piece::{Offer, Refusal, SetAside, SplitPiece, Step};
use crate::record::Signal;
use crate::role::{Role, SinkName};
use crate::share;
use crate::sink::Observer;
use crate::turn::{LinkView, Turn, TurnInputs, turn};
use crate::window::WindowView;

/// Batches under way at once. Enough to hide a round trip, few enough to bound memory.
const CONCURRENT: usize = 4;

/// The same of batches for the archive only.
const ARCHIVING: usize = 2;

/// Everything a chain is made of.
#[derive(Debug)]
pub struct ChainParts {
    /// The sinks, in order.
    pub links: Vec<LinkSettings>,
    /// Where outcomes are counted.
    pub ledger: SharedLedger,
    /// Wall time, for the breakers.
    pub clock: Arc<dyn Clock>,
    /// Notified of what happens in the chain.
    pub observer: Arc<dyn Observer>,
    /// The randomness of backoff and cooldown.
    pub jitter: Jitter,
}

/// The sinks in order, each behind its breaker.
#[derive(Debug)]
pub struct Chain {
    pub(crate) links: Vec<Link>,
    pub(crate) context: Context,
    /// Encoding takes turns, with a look at the network between: on a fraction of a core, encoding
    /// four batches in a row would let the answer to the first one time out unread.
    encoding: tokio::sync::Mutex<()>,
}

impl Chain {
    /// A chain of these parts.
    pub fn new(parts: ChainParts) -> Self {
        Self {
            links: parts.links.into_iter().map(Link::new).collect(),
            context: Context {
                ledger: parts.ledger,
                clock: parts.clock,
                observer: parts.observer,
                jitter: parts.jitter,
            },
            encoding: tokio::sync::Mutex::new(()),
        }
    }

    /// Offers batches to the sinks within the window. Hands back what no sink took, in order.
    pub async fn flush(&self, batches: Vec<Batch>, window: &WindowView) -> Vec<Batch> {
        let left = self.offer_all(batches, window).await;
        if left.is_empty() || window.current().phase != Phase::Shutdown {
            return left;
        }
        // Nothing comes after this. The flush may have begun before; and where all sinks refused at once,
        // one may have come back.
        self.offer_all(left, window).await
    }

    /// Each sink's breaker, in order.
    pub fn breakers(&self) -> Vec<(SinkName, BreakerState)> {
        let now = self.context.clock.wall();
        self.links
            .iter()
            .map(|link| (link.sink.name(), link.state().breaker.state(now)))
            .collect()
    }

    /// Whether a sink waits for a probe, which only a handler's run can give it, and there are records to probe
    /// it with: of its signal, where it takes one only, and not for the archive where it is the primary.
    pub fn wants_probe(&self, has_records: impl Fn(Role, Option<Signal>) -> bool) -> bool {
        let now = self.context.clock.wall();
        self.links.iter().any(|link| {
            let would_probe = link.state().breaker.would_probe(now, Phase::Handler);
            would_probe && has_records(link.role, link.signal)
        })
    }

    /// Whether any sink may be tried as usual.
    pub fn can_deliver(&self) -> bool {
        self.breakers()
            .iter()
            .any(|(_, state)| *state == BreakerState::Closed)
    }

    /// Whether a fallback may be tried as usual.
    pub fn can_archive(&self) -> bool {
        let now = self.context.clock.wall();
        let mut fallbacks = self.links.iter().filter(|it| it.role == Role::Fallback);
        fallbacks.any(|link| link.state().breaker.state(now) == BreakerState::Closed)
    }

    /// Forgets connections and credentials in every sink.
    pub fn reset(&self) {
        for link in &self.links {
            link.sink.reset();
        }
    }

    /// What is for the archive only goes its own way beside the rest, so that a fallback that hangs keeps nothing
    /// from the primary, nor the other way round.
    async fn offer_all(&self, batches: Vec<Batch>, window: &WindowView) -> Vec<Batch> {
        let (archived, delivered): (Vec<_>, Vec<_>) =
            batches.into_iter().partition(Batch::is_archive_only);
        let rounds = rounds(&delivered, CONCURRENT);
        let delivered = stream::iter(delivered)
            .map(|batch| self.offer(batch, window.clone(), rounds))
            .buffered(CONCURRENT)
            .concat();
        let (mut left, also_left) = tokio::join!(delivered, self.archive_all(archived, window));
        left.extend(also_left);
        left
    }

    async fn archive_all(&self, batches: Vec<Batch>, window: &WindowView) -> Vec<Batch> {
        let rounds = rounds(&batches, ARCHIVING);
        stream::iter(batches)
            .map(|batch| self.archive(batch, window.clone(), rounds))
            .buffered(ARCHIVING)
            .concat()
            .await
    }

    /// Offers one piece to the sinks in order, until one takes it or has to be asked in another way.
    pub(crate) async fn offer_once(
        &self,
        mut batch: Batch,
        window: &mut WindowView,
        offer: Offer,
        aside: &mut SetAside,
    ) -> Step {
        let began_in = window.current().phase;
        let mut unasked = self.order(began_in, batch.signal());
        while let Some(index) = unasked.pop_front() {
            let link = &self.links[index];
            let is_given_up =
                offer.is_given_up || batch.is_archive_only() || batch.dead_letter().is_some();
            if is_given_up && link.role == Role::Primary {
                continue;
            }
            let encoding = self.encoding.lock().await;
            tokio::task::yield_now().await;
            let phase = window.current().phase;
            if phase == Phase::Shutdown && began_in != phase {
                // Another order, and time kept for all: the second pass.
                return Step::Left(batch);
            }
            let rounds = offer.rounds_in(phase, !aside.dead.is_empty());
            let now = self.context.clock.wall();
            let inputs = TurnInputs {
                phase,
                left: window.left(Duration::ZERO),
                rounds,
                records: batch.len(),
            };
            let decision = self.decide(link, &unasked, now, inputs);
            if let Turn::Cut(at) = decision {
                let tail = batch.split_off(at);
                return Step::Cut(batch, tail);
            }
            for later in &unasked {
                self.links[*later].divert(&mut batch, Cause::BREAKER_OPEN);
            }
            let reserve = match decision {
                Turn::Ask { reserve } | Turn::Probe { reserve } => reserve,
                Turn::Skip(cause) => {
                    link.divert(&mut batch, cause);
                    continue;
                }
                Turn::Wait | Turn::Cut(_) => return Step::Left(batch),
            };
            // The breaker notes a probe; at shutdown it has only decided who is asked first.
            let permit = link.state().breaker.admit(now, phase);
            let permit = permit.unwrap_or(Permit::Normal);
            let encoded = link.sink.encode(&batch);
            drop(encoding);
            let refusal = |cause| Refusal {
                sink: link.sink.name(),
                role: link.role,
                cause,
            };
            let had_dead = offer.has_dead || !aside.dead.is_empty();
            aside.take(&mut batch, &encoded, refusal);
            let has_new_dead = !had_dead && !aside.dead.is_empty();
            if has_new_dead && phase == Phase::Shutdown && !batch.is_empty() {
                // They need a round of their own, for which no time was kept yet: this sink's turn again.
                unasked.push_front(index);
                continue;
            }
            if batch.is_empty() {
                link.state().breaker.forget_probe();
                return Step::Settled;
            }
            let limits = self.attempt_limits((permit, batch.signal()), phase, reserve, rounds);
            let mut alone = Vec::new();
            let parts = encoded.parts;
            let outcome = send_with_retries(
                &self.context,
                link,
                &mut batch,
                parts,
                window,
                limits,
                &mut alone,
            )
            .await;
            aside.reject(alone, refusal);
            match outcome {
                Outcome::Delivered => {
                    self.context.count_delivered(link, &batch, batch.len());
                    return match link.role {
                        Role::Primary => Step::Taken,
                        Role::Fallback => Step::Settled,
                    };
                }
                Outcome::Diverted(cause) => link.divert(&mut batch, cause),
                Outcome::Condemned { refused, cause } => {
                    let kept = self.condemn(link, batch, refused);
                    let kept = kept.map(|batch| (batch, refusal(cause), DeadLetter::Rejected));
                    aside.dead.extend(kept);
                    return Step::Taken;
                }
                Outcome::Named(at, cause) => {
                    return Step::Named(Box::new(SplitPiece::new(batch, at)), refusal(cause));
                }
                Outcome::CutShort => return Step::Left(batch),
                // What one fallback does not take alone, the next one may.
                Outcome::TooLarge(_) if link.role == Role::Fallback && batch.len() == 1 => {}
                Outcome::TooLarge(cause) => return Step::TooLarge(batch, refusal(cause)),
                Outcome::Rejected(cause) => return Step::Refused(batch, refusal(cause)),
            }
        }
        self.settle_untaken(batch)
    }

    /// What is done with a piece at a sink, of which these are still to be asked after it.
    fn decide(
        &self,
        link: &Link,
        unasked: &VecDeque<usize>,
        now: Wall,
        inputs: TurnInputs,
    ) -> Turn {
        let view = |link: &Link| link.view(now, inputs.phase);
        let later = unasked.iter().map(|at| view(&self.links[*at]));
        let later: Vec<LinkView> = later.collect();
        turn(view(link), &later, inputs)
    }

    /// A sink took a batch except for this number of records, and did not say which. Gives the batch back if a
    /// fallback can keep it.
    fn condemn(&self, link: &Link, mut batch: Batch, refused: usize) -> Option<Batch> {
        batch.mark_ambiguous();
        if self.has_fallback() {
            return Some(batch);
        }
        let refused = refused.min(batch.len());
        self.context
            .count_delivered(link, &batch, batch.len() - refused);
        let mut ledger = self.context.ledger.lock();
        ledger.drop_records(DropReason::Rejected, refused as u64);
        None
    }

    /// The limits of the attempts at one sink. The sinks after it are left `reserve`.
    fn attempt_limits(
        &self,
        (permit, signal): (Permit, Signal),
        phase: Phase,
        reserve: Duration,
        rounds: u32,
    ) -> AttemptLimits {
        let all = self.links_of(signal).map(|link| link.state().reserve());
        let shutdown_reserve = match phase {
            Phase::Shutdown => reserve,
            Phase::Handler | Phase::PostRuntime => {
                share::shutdown_reserve(all).saturating_mul(rounds)
            }
        };
        AttemptLimits {
            permit,
            reserve,
            shutdown_reserve,
        }
    }

    /// The order in which the sinks of a signal are asked: as configured; at shutdown, where each of them is
    /// asked, those that were given up come last.
    fn order(&self, phase: Phase, signal: Signal) -> VecDeque<usize> {
        let now = self.context.clock.wall();
        let is_closed =
            |index: &usize| self.links[*index].state().breaker.state(now) == BreakerState::Closed;
        let all = (0..self.links.len()).filter(|index| self.links[*index].takes(signal));
        if phase != Phase::Shutdown {
            return all.collect();
        }
        let (closed, given_up): (Vec<_>, Vec<_>) = all.partition(is_closed);
        closed.into_iter().chain(given_up).collect()
    }

    /// No sink took it: it waits, unless there is none left that ever could.
    fn settle_untaken(&self, batch: Batch) -> Step {
        match batch.dead_letter() {
            Some(kind) if !self.has_fallback() => {
                let reason = match kind {
                    DeadLetter::Rejected => DropReason::Rejected,
                    DeadLetter::TooLarge => DropReason::TooLarge,
                    DeadLetter::TooOld => DropReason::TooOld,
                };
                self.context
                    .ledger
                    .lock()
                    .drop_records(reason, batch.len() as u64);
                Step::Settled
            }
            Some(_) | None => Step::Left(batch),
        }
    }

    /// The sinks that take a signal.
    pub(crate) fn links_of(&self, signal: Signal) -> impl Iterator<Item = &Link> {
        self.links.iter().filter(move |link| link.takes(signal))
    }

    /// Whether there is a fallback, whatever its state.
    pub fn has_fallback(&self) -> bool {
        self.links.iter().any(|link| link.role == Role::Fallback)
    }
}

/// The rounds that sending these takes, with `at_once` batches in each.
fn rounds(batches: &[Batch], at_once: usize) -> u32 {
    u32::try_from(batches.len().div_ceil(at_once)).unwrap_or(u32::MAX)
}
