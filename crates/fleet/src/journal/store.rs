//! All runs: those of a directory, or those of a prefix in S3, with the same promises.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use aws_smithy_types::date_time::{DateTime, Format};
use backstop_common::remote::{Bucket, Listed, Only, Put};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use serde::de::DeserializeOwned;

use super::directory::Directory;
use super::reader::SCHEMA_VERSION;
use super::segments::{self, Segments};
use super::{Header, History, Journal, Location, Outline, Progress, writer};
use crate::aws::Access;
use crate::plan::Plan;
use crate::time::now;

/// Attempts at replacing what others replace as well.
const REPLACEMENTS: u32 = 5;
/// Who writes what is kept beside the runs.
const KEEPER: &str = "controller";
/// Runs that are read at the same time.
const AT_ONCE: usize = 8;

/// Where runs are kept.
#[derive(Debug, Clone)]
pub struct Store {
    /// How people write it.
    shown: String,
    kept: Kept,
    /// Of this machine: what can be made again, and which processes live.
    local: Option<PathBuf>,
    /// What the operator should know of it.
    pub warning: Option<String>,
}

#[derive(Debug, Clone)]
enum Kept {
    Directory(Directory),
    Bucket(Arc<Bucket>),
}

/// A run, as far as it came: with all of its plan, or with an [`Outline`] of it.
#[derive(Debug, Clone)]
pub struct Run<P = Plan> {
    /// Its first line.
    pub header: Header<P>,
    /// What became of each step.
    pub progress: Progress,
}

/// What is there under the name of a run.
#[derive(Debug)]
pub enum Found<P = Plan> {
    Run(Box<Run<P>>),
    /// One that was cut off before its header was whole: nothing was changed.
    NotBegun,
    /// It cannot be read, and why: nobody knows what it changed.
    Broken(anyhow::Error),
}

impl Store {
    /// In the place that is named, or where the system keeps such things.
    pub async fn open(
        named: Option<&Location>,
        access: &Access,
        kms_key: Option<String>,
    ) -> anyhow::Result<Self> {
        let usual = usual_directory();
        let directory = match named {
            Some(Location::Bucket { bucket, prefix }) => {
                access.check().await?;
                let client = access.s3().await?;
                let opened = Bucket::open(&client, bucket, prefix, kms_key).await;
                return Ok(Self {
                    shown: named.map(ToString::to_string).unwrap_or_default(),
                    kept: Kept::Bucket(Arc::new(opened?)),
                    local: usual,
                    warning: None,
                });
            }
            Some(Location::Directory(directory)) => directory.clone(),
            None => usual.context("HOME is not set: give --state")?,
        };
        let (kept, warning) = Directory::open(&directory)?;
        Ok(Self {
            shown: directory.display().to_string(),
            kept: Kept::Directory(kept),
            local: Some(directory),
            warning,
        })
    }

    /// How people write where it is.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether only this machine can read it.
    pub fn is_local(&self) -> bool {
        matches!(self.kept, Kept::Directory(_))
    }

    /// Where a file is kept that can be made again.
    pub fn cache(&self, name: &str) -> Option<PathBuf> {
        Some(self.local.as_ref()?.join(name))
    }

    /// Everything that is there, the oldest first. It fails only where nothing can be listed.
    pub async fn everything(&self) -> anyhow::Result<Vec<(String, Found)>> {
        let mut everything = Vec::new();
        (self.each(|id, found| everything.push((id, found)))).await?;
        Ok(everything)
    }

    /// Every run, the oldest first. One that cannot be read is an error: what it did would be taken for
    /// someone else's. One that was cut off before it began did nothing.
    pub async fn runs(&self) -> anyhow::Result<Vec<Run>> {
        all(self.readable().await?)
    }

    /// The same, without their functions.
    pub async fn outlines(&self) -> anyhow::Result<Vec<Run<Outline>>> {
        let mut runs = Vec::new();
        let broken = self.each_run(|run| runs.push(run)).await?;
        all((runs, broken))
    }

