//! What all runs of a state granted to roles.

use std::collections::{BTreeMap, BTreeSet};

use super::{Run, Step};
use crate::fleet::Place;
use crate::grants::{Granted, is_same, permissions};

impl Granted {
    /// By role; only those that were not taken back.
    pub fn of_all(runs: &[Run]) -> BTreeMap<String, Self> {
        let mut granted = BTreeMap::new();
        let mut places: BTreeMap<String, BTreeSet<Place>> = BTreeMap::new();
        for run in runs {
            for planned in &run.header.plan.functions {
                let places = places.entry(planned.role.clone()).or_default();
                places.insert(planned.place.clone());
            }
            add(&mut granted, run);
        }
        for (role, places) in places {
            if let Some(granted) = granted.get_mut(&role) {
                granted.places = places;
            }
        }
        granted
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

fn add(granted: &mut BTreeMap<String, Granted>, run: &Run) {
    for state in &run.progress.steps {
        let Some(Step::Grant {
            role,
            before,
            after,
        }) = &state.step
        else {
            continue;
        };
        let all = granted.entry(role.clone()).or_insert_with(|| Granted {
            before: before.clone(),
            after: before.clone(),
            ..Granted::default()
        });
        all.is_broken |= !is_same(all.after.as_deref(), before.as_deref());
        all.after.clone_from(after);
        if is_same(all.before.as_deref(), after.as_deref()) {
            granted.remove(role);
        }
    }
}
