//! The layer versions that undo or resume of a recorded run would attach.

use super::Return;
use crate::change::{Change, is_ours};
use crate::journal::{History, Run, Step, unfinished};

/// Of each run, which `undo` takes back or `resume` goes on with, and of all together, which `detach` takes
/// back.
pub fn returns(runs: Vec<Run>) -> Vec<Return> {
    let mut returns = Vec::new();
    for run in &runs {
        let command = format!("undo {}", run.header.run);
        for state in &run.progress.steps {
            if let Some(Step::Function { arn, change }) = &state.step {
                returns.extend(of(arn, change, &command));
            }
        }
    }
    for run in unfinished(&runs) {
        for planned in run.left() {
            let after = planned
                .change
                .iter()
                .flat_map(|change| &change.after.layers);
            returns.extend(after.filter(|arn| is_ours(arn)).map(|layer| Return {
                layer: layer.clone(),
                function: planned.arn.clone(),
                left: None,
                command: format!("resume {}", run.header.run),
            }));
        }
    }
    let together = History::changes(runs.into_iter().map(|run| run.progress));
    let together = together.iter();
    returns.extend(together.flat_map(|(arn, change)| of(arn, change, "detach")));
    returns
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
        left: Some(left.clone()),
        command: command.to_owned(),
    })
    .collect()
}