    /// Every run that can be read, and what is wrong with the others.
    pub async fn readable(&self) -> anyhow::Result<(Vec<Run>, Vec<anyhow::Error>)> {
        let mut runs = Vec::new();
        let broken = self.each_run(|run| runs.push(run)).await?;
        Ok((runs, broken))
    }

    /// What every run made of each function. One that cannot be read is an error, as for [`Self::runs`].
    pub async fn history(&self) -> anyhow::Result<History> {
        all(self.readable_history().await?)
    }

    /// What every run that can be read made of each function, and what is wrong with the others.
    pub async fn readable_history(&self) -> anyhow::Result<(History, Vec<anyhow::Error>)> {
        let mut history = History::default();
        let broken = self.each_run(|run| history.add(run)).await?;
        Ok((history.settled(), broken))
    }

    /// Hands over every run that can be read, and tells what is wrong with the others.
    async fn each_run<P: DeserializeOwned>(
        &self,
        mut take: impl FnMut(Run<P>),
    ) -> anyhow::Result<Vec<anyhow::Error>> {
        let mut broken = Vec::new();
        self.each(|_, found| match found {
            Found::Run(run) => take(*run),
            Found::NotBegun => {}
            Found::Broken(error) => broken.push(error),
        })
        .await?;
        Ok(broken)
    }

    /// Hands over what is there, the oldest first, one run at a time: each may be of a hundred thousand functions.
    async fn each<P: DeserializeOwned>(
        &self,
        mut take: impl FnMut(String, Found<P>),
    ) -> anyhow::Result<()> {
        let found = |read: anyhow::Result<Option<Run<P>>>| match read {
            Ok(Some(run)) => Found::Run(Box::new(run)),
            Ok(None) => Found::NotBegun,
            Err(error) => Found::Broken(error),
        };
        match &self.kept {
            Kept::Directory(directory) => {
                for id in directory.ids()? {
                    let read = directory.read(&id);
                    take(id, found(read));
                }
            }
            Kept::Bucket(bucket) => {
                let listed = by_run(bucket.list("runs/").await?);
                let all = listed.into_iter().map(|(id, listed)| async move {
                    let read = segments::whole(bucket, &id, listed).await;
                    (id, found(read))
                });
                let mut all = stream::iter(all).buffered(AT_ONCE);
                while let Some((id, found)) = all.next().await {
                    take(id, found);
                }
            }
        }
        Ok(())
    }

    /// Begins a run. Runs are named after the moment, so that their names are in the order in which they
    /// were begun.
    pub async fn create(&self, plan: &Plan) -> anyhow::Result<Journal> {
        loop {
            let run = name()?;
            let header = Header {
                schema_version: SCHEMA_VERSION,
                run: run.clone(),
                started_at: now(),
                release: env!("CARGO_PKG_VERSION").to_owned(),
                plan,
            };
            match &self.kept {
                Kept::Directory(directory) => {
                    if let Some(journal) = directory.create(&run, &header)? {
                        return Ok(journal);
                    }
                    // Another run started in this microsecond.
                }
                Kept::Bucket(bucket) => {
                    let lock = segments::lock(bucket, &run, self.alive()).await?;
                    let header = writer::line(&header)?;
                    let segments = Segments::create(bucket, &run, lock, header).await?;
                    return Ok(Journal::in_segments(run, segments));
                }
            }
        }
    }

    /// Goes on with a run: nobody else can meanwhile.
    pub async fn resume(&self, id: &str) -> anyhow::Result<(Run, Journal)> {
        check(id)?;
        match &self.kept {
            Kept::Directory(directory) => directory.resume(id),
            Kept::Bucket(bucket) => {
                self.listed(bucket, id).await?;
                let lock = segments::lock(bucket, id, self.alive()).await?;
                let (run, segments) = Segments::take_over(bucket, id, lock).await?;
                Ok((run, Journal::in_segments(id.to_owned(), segments)))
            }
        }
    }

    /// A run, in progress or not.
    pub async fn read(&self, id: &str) -> anyhow::Result<Run> {
        self.read_as(id).await
    }

    /// The same, without its functions.
    pub async fn outline(&self, id: &str) -> anyhow::Result<Run<Outline>> {
        self.read_as(id).await
    }

