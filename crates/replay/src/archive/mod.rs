//! An archive, in a bucket or in a directory: what it holds, and its lines.
//!
//! `location` is the place that was typed, `listing` finds the objects that a filter may want, in a
//! `bucket` or a `directory`; `object` reads one, and `transfer` gets its bytes from a bucket. [`ls`], [`cat`]
//! and [`stats`] give what is there; [`crate::replay`] sends it.
//!
//! Invariants: what is damaged or foreign costs nothing but itself, and is named; what is held does not grow
//! with an object. Must not: change the archive, but for `marks`, or print.

mod bucket;
mod cat;
mod directory;
mod encoded;
mod listed;
mod listing;
mod location;
mod ls;
mod marks;
mod object;
mod reading;
mod stats;
mod transfer;

use aws_sdk_s3::Client;
use backstop_archive::Filter;

pub use bucket::ArchiveOptions;
use bucket::Bucket;
pub use cat::cat;
use directory::Directory;
pub use listed::{Listed, Page};
pub use listing::Listing;
pub use location::{Location, Place};
pub use ls::ls;
pub use marks::After;
use object::Source;
pub use object::{Loaded, ObjectReader};
pub use reading::{Objects, Sums, Watch};
pub use stats::{Holdings, stats};
pub use transfer::{Denied, InGlacier, Missing};

/// An archive that can be read.
#[derive(Debug, Clone)]
pub struct Archive(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Bucket(Bucket),
    Directory(Directory),
}

impl Archive {
    /// The archive in a bucket, read with `client`.
    pub fn in_bucket(client: Client, location: Location, options: ArchiveOptions) -> Self {
        Self(Kind::Bucket(Bucket::new(client, location, options)))
    }

    /// The archive in a directory, or a file of one.
    pub fn in_directory(path: &std::path::Path) -> anyhow::Result<Self> {
        Ok(Self(Kind::Directory(Directory::new(path)?)))
    }

    /// What is listed, for a reader.
    pub fn shown(&self) -> String {
        match &self.0 {
            Kind::Bucket(bucket) => bucket.shown(),
            Kind::Directory(directory) => directory.shown(),
        }
    }

    /// Where it is in S3.
    pub fn location(&self) -> Option<&Location> {
        match &self.0 {
            Kind::Bucket(bucket) => Some(&bucket.location),
            Kind::Directory(_) => None,
        }
    }

    /// Whether a key is one that the extension or Firehose wrote to this archive.
    pub fn holds(&self, key: &str) -> bool {
        match &self.0 {
            Kind::Bucket(bucket) => bucket.scope.holds(key),
            Kind::Directory(_) => true,
        }
    }

    /// Begins to list what a filter may want.
    pub fn list(&self, filter: &Filter) -> Listing {
        self.list_after(filter, None)
    }

    /// The same behind a key of a bucket: what comes before it is not asked for.
    pub(crate) fn list_after(&self, filter: &Filter, after: Option<&str>) -> Listing {
        let after = after.map(str::to_owned);
        match self.0.clone() {
            Kind::Bucket(bucket) => Listing::of_bucket(bucket, filter.clone(), after),
            Kind::Directory(directory) => Listing::of_directory(directory, filter.clone()),
        }
    }

    /// Begins to read an object.
    pub async fn open<'a>(&'a self, object: &'a Listed) -> anyhow::Result<ObjectReader<'a>> {
        let source = match (&self.0, &object.path) {
            (Kind::Bucket(bucket), _) => Source::Bucket(Box::new(bucket.open(object).await?)),
            (Kind::Directory(_), Some(path)) => Source::file(path).await?,
            (Kind::Directory(_), None) => anyhow::bail!("it is not a file"),
        };
        Ok(ObjectReader::new(source))
    }

    /// Reads all of an object, which is small, as it is stored.
    pub async fn load(&self, object: &Listed) -> anyhow::Result<Loaded> {
        Ok(self.open(object).await?.load().await)
    }

    /// Whether it is in a directory.
    pub fn is_directory(&self) -> bool {
        matches!(self.0, Kind::Directory(_))
    }

    /// Whether an object with this number of tags says that it was replayed to a target.
    pub async fn is_replayed(&self, object: &Listed, tags: u64, target: &str) -> bool {
        match &self.0 {
            Kind::Bucket(bucket) if tags > 0 => bucket.is_replayed(object, target).await,
            Kind::Bucket(_) | Kind::Directory(_) => false,
        }
    }

    /// Marks an object as replayed to a target, in this way.
    pub async fn mark(
        &self,
        object: &Listed,
        tags: u64,
        target: &str,
        after: After,
    ) -> anyhow::Result<()> {
        match &self.0 {
            Kind::Bucket(bucket) => bucket.mark(object, tags, target, after).await,
            Kind::Directory(_) => Ok(()),
        }
    }

    /// Where something is that was probably meant, as nothing is here.
    pub async fn nearest(&self) -> Option<String> {
        match &self.0 {
            Kind::Bucket(bucket) => bucket.nearest().await,
            Kind::Directory(_) => None,
        }
    }
}
