//! A piece of a batch on its way through the chain: how it is offered, what leaves it, and what became
//! of it.

use crate::batch::Batch;
use crate::cause::Cause;
use crate::outcome::DeadLetter;
use crate::phase::Phase;
use crate::role::{Role, SinkName};
use crate::sink::{Encoded, Unfit};

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
    Named(Box<SplitPiece>, Refusal),
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
pub(crate) struct SplitPiece {
    /// What stood before that one, which the sink may have taken.
    pub(crate) head: Option<Batch>,
    pub(crate) named: Batch,
    pub(crate) tail: Option<Batch>,
}

impl SplitPiece {
    /// The record at this place of a piece, and what is around it.
    pub(crate) fn new(mut head: Batch, at: usize) -> Self {
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
pub(crate) struct SetAside {
    /// What no retry at the primary can save, and why.
    pub(crate) dead: Vec<(Batch, Refusal, DeadLetter)>,
    /// What one request has no room for.
    pub(crate) later: Option<Batch>,
}

impl SetAside {
    /// What a sink refused by name.
    pub(crate) fn reject(
        &mut self,
        refused: Vec<(Batch, Cause)>,
        refusal: impl Fn(Cause) -> Refusal,
    ) {
        let dead = |(batch, cause)| (batch, refusal(cause), DeadLetter::Rejected);
        self.dead.extend(refused.into_iter().map(dead));
    }

    /// What is not in the request that was made of a batch.
    pub(crate) fn take(
        &mut self,
        batch: &mut Batch,
        encoded: &Encoded,
        refusal: impl Fn(Cause) -> Refusal,
    ) {
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
    if unfit.is_empty() {
        return Vec::new();
    }
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
        (Unfit::NoIntake, DeadLetter::Rejected, Cause::NO_INTAKE),
    ] {
        if let Some(out) = batch.take_out(&fates, &Some(unfit)) {
            fates.retain(|fate| *fate != Some(unfit));
            taken.push((out, kind, cause));
        }
    }
    taken
}

/// How a piece is offered.
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
    pub(crate) fn rounds_in(self, phase: Phase, has_found_dead: bool) -> u32 {
        if phase == Phase::Shutdown && (self.has_dead || has_found_dead) {
            self.rounds.saturating_mul(2)
        } else {
            self.rounds
        }
    }
}
