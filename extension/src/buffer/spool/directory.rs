//! The spool's directory: where its files are opened, and where what is not ours is turned away.
//!
//! `/tmp` belongs to the function as well, and outside Lambda to everybody. Invariants: a link, a pipe or a
//! file of another user under our name is never read, written or removed; nothing is done in a directory that
//! others can enter or that is a link. An open file says nothing of its name: [`SpoolDirectory::finds`] looks.
//! A directory that others can enter is made private if it is ours: if it was private when it was last looked
//! at, or has a file that only we write. That tells it from one of the function's that has the same name.

use std::cell::RefCell;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::{frame, ledger_file};

const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;
const NOT_PRIVATE: &str = "its directory is not a private one of this user";

/// A directory of our own, 0700, in which files are 0600.
#[derive(Debug)]
pub(super) struct SpoolDirectory {
    path: PathBuf,
    /// The one that was private when it was last looked at. While it is open, no other one has its inode.
    known: RefCell<Option<Known>>,
}

/// A directory that is open, and which one it is.
#[derive(Debug)]
struct Known {
    directory: File,
    device: u64,
    inode: u64,
}

impl Known {
    fn is(&self, metadata: &Metadata) -> bool {
        (self.device, self.inode) == (metadata.dev(), metadata.ino())
    }
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
            known: RefCell::default(),
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
        let metadata = fs::symlink_metadata(&self.path)?;
        let is_this_users = metadata.is_dir() && metadata.uid() == own_uid()?;
        let is_open = metadata.mode() & 0o077 != 0;
        let mut known = self.known.borrow_mut();
        let found = known.take().filter(|known| known.is(&metadata));
        if !is_this_users || (is_open && found.is_none() && !self.has_own_file()) {
            return Err(not_ours(NOT_PRIVATE));
        }
        let found = match found {
            Some(found) => found,
            None => match self.opened() {
                Ok(found) if found.is(&metadata) => found,
                // Nobody can look into it. What is done in it will say so.
                Err(_) if !is_open => return Ok(()),
                Ok(_) | Err(_) => return Err(not_ours(NOT_PRIVATE)),
            },
        };
        let found = known.insert(found);
        if metadata.mode() & 0o777 != DIRECTORY_MODE {
            // Somebody changed who may use it, as with `chmod -R 777 /tmp`.
            let mode = Permissions::from_mode(DIRECTORY_MODE);
            found.directory.set_permissions(mode)?;
        }
        Ok(())
    }

    fn opened(&self) -> io::Result<Known> {
        let directory = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW)
            .open(&self.path)?;
        let metadata = directory.metadata()?;
        Ok(Known {
            directory,
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }

    /// Whether a file is in it that begins as ours do.
    fn has_own_file(&self) -> bool {
        let begins = |(name, magic): (&str, &[u8; 8])| {
            let opened = OpenOptions::new()
                .read(true)
                .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
                .open(self.path.join(name));
            let Ok(mut file) = opened else { return false };
            let is_ours = file.metadata().and_then(|it| is_ours(&it));
            let mut begin = [0; 8];
            is_ours.unwrap_or(false) && file.read_exact(&mut begin).is_ok() && begin == *magic
        };
        begins((super::FILE, frame::MAGIC)) || begins((ledger_file::FILE, ledger_file::MAGIC))
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
