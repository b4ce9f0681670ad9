//! The layer: what is published, and what a container image takes in.
//!
//! [`build`] checks an extension's binary (`elf`) and packs it (`archive`): `extension-ARCH.zip` for
//! `PublishLayerVersion`, `extension-ARCH.tar.gz` for `ADD … /opt/`, a `.sha256` beside each. The same
//! binary gives the same bytes on any machine. Must not: compile anything; `scripts/package` does.
//!
//! [`publish()`] puts such a zip (`package`) under its `name` into every place, shares it (`share`)
//! and writes the [`Manifest`]; [`list()`] and [`prune`] are about what is there then. `remote` makes
//! the calls, `places` in many places at once, and `report` has what their reports share.

mod archive;
mod elf;
mod list;
mod manifest;
mod name;
mod package;
mod places;
pub mod prune;
mod publish;
mod remote;
mod report;
mod share;
mod summary;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};

use crate::files::{self, Readers};
use archive::Form;
pub use archive::{Entry, Kind};
pub use elf::{Architecture, Facts, GlibcVersion};
pub use list::{ListedVersion, Unread, VersionList, list};
pub use manifest::{Manifest, ManifestEntry};
pub use name::Release;
pub(crate) use name::parse_name;
pub use package::{Package, Refused, ZipPath};
pub use places::Done;
pub use publish::{Outcome, PublishOptions, PublishSummary, PublishedLayer, publish};
pub use share::{Principal, Share};
pub use summary::{Artefact, Packed, Summary};

/// Where Lambda looks for extensions, below `/opt`.
const DIRECTORY: &str = "extensions";
/// The name by which the extension registers is that of its file.
const EXECUTABLE: &str = "backstop-extension";

/// What Lambda runs of a function whose runtime is its own.
const BOOTSTRAP: &str = "bootstrap";

/// What a binary runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    architecture: Architecture,
    /// Static, for container images without glibc such as Alpine's.
    musl: bool,
}

impl Target {
    const ALL: [Self; 4] = [
        Self::new(Architecture::X86_64, false),
        Self::new(Architecture::Arm64, false),
        Self::new(Architecture::X86_64, true),
        Self::new(Architecture::Arm64, true),
    ];

    const fn new(architecture: Architecture, musl: bool) -> Self {
        Self { architecture, musl }
    }

    /// No managed runtime is without glibc: static binaries are for container images alone.
    fn forms(self) -> &'static [Form] {
        if self.musl {
            &[Form::TarGz]
        } else {
            &[Form::Zip, Form::TarGz]
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let libc = if self.musl { "-musl" } else { "" };
        write!(formatter, "{}{libc}", self.architecture)
    }
}

/// A binary, and what it is said to run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    /// What it is to run on.
    pub target: Target,
    /// Where it is.
    pub path: PathBuf,
}

impl FromStr for Binary {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (target, path) = text
            .split_once('=')
            .filter(|(_, path)| !path.is_empty())
            .ok_or("write it as TARGET=PATH, such as arm64=target/backstop-extension")?;
        let target = Target::ALL
            .into_iter()
            .find(|known| known.to_string() == target);
        let Some(target) = target else {
            return Err(
                "the target is one of x86_64, arm64, x86_64-musl and arm64-musl".to_owned(),
            );
        };
        Ok(Self {
            target,
            path: path.into(),
        })
    }
}

/// The binary of a function, such as the one that replays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionBinary {
    /// What the zip is called, without its target.
    pub name: String,
    pub binary: Binary,
}

impl FromStr for FunctionBinary {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "write it as NAME-TARGET=PATH, such as replay-function-arm64=target/function";
        let (named, _) = text.split_once('=').ok_or(form)?;
        let (name, _) = named.rsplit_once('-').ok_or(form)?;
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
        if name.is_empty() || !name.bytes().all(is_plain) {
            return Err(form.to_owned());
        }
        let binary: Binary = text[name.len() + 1..].parse()?;
        if binary.target.musl {
            return Err("a function's target is x86_64 or arm64".to_owned());
        }
        let name = name.to_owned();
        Ok(Self { name, binary })
    }
}

