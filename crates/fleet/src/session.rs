//! Work on a fleet: the places, the runs that changed them, and what is planned and done with both.
//!
//! The command line and the controller plan, apply and undo by this one way. Invariants: a plan to attach
//! or to detach knows every run of the state; one that cannot be read stops it, because its changes would
//! be taken for someone else's. An undo needs only the run that it undoes.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use tokio::sync::watch;

use crate::apply::{self, Summary};
use crate::aws::Access;
use crate::change::{Stored, Vault};
use crate::fleet::{Fleet, Targets};
use crate::grants::Granted;
use crate::journal::{History, Journal, Progress, Run, Step, StepState, Store};
use crate::plan::{self, Action, Allowed, Choice, Extras, Intent, Observer, Plan, Sizes, Verdict};
use crate::select::Selection;
use crate::settings::Settings;

/// A fleet, and the state that its runs are kept in.
#[derive(Debug)]
pub struct Session {
    /// How to get to AWS.
    pub access: Access,
    /// Where to work, as it was asked for.
    pub targets: Targets,
    /// The places that this came to.
    pub fleet: Fleet,
    pub store: Store,
}

/// What functions should have.
#[derive(Debug)]
pub struct Attachment {
    /// ARNs of layer versions, of which each function gets the one for its region and architecture.
    pub layers: Vec<String>,
    /// The extension's variables.
    pub settings: Settings,
    /// Variables that are set even if someone else set them to something else.
    pub overwrite: BTreeSet<String>,
    /// What is usually refused.
    pub allowed: Allowed,
    /// Versions, aliases and grants.
    pub extras: Extras,
}

/// How a plan is carried out.
#[derive(Debug)]
pub struct Execution<'a> {
    /// The secrets that the plan has digests of.
    pub vault: &'a Vault,
    /// Where each write is recorded first. The caller closes it.
    pub journal: &'a Journal,
    /// What was done before, when a run is taken up again.
    pub progress: &'a Progress,
    /// How to go about it.
    pub options: apply::Options,
    /// Starts nothing new from the moment that this is true.
    pub stop: watch::Receiver<bool>,
}

impl Session {
    /// Finds the places.
    pub async fn open(access: Access, targets: Targets, store: Store) -> anyhow::Result<Self> {
        Ok(Self {
            // Too large for the stack of every caller.
            fleet: Box::pin(Fleet::open(&access, &targets)).await?,
            access,
            targets,
            store,
        })
    }

    /// The configuration of clients for other services.
    pub async fn config(&self) -> SdkConfig {
        self.access.shared(self.targets.timeout).await
    }

    /// What attaching changes, and the secrets that it takes.
    pub async fn plan_attach(
        &self,
        selection: &Selection,
        wanted: Attachment,
        observer: &dyn Observer,
    ) -> anyhow::Result<(Plan, Vault)> {
        let mut vault = Vault::default();
        for (name, value) in &wanted.settings.variables {
            vault.add(name, value);
        }
        let intent = Intent::Attach {
            choice: Choice::of(&wanted.layers),
            variables: wanted.settings.variables,
            overwrite: wanted.overwrite,
            history: self.store.history().await?.changes,
            allowed: wanted.allowed,
            extras: wanted.extras,
        };
        let mut plan = self.plan(selection, &intent, observer).await;
        plan.sources = wanted.settings.sources;
        plan.give_grants(&self.fleet).await;
        Ok((plan, vault))
    }

    /// What detaching changes, and the secrets that it puts back.
    pub async fn plan_detach(
        &self,
        selection: &Selection,
        allowed: Allowed,
        extras: Extras,
        observer: &dyn Observer,
    ) -> anyhow::Result<(Plan, Vault)> {
        let mut history = self.store.history().await?;
        history.unlock(&self.config().await).await;
        let granted = history.granted();
        let intent = Intent::Detach {
            history: history.changes,
            vault: history.vault,
            allowed,
            extras,
        };
        let mut plan = self.plan(selection, &intent, observer).await;
        plan.take_grants(&granted, None);
        Ok((plan, intent.into_vault()))
    }

