//! Executes a plan, wave after wave, until all functions are done or something stops it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;

use super::errors::{self, ByFunction, Finding, Window};
use super::function::{Cause, Outcome, Work};
use super::grants;
use super::versions::PublishOutcome;
use super::waves::{self, Wave};
use super::{Context, Rise, Summary};
use crate::fleet::Place;
use crate::plan::{Extras, Observer, Plan, Planned, Reason, Verdict};
use backstop_common::plural;

/// Does what is planned; what was done already is not done again.
pub async fn run(
    context: &Context<'_>,
    plan: &Plan,
    observer: &dyn Observer,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<Summary> {
    let mut summary = Summary::new(&context.journal.run, plan);
    let rollout = &context.options.rollout;
    let functions = plan.with(Verdict::Change);
    let mut waves = waves::split(functions.map(|it| (&it.place, it)), rollout);
    let all: usize = waves.iter().map(|wave| wave.functions.len()).sum();
    let mut by_place: BTreeMap<&Place, u64> = BTreeMap::new();
    for wave in &mut waves {
        wave.functions.retain(|planned| {
            let is_done = is_done(context, &plan.extras, planned);
            if is_done {
                summary.add_done_before();
            } else {
                *by_place.entry(&planned.place).or_default() += 1;
            }
            !is_done
        });
    }
    // Waves of an earlier run are not watched again.
    waves.retain(|wave| !wave.functions.is_empty());
    for (place, functions) in by_place {
        observer.found(place, functions);
    }
    let role_outcome = grants::give(context, plan, || *stop.borrow()).await?;
    summary.roles_written += role_outcome.written;
    let run = Executor {
        refused: role_outcome.left,
        context,
        extras: &plan.extras,
        observer,
        stop,
        at_once: in_flight(plan),
        most_left: rollout.max_failures.map(|it| it.of(all)),
        left: AtomicUsize::new(0),
    };
    let count = waves.len();
    for (number, wave) in (1..).zip(&waves) {
        if run.is_interrupted() || summary.stopped.is_some() {
            summary.not_begun += wave.functions.len() as u64;
            continue;
        }
        if count > 1 {
            let what = if wave.is_canary { ", the canary" } else { "" };
            let functions = plural(wave.functions.len() as u64, "function");
            observer.message(&format!("Wave {number} of {count}{what}: {functions}"));
        }
        if let Err(halt) = run.wave(wave, number == count, &mut summary).await? {
            summary.stopped = Some(halt.reason);
            summary.rises = halt.rises;
        }
    }
    if !run.is_interrupted() && summary.stopped.is_none() {
        let role_outcome = grants::take(context, plan).await?;
        summary.roles_written += role_outcome.written;
        summary.roles_kept = role_outcome.kept;
        summary.add_roles(role_outcome.left);
    }
    summary.add_roles(run.refused.clone());
    summary.is_interrupted = run.is_interrupted();
    summary.sort();
    Ok(summary)
}

/// Why the run starts nothing more.
struct Halt {
    reason: String,
    rises: Vec<Rise>,
}

impl From<String> for Halt {
    fn from(reason: String) -> Self {
        Self {
            reason,
            rises: Vec::new(),
        }
    }
}

/// A function, and what became of it; an error is one of the journal.
type Did<'p> = (&'p Planned, anyhow::Result<(Outcome, PublishOutcome)>);

/// A function that was not tried, as others were refused alike.
type Untried<'p> = (&'p Planned, Cause);

struct Executor<'a> {
    /// Roles that lack what their functions need, and why.
    refused: BTreeMap<String, String>,
    context: &'a Context<'a>,
    extras: &'a Extras,
    observer: &'a dyn Observer,
    stop: watch::Receiver<bool>,
    /// Functions to change in parallel, in each place.
    at_once: usize,
    /// Start nothing more after this many failures.
    most_left: Option<usize>,
    left: AtomicUsize,
}

