//! The runs on this machine, to choose one from.

use serde::Serialize;

use super::Store;
use crate::output::{Report, Style};
use crate::plan::{Action, Verdict};

/// All runs, the newest first.
#[derive(Debug, Serialize)]
pub struct Runs {
    runs: Vec<Row>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    run: String,
    started_at: String,
    action: Action,
    planned: usize,
    done: usize,
}

impl Runs {
    /// Those of a store.
    pub fn of(store: &Store) -> anyhow::Result<Self> {
        let mut runs = Vec::new();
        for id in store.ids()?.into_iter().rev() {
            let run = store.read(&id)?;
            runs.push(Row {
                run: id,
                started_at: run.header.started_at,
                planned: run.header.plan.with(Verdict::Change).count(),
                done: (run.progress.steps.iter())
                    .filter(|state| state.is_done)
                    .count(),
                action: run.header.plan.action,
            });
        }
        Ok(Self { runs })
    }
}

impl Report for Runs {
    fn text(&self, _: Style) -> String {
        if self.runs.is_empty() {
            return "There is no run on this machine\n".to_owned();
        }
        let lines = self.runs.iter().map(|row| {
            let what = match &row.action {
                Action::Attach => "attach".to_owned(),
                Action::Detach => "detach".to_owned(),
                Action::Undo { run } => format!("undo {run}"),
            };
            let (done, planned) = (row.done, row.planned);
            format!(
                "{}  {}  {what}, {done} of {planned} done\n",
                row.run, row.started_at
            )
        });
        lines.collect()
    }
}
