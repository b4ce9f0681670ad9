//! Where an archive is, as it is typed, and what of a bucket that means.
//!
//! Invariant: an archive is everything below its version folder that the extension (`account=…`) or
//! Firehose (`stream=…`) wrote there; a prefix means a folder, never a part of a name, so that `prod`
//! does not mean `prod-eu`. Must not: connect.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use backstop_archive::VERSION;
use backstop_config::Arn;

const FORM: &str = "write it as s3://bucket/prefix";

/// Where an archive is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Bucket(Location),
    /// In a directory, or a file of one.
    Path(PathBuf),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("s3://") {
            return text.parse().map(Self::Bucket);
        }
        if text.is_empty() || text.contains("://") {
            return Err(format!("{FORM}, or give a directory"));
        }
        Ok(Self::Path(PathBuf::from(text)))
    }
}

/// A place in S3: `s3://bucket/prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The bucket, or the ARN or alias of an access point.
    pub bucket: String,
    /// What keys begin with: the prefix of the archive, or anything below it.
    pub prefix: String,
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("s3://").ok_or(FORM)?;
        let (bucket, prefix) = if rest.starts_with("arn:") {
            access_point(rest)?
        } else {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            if bucket.is_empty() || !bucket.bytes().all(is_name) {
                return Err(format!("no bucket: {FORM}"));
            }
            (bucket, prefix)
        };
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_start_matches('/').to_owned(),
        })
    }
}

/// `arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME`, and the prefix that follows.
fn access_point(text: &str) -> Result<(&str, &str), String> {
    const AP_FORM: &str = "write an access point as \
        s3://arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME/prefix, or use its alias";
    let Arn {
        service,
        region,
        resource,
        ..
    } = Arn::parse(text).ok_or(AP_FORM)?;
    if service != "s3" {
        return Err(format!(
            "Backstop cannot list an ARN of {service}: give the bucket or an S3 access point"
        ));
    }
    let name = (resource.strip_prefix("accesspoint/"))
        .or_else(|| resource.strip_prefix("accesspoint:"))
        .ok_or(AP_FORM)?;
    if region.is_empty() {
        return Err(
            "a multi-region access point needs SigV4A, which Backstop does not support: give the \
             bucket, or an access point of one region"
                .to_owned(),
        );
    }
    let (name, prefix) = name.split_once('/').unwrap_or((name, ""));
    let end = text.len() - prefix.len();
    let arn = text[..end].trim_end_matches('/');
    if name.is_empty() {
        return Err(AP_FORM.to_owned());
    }
    Ok((arn, prefix))
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "s3://{}/{}", self.bucket, self.prefix)
    }
}

impl Location {
    /// Where the archive's version folder is, and what its keys have to begin with.
    pub(super) fn scope(&self) -> Scope {
        let prefix = self.prefix.trim_end_matches('/');
        let folders: Vec<&str> = prefix.split('/').collect();
        let version = (0..folders.len()).find(|at| {
            // A folder may be called so without being the archive's: then no writer is below it.
            folders[*at] == VERSION && folders.get(at + 1).is_none_or(|it| is_writer(it))
        });
        let slash = if prefix.is_empty() { "" } else { "/" };
        if let Some(at) = version {
            return Scope {
                is_inside: true,
                root: folders[..=at].join("/") + "/",
                listed: format!("{prefix}/"),
                is_below: at + 1 < folders.len(),
            };
        }
        let root = format!("{prefix}{slash}{VERSION}/");
        Scope {
            is_inside: false,
            listed: root.clone(),
            root,
            is_below: false,
        }
    }

    /// Whether it may be the key of one object, and not a folder's.
    pub(super) fn may_be_key(&self) -> bool {
        let last = self.prefix.rsplit('/').next().unwrap_or_default();
        let is_folder = last.is_empty() || last == VERSION || last.contains('=');
        !is_folder && (self.scope().is_below || last.contains('.'))
    }
}

