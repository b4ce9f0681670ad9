//! What all runs of a state made of each function.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;

use super::{Run, Step};
use crate::change::{Change, Vault};
use crate::secrets::Source;

#[derive(Debug, Default)]
pub struct History {
    /// What our changes did to each function, as one; functions that are as they were are not there.
    pub changes: BTreeMap<String, Change>,
    /// The secrets that were there before, as far as they are known.
    pub vault: Vault,
    /// Where the secrets came from that we set, by variable.
    sources: BTreeMap<String, Vec<Source>>,
}

impl History {
    /// Of every run, the oldest first.
    pub fn of_all(runs: &[Run]) -> Self {
        let mut history = Self::default();
        for run in runs {
            history.add(run);
        }
        history.changes.retain(|_, change| !change.is_undone());
        history
    }

    /// Of one run, with the secrets of all.
    pub fn of(run: &Run, all: &[Run]) -> Self {
        let mut history = Self::of_all(all);
        history.changes.clear();
        history.add(run);
        history
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

    /// One more run.
    pub fn add(&mut self, run: &Run) {
        for (name, source) in &run.header.plan.sources {
            let known = self.sources.entry(name.clone()).or_default();
            // What came by stdin is gone.
            if !source.is_stdin() && !known.contains(source) {
                known.push(source.clone());
            }
        }
        for state in &run.progress.steps {
            let Some(Step::Function { arn, change }) = &state.step else {
                continue;
            };
            for (name, before) in &change.before.variables {
                if let Some(value) = before.as_ref().and_then(|stored| stored.value()) {
                    self.vault.add(name, value);
                }
            }
            let together = match self.changes.get(arn) {
                Some(earlier) => earlier.then(change),
                None => change.clone(),
            };
            self.changes.insert(arn.clone(), together);
        }
    }
}
