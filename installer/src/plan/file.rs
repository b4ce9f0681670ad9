//! A plan in a file.

use std::path::Path;

use anyhow::{Context as _, bail};

use super::{Plan, SCHEMA_VERSION};
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
    serde_json::from_value(value)
        .map_err(parsing::json)
        .with_context(problem)
}
