//! A plan in a file.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::{Plan, SCHEMA_VERSION};
use crate::files;
use crate::parsing;

/// Writes it, for the owner's eyes only.
pub fn write(plan: &Plan, path: &Path) -> anyhow::Result<()> {
    let text = serde_json::to_vec_pretty(plan)?;
    replace(path, &text).with_context(|| format!("{} cannot be written", path.display()))
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