impl Executor<'_> {
    fn is_interrupted(&self) -> bool {
        *self.stop.borrow()
    }

    /// Why the failures so far stop the run, if they do.
    fn too_many_left(&self, is_canary: bool) -> Option<String> {
        let left = self.left.load(Ordering::Relaxed);
        if is_canary && left > 0 {
            return Some("a function of the canary failed".to_owned());
        }
        let is_too_many = self.most_left.is_some_and(|most| left >= most);
        is_too_many.then(|| format!("{} failed", plural(left as u64, "function")))
    }

    /// Changes a wave's functions, leaves them alone for a while, and looks at their errors.
    ///
    /// The outer error is one of the journal.
    async fn wave(
        &self,
        wave: &Wave<&Planned>,
        is_last: bool,
        summary: &mut Summary,
    ) -> anyhow::Result<Result<(), Halt>> {
        let rollout = &self.context.options.rollout;
        let bake = rollout.bake.unwrap_or_default();
        // Where only a version or an alias was missing there is nothing new to watch.
        let is_new = |it: &&Planned| !self.context.is_done(&it.arn);
        let is_new = wave.functions.iter().any(is_new);
        let mut before = None;
        if rollout.max_error_rise.is_some() && is_new {
            let window = Window::before(SystemTime::now(), bake);
            match self.count(wave, window).await {
                Ok(counts) => before = Some(counts),
                Err(halt) => {
                    summary.not_begun += wave.functions.len() as u64;
                    return Ok(Err(halt));
                }
            }
        }
        let changed = summary.changed;
        self.change(wave, summary).await?;
        // Of what was refused everywhere there is nothing to see.
        let is_new = is_new && summary.changed > changed;
        if let Some(reason) = self.too_many_left(wave.is_canary) {
            return Ok(Err(reason.into()));
        }
        if self.is_interrupted() || !is_new || is_last && before.is_none() {
            return Ok(Ok(()));
        }
        self.bake(bake).await;
        Ok(match before {
            Some(_) if self.is_interrupted() => Err(Halt::from(
                "the run was interrupted before the errors of this wave were counted".to_owned(),
            )),
            Some(before) => self.watch(wave, &before).await,
            None => Ok(()),
        })
    }

    /// Changes a wave's functions, and those again that were not tried for refusals that then did not hold for
    /// all. An error is one of the journal.
    async fn change(&self, wave: &Wave<&Planned>, summary: &mut Summary) -> anyhow::Result<()> {
        let untried = (self.round(&wave.functions, wave.is_canary, summary)).await?;
        // One that has stopped is not begun again.
        let is_stopped = self.too_many_left(wave.is_canary).is_some();
        let (again, left): (Vec<Untried<'_>>, Vec<Untried<'_>>) =
            (untried.into_iter()).partition(|(planned, _)| !is_stopped && self.has_passed(planned));
        summary.leave_all(left);
        if again.is_empty() {
            return Ok(());
        }
        self.left.fetch_sub(again.len(), Ordering::Relaxed);
        let again: Vec<&Planned> = again.into_iter().map(|(planned, _)| planned).collect();
        for planned in &again {
            self.observer.found(&planned.place, 1);
        }
        let untried = self.round(&again, wave.is_canary, summary).await?;
        summary.leave_all(untried);
        Ok(())
    }

    /// Place by place at the same time. What became of each function goes to the summary at once, as there may
    /// be a hundred thousand, but for those that were not tried.
    async fn round<'p>(
        &self,
        functions: &[&'p Planned],
        is_canary: bool,
        summary: &mut Summary,
    ) -> anyhow::Result<Vec<Untried<'p>>> {
        let mut by_place: BTreeMap<&Place, Vec<&Planned>> = BTreeMap::new();
        for planned in functions {
            by_place.entry(&planned.place).or_default().push(planned);
        }
        let places = by_place.into_values().map(|functions| {
            // Enough that none waits for another's update, which takes seconds.
            stream::iter(functions)
                .map(|planned| self.function(planned, is_canary))
                .buffer_unordered(self.at_once)
        });
        let mut places = stream::select_all(places);
        let mut untried = Vec::new();
        let mut problem = None;
        // To its end also after an error: what is under way is finished.
        while let Some((planned, did)) = places.next().await {
            match did {
                Ok((Outcome::Left(cause), publishing))
                    if cause.is_untried && publishing == PublishOutcome::default() =>
                {
                    untried.push((planned, cause));
                }
                Ok((outcome, publishing)) => summary.add(planned, outcome, publishing),
                Err(error) => problem = problem.or(Some(error)),
            }
        }
        problem.map_or(Ok(untried), Err)
    }

    /// Whether anything has gone well in a function's place.
    fn has_passed(&self, planned: &Planned) -> bool {
        let site = self.context.fleet.site(&planned.place);
        site.is_ok_and(|site| site.lambda.has_passed())
    }

    async fn function<'p>(&self, planned: &'p Planned, is_canary: bool) -> Did<'p> {
        if self.is_interrupted() || self.too_many_left(is_canary).is_some() {
            return (planned, Ok((Outcome::NotBegun, PublishOutcome::default())));
        }
        let did = self.steps(planned).await;
        let is_left = |(outcome, publishing): &(Outcome, PublishOutcome)| {
            matches!(outcome, Outcome::Left(_) | Outcome::Refused(_)) || publishing.left.is_some()
        };
        if did.as_ref().is_ok_and(is_left) {
            self.left.fetch_add(1, Ordering::Relaxed);
        }
        self.observer.one_done(&planned.place);
        (planned, did)
    }

    /// An alias goes back first, as that is what is invoked, and is moved last. What few functions need is in a
    /// box: thousands are under way at the same time.
    async fn steps(&self, planned: &Planned) -> anyhow::Result<(Outcome, PublishOutcome)> {
        let work = Work {
            context: self.context,
            planned,
            extras: self.extras,
            stop: self.stop.clone(),
        };
        let mut publishing = PublishOutcome::default();
        let refused = self.refused.get(&planned.role);
        if let Some(reason) = refused.filter(|_| !planned.needs.is_empty()) {
            let reason = format!("{}: {reason}", Reason::RoleNotWritable);
            return Ok((Outcome::Left(reason.into()), publishing));
        }
        if let Some(alias) = &planned.alias {
            publishing = Box::pin(work.put_back(alias)).await?;
        }
        let outcome = if self.context.is_done(&planned.arn) {
            Outcome::DoneBefore
        } else {
            work.run().await?
        };
        if self.extras.publish_version && PublishOutcome::follows(&outcome) {
            publishing = Box::pin(work.publish()).await?;
        }
        Ok((outcome, publishing))
    }

    /// Leaves what was done alone for a while, unless it is interrupted.
    async fn bake(&self, bake: Duration) {
        if bake.is_zero() {
            return;
        }
        (self.observer).message(&format!("Waiting for {} s", bake.as_secs_f64()));
        let mut stop = self.stop.clone();
        tokio::select! {
            () = tokio::time::sleep(bake) => {}
            // Nobody is left to interrupt it when the other end is gone.
            Ok(_) = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn watch(&self, wave: &Wave<&Planned>, before: &ByFunction<'_>) -> Result<(), Halt> {
        let rollout = &self.context.options.rollout;
        let most = rollout.max_error_rise.unwrap_or(f64::INFINITY);
        let window = Window::after(SystemTime::now(), rollout.bake.unwrap_or_default());
        let after = self.count(wave, window).await?;
        match errors::compare(before, &after, most) {
            Finding::Fine => Ok(()),
            Finding::Unseen => {
                let problem = "No invocations during the wait: the error rate is unknown";
                self.observer.message(problem);
                Ok(())
            }
            Finding::Risen {
                before,
                after,
                rises,
            } => Err(Halt {
                reason: format!("{after:.1} % of invocations fail, up from {before:.1} %"),
                rises,
            }),
        }
    }

    /// Does not start a wave whose errors cannot be counted.
    async fn count<'p>(
        &self,
        wave: &Wave<&'p Planned>,
        window: Window,
    ) -> Result<ByFunction<'p>, Halt> {
        let counts = errors::count(self.context.fleet, &wave.functions, window).await;
        counts.map_err(|failure| failure.to_string().into())
    }
}

/// Whether all steps of a function were done before.
fn is_done(context: &Context<'_>, extras: &Extras, planned: &Planned) -> bool {
    context.progress.has_all(extras, planned)
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
