//! The files that came with this release: both layers, and the extension for this machine.
//!
//! They are beside the executable (an unpacked release, a build), or in `../share/backstop` (a wheel,
//! a package, an image). Layers may also be in `dist` of the current directory, where
//! `scripts/package` writes them. Invariant: the files of this executable's own release come first.
//! Must not: run anything.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::files;
use crate::layer::{Release, ZipPath, sha256};

const EXTENSION: &str = "backstop-extension";
/// Below the prefix whose `bin` holds the executable.
const SHARE: &str = "share/backstop";
/// Where `scripts/package` writes, in a checkout.
const DIST: &str = "dist";
/// Digits that tell one layer from another.
const SHORT: usize = 12;

/// Layers, and the directory that holds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layers {
    /// Where they are.
    pub directory: PathBuf,
    /// At least one.
    pub zips: Vec<ZipPath>,
}

/// The layers that `layer publish` takes unless it is given some.
pub fn layers() -> anyhow::Result<Layers> {
    let mut searched = directories();
    searched.push(DIST.into());
    match first_with_layers(&searched) {
        Some(layers) => Ok(layers),
        None => bail!(
            "no layer came with this executable: neither extension-x86_64.zip nor \
             extension-arm64.zip is in {}\ninstall a release that carries them (`pipx install \
             backstop-cli`), or download both of release {} and give their directory with \
             --directory; in a checkout, scripts/package builds them",
            listed(&searched),
            Release::CURRENT
        ),
    }
}

/// The extension that runs on this machine: the one that was given, or that came with this
/// executable, or the first on PATH.
pub fn extension(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    const BUILD: &str =
        "build it with `cargo build -p backstop-extension`, or give its path with --extension";
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

/// What `--version` says: the release, and the files that it carries.
pub fn version() -> String {
    let mut text = format!("backstop {}\n", Release::CURRENT);
    let own = directories();
    match first_with_layers(&own) {
        Some(layers) => {
            for zip in &layers.zips {
                text.push_str(&Carried::of(zip).to_string());
            }
        }
        None => text.push_str("carries no layers\n"),
    }
    let extension = own.iter().map(|directory| directory.join(EXTENSION));
    if let Some(path) = extension.into_iter().find(|path| path.is_file()) {
        writeln!(text, "  {}", path.display()).ok();
    }
    text
}

/// The release of a layer, by the bill of materials beside it.
pub fn release_of(zip: &ZipPath) -> Option<Release> {
    let bill = zip.path.with_extension("cdx.json");
    // Without a readable one nothing is known, which is not an error.
    let text = files::text(&bill, files::SMALL).ok()?;
    let bill: serde_json::Value = serde_json::from_str(&text).ok()?;
    bill["metadata"]["component"]["version"]
        .as_str()?
        .parse()
        .ok()
}

/// A layer that came with this executable.
struct Carried<'a> {
    path: &'a Path,
    release: Option<Release>,
    sha256: Option<String>,
}

impl<'a> Carried<'a> {
    fn of(zip: &'a ZipPath) -> Self {
        Self {
            path: &zip.path,
            release: release_of(zip),
            sha256: files::bytes(&zip.path, files::LARGE)
                .ok()
                .map(|bytes| sha256(&bytes)),
        }
    }
}

impl fmt::Display for Carried<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let release = self.release.as_ref().map(Release::to_string);
        let digits = self.sha256.as_deref().and_then(|all| all.get(..SHORT));
        writeln!(
            formatter,
            "  {}  release {}  sha256 {}",
            self.path.display(),
            release.as_deref().unwrap_or("unknown"),
            digits.unwrap_or("unreadable")
        )
    }
}

/// The directories of this executable, the nearest first.
fn directories() -> Vec<PathBuf> {
    // A link to it, such as pipx makes, says nothing of what came with it.
    let executable = std::env::current_exe().and_then(|path| path.canonicalize());
    executable.map_or_else(|_| Vec::new(), |path| beside(&path))
}

fn beside(executable: &Path) -> Vec<PathBuf> {
    let directory = executable.parent();
    let prefix = directory.and_then(Path::parent);
    let share = prefix.map(|prefix| prefix.join(SHARE));
    directory
        .map(Path::to_owned)
        .into_iter()
        .chain(share)
        .collect()
}

fn first_with_layers(directories: &[PathBuf]) -> Option<Layers> {
    directories.iter().find_map(|directory| {
        let zips = ZipPath::in_directory(directory);
        let directory = directory.clone();
        (!zips.is_empty()).then_some(Layers { directory, zips })
    })
}

fn listed(directories: &[PathBuf]) -> String {
    let shown: Vec<String> = (directories.iter())
        .map(|directory| directory.display().to_string())
        .collect();
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beside_the_executable_overrides_what_is_shared_and_what_is_built() {
        let root = tempfile::TempDir::new().expect("there is room for a directory");
        let at = |name: &str| root.path().join(name);
        let searched: Vec<PathBuf> = (beside(&at("bin/backstop")).into_iter())
            .chain([at("dist")])
            .collect();
        assert_eq!(searched, ["bin", "share/backstop", "dist"].map(at));
        assert_eq!(first_with_layers(&searched), None);
        for directory in searched.iter().rev() {
            std::fs::create_dir_all(directory).expect("the directory is ours");
            std::fs::write(directory.join("extension-arm64.zip"), "").expect("it is ours");
            let found = first_with_layers(&searched).expect("there is one");
            assert_eq!(&found.directory, directory);
            assert_eq!(found.zips.len(), 1);
        }
    }

    #[test]
    fn the_bill_of_materials_names_the_release() {
        let root = tempfile::TempDir::new().expect("there is room for a directory");
        let zip: ZipPath = format!("arm64={}/extension-arm64.zip", root.path().display())
            .parse()
            .expect("it is one");
        assert_eq!(release_of(&zip), None);
        let bill = root.path().join("extension-arm64.cdx.json");
        for (text, release) in [
            ("not JSON", None),
            (r#"{"metadata":{"component":{"version":"x"}}}"#, None),
            (
                r#"{"metadata":{"component":{"version":"0.3.0"}}}"#,
                Some("0.3.0"),
            ),
        ] {
            std::fs::write(&bill, text).expect("the directory is ours");
            assert_eq!(
                release_of(&zip)
                    .map(|release| release.to_string())
                    .as_deref(),
                release
            );
        }
    }
}
