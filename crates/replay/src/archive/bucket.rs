//! A bucket: what is in a folder of it. `transfer` reads the objects.
//!
//! Invariant: a key is what S3 holds, whatever characters are in it. Must not: write, delete or restore
//! anything, which is the part of `marks`.

use anyhow::bail;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{EncodingType, Object, OptionalObjectAttributes, RequestPayer};
use backstop_archive::Moment;
use backstop_common::parsing::nearest;
use backstop_common::{Marker, explain};

use super::encoded::key;
use super::listed::Listed;
use super::location::{Location, Scope};

/// Folders to search for the one that was meant.
const MOST_FOLDERS: usize = 1000;
/// Classes whose objects must be restored before they can be read.
const FROZEN: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

/// A bucket, or a part of one, and the client that reads it.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    pub(super) client: Client,
    pub(super) location: Location,
    pub(super) scope: Scope,
    pub(super) options: ArchiveOptions,
}

/// How it is read.
#[derive(Debug, Clone, Default)]
pub struct ArchiveOptions {
    /// The account that has to own the bucket.
    pub expected_owner: Option<String>,
    /// Whether the caller pays for the requests.
    pub requester_pays: bool,
}

/// What to list.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Query<'a> {
    /// What keys begin with.
    pub(super) prefix: &'a str,
    /// Folders stand for what is in them.
    pub(super) has_folders: bool,
    /// Only keys behind this one.
    pub(super) after: Option<&'a str>,
    /// The most keys, where that is fewer than usual.
    pub(super) most: Option<i32>,
}

/// One page of a listing.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) objects: Vec<Listed>,
    pub(super) folders: Vec<String>,
    pub(super) next: Option<String>,
}

impl Bucket {
    pub(super) fn new(client: Client, location: Location, options: ArchiveOptions) -> Self {
        Self {
            client,
            scope: location.scope(),
            location,
            options,
        }
    }

    /// What is listed, for a reader.
    pub(super) fn shown(&self) -> String {
        format!("s3://{}/{}", self.location.bucket, self.scope.listed)
    }

    pub(super) fn payer(&self) -> Option<RequestPayer> {
        (self.options.requester_pays).then_some(RequestPayer::Requester)
    }

    /// The one object that is meant, where it is one.
    pub(super) async fn one(&self) -> anyhow::Result<Option<Listed>> {
        if !self.location.may_be_key() {
            return Ok(None);
        }
        let query = Query {
            prefix: &self.location.prefix,
            most: Some(1),
            ..Query::default()
        };
        let objects = self.list(query, None).await?.objects;
        Ok(objects
            .into_iter()
            .find(|it| it.key == self.location.prefix))
    }

    /// What is in a folder: its folders, and the objects beside them.
    pub(super) async fn folder(&self, prefix: &str) -> anyhow::Result<(Vec<String>, Vec<Listed>)> {
        let query = Query {
            prefix,
            has_folders: true,
            ..Query::default()
        };
        let (mut folders, mut objects) = (Vec::new(), Vec::new());
        let mut marker = Marker::default();
        loop {
            let page = self.list(query, marker.current()).await?;
            folders.extend(page.folders);
            objects.extend(page.objects);
            if !marker.advance(&format!("listing {}", self.shown()), page.next.as_deref())? {
                return Ok((folders, objects));
            }
        }
    }

    /// One page of a listing.
    pub(super) async fn list(
        &self,
        query: Query<'_>,
        token: Option<String>,
    ) -> anyhow::Result<Answer> {
        let page = self
            .client
            .list_objects_v2()
            .bucket(&self.location.bucket)
            .prefix(query.prefix)
            .set_delimiter(query.has_folders.then(|| "/".to_owned()))
            .set_start_after(query.after.map(str::to_owned))
            // XML cannot hold every character that a key may.
            .encoding_type(EncodingType::Url)
            .optional_object_attributes(OptionalObjectAttributes::RestoreStatus)
            .set_max_keys(query.most)
            .set_expected_bucket_owner(self.options.expected_owner.clone())
            .set_request_payer(self.payer())
            .set_continuation_token(token)
            .send()
            .await
            .map_err(|error| explain(&format!("{} cannot be listed", self.shown()), &error))?;
        if page.name().is_none() && page.contents().is_empty() {
            // A page of something else reads as a listing of nothing.
            bail!(
                "{} cannot be listed: the answer is not from S3\ncheck the proxy and the AWS endpoint URL",
                self.shown()
            );
        }
        let is_encoded = page.encoding_type() == Some(&EncodingType::Url);
        let folders = page.common_prefixes().iter();
        Ok(Answer {
            objects: (page.contents().iter())
                .filter_map(|object| listed(object, is_encoded))
                // A "folder" made in the console is an empty object whose key ends with a slash.
                .filter(|object| object.bytes > 0 || !object.key.ends_with('/'))
                .collect(),
            folders: folders
                .filter_map(|folder| Some(key(folder.prefix()?, is_encoded)))
                .collect(),
            next: page.next_continuation_token,
        })
    }

    /// Where something is that was probably meant, as nothing is here.
    pub(super) async fn nearest(&self) -> Option<String> {
        let prefix = self.location.prefix.trim_end_matches('/');
        let (parent, name) = prefix
            .rsplit_once('/')
            .map_or(("", prefix), |(parent, name)| (parent, name));
        let parent = if parent.is_empty() {
            String::new()
        } else {
            format!("{parent}/")
        };
        let page = self
            .client
            .list_objects_v2()
            .bucket(&self.location.bucket)
            .prefix(&parent)
            .delimiter("/")
            .encoding_type(EncodingType::Url)
            .set_expected_bucket_owner(self.options.expected_owner.clone())
            .set_request_payer(self.payer())
            .send()
            .await
            .ok()?;
        let is_encoded = page.encoding_type() == Some(&EncodingType::Url);
        let folders: Vec<String> = (page.common_prefixes().iter().take(MOST_FOLDERS))
            .filter_map(|folder| {
                let folder = key(folder.prefix()?, is_encoded);
                let name = folder.strip_prefix(&parent)?.trim_end_matches('/');
                Some(name.to_owned())
            })
            .filter(|folder| folder != name)
            .collect();
        let meant = nearest(name, folders.iter().map(String::as_str))?;
        Some(format!("s3://{}/{parent}{meant}", self.location.bucket))
    }

    /// Whether a listing has the key.
    pub(super) async fn is_listed(&self, key: &str) -> anyhow::Result<bool> {
        let query = Query {
            prefix: key,
            most: Some(1),
            ..Query::default()
        };
        let objects = self.list(query, None).await?.objects;
        Ok(objects.iter().any(|it| it.key == key))
    }
}

/// An object of a listing.
fn listed(object: &Object, is_encoded: bool) -> Option<Listed> {
    let class = object
        .storage_class()
        .map(|class| class.as_str().to_owned());
    let status = object.restore_status();
    let is_restored = status.is_some_and(|it| it.restore_expiry_date().is_some());
    let is_frozen = class
        .as_deref()
        .is_some_and(|class| FROZEN.contains(&class));
    Some(Listed {
        key: key(object.key()?, is_encoded),
        bytes: u64::try_from(object.size().unwrap_or_default()).unwrap_or_default(),
        written: (object.last_modified())
            .and_then(|at| at.to_millis().ok())
            .map(Moment),
        etag: object.e_tag().map(str::to_owned),
        is_frozen: is_frozen && !is_restored,
        class,
        path: None,
    })
}
