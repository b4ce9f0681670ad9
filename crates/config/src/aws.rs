//! The names of AWS resources: a bucket and its owner, the prefix of its keys, a KMS key, a delivery
//! stream.
//!
//! Invariants: an accepted name can be put into a request as it is; an ARN is accepted where it
//! holds nothing that the name and the region do not say.
//!
//! Must not: ask AWS whether the resource is there.

use crate::error::Invalid;
use crate::register::{
    FIREHOSE_STREAM, S3_BUCKET, S3_EXPECTED_BUCKET_OWNER, S3_KMS_KEY_ID, S3_PREFIX,
};

/// A delivery stream: its name and, from an ARN, its region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) name: String,
    pub(crate) region: Option<String>,
}

/// A delivery stream, by name or by ARN.
pub(crate) fn stream(text: &str) -> Result<Stream, Invalid> {
    let shown = FIREHOSE_STREAM.shown(text);
    if text.starts_with("arn:") {
        return stream_arn(text).ok_or_else(|| {
            Invalid(format!(
                "is {shown}, not the ARN of a delivery stream: write \
                 arn:aws:firehose:REGION:ACCOUNT:deliverystream/NAME, or the name alone"
            ))
        });
    }
    if is_stream_name(text) {
        return Ok(Stream {
            name: text.to_owned(),
            region: None,
        });
    }
    Err(Invalid(format!(
        "is {shown}, not the name of a delivery stream: use 1 to 64 letters, digits, dots, hyphens \
         and underscores"
    )))
}

fn stream_arn(text: &str) -> Option<Stream> {
    let (region, resource) = arn(text, "firehose")?;
    let name = resource.strip_prefix("deliverystream/")?;
    is_stream_name(name).then(|| Stream {
        name: name.to_owned(),
        region: Some(region.to_owned()),
    })
}

/// The region and the resource of an ARN of this service, where all between them is valid.
fn arn<'text>(text: &'text str, service: &str) -> Option<(&'text str, &'text str)> {
    let mut parts = text.splitn(6, ':');
    let (
        Some("arn"),
        Some(partition),
        Some(named_service),
        Some(region),
        Some(account),
        Some(resource),
    ) = (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    )
    else {
        return None;
    };
    let is_valid = named_service == service
        && is_partition(partition)
        && is_region(region)
        && is_account(account);
    is_valid.then_some((region, resource))
}

/// Whether the text has the form of an account's id.
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_stream_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn is_partition(text: &str) -> bool {
    text == "aws" || text.strip_prefix("aws-").is_some_and(is_region)
}

/// Whether the text has the form of a region; new regions need no new version.
pub(crate) fn is_region(text: &str) -> bool {
    !text.is_empty()
        && text.split('-').all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        })
}

/// A bucket, by name or by ARN.
pub(crate) fn bucket(text: &str) -> Result<String, Invalid> {
    let name = match text.strip_prefix("arn:") {
        Some(rest) => rest
            .split_once(":s3:::")
            .filter(|(partition, _)| is_partition(partition))
            .map(|(_, name)| name),
        None => Some(text),
    };
    match name {
        Some(name) if is_bucket_name(name) => Ok(name.to_owned()),
        Some(_) | None => Err(Invalid(format!(
            "is {}, not the name of a bucket: use 3 to 63 lowercase letters, digits, dots and \
             hyphens, or arn:aws:s3:::NAME; keys begin with BACKSTOP_S3_PREFIX",
            S3_BUCKET.shown(text)
        ))),
    }
}

fn is_bucket_name(text: &str) -> bool {
    let is_letter_or_digit = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes
            .iter()
            .all(|byte| is_letter_or_digit(byte) || b".-".contains(byte))
        && bytes.first().is_some_and(is_letter_or_digit)
        && bytes.last().is_some_and(is_letter_or_digit)
        && !text.contains("..")
        && text.parse::<std::net::Ipv4Addr>().is_err()
}

/// What keys begin with, without slashes at the ends.
pub(crate) fn prefix(text: &str) -> Result<String, Invalid> {
    let inner = text.trim_matches('/');
    let is_valid = inner.len() <= 512
        && inner.split('/').all(|segment| {
            !segment.is_empty()
                && segment != "."
                && segment != ".."
                && segment
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"!-_.*'()=".contains(&byte))
        });
    if is_valid {
        return Ok(inner.to_owned());
    }
    Err(Invalid(format!(
        "is {}, not a prefix of keys: use at most 512 letters, digits and !-_.*'()=, with single \
         slashes between its parts and no part . or ..",
        S3_PREFIX.shown(text)
    )))
}

/// A KMS key: its id, its alias, or the ARN of either, as S3 takes them.
pub(crate) fn kms_key(text: &str) -> Result<String, Invalid> {
    let is_key = match arn(text, "kms") {
        Some((_, resource)) => {
            resource.strip_prefix("key/").is_some_and(is_key_id) || is_key_alias(resource)
        }
        None => is_key_id(text) || is_key_alias(text),
    };
    if is_key {
        return Ok(text.to_owned());
    }
    Err(Invalid(format!(
        "is {}, not a KMS key: use its id, its alias (alias/NAME), or its ARN \
         (arn:aws:kms:REGION:ACCOUNT:key/ID)",
        S3_KMS_KEY_ID.shown(text)
    )))
}

/// A UUID, or the id of a multi-region key.
fn is_key_id(text: &str) -> bool {
    let is_hex = |part: &str, length| {
        part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    if let Some(multi_region) = text.strip_prefix("mrk-") {
        return is_hex(multi_region, 32);
    }
    let lengths = [8, 4, 4, 4, 12];
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == lengths.len()
        && parts
            .iter()
            .zip(lengths)
            .all(|(part, length)| is_hex(part, length))
}

fn is_key_alias(text: &str) -> bool {
    text.strip_prefix("alias/").is_some_and(|name| {
        (1..=250).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte))
    })
}

/// The account that is to own the bucket.
pub(crate) fn bucket_owner(text: &str) -> Result<String, Invalid> {
    if is_account(text) {
        return Ok(text.to_owned());
    }
    Err(Invalid(format!(
        "is {}, not the id of an account: use its 12 digits",
        S3_EXPECTED_BUCKET_OWNER.shown(text)
    )))
}
