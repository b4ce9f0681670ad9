//! Objects below a prefix in S3, written only where nobody else wrote meanwhile.
//!
//! Invariants: every write has a condition (`If-None-Match: *` or `If-Match`), so that of two writers one
//! is refused; a write whose answer was lost is recognised as this writer's own by what is there. A
//! service that ignores conditions is refused before a run begins. Must not: know what the objects hold.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::bail;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Region;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ServerSideEncryption;
use backstop_delivery::RegionName;
use bytes::Bytes;

use crate::explain::{bucket_region, explain_with};
use crate::failure::{Failure, Kind};

/// Attempts at each call: the work stops when the journal cannot be written.
const ATTEMPTS: u32 = 6;
/// Attempts at a write that S3 answers with 409: another write to the same key is in progress.
const CONFLICTS: u32 = 8;
const BETWEEN_CONFLICTS: Duration = Duration::from_millis(100);
/// The object's metadata that names the process that wrote it.
const WRITER: &str = "backstop-writer";
const DENIED: &str = "grant s3:ListBucket on the bucket, s3:GetObject and s3:PutObject below the \
    prefix, and, if a customer managed key encrypts it, kms:Decrypt and kms:GenerateDataKey";

/// A prefix in a bucket.
#[derive(Debug)]
pub struct Bucket {
    client: Client,
    name: String,
    /// Empty, or with a slash at its end.
    prefix: String,
    kms_key: Option<String>,
    /// What was read, by key, with its tag: most segments never change.
    read: Mutex<HashMap<String, Object>>,
}

/// An object as it is.
#[derive(Debug, Clone)]
pub struct Object {
    /// Tells it from any other under the same key.
    pub tag: String,
    /// All of it.
    pub bytes: Bytes,
    writer: Option<String>,
}

/// What is listed.
#[derive(Debug)]
pub struct Listed {
    /// Without the prefix.
    pub key: String,
    /// S3 always says it; where a service does not, the object is read each time.
    pub tag: Option<String>,
}

/// When a write may be made.
#[derive(Debug, Clone, Copy)]
pub enum Only<'a> {
    /// Where there is nothing.
    IfAbsent,
    /// Where there still is what was read.
    IfTag(&'a str),
}

/// What became of a write.
#[derive(Debug, PartialEq, Eq)]
pub enum Put {
    /// It was made; the new tag.
    Made(String),
    /// Somebody else wrote.
    Refused,
}

impl Bucket {
    /// Asks whether it is there, in whichever region.
    pub async fn open(
        client: &Client,
        bucket: &str,
        prefix: &str,
        kms_key: Option<String>,
    ) -> anyhow::Result<Self> {
        let slash = if prefix.is_empty() { "" } else { "/" };
        let prefix = format!("{prefix}{slash}");
        let mut client = patient(client, None);
        // A list says in words what is wrong; what only asks for the head of a bucket does not.
        let ask = |client: &Client| {
            let below = format!("{prefix}runs/");
            let list = client.list_objects_v2().bucket(bucket).prefix(below);
            list.max_keys(1).send()
        };
        if let Err(error) = ask(&client).await {
            let region = bucket_region(&error).filter(|_| is_elsewhere(&error));
            let Some(region) = region else {
                return Err(failed(&format!("s3://{bucket} cannot be reached"), &error));
            };
            client = patient(&client, Some(region));
            if let Err(error) = ask(&client).await {
                return Err(failed(&format!("s3://{bucket} cannot be reached"), &error));
            }
        }
        Ok(Self {
            client,
            name: bucket.to_owned(),
            prefix,
            kms_key,
            read: Mutex::default(),
        })
    }

    /// How people write it.
    pub fn shown(&self, key: &str) -> String {
        format!("s3://{}/{}{key}", self.name, self.prefix)
    }

    /// Every object whose key begins so, in the order of keys.
    pub async fn list(&self, below: &str) -> anyhow::Result<Vec<Listed>> {
        let mut listed = Vec::new();
        let mut token = None;
        loop {
            let page = self
                .client
                .list_objects_v2()
                .bucket(&self.name)
                .prefix(format!("{}{below}", self.prefix))
                .set_continuation_token(token.clone())
                .send()
                .await
                .map_err(|error| {
                    failed(&format!("{} cannot be listed", self.shown(below)), &error)
                })?;
            for object in page.contents() {
                let key = object.key().and_then(|key| key.strip_prefix(&self.prefix));
                listed.extend(key.map(|key| Listed {
                    key: key.to_owned(),
                    tag: object.e_tag().map(str::to_owned),
                }));
            }
            match page.next_continuation_token {
                None => return Ok(listed),
                next if next == token => bail!(
                    "the listing of {} never ends: something other than S3 may answer, check \
                     the AWS endpoint URL and the proxy",
                    self.shown(below)
                ),
                next => token = next,
            }
        }
    }

    /// An object that was listed; what was read before is not read again.
    pub async fn read(&self, listed: &Listed) -> anyhow::Result<Option<Object>> {
        let known = {
            let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            read.get(&listed.key).cloned()
        };
        if known.is_some() && known.as_ref().map(|it| &it.tag) == listed.tag.as_ref() {
            return Ok(known);
        }
        let object = self.get(&listed.key).await?;
        if let Some(object) = &object {
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            read.insert(listed.key.clone(), object.clone());
        }
        Ok(object)
    }