    /// To put back what a run changed.
    pub async fn plan_undo(
        &self,
        id: &str,
        run: &Run,
        observer: &dyn Observer,
    ) -> anyhow::Result<(Plan, Vault)> {
        let mut history = self.history(observer).await?.only(run);
        history.unlock(&self.config().await).await;
        let granted = history.granted();
        let of_alias = |state: &StepState| match &state.step {
            Some(Step::Alias { arn, .. } | Step::Version { arn }) => Some(arn.clone()),
            _ => None,
        };
        let mut arns: BTreeSet<String> = history.changes.keys().cloned().collect();
        arns.extend(run.progress.steps.iter().filter_map(of_alias));
        let selection = Selection::of_arns(&arns)?;
        let intent = Intent::Undo {
            run: id.to_owned(),
            changes: history.changes,
            vault: history.vault,
        };
        let mut plan = if selection.functions.is_empty() {
            // Nothing was changed: there is nothing to look at.
            Plan::empty(&self.fleet, self.targets.clone(), &intent)
        } else {
            self.plan(&selection, &intent, observer).await
        };
        plan.put_back_aliases(&run.progress);
        match Granted::taken(run) {
            taken if taken.is_empty() => plan.take_grants(&granted, Some(&run.header.plan)),
            taken => plan.give_grants_back(taken),
        }
        Ok((plan, intent.into_vault()))
    }

    async fn plan(&self, selection: &Selection, intent: &Intent, observer: &dyn Observer) -> Plan {
        observer.reading(&self.fleet);
        let sizes = Sizes::open(self.store.cache("sizes.json"));
        let targets = self.targets.clone();
        let plan = plan::make(&self.fleet, targets, selection, intent, &sizes, observer).await;
        sizes.save();
        plan
    }

    /// Every run that can be read. One that cannot be read gets a warning and stops no undo of another.
    pub async fn runs(&self, observer: &dyn Observer) -> anyhow::Result<Vec<Run>> {
        let (runs, broken) = self.store.readable().await?;
        warn(broken, observer);
        Ok(runs)
    }

    /// What they made of each function.
    async fn history(&self, observer: &dyn Observer) -> anyhow::Result<History> {
        let (history, broken) = self.store.readable_history().await?;
        warn(broken, observer);
        Ok(history)
    }

    /// The secrets that a plan has digests of: all of them, or an error.
    pub async fn vault(&self, plan: &Plan, observer: &dyn Observer) -> anyhow::Result<Vault> {
        let mut vault = self.history(observer).await?.vault;
        let config = self.config().await;
        for (name, source) in &plan.sources {
            vault.add(name, &source.read(&config).await?);
        }
        let mut wanted: BTreeMap<&String, &Stored> = BTreeMap::new();
        for planned in plan.with(Verdict::Change) {
            let after = planned.change.iter().flat_map(|it| &it.after.variables);
            wanted.extend(after.filter_map(|(name, stored)| Some((name, stored.as_ref()?))));
        }
        for (name, stored) in wanted {
            if vault.open(name, stored).is_none() {
                let from = plan.sources.get(name).map_or_else(
                    || format!("a run that is not in {}", self.store.shown()),
                    ToString::to_string,
                );
                anyhow::bail!(
                    "{name} from {from} has changed since the plan was made: plan again, or \
                     restore the old value"
                );
            }
        }
        Ok(vault)
    }

    /// Carries a plan out.
    pub async fn execute(
        &self,
        plan: &Plan,
        execution: Execution<'_>,
        observer: &dyn Observer,
    ) -> anyhow::Result<Summary> {
        let mut history = self.history(observer).await?.changes;
        if plan.action == Action::Drill {
            // What it puts back must be known whatever becomes of the secrets' sources: the journal holds
            // it as what somebody else set.
            history.clear();
        }
        history.retain(|arn, _| !execution.progress.is_done(arn));
        let context = apply::Context {
            fleet: &self.fleet,
            vault: execution.vault,
            history: &history,
            journal: execution.journal,
            progress: execution.progress,
            rates: plan.targets.rates,
            options: execution.options,
        };
        apply::run(&context, plan, observer, execution.stop).await
    }

    /// Of a drill that was cut off before its write: a look has shown that it was not made.
    pub async fn forget_unmade(
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
}

fn warn(broken: Vec<anyhow::Error>, observer: &dyn Observer) {
    for problem in broken {
        observer.message(&format!(
            "Warning: ignoring a run that cannot be read: {problem:#}"
        ));
    }
}
