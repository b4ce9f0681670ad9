//! A checkpoint below a prefix in S3: numbered segments, and a lock with an expiry.
//!
//! S3 appends to nothing: the last segment is written again until it is large, and then the next one
//! begins. Invariants: every write has a condition, so that of two processes one stops; lines are durable
//! when [`BucketLog::append`] returns.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use aws_sdk_s3::Client;
use backstop_common::remote::{Bucket, Lock, Only, Put, RENEWED};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// A segment that is larger is not written again.
const LARGE: usize = 64 * 1024;
const SEGMENTS: &str = "segment-";
const LOCK: &str = "lock.json";

#[derive(Debug)]
pub(super) struct BucketLog {
    bucket: Arc<Bucket>,
    lock: Arc<Mutex<Lock>>,
    renewal: JoinHandle<()>,
    number: usize,
    bytes: Vec<u8>,
    /// None before it is written for the first time.
    tag: Option<String>,
}

impl BucketLog {
    /// The log and what is in it.
    pub(super) async fn open(
        client: &Client,
        bucket: &str,
        prefix: &str,
        alive: Option<PathBuf>,
    ) -> anyhow::Result<(Self, Vec<u8>)> {
        let bucket = Arc::new(Bucket::open(client, bucket, prefix, None).await?);
        let lock = Lock::take(&bucket, LOCK.to_owned(), "the replay", alive).await?;
        bucket.must_refuse(LOCK, lock.writer()).await?;
        let lock = Arc::new(Mutex::new(lock));
        let renewal = tokio::spawn({
            let lock = Arc::clone(&lock);
            async move {
                loop {
                    tokio::time::sleep(RENEWED).await;
                    // A lock that was lost shows at the next write of a segment.
                    lock.lock().await.renew().await.ok();
                }
            }
        });
        let mut text = Vec::new();
        let (mut number, mut bytes, mut tag) = (0, Vec::new(), None);
        for listed in bucket.list(SEGMENTS).await? {
            let Some(object) = bucket.get(&listed.key).await? else {
                continue;
            };
            text.extend_from_slice(&object.bytes);
            let digits = listed.key.strip_prefix(SEGMENTS).unwrap_or_default();
            number = digits.parse().unwrap_or(number + 1);
            bytes = object.bytes.to_vec();
            tag = Some(object.tag);
        }
        let log = Self {
            bucket,
            lock,
            renewal,
            number,
            bytes,
            tag,
        };
        Ok((log, text))
    }

    pub(super) async fn append(&mut self, lines: &[u8]) -> anyhow::Result<()> {
        if self.tag.is_some() && self.bytes.len() + lines.len() > LARGE {
            self.number += 1;
            self.bytes.clear();
            self.tag = None;
        }
        self.bytes.extend_from_slice(lines);
        self.put().await
    }

    async fn put(&mut self) -> anyhow::Result<()> {
        let key = format!("{SEGMENTS}{:08}", self.number);
        let only = self.tag.as_deref().map_or(Only::IfAbsent, Only::IfTag);
        let writer = self.lock.lock().await.writer().to_owned();
        let bytes = self.bytes.clone().into();
        match self.bucket.put(&key, &bytes, only, &writer).await? {
            Put::Made(tag) => {
                self.tag = Some(tag);
                Ok(())
            }
            Put::Refused => bail!(
                "another process has taken over the checkpoint {}: nothing more is sent",
                self.bucket.shown("")
            ),
        }
    }

    /// An empty first segment stands for nothing; later ones are removed.
    pub(super) async fn empty(&mut self) -> anyhow::Result<()> {
        for listed in self.bucket.list(SEGMENTS).await? {
            self.bucket.delete(&listed.key).await?;
        }
        (self.number, self.tag) = (0, None);
        self.bytes.clear();
        Ok(())
    }

    pub(super) async fn release(&mut self) {
        self.renewal.abort();
        self.lock.lock().await.release().await;
    }
}
