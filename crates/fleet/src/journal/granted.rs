//! What runs granted to roles, and took from them.

use std::collections::BTreeMap;

use super::{Run, Step};
use crate::grants::{Granted, is_same, permissions};

impl Granted {
    /// One more step, to what was granted by role: what comes to nothing is not there.
    pub(super) fn add(
        granted: &mut BTreeMap<String, Self>,
        role: String,
        before: Option<String>,
        after: Option<String>,
    ) {
        let mut all = match granted.remove(&role) {
            Some(mut all) => {
                all.is_broken |= !is_same(all.after.as_deref(), before.as_deref());
                all
            }
            None => Self {
                before,
                ..Self::default()
            },
        };
        all.after = after;
        if !is_same(all.before.as_deref(), all.after.as_deref()) {
            granted.insert(role, all);
        }
    }

    /// What a run took from roles, to be given back.
    pub fn taken(run: &Run) -> Vec<(String, Self)> {
        let steps = run.progress.steps.iter();
        let taken = steps.filter_map(|state| match &state.step {
            Some(Step::Grant {
                role,
                before,
                after,
            }) if !is_wider(after.as_deref(), before.as_deref()) => Some((
                role.clone(),
                Self {
                    before: before.clone(),
                    after: after.clone(),
                    ..Self::default()
                },
            )),
            _ => None,
        });
        taken.collect()
    }
}

/// Whether one grants all that the other does.
fn is_wider(one: Option<&str>, other: Option<&str>) -> bool {
    permissions(one).is_superset(&permissions(other))
}
