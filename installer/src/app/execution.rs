//! Carries out a plan for a command: progress, interruption, result, and undo after a stop.

use std::process::ExitCode;

use anyhow::Context as _;
use backstop_fleet::session::Execution;
use tokio::sync::watch;

use super::attachment::Session;
use super::interrupt::interrupted_twice;
use super::reporter::Reporter;
use super::{INTERRUPTED, PARTIAL};
use crate::apply::{self, Summary};
use crate::change::Vault;
use crate::cli::ApplyOptions;
use crate::journal::{Journal, Progress};
use crate::output::Output;
use crate::plan::{Plan, Rollout};

/// What Ctrl-C does to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnInterrupt {
    /// The first one lets the current calls finish, the second one stops at once.
    Stop,
    /// The caller sees to it.
    Continue,
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
        let profile = self.work.access.profile.clone();
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

    /// None where it was interrupted for good.
    async fn undo_at_once(
        &self,
        id: &str,
        options: apply::Options,
    ) -> anyhow::Result<Option<Summary>> {
        let run = self.work.store.read(id).await?;
        let (plan, vault) = self.plan_undo(id, &run).await?;
        if plan.is_idle() {
            // Do not start a run that changes nothing.
            return Ok(Some(Summary::new("", &plan)));
        }
        let journal = self.work.store.create(&plan).await?;
        let options = apply::Options {
            rollout: Rollout::default(),
            ..options
        };
        let (progress, stop) = (Progress::default(), OnInterrupt::Stop);
        self.execute_plan(&plan, &vault, journal, &progress, options, stop)
            .await
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
        let reporter = Reporter::new(self.output);
        let (interrupt, stop) = watch::channel(false);
        let execution = Execution {
            vault,
            journal,
            progress,
            options,
            stop,
        };
        let summary = tokio::select! {
            summary = self.work.execute(plan, execution, &reporter) => summary,
            () = interrupted_twice(&interrupt, self.output), if on_interrupt == OnInterrupt::Stop => {
                self.output.progress(&format!("To continue: backstop resume {}", journal.run));
                return Ok(None);
            }
        };
        reporter.clear();
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
