//! The journal of a run in S3: numbered objects that one after the other are the lines of a file.
//!
//! S3 appends to nothing: the last segment is written again with each batch of lines until it is large,
//! and then the next one begins. Invariants: an append is durable when it returns; each has a condition,
//! so that once another process has taken the run over nothing more is appended, and nothing changed;
//! whoever takes a run over first changes the last segment and begins the next one, which are the only
//! two objects that its former owner could write to. Must not: hold a lock of its own making.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use backstop_common::remote::{Bucket, Listed, Lock, Only, Put, RENEWED};
use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at};

use super::reader::parse;
use super::writer::{self, Waiting};
use super::{Entry, Run};
use crate::time::now;

/// A segment that is larger is not written again.
const LARGE: usize = 64 * 1024;
/// Segments that are read at the same time.
const AT_ONCE: usize = 16;

/// A run's segments, and the right to append to them.
#[derive(Debug)]
pub(super) struct Segments {
    bucket: Arc<Bucket>,
    run: String,
    lock: Lock,
    number: usize,
    /// All of the last segment.
    bytes: BytesMut,
    /// None before it is written for the first time.
    tag: Option<String>,
    is_lost: bool,
}

impl Segments {
    /// Begins a run with its header.
    pub(super) async fn create(
        bucket: &Arc<Bucket>,
        run: &str,
        lock: Lock,
        header: Vec<u8>,
    ) -> anyhow::Result<Self> {
        bucket.must_refuse(&lock_key(run), lock.writer()).await?;
        let mut segments = Self {
            bucket: Arc::clone(bucket),
            run: run.to_owned(),
            lock,
            number: 0,
            bytes: BytesMut::new(),
            tag: None,
            is_lost: false,
        };
        segments.append(&header).await?;
        Ok(segments)
    }

    /// Goes on with a run, and keeps its former owner from doing so.
    pub(super) async fn take_over(
        bucket: &Arc<Bucket>,
        run: &str,
        lock: Lock,
    ) -> anyhow::Result<(Run, Self)> {
        let listed = bucket.list(&format!("runs/{run}/")).await?;
        let read = read(bucket, run, listed).await?;
        let Some((number, last)) = read.last() else {
            bail!("run {run} stopped before it started: nothing was changed");
        };
        let mut segments = Self {
            bucket: Arc::clone(bucket),
            run: run.to_owned(),
            lock,
            number: *number,
            bytes: BytesMut::from(&last.0[..]),
            tag: Some(last.1.clone()),
            is_lost: false,
        };
        let entry = Entry::Taken {
            at: now(),
            by: segments.lock.owner().to_owned(),
            writer: segments.lock.writer().to_owned(),
        };
        let line = writer::line(&entry)?;
        segments.put(&line).await?;
        segments.next();
        segments.put(&line).await?;
        // As it is now that nobody else appends.
        let listed = bucket.list(&format!("runs/{run}/")).await?;
        let run = whole(bucket, run, listed).await?;
        let run = run.context("the journal was deleted while Backstop read it")?;
        Ok((run, segments))
    }

    /// Appends lines: they are durable when this returns.
    async fn append(&mut self, lines: &[u8]) -> anyhow::Result<()> {
        if self.tag.is_some() && self.bytes.len() + lines.len() > LARGE {
            self.next();
        }
        self.put(lines).await
    }

    fn next(&mut self) {
        self.number += 1;
        self.bytes.clear();
        self.tag = None;
    }

    async fn put(&mut self, lines: &[u8]) -> anyhow::Result<()> {
        let lost = || {
            format!(
                "another process has taken over run {}: `backstop runs {0}` shows its progress",
                self.run
            )
        };
        if self.is_lost {
            bail!(lost());
        }
        let only = match &self.tag {
            Some(tag) => Only::IfTag(tag),
            None => Only::IfAbsent,
        };
        self.bytes.extend_from_slice(lines);
        let bytes = Bytes::copy_from_slice(&self.bytes);
        let key = key(&self.run, self.number);
        match (self.bucket.put(&key, &bytes, only, self.lock.writer())).await? {
            Put::Made(tag) => {
                self.tag = Some(tag);
                Ok(())
            }
            Put::Refused => {
                let lost = lost();
                self.is_lost = true;
                bail!(lost)
            }
        }
    }

