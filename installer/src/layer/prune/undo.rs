//! What undoing this machine's runs would put back on functions.

use std::collections::BTreeMap;

use super::Return;
use crate::change::{Change, is_ours};
use crate::journal::{History, Step, Store};

/// Of every run by itself, which `undo` takes back, and of all together, which `detach` does.
pub fn returns(store: &Store) -> anyhow::Result<Vec<Return>> {
    let mut returns = Vec::new();
    for id in store.ids()? {
        let run = store.read(&id)?;
        for state in &run.progress.steps {
            if let Some(Step::Function { arn, change }) = &state.step {
                returns.extend(of(arn, change, &format!("undo {id}")));
            }
        }
    }
    let together: BTreeMap<String, Change> = History::load(store)?.changes;
    let together = together.iter();
    returns.extend(together.flat_map(|(arn, change)| of(arn, change, "detach")));
    Ok(returns)
}

fn of(function: &str, change: &Change, command: &str) -> Vec<Return> {
    let (before, after) = (&change.before.layers, &change.after.layers);
    let left = after.iter().filter(|arn| is_ours(arn)).cloned();
    let left: Vec<String> = left.collect();
    let back = before
        .iter()
        .filter(|arn| is_ours(arn) && !after.contains(arn));
    back.map(|layer| Return {
        layer: layer.clone(),
        function: function.to_owned(),
        left: left.clone(),
        command: command.to_owned(),
    })
    .collect()
}