    async fn read_as<P: DeserializeOwned>(&self, id: &str) -> anyhow::Result<Run<P>> {
        check(id)?;
        let run = match &self.kept {
            Kept::Directory(directory) => directory.read(id)?,
            Kept::Bucket(bucket) => {
                segments::whole(bucket, id, self.listed(bucket, id).await?).await?
            }
        };
        run.with_context(|| format!("run {id} stopped before it started: nothing was changed"))
    }

    /// The objects of a run, or an error where there are none.
    async fn listed(&self, bucket: &Bucket, id: &str) -> anyhow::Result<Vec<Listed>> {
        let listed = bucket.list(&format!("runs/{id}/")).await?;
        if listed.is_empty() {
            bail!(unknown(id, &self.shown));
        }
        Ok(listed)
    }

    /// What is kept beside the runs under a name; none where there is nothing. Only in S3.
    pub async fn kept(&self, name: &str) -> anyhow::Result<Option<Bytes>> {
        match &self.kept {
            Kept::Directory(_) => Ok(None),
            Kept::Bucket(bucket) => Ok(bucket.get(name).await?.map(|object| object.bytes)),
        }
    }

    /// Keeps something beside the runs, in the place of what was there.
    pub async fn keep(&self, name: &str, bytes: Vec<u8>) -> anyhow::Result<()> {
        let Kept::Bucket(bucket) = &self.kept else {
            bail!(
                "{} is a directory: only S3 keeps more than runs",
                self.shown
            );
        };
        let bytes = Bytes::from(bytes);
        for _ in 0..REPLACEMENTS {
            let there = bucket.get(name).await?;
            let only = there
                .as_ref()
                .map_or(Only::IfAbsent, |it| Only::IfTag(&it.tag));
            if let Put::Made(_) = bucket.put(name, &bytes, only, KEEPER).await? {
                return Ok(());
            }
        }
        bail!("{} is written by too many at once", bucket.shown(name))
    }

    /// Where processes of this machine show that they live.
    fn alive(&self) -> Option<PathBuf> {
        Some(self.local.as_ref()?.join("alive"))
    }
}

/// What was read of all runs, where each could be read.
fn all<T>((read, broken): (T, Vec<anyhow::Error>)) -> anyhow::Result<T> {
    broken.into_iter().next().map_or(Ok(read), Err)
}

/// Where this machine keeps what outlives a command, unless something else is named.
pub fn usual_directory() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    match (set("XDG_STATE_HOME"), set("HOME")) {
        (Some(state), _) => Some(Path::new(&state).join("backstop")),
        (None, Some(home)) => Some(Path::new(&home).join(".local/state/backstop")),
        (None, None) => None,
    }
}

/// The objects of each run.
fn by_run(listed: Vec<Listed>) -> BTreeMap<String, Vec<Listed>> {
    let mut runs: BTreeMap<String, Vec<Listed>> = BTreeMap::new();
    for listed in listed {
        let id = (listed.key.strip_prefix("runs/")).and_then(|rest| rest.split_once('/'));
        if let Some(id) = id
            .map(|(id, _)| id.to_owned())
            .filter(|id| check(id).is_ok())
        {
            runs.entry(id).or_default().push(listed);
        }
    }
    runs
}

fn name() -> anyhow::Result<String> {
    let now = DateTime::from(SystemTime::now());
    let text = now.fmt(Format::DateTime)?;
    let digits: String = text.chars().filter(char::is_ascii_digit).take(14).collect();
    let (day, time) = digits.split_at(8);
    Ok(format!("{day}-{time}-{:06}", now.subsec_nanos() / 1000))
}

/// Fails where it names no run: what is typed becomes part of a path.
fn check(id: &str) -> anyhow::Result<()> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if id.is_empty() || !id.bytes().all(is_name) {
        bail!("`{id}` is not a run ID: `backstop runs` lists them");
    }
    Ok(())
}

/// The error for an unknown run.
pub(super) fn unknown(id: &str, shown: &str) -> String {
    format!(
        "{shown} has no run {id}: `backstop runs` lists its runs; for a run of another machine, \
         give the --state that it used"
    )
}
