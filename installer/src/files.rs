//! Files that someone named: read whole, within a bound, and only where they are files.
//!
//! A pipe without a writer never ends and a device may be endless, so both are refused before they are
//! opened. A shell's `<(command)` is a pipe with a writer, at `/dev/fd/N`: that is read. Must not: quote
//! what is in a file.

use std::fs::{File, FileType};
use std::io::Read as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};

/// More than any file of settings, secrets or names has.
pub const SMALL: u64 = 16 * 1024 * 1024;
/// More than any plan, layer or binary has.
pub const LARGE: u64 = 1024 * 1024 * 1024;

/// A file's bytes, `most` of them at most.
pub fn bytes(path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let unreadable = || format!("{shown} cannot be read");
    let kind = std::fs::metadata(path)
        .with_context(unreadable)?
        .file_type();
    if let Some(what) = not_a_file(kind).filter(|_| !(kind.is_fifo() && is_descriptor(path))) {
        bail!("{shown} is {what}, not a file: give the path of a file");
    }
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(unreadable)?;
    let read = file.take(most + 1).read_to_end(&mut bytes);
    if read.with_context(unreadable)? as u64 > most {
        bail!(
            "{shown} has more than {} MiB: is it the right file?",
            most >> 20
        );
    }
    Ok(bytes)
}

/// The same as text.
pub fn text(path: &Path, most: u64) -> anyhow::Result<String> {
    String::from_utf8(bytes(path, most)?)
        // The error itself would quote the file.
        .map_err(|_| anyhow::anyhow!("{} cannot be read: it is not UTF-8 text", path.display()))
}

fn not_a_file(kind: FileType) -> Option<&'static str> {
    if kind.is_dir() {
        Some("a directory")
    } else if kind.is_fifo() {
        Some("a pipe")
    } else if kind.is_socket() {
        Some("a socket")
    } else if kind.is_file() {
        None
    } else {
        Some("a device")
    }
}

/// Whether it is one of this process's own descriptors, which a shell has opened.
fn is_descriptor(path: &Path) -> bool {
    ["/dev/fd", "/proc/self/fd", "/dev/stdin"]
        .iter()
        .any(|descriptors| path.starts_with(descriptors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_refused_and_what_is_too_long_is_cut_short() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        std::fs::write(&path, "hunter2\u{e9}").expect("it is written");
        assert_eq!(text(&path, 9).ok().as_deref(), Some("hunter2\u{e9}"));
        std::fs::write(&path, b"hunter2\xff").expect("it is written");
        for (path, most, expected) in [
            (
                path.as_path(),
                7,
                "file has more than 0 MiB: is it the right file?",
            ),
            (&path, 9, "file cannot be read: it is not UTF-8 text"),
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
}
