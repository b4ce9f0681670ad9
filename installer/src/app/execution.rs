//! Carries out a plan for a command: progress, interruption, result, and undo after a stop.

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::Context as _;
use tokio::sync::watch;

use super::attachment::Session;
use super::interrupt::interrupted_twice;
use super::{INTERRUPTED, PARTIAL};
use crate::apply::{self, Summary};
use crate::change::Vault;
use crate::cli::ApplyOptions;
use crate::fleet::Place;
use crate::grants::Granted;
use crate::journal::{History, Journal, Progress, Run, Step, StepState};
use crate::output::{Output, PlaceBars};
use crate::plan::{Action, Intent, Observer, Plan, Rollout};
use crate::select::Selection;

/// What Ctrl-C does to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnInterrupt {
    /// The first one lets the current calls finish, the second one stops at once.
    Stop,
    /// The caller sees to it.
    Continue,
}

/// Bars, and lines above them.
struct Reporter {
    bars: PlaceBars,
    output: Output,
}

impl Observer for Reporter {
    fn found(&self, place: &Place, functions: u64) {
        self.bars.found(place, functions);
    }

    fn one_done(&self, place: &Place) {
        self.bars.one_done(place);
    }

    fn message(&self, line: &str) {
        self.bars.above(|| self.output.progress(line));
    }
}

impl Session {
    /// Does what is planned, and undoes it at once where that was asked for and it stopped.
    pub(super) async fn execute(
        &self,
        plan: &Plan,
        vault: &Vault,
        journal: Journal,
        progress: &Progress,
        apply_options: &ApplyOptions,
    ) -> anyhow::Result<ExitCode> {
        let run = journal.run.clone();
        let options = apply::Options {
            wait: apply_options.wait,
            rollout: apply_options.waves.rollout(&plan.rollout)?,
        };
        let stop = OnInterrupt::Stop;
        let executed = self
            .execute_plan(plan, vault, journal, progress, options, stop)
            .await?;
        let Some(mut summary) = executed else {
            return Ok(ExitCode::from(INTERRUPTED));
        };
        if let Some(reason) = &summary.stopped
            && options.rollout.undo_on_stop
            && !summary.is_interrupted
        {
            self.output.progress(&format!(
                "Stopped: {reason}\nUndoing the changes of this run"
            ));
            let undone = self.undo_at_once(&run, options).await;
            // What was changed is reported, whatever becomes of this.
            let problem = || format!("run {run} was not undone");
            match undone.with_context(problem) {
                Ok(undone) => summary.undo = undone.map(Box::new),
                Err(error) => Output::error(&error),
            }
        }
        self.report(&summary, apply_options.full)?;
        Ok(code(&summary))
    }

    /// What a run came to.
    pub(super) fn report(&self, summary: &Summary, is_full: bool) -> anyhow::Result<()> {
        let profile = self.access.profile.clone();
        let profile = profile.or_else(|| std::env::var("AWS_PROFILE").ok());
        self.output.result(&apply::View {
            summary,
            is_full,
            profile: profile.as_deref(),
        })?;
        if summary.changed > 0 && summary.is_complete() {
            self.output.hint("To see the functions", "backstop status");
        }
        Ok(())
    }

    /// Every run that can be read. One that cannot be read gets a warning and stops no undo of another.
    pub(super) async fn runs(&self) -> anyhow::Result<Vec<Run>> {
        let (runs, broken) = self.store.readable().await?;
        for problem in broken {
            let warning = format!("Warning: ignoring a run that cannot be read: {problem:#}");
            self.output.progress(&warning);
        }
        Ok(runs)
    }

    /// To put back what a run changed.
    pub(super) async fn plan_undo(&self, id: &str, run: &Run) -> anyhow::Result<(Plan, Vault)> {
        let runs = self.runs().await?;
        let mut history = History::of(run, &runs);
        history.unlock(&self.config().await).await;
        let of_alias = |state: &StepState| match &state.step {
            Some(Step::Alias { arn, .. } | Step::Version { arn }) => Some(arn.clone()),
            _ => None,
        };
        let mut arns: BTreeSet<String> = history.changes.keys().cloned().collect();
        arns.extend(run.progress.steps.iter().filter_map(of_alias));
        let selection = Selection {
            functions: (arns.iter().map(|arn| arn.parse()))
                .collect::<Result<_, String>>()
                .map_err(anyhow::Error::msg)?,
            ..Selection::default()
        };
        let intent = Intent::Undo {
            run: id.to_owned(),
            changes: history.changes,
            vault: history.vault,
        };
        let mut plan = if selection.functions.is_empty() {
            // Nothing was changed: there is nothing to look at.
            Plan::empty(&self.fleet, self.targets.clone(), &intent)
        } else {
            self.plan(&selection, &intent).await
        };
        plan.put_back_aliases(&run.progress);
        match Granted::taken(run) {
            taken if taken.is_empty() => {
                let granted = Granted::of_all(&runs);
                plan.take_grants(&granted, Some(&run.header.plan));
            }
            taken => plan.give_grants_back(taken),
        }
        match intent {
            Intent::Undo { vault, .. } => Ok((plan, vault)),
            Intent::Attach { .. } | Intent::Detach { .. } => Ok((plan, Vault::default())),
        }
    }

