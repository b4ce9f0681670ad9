//! The names of AWS resources: a bucket and its owner, the prefix of its keys, a KMS key, a delivery
//! stream.
//!
//! Invariants: an accepted name can be put into a request as it is. An ARN is accepted where what it
//! says beyond the name is honoured, or agrees with where the function is; otherwise the message says
//! what does not.
//!
//! Must not: ask AWS whether the resource is there.

use crate::arn::{Arn, is_account, is_region, partition_of};
use crate::error::Invalid;
use crate::register::{
    FIREHOSE_STREAM, PRIMARY_TOKEN_KMS_KEY_ID, S3_BUCKET, S3_EXPECTED_BUCKET_OWNER, S3_KMS_KEY_ID,
    S3_PREFIX, S3_REGION,
};

/// A delivery stream: its name and, from an ARN, its region and its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) name: String,
    pub(crate) region: Option<String>,
    pub(crate) account: Option<String>,
}

/// A delivery stream, by name or by ARN. `here` is the region of the function, where it is known.
pub(crate) fn stream(text: &str, here: Option<&str>) -> Result<Stream, Invalid> {
    let shown = FIREHOSE_STREAM.shown(text);
    if text.starts_with("arn:") {
        let Some((arn, name)) = stream_arn(text) else {
            return Err(Invalid::new(format!(
                "is {shown}, not the ARN of a delivery stream: write \
                 arn:aws:firehose:REGION:ACCOUNT:deliverystream/NAME, or the name alone"
            )));
        };
        if let Some(why) = arn.is_out_of_reach_of(here.unwrap_or(arn.region)) {
            return Err(Invalid::new(format!("is {shown}, {why}")));
        }
        return Ok(Stream {
            name: name.to_owned(),
            region: Some(arn.region.to_owned()),
            account: Some(arn.account.to_owned()),
        });
    }
    if is_stream_name(text) {
        return Ok(Stream {
            name: text.to_owned(),
            region: None,
            account: None,
        });
    }
    Err(Invalid::new(format!(
        "is {shown}, not the name of a delivery stream: use 1 to 64 letters, digits, dots, hyphens \
         and underscores"
    )))
}

fn stream_arn(text: &str) -> Option<(Arn<'_>, &str)> {
    let arn = Arn::parse(text).filter(|arn| arn.is_of("firehose"))?;
    let name = arn.resource.strip_prefix("deliverystream/")?;
    is_stream_name(name).then_some((arn, name))
}

fn is_stream_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// A bucket, by name or by ARN. `here` is the region of the function, where it is known.
pub(crate) fn bucket(text: &str, here: Option<&str>) -> Result<String, Invalid> {
    let shown = S3_BUCKET.shown(text);
    let arn = Arn::parse(text).filter(Arn::is_of_bucket);
    let name = arn.map_or(text, |arn| arn.resource);
    if !is_bucket_name(name) {
        return Err(Invalid::new(format!(
            "is {shown}, not the name of a bucket: use 3 to 63 lowercase letters, digits, dots and \
             hyphens, or arn:aws:s3:::NAME; keys begin with BACKSTOP_S3_PREFIX"
        )));
    }
    if let Some(why) = reserved(name) {
        return Err(Invalid::new(format!("is {shown}, {why}")));
    }
    let why = arn.and_then(|arn| here.and_then(|region| arn.is_out_of_reach_of(region)));
    match why {
        Some(why) => Err(Invalid::new(format!("is {shown}, {why}"))),
        None => Ok(name.to_owned()),
    }
}