    /// Appends what comes, many lines at a time, until nothing more can come.
    pub(super) async fn write(mut self, mut waiting: mpsc::Receiver<Waiting>) {
        let mut renewal = interval_at(Instant::now() + RENEWED, RENEWED);
        loop {
            tokio::select! {
                first = waiting.recv() => {
                    let Some(first) = first else { break };
                    let (lines, writers) = writer::together(first, &mut waiting);
                    let outcome = self.append(&lines).await;
                    writer::tell(writers, &outcome.map_err(|error| format!("{error:#}")));
                }
                // Where it cannot be renewed for a while it is still this process's, unless somebody
                // takes it: then the next append is refused.
                _ = renewal.tick() => self.is_lost |= matches!(self.lock.renew().await, Ok(false)),
            }
        }
        self.lock.release().await;
    }
}

/// A segment's bytes and tag.
type Segment = (Bytes, String);

/// The segments of a run, each with its number.
async fn read(
    bucket: &Bucket,
    run: &str,
    listed: Vec<Listed>,
) -> anyhow::Result<Vec<(usize, Segment)>> {
    let prefix = format!("runs/{run}/");
    let mut numbered: Vec<(usize, Listed)> = (listed.into_iter())
        .filter_map(|listed| {
            let name = listed.key.strip_prefix(&prefix)?.strip_suffix(".jsonl")?;
            Some((name.parse().ok()?, listed))
        })
        .collect();
    numbered.sort_by_key(|(number, _)| *number);
    if let Some((missing, _)) = (0..).zip(&numbered).find(|(at, (number, _))| at != number) {
        bail!(
            "{} is missing: restore it, or move the run's other files away; Backstop then ignores \
             the run",
            bucket.shown(&key(run, missing))
        );
    }
    let reading = numbered.into_iter().map(|(number, listed)| async move {
        let object = bucket.read(&listed).await?;
        let object =
            object.with_context(|| format!("{} was deleted", bucket.shown(&listed.key)))?;
        anyhow::Ok((number, (object.bytes, object.tag)))
    });
    stream::iter(reading).buffered(AT_ONCE).try_collect().await
}

/// A run of what was listed; none where it was cut off before it began.
pub(super) async fn whole<P: DeserializeOwned>(
    bucket: &Bucket,
    run: &str,
    listed: Vec<Listed>,
) -> anyhow::Result<Option<Run<P>>> {
    let segments = read(bucket, run, listed).await?;
    let segments = segments.into_iter().map(|(_, (bytes, _))| bytes).collect();
    Ok(parse(run, Joined(segments))?.map(|(run, _)| run))
}

/// Segments as the one file that they are.
struct Joined(VecDeque<Bytes>);

impl Read for Joined {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Joined {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.0.front().is_some_and(Bytes::is_empty) {
            self.0.pop_front();
        }
        Ok(self.0.front().map_or(&[], |segment| segment))
    }

    fn consume(&mut self, read: usize) {
        if let Some(segment) = self.0.front_mut() {
            segment.advance(read);
        }
    }
}

/// Takes the lock of a run, or says who has it.
pub(super) async fn lock(
    bucket: &Arc<Bucket>,
    run: &str,
    alive: Option<PathBuf>,
) -> anyhow::Result<Lock> {
    Lock::take(bucket, lock_key(run), &format!("run {run}"), alive).await
}

fn lock_key(run: &str) -> String {
    format!("runs/{run}/lock.json")
}

fn key(run: &str, number: usize) -> String {
    format!("runs/{run}/{number:06}.jsonl")
}
