//! Sees one batch through the chain, in however many pieces it takes.
//!
//! A body that the primary refuses for what it says is halved, to find the records that it means
//! ([`Isolation`]): those are dead letters, the others are delivered. All of it happens inside the flush's
//! window; what is not resolved when that ends waits, undecided, for the next flush.
//!
//! Invariants:
//! - A dead letter was refused alone, or with a body of which the primary takes nothing.
//! - The archive is asked once for all dead letters of a batch that were refused alike.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::batch::Batch;
use crate::cause::Cause;
use crate::chain::Chain;
use crate::isolation::{Isolation, Turn, halves};
use crate::outcome::DeadLetter;
use crate::phase::Phase;
use crate::piece::{Offer, Refusal, SetAside, Step};
use crate::record::Signal;
use crate::role::{Role, SinkName};
use crate::share;
use crate::sink::Notice;
use crate::window::WindowView;

/// Requests for one batch in one flush, after which the rest of it is diverted as it is.
const MOST_REQUESTS: u32 = 128;

/// Dead letters of one batch, by what was said of them.
#[derive(Debug, Default)]
struct DeadLetters(Vec<(SinkName, Cause, DeadLetter, Batch)>);

impl DeadLetters {
    fn extend(&mut self, all: impl Iterator<Item = (Batch, Refusal, DeadLetter)>) {
        all.for_each(|(batch, refusal, kind)| self.add(batch, refusal, kind));
    }

    fn add(&mut self, batch: Batch, refusal: Refusal, kind: DeadLetter) {
        let Refusal { sink, cause, .. } = refusal;
        let alike =
            (self.0.iter_mut()).find(|dead| (dead.0, dead.1, dead.2) == (sink, cause, kind));
        match alike {
            Some(dead) => dead.3.absorb(batch),
            None => self.0.push((sink, cause, kind, batch)),
        }
    }
}

/// When a body is halved no longer, at shutdown.
#[derive(Debug, Default)]
struct HalvingTime(Option<Instant>);

impl HalvingTime {
    /// The shutdown may begin while a body is halved.
    fn is_over(&mut self, window: &WindowView) -> bool {
        if window.current().phase != Phase::Shutdown {
            return false;
        }
        let now = Instant::now();
        let ends = self
            .0
            .get_or_insert_with(|| now + share::halving(window.left(Duration::ZERO)));
        now >= *ends
    }
}

impl Chain {
    /// Sees one batch through. Hands back what no sink took.
    pub(crate) async fn offer(
        &self,
        batch: Batch,
        mut window: WindowView,
        rounds: u32,
    ) -> Vec<Batch> {
        let signal = batch.signal();
        let refuses_all = self.primary_refuses_all(signal);
        let mut isolation = Isolation::new(batch, MOST_REQUESTS, refuses_all);
        let mut offer = Offer {
            rounds,
            has_dead: false,
            is_given_up: false,
        };
        let mut left = Vec::new();
        let mut dead = DeadLetters::default();
        let mut aside = SetAside::default();
        let mut last_refusal = None;
        let mut is_cut_for_a_fallback = false;
        let mut unresolved = Vec::new();
        let mut halving = HalvingTime::default();
        loop {
            if halving.is_over(&window) && last_refusal.is_some() && self.has_fallback() {
                unresolved = isolation.rest();
                break;
            }
            let batch = match isolation.turn() {
                Turn::Done => break,
                Turn::Ask(batch) => batch,
                Turn::Condemned(rest) => {
                    self.note_all_refused(signal);
                    for batch in rest {
                        match last_refusal {
                            Some((refusal, kind)) => dead.add(batch, refusal, kind),
                            None => left.push(batch),
                        }
                    }
                    break;
                }
                Turn::Unresolved(rest) => {
                    unresolved = rest;
                    break;
                }
            };
            let step = self.offer_once(batch, &mut window, offer, &mut aside).await;
            offer.has_dead |= !aside.dead.is_empty();
            dead.extend(aside.dead.drain(..));
            if let Some(later) = aside.later.take() {
                // Its turn comes after what is left of the piece.
                isolation.put_first(vec![later]);
            }
            let alone = match step {
                Step::Taken => {
                    isolation.taken();
                    continue;
                }
                Step::Cut(head, tail) => {
                    isolation.put_first(vec![head, tail]);
                    continue;
                }
                Step::Named(apart, refusal) => {
                    last_refusal = Some((refusal, DeadLetter::Rejected));
                    isolation.named(apart.head.into_iter().chain(apart.tail).collect());
                    Some(apart.named)
                }
                Step::TooLarge(batch, refusal) if refusal.role == Role::Fallback => {
                    is_cut_for_a_fallback = true;
                    isolation.put_first(cut(batch));
                    continue;
                }
                Step::TooLarge(batch, refusal) => {
                    last_refusal = Some((refusal, DeadLetter::TooLarge));
                    isolation.too_large(batch)
                }
                Step::Refused(batch, refusal) => {
                    last_refusal = Some((refusal, DeadLetter::Rejected));
                    isolation.refused(batch)
                }
                Step::Left(batch) => {
                    // There is no time: what has not been asked waits with it, as one, since at a shutdown
                    // each batch needs its own time.
                    left.push(batch);
                    left.extend(Batch::merge(isolation.rest()));
                    break;
                }
                Step::Settled => {
                    isolation.unheard();
                    if !is_cut_for_a_fallback {
                        // The primary is out of time, or down: in pieces the rest would cost the fallback
                        // more time than there is.
                        let rest = Batch::merge(isolation.rest());
                        isolation.put_first(rest.into_iter().collect());
                    }
                    None
                }
            };
            if let (Some(batch), Some((refusal, kind))) = (alone, last_refusal) {
                dead.add(batch, refusal, kind);
                offer.has_dead = true;
            }
        }
        let rest = self.give_up(unresolved, last_refusal, &mut window, offer);
        left.extend(rest.await);
        let dead = self.make_dead_letters(dead);
        left.extend(self.divert(dead, &mut window, offer).await);
        left
    }

