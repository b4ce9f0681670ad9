//! What became of the steps of a run.

use std::collections::BTreeMap;

use super::{Entry, Step};
use crate::plan::{Extras, Planned};

/// By [`Step::key`].
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// In the order in which they began.
    pub steps: Vec<StepState>,
    by_key: BTreeMap<String, usize>,
}

/// One step, as far as it came.
#[derive(Debug, Clone)]
pub struct StepState {
    /// What may have been done, all attempts together; none where nothing can have been.
    pub step: Option<Step>,
    /// Whether it was done, to the end.
    pub is_done: bool,
    /// The version that was published by it.
    pub version: Option<String>,
    /// Why not, where something stood in the way.
    pub reason: Option<String>,
    /// The state before the current attempt.
    earlier: Option<Box<Step>>,
}

impl StepState {
    /// Whether it was made, or may have been.
    pub fn may_be_made(&self) -> bool {
        self.step.is_some()
    }
}

impl Progress {
    /// One more line.
    pub(super) fn add(&mut self, entry: Entry) {
        match entry {
            Entry::Begin { step, .. } => self.begin(step),
            Entry::Done { key, version, .. } => {
                if let Some(state) = self.at(&key) {
                    state.is_done = true;
                    state.reason = None;
                    state.version = version;
                }
            }
            Entry::NotDone { key, reason, .. } => {
                if let Some(state) = self.at(&key) {
                    state.step = state.earlier.take().map(|earlier| *earlier);
                    state.reason = Some(reason);
                }
            }
            Entry::Failed { key, reason, .. } => {
                if let Some(state) = self.at(&key) {
                    state.reason = Some(reason);
                }
            }
            // It changes who writes, and nothing that was written.
            Entry::Taken { .. } => {}
        }
    }

    /// Whether a step was done, to the end.
    pub fn is_done(&self, key: &str) -> bool {
        self.get(key).is_some_and(|state| state.is_done)
    }

    /// Whether all was done that a plan says of a function.
    pub fn has_all(&self, extras: &Extras, planned: &Planned) -> bool {
        let back = planned.alias.as_ref().map(|back| &back.alias);
        let alias = extras.move_alias.as_ref().or(back);
        let arn = &planned.arn;
        (planned.change.is_none() || self.is_done(arn))
            && (!extras.publish_version || self.is_done(&Step::version_key(arn)))
            && alias.is_none_or(|alias| self.is_done(&Step::alias_key(arn, alias)))
    }

    /// What became of a step.
    pub fn get(&self, key: &str) -> Option<&StepState> {
        self.by_key.get(key).and_then(|at| self.steps.get(*at))
    }

    fn at(&mut self, key: &str) -> Option<&mut StepState> {
        let at = *self.by_key.get(key)?;
        self.steps.get_mut(at)
    }

    fn begin(&mut self, step: Step) {
        let key = step.key();
        if let Some(state) = self.at(&key) {
            let earlier = state.step.take();
            state.step = Some(match &earlier {
                Some(earlier) => together(earlier, step),
                None => step,
            });
            state.earlier = earlier.map(Box::new);
            state.is_done = false;
            state.version = None;
            return;
        }
        self.by_key.insert(key, self.steps.len());
        self.steps.push(StepState {
            step: Some(step),
            is_done: false,
            version: None,
            reason: None,
            earlier: None,
        });
    }
}

/// An attempt that may have been made and the next one, as one step.
fn together(earlier: &Step, later: Step) -> Step {
    match (earlier, later) {
        (Step::Function { change: first, .. }, Step::Function { arn, change }) => Step::Function {
            arn,
            change: first.then(&change),
        },
        (
            Step::Alias { before, .. },
            Step::Alias {
                arn, alias, after, ..
            },
        ) => Step::Alias {
            arn,
            alias,
            before: before.clone(),
            after,
        },
        (Step::Grant { before, .. }, Step::Grant { role, after, .. }) => Step::Grant {
            role,
            before: before.clone(),
            after,
        },
        (_, later) => later,
    }
}
