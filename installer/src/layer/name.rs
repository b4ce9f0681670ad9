//! The name of a Backstop layer: `backstop-extension-arm64-0-1-0`.
//!
//! The release is in the name, because version numbers of a layer count by region: the same release
//! is `:1` here and `:4` there. Invariant: a name that is made here is ours for
//! [`is_ours`](crate::change::is_ours).

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::Architecture;
use crate::change::LAYER_PREFIX;

/// Names of layers are short.
const MOST_CHARACTERS: usize = 40;

/// A semantic version. The order is total: of two releases the one without anything behind a hyphen is
/// the newer one, and build metadata decides last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release(semver::Version);

impl Release {
    /// That of this program.
    pub const CURRENT: &str = env!("CARGO_PKG_VERSION");

    /// The name of the layer.
    pub fn layer_name(&self, architecture: Architecture) -> String {
        let release = self.to_string().replace(['.', '+'], "-");
        format!("{LAYER_PREFIX}{architecture}-{release}")
    }

    /// Whether it is older than this program; none where it is this program's own.
    pub fn is_older(&self) -> Option<bool> {
        let own: Option<Self> = Self::CURRENT.parse().ok();
        own.filter(|own| own != self).map(|own| *self < own)
    }
}

impl FromStr for Release {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let version = semver::Version::parse(text).ok();
        version
            .filter(|_| text.len() <= MOST_CHARACTERS)
            .map(Self)
            .ok_or_else(|| "write it as MAJOR.MINOR.PATCH, such as 0.1.0 or 0.2.0-rc.1".to_owned())
    }
}

impl fmt::Display for Release {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Serialize for Release {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// What a layer's version says of itself.
pub(super) fn description(release: &Release, sha256: &str) -> String {
    format!("Backstop extension {release}, sha256 {sha256}")
}

/// Architecture and release of a layer's version; none where it is not ours.
///
/// The name alone does not tell `0.1.0-rc.1` from `0.1.0+rc.1`: the description does, where it is ours.
pub(crate) fn parse_name(name: &str, described: Option<&str>) -> Option<(Architecture, Release)> {
    let rest = name.strip_prefix(LAYER_PREFIX)?;
    let (architecture, release) = [Architecture::X86_64, Architecture::Arm64]
        .into_iter()
        .find_map(|architecture| {
            let release = rest
                .strip_prefix(&architecture.to_string())?
                .strip_prefix('-')?;
            Some((architecture, release))
        })?;
    let given = described
        .and_then(|text| text.strip_prefix("Backstop extension "))
        .and_then(|text| text.split(',').next())
        .and_then(|text| text.parse::<Release>().ok())
        .filter(|given| given.layer_name(architecture) == name);
    let release = given.or_else(|| from_name(release))?;
    Some((architecture, release))
}

/// `0.2.0-rc.1` from `0-2-0-rc-1`.
fn from_name(text: &str) -> Option<Release> {
    let mut parts = text.splitn(4, '-');
    let numbers: Vec<&str> = parts.by_ref().take(3).collect();
    let pre = parts
        .next()
        .map(|pre| format!("-{}", pre.replace('-', ".")));
    let release = format!("{}{}", numbers.join("."), pre.unwrap_or_default());
    release.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::is_ours;

    fn release(text: &str) -> Release {
        text.parse().expect("it is a release")
    }

    #[test]
    fn a_name_says_release_and_architecture_and_is_ours() {
        for (text, name) in [
            ("0.1.0", "backstop-extension-arm64-0-1-0"),
            ("1.20.3-rc.1", "backstop-extension-arm64-1-20-3-rc-1"),
            ("1.0.0+build.5", "backstop-extension-arm64-1-0-0-build-5"),
        ] {
            let release = release(text);
            assert_eq!(release.layer_name(Architecture::Arm64), name);
            let arn = format!("arn:aws:lambda:eu-west-1:111122223333:layer:{name}:7");
            assert!(is_ours(&arn), "{arn}");
            let described = description(&release, "00");
            assert_eq!(
                parse_name(name, Some(&described)),
                Some((Architecture::Arm64, release))
            );
        }
    }

    #[test]
    fn a_name_is_read_without_its_description_and_against_one_of_somebody_else() {
        for described in [
            None,
            Some("mine"),
            Some("Backstop extension 9.9.9, sha256 00"),
        ] {
            let parsed = parse_name("backstop-extension-x86_64-0-2-0-rc-1", described);
            assert_eq!(parsed, Some((Architecture::X86_64, release("0.2.0-rc.1"))));
        }
        for other in [
            "backstop-extension-arm64",
            "backstop-extension-mips-0-1-0",
            "backstop-extension-arm64-0-1",
            "alpha",
        ] {
            assert_eq!(parse_name(other, None), None, "{other}");
        }
    }

    #[test]
    fn releases_are_in_their_order() {
        let ascending = [
            "0.1.0-alpha",
            "0.1.0-rc.2",
            "0.1.0-rc.10",
            "0.1.0",
            "0.1.0+build.1",
            "0.2.0",
            "0.10.0",
            "1.0.0",
        ];
        assert!(ascending.map(release).is_sorted());
    }

    #[test]
    fn a_release_is_older_or_newer_than_this_program_or_the_same() {
        let own: semver::Version = Release::CURRENT.parse().expect("it is a version");
        assert_eq!(release(Release::CURRENT).is_older(), None);
        let next = format!("{}.{}.{}", own.major, own.minor, own.patch + 1);
        for (text, is_older) in [
            (next.clone(), false),
            // Of a newer version a candidate is newer, too.
            (format!("{next}-rc.1"), false),
            ("0.0.1".to_owned(), true),
            (
                format!("{}.{}.{}-rc.1", own.major, own.minor, own.patch),
                true,
            ),
        ] {
            assert_eq!(release(&text).is_older(), Some(is_older), "{text}");
        }
    }

    #[test]
    fn what_is_no_release_is_refused() {
        for bad in [
            "",
            "1",
            "1.2",
            "1.2.3.4",
            "v1.2.3",
            "1.2.x",
            "1.2.3-",
            "1.2.3-rc.01",
            "01.2.3",
            "1.2.3-a_b",
            "1.2.3+",
            "1.2.3-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert!(bad.parse::<Release>().is_err(), "{bad}");
        }
    }
}
