//! What of a replay is done, so that one that was interrupted repeats nothing that was acknowledged.
//!
//! A log of lines: a header with the target and the selection, then for each acknowledged batch the object
//! and short digests of its records, and a line for each object that is done. Invariants: a line is
//! written before the next request of its batch; a checkpoint of another target or selection is refused;
//! one process at a time writes to it. Must not: hold a record, an address with its query, or a secret.

mod bucket;
mod file;
mod state;

use std::io::{BufRead, Cursor};
use std::path::PathBuf;

use aws_sdk_s3::Client;
use backstop_common::time::now;
use backstop_common::usage::UsageError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use bucket::BucketLog;
use file::FileLog;
pub(super) use state::Done;
use state::{Entry, Header, SCHEMA_VERSION, parse};

/// Where a checkpoint is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckpointPlace {
    /// A file of this machine.
    File(PathBuf),
    /// A prefix in S3: the bucket, and the prefix without a slash at its end.
    Bucket(String, String),
}

impl std::str::FromStr for CheckpointPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = "give a file, or s3://BUCKET/PREFIX";
        let Some(rest) = text.strip_prefix("s3://") else {
            if text.is_empty() || text.contains("://") {
                return Err(form.to_owned());
            }
            return Ok(Self::File(PathBuf::from(text)));
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_matches('/');
        if bucket.is_empty() || prefix.is_empty() {
            return Err(form.to_owned());
        }
        Ok(Self::Bucket(bucket.to_owned(), prefix.to_owned()))
    }
}

impl std::fmt::Display for CheckpointPlace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(formatter),
            Self::Bucket(bucket, prefix) => write!(formatter, "s3://{bucket}/{prefix}"),
        }
    }
}

/// Where a checkpoint is, and how that is reached.
#[derive(Debug, Clone)]
pub enum CheckpointStore {
    /// A file of this machine.
    File(PathBuf),
    /// A prefix in S3.
    Bucket {
        /// Which reads and writes it; a bucket in another region is found.
        client: Client,
        bucket: String,
        /// The prefix, without a slash at its end.
        prefix: String,
        /// A directory in which processes of this machine show that they live, if there is one: the lock
        /// of one that was killed is then free at once.
        alive: Option<PathBuf>,
    },
}

impl CheckpointStore {
    /// Without how it is reached.
    fn place(&self) -> CheckpointPlace {
        match self {
            Self::File(path) => CheckpointPlace::File(path.clone()),
            Self::Bucket { bucket, prefix, .. } => {
                CheckpointPlace::Bucket(bucket.clone(), prefix.clone())
            }
        }
    }
}

/// A target and a selection, in words and as a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// The target as it can be shown.
    pub target: String,
    /// A digest of all of it.
    pub target_digest: String,
    /// What is replayed.
    pub selection: String,
}

impl Subject {
    /// What tells it from others.
    pub fn digest(&self) -> String {
        let parts = [&self.target_digest, &self.selection];
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        hex(&hash.finalize()[..8])
    }
}

/// The first bytes of a digest, as text.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

/// What to do with a checkpoint that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    New,
    /// Go on with it.
    Resume,
    /// Go on with it, or begin where there is none.
    Continue,
    Restart,
}

/// A log that is open, and nobody else's.
#[derive(Debug)]
enum Log {
    File(FileLog),
    Bucket(Box<BucketLog>),
}

/// A checkpoint that is written to.
#[derive(Debug)]
pub struct Checkpoint {
    log: Mutex<Log>,
    place: CheckpointPlace,
    pub(super) done: Done,
}

