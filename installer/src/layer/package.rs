//! Checks of a zip before it is published.
//!
//! Invariant: what Lambda would take and no function could start is refused here: an upload that is
//! too large, no extension where Lambda looks for one, one that cannot be executed, or another
//! architecture's.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use super::{Architecture, DIRECTORY, EXECUTABLE, Facts, Release, archive, hexadecimal};
use crate::files;
use crate::output::grouped;

/// What `PublishLayerVersion` takes in its request; more would have to go by S3.
const MOST_ZIPPED: u64 = 50 * 1024 * 1024;

/// What is not fit to be published: exit code 5.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(String);

impl Refused {
    /// A zip of one release is not published under the name of another.
    pub fn other_release(zip: &ZipPath, release: &Release, named: &Release) -> Self {
        Self(format!(
            "{} cannot be published as release {named}: its bill of materials says {release}; give \
             --release {release}, or the zips of {named}",
            zip.path.display()
        ))
    }
}

/// A zip and what it is for, as it is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZipPath {
    /// What its binary is said to run on.
    pub architecture: Architecture,
    /// Where it is.
    pub path: PathBuf,
}

impl FromStr for ZipPath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (architecture, path) = (text.split_once('='))
            .filter(|(_, path)| !path.is_empty())
            .ok_or("write it as ARCH=PATH, such as arm64=dist/extension-arm64.zip")?;
        let architecture = match architecture {
            "x86_64" => Architecture::X86_64,
            "arm64" => Architecture::Arm64,
            _ => return Err("the architecture is x86_64 or arm64"),
        };
        Ok(Self {
            architecture,
            path: path.into(),
        })
    }
}

impl ZipPath {
    /// Those that `backstop layer build` put into the directory.
    pub fn in_directory(directory: &Path) -> Vec<Self> {
        let all = [Architecture::X86_64, Architecture::Arm64].map(|architecture| Self {
            architecture,
            path: directory.join(format!("extension-{architecture}.zip")),
        });
        all.into_iter().filter(|zip| zip.path.exists()).collect()
    }
}

/// A layer's zip.
#[derive(Debug, Clone)]
pub struct Package {
    /// What it runs on.
    pub architecture: Architecture,
    /// In hexadecimal digits.
    pub sha256: String,
    /// The same as Lambda writes it.
    pub(super) code_sha256: String,
    pub(super) zip: Vec<u8>,
}

impl Package {
    /// Reads it, if it is fit.
    pub fn read(zip: &ZipPath) -> anyhow::Result<Self> {
        let ZipPath { architecture, path } = zip;
        let shown = path.display();
        let refused = |reason: &str| Refused(format!("{shown} cannot be published: {reason}"));
        let bytes = std::fs::metadata(path)
            .with_context(|| format!("cannot read {shown}"))?
            .len();
        if bytes > MOST_ZIPPED {
            let reason = format!(
                "it has {} bytes, but Lambda accepts at most {}",
                grouped(bytes),
                grouped(MOST_ZIPPED)
            );
            return Err(refused(&reason).into());
        }
        let contents = files::bytes(path, MOST_ZIPPED)?;
        let digest = Sha256::digest(&contents);
        let sha256 = hexadecimal(&digest);
        if let Some(given) = checksum_beside(path)
            && given != sha256
        {
            let reason = format!(
                "its sha256 is {sha256}, but its .sha256 file says {given}: build it again"
            );
            return Err(refused(&reason).into());
        }
        check(&contents, *architecture).map_err(|reason| refused(&reason))?;
        Ok(Self {
            architecture: *architecture,
            sha256,
            code_sha256: BASE64_STANDARD.encode(digest),
            zip: contents,
        })
    }
}

/// What is wrong with a layer's zip for this architecture.
fn check(zip: &[u8], architecture: Architecture) -> Result<(), String> {
    let executable = archive::executable(zip).map_err(|error| format!("{error:#}"))?;
    let Some((mode, binary)) = executable else {
        return Err(format!("it has no {DIRECTORY}/{EXECUTABLE}"));
    };
    if mode != archive::MODE {
        return Err(format!(
            "the mode of {DIRECTORY}/{EXECUTABLE} is {mode:04o}; it must be {:04o}",
            archive::MODE
        ));
    }
    let facts = Facts::read(&binary).map_err(|error| format!("{error:#}"))?;
    if facts.architecture != architecture {
        return Err(format!(
            "its binary is built for {}, not for {architecture}",
            facts.architecture
        ));
    }
    Ok(())
}

/// What `backstop layer build` wrote beside it.
fn checksum_beside(path: &Path) -> Option<String> {
    let text = files::text(
        Path::new(&format!("{}.sha256", path.display())),
        files::SMALL,
    )
    .ok()?;
    text.split_whitespace().next().map(str::to_owned)
}
