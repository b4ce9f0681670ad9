//! An object of an archive, as a listing shows it.

use std::path::PathBuf;

use backstop_archive::Moment;

/// An object in a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// Its key, or its path in a directory.
    pub key: String,
    /// Its bytes as they are stored.
    pub bytes: u64,
    /// When it was written last.
    pub written: Option<Moment>,
    /// What tells it from another one under its key.
    pub etag: Option<String>,
    /// Its storage class, where S3 names one.
    pub class: Option<String>,
    /// It is in an archive class of S3, and must be restored before it can be read.
    pub is_frozen: bool,
    /// Where it is in a directory, if it is there.
    pub(super) path: Option<PathBuf>,
}

impl Listed {
    /// An object that was listed elsewhere, such as one that a message names.
    pub fn named(key: String, bytes: u64, etag: Option<String>) -> Self {
        Self {
            key,
            bytes,
            etag,
            ..Self::default()
        }
    }
}

/// A part of a listing.
#[derive(Debug, Default)]
pub struct Page {
    /// Objects of the archive, in the order of their keys.
    pub objects: Vec<Listed>,
    /// Objects in the archive's folder that are not of the archive.
    pub outside: Vec<String>,
    /// Folders in which nothing is wanted: they were not listed.
    pub skipped: Vec<String>,
    /// Folders that could not be read, and why.
    pub unreadable: Vec<(String, String)>,
}
