//! The steps of a drill, up to the function's restoration.
//!
//! Invariant: once the function may have been changed, it is restored however the rest goes, also at Ctrl-C
//! and SIGTERM; where that fails, the result says which run to undo.

use std::time::SystemTime;

use backstop_archive::Filter;

use super::super::attachment::Session;
use super::super::execution::OnInterrupt;
use super::super::interrupt::{self, interrupted};
use crate::apply;
use crate::archive::Archive;
use crate::change::{Change, Vault};
use crate::cli::DrillArgs;
use crate::drill::{self, Aim, Invoked, Known, Phase, Restored, Summary};
use crate::fleet::Site;
use crate::journal::Progress;
use crate::output::{Bar, plural};
use crate::plan::{Plan, Rollout};
use crate::select::{Environment, Function};
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
        archives: &[Archive],
        known: Known,
    ) -> anyhow::Result<Summary> {
        let output = self.session.output;
        let function = self.function;
        let mut summary = Summary {
            place: function.place.clone(),
            function: function.name.clone(),
            arn: function.arn.clone(),
            failure: aim.to_string(),
            address: aim.shown(),
            archive: archives.first().map(Archive::shown).unwrap_or_default(),
            stream_archive: archives.get(1).map(Archive::shown),
            ..Summary::default()
        };
        let mut invoked = Vec::new();
        self.series("as it is", &mut invoked).await?;
        summary.before = Phase::of(std::mem::take(&mut invoked));

        let vault = secrets(&change);
        let targets = self.session.work.targets.clone();
        let plan = Plan::drill(&self.session.work.fleet, targets, function, change);
        // From here on Ctrl-C restores.
        let kept = interrupt::kept();
        let since = SystemTime::now();
        let journal = self.session.work.store.create(&plan).await?;
        summary.run.clone_from(&journal.run);
        let progress = Progress::default();
        let changing = (self.session).execute_plan(
            &plan,
            &vault,
            journal,
            &progress,
            self.options(),
            OnInterrupt::Continue,
        );
        tokio::pin!(changing);
        let changed = tokio::select! {
            changed = &mut changing => changed,
            () = interrupted() => {
                output.progress("Interrupted: restoring the function once the change is made");
                summary.interrupted = true;
                changing.await
            }
        };
        match changed {
            Ok(Some(changed)) if !changed.is_complete() => {
                let left = changed.left.iter().map(|it| it.reason.clone());
                summary.problems.extend(left);
            }
            Ok(_) if summary.interrupted => {}
            Ok(_) => {
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
            Err(error) => summary.problems.push(format!("{error:#}")),
        }
        let undo = format!("backstop undo {}", summary.run);
        let advice = format!(
            "Still restoring {}. Press Ctrl-C again to stop at once, and then restore it with: {undo}",
            function.name
        );
        let restored = tokio::select! {
            restored = self.restore(&mut summary, aim) => restored,
            () = interrupt::impatient(&advice) => {
                summary.interrupted = true;
                let problem = format!("stopped before the function was restored: run {undo}");
                summary.problems.push(problem);
                summary.close();
                return Ok(summary);
            }
        };
        let until = SystemTime::now();
        drop(kept);

        let filter = self.filter(since, until);
        let found = self.wait_for_archive(archives, &filter, &summary, known);
        match found.await {
            Ok(found) => summary.add(found, known),
            Err(error) => summary.problems.push(format!("{error:#}")),
        }
        if restored.has_another_primary() && !self.args.no_replay {
            let problem = "somebody else changed the primary during the drill, so nothing was \
                replayed: check it, and then run `backstop replay`";
            summary.problems.push(problem.to_owned());
        } else if summary.restored && !self.args.no_replay {
            // A primary that still fails must not get the records.
            output.progress("Replaying the records of the drill");
            self.replay_all(archives, &filter, &mut summary).await;
        }
        summary.close();
        Ok(summary)
    }

    async fn replay_all(&self, archives: &[Archive], filter: &Filter, summary: &mut Summary) {
        for (number, archive) in archives.iter().enumerate() {
            match Box::pin(self.replay(archive, filter.clone())).await {
                Ok(replayed) if number == 0 => summary.replay = Some(replayed),
                Ok(replayed) => summary.stream_replay = Some(replayed),
                Err(error) => summary
                    .problems
                    .push(format!("the replay failed: {error:#}")),
            }
        }
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

    /// Undoes the run of the drill, and looks whether anything of it is left.
    async fn restore(&self, summary: &mut Summary, aim: &Aim) -> Restored {
        let undone = self.undo(&summary.run).await;
        if let Err(error) = undone {
            summary.problems.push(format!("{error:#}"));
        }
        let now = match Function::get(self.site, &self.function.name).await {
            Ok(now) => now,
            Err(failure) => {
                summary.problems.push(failure.to_string());
                return Restored::default();
            }
        };
        let (Environment::Readable(before), Environment::Readable(after)) =
            (&self.function.environment, &now.environment)
        else {
            let problem = "the function's variables cannot be read, so it is not known whether they \
                are as they were";
            summary.problems.push(problem.to_owned());
            return Restored::default();
        };
        let was = (self.function.layers.as_slice(), before);
        let restored = Restored::of(was, &aim.on(before), (now.layers.as_slice(), after));
        summary.restored = restored.left.is_empty() && now.is_settled();
        if !restored.left.is_empty() {
            let problem = format!("still as the drill set them: {}", restored.left.join(", "));
            summary.problems.push(problem);
        }
        summary.changed_by_others.clone_from(&restored.foreign);
        restored
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
            let progress = Progress::default();
            let (options, on_interrupt) = (self.options(), OnInterrupt::Continue);
            session
                .execute_plan(&plan, &vault, journal, &progress, options, on_interrupt)
                .await?;
            Ok(())
        };
        let undone = undone.await;
        held.close().await;
        undone
    }
}

/// The secrets that the change sets.
fn secrets(change: &Change) -> Vault {
    let mut vault = Vault::default();
    for (name, stored) in &change.after.variables {
        if let Some(value) = stored.as_ref().and_then(|it| it.value())
            && is_secret(name, value)
        {
            vault.add(name, value);
        }
    }
    vault
}