    /// An object; none where there is none.
    pub async fn get(&self, key: &str) -> anyhow::Result<Option<Object>> {
        let what = || format!("{} cannot be read", self.shown(key));
        let mut attempt = 1;
        loop {
            let object = self
                .client
                .get_object()
                .bucket(&self.name)
                .key(format!("{}{key}", self.prefix))
                .send()
                .await;
            let object = match object {
                Ok(object) => object,
                Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
                Err(error) => {
                    // S3 says so of a missing key, too, where the caller may not list without a prefix.
                    let is_denied = Failure::of("", &error).kind == Kind::Denied;
                    let listed = if is_denied {
                        self.list(key).await.ok()
                    } else {
                        None
                    };
                    if listed.is_some_and(|all| all.iter().all(|it| it.key != key)) {
                        return Ok(None);
                    }
                    return Err(failed(&what(), &error));
                }
            };
            let writer = object.metadata().and_then(|it| it.get(WRITER)).cloned();
            let tag = object.e_tag().unwrap_or_default().to_owned();
            match object.body.collect().await {
                Ok(bytes) => {
                    return Ok(Some(Object {
                        tag,
                        bytes: bytes.into_bytes(),
                        writer,
                    }));
                }
                // The client makes another attempt at the head of an answer only.
                Err(_) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => bail!("{}: the transfer was cut off: {error}", what()),
            }
        }
    }

    /// Writes it on a condition. It is durable when this returns that it was made.
    pub async fn put(
        &self,
        key: &str,
        bytes: &Bytes,
        only: Only<'_>,
        writer: &str,
    ) -> anyhow::Result<Put> {
        for _ in 0..CONFLICTS {
            let request = self
                .client
                .put_object()
                .bucket(&self.name)
                .key(format!("{}{key}", self.prefix))
                .metadata(WRITER, writer)
                .content_type("application/x-ndjson")
                .body(ByteStream::from(bytes.clone()));
            let request = match only {
                Only::IfAbsent => request.if_none_match("*"),
                Only::IfTag(tag) => request.if_match(tag),
            };
            let request = match &self.kms_key {
                Some(key) => request
                    .server_side_encryption(ServerSideEncryption::AwsKms)
                    .ssekms_key_id(key),
                None => request,
            };
            let error = match request.send().await {
                Ok(made) => return Ok(Put::Made(made.e_tag.unwrap_or_default())),
                Err(error) => error,
            };
            match error.raw_response().map(|it| it.status().as_u16()) {
                Some(409) => tokio::time::sleep(BETWEEN_CONFLICTS).await,
                // An earlier attempt may have been made, and its answer lost.
                Some(412) => {
                    let there = self.get(key).await?;
                    let own = there
                        .filter(|it| it.bytes == *bytes && it.writer.as_deref() == Some(writer));
                    return Ok(own.map_or(Put::Refused, |own| Put::Made(own.tag)));
                }
                Some(404) if error.code() == Some("NoSuchKey") => return Ok(Put::Refused),
                _ => {
                    return Err(failed(
                        &format!("{} cannot be written", self.shown(key)),
                        &error,
                    ));
                }
            }
        }
        bail!(
            "{} cannot be written: other processes keep writing to it; try again later",
            self.shown(key)
        )
    }

    /// Removes an object.
    pub async fn delete(&self, key: &str) -> anyhow::Result<()> {
        let request = self.client.delete_object().bucket(&self.name);
        let deleted = request.key(format!("{}{key}", self.prefix)).send().await;
        deleted
            .map_err(|error| failed(&format!("{} cannot be deleted", self.shown(key)), &error))?;
        Ok(())
    }

    /// Fails where conditions are ignored. `key` is there.
    pub async fn must_refuse(&self, key: &str, writer: &str) -> anyhow::Result<()> {
        let other = Bytes::from_static(b"{}");
        match self.put(key, &other, Only::IfAbsent, writer).await? {
            Put::Refused => Ok(()),
            Put::Made(_) => bail!(
                "s3://{} ignores If-None-Match, so two runs could overwrite each other: keep runs \
                 in S3, or in a service with conditional writes",
                self.name
            ),
        }
    }
}

/// With more attempts than one call by hand would have, and in another region where one is given.
fn patient(client: &Client, region: Option<RegionName>) -> Client {
    let retry = RetryConfig::standard().with_max_attempts(ATTEMPTS);
    let mut config = client.config().to_builder().retry_config(retry);
    if let Some(region) = region {
        config = config.region(Region::new(region.to_string()));
    }
    Client::from_conf(config.build())
}

/// Whether S3 says that another region has the bucket.
fn is_elsewhere<E>(error: &SdkError<E, HttpResponse>) -> bool {
    let status = error.raw_response().map(|it| it.status().as_u16());
    matches!(status, Some(301 | 307 | 400))
}

fn failed<E>(what: &str, error: &SdkError<E, HttpResponse>) -> anyhow::Error
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    explain_with(what, error, DENIED)
}
