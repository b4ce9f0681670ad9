//! What is known of an answer beyond its status, for the line an operator reads.
//!
//! Invariant: none of it is text that a server sent. A code is one of those a sink knows, a region has
//! the strict form of one, and all else is a word of this program: a server that sends a credential
//! back cannot get it into a log through here. All of it is bounded and cheap to copy.

use std::fmt;

/// What is known beyond the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// The service's own code.
    Code(&'static str),
    /// The service's own code for a request whose time it does not accept: a clock is wrong.
    Clock(&'static str),
    /// The bucket is in another region, which the service may have named.
    Region {
        /// The service's own code, where it sent one.
        code: Option<&'static str>,
        /// The region of the bucket.
        region: Option<RegionName>,
    },
    /// There are no credentials.
    NoCredentials(NoCredentials),
    /// There is no secret.
    NoSecret(NoSecret),
}

impl Detail {
    /// The service's own code.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Code(code) | Self::Clock(code) => Some(code),
            Self::Region { code, .. } => *code,
            Self::NoCredentials(_) => None,
            Self::NoSecret(why) => why.code,
        }
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) | Self::Clock(code) => formatter.write_str(code),
            Self::Region { code, region } => {
                if let Some(code) = code {
                    write!(formatter, "{code}: ")?;
                }
                match region {
                    Some(region) => write!(formatter, "the bucket is in {region}"),
                    None => formatter.write_str("the bucket is in another region"),
                }
            }
            Self::NoCredentials(why) => why.fmt(formatter),
            Self::NoSecret(why) => why.fmt(formatter),
        }
    }
}

/// Where credentials were looked for, and why there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoCredentials {
    pub what: &'static str,
    /// The status that the source of credentials answered with.
    pub status: Option<u16>,
}

impl NoCredentials {
    /// Credentials that are not there because of this.
    pub fn new(what: &'static str) -> Self {
        Self { what, status: None }
    }
}

impl fmt::Display for NoCredentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "no credentials: {}", self.what)?;
        match self.status {
            Some(status) => write!(formatter, " {status}"),
            None => Ok(()),
        }
    }
}

/// Where a secret was looked for, and why it is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSecret {
    /// The store that was asked, by its name; none where it was the answer to no one question.
    pub store: &'static str,
    pub what: &'static str,
    /// The status that the store answered with.
    pub status: Option<u16>,
    /// The store's own code.
    pub code: Option<&'static str>,
    /// Whether asking again may help, without a person's doing.
    pub may_pass: bool,
    /// The store used up the time that there was.
    pub timed_out: bool,
}

impl NoSecret {
    /// A store that could not be asked, or whose answer is of no use, because of this.
    pub fn new(store: &'static str, what: &'static str) -> Self {
        Self {
            store,
            what,
            status: None,
            code: None,
            may_pass: false,
            timed_out: false,
        }
    }

    /// The same, where it may be otherwise the next time.
    pub fn passing(store: &'static str, what: &'static str) -> Self {
        Self {
            may_pass: true,
            ..Self::new(store, what)
        }
    }

    /// A store that did not answer in time.
    pub fn timed_out(store: &'static str) -> Self {
        Self {
            timed_out: true,
            ..Self::passing(store, "did not answer in time")
        }
    }
}

impl fmt::Display for NoSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "no secret: {} {}", self.store, self.what)?;
        match (self.status, self.code) {
            (Some(status), Some(code)) => write!(formatter, " {status} {code}"),
            (Some(status), None) => write!(formatter, " {status}"),
            (None, Some(code)) => write!(formatter, " {code}"),
            (None, None) => Ok(()),
        }
    }
}

/// The name of an AWS region.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RegionName {
    bytes: [u8; Self::LONGEST],
    length: u8,
}

impl RegionName {
    const LONGEST: usize = 24;
    const DIRECTIONS: &[&str] = &[
        "north",
        "south",
        "east",
        "west",
        "central",
        "northeast",
        "northwest",
        "southeast",
        "southwest",
    ];

    /// A name in the form that all regions have: an area, what partition it is of, a direction and a
    /// number, as in `us-gov-west-1`.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('-').collect();
        let is_word = |word: &str, longest| {
            (2..=longest).contains(&word.len()) && word.bytes().all(|it| it.is_ascii_lowercase())
        };
        let (area, kind, direction, number) = match parts[..] {
            [area, direction, number] => (area, None, direction, number),
            [area, kind, direction, number] => (area, Some(kind), direction, number),
            _ => return None,
        };
        let is_region = is_word(area, 4)
            && kind.is_none_or(|kind| is_word(kind, 4))
            && Self::DIRECTIONS.contains(&direction)
            && (1..=2).contains(&number.len())
            && number.bytes().all(|it| it.is_ascii_digit());
        if !is_region {
            return None;
        }
        let mut bytes = [0; Self::LONGEST];
        bytes
            .get_mut(..text.len())?
            .copy_from_slice(text.as_bytes());
        Some(Self {
            bytes,
            length: u8::try_from(text.len()).ok()?,
        })
    }

    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length));
        std::str::from_utf8(bytes.unwrap_or_default()).unwrap_or_default()
    }
}

impl fmt::Display for RegionName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for RegionName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::{Detail, NoCredentials, NoSecret, RegionName};

    #[test]
    fn only_what_has_the_form_of_a_region_is_one() {
        for name in [
            "us-east-1",
            "ap-southeast-7",
            "us-gov-west-1",
            "us-isob-east-1",
            "eusc-de-east-1",
            "mx-central-1",
            "il-central-1",
            "us-gov-northwest-12",
        ] {
            let region = RegionName::parse(name).unwrap_or_else(|| panic!("{name} is one"));
            assert_eq!(region.as_str(), name);
        }
        for text in [
            "",
            "hunter2",
            "us-east",
            "us-east-x",
            "us-east-123",
            "US-EAST-1",
            "secret-word-east-1",
            "us-secret-1",
            "a-b-c-d-e",
            "us-east-1\n",
        ] {
            assert_eq!(RegionName::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_detail_reads_as_a_clause() {
        let region = Detail::Region {
            code: Some("PermanentRedirect"),
            region: RegionName::parse("us-east-2"),
        };
        assert_eq!(
            region.to_string(),
            "PermanentRedirect: the bucket is in us-east-2"
        );
        let unknown = Detail::Region {
            code: None,
            region: None,
        };
        assert_eq!(unknown.to_string(), "the bucket is in another region");
        let refused = NoCredentials {
            status: Some(500),
            ..NoCredentials::new("the container endpoint answered")
        };
        assert_eq!(
            Detail::NoCredentials(refused).to_string(),
            "no credentials: the container endpoint answered 500"
        );
        assert_eq!(Detail::NoCredentials(refused).code(), None);
        let denied = NoSecret {
            status: Some(400),
            code: Some("AccessDeniedException"),
            ..NoSecret::new("KMS", "answered")
        };
        assert_eq!(
            Detail::NoSecret(denied).to_string(),
            "no secret: KMS answered 400 AccessDeniedException"
        );
        assert_eq!(
            Detail::NoSecret(denied).code(),
            Some("AccessDeniedException")
        );
        assert_eq!(Detail::Clock("ExpiredToken").code(), Some("ExpiredToken"));
    }
}
