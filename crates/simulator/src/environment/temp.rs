//! The environment's `/tmp`: private, so that environments side by side never see each other's files.
//!
//! Invariant: a directory that was made here goes with its environment, one that was given stays.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{SimulationError, start};

/// A directory for temporary files.
#[derive(Debug)]
pub(super) enum TempDirectory {
    Own(TempDir),
    Given(PathBuf),
}

impl TempDirectory {
    /// The one that was given, or a new one.
    pub(super) fn of(given: Option<&Path>) -> Result<Self, SimulationError> {
        if let Some(directory) = given {
            return Ok(Self::Given(directory.to_owned()));
        }
        tempfile::Builder::new()
            .prefix("backstop-simulator-tmp-")
            .tempdir()
            .map(Self::Own)
            .map_err(start("the environment's temporary directory"))
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Own(directory) => directory.path(),
            Self::Given(directory) => directory,
        }
    }
}
