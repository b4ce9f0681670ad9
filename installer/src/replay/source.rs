//! Where the archive is: listing its objects and getting one.
//!
//! Invariant: everything below the archive's version folder is an object of the archive, whoever
//! wrote it: the extension (`account=…`) or Firehose (`stream=…`). Must not: write or delete.

use std::fmt;
use std::str::FromStr;

use aws_sdk_s3::Client;
use backstop_sinks::codec::archive::VERSION;

use super::object::LARGEST_OBJECT;
use crate::aws::explain;

/// A place in S3: `s3://bucket/prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The bucket.
    pub bucket: String,
    /// What keys begin with: the prefix of the archive, or anything below it.
    pub prefix: String,
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text
            .strip_prefix("s3://")
            .ok_or("write it as s3://bucket/prefix")?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        if bucket.is_empty() || !bucket.bytes().all(is_name) {
            return Err("it names no bucket: write it as s3://bucket/prefix".to_owned());
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_start_matches('/').to_owned(),
        })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "s3://{}/{}", self.bucket, self.prefix)
    }
}

impl Location {
    /// What the keys to list begin with. A prefix that is already inside the archive stays as it
    /// is, but for the slash that keeps `account=12` from meaning `account=123` as well.
    fn listed(&self) -> String {
        let prefix = &self.prefix;
        let is_inside = prefix.split('/').any(|folder| folder == VERSION);
        if !is_inside {
            let base = prefix.trim_end_matches('/');
            let slash = if base.is_empty() { "" } else { "/" };
            return format!("{base}{slash}{VERSION}/");
        }
        let last = prefix.rsplit('/').next().unwrap_or_default();
        let is_folder = last == VERSION || last.contains('=');
        let slash = if is_folder { "/" } else { "" };
        format!("{prefix}{slash}")
    }
}

/// The archive and the client that reads it.
#[derive(Debug, Clone)]
pub struct Archive {
    client: Client,
    location: Location,
    listed: String,
    owner: Option<String>,
}

/// An object in a listing.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) key: String,
}

impl Archive {
    /// The archive at `location`, read with `client`; `owner` is the account that has to own it.
    pub fn new(client: Client, location: Location, owner: Option<String>) -> Self {
        let listed = location.listed();
        Self {
            client,
            location,
            listed,
            owner,
        }
    }

    /// What is listed, for a reader.
    pub fn shown(&self) -> String {
        format!("s3://{}/{}", self.location.bucket, self.listed)
    }

    /// One page of the listing, and where the next one begins.
    pub(super) async fn page(
        &self,
        token: Option<String>,
    ) -> anyhow::Result<(Vec<Listed>, Option<String>)> {
        let page = self
            .client
            .list_objects_v2()
            .bucket(&self.location.bucket)
            .prefix(&self.listed)
            .set_expected_bucket_owner(self.owner.clone())
            .set_continuation_token(token)
            .send()
            .await
            .map_err(|error| explain(&format!("{} cannot be listed", self.shown()), &error))?;
        let objects = page
            .contents()
            .iter()
            // A "folder" made in the console is an empty object whose key ends with a slash.
            .filter_map(|object| object.key().filter(|key| !key.ends_with('/')))
            .map(|key| Listed {
                key: key.to_owned(),
            })
            .collect();
        Ok((objects, page.next_continuation_token))
    }

    /// The bytes of an object as they are stored.
    pub(super) async fn get(&self, key: &str) -> anyhow::Result<Vec<u8>> {
        let object = self
            .client
            .get_object()
            .bucket(&self.location.bucket)
            .key(key)
            .set_expected_bucket_owner(self.owner.clone())
            .send()
            .await
            .map_err(|error| explain("it cannot be read", &error))?;
        let size = object.content_length().unwrap_or_default();
        if u64::try_from(size).is_ok_and(|size| size > LARGEST_OBJECT) {
            anyhow::bail!("it is larger than {LARGEST_OBJECT} bytes");
        }
        let bytes = object
            .body
            .collect()
            .await
            .map_err(|error| anyhow::anyhow!("its transfer broke off: {error}"))?;
        Ok(bytes.into_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(text: &str) -> Location {
        text.parse().expect("it is a location")
    }

    #[test]
    fn a_prefix_of_the_archive_and_one_inside_it_are_both_understood() {
        for (text, listed) in [
            ("s3://b", "v1/"),
            ("s3://b/", "v1/"),
            ("s3://b/backstop", "backstop/v1/"),
            ("s3://b/backstop/", "backstop/v1/"),
            ("s3://b/a/c", "a/c/v1/"),
            ("s3://b/backstop/v1", "backstop/v1/"),
            ("s3://b/backstop/v1/", "backstop/v1/"),
            ("s3://b/v1/account=12", "v1/account=12/"),
            (
                "s3://b/v1/stream=s/dt=2026-01-31/",
                "v1/stream=s/dt=2026-01-31/",
            ),
            (
                "s3://b/v1/account=1/x.ndjson.gz",
                "v1/account=1/x.ndjson.gz",
            ),
        ] {
            assert_eq!(location(text).listed(), listed, "{text}");
        }
    }

    #[test]
    fn what_is_no_location_is_refused_with_the_form_it_has() {
        for text in [
            "b/prefix",
            "s3://",
            "s3:///prefix",
            "https://b/p",
            "s3://a b/p",
        ] {
            let error = text.parse::<Location>().expect_err("it is not one");
            assert!(error.contains("s3://bucket/prefix"), "{text}: {error}");
        }
    }
}