/// Whether a folder of the version is the extension's or a stream's.
pub(super) fn is_writer(folder: &str) -> bool {
    folder.starts_with("account=") || folder.starts_with("stream=")
}

/// What of a bucket is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    /// The archive's version folder, with its slash.
    pub(super) root: String,
    /// What the keys to list begin with.
    pub(super) listed: String,
    /// The version folder, or something in it, was typed.
    is_inside: bool,
    /// Only a part of the archive is meant.
    is_below: bool,
}

impl Scope {
    /// Whether the object is one of the archive.
    pub(super) fn holds(&self, key: &str) -> bool {
        key.strip_prefix(&self.root).is_some_and(is_writer)
    }

    /// Whether the version folder, or something in it, was typed.
    pub(super) fn is_inside(&self) -> bool {
        self.is_inside
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
            ("s3://b/v1/stream=s/dt=2026-01", "v1/stream=s/dt=2026-01/"),
            // A folder of that name that is not the archive's own.
            ("s3://b/telemetry/v1/prod", "telemetry/v1/prod/v1/"),
            ("s3://b/telemetry/v1/prod/", "telemetry/v1/prod/v1/"),
            ("s3://b/a/v1/prod/v1/stream=s", "a/v1/prod/v1/stream=s/"),
            (
                "s3://arn:aws:s3:eu-west-1:111122223333:accesspoint/logs/backstop",
                "backstop/v1/",
            ),
        ] {
            assert_eq!(location(text).scope().listed, listed, "{text}");
        }
    }

    #[test]
    fn what_nobody_wrote_for_the_archive_is_not_of_it() {
        let scope = location("s3://b/backstop/v1").scope();
        for (key, is) in [
            ("backstop/v1/account=1/region=r/x.gz", true),
            ("backstop/v1/stream=s/dt=2026-01-31/hour=08/x", true),
            ("backstop/v1/prod/v1/stream=s/x", false),
            ("backstop/v1/x.gz", false),
            ("backstop/v1-old/stream=s/x", false),
        ] {
            assert_eq!(scope.holds(key), is, "{key}");
        }
        for (text, is) in [
            ("s3://b/v1/account=1/x.ndjson.gz", true),
            ("s3://b/v1/stream=s/dt=2026-01-31/hour=08/telemetry-1", true),
            ("s3://b/backstop/dump.gz", true),
            ("s3://b/backstop", false),
            ("s3://b/backstop/v1", false),
            ("s3://b/v1/account=1", false),
            ("s3://b/my.logs/", false),
        ] {
            assert_eq!(location(text).may_be_key(), is, "{text}");
        }
    }

    #[test]
    fn access_points_are_understood_or_told_why_not() {
        let arn = "arn:aws:s3:eu-west-1:111122223333:accesspoint/logs";
        for (text, prefix) in [
            (format!("s3://{arn}"), ""),
            (format!("s3://{arn}/"), ""),
            (format!("s3://{arn}/a/b"), "a/b"),
        ] {
            let found = location(&text);
            assert_eq!(
                (found.bucket.as_str(), found.prefix.as_str()),
                (arn, prefix)
            );
        }
        assert_eq!(
            location("s3://logs-abc-s3alias/p").bucket,
            "logs-abc-s3alias"
        );
        for (text, part) in [
            (
                "s3://arn:aws:s3:eu-west-1:111122223333:accesspoint/",
                "accesspoint/NAME",
            ),
            ("s3://arn:aws:s3:::bucket/prefix", "accesspoint/NAME"),
            ("s3://arn:aws:s3::111122223333:accesspoint/m.mrap", "SigV4A"),
            (
                "s3://arn:aws:s3-object-lambda:eu-west-1:1:accesspoint/x",
                "an ARN of s3-object-lambda",
            ),
            ("s3://arn:", "accesspoint/NAME"),
        ] {
            let error = text.parse::<Location>().expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
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
