//! The spool's directory: where its files are opened, and where what is not ours is turned away.
//!
//! `/tmp` belongs to the function as well, and outside Lambda to everybody: a link, a pipe or a file
//! of somebody else under our name is never read or written.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A directory of our own, 0700, in which files are 0600.
#[derive(Debug)]
pub(super) struct Place {
    directory: PathBuf,
}

impl Place {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Opens a file that is there; `None` where it is not.
    pub(super) fn open(&self, name: &str) -> io::Result<Option<File>> {
        match fs::symlink_metadata(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            _ => self.check_directory()?,
        }
        match self.open_with(name, OpenOptions::new().read(true).write(true)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => file.map(Some),
        }
    }

    /// Opens a file, made where it is not there.
    pub(super) fn create(&self, name: &str) -> io::Result<File> {
        match DirBuilder::new().mode(0o700).create(&self.directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => self.check_directory()?,
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        self.open_with(name, &mut options)
    }

    /// Removes a file, whatever it is. That there is none is no error.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.directory.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    /// Puts a file in another's place.
    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.directory.join(from), self.directory.join(to))
    }

    fn open_with(&self, name: &str, options: &mut OpenOptions) -> io::Result<File> {
        // Without O_NONBLOCK, opening a pipe would wait for a writer for ever.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = options
            .mode(0o600)
            .custom_flags(flags)
            .open(self.directory.join(name))?;
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.nlink() != 1 || metadata.uid() != own_uid()? {
            return Err(not_ours("not a plain file of this user"));
        }
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "in use by another process",
            )),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn check_directory(&self) -> io::Result<()> {
        let metadata = fs::symlink_metadata(&self.directory)?;
        let for_others = metadata.mode() & 0o077;
        if metadata.is_dir() && for_others == 0 && metadata.uid() == own_uid()? {
            return Ok(());
        }
        Err(not_ours("its directory is not a private one of this user"))
    }
}

fn own_uid() -> io::Result<u32> {
    Ok(fs::metadata("/proc/self")?.uid())
}

fn not_ours(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, what)
}
