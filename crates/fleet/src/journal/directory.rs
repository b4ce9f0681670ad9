//! Runs in a directory of this machine: one file each.
//!
//! Invariants: directories have mode 0700 and files 0600, whatever the umask says; what anyone may write
//! to is refused; a name is on disk before its run begins; one process writes a run at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, BufWriter, ErrorKind, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use serde::de::DeserializeOwned;

use super::reader::parse;
use super::store::unknown;
use super::{Header, Journal, Run};
use crate::files;
use crate::plan::Plan;

const EXTENSION: &str = "jsonl";

/// The directory `runs`.
#[derive(Debug, Clone)]
pub(super) struct Directory(PathBuf);

impl Directory {
    /// Below the directory of all state. Fails where anyone may write to either.
    pub(super) fn open(state: &Path) -> anyhow::Result<(Self, Option<String>)> {
        let runs = state.join("runs");
        let mut warning = None;
        for directory in [state, &runs] {
            let is_open = files::group_may_write(directory)
                .with_context(|| format!("{} holds the runs", directory.display()))?;
            if is_open && warning.is_none() {
                warning = Some(format!(
                    "Warning: the group of {0} can write to it, and so change what Backstop \
                     restores: run chmod g-w {0}",
                    directory.display()
                ));
            }
        }
        Ok((Self(runs), warning))
    }

    /// The runs' ids, the oldest first.
    pub(super) fn ids(&self) -> anyhow::Result<Vec<String>> {
        let problem = || format!("{} cannot be read", self.0.display());
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(problem),
        };
        let mut ids = Vec::new();
        for entry in entries {
            let path = entry.with_context(problem)?.path();
            if path.extension().is_some_and(|it| it == EXTENSION) {
                ids.extend(path.file_stem().map(|it| it.to_string_lossy().into_owned()));
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// Begins a run with its header; false where another one has its name.
    pub(super) fn create(
        &self,
        run: &str,
        header: &Header<&Plan>,
    ) -> anyhow::Result<Option<Journal>> {
        let problem = || format!("{} cannot be written", self.0.display());
        files::private_directory(&self.0).with_context(problem)?;
        let mut options = OpenOptions::new();
        let path = self.path(run);
        let opened = options.write(true).create_new(true).mode(0o600).open(path);
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(None),
            Err(error) => return Err(error).with_context(problem),
        };
        file.try_lock().with_context(problem)?;
        write_line(&file, header)
            .and_then(|()| file.sync_all())
            // The directory entry must be on disk too.
            .and_then(|()| File::open(&self.0)?.sync_all())
            .with_context(problem)?;
        Ok(Some(Journal::in_file(run.to_owned(), file)))
    }

    /// Goes on with a run: nobody else can meanwhile.
    pub(super) fn resume(&self, run: &str) -> anyhow::Result<(Run, Journal)> {
        let path = self.path(run);
        let problem = || format!("{} cannot be written", path.display());
        self.check(run)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .with_context(problem)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("run {run} is in progress in another process"),
            Err(TryLockError::Error(error)) => return Err(error).with_context(problem),
        }
        let Some((parsed, whole)) = parse(run, BufReader::new(&file))? else {
            bail!("run {run} stopped before it started: nothing was changed");
        };
        // What was cut off was followed by nothing.
        file.set_len(whole)
            .and_then(|()| file.seek(SeekFrom::End(0)))
            .with_context(problem)?;
        Ok((parsed, Journal::in_file(run.to_owned(), file)))
    }

    /// A run, in progress or not; none if it stopped before it started.
    pub(super) fn read<P: DeserializeOwned>(&self, run: &str) -> anyhow::Result<Option<Run<P>>> {
        self.check(run)?;
        let path = self.path(run);
        let file =
            File::open(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(parse(run, BufReader::new(file))?.map(|(run, _)| run))
    }

    /// Fails unless it is a file that only those can write who may.
    fn check(&self, run: &str) -> anyhow::Result<()> {
        let path = self.path(run);
        match files::regular(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                bail!(unknown(run, &self.0.display().to_string()))
            }
            Err(error) => {
                return Err(error).with_context(|| format!("{} is not a journal", path.display()));
            }
        }
        (files::group_may_write(&path))
            .with_context(|| format!("{} is not trusted", path.display()))?;
        Ok(())
    }

    fn path(&self, run: &str) -> PathBuf {
        self.0.join(run).with_extension(EXTENSION)
    }
}

/// Piece by piece: the plan may be of a hundred thousand functions.
fn write_line(file: &File, header: &Header<&Plan>) -> io::Result<()> {
    let mut line = BufWriter::new(file);
    serde_json::to_writer(&mut line, header)?;
    line.write_all(b"\n")?;
    line.flush()
}
