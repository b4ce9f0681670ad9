//! What is shipped, as `scripts/package` left it: what is in it, what it may cost, and that it runs.
//!
//! `BACKSTOP_DIST` says where the artefacts are (`dist` in the checkout). The architecture that is not
//! this machine's runs under the emulator that `BACKSTOP_QEMU` names, with its arguments.
//!
//! Sizes and counts are asserted, and printed. Times are not: `scripts/bench` has them.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod artefacts;
mod budgets;
mod runs;

use std::fs::{self, Permissions};
use std::io::{Cursor, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// As Lambda calls them.
const ARCHITECTURES: [&str; 2] = ["x86_64", "arm64"];
const HERE: &str = if cfg!(target_arch = "x86_64") {
    "x86_64"
} else {
    "arm64"
};

#[track_caller]
fn read(name: &str) -> Vec<u8> {
    let dist = std::env::var_os("BACKSTOP_DIST").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist"),
        PathBuf::from,
    );
    let path = dist.join(name);
    fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}: run scripts/package", path.display()))
}

/// What is in a layer: paths, modes, contents.
#[track_caller]
fn unzipped(architecture: &str) -> Vec<(String, u32, Vec<u8>)> {
    let archive = read(&format!("extension-{architecture}.zip"));
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
    (0..archive.len())
        .map(|index| {
            let mut file = archive.by_index(index).unwrap();
            let mut contents = Vec::new();
            file.read_to_end(&mut contents).unwrap();
            let path = file.name().unwrap().into_owned();
            (path, file.unix_mode().unwrap(), contents)
        })
        .collect()
}

/// A layer unpacked as Lambda does, and how its extension is run.
#[derive(Debug)]
struct Opt {
    _directory: TempDir,
    extension: PathBuf,
}

impl Opt {
    /// For another machine's architecture an emulator runs it.
    #[track_caller]
    fn of(architecture: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let mut extension = PathBuf::new();
        for (path, mode, contents) in unzipped(architecture) {
            let path = directory.path().join(path);
            if contents.is_empty() {
                fs::create_dir(&path).unwrap();
            } else {
                fs::write(&path, contents).unwrap();
                extension.clone_from(&path);
            }
            fs::set_permissions(&path, Permissions::from_mode(mode & 0o777)).unwrap();
        }
        if architecture != HERE {
            let emulator = std::env::var("BACKSTOP_QEMU").unwrap_or_else(|_| {
                panic!("BACKSTOP_QEMU names no emulator for {architecture}: scripts/test does")
            });
            let command = format!("{emulator} '{}'", extension.display());
            extension = script(directory.path(), &command);
        }
        Self {
            _directory: directory,
            extension,
        }
    }
}

/// A script that becomes this command. Lambda knows an extension by its file's name: it has that.
fn script(directory: &Path, command: &str) -> PathBuf {
    let path = directory.join("backstop-extension");
    fs::write(&path, format!("#!/bin/sh\nexec {command} \"$@\"\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path
}
