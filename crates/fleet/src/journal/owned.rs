//! Which functions a resource attached: what it may take back.

use std::collections::{BTreeMap, BTreeSet};

use super::{Outline, Run, Step};
use crate::change::Change;

/// The functions that the owner of a plan attached, and that nobody has detached since. Who wrote them
/// again since then does not matter: it is the first attachment that counts.
pub fn owned(runs: &[Run<Outline>], owner: &str) -> BTreeSet<String> {
    let mut attached: BTreeMap<&str, (Change, Option<&str>)> = BTreeMap::new();
    for run in runs {
        let by = run.header.plan.owner.as_deref();
        for state in &run.progress.steps {
            let Some(Step::Function { arn, change }) = &state.step else {
                continue;
            };
            let (change, by) = match attached.remove(arn.as_str()) {
                Some((earlier, first)) => (earlier.then(change), first),
                None => (change.clone(), by),
            };
            if !change.is_undone() {
                attached.insert(arn, (change, by));
            }
        }
    }
    let of_owner = attached
        .into_iter()
        .filter(|(_, (_, by))| *by == Some(owner));
    of_owner.map(|(arn, _)| arn.to_owned()).collect()
}