/// What is to be packed, and where to.
#[derive(Debug)]
pub struct Options {
    /// The binaries; no target twice.
    pub binaries: Vec<Binary>,
    /// The binaries of functions.
    pub functions: Vec<FunctionBinary>,
    /// Where the artefacts go; made if it is not there.
    pub directory: PathBuf,
    /// The newest glibc that a binary may need.
    pub glibc: GlibcVersion,
}

/// Checks the binaries, and packs them where nothing is wrong with any.
pub fn build(options: &Options) -> anyhow::Result<Summary> {
    let mut binaries = Vec::new();
    let functions = options.functions.iter();
    let functions = functions.map(|it| (&it.binary, Some(it.name.as_str())));
    let all = options.binaries.iter().map(|it| (it, None));
    for (Binary { target, path }, name) in all.chain(functions) {
        let shown = path.display();
        let contents = files::bytes(path, files::LARGE)?;
        let facts = Facts::read(&contents).with_context(|| format!("cannot pack {shown}"))?;
        let problems = facts.problems(*target, options.glibc);
        if !problems.is_empty() {
            bail!("cannot pack {shown} for {target}: {}", problems.join("; "));
        }
        binaries.push((*target, name, facts, contents));
    }
    let directory = &options.directory;
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot create the directory {}", directory.display()))?;
    // The best compression takes seconds; one thread for each.
    let packed = std::thread::scope(|scope| {
        let packing: Vec<_> = (binaries.iter())
            .map(|(target, name, facts, contents)| {
                scope.spawn(move || match name {
                    Some(name) => pack_function(name, *target, facts, contents, directory),
                    None => pack(*target, facts, contents, directory),
                })
            })
            .collect();
        packing
            .into_iter()
            .map(|packing| packing.join().unwrap_or_else(|_| bail!("packing panicked")))
            .collect::<anyhow::Result<Vec<_>>>()
    })?;
    Ok(Summary { packed })
}

fn pack(
    target: Target,
    facts: &Facts,
    contents: &[u8],
    directory: &Path,
) -> anyhow::Result<Packed> {
    let mut artefacts = Vec::new();
    for form in target.forms() {
        let name = format!("extension-{target}.{form}");
        let bytes = form.write(contents)?;
        artefacts.push(artefact(name, *form, &bytes, directory)?);
    }
    Ok(Packed {
        target: target.to_string(),
        binary: facts.clone(),
        artefacts,
    })
}

fn pack_function(
    name: &str,
    target: Target,
    facts: &Facts,
    contents: &[u8],
    directory: &Path,
) -> anyhow::Result<Packed> {
    let bytes = archive::function(contents).context("cannot write the zip")?;
    let name = format!("{name}-{target}.zip");
    Ok(Packed {
        target: target.to_string(),
        binary: facts.clone(),
        artefacts: vec![artefact(name, Form::Zip, &bytes, directory)?],
    })
}

/// Writes it, with its checksum beside it.
fn artefact(name: String, form: Form, bytes: &[u8], directory: &Path) -> anyhow::Result<Artefact> {
    let sha256 = sha256(bytes);
    put(directory, &name, bytes)?;
    // As sha256sum --check reads it.
    put(
        directory,
        &format!("{name}.sha256"),
        format!("{sha256}  {name}\n").as_bytes(),
    )?;
    Ok(Artefact {
        bytes: bytes.len() as u64,
        entries: form.list(bytes)?,
        sha256,
        name,
    })
}

/// The checksum of these bytes, in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A String takes whatever is written to it.
        write!(text, "{byte:02x}").ok();
        text
    })
}

/// Puts a file in its place, whole or not at all.
fn put(directory: &Path, name: &str, contents: &[u8]) -> anyhow::Result<()> {
    let path = directory.join(name);
    files::put(&path, contents, Readers::All)
        .with_context(|| format!("cannot write {}", path.display()))
}
