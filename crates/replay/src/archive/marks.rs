//! Marks an object as replayed: by a tag, or by where it is.
//!
//! The tag [`TAG`] has a digest of each target that has the object's records, so that a replay to another
//! target does not skip it. Invariants: the other tags of an object stay; an object is deleted only
//! once its copy is there. Must not: decide which objects are marked.

use std::str::FromStr;

use anyhow::bail;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{Tag, Tagging};
use backstop_common::{Failure, Kind, explain_with};

use super::bucket::Bucket;
use super::listed::Listed;
use super::transfer::Denied;

const TAG: &str = "backstop-replayed";
/// S3 takes 256 characters.
const LONGEST_VALUE: usize = 256;
const MOST_TAGS: usize = 10;
/// Beside the version folder: what is in it is not listed by a replay.
const FOLDER: &str = "replayed";

const DENIED_TAG: &str = "grant s3:GetObjectTagging and s3:PutObjectTagging on the objects, or leave objects \
    unmarked";
const DENIED_MOVE: &str = "grant s3:PutObject below the prefix and s3:DeleteObject on the objects, or \
    leave objects unmarked";

/// What is done with an object once all of its records are at the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum After {
    /// Tag it as replayed; the next replay to this target skips it.
    Tag,
    /// Move it below PREFIX/replayed/.
    Move,
    Delete,
    /// Leave it unchanged.
    #[default]
    Keep,
}

impl FromStr for After {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "tag" => Ok(Self::Tag),
            "move" => Ok(Self::Move),
            "delete" => Ok(Self::Delete),
            "keep" => Ok(Self::Keep),
            _ => Err("is not tag, move, delete or keep: set one of them"),
        }
    }
}

/// What S3 says of it, and what to grant where it denies it.
fn failed<E>(what: &str, error: &SdkError<E, HttpResponse>, denied: &'static str) -> anyhow::Error
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let explained = explain_with(what, error, denied);
    if Failure::of(what, error).kind == Kind::Denied {
        return Denied(format!("{explained:#}")).into();
    }
    explained
}

impl Bucket {
    /// Whether a tag says that it was replayed to the target; false where the tags cannot be read.
    pub(super) async fn is_replayed(&self, object: &Listed, target: &str) -> bool {
        let tags = self.tags(object).await.unwrap_or_default();
        let own = tags.iter().find(|tag| tag.key() == TAG);
        own.is_some_and(|tag| tag.value().split(' ').any(|digest| digest == target))
    }

    pub(super) async fn mark(
        &self,
        object: &Listed,
        tags: u64,
        target: &str,
        after: After,
    ) -> anyhow::Result<()> {
        match after {
            After::Keep => Ok(()),
            After::Tag => self.tag(object, tags, target).await,
            After::Move => {
                self.copy(object).await?;
                self.delete(object).await
            }
            After::Delete => self.delete(object).await,
        }
    }

    async fn tags(&self, object: &Listed) -> anyhow::Result<Vec<Tag>> {
        let request = self
            .client
            .get_object_tagging()
            .bucket(&self.location.bucket)
            .key(&object.key)
            .set_expected_bucket_owner(self.options.expected_owner.clone())
            .set_request_payer(self.payer());
        let answer = request.send().await;
        let answer = answer.map_err(|error| failed("cannot read its tags", &error, DENIED_TAG))?;
        Ok(answer.tag_set)
    }

    async fn tag(&self, object: &Listed, count: u64, target: &str) -> anyhow::Result<()> {
        let mut tags = if count > 0 {
            self.tags(object).await?
        } else {
            Vec::new()
        };
        let own = tags.iter().position(|tag| tag.key() == TAG);
        let mut value = own.map_or_else(String::new, |at| tags.remove(at).value().to_owned() + " ");
        value.push_str(target);
        // The oldest targets are forgotten.
        let excess = value.len().saturating_sub(LONGEST_VALUE);
        if let Some(at) = value[excess..].find(' ').filter(|_| excess > 0) {
            value.replace_range(..=excess + at, "");
        }
        if tags.len() >= MOST_TAGS {
            bail!("it cannot be tagged: it has {MOST_TAGS} tags already, and S3 takes no more");
        }
        tags.push(Tag::builder().key(TAG).value(value).build()?);
        let request = self
            .client
            .put_object_tagging()
            .bucket(&self.location.bucket)
            .key(&object.key)
            .tagging(Tagging::builder().set_tag_set(Some(tags)).build()?)
            .set_expected_bucket_owner(self.options.expected_owner.clone())
            .set_request_payer(self.payer());
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("NotImplemented") => {
                bail!("it cannot be tagged: this service has no tags; leave objects unmarked")
            }
            Err(error) => Err(failed("it cannot be tagged", &error, DENIED_TAG)),
        }
    }

    /// Puts a copy where a replay does not look.
    async fn copy(&self, object: &Listed) -> anyhow::Result<()> {
        let root = self.scope.root.as_str();
        let prefix = root.strip_suffix("v1/").unwrap_or(root);
        let rest = object.key.strip_prefix(prefix).unwrap_or(&object.key);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        let source = format!("{}/{}", self.location.bucket, object.key);
        let source: String = (source.bytes())
            .map(|byte| {
                if is_plain(byte) {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect();
        let request = self
            .client
            .copy_object()
            .copy_source(source)
            .set_copy_source_if_match(object.etag.clone())
            .bucket(&self.location.bucket)
            .key(format!("{prefix}{FOLDER}/{rest}"))
            .set_expected_bucket_owner(self.options.expected_owner.clone())
            .set_request_payer(self.payer());
        let copied = request.send().await;
        copied.map_err(|error| failed("it cannot be copied", &error, DENIED_MOVE))?;
        Ok(())
    }

    async fn delete(&self, object: &Listed) -> anyhow::Result<()> {
        let request = self
            .client
            .delete_object()
            .bucket(&self.location.bucket)
            .key(&object.key)
            .set_expected_bucket_owner(self.options.expected_owner.clone())
            .set_request_payer(self.payer());
        let deleted = request.send().await;
        deleted.map_err(|error| failed("it cannot be deleted", &error, DENIED_MOVE))?;
        Ok(())
    }
}
