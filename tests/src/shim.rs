//! What a sandbox may refuse a process, played by a library that is loaded before the C library.
//!
//! Real limits of threads are by user and do not hold for root, which is who tests often run as; and no
//! test can have the machine's resolver fall silent. Needs `cc`, which links this test too, and an
//! extension that is linked dynamically: the layer's own is not.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use backstop_simulator::EnvironmentBuilder;
use tempfile::TempDir;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/shim/shim.c");

/// What the system refuses while a [`Shim`] says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Threads,
    Descriptors,
}

/// The library, for one environment.
#[derive(Debug)]
pub struct Shim(TempDir);

impl Shim {
    /// `None` where it cannot be loaded into the extension under test.
    pub fn new() -> Option<Self> {
        if std::env::var_os("BACKSTOP_EXTENSION").is_some() {
            return None;
        }
        library()?;
        TempDir::new().ok().map(Self)
    }

    /// The environment with the library in front of the extension's own.
    pub fn load(&self, environment: EnvironmentBuilder) -> EnvironmentBuilder {
        let library = library().unwrap_or(Path::new("")).display().to_string();
        environment
            .env("LD_PRELOAD", library)
            .env("SHIM_DIRECTORY", self.0.path().display().to_string())
    }

    /// From now on the system refuses this, or not any more.
    pub fn refuse(&self, what: Refused, refuse: bool) {
        let path = self.0.path().join(match what {
            Refused::Threads => "threads",
            Refused::Descriptors => "descriptors",
        });
        if refuse {
            std::fs::write(path, "").ok();
        } else {
            std::fs::remove_file(path).ok();
        }
    }
}

/// Built once for all tests of a process.
fn library() -> Option<&'static Path> {
    static LIBRARY: OnceLock<Option<(TempDir, PathBuf)>> = OnceLock::new();
    let built = LIBRARY.get_or_init(|| {
        let directory = TempDir::new().ok()?;
        let path = directory.path().join("shim.so");
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&path)
            .arg(SOURCE)
            .arg("-ldl")
            .status();
        status.ok()?.success().then_some((directory, path))
    });
    built.as_ref().map(|(_, path)| path.as_path())
}
