//! Where runs are kept: a directory of this machine, or a prefix in a bucket that many machines share.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

const SCHEME: &str = "s3://";

/// A directory, or a bucket and a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// Of this machine.
    Directory(PathBuf),
    Bucket {
        /// The bucket's name.
        bucket: String,
        /// What all keys begin with; empty, or without slashes around it.
        prefix: String,
    },
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix(SCHEME) else {
            return match text.split_once("://") {
                Some((scheme, _)) => Err(format!(
                    "Backstop cannot keep runs at {scheme}://: give a directory, or \
                     s3://BUCKET/PREFIX"
                )),
                None if text.is_empty() => {
                    Err("give a directory, or s3://BUCKET/PREFIX".to_owned())
                }
                None => Ok(Self::Directory(PathBuf::from(text))),
            };
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_bucket = (3..=63).contains(&bucket.len())
            && bucket
                .bytes()
                .all(|byte| is_name(byte) || b".-".contains(&byte));
        if !is_bucket {
            return Err(format!(
                "`{bucket}` is not a bucket name: write s3://BUCKET/PREFIX"
            ));
        }
        let prefix = prefix.trim_matches('/');
        let is_odd = |part: &str| part.is_empty() || part == "." || part == "..";
        if !prefix.is_empty() && prefix.split('/').any(is_odd)
            || prefix.chars().any(char::is_control)
        {
            return Err(format!(
                "the prefix after s3://{bucket}/ has an empty part, `.` or `..`, or a control \
                 character"
            ));
        }
        Ok(Self::Bucket {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => path.display().fmt(formatter),
            Self::Bucket { bucket, prefix } if prefix.is_empty() => {
                write!(formatter, "{SCHEME}{bucket}")
            }
            Self::Bucket { bucket, prefix } => write!(formatter, "{SCHEME}{bucket}/{prefix}"),
        }
    }
}

impl Location {
    /// The same, where a relative directory is below another one.
    #[must_use]
    pub fn below(self, directory: &Path) -> Self {
        match self {
            Self::Directory(path) => Self::Directory(directory.join(path)),
            bucket @ Self::Bucket { .. } => bucket,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_directory_or_a_prefix_in_a_bucket() {
        for (text, shown) in [
            ("s3://state", "s3://state"),
            ("s3://state/", "s3://state"),
            ("s3://state/backstop/prod/", "s3://state/backstop/prod"),
            ("./state", "./state"),
            ("/var/lib/backstop", "/var/lib/backstop"),
        ] {
            let location: Location = text.parse().expect(text);
            assert_eq!(location.to_string(), shown);
        }
        for wrong in [
            "",
            "s3://",
            "s3:///prefix",
            "s3://My_Bucket/prefix",
            "s3://state/../other",
            "s3://state/a//b",
            "s3://state/a\n",
            "https://state.s3.amazonaws.com/",
            "gs://state",
        ] {
            assert!(wrong.parse::<Location>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_relative_directory_is_below_that_of_the_file_that_names_it() {
        let below = |text: &str| {
            let location: Location = text.parse().expect(text);
            location.below(Path::new("/etc")).to_string()
        };
        assert_eq!(below("state"), "/etc/state");
        assert_eq!(below("/state"), "/state");
        assert_eq!(below("s3://state/x"), "s3://state/x");
    }
}
