//! The directory that holds the runs.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{BufRead as _, BufReader, ErrorKind, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use aws_smithy_types::date_time::{DateTime, Format};

use super::{Entry, Header, Journal, Progress, now};
use crate::parsing;
use crate::plan::Plan;

const SCHEMA_VERSION: u32 = 1;
const EXTENSION: &str = "jsonl";

/// Where runs are kept.
#[derive(Debug, Clone)]
pub struct Store(PathBuf);

/// A run, as far as it came.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its first line.
    pub header: Header,
    /// What became of each step.
    pub progress: Progress,
}

impl Store {
    /// In the directory that is named, or where the system keeps such things.
    pub fn open(named: Option<&Path>) -> anyhow::Result<Self> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let directory = match (named, set("XDG_STATE_HOME"), set("HOME")) {
            (Some(named), ..) => named.to_owned(),
            (None, Some(state), _) => Path::new(&state).join("backstop"),
            (None, None, Some(home)) => Path::new(&home).join(".local/state/backstop"),
            (None, None, None) => bail!("there is no HOME: give --state-dir"),
        };
        Ok(Self(directory.join("runs")))
    }

    /// Where a file is kept that can be made again.
    pub fn cache(&self, name: &str) -> PathBuf {
        self.0.with_file_name(name)
    }

    /// The runs' ids, the oldest first.
    pub fn ids(&self) -> anyhow::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(error).with_context(|| format!("{} cannot be read", self.0.display()));
            }
        };
        let mut ids = Vec::new();
        for entry in entries {
            let path = entry
                .with_context(|| format!("{} cannot be read", self.0.display()))?
                .path();
            if path.extension().is_some_and(|it| it == EXTENSION) {
                ids.extend(path.file_stem().map(|it| it.to_string_lossy().into_owned()));
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// Begins a run.
    pub fn create(&self, plan: Plan) -> anyhow::Result<Journal> {
        let problem = format!("{} cannot be written", self.0.display());
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)
            .with_context(|| problem.clone())?;
        let (run, mut file) = self.named().with_context(|| problem.clone())?;
        file.try_lock().with_context(|| problem.clone())?;
        let header = Header {
            schema_version: SCHEMA_VERSION,
            run: run.clone(),
            started_at: now(),
            release: env!("CARGO_PKG_VERSION").to_owned(),
            plan,
        };
        let mut line = serde_json::to_vec(&header)?;
        line.push(b'\n');
        file.write_all(&line)
            .and_then(|()| file.sync_all())
            // The file's name has to be on disk too.
            .and_then(|()| File::open(&self.0)?.sync_all())
            .with_context(|| problem)?;
        Ok(Journal::new(run, file))
    }

    /// A new file. Runs are named after the moment, so that their names are in the order in which they were
    /// begun.
    fn named(&self) -> std::io::Result<(String, File)> {
        loop {
            let now = DateTime::from(SystemTime::now());
            let text = now.fmt(Format::DateTime).map_err(std::io::Error::other)?;
            let digits: String = text.chars().filter(char::is_ascii_digit).take(14).collect();
            let (day, time) = digits.split_at(8);
            let run = format!("{day}-{time}-{:06}", now.subsec_nanos() / 1000);
            let path = self.0.join(&run).with_extension(EXTENSION);
            let mut options = OpenOptions::new();
            match options.write(true).create_new(true).mode(0o600).open(path) {
                Ok(file) => return Ok((run, file)),
                // Another one was begun in this microsecond.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Goes on with a run: nobody else can meanwhile.
    pub fn resume(&self, id: &str) -> anyhow::Result<(Run, Journal)> {
        let (path, problem) = self.path(id)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .with_context(|| self.unknown(id))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("run {id} is under way in another process"),
            Err(TryLockError::Error(error)) => return Err(error).context(problem),
        }
        let (run, whole) = Self::parse(id, &file)?;
        // What was cut off was followed by nothing.
        file.set_len(whole)
            .and_then(|()| file.seek(SeekFrom::End(0)))
            .with_context(|| problem)?;
        Ok((run, Journal::new(id.to_owned(), file)))
    }

    /// A run, whether it is under way or not.
    pub fn read(&self, id: &str) -> anyhow::Result<Run> {
        let (path, _) = self.path(id)?;
        let file = File::open(path).with_context(|| self.unknown(id))?;
        Ok(Self::parse(id, &file)?.0)
    }

    /// The run, and how many bytes of the file are whole lines.
    fn parse(id: &str, file: &File) -> anyhow::Result<(Run, u64)> {
        let mut reader = BufReader::new(file);
        let mut whole = 0;
        let mut line = Vec::new();
        let mut next = |line: &mut Vec<u8>| -> std::io::Result<bool> {
            line.clear();
            let read = reader.read_until(b'\n', line)?;
            let is_whole = line.last() == Some(&b'\n');
            if is_whole {
                whole += read as u64;
            }
            Ok(is_whole)
        };
        let broken = |number: usize| {
            format!(
                "line {number} of the journal of run {id} is broken: mend it, or move it away and do without what \
                 it knows"
            )
        };
        if !next(&mut line).with_context(|| broken(1))? {
            bail!("run {id} was cut off before it began: nothing was changed");
        }
        let header: Header = serde_json::from_slice(&line)
            .map_err(parsing::json)
            .with_context(|| broken(1))?;
        if header.schema_version != SCHEMA_VERSION {
            bail!(
                "run {id} was written by release {}: use that one, or a newer one",
                header.release
            );
        }
        let mut progress = Progress::default();
        let mut number = 2;
        while next(&mut line).with_context(|| broken(number))? {
            let entry: Entry = serde_json::from_slice(&line)
                .map_err(parsing::json)
                .with_context(|| broken(number))?;
            progress.add(entry);
            number += 1;
        }
        Ok((Run { header, progress }, whole))
    }

    fn path(&self, id: &str) -> anyhow::Result<(PathBuf, String)> {
        let is_name = id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if id.is_empty() || !is_name {
            bail!("`{id}` is no id of a run: `backstop runs` lists them");
        }
        let path = self.0.join(id).with_extension(EXTENSION);
        let problem = format!("{} cannot be written", path.display());
        Ok((path, problem))
    }

    fn unknown(&self, id: &str) -> String {
        format!(
            "there is no run {id} in {}: `backstop runs` lists them",
            self.0.display()
        )
    }
}
