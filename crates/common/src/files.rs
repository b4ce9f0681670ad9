//! Files of the operator's: read whole, written whole, and never replaced by what they are not.
//!
//! Invariants: a reader takes regular files only and is bounded, so that no pipe or device makes it wait or
//! read without end; a shell's `<(command)` is a pipe with a writer, at `/dev/fd/N`. A writer replaces a
//! regular file at once or not at all, follows a symbolic link to it, and writes into a device or a pipe
//! instead of renaming over it. What is private is private whatever the umask says. Must not: quote what is in a file.

use std::fs::{self, DirBuilder, FileType, OpenOptions, Permissions};
use std::io::{self, Error, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// More than any file of settings, secrets or names has.
pub const SMALL: u64 = 16 * 1024 * 1024;
/// More than any plan, layer or binary has.
pub const LARGE: u64 = 1024 * 1024 * 1024;

const OWNER_ONLY: u32 = 0o600;
const READABLE: u32 = 0o644;
const OWNER_ONLY_DIRECTORY: u32 = 0o700;
const OTHERS_MAY_WRITE: u32 = 0o002;
const GROUP_MAY_WRITE: u32 = 0o020;

/// Who may read a file that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    Owner,
    All,
}

/// A file's bytes, `most` of them at most.
pub fn bytes(path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let unreadable = || format!("{shown} cannot be read");
    let kind = fs::metadata(path).with_context(unreadable)?.file_type();
    let is_taken = kind.is_file() || kind.is_fifo() && is_descriptor(path);
    if !is_taken {
        bail!(
            "{shown} is {}, not a file: give the path of a file",
            named(kind)
        );
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).with_context(unreadable)?;
    let read = file.take(most + 1).read_to_end(&mut bytes);
    if read.with_context(unreadable)? as u64 > most {
        bail!(
            "{shown} is larger than {} MiB: check that it is the right file",
            most >> 20
        );
    }
    Ok(bytes)
}

/// The same as text.
pub fn text(path: &Path, most: u64) -> anyhow::Result<String> {
    String::from_utf8(bytes(path, most)?)
        // The error itself would quote the file.
        .map_err(|_| {
            anyhow::anyhow!(
                "{} cannot be read: the file is not UTF-8 text",
                path.display()
            )
        })
}

/// Whether it is one of this process's own descriptors, which a shell has opened.
fn is_descriptor(path: &Path) -> bool {
    ["/dev/fd", "/proc/self/fd", "/dev/stdin"]
        .iter()
        .any(|descriptors| path.starts_with(descriptors))
}

/// Fails unless it is a regular file.
pub fn regular(path: &Path) -> io::Result<()> {
    let kind = fs::metadata(path)?.file_type();
    if kind.is_file() {
        Ok(())
    } else {
        Err(is_not_read(kind))
    }
}

fn is_not_read(kind: FileType) -> Error {
    let problem = format!(
        "it is {}: copy its content to a file, and give that file",
        named(kind)
    );
    Error::new(ErrorKind::InvalidInput, problem)
}

