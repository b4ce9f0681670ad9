//! A plan in a file.
//!
//! Invariant: a plan that was read changes no variable but the extension's own.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::{Plan, SCHEMA_VERSION};
use crate::change::PREFIX;
use crate::files::{self, Readers};
use crate::parsing;

/// Writes it, for the owner's eyes only.
pub fn write(plan: &Plan, path: &Path) -> anyhow::Result<()> {
    let text = serde_json::to_vec_pretty(plan)?;
    std::fs::create_dir_all(files::parent(path))
        .and_then(|()| files::put(path, &text, Readers::Owner))
        .with_context(|| format!("{} cannot be written", path.display()))
}

/// Reads it.
pub fn read(path: &Path) -> anyhow::Result<Plan> {
    let problem = || format!("{} is not a plan of `backstop plan`", path.display());
    let text = files::bytes(path, files::LARGE)?;
    let value: serde_json::Value = serde_json::from_slice(&text)
        .map_err(parsing::json)
        .with_context(problem)?;
    if value["schemaVersion"] != SCHEMA_VERSION {
        bail!("{}, or of another release: plan again", problem());
    }
    let plan: Plan = serde_json::from_value(value)
        .map_err(parsing::json)
        .with_context(problem)?;
    let foreign = foreign_variables(&plan);
    if !foreign.is_empty() {
        bail!(
            "{} changes variables that Backstop does not own: {}. Backstop changes only {PREFIX}* variables. \
             Nothing was changed: plan again",
            path.display(),
            foreign.join(", ")
        );
    }
    Ok(plan)
}

/// A plan of ours has none: somebody edited the file. Names are escaped, as they may hold anything.
fn foreign_variables(plan: &Plan) -> Vec<String> {
    let changes = (plan.functions.iter()).filter_map(|planned| planned.change.as_ref());
    let parts = changes.flat_map(|change| [&change.before, &change.after]);
    let names = parts.flat_map(|part| part.variables.keys());
    let names: BTreeSet<&String> = (names.chain(plan.sources.keys()))
        .filter(|name| !name.starts_with(PREFIX))
        .collect();
    let names = names.into_iter();
    names.map(|name| name.escape_debug().to_string()).collect()
}
