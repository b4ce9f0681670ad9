//! The bytes of an object, and why it cannot be read.
//!
//! Invariant: an object is read as it comes, however large, and a transfer that breaks off continues where it was,
//! unless the object has been replaced.

use std::time::Duration;

use anyhow::bail;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStream;
use backstop_common::{Failure, Kind, chain, explain};
use bytes::Bytes;

use super::bucket::Bucket;
use super::listed::Listed;

/// A transfer that broke off so often in a row is given up.
const MOST_BREAKS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// An object that must be restored before it can be read.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("S3 says InvalidObjectState")]
pub struct InGlacier;

/// An object that is not there any more.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Missing(String);

/// What AWS denies: the next object will not fare better until somebody grants it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Denied(pub(super) String);

/// An object that is being read.
#[derive(Debug)]
pub(super) struct Transfer<'a> {
    bucket: &'a Bucket,
    object: &'a Listed,
    body: ByteStream,
    /// All of the object's.
    bytes: u64,
    etag: Option<String>,
    tags: u64,
    /// Bytes that were read.
    at: u64,
    /// Breaks since the last byte.
    breaks: u32,
}

impl Transfer<'_> {
    /// How many tags the object has.
    pub(super) fn tags(&self) -> u64 {
        self.tags
    }

    /// The next bytes as they are stored; none at the end.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Bytes>> {
        loop {
            let broken = match self.body.next().await {
                Some(Ok(bytes)) => {
                    self.at += bytes.len() as u64;
                    self.breaks = 0;
                    if self.at > self.bytes {
                        bail!(
                            "the transfer has more bytes than the object: something other than S3 \
                             may have answered, check the AWS endpoint URL"
                        );
                    }
                    return Ok(Some(bytes));
                }
                None if self.at >= self.bytes => return Ok(None),
                None => "it ended early".to_owned(),
                Some(Err(error)) => chain(&error),
            };
            self.breaks += 1;
            // After the last byte only its checksum can be wrong.
            if self.breaks >= MOST_BREAKS || self.at >= self.bytes {
                bail!(
                    "the transfer was cut off after {} of {} bytes: {broken}",
                    self.at,
                    self.bytes
                );
            }
            tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(self.breaks - 1)).await;
            let from = (self.at, self.etag.as_deref());
            self.body = self.bucket.get(self.object, Some(from)).await?.body;
        }
    }
}

/// What S3 answers to a request for an object, or for the rest of one.
#[derive(Debug)]
struct Part {
    body: ByteStream,
    bytes: Option<u64>,
    etag: Option<String>,
    tags: u64,
}

impl Bucket {
    /// Begins to read an object.
    pub(super) async fn open<'a>(&'a self, object: &'a Listed) -> anyhow::Result<Transfer<'a>> {
        if object.is_frozen {
            return Err(anyhow::Error::new(InGlacier).context(self.restore(object)));
        }
        let part = self.get(object, None).await?;
        Ok(Transfer {
            bucket: self,
            object,
            body: part.body,
            bytes: part.bytes.unwrap_or(object.bytes),
            etag: part.etag,
            tags: part.tags,
            at: 0,
            breaks: 0,
        })
    }

    /// From the start, or from a place on if the object still has the tag.
    async fn get(
        &self,
        object: &Listed,
        from: Option<(u64, Option<&str>)>,
    ) -> anyhow::Result<Part> {
        let (from, etag) = from.unzip();
        let request = self
            .client
            .get_object()
            .bucket(&self.location.bucket)
            .key(&object.key)
            .set_range(from.map(|from| format!("bytes={from}-")))
            .set_if_match(etag.flatten().map(str::to_owned))
            .set_expected_bucket_owner(self.options.expected_owner.clone())
            .set_request_payer(self.payer());
        let answer = request.send().await;
        if let Err(error) = &answer
            && error.code() != Some("InvalidObjectState")
            && Failure::of("", error).kind == Kind::Denied
        {
            // S3 says so of a missing key, too, where the caller may not list without a prefix.
            let said = format!("{:#}", explain("cannot read it", error));
            return Err(match self.is_listed(&object.key).await {
                Ok(false) => anyhow::Error::new(Missing(said)),
                Ok(true) | Err(_) => anyhow::Error::new(Denied(said)),
            });
        }
        let answer = answer.map_err(|error| match error.code() {
            Some("InvalidObjectState") => {
                anyhow::Error::new(InGlacier).context(self.restore(object))
            }
            Some("PreconditionFailed") => {
                anyhow::anyhow!("it was replaced during the read: try again")
            }
            Some("NoSuchKey") => {
                anyhow::Error::new(Missing(format!("{:#}", explain("cannot read it", &error))))
            }
            _ => explain("cannot read it", &error),
        })?;
        Ok(Part {
            bytes: (answer.content_length()).and_then(|bytes| u64::try_from(bytes).ok()),
            etag: answer.e_tag().map(str::to_owned),
            tags: u64::try_from(answer.tag_count().unwrap_or_default()).unwrap_or_default(),
            body: answer.body,
        })
    }

    fn restore(&self, object: &Listed) -> String {
        // It may be pasted into a shell: a key that would mean something there is not in it.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/=._-+%@:,".contains(&byte);
        let key = if object.key.bytes().all(is_plain) {
            object.key.as_str()
        } else {
            "KEY"
        };
        format!(
            "it is in an S3 archive storage class and must be restored first: run\n  aws s3api \
             restore-object --bucket {} --key {key} --restore-request Days=7\nand, once it is \
             restored, try again",
            self.location.bucket
        )
    }
}
