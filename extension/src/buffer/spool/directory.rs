//! The spool's directory: where its files are opened, and where what is not ours is turned away.
//!
//! `/tmp` belongs to the function as well, and outside Lambda to everybody. Invariants: a link, a pipe or a
//! file of another user under our name is never read, written or removed; nothing is done in a directory that
//! others can enter or that is a link. An open file says nothing of its name: [`SpoolDirectory::finds`] looks.
//! A directory that was private once is made so again: that it is, is all that tells ours from one of the
//! function's that has the same name.

use std::cell::Cell;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;

/// A directory of our own, 0700, in which files are 0600.
#[derive(Debug)]
pub(super) struct SpoolDirectory {
    path: PathBuf,
    /// The device and the inode of the one that was private when it was last looked at.
    was_private: Cell<Option<(u64, u64)>>,
}

/// A file that is open and locked, and which one it is.
#[derive(Debug)]
pub(super) struct LockedFile {
    pub(super) file: File,
    device: u64,
    inode: u64,
}

impl SpoolDirectory {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            was_private: Cell::new(None),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a file that is there; `None` where it is not.
    pub(super) fn open(&self, name: &str) -> io::Result<Option<LockedFile>> {
        let opened = self
            .check_directory()
            .and_then(|()| self.open_with(name, OpenOptions::new().read(true).write(true)));
        none_if_missing(opened)
    }

    /// Opens a file, made where it is not there.
    pub(super) fn create(&self, name: &str) -> io::Result<LockedFile> {
        match DirBuilder::new().mode(DIRECTORY_MODE).create(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => self.check_directory()?,
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        self.open_with(name, &mut options)
    }

    /// How long the file is, where its name still leads to it and a later run would open it. The
    /// function may have removed, moved or replaced it, or its directory, at any moment.
    pub(super) fn finds(&self, name: &str, held: &LockedFile) -> Option<u64> {
        self.check_directory().ok()?;
        self.leads_to(name, held)
    }

    /// The same, with no look at the directory.
    pub(super) fn leads_to(&self, name: &str, held: &LockedFile) -> Option<u64> {
        let metadata = fs::symlink_metadata(self.path.join(name)).ok()?;
        let is_same = metadata.dev() == held.device && metadata.ino() == held.inode;
        if !is_same || !is_ours(&metadata).ok()? {
            return None;
        }
        if metadata.mode() & 0o777 != FILE_MODE {
            let mode = Permissions::from_mode(FILE_MODE);
            held.file.set_permissions(mode).ok()?;
        }
        Some(metadata.len())
    }

    /// Removes a file of ours that no other process holds. That there is none is not an error; anything
    /// else is left alone.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        let removed = self.check(name).and_then(|path| {
            let held = self.open_with(name, OpenOptions::new().read(true))?;
            fs::remove_file(path)?;
            drop(held);
            Ok(())
        });
        none_if_missing(removed).map(drop)
    }

    /// Puts a file of ours in another's place.
    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let from = self.check(from)?;
        none_if_missing(self.check(to))?;
        fs::rename(from, self.path.join(to))
    }

    /// The path of a file of ours.
    fn check(&self, name: &str) -> io::Result<PathBuf> {
        self.check_directory()?;
        let path = self.path.join(name);
        if is_ours(&fs::symlink_metadata(&path)?)? {
            return Ok(path);
        }
        Err(not_ours("not a plain file of this user"))
    }

    fn open_with(&self, name: &str, options: &mut OpenOptions) -> io::Result<LockedFile> {
        // Without O_NONBLOCK, opening a pipe would wait for a writer.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = options
            .mode(FILE_MODE)
            .custom_flags(flags)
            .open(self.path.join(name))?;
        let metadata = file.metadata()?;
        if !is_ours(&metadata)? {
            return Err(not_ours("not a plain file of this user"));
        }
        match file.try_lock() {
            Ok(()) => Ok(LockedFile {
                file,
                device: metadata.dev(),
                inode: metadata.ino(),
            }),
            Err(TryLockError::WouldBlock) => Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "in use by another process",
            )),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn check_directory(&self) -> io::Result<()> {
        let mut metadata = fs::symlink_metadata(&self.path)?;
        let is_this_users = metadata.is_dir() && metadata.uid() == own_uid()?;
        let is_open = |metadata: &Metadata| metadata.mode() & 0o077 != 0;
        let is = (metadata.dev(), metadata.ino());
        let is_known = self.was_private.get() == Some(is);
        let is_altered = metadata.mode() & 0o777 != DIRECTORY_MODE;
        if is_this_users && is_altered && (is_known || !is_open(&metadata)) {
            self.make_private();
            metadata = fs::symlink_metadata(&self.path)?;
        }
        if !is_this_users || is_open(&metadata) || (metadata.dev(), metadata.ino()) != is {
            return Err(not_ours("its directory is not a private one of this user"));
        }
        self.was_private.set(Some(is));
        Ok(())
    }

    /// The directory is ours and somebody changed who may use it, as with `chmod -R 777 /tmp`. Where this fails, what is
    /// done in it will say so.
    fn make_private(&self) {
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW)
            .open(&self.path);
        if let Ok(directory) = opened {
            let mode = Permissions::from_mode(DIRECTORY_MODE);
            drop(directory.set_permissions(mode));
        }
    }
}

fn none_if_missing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

/// A plain file of this user that has no other name.
fn is_ours(metadata: &Metadata) -> io::Result<bool> {
    Ok(metadata.is_file() && metadata.nlink() == 1 && metadata.uid() == own_uid()?)
}

fn own_uid() -> io::Result<u32> {
    static UID: OnceLock<u32> = OnceLock::new();
    if let Some(uid) = UID.get() {
        return Ok(*uid);
    }
    let uid = fs::metadata("/proc/self")?.uid();
    Ok(*UID.get_or_init(|| uid))
}

fn not_ours(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, what)
}
