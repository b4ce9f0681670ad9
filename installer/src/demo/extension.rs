//! Finds the extension's executable.

use std::path::{Path, PathBuf};

use anyhow::bail;

const NAME: &str = "backstop-extension";

/// The one that was given, or the one beside this executable, or the first on PATH.
pub(super) fn find(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    const BUILD: &str =
        "build it with `cargo build -p backstop-extension`, or give its path with --extension";
    if let Some(path) = given {
        if path.is_file() {
            return Ok(path.to_owned());
        }
        bail!("the file {} does not exist: {BUILD}", path.display());
    }
    let next_to_this = std::env::current_exe()
        .ok()
        .and_then(|path| path.parent().map(Path::to_owned));
    let path = std::env::var_os("PATH").unwrap_or_default();
    next_to_this
        .into_iter()
        .chain(std::env::split_paths(&path))
        .map(|directory| directory.join(NAME))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| {
            anyhow::anyhow!("{NAME} is neither next to this executable nor on PATH: {BUILD}")
        })
}