    /// None where it was interrupted for good.
    async fn undo_at_once(
        &self,
        id: &str,
        options: apply::Options,
    ) -> anyhow::Result<Option<Summary>> {
        let run = self.store.read(id).await?;
        let (plan, vault) = self.plan_undo(id, &run).await?;
        if plan.is_idle() {
            // Do not start a run that changes nothing.
            return Ok(Some(Summary::new("", &plan)));
        }
        let journal = self.store.create(&plan).await?;
        let options = apply::Options {
            rollout: Rollout::default(),
            ..options
        };
        let (progress, stop) = (Progress::default(), OnInterrupt::Stop);
        self.execute_plan(&plan, &vault, journal, &progress, options, stop)
            .await
    }

    /// Of a drill that was cut off before its write: a look has shown that it was not made.
    pub(super) async fn forget_unmade(
        &self,
        run: &Run,
        plan: &Plan,
        journal: &Journal,
    ) -> anyhow::Result<()> {
        if run.header.plan.action != Action::Drill || !plan.is_whole() {
            return Ok(());
        }
        for state in &run.progress.steps {
            if let Some(Step::Function { arn, .. }) = &state.step
                && !state.is_done
            {
                journal
                    .not_done(arn, "the drill was cut off before it")
                    .await?;
            }
        }
        Ok(())
    }

    /// None where it was interrupted for good.
    pub(super) async fn execute_plan(
        &self,
        plan: &Plan,
        vault: &Vault,
        journal: Journal,
        progress: &Progress,
        options: apply::Options,
        on_interrupt: OnInterrupt,
    ) -> anyhow::Result<Option<Summary>> {
        let executed =
            self.execute_journaled(plan, vault, &journal, progress, options, on_interrupt);
        let executed = executed.await;
        // However it ended, others may go on with it.
        journal.close().await;
        executed
    }

    async fn execute_journaled(
        &self,
        plan: &Plan,
        vault: &Vault,
        journal: &Journal,
        progress: &Progress,
        options: apply::Options,
        on_interrupt: OnInterrupt,
    ) -> anyhow::Result<Option<Summary>> {
        self.output.progress(&format!("Run {}", journal.run));
        let teller = Reporter {
            bars: PlaceBars::new(self.output.draws()),
            output: self.output,
        };
        let mut history = History::of_all(&self.runs().await?);
        if plan.action == Action::Drill {
            // What it puts back must be known whatever becomes of the secrets' sources: the journal holds
            // it as what somebody else set.
            history.changes.clear();
        }
        let context = apply::Context {
            fleet: &self.fleet,
            vault,
            history: &history.changes,
            journal,
            progress,
            rates: plan.targets.rates,
            options,
        };
        let (interrupt, stop) = watch::channel(false);
        let summary = tokio::select! {
            summary = apply::run(&context, plan, &teller, stop) => summary,
            () = interrupted_twice(&interrupt, self.output), if on_interrupt == OnInterrupt::Stop => {
                self.output.progress(&format!("To continue: backstop resume {}", journal.run));
                return Ok(None);
            }
        };
        teller.bars.clear();
        let summary = summary.with_context(|| {
            format!(
                "run {0} was stopped: `backstop runs {0}` shows its progress, `backstop resume \
                 {0}` continues it",
                journal.run
            )
        })?;
        Ok(Some(summary))
    }
}

/// How it went, as a code.
pub(super) fn code(summary: &Summary) -> ExitCode {
    if summary.is_interrupted && summary.not_begun > 0 {
        ExitCode::from(INTERRUPTED)
    } else if summary.is_complete() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(PARTIAL)
    }
}
