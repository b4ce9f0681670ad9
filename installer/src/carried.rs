//! The layers that came with this release, and what `--version` says of them.
//!
//! They are where [`backstop_common::carried`] looks, or in `dist` of the current directory, where
//! `scripts/package` writes them. Invariant: the files of this executable's own release come first.
//! Must not: run anything.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::bail;
use backstop_common::carried::{EXTENSION, directories, listed};

use crate::files;
use crate::layer::{Release, ZipPath, sha256};

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

fn first_with_layers(directories: &[PathBuf]) -> Option<Layers> {
    directories.iter().find_map(|directory| {
        let zips = ZipPath::in_directory(directory);
        let directory = directory.clone();
        (!zips.is_empty()).then_some(Layers { directory, zips })
    })
}

#[cfg(test)]
mod tests {
    use backstop_common::carried::beside;

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
