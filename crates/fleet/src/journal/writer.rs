//! Entries on their way to where they last.
//!
//! Many functions are changed at a time: entries that wait for the disk, or for S3, are written
//! together, with one sync, or one request, for all of them. Invariant: an entry is durable when the
//! call that wrote it returns.

use std::fs::File;
use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::segments::Segments;
use super::{Entry, Step};
use crate::time::now;

const WAITING: usize = 256;
/// How long to wait for the end.
const CLOSED: Duration = Duration::from_secs(10);

/// A line, and who waits for it.
pub(super) type Waiting = (Vec<u8>, oneshot::Sender<Result<(), String>>);

/// The journal of a run, open for writing.
#[derive(Debug)]
pub struct Journal {
    /// The run's id.
    pub run: String,
    lines: mpsc::Sender<Waiting>,
    task: JoinHandle<()>,
}

impl Journal {
    /// Goes on in an open file, which is at its end.
    #[expect(
        clippy::disallowed_methods,
        reason = "the process is to wait until the journal is on disk"
    )]
    pub(super) fn in_file(run: String, file: File) -> Self {
        let (lines, waiting) = mpsc::channel(WAITING);
        let task = tokio::task::spawn_blocking(move || write(file, waiting));
        Self { run, lines, task }
    }

    /// Goes on in S3.
    pub(super) fn in_segments(run: String, segments: Segments) -> Self {
        let (lines, waiting) = mpsc::channel(WAITING);
        let task = tokio::spawn(segments.write(waiting));
        Self { run, lines, task }
    }

    /// Lets others go on with the run.
    pub async fn close(self) {
        drop(self.lines);
        // It ends when all is written; where it panicked, whoever waited for a line was told. S3 may not
        // answer: what was not written was not waited for.
        tokio::time::timeout(CLOSED, self.task).await.ok();
    }

    /// A write is about to be made: it is known to be durable when this returns.
    pub async fn begin(&self, step: Step) -> anyhow::Result<()> {
        self.append(&Entry::Begin { at: now(), step }).await
    }

    /// The write was made.
    pub async fn done(&self, key: &str) -> anyhow::Result<()> {
        self.append(&Entry::Done {
            at: now(),
            key: key.to_owned(),
            version: None,
        })
        .await
    }

    /// A version was published.
    pub async fn published(&self, key: &str, version: &str) -> anyhow::Result<()> {
        self.append(&Entry::Done {
            at: now(),
            key: key.to_owned(),
            version: Some(version.to_owned()),
        })
        .await
    }

    /// The write was surely not made.
    pub async fn not_done(&self, key: &str, reason: &str) -> anyhow::Result<()> {
        let (at, key, reason) = (now(), key.to_owned(), reason.to_owned());
        self.append(&Entry::NotDone { at, key, reason }).await
    }

    /// The write may have been made.
    pub async fn failed(&self, key: &str, reason: &str) -> anyhow::Result<()> {
        let (at, key, reason) = (now(), key.to_owned(), reason.to_owned());
        self.append(&Entry::Failed { at, key, reason }).await
    }

    async fn append(&self, entry: &Entry) -> anyhow::Result<()> {
        let problem = "cannot write the journal, so nothing more was changed";
        let line = line(entry).context(problem)?;
        let (written, outcome) = oneshot::channel();
        self.lines.send((line, written)).await.context(problem)?;
        let outcome = outcome.await.context(problem)?;
        outcome.map_err(|error| anyhow::anyhow!("{problem}: {error}"))
    }
}

/// An entry as a line.
pub(super) fn line(entry: &impl serde::Serialize) -> anyhow::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    Ok(line)
}

/// The lines that wait, and who waits for them.
pub(super) fn together(
    first: Waiting,
    waiting: &mut mpsc::Receiver<Waiting>,
) -> (Vec<u8>, Vec<oneshot::Sender<Result<(), String>>>) {
    let (mut lines, first) = first;
    let mut writers = vec![first];
    while let Ok((line, written)) = waiting.try_recv() {
        lines.extend(line);
        writers.push(written);
    }
    (lines, writers)
}

/// Tells all of them how it went.
pub(super) fn tell(
    writers: Vec<oneshot::Sender<Result<(), String>>>,
    outcome: &Result<(), String>,
) {
    for written in writers {
        // The caller may have stopped waiting.
        written.send(outcome.clone()).ok();
    }
}

fn write(mut file: File, mut waiting: mpsc::Receiver<Waiting>) {
    while let Some(first) = waiting.blocking_recv() {
        let (lines, writers) = together(first, &mut waiting);
        let outcome = (file.write_all(&lines))
            .and_then(|()| file.sync_data())
            .map_err(|error| error.to_string());
        tell(writers, &outcome);
    }
}
