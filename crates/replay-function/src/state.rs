//! What the function remembers between invocations, as small objects beside the archive.
//!
//! `halted.json` is the breaker: nothing is sent from when it is written until it says `resumedAt`. `cursor.json`
//! says up to when the archive was put into the queue. `lease.json` is held by the probe. Invariants: every
//! write has a condition, so that nobody undoes what another one decided meanwhile; an object that cannot be
//! read as what it should be is an error, and never nothing. Must not: hold a record, a
//! secret, or an address with its query.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use aws_sdk_s3::Client;
use backstop_common::parsing;
use backstop_common::remote::{Bucket, Held, Lock, Only, Put, RENEWED};
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
/// Several may write the marker at once: within this many attempts one of them wins.
const ATTEMPTS: usize = 4;
/// Nobody reads back which environment wrote it.
const WRITER: &str = "backstop-replay";

/// Why nothing is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Halted {
    pub(crate) since: String,
    /// The reason, for people.
    pub(crate) reason: String,
    /// A person or an alarm stopped it: a probe alone does not go on.
    #[serde(default)]
    pub(crate) is_manual: bool,
    /// The object at which it showed, for the probe to try again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) order: Option<Order>,
    /// All records of that object are at the primary: only its mark was denied.
    #[serde(default)]
    pub(crate) is_sent: bool,
    /// Since when that is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) resumed_at: Option<String>,
}

impl Halted {
    /// What the function found itself.
    pub(crate) fn found(reason: &str, order: Option<Order>, is_sent: bool) -> Self {
        Self {
            since: now(),
            reason: reason.to_owned(),
            is_manual: false,
            order,
            is_sent,
            resumed_at: None,
        }
    }

    /// What a person or an alarm decided.
    pub(crate) fn by_hand(reason: &str) -> Self {
        Self {
            is_manual: true,
            ..Self::found(reason, None, false)
        }
    }
}

/// A marker that holds.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) halted: Halted,
    tag: String,
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
    pub(crate) async fn halted(&self) -> anyhow::Result<Option<Standing>> {
        let there = self.read::<Halted>(HALTED).await?;
        let there = there.filter(|(halted, _)| halted.resumed_at.is_none());
        Ok(there.map(|(halted, tag)| Standing { halted, tag }))
    }

    /// Stops everything; true if it was not stopped before.
    pub(crate) async fn halt(&self, wanted: &Halted) -> anyhow::Result<bool> {
        for _ in 0..ATTEMPTS {
            let there = self.read::<Halted>(HALTED).await?;
            let (is_new, only) = match &there {
                None => (true, Only::IfAbsent),
                Some((there, tag)) if there.resumed_at.is_some() => (true, Only::IfTag(tag)),
                // What a person says holds over what the function found.
                Some((there, tag)) if wanted.is_manual && !there.is_manual => {
                    (false, Only::IfTag(tag))
                }
                Some(_) => return Ok(false),
            };
            let order = there.as_ref().filter(|_| !is_new);
            let order = order.and_then(|(there, _)| there.order.clone());
            let written = Halted {
                order: order.or_else(|| wanted.order.clone()),
                ..wanted.clone()
            };
            if self.put(HALTED, &written, only).await? {
                return Ok(is_new);
            }
        }
        bail!(
            "{} cannot be written: others keep writing to it",
            self.shown(HALTED)
        )
    }

    /// Writes a newer reason into the marker. Whether a person or the function wrote it first stays as it is.
    pub(crate) async fn replace(&self, standing: &Standing, found: Halted) -> anyhow::Result<()> {
        let written = Halted {
            since: standing.halted.since.clone(),
            is_manual: standing.halted.is_manual,
            ..found
        };
        // If somebody wrote it meanwhile, that holds.
        self.put(HALTED, &written, Only::IfTag(&standing.tag))
            .await?;
        Ok(())
    }

    /// Lets the function send again; false where somebody wrote the marker since it was read.
    pub(crate) async fn resume(&self, standing: &Standing) -> anyhow::Result<bool> {
        let resumed = Halted {
            resumed_at: Some(now()),
            ..standing.halted.clone()
        };
        self.put(HALTED, &resumed, Only::IfTag(&standing.tag)).await
    }

    /// How far the archive was put into the queue, and what a write of it must be conditional on.
    pub(crate) async fn cursor(&self) -> anyhow::Result<(Cursor, Option<String>)> {
        Ok(match self.read(CURSOR).await? {
            Some((cursor, tag)) => (cursor, Some(tag)),
            None => (Cursor::default(), None),
        })
    }

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

    /// Takes the lease; where another probe has it, says which.
    pub(crate) async fn lease(&self) -> anyhow::Result<Result<Lease, Held>> {
        let lock = Lock::take(&self.bucket, LEASE.to_owned(), "the probe", None);
        let lock = match lock.await {
            Ok(lock) => Arc::new(Mutex::new(lock)),
            Err(error) => return error.downcast::<Held>().map(Err),
        };
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
        Ok(Ok(Lease { lock, renewal }))
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
