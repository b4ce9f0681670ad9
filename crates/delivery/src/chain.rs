//! The sink chain: offers each batch to the sinks in order, within a window, and keeps the books.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;

use crate::attempt::{Outcome, Terms, attempts};
use crate::backoff::Jitter;
use crate::batch::Batch;
use crate::breaker::{BreakerState, Permit};
use crate::cause::Cause;
use crate::clock::Clock;
use crate::ledger::{DropReason, SharedLedger};
use crate::link::{Link, LinkSettings};
use crate::outcome::DeadLetter;
use crate::sink::{Encoded, Observer, Role, SinkName, Unfit};
use crate::window::{Phase, WindowView};

/// Batches under way at once. Enough to hide a round trip, few enough to bound memory.
const CONCURRENT: usize = 4;
/// A probe is no larger.
const PROBE_RECORDS: usize = 64;

/// Everything a chain is made of.
#[derive(Debug)]
pub struct ChainParts {
    /// The sinks, in order.
    pub links: Vec<LinkSettings>,
    /// Where outcomes are counted.
    pub ledger: SharedLedger,
    /// Wall time, for the breakers.
    pub clock: Arc<dyn Clock>,
    /// Who is told.
    pub observer: Arc<dyn Observer>,
    /// The randomness of backoff and cooldown.
    pub jitter: Jitter,
}

/// The sinks in order, each behind its breaker.
#[derive(Debug)]
pub struct Chain {
    pub(crate) links: Vec<Link>,
    pub(crate) ledger: SharedLedger,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) jitter: Jitter,
    /// Encoding takes turns, with a look at the network between: on a fraction of a core, encoding
    /// four batches in a row would let the answer to the first one time out unread.
    encoding: tokio::sync::Mutex<()>,
}

/// What became of one piece of a batch.
pub(crate) enum Step {
    /// The primary took it.
    Taken,
    /// Settled in another way, and counted.
    Settled,
    /// No sink took it now.
    Left(Batch),
    /// Too large for a probe: the first part is one, and then the other's turn comes.
    Cut(Batch, Batch),
    /// The primary refuses what it says.
    Refused(Batch, Refusal),
    /// The primary refuses one record of it.
    Named(Box<Apart>, Refusal),
    /// It is too large for a sink, which may be any.
    TooLarge(Batch, Refusal),
}

/// Who did not take a piece, and why.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal {
    pub(crate) sink: SinkName,
    pub(crate) role: Role,
    pub(crate) cause: Cause,
}

/// A piece of which a sink has named one record.
#[derive(Debug)]
pub(crate) struct Apart {
    /// What stood before that one, which the sink may have taken.
    pub(crate) head: Option<Batch>,
    pub(crate) named: Batch,
    pub(crate) tail: Option<Batch>,
}

impl Apart {
    /// The record at this place of a piece, and what is around it.
    fn new(mut head: Batch, at: usize) -> Self {
        let mut named = head.split_off(at);
        let tail = named.split_off(1);
        head.mark_ambiguous();
        let some = |batch: Batch| (!batch.is_empty()).then_some(batch);
        Self {
            head: some(head),
            named,
            tail: some(tail),
        }
    }
}

/// What leaves a piece while it is offered, and goes its own way.
#[derive(Debug, Default)]
pub(crate) struct Aside {
    /// What no retry at the primary can save, and why.
    pub(crate) dead: Vec<(Batch, Refusal, DeadLetter)>,
    /// What one request has no room for.
    pub(crate) later: Option<Batch>,
}

impl Aside {
    /// What is not in the request that was made of a batch.
    fn take(&mut self, batch: &mut Batch, encoded: &Encoded, refusal: impl Fn(Cause) -> Refusal) {
        if encoded.covers < batch.len() {
            let mut tail = batch.split_off(encoded.covers.max(1));
            // A piece may be cut for several sinks: what is cut off first comes last.
            if let Some(later) = self.later.take() {
                tail.absorb(later);
            }
            self.later = Some(tail);
        }
        for (unfit, kind, cause) in take_unfit(batch, &encoded.unfit) {
            self.dead.push((unfit, refusal(cause), kind));
        }
    }
}

