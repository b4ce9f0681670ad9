//! Carries out what was decided, and counts every function.
//!
//! Invariants: what was done is counted, also where the run ended in an error; a switch that is set while
//! functions are written holds for those whose turn has not come.

use std::time::Duration;

use anyhow::Context as _;
use backstop_fleet::apply::{self, Summary};
use backstop_fleet::change::Vault;
use backstop_fleet::journal::{Progress, Store};
use backstop_fleet::plan::{Plan, Planned, Rollout};
use backstop_fleet::session::{Execution, Session};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Controller, Invocation};
use crate::decide::Decision;
use crate::result::{Failure, Outcome};

/// Nothing is begun this long before the invocation's end, so that what is begun is finished: it may wait
/// for somebody's update ([`WAIT`]), be written, with a call that gets no answer for 30 s and is made once
/// more, and wait for its own update ([`WAIT`]). 40 s of the rest are for the answer.
const RESERVE: Duration = Duration::from_secs(150);
/// How long to wait for a function that is being updated: most updates end within a few seconds, and a
/// function that is left has its turn in the next plan.
const WAIT: Duration = Duration::from_secs(20);
/// How often the switch is read while functions are written; reading it takes 5 s at most.
const SWITCH: Duration = Duration::from_secs(10);

/// A plan, and what was decided of each of its functions.
pub(super) struct Write {
    pub(super) plan: Plan,
    pub(super) vault: Vault,
    pub(super) decisions: Vec<Decision>,
}

impl Controller {
    pub(super) async fn write(
        &self,
        session: &Session,
        write: Write,
        invocation: &mut Invocation<'_>,
    ) -> anyhow::Result<()> {
        let Write {
            mut plan,
            vault,
            decisions,
        } = write;
        let outcome = &mut *invocation.outcome;
        let mut written = Vec::new();
        let functions = std::mem::take(&mut plan.functions);
        for (planned, decision) in functions.into_iter().zip(decisions) {
            if decision.writes() {
                plan.functions.push(planned);
                written.push(decision);
            } else {
                outcome.add(&planned, decision, None);
            }
        }
        // The journal is about what is written, and the controller writes no grants.
        plan.grants.clear();
        plan.missing.clear();
        if plan.functions.is_empty() {
            return Ok(());
        }
        // Planning took a while.
        self.look_at_switch(&session.store, outcome).await;
        let deadline = invocation.deadline;
        let last = deadline.checked_sub(RESERVE).unwrap_or(deadline);
        let obstacle = if outcome.is_stopped {
            Some(Failure::Stopped)
        } else {
            (Instant::now() >= last).then_some(Failure::NotBegun)
        };
        if obstacle.is_some() {
            for (planned, decision) in plan.functions.iter().zip(written) {
                outcome.add(planned, decision, obstacle.as_ref());
            }
            return Ok(());
        }
        let journal = session.store.create(&plan).await?;
        let run = journal.run.clone();
        outcome.runs.push(run.clone());
        let (stop, stopped) = watch::channel(false);
        let progress = Progress::default();
        let execution = Execution {
            vault: &vault,
            journal: &journal,
            progress: &progress,
            options: apply::Options {
                wait: WAIT,
                rollout: Rollout::default(),
            },
            stop: stopped,
        };
        let executed = session.execute(&plan, execution, invocation.lines);
        let summary = Box::pin(self.watched(executed, &stop, last, &session.store, outcome)).await;
        journal.close().await;
        let done = session.store.read(&run).await;
        let done = done.with_context(|| format!("what run {run} did cannot be read"))?;
        for (planned, decision) in plan.functions.iter().zip(written) {
            let is_stopped = outcome.is_stopped;
            let summary = summary.as_ref().ok();
            let (decision, failure) =
                became(planned, decision, summary, &done.progress, is_stopped);
            outcome.add(planned, decision, failure.as_ref());
        }
        summary
            .map(|_| ())
            .with_context(|| format!("run {run} was stopped"))
    }

    /// Lets it begin nothing more once the time is over, or a switch is set; what is begun is finished.
    async fn watched<T>(
        &self,
        executed: impl Future<Output = T>,
        stop: &watch::Sender<bool>,
        last: Instant,
        store: &Store,
        outcome: &mut Outcome,
    ) -> T {
        tokio::pin!(executed);
        loop {
            tokio::select! {
                ended = &mut executed => return ended,
                () = tokio::time::sleep_until(last) => break,
                () = tokio::time::sleep(SWITCH) => {}
            }
            tokio::select! {
                ended = &mut executed => return ended,
                () = self.look_at_switch(store, outcome) => {}
            }
            if outcome.is_stopped {
                break;
            }
        }
        stop.send(true).ok();
        executed.await
    }
}

/// What became of a function. There is no summary of a run that ended in an error; the journal
/// still has what was done.
fn became(
    planned: &Planned,
    decision: Decision,
    summary: Option<&Summary>,
    done: &Progress,
    is_stopped: bool,
) -> (Decision, Option<Failure>) {
    let left = summary.and_then(|summary| {
        let mut left = summary.left.iter();
        left.find(|it| it.name == planned.name && it.place == planned.place)
    });
    if let Some(left) = left {
        let reason = left.reason.clone();
        let failure = if left.is_final {
            Failure::Refused(reason)
        } else {
            Failure::Failed(reason)
        };
        return (decision, Some(failure));
    }
    if done.is_done(&planned.arn) {
        return (decision, None);
    }
    match summary {
        None => {
            let reason = "the run was stopped: the next plan has it".to_owned();
            (decision, Some(Failure::Failed(reason)))
        }
        Some(summary) if summary.is_interrupted && is_stopped => (decision, Some(Failure::Stopped)),
        Some(summary) if summary.is_interrupted => (decision, Some(Failure::NotBegun)),
        // Somebody made the same change meanwhile.
        Some(_) => (Decision::Unchanged, None),
    }
}
