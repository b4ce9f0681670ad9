//! Carries out a plan: function by function, each write known to the journal before it is made.
//!
//! [`run`] goes through a plan, place by place at the same time, each at its rate; [`function`] does one
//! function. Invariants: what was planned is merged into what the function is now, and written with the
//! revision that was read, so that nobody's change is lost; a function is done, or left as it was, or
//! told; after an interruption nothing new is begun and what is under way is finished.

mod function;
mod summary;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;

pub use summary::{Left, Summary};

use crate::change::Change;
use crate::fleet::{Fleet, Place};
use crate::journal::{Journal, Progress};
use crate::plan::{Observer, Plan, Planned, Verdict};
use crate::secrets::Vault;
use function::{Outcome, Work};

/// How to go about it.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How long to wait for a function that is being updated, by us or by someone else.
    pub wait: Duration,
}

/// All that a run needs.
#[derive(Debug)]
pub struct Context<'a> {
    /// Where.
    pub fleet: &'a Fleet,
    /// The secrets that the plan only has digests of.
    pub vault: &'a Vault,
    /// Where each write is told first.
    pub journal: &'a Journal,
    /// What earlier runs did, by function.
    pub history: &'a BTreeMap<String, Change>,
    /// What was done before, when a run is taken up again.
    pub progress: &'a Progress,
    /// How to go about it.
    pub options: Options,
}

/// Does what is planned; what was done already is not done again.
pub async fn run(
    context: &Context<'_>,
    plan: &Plan,
    observer: &dyn Observer,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<Summary> {
    let mut summary = Summary::new(&context.journal.run, plan);
    let mut by_place: BTreeMap<&Place, Vec<&Planned>> = BTreeMap::new();
    for planned in plan.with(Verdict::Change) {
        let state = context.progress.get(&planned.arn);
        if state.is_some_and(|state| state.is_done) {
            summary.done_before += 1;
        } else {
            by_place.entry(&planned.place).or_default().push(planned);
        }
    }
    for (place, functions) in &by_place {
        observer.found(place, functions.len() as u64);
    }
    let places = stream::iter(by_place).map(|(place, functions)| {
        let stop = stop.clone();
        async move {
            let mut outcomes = Vec::new();
            // So many that none waits for another's update: they take seconds.
            let at_once = in_flight(plan);
            let mut work = stream::iter(functions)
                .map(|planned| {
                    let stop = stop.clone();
                    async move {
                        if *stop.borrow() {
                            return (planned, Ok(Outcome::NotBegun));
                        }
                        let work = Work { context, planned };
                        let outcome = work.run().await;
                        observer.one_done(place);
                        (planned, outcome)
                    }
                })
                .buffer_unordered(at_once);
            while let Some(outcome) = work.next().await {
                outcomes.push(outcome);
            }
            outcomes
        }
    });
    let mut places = places.buffer_unordered(usize::MAX);
    while let Some(outcomes) = places.next().await {
        for (planned, outcome) in outcomes {
            summary.add(planned, outcome?);
        }
    }
    drop(places);
    summary.is_interrupted = *stop.borrow();
    summary.sort();
    Ok(summary)
}

/// Functions under way at the same time, in each place: what the rate allows within some seconds.
fn in_flight(plan: &Plan) -> usize {
    const LEAST: f64 = 16.0;
    const MOST: f64 = 1000.0;
    const SECONDS: f64 = 10.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is within bounds"
    )]
    let count = (plan.targets.rates.others * SECONDS).clamp(LEAST, MOST) as usize;
    count
}
