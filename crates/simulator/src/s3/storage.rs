//! The bucket as a directory, for code behind the protocol.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tempfile::TempDir;
use uuid::Uuid;

use crate::error::SimulationError;

/// The bucket's directory: an object's key is its path below it.
#[derive(Debug)]
pub(crate) struct Storage {
    pub(super) bucket: PathBuf,
    pub(super) _own: Option<TempDir>,
}

impl Storage {
    /// Puts an object without a request, so that no reader ever sees half of it.
    pub(crate) fn put(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.bucket.join(key);
        let parent = path.parent().unwrap_or(&self.bucket);
        std::fs::create_dir_all(parent)?;
        // Outside the bucket, where no listing looks.
        let part = self
            .bucket
            .with_file_name(format!(".simulator-{}.part", Uuid::new_v4()));
        std::fs::write(&part, bytes)?;
        std::fs::rename(&part, &path)
    }

    pub(super) fn read(&self, key: &str) -> Result<Bytes, SimulationError> {
        let unreadable = |error: io::Error| SimulationError::Object {
            key: key.to_owned(),
            reason: error.to_string(),
        };
        std::fs::read(self.bucket.join(key))
            .map(Bytes::from)
            .map_err(unreadable)
    }

    pub(super) fn keys(&self) -> Result<Vec<String>, SimulationError> {
        let mut keys = Vec::new();
        walk(&self.bucket, &self.bucket, &mut keys).map_err(|error| SimulationError::Object {
            key: String::new(),
            reason: format!("the bucket cannot be listed: {error}"),
        })?;
        keys.sort();
        Ok(keys)
    }
}

fn walk(root: &Path, directory: &Path, keys: &mut Vec<String>) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(root, &path, keys)?;
        } else if let Ok(key) = path.strip_prefix(root) {
            keys.push(key.to_string_lossy().into_owned());
        }
    }
    Ok(())
}
