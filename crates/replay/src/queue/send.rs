//! Puts orders into the queue, ten a request and several requests at a time.
//!
//! Invariants: an order counts once the queue has it; what the queue refuses is tried again, and then an
//! error. Must not: list.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::bail;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use backstop_archive::Filter;
use backstop_common::escape;
use serde::Serialize;
use tokio::task::JoinSet;

use super::explained;
use super::order::{Order, Wanted};
use crate::archive::{Archive, Objects, Sums, Watch};

/// Messages in one request.
const MOST_MESSAGES: usize = 10;
/// Bytes of messages in one request; SQS takes 256 KiB at least.
const MOST_BYTES: usize = 200 * 1024;
/// Requests at the same time.
const AT_ONCE: usize = 8;
/// Attempts at what the queue refuses.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The attribute of a message in the dead-letter queue that says why it is there. SQS keeps it when the
/// message is moved back.
const REASON: &str = "backstop-reason";
/// Enough for any reason of this program.
const LONGEST_REASON: usize = 1024;

const FROZEN: &str = "skipped: it is in an S3 archive storage class; restore it first";
const DENIED: &str = "grant sqs:SendMessage on the queue, and, if a customer managed key encrypts it, \
    kms:GenerateDataKey and kms:Decrypt";

/// A queue of orders.
#[derive(Debug, Clone)]
pub struct Queue {
    pub(super) client: Client,
    pub(super) url: String,
}

/// How much is enqueued at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub objects: u64,
    /// Their bytes as they are stored.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            objects: u64::MAX,
            bytes: u64::MAX,
        }
    }
}

impl Limits {
    /// Whether no other object of this size is to be taken.
    pub fn is_reached(&self, objects: u64, bytes: u64, next: u64) -> bool {
        objects >= self.objects || bytes.saturating_add(next) > self.bytes
    }
}

/// What was enqueued.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Enqueued {
    /// Nothing was to be sent.
    pub dry_run: bool,
    /// Objects that were enqueued, or would be.
    pub objects: u64,
    /// Their bytes as they are stored.
    pub bytes: u64,
    /// Objects that were passed over by their keys or their age.
    pub objects_filtered: u64,
    /// Folders that were not listed.
    pub partitions_skipped: u64,
    /// Objects in the archive's folder that are not of the archive.
    pub objects_outside: u64,
    /// Objects in an archive class of S3, which must be restored first.
    pub objects_to_restore: u64,
    /// There are more objects than the limits allow.
    pub is_limited: bool,
}

impl Queue {
    /// A queue and the client that reaches it.
    pub fn new(client: Client, url: &str) -> Self {
        Self {
            client,
            url: url.to_owned(),
        }
    }

    /// Puts some orders there: ten at most.
    async fn send(self, orders: Vec<String>) -> anyhow::Result<()> {
        let mut waiting: BTreeMap<String, String> = (orders.into_iter().enumerate())
            .map(|(at, text)| (at.to_string(), text))
            .collect();
        let mut attempt = 0;
        loop {
            let entries = waiting.iter().map(|(id, text)| {
                let entry = SendMessageBatchRequestEntry::builder().id(id);
                entry.message_body(text).build()
            });
            let entries: Result<Vec<_>, _> = entries.collect();
            let request = self.client.send_message_batch().queue_url(&self.url);
            let answer = request.set_entries(Some(entries?)).send().await;
            let answer =
                answer.map_err(|error| explained("sending to the queue", &error, DENIED))?;
            for taken in answer.successful() {
                waiting.remove(taken.id());
            }
            let Some((_, first)) = waiting.first_key_value() else {
                return Ok(());
            };
            attempt += 1;
            if attempt >= ATTEMPTS {
                let code = answer.failed().first().map_or("no reason", |it| it.code());
                let code: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
                let key = Order::parse(first)
                    .map(|order| order.key)
                    .unwrap_or_default();
                bail!("the queue refuses {}: {code}", escape::part(&key));
            }
            tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(attempt)).await;
        }
    }

    /// Puts a message there again, which starts the count of its receives again.
    pub async fn again(&self, body: &str) -> anyhow::Result<()> {
        self.clone().send(vec![body.to_owned()]).await
    }

    /// Puts a message there as it is, with the reason: of the dead-letter queue.
    pub async fn bury(&self, body: &str, reason: &str) -> anyhow::Result<()> {
        let reason: String = reason.chars().filter(|it| !it.is_control()).collect();
        let reason: String = reason.chars().take(LONGEST_REASON).collect();
        let value = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(reason);
        let request = self.client.send_message().queue_url(&self.url);
        let request = request
            .message_body(body)
            .message_attributes(REASON, value.build()?);
        let sent = request.send().await;
        sent.map_err(|error| explained("sending to the dead-letter queue", &error, DENIED))?;
        Ok(())
    }
}