    /// Sees a batch for the archive through. Hands back what no fallback took.
    pub(crate) async fn archive(
        &self,
        batch: Batch,
        mut window: WindowView,
        rounds: u32,
    ) -> Vec<Batch> {
        let offer = Offer {
            rounds,
            has_dead: false,
            is_given_up: true,
        };
        self.divert(vec![batch], &mut window, offer).await
    }

    /// What the bound or the time leaves of a refused body goes to the fallbacks as one batch, and is no dead
    /// letter; without a fallback it waits.
    async fn give_up(
        &self,
        unresolved: Vec<Batch>,
        last_refusal: Option<(Refusal, DeadLetter)>,
        window: &mut WindowView,
        offer: Offer,
    ) -> Vec<Batch> {
        if !self.has_fallback() {
            return unresolved;
        }
        let mut all = Batch::merge(unresolved);
        if let (Some(batch), Some((refusal, _))) = (&mut all, last_refusal) {
            batch.divert(refusal.sink, refusal.cause);
        }
        let offer = Offer {
            is_given_up: true,
            ..offer
        };
        self.divert(all.into_iter().collect(), window, offer).await
    }

    /// Offers what the primary is not asked for to the fallbacks, in halves where they are too large.
    async fn divert(
        &self,
        batches: Vec<Batch>,
        window: &mut WindowView,
        offer: Offer,
    ) -> Vec<Batch> {
        let mut queue = VecDeque::from(batches);
        let mut left = Vec::new();
        while let Some(batch) = queue.pop_front() {
            // The primary, which alone refuses records by themselves, is not asked here.
            let mut aside = SetAside::default();
            let step = self.offer_once(batch, window, offer, &mut aside).await;
            queue.extend(aside.dead.into_iter().map(|(batch, ..)| batch));
            if let Some(later) = aside.later {
                queue.push_front(later);
            }
            match step {
                Step::Taken | Step::Settled => {}
                Step::Left(batch) => left.push(batch),
                Step::Cut(head, tail) => {
                    queue.push_front(tail);
                    queue.push_front(head);
                }
                // The primary alone names a record.
                Step::Named(apart, _) => {
                    let pieces = [apart.head, Some(apart.named), apart.tail];
                    queue.extend(pieces.into_iter().flatten());
                }
                Step::Refused(batch, _) | Step::TooLarge(batch, _) => {
                    for half in cut(batch).into_iter().rev() {
                        queue.push_front(half);
                    }
                }
            }
        }
        left
    }

    fn make_dead_letters(&self, dead: DeadLetters) -> Vec<Batch> {
        let make = |(sink, cause, kind, mut batch): (_, _, _, Batch)| {
            self.context.observer.notice(Notice::DeadLetter {
                sink,
                cause,
                records: batch.len(),
            });
            batch.make_dead_letter(sink, cause, kind);
            batch
        };
        dead.0.into_iter().map(make).collect()
    }

    fn primary_refuses_all(&self, signal: Signal) -> bool {
        self.links_of(signal).any(|link| link.state().refuses_all)
    }

    fn note_all_refused(&self, signal: Signal) {
        let links = self.links_of(signal);
        for link in links.filter(|link| link.role == Role::Primary) {
            link.state().refuses_all = true;
        }
    }
}

fn cut(batch: Batch) -> Vec<Batch> {
    let (head, tail) = halves(batch);
    vec![head, tail]
}