impl Checkpoint {
    /// Opens it for this process alone.
    pub async fn open(
        store: &CheckpointStore,
        subject: &Subject,
        begin: Begin,
    ) -> anyhow::Result<Self> {
        let place = store.place();
        let (mut log, text) = Log::open(store).await?;
        let found = parse(text, subject, &place)?;
        let done = match (found, begin) {
            (Some((done, whole)), Begin::Resume | Begin::Continue) => {
                log.keep(whole)?;
                done
            }
            (None, Begin::Resume) => {
                log.release().await;
                let problem = format!(
                    "there is no replay to resume in {place}: begin one, or \
                     name the checkpoint of the one that was interrupted"
                );
                return Err(UsageError(problem).into());
            }
            (Some((done, _)), Begin::New) if !done.is_nothing() => {
                log.release().await;
                let problem = format!(
                    "an earlier replay of this selection to this target did not finish ({place}): \
                     resume it to send what is left, or restart it to send everything again"
                );
                return Err(UsageError(problem).into());
            }
            // Where nothing was acknowledged there is nothing to lose.
            (_, Begin::New | Begin::Restart | Begin::Continue) => {
                log.empty().await?;
                let header = Header {
                    schema_version: SCHEMA_VERSION,
                    release: env!("CARGO_PKG_VERSION").to_owned(),
                    started_at: now(),
                    subject: subject.clone(),
                };
                log.append(&line(&header)?).await?;
                Done::default()
            }
        };
        Ok(Self {
            log: Mutex::new(log),
            place,
            done,
        })
    }

    /// What was done, of a checkpoint that is only looked at.
    pub async fn peek(store: &CheckpointStore, subject: &Subject) -> anyhow::Result<Option<Self>> {
        if matches!(store, CheckpointStore::File(path) if !path.exists()) {
            return Ok(None);
        }
        let place = store.place();
        let (log, text) = Log::open(store).await?;
        let found = parse(text, subject, &place)?;
        Ok(found.map(|(done, _)| Self {
            log: Mutex::new(log),
            place,
            done,
        }))
    }

    /// Where it is, for a reader.
    pub fn shown(&self) -> String {
        self.place.to_string()
    }

    /// These records of an object need not be sent again: durable against the end of this process when it
    /// returns.
    pub(super) async fn settled(&self, records: &[(String, Vec<u64>)]) -> anyhow::Result<()> {
        let mut lines = Vec::new();
        for (object, records) in records {
            let bytes: Vec<u8> = records.iter().flat_map(|it| it.to_le_bytes()).collect();
            lines.extend(line(&Entry {
                object: object.clone(),
                records: Some(STANDARD_NO_PAD.encode(bytes)),
            })?);
        }
        self.append(&lines).await
    }

    /// Nothing of the object is left.
    pub(super) async fn done(&self, object: &str) -> anyhow::Result<()> {
        let entry = Entry {
            object: object.to_owned(),
            records: None,
        };
        self.append(&line(&entry)?).await
    }

    async fn append(&self, lines: &[u8]) -> anyhow::Result<()> {
        self.log.lock().await.append(lines).await
    }

    /// Ends it: a replay that is complete leaves none.
    pub async fn close(self, is_complete: bool) {
        // One that cannot be removed says that nothing is left.
        let is_said = is_complete && self.done("").await.is_ok();
        let mut log = self.log.into_inner();
        if is_said {
            log.remove().await;
        } else {
            log.release().await;
        }
    }
}

impl Log {
    /// The log, and what is in it.
    async fn open(store: &CheckpointStore) -> anyhow::Result<(Self, Box<dyn BufRead + Send>)> {
        Ok(match store {
            CheckpointStore::File(path) => {
                let (log, text) = FileLog::open(path)?;
                (Self::File(log), Box::new(text))
            }
            CheckpointStore::Bucket {
                client,
                bucket,
                prefix,
                alive,
            } => {
                let (log, text) = BucketLog::open(client, bucket, prefix, alive.clone()).await?;
                (Self::Bucket(Box::new(log)), Box::new(Cursor::new(text)))
            }
        })
    }

    async fn append(&mut self, lines: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::File(log) => log.append(lines),
            Self::Bucket(log) => log.append(lines).await,
        }
    }

    /// Keeps this many bytes, which are whole lines.
    fn keep(&mut self, whole: u64) -> anyhow::Result<()> {
        match self {
            Self::File(log) => log.truncate(whole),
            // An object is whole or not there.
            Self::Bucket(_) => Ok(()),
        }
    }

    async fn empty(&mut self) -> anyhow::Result<()> {
        match self {
            Self::File(log) => log.truncate(0),
            Self::Bucket(log) => log.empty().await,
        }
    }

    async fn release(&mut self) {
        if let Self::Bucket(log) = self {
            log.release().await;
        }
    }

    async fn remove(&mut self) {
        match self {
            Self::File(log) => log.remove(),
            Self::Bucket(log) => {
                log.empty().await.ok();
                log.release().await;
            }
        }
    }
}

fn line(value: &impl Serialize) -> anyhow::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}
