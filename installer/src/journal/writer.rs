//! Entries on their way to the disk.
//!
//! Many functions are changed at a time: entries that wait for the disk are written together, with
//! one sync for all of them.

use std::fs::File;
use std::io::Write as _;

use anyhow::Context as _;
use tokio::sync::{mpsc, oneshot};

use super::{Entry, Step, now};

const WAITING: usize = 256;

type Waiting = (Vec<u8>, oneshot::Sender<Result<(), String>>);

/// The journal of a run, open for writing.
#[derive(Debug, Clone)]
pub struct Journal {
    /// The run's id.
    pub run: String,
    lines: mpsc::Sender<Waiting>,
}

impl Journal {
    /// Goes on in an open file, which is at its end.
    #[expect(
        clippy::disallowed_methods,
        reason = "the process is to wait until the journal is on disk"
    )]
    pub(super) fn new(run: String, file: File) -> Self {
        let (lines, waiting) = mpsc::channel(WAITING);
        tokio::task::spawn_blocking(move || write(file, waiting));
        Self { run, lines }
    }

    /// A write is about to be made: it is known on disk when this returns.
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
        let problem = "the journal cannot be written, and nothing is changed without it";
        let mut line = serde_json::to_vec(entry).context(problem)?;
        line.push(b'\n');
        let (written, outcome) = oneshot::channel();
        self.lines.send((line, written)).await.context(problem)?;
        let outcome = outcome.await.context(problem)?;
        outcome.map_err(|error| anyhow::anyhow!("{problem}: {error}"))
    }
}

fn write(mut file: File, mut waiting: mpsc::Receiver<Waiting>) {
    while let Some((mut lines, first)) = waiting.blocking_recv() {
        let mut writers = vec![first];
        while let Ok((line, written)) = waiting.try_recv() {
            lines.extend(line);
            writers.push(written);
        }
        let outcome = (file.write_all(&lines))
            .and_then(|()| file.sync_data())
            .map_err(|error| error.to_string());
        for written in writers {
            // Whoever asked may have been stopped.
            written.send(outcome.clone()).ok();
        }
    }
}