/// Why no bucket of the archive can have this name: S3 keeps some beginnings and ends for other things.
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>) The alias of an
/// access point (`-s3alias`) is written to as a bucket is.
fn reserved(name: &str) -> Option<String> {
    const BEGINNINGS: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
    let ends = [
        (
            "--x-s3",
            "a directory bucket, which is not supported, because its API needs sessions: use a bucket \
             for general purposes",
        ),
        (
            "--table-s3",
            "a table bucket, which takes tables only: use a bucket for general purposes",
        ),
        (
            "--ol-s3",
            "the alias of an Object Lambda access point, which is for reading: use the name of the bucket",
        ),
        (
            ".mrap",
            "the alias of a Multi-Region Access Point, which is not supported, because it needs \
             signatures of their own: use the name of a bucket",
        ),
    ];
    let beginning = BEGINNINGS.into_iter().find(|it| name.starts_with(it));
    let end = ends.into_iter().find(|(end, _)| name.ends_with(end));
    match (beginning, end) {
        (_, Some((_, why))) => Some(why.to_owned()),
        (Some(beginning), None) => Some(format!(
            "and S3 has no bucket whose name begins with {beginning}, which is reserved: use the name of \
             your bucket"
        )),
        (None, None) => None,
    }
}

/// The region of the bucket; `here` is the region of the function, where it is known.
pub(crate) fn bucket_region(text: &str, here: Option<&str>) -> Result<String, Invalid> {
    let shown = S3_REGION.shown(text);
    if !is_region(text) {
        return Err(Invalid::new(format!(
            "is {shown}, not the name of a region, such as us-east-1"
        )));
    }
    let own = here.unwrap_or(text);
    if partition_of(own) != partition_of(text) {
        return Err(Invalid::new(format!(
            "is {shown}, a region of the partition {}, and {own} is one of the partition {}: use a \
             bucket there",
            partition_of(text),
            partition_of(own)
        )));
    }
    Ok(text.to_owned())
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
    Err(Invalid::new(format!(
        "is {}, not a prefix of keys: use at most 512 letters, digits and !-_.*'()=, with single \
         slashes between its parts and no part . or ..",
        S3_PREFIX.shown(text)
    )))
}

/// A KMS key: its id, its alias, or the ARN of either, as S3 takes them. A key of another account is
/// legal; S3 takes none of another region than the bucket's, `there`, where that is known.
pub(crate) fn kms_key(text: &str, there: Option<&str>) -> Result<String, Invalid> {
    let shown = S3_KMS_KEY_ID.shown(text);
    let Some(arn) = key_arn(text, &shown)? else {
        return Ok(text.to_owned());
    };
    let there = there.unwrap_or(arn.region);
    match arn.is_out_of_reach_of(there) {
        Some(why) => Err(Invalid::new(format!("is {shown}, {why}"))),
        None if arn.region != there => Err(Invalid::new(format!(
            "is {shown}, a key in {}, and the bucket is in {there}: use a key in the bucket's \
             region; where the bucket is in another one than the function, set BACKSTOP_S3_REGION",
            arn.region
        ))),
        None => Ok(text.to_owned()),
    }
}

/// The KMS key that secrets are encrypted with. Each store uses one of its own region, and several stores
/// may be in several regions: only the partition is `here`, the function's.
pub(crate) fn token_key(text: &str, here: &str) -> Result<String, Invalid> {
    let shown = PRIMARY_TOKEN_KMS_KEY_ID.shown(text);
    let why = key_arn(text, &shown)?.and_then(|arn| arn.is_out_of_reach_of(here));
    match why {
        Some(why) => Err(Invalid::new(format!("is {shown}, {why}"))),
        None => Ok(text.to_owned()),
    }
}

/// The parts of a key's ARN; none for its id and its alias.
fn key_arn<'text>(text: &'text str, shown: &str) -> Result<Option<Arn<'text>>, Invalid> {
    let arn = Arn::parse(text).filter(|arn| arn.is_of("kms"));
    let is_key = match arn {
        Some(Arn { resource, .. }) => {
            resource.strip_prefix("key/").is_some_and(is_key_id) || is_key_alias(resource)
        }
        None => is_key_id(text) || is_key_alias(text),
    };
    if is_key {
        return Ok(arn);
    }
    Err(Invalid::new(format!(
        "is {shown}, not a KMS key: use its id, its alias (alias/NAME), or its ARN \
         (arn:aws:kms:REGION:ACCOUNT:key/ID)"
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
    Err(Invalid::new(format!(
        "is {}, not the id of an account: use its 12 digits",
        S3_EXPECTED_BUCKET_OWNER.shown(text)
    )))
}
