//! What the function remembers between invocations, as small objects beside the archive.
//!
//! `halted.json` is the breaker: while it is there, nothing is sent. `cursor.json` says up to when the archive
//! was put into the queue. `lease.json` is held by the probe. Invariants: every write has a condition; an
//! object that cannot be read as what it should be is an error, and never nothing. Must not: hold a record, a
//! secret, or an address with its query.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use aws_sdk_s3::Client;
use backstop_common::parsing;
use backstop_common::remote::{Bucket, Lock, Only, Put, RENEWED};
use backstop_common::time::now;
use backstop_replay::queue::Order;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

const HALTED: &str = "halted.json";
const CURSOR: &str = "cursor.json";
const LEASE: &str = "lease.json";
/// Nobody reads back which environment wrote it.
const WRITER: &str = "backstop-replay";

/// Why nothing is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Halted {
    /// Since when.
    pub(crate) since: String,
    /// The reason, for people.
    pub(crate) reason: String,
    /// A person or an alarm stopped it: a probe alone does not go on.
    #[serde(default)]
    pub(crate) is_manual: bool,
    /// The object at which it showed, for the probe to try again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) order: Option<Order>,
}

/// How far the archive was put into the queue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Cursor {
    /// Objects written up to this moment, in milliseconds, were in the queue.
    pub(crate) settled: Option<i64>,
    /// A pass over the archive that a cap has ended.
    pub(crate) pass: Option<Pass>,
}

/// A pass that is not at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pass {
    /// It takes objects that were written up to this moment, in milliseconds.
    pub(crate) until: i64,
    /// The last key that it put into the queue.
    pub(crate) after: String,
}

/// The state of one function.
#[derive(Debug)]
pub(crate) struct State {
    bucket: Arc<Bucket>,
}

impl State {
    /// Below a prefix of a bucket.
    pub(crate) async fn open(
        client: &Client,
        bucket: &str,
        prefix: &str,
        kms_key: Option<String>,
    ) -> anyhow::Result<Self> {
        let bucket = Bucket::open(client, bucket, prefix, kms_key).await?;
        Ok(Self {
            bucket: Arc::new(bucket),
        })
    }

    /// How people write it.
    pub(crate) fn shown(&self, key: &str) -> String {
        self.bucket.shown(key)
    }

    /// Why nothing is to be sent, where that is so.
    pub(crate) async fn halted(&self) -> anyhow::Result<Option<Halted>> {
        Ok(self.read(HALTED).await?.map(|(halted, _)| halted))
    }

    /// Stops everything; true if it was not stopped before.
    pub(crate) async fn halt(
        &self,
        reason: &str,
        is_manual: bool,
        order: Option<Order>,
    ) -> anyhow::Result<bool> {
        let halted = Halted {
            since: now(),
            reason: reason.to_owned(),
            is_manual,
            order,
        };
        if self.put(HALTED, &halted, Only::IfAbsent).await? {
            return Ok(true);
        }
        // What a person says holds over what the function found.
        if is_manual
            && let Some((there, tag)) = self.read::<Halted>(HALTED).await?
            && !there.is_manual
        {
            let order = there.order;
            self.put(HALTED, &Halted { order, ..halted }, Only::IfTag(&tag))
                .await?;
        }
        Ok(false)
    }

    /// Lets the function send again.
    pub(crate) async fn resume(&self) -> anyhow::Result<()> {
        self.bucket.delete(HALTED).await
    }

    /// How far the archive was put into the queue, and what a write of it must be conditional on.
    pub(crate) async fn cursor(&self) -> anyhow::Result<(Cursor, Option<String>)> {
        Ok(match self.read(CURSOR).await? {
            Some((cursor, tag)) => (cursor, Some(tag)),
            None => (Cursor::default(), None),
        })
    }

    /// Remembers it.
    pub(crate) async fn set_cursor(
        &self,
        cursor: &Cursor,
        tag: Option<&str>,
    ) -> anyhow::Result<()> {
        let only = tag.map_or(Only::IfAbsent, Only::IfTag);
        if self.put(CURSOR, cursor, only).await? {
            return Ok(());
        }
        bail!(
            "{} was written by another probe at the same time: nothing is lost, as objects that are \
             in the queue twice are replayed once",
            self.shown(CURSOR)
        )
    }

    /// Takes the lease; none where another probe has it.
    pub(crate) async fn lease(&self) -> Option<Lease> {
        let lock = Lock::take(&self.bucket, LEASE.to_owned(), "the probe", None);
        let lock = Arc::new(Mutex::new(lock.await.ok()?));
        let renewal = tokio::spawn({
            let lock = Arc::clone(&lock);
            async move {
                loop {
                    tokio::time::sleep(RENEWED).await;
                    // A lease that was lost shows at the write of the cursor.
                    lock.lock().await.renew().await.ok();
                }
            }
        });
        Some(Lease { lock, renewal })
    }

    async fn read<T: DeserializeOwned>(&self, key: &str) -> anyhow::Result<Option<(T, String)>> {
        let Some(object) = self.bucket.get(key).await? else {
            return Ok(None);
        };
        let value = serde_json::from_slice(&object.bytes).map_err(parsing::json);
        let value = value.with_context(|| {
            let shown = self.shown(key);
            format!("{shown} cannot be read: delete it if nothing else writes there")
        })?;
        Ok(Some((value, object.tag)))
    }

    async fn put(&self, key: &str, value: &impl Serialize, only: Only<'_>) -> anyhow::Result<bool> {
        let bytes = Bytes::from(serde_json::to_vec(value)?);
        let put = self.bucket.put(key, &bytes, only, WRITER).await?;
        Ok(matches!(put, Put::Made(_)))
    }
}

/// The lease of the probe, renewed as long as this lives.
#[derive(Debug)]
pub(crate) struct Lease {
    lock: Arc<Mutex<Lock>>,
    renewal: JoinHandle<()>,
}

impl Lease {
    /// Lets another probe have it.
    pub(crate) async fn release(self) {
        self.renewal.abort();
        self.lock.lock().await.release().await;
    }
}