/// What people call it.
fn named(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

/// Puts a whole file there, or leaves what was there.
pub fn put(path: &Path, contents: &[u8], readers: Readers) -> io::Result<()> {
    // A link stays a link: what it leads to is written.
    let path = &followed(path)?;
    match fs::metadata(path) {
        Ok(there) if there.is_file() => {}
        Ok(there) if there.file_type().is_fifo() || there.file_type().is_char_device() => {
            return OpenOptions::new()
                .write(true)
                .open(path)?
                .write_all(contents);
        }
        Ok(there) => {
            let problem = format!(
                "it is {}: give the path of a file",
                named(there.file_type())
            );
            return Err(Error::new(ErrorKind::InvalidInput, problem));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mode = match readers {
        Readers::Owner => OWNER_ONLY,
        Readers::All => READABLE,
    };
    let mut file = tempfile::Builder::new()
        .prefix(".backstop-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(parent(path))?;
    file.write_all(contents)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Where a link leads, also one to a file that is not there yet.
fn followed(path: &Path) -> io::Result<PathBuf> {
    const MOST_LINKS: usize = 32;
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::symlink_metadata(&path) {
            // What the system makes up, such as /dev/stdout, leads to no path of a file.
            Ok(there) if there.is_symlink() && path.exists() && !path.is_file() => return Ok(path),
            Ok(there) if there.is_symlink() => path = parent(&path).join(fs::read_link(&path)?),
            _ => return Ok(path),
        }
    }
    Err(Error::other("it is a symbolic link that loops"))
}

/// The directory of a file.
pub fn parent(path: &Path) -> &Path {
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
    directory.unwrap_or(Path::new("."))
}

/// Makes a directory for its owner only, with those above it, whatever the umask says.
pub fn private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(OWNER_ONLY_DIRECTORY)
        .create(path)
}

/// Fails where anyone may write to what is there; says whether its group may.
pub fn group_may_write(path: &Path) -> io::Result<bool> {
    let there = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        there => there?,
    };
    if there.mode() & OTHERS_MAY_WRITE != 0 {
        let problem = format!(
            "every user can write to it, and could make Backstop change functions: run chmod go-w \
             {}",
            path.display()
        );
        return Err(Error::new(ErrorKind::PermissionDenied, problem));
    }
    Ok(there.mode() & GROUP_MAY_WRITE != 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn only_a_regular_file_is_replaced() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        let mode = |path: &Path| fs::metadata(path).expect("it is there").mode() & 0o777;

        put(&at("new"), b"one", Readers::Owner).expect("it is written");
        put(&at("new"), b"two", Readers::Owner).expect("it is replaced");
        assert_eq!(fs::read(at("new")).expect("it is there"), b"two");
        assert_eq!(mode(&at("new")), 0o600);

        symlink("new", at("link")).expect("a link");
        put(&at("link"), b"three", Readers::Owner).expect("it follows the link");
        assert_eq!(fs::read(at("new")).expect("it is there"), b"three");
        assert!(at("link").is_symlink());
        symlink("later", at("dangling")).expect("a link");
        put(&at("dangling"), b"four", Readers::Owner).expect("it follows the link");
        assert_eq!(fs::read(at("later")).expect("it is there"), b"four");
        symlink("circle", at("circle")).expect("a link");
        let circle = put(&at("circle"), b"", Readers::Owner).expect_err("a circle");
        assert!(circle.to_string().contains("loops"), "{circle}");

        let _socket = UnixListener::bind(at("socket")).expect("a socket");
        for (path, expected) in [
            (at("socket"), "it is a socket: give the path of a file"),
            (
                directory.path().to_owned(),
                "it is a directory: give the path of a file",
            ),
        ] {
            let refused = put(&path, b"", Readers::Owner).expect_err(expected);
            assert_eq!(refused.to_string(), expected);
        }

        // A device takes what is written, and stays a device.
        symlink("/dev/null", at("null")).expect("a link");
        for path in [Path::new("/dev/null"), &at("null")] {
            put(path, b"five", Readers::Owner).expect("it takes everything");
        }
        let null = fs::metadata("/dev/null").expect("it is there");
        assert!(null.file_type().is_char_device());
    }

    #[test]
    fn what_is_no_file_is_refused_and_what_is_too_long_is_cut_short() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        fs::write(&path, "hunter2\u{e9}").expect("it is written");
        assert_eq!(text(&path, 9).ok().as_deref(), Some("hunter2\u{e9}"));
        fs::write(&path, b"hunter2\xff").expect("it is written");
        for (path, most, expected) in [
            (
                path.as_path(),
                7,
                "file is larger than 0 MiB: check that it is the right file",
            ),
            (&path, 9, "file cannot be read: the file is not UTF-8 text"),
            (
                directory.path(),
                9,
                "is a directory, not a file: give the path of a file",
            ),
            (
                Path::new("/dev/zero"),
                9,
                "/dev/zero is a device, not a file: give the path of a file",
            ),
            (
                Path::new("/nonexistent"),
                9,
                "/nonexistent cannot be read: No such file or directory (os error 2)",
            ),
        ] {
            let error = format!("{:#}", text(path, most).expect_err("it is not text"));
            assert!(
                error.ends_with(expected) && !error.contains("hunter2"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_directory_that_anyone_may_write_to_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a/b");
        private_directory(&path).expect("it is made");
        for path in [&path, parent(&path)] {
            let mode = fs::metadata(path).expect("it is there").mode() & 0o777;
            assert_eq!(mode, 0o700, "{}", path.display());
        }
        for (mode, expected) in [(0o700, Some(false)), (0o770, Some(true)), (0o707, None)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("it is ours");
            assert_eq!(group_may_write(&path).ok(), expected, "{mode:o}");
        }
        assert!(matches!(group_may_write(&path.join("absent")), Ok(false)));
    }
}