/// Takes out of a batch what a sink would never take, by what is wrong with it.
fn take_unfit(batch: &mut Batch, unfit: &[(usize, Unfit)]) -> Vec<(Batch, DeadLetter, Cause)> {
    let mut fates = vec![None; batch.len()];
    for (index, kind) in unfit {
        if let Some(fate) = fates.get_mut(*index) {
            *fate = Some(*kind);
        }
    }
    let mut taken = Vec::new();
    for (unfit, kind, cause) in [
        (Unfit::TooLarge, DeadLetter::TooLarge, Cause::TOO_LARGE),
        (Unfit::TooOld, DeadLetter::TooOld, Cause::TOO_OLD),
    ] {
        if let Some(out) = batch.take_out(&fates, &Some(unfit)) {
            fates.retain(|fate| *fate != Some(unfit));
            taken.push((out, kind, cause));
        }
    }
    taken
}

/// On what terms a piece is offered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer {
    /// The batches of the flush, by those that are under way at once.
    pub(crate) rounds: u32,
    /// Its batch has dead letters that the archive is still to get: at shutdown it needs the time for both.
    pub(crate) has_dead: bool,
    /// Only the fallbacks are asked.
    pub(crate) is_given_up: bool,
}

impl Offer {
    /// The rounds for which the fallbacks are kept time. At shutdown dead letters, known before or found now,
    /// need one of their own.
    fn rounds_in(self, phase: Phase, has_found_dead: bool) -> u32 {
        if phase == Phase::Shutdown && (self.has_dead || has_found_dead) {
            self.rounds.saturating_mul(2)
        } else {
            self.rounds
        }
    }
}

