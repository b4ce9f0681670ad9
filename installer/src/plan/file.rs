//! A plan in a file.
//!
//! Invariant: a file that someone else wrote sets no variable and grants no permission that Backstop does not.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::{Action, Plan, SCHEMA_VERSION};
use crate::parsing;
use crate::settings::foreign;

/// Writes it, for the owner's eyes only.
pub fn write(plan: &Plan, path: &Path) -> anyhow::Result<()> {
    let text = serde_json::to_vec_pretty(plan)?;
    replace(path, &text).with_context(|| format!("{} cannot be written", path.display()))
}

/// Reads it.
pub fn read(path: &Path) -> anyhow::Result<Plan> {
    let problem = || format!("{} is not a plan of `backstop plan`", path.display());
    let text = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let value: serde_json::Value = serde_json::from_slice(&text)
        .map_err(parsing::json)
        .with_context(problem)?;
    if value["schemaVersion"] != SCHEMA_VERSION {
        bail!("{}, or of another release: plan again", problem());
    }
    let plan: Plan = serde_json::from_value(value)
        .map_err(parsing::json)
        .with_context(problem)?;
    plan.check()
        .with_context(|| format!("{} was not written by `backstop plan`", path.display()))?;
    Ok(plan)
}

impl Plan {
    /// Whether it does nothing that `backstop plan` does not: whoever can write the file must not set more
    /// with it than its reader would.
    fn check(&self) -> anyhow::Result<()> {
        if let Action::Undo { run } = &self.action {
            bail!("it undoes run {run}: use `backstop undo {run}`");
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
                bail!("it writes the policy of {role}, which no function of the plan has");
            }
            grant
                .check()
                .with_context(|| format!("the policy of {role}"))?;
        }
        Ok(())
    }
}

/// Puts a whole file there, or leaves what was there.
pub(super) fn replace(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let directory = (path.parent()).filter(|it| !it.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    // It is made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(text)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
