//! What all runs on this machine made of each function.

use std::collections::BTreeMap;

use super::{Run, Step, Store};
use crate::change::Change;
use crate::secrets::Vault;

/// By function.
#[derive(Debug, Default)]
pub struct History {
    /// What our changes did to each function, as one; functions that are as they were are not there.
    pub changes: BTreeMap<String, Change>,
    /// The secrets that were there before.
    pub vault: Vault,
}

impl History {
    /// Of every run. One that cannot be read is an error: what it did would be taken for someone else's.
    pub fn load(store: &Store) -> anyhow::Result<Self> {
        let mut history = Self::default();
        for id in store.ids()? {
            history.add(&store.read(&id)?);
        }
        history.changes.retain(|_, change| !change.is_undone());
        Ok(history)
    }

    /// One more run.
    pub fn add(&mut self, run: &Run) {
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
