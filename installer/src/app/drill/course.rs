//! The steps of a drill, up to the function's restoration.
//!
//! Invariant: once the function may have been changed, it is restored however the rest goes; where that
//! fails, the result says which run to undo.

use std::time::SystemTime;

use backstop_config::Settings;

use super::super::attachment::Session;
use super::super::interrupt::{self, interrupted};
use crate::apply;
use crate::archive::Archive;
use crate::change::{Change, Vault};
use crate::cli::DrillArgs;
use crate::drill::{self, Aim, Invoked, Phase, Summary};
use crate::fleet::Site;
use crate::journal::Progress;
use crate::output::{Bar, plural};
use crate::plan::{Plan, Rollout};
use crate::select::Function;
use crate::settings::is_secret;

/// A drill that was agreed to.
pub(super) struct Drill<'a> {
    pub(super) session: &'a Session,
    pub(super) args: &'a DrillArgs,
    pub(super) site: &'a Site,
    pub(super) function: &'a Function,
    pub(super) payload: Vec<u8>,
}

impl Drill<'_> {
    /// To its end: an error only where nothing was changed.
    pub(super) async fn run(
        &self,
        aim: &Aim,
        change: Change,
        archive: &Archive,
        settings: &Settings,
    ) -> anyhow::Result<Summary> {
        let output = self.session.output;
        let function = self.function;
        let mut summary = Summary {
            place: function.place.clone(),
            function: function.name.clone(),
            arn: function.arn.clone(),
            failure: aim.to_string(),
            address: aim.address().to_owned(),
            archive: archive.shown(),
            ..Summary::default()
        };
        let mut invoked = Vec::new();
        self.series("as it is", &mut invoked).await?;
        summary.before = Phase::of(std::mem::take(&mut invoked));

        let mut vault = Vault::default();
        for (name, stored) in &change.after.variables {
            if let Some(value) = stored.as_ref().and_then(|it| it.value())
                && is_secret(name, value)
            {
                vault.add(name, value);
            }
        }
        let targets = self.session.work.targets.clone();
        let plan = Plan::drill(&self.session.work.fleet, targets, function, change);
        // From here on Ctrl-C restores.
        let kept = interrupt::kept();
        let since = SystemTime::now();
        let journal = self.session.work.store.create(&plan).await?;
        summary.run.clone_from(&journal.run);
        let changed = (self.session)
            .execute_plan(&plan, &vault, journal, &Progress::default(), self.options())
            .await;
        match changed {
            Ok(Some(changed)) if changed.is_complete() => {
                output.progress(&format!("The primary fails now ({aim})"));
                tokio::select! {
                    ended = self.series("failing", &mut invoked) => {
                        let problem = ended.err().map(|error| format!("{error:#}"));
                        summary.problems.extend(problem);
                    }
                    () = interrupted() => {
                        output.progress("Interrupted: restoring the function");
                        summary.interrupted = true;
                    }
                }
                summary.during = Phase::of(invoked);
            }
            Ok(Some(changed)) => {
                let left = changed.left.iter().map(|it| it.reason.clone());
                summary.problems.extend(left);
            }
            Ok(None) => summary.interrupted = true,
            Err(error) => summary.problems.push(format!("{error:#}")),
        }
        self.restore(&mut summary).await;
        let until = SystemTime::now();
        drop(kept);

        let filter = self.filter(since, until);
        let found = self.wait_for_archive(archive, &filter, &summary).await;
        let is_numbered = matches!(aim, Aim::Nowhere(_)) && drill::counts_every_record(settings);
        let is_whole = drill::counts_invocations(settings);
        match found {
            Ok(found) => summary.add(found, is_whole, is_numbered),
            Err(error) => summary.problems.push(format!("{error:#}")),
        }
        // A primary that still fails must not get the records.
        if summary.restored && !self.args.no_replay {
            output.progress("Replaying the records of the drill");
            match Box::pin(self.replay(archive, filter)).await {
                Ok(replayed) => summary.replay = Some(replayed),
                Err(error) => summary
                    .problems
                    .push(format!("the replay failed: {error:#}")),
            }
        }
        summary.close();
        Ok(summary)
    }

    fn options(&self) -> apply::Options {
        apply::Options {
            wait: self.args.wait,
            rollout: Rollout::default(),
        }
    }

    /// One invocation after the other, until one cannot be made.
    async fn series(&self, primary: &str, invoked: &mut Vec<Invoked>) -> anyhow::Result<()> {
        let output = self.session.output;
        let count = u64::from(self.args.invocations);
        output.progress(&format!(
            "Invoking {} {}, the primary {primary}",
            self.function.name,
            plural(count, "time")
        ));
        let bar = Bar::new(output.draws(), "{bar:20} {pos}/{len}  {left}");
        bar.lengthen(count);
        for _ in 0..count {
            match drill::once(self.site, self.function, &self.payload).await {
                Ok(one) => invoked.push(one),
                Err(error) => {
                    bar.clear();
                    return Err(error);
                }
            }
            bar.advance_by(1, "");
        }
        bar.clear();
        Ok(())
    }

    /// Undoes the run of the drill, and looks whether the function is what it was.
    async fn restore(&self, summary: &mut Summary) {
        let restored = self.undo(&summary.run).await;
        if let Err(error) = restored {
            summary.problems.push(format!("{error:#}"));
        }
        match Function::get(self.site, &self.function.name).await {
            Ok(now) => {
                let was = self.function;
                let same = now.layers == was.layers && now.environment == was.environment;
                summary.restored = same && now.is_settled();
                if !same {
                    let problem = "the function's layers or variables are not as they were";
                    summary.problems.push(problem.to_owned());
                }
            }
            Err(failure) => summary.problems.push(failure.to_string()),
        }
    }

    async fn undo(&self, id: &str) -> anyhow::Result<()> {
        let session = self.session;
        let (run, held) = session.work.store.resume(id).await?;
        let undone = async {
            let (plan, vault) = session.plan_undo(id, &run).await?;
            if plan.is_idle() {
                return session.work.forget_unmade(&run, &plan, &held).await;
            }
            let journal = session.work.store.create(&plan).await?;
            session
                .execute_plan(&plan, &vault, journal, &Progress::default(), self.options())
                .await?;
            Ok(())
        };
        let undone = undone.await;
        held.close().await;
        undone
    }
}
