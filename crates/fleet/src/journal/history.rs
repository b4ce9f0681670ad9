//! What all runs of a state made of each function, and of its role.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;

use super::outline::Roles;
use super::{Outline, Progress, Run, Step};
use crate::change::{Change, Vault};
use crate::grants::Granted;
use crate::secrets::Source;

/// Made of the runs one after the other: none of them is kept.
#[derive(Debug, Default)]
pub struct History {
    /// What our changes did to each function, as one; functions that are as they were are not there.
    pub changes: BTreeMap<String, Change>,
    /// The secrets that were there before, as far as they are known.
    pub vault: Vault,
    /// What was granted, by role; what was taken back is not there.
    granted: BTreeMap<String, Granted>,
    /// The roles of all functions, and where functions have them.
    roles: Roles,
    /// Where the secrets came from that we set, by variable.
    sources: BTreeMap<String, Vec<Source>>,
}

impl History {
    /// Of every run, the oldest first.
    pub fn of_all(runs: impl IntoIterator<Item = Run<Outline>>) -> Self {
        let mut history = Self::default();
        runs.into_iter().for_each(|run| history.add(run));
        history.settled()
    }

    /// What the steps of runs, the oldest first, made of each function.
    pub fn changes(steps: impl IntoIterator<Item = Progress>) -> BTreeMap<String, Change> {
        let mut history = Self::default();
        steps.into_iter().for_each(|it| history.add_steps(it));
        history.settled().changes
    }

    /// Of one run, with the secrets of all.
    #[must_use]
    pub fn only(mut self, run: &Run) -> Self {
        self.changes.clear();
        for state in &run.progress.steps {
            if let Some(Step::Function { arn, change }) = &state.step {
                self.add_change(arn.clone(), change.clone());
            }
        }
        self
    }

    /// What all runs granted to roles that was not taken back.
    pub fn granted(&self) -> BTreeMap<String, Granted> {
        let mut granted = self.granted.clone();
        for (role, granted) in &mut granted {
            if let Some(places) = self.roles.get(role) {
                granted.places.clone_from(places);
            }
        }
        granted
    }

    /// Reads the secrets that were ours before and of which only digests are kept, from where they came
    /// from. A missing one is reported when it is needed.
    pub async fn unlock(&mut self, config: &SdkConfig) {
        let before = (self.changes.values()).flat_map(|change| &change.before.variables);
        let closed: BTreeSet<&String> = before
            .filter_map(|(name, stored)| Some((name, stored.as_ref()?)))
            .filter(|(name, stored)| self.vault.open(name, stored).is_none())
            .map(|(name, _)| name)
            .collect();
        for name in closed {
            for source in self.sources.get(name).into_iter().flatten() {
                if let Ok(value) = source.read(config).await {
                    self.vault.add(name, &value);
                }
            }
        }
    }

    /// One more run, which is later than those before.
    pub(super) fn add(&mut self, run: Run<Outline>) {
        let Outline { sources, roles, .. } = run.header.plan;
        for (name, source) in sources {
            let known = self.sources.entry(name).or_default();
            // What came by stdin is gone.
            if !source.is_stdin() && !known.contains(&source) {
                known.push(source);
            }
        }
        for (role, places) in roles {
            self.roles.entry(role).or_default().extend(places);
        }
        self.add_steps(run.progress);
    }

    /// Of what all steps came to: without those that came to nothing.
    #[must_use]
    pub(super) fn settled(mut self) -> Self {
        self.changes.retain(|_, change| !change.is_undone());
        self.roles.retain(|role, _| self.granted.contains_key(role));
        self
    }

    fn add_steps(&mut self, progress: Progress) {
        for step in progress.steps.into_iter().filter_map(|state| state.step) {
            match step {
                Step::Function { arn, change } => self.add_change(arn, change),
                Step::Grant {
                    role,
                    before,
                    after,
                } => Granted::add(&mut self.granted, role, before, after),
                Step::Version { .. } | Step::Alias { .. } => {}
            }
        }
    }

    fn add_change(&mut self, arn: String, change: Change) {
        for (name, before) in &change.before.variables {
            if let Some(value) = before.as_ref().and_then(|stored| stored.value()) {
                self.vault.add(name, value);
            }
        }
        let together = match self.changes.remove(&arn) {
            Some(earlier) => earlier.then(&change),
            None => change,
        };
        self.changes.insert(arn, together);
    }
}
