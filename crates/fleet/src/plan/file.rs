//! A plan in a file.
//!
//! Invariant: a file that someone else wrote sets no variable and grants no permission that Backstop does not.

use std::path::Path;

use anyhow::{Context as _, bail};

use super::{Action, Plan, SCHEMA_VERSION};
use crate::files::{self, Readers};
use crate::parsing;
use crate::settings::foreign;

/// Writes it, for the owner's eyes only.
pub fn write(plan: &Plan, path: &Path) -> anyhow::Result<()> {
    let text = serde_json::to_vec_pretty(plan)?;
    std::fs::create_dir_all(files::parent(path))
        .and_then(|()| files::put(path, &text, Readers::Owner))
        .with_context(|| format!("{} cannot be written", path.display()))
}

pub fn read(path: &Path) -> anyhow::Result<Plan> {
    let problem = || {
        format!(
            "{} is not a plan that `backstop plan` wrote",
            path.display()
        )
    };
    let text = files::bytes(path, files::LARGE)?;
    let value: serde_json::Value = serde_json::from_slice(&text)
        .map_err(parsing::json)
        .with_context(problem)?;
    if value["schemaVersion"] != SCHEMA_VERSION {
        bail!("{}, or another release wrote it: plan again", problem());
    }
    let plan: Plan = serde_json::from_value(value)
        .map_err(parsing::json)
        .with_context(problem)?;
    plan.check()
        .with_context(|| format!("{} was not written by `backstop plan`", path.display()))?;
    Ok(plan)
}

impl Plan {
    /// Whether it does nothing that `backstop plan` does not: someone who can write the file must
    /// not set more
    /// with it than its reader would.
    fn check(&self) -> anyhow::Result<()> {
        match &self.action {
            Action::Undo { run } => {
                bail!("it undoes run {run}: use `backstop undo {run}` instead")
            }
            Action::Drill => bail!("it is a drill: use `backstop drill` instead"),
            Action::Attach | Action::Detach => {}
        }
        let changes = self.functions.iter().filter_map(|it| it.change.as_ref());
        let names = changes.flat_map(|change| {
            let (before, after) = (&change.before.variables, &change.after.variables);
            before.keys().chain(after.keys())
        });
        if let Some(problem) = foreign(names.chain(self.sources.keys())) {
            bail!(problem);
        }
        for grant in &self.grants {
            let role = &grant.role;
            if !self.functions.iter().any(|it| it.role == *role) {
                bail!(
                    "it writes the policy of {role}, which is not the role of any function in the \
                     plan"
                );
            }
            grant
                .check()
                .with_context(|| format!("the policy of {role}"))?;
        }
        Ok(())
    }
}
