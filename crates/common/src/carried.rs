//! The files that came with this release, and the extension for this machine among them.
//!
//! They are beside the executable (an unpacked release, a build), or in `../share/backstop` (a wheel,
//! a package, an image). Invariant: the files of this executable's own release come first. Must not: run
//! anything.

use std::path::{Path, PathBuf};

use anyhow::bail;

/// The extension's executable.
pub const EXTENSION: &str = "backstop-extension";
/// Below the prefix whose `bin` holds the executable.
const SHARE: &str = "share/backstop";

/// The extension that runs on this machine: the one that was given, or that came with this
/// executable, or the first on PATH.
pub fn extension(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    const BUILD: &str = "build it with `cargo build -p backstop-extension`, or name its path";
    if let Some(path) = given {
        if path.is_file() {
            return Ok(path.to_owned());
        }
        bail!("the file {} does not exist: {BUILD}", path.display());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = directories();
    let found = (own.iter().cloned().chain(std::env::split_paths(&path)))
        .map(|directory| directory.join(EXTENSION))
        .find(|candidate| candidate.is_file());
    match found {
        Some(path) => Ok(path),
        None => bail!(
            "{EXTENSION} is neither in {} nor on PATH: install a release that carries it (`pipx \
             install backstop-cli`), {BUILD}",
            listed(&own)
        ),
    }
}

/// The directories of this executable, the nearest first.
pub fn directories() -> Vec<PathBuf> {
    // A link to it, such as pipx makes, says nothing of what came with it.
    let executable = std::env::current_exe().and_then(|path| path.canonicalize());
    executable.map_or_else(|_| Vec::new(), |path| beside(&path))
}

/// The directories of an executable, the nearest first.
pub fn beside(executable: &Path) -> Vec<PathBuf> {
    let directory = executable.parent();
    let prefix = directory.and_then(Path::parent);
    let share = prefix.map(|prefix| prefix.join(SHARE));
    directory
        .map(Path::to_owned)
        .into_iter()
        .chain(share)
        .collect()
}

/// Directories, for an error.
pub fn listed(directories: &[PathBuf]) -> String {
    let shown: Vec<String> = (directories.iter())
        .map(|directory| directory.display().to_string())
        .collect();
    shown.join(", ")
}
