//! A checkpoint in a file, which this process has locked as long as it lives.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{BufReader, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use backstop_common::files;

#[derive(Debug)]
pub(super) struct FileLog {
    file: File,
    path: PathBuf,
}

impl FileLog {
    /// The file and what is in it; the system frees the lock when the process ends, however it ends.
    pub(super) fn open(path: &Path) -> anyhow::Result<(Self, BufReader<File>)> {
        let shown = path.display();
        let unopened =
            || format!("the checkpoint {shown} cannot be opened: name another checkpoint");
        files::private_directory(files::parent(path)).with_context(unopened)?;
        if path.exists() {
            files::regular(path).with_context(unopened)?;
        }
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).mode(0o600);
        let file = options.open(path).with_context(unopened)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "another replay is using the checkpoint {shown}: wait for it to end, or name another \
                 checkpoint if it has another selection"
            ),
            Err(TryLockError::Error(error)) => return Err(error).with_context(unopened),
        }
        let text = BufReader::new(file.try_clone().with_context(unopened)?);
        let path = path.to_owned();
        Ok((Self { file, path }, text))
    }

    pub(super) fn append(&mut self, lines: &[u8]) -> anyhow::Result<()> {
        self.file.write_all(lines).with_context(|| {
            format!(
                "the checkpoint {} cannot be written, so nothing more is sent: free space on its \
                 disk, then resume the replay",
                self.path.display()
            )
        })
    }

    pub(super) fn truncate(&mut self, length: u64) -> anyhow::Result<()> {
        (self.file.set_len(length))
            .and_then(|()| self.file.seek(SeekFrom::Start(length)))
            .with_context(|| format!("the checkpoint {} cannot be written", self.path.display()))?;
        Ok(())
    }

    pub(super) fn remove(&mut self) {
        // One that stays says that nothing is left.
        fs::remove_file(&self.path).ok();
    }
}