impl Chain {
    /// A chain of these parts.
    pub fn new(parts: ChainParts) -> Self {
        Self {
            links: parts.links.into_iter().map(Link::new).collect(),
            ledger: parts.ledger,
            clock: parts.clock,
            observer: parts.observer,
            jitter: parts.jitter,
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
        let now = self.clock.wall();
        self.links
            .iter()
            .map(|link| (link.sink.name(), link.state().breaker.state(now)))
            .collect()
    }

    /// Whether a sink waits for a probe, which only a handler's run can give it.
    pub fn wants_probe(&self) -> bool {
        let now = self.clock.wall();
        self.links
            .iter()
            .any(|link| link.state().breaker.would_probe(now, Phase::Handler))
    }

    /// Whether any sink may be tried as usual.
    pub fn is_open_for_business(&self) -> bool {
        self.breakers()
            .iter()
            .any(|(_, state)| *state == BreakerState::Closed)
    }

    /// Forgets connections and credentials in every sink.
    pub fn reset(&self) {
        for link in &self.links {
            link.sink.reset();
        }
    }

    async fn offer_all(&self, batches: Vec<Batch>, window: &WindowView) -> Vec<Batch> {
        let rounds = u32::try_from(batches.len().div_ceil(CONCURRENT)).unwrap_or(u32::MAX);
        stream::iter(batches)
            .map(|batch| self.offer(batch, window.clone(), rounds))
            .buffered(CONCURRENT)
            .concat()
            .await
    }

    /// Offers one piece to the sinks in order, until one takes it or has to be asked in another way.
    pub(crate) async fn offer_once(
        &self,
        mut batch: Batch,
        window: &mut WindowView,
        offer: Offer,
        aside: &mut Aside,
    ) -> Step {
        let began_in = window.current().phase;
        let mut unasked = self.order(began_in);
        while let Some(index) = unasked.pop_front() {
            let link = &self.links[index];
            let is_given_up = offer.is_given_up || batch.dead_letter().is_some();
            if is_given_up && link.role == Role::Primary {
                continue;
            }
            let turn = self.encoding.lock().await;
            tokio::task::yield_now().await;
            let phase = window.current().phase;
            if phase == Phase::Shutdown && began_in != phase {
                // Another order, and time kept for all: the second pass.
                return Step::Left(batch);
            }
            let now = self.clock.wall();
            if link.state().breaker.would_probe(now, phase) && batch.len() > PROBE_RECORDS {
                let tail = batch.split_off(PROBE_RECORDS);
                return Step::Cut(batch, tail);
            }
            let rounds = offer.rounds_in(phase, !aside.dead.is_empty());
            let is_closed = |link: &Link| link.state().breaker.state(now) == BreakerState::Closed;
            let is_last_well = !unasked.iter().any(|later| is_closed(&self.links[*later]));
            let is_last_chance = phase == Phase::Shutdown && is_last_well;
            let is_closed = is_closed(link);
            let left = window.left(Duration::ZERO);
            let mut reserve = (self.reserve(link.role, &unasked, phase))
                .saturating_mul(rounds)
                .min(left / 2);
            if is_closed && is_last_chance {
                // What little is left is best spent on the sink that may be well.
                reserve = reserve.min(left.saturating_sub(link.state().needs()));
            }
            for later in &unasked {
                self.links[*later].divert(&mut batch, Cause::BREAKER_OPEN);
            }
            if !has_time(link, window, reserve, is_last_chance) {
                // A sink that may be well is not passed over for want of time: the next handler's
                // run has plenty. Nor is a probe spent where it could only fail.
                if is_closed && phase != Phase::Shutdown {
                    return Step::Left(batch);
                }
                let cause = if is_closed {
                    Cause::NO_BUDGET
                } else {
                    Cause::BREAKER_OPEN
                };
                link.divert(&mut batch, cause);
                continue;
            }
            let permit = link.state().breaker.admit(now, phase);
            // At shutdown breakers only decide who is asked first.
            let last_chance = (phase == Phase::Shutdown).then_some(Permit::Normal);
            let Some(permit) = permit.or(last_chance) else {
                link.divert(&mut batch, Cause::BREAKER_OPEN);
                continue;
            };
            let encoded = link.sink.encode(&batch);
            drop(turn);
            let refusal = |cause| Refusal {
                sink: link.sink.name(),
                role: link.role,
                cause,
            };
            aside.take(&mut batch, &encoded, refusal);
            if batch.is_empty() {
                link.state().breaker.forget_probe();
                return Step::Settled;
            }
            let terms = self.terms(permit, phase, reserve, rounds);
            let mut alone = Vec::new();
            let parts = encoded.parts;
            let outcome = attempts(self, link, &mut batch, parts, window, terms, &mut alone).await;
            aside.dead.extend(
                alone
                    .into_iter()
                    .map(|(batch, cause)| (batch, refusal(cause), DeadLetter::Rejected)),
            );
            match outcome {
                Outcome::Delivered => {
                    self.count_delivered(link, &batch, batch.len());
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
                    return Step::Named(Box::new(Apart::new(batch, at)), refusal(cause));
                }
                Outcome::CutShort => return Step::Left(batch),
                // What one fallback does not take alone, the next one may.
                Outcome::TooLarge(_) if link.role == Role::Fallback && batch.len() == 1 => {}
                Outcome::TooLarge(cause) => return Step::TooLarge(batch, refusal(cause)),
                Outcome::Rejected(cause) => return Step::Refused(batch, refusal(cause)),
            }
        }
        self.without_a_taker(batch)
    }

    /// A sink took a batch except for this number of records, and did not say which. Gives the batch back if a
    /// fallback can keep it.
    fn condemn(&self, link: &Link, mut batch: Batch, refused: usize) -> Option<Batch> {
        batch.mark_ambiguous();
        if self.has_fallback() {
            return Some(batch);
        }
        let refused = refused.min(batch.len());
        self.count_delivered(link, &batch, batch.len() - refused);
        let mut ledger = self.ledger.lock();
        ledger.drop_records(DropReason::Rejected, refused as u64);
        None
    }

    /// On what terms a sink is asked, of which the sinks after it are left `reserve`.
    fn terms(&self, permit: Permit, phase: Phase, reserve: Duration, rounds: u32) -> Terms {
        let shutdown_reserve = match phase {
            Phase::Shutdown => reserve,
            Phase::Handler | Phase::PostRuntime => self.shutdown_reserve().saturating_mul(rounds),
        };
        Terms {
            permit,
            reserve,
            shutdown_reserve,
        }
    }

    /// The order in which sinks are asked: as configured; at shutdown, where each of them is asked,
    /// those that were given up come last.
    fn order(&self, phase: Phase) -> VecDeque<usize> {
        let now = self.clock.wall();
        let is_closed =
            |index: &usize| self.links[*index].state().breaker.state(now) == BreakerState::Closed;
        let all = 0..self.links.len();
        if phase != Phase::Shutdown {
            return all.collect();
        }
        let (closed, given_up): (Vec<_>, Vec<_>) = all.partition(is_closed);
        closed.into_iter().chain(given_up).collect()
    }

    pub(crate) fn count_delivered(&self, link: &Link, batch: &Batch, records: usize) {
        let records = records as u64;
        let mut ledger = self.ledger.lock();
        ledger.deliver(link.sink.name(), records);
        if batch.is_ambiguous() {
            ledger.note_ambiguous(records);
        }
        if batch.dead_letter().is_some() {
            ledger.note_dead_letters(records);
        }
    }

    /// No sink took it: it waits, unless there is none left that ever could.
    fn without_a_taker(&self, batch: Batch) -> Step {
        match batch.dead_letter() {
            Some(kind) if !self.has_fallback() => {
                let reason = match kind {
                    DeadLetter::Rejected => DropReason::Rejected,
                    DeadLetter::TooLarge => DropReason::TooLarge,
                    DeadLetter::TooOld => DropReason::TooOld,
                };
                self.ledger.lock().drop_records(reason, batch.len() as u64);
                Step::Settled
            }
            Some(_) | None => Step::Left(batch),
        }
    }

    pub(crate) fn has_fallback(&self) -> bool {
        self.links.iter().any(|link| link.role == Role::Fallback)
    }

    /// What must be left should the environment be taken down during an attempt: the time of every sink,
    /// for all are asked anew then. This one too: the request may hang, and its sink be well again.
    fn shutdown_reserve(&self) -> Duration {
        let reserves = self.links.iter().map(|link| link.state().reserve());
        reserves.fold(Duration::ZERO, Duration::saturating_add)
    }

    /// What the sinks that are still to be asked must be left, for one round of batches.
    ///
    /// At shutdown that is the time of each of them. Before, it is the time of one fallback, kept from
    /// the primary: a batch that finds no time at the second fallback is not lost, it waits for the
    /// next flush, and the primary makes better use of what two would be kept.
    fn reserve(&self, role: Role, unasked: &VecDeque<usize>, phase: Phase) -> Duration {
        let now = self.clock.wall();
        let states = unasked.iter().map(|index| self.links[*index].state());
        match (phase, role) {
            (Phase::Shutdown, _) => states.map(|state| state.reserve()).sum(),
            (Phase::Handler | Phase::PostRuntime, Role::Primary) => states
                .filter(|state| state.breaker.state(now) == BreakerState::Closed)
                .map(|state| state.reserve())
                .next()
                .unwrap_or_default(),
            (Phase::Handler | Phase::PostRuntime, Role::Fallback) => Duration::ZERO,
        }
    }
}

/// Whether an attempt has a chance: half as long again as the sink usually takes.
fn has_time(link: &Link, window: &WindowView, reserve: Duration, is_last_chance: bool) -> bool {
    let left = window.left(reserve);
    left >= link.state().needs() || (is_last_chance && !left.is_zero())
}