/// Orders on their way.
#[derive(Debug)]
pub struct Sending {
    queue: Queue,
    texts: Vec<String>,
    bytes: usize,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Sending {
    /// Into a queue.
    pub fn new(queue: Queue) -> Self {
        Self {
            queue,
            texts: Vec::new(),
            bytes: 0,
            tasks: JoinSet::new(),
        }
    }

    /// Takes one; some of those before it are in the queue by then.
    pub async fn push(&mut self, order: &Order) -> anyhow::Result<()> {
        let text = order.text();
        if self.texts.len() >= MOST_MESSAGES || self.bytes + text.len() > MOST_BYTES {
            self.flush().await?;
        }
        self.bytes += text.len();
        self.texts.push(text);
        Ok(())
    }

    /// When this returns, all of them are in the queue.
    pub async fn end(mut self) -> anyhow::Result<()> {
        self.flush().await?;
        while let Some(sent) = self.tasks.join_next().await {
            sent??;
        }
        Ok(())
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        if self.texts.is_empty() {
            return Ok(());
        }
        while self.tasks.len() >= AT_ONCE {
            if let Some(sent) = self.tasks.join_next().await {
                sent??;
            }
        }
        self.bytes = 0;
        let texts = std::mem::take(&mut self.texts);
        self.tasks.spawn(self.queue.clone().send(texts));
        Ok(())
    }
}

/// Lists what a filter admits, and puts it into the queue; without one it only counts. `watch` hears of
/// objects that are passed over for a reason.
pub async fn enqueue(
    archive: &Archive,
    filter: &Filter,
    wanted: &Wanted,
    queue: Option<Queue>,
    limits: Limits,
    watch: &dyn Watch,
) -> anyhow::Result<Enqueued> {
    let Some(bucket) = archive.location().map(|it| it.bucket.clone()) else {
        bail!("the archive is in a directory, which a function cannot read: name one in S3");
    };
    let mut filter = filter.clone();
    filter.without_mirrored = !wanted.include_mirrored;
    let mut enqueued = Enqueued {
        dry_run: queue.is_none(),
        ..Enqueued::default()
    };
    let mut sums = Sums::default();
    let mut sending = queue.map(Sending::new);
    let mut objects = Objects::new(archive, &filter, None);
    while let Some(object) = objects.next(&mut sums, watch).await? {
        if object.is_frozen {
            enqueued.objects_to_restore += 1;
            watch.trouble(&object.key, FROZEN);
            continue;
        }
        if limits.is_reached(enqueued.objects, enqueued.bytes, object.bytes) {
            enqueued.is_limited = true;
            break;
        }
        if let Some(sending) = &mut sending {
            let order = Order::new(&bucket, &object, wanted.clone());
            sending.push(&order).await?;
        }
        enqueued.objects += 1;
        enqueued.bytes = enqueued.bytes.saturating_add(object.bytes);
    }
    if let Some(sending) = sending {
        sending.end().await?;
    }
    enqueued.objects_filtered = sums.objects_filtered;
    enqueued.partitions_skipped = sums.partitions_skipped;
    enqueued.objects_outside = sums.objects_outside;
    Ok(enqueued)
}
