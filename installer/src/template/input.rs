//! What is typed for the template, checked as the Terraform module checks it.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use backstop_config::Arn;

/// So that the role's name, of 64 characters, has room for what is added to it.
const MOST_NAME_CHARACTERS: usize = 55;
/// What `CloudWatch` offers.
const LOG_RETENTION: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

macro_rules! text {
    ($(#[$about:meta])* $name:ident) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl Deref for $name {
            type Target = String;

            fn deref(&self) -> &String {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

text! {
    /// A name for a delivery stream and what belongs to it.
    Name
}
text! {
    /// The prefix of an archive's keys.
    Prefix
}
text! {
    /// The ARN of a KMS key.
    KeyArn
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let begins = text
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphanumeric());
        if begins && text.len() <= MOST_NAME_CHARACTERS && text.bytes().all(is_part) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "use 1 to {MOST_NAME_CHARACTERS} letters, digits, hyphens and underscores, and begin with \
             a letter or digit"
        ))
    }
}

impl FromStr for Prefix {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        let is_valid = |part: &str| !part.is_empty() && part.bytes().all(is_part);
        if text.split('/').all(is_valid) {
            return Ok(Self(text.to_owned()));
        }
        Err(
            "use letters, digits, dots, hyphens and underscores, with single slashes between parts \
             and none at the ends",
        )
    }
}

impl FromStr for KeyArn {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_key = Arn::parse(text).is_some_and(|arn| {
            let id = arn.resource.strip_prefix("key/").unwrap_or_default();
            arn.service == "kms" && !id.is_empty() && !id.contains('/')
        });
        if is_key {
            return Ok(Self(text.to_owned()));
        }
        Err("write arn:aws:kms:REGION:ACCOUNT:key/ID; a policy cannot grant an alias")
    }
}

/// A bucket's name, as S3 accepts it.
pub fn bucket_name(text: &str) -> Result<String, &'static str> {
    let ends =
        |byte: Option<u8>| byte.is_some_and(|it| it.is_ascii_lowercase() || it.is_ascii_digit());
    let is_part =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    let is_address = text.parse::<std::net::Ipv4Addr>().is_ok();
    if (3..=63).contains(&text.len())
        && text.bytes().all(is_part)
        && ends(text.bytes().next())
        && ends(text.bytes().next_back())
        && !text.contains("..")
        && !is_address
    {
        return Ok(text.to_owned());
    }
    Err(
        "use 3 to 63 lower-case letters, digits, dots and hyphens, with no two dots in a row and no IP address",
    )
}

/// A number of days that `CloudWatch` offers.
pub fn log_retention(text: &str) -> Result<u32, &'static str> {
    let days: Option<u32> = text.parse().ok();
    days.filter(|days| LOG_RETENTION.contains(days))
        .ok_or("use a number of days that CloudWatch offers, such as 7, 14, 30, 90 or 365")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_services_would_refuse_is_refused_before() {
        for good in ["backstop", "a", "Team_logs-2"] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a b", "a/b", &"a".repeat(56)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
        for good in ["backstop", "team/logs", "a.b_c-d"] {
            assert!(good.parse::<Prefix>().is_ok(), "{good}");
        }
        for bad in ["", "/a", "a/", "a//b", "a b", "a${b}"] {
            assert!(bad.parse::<Prefix>().is_err(), "{bad}");
        }
        let key = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd";
        assert!(key.parse::<KeyArn>().is_ok());
        for bad in [
            "1234abcd",
            "alias/logs",
            &key.replace("key/", "alias/"),
            &key.replace("kms", "s3"),
        ] {
            assert!(bad.parse::<KeyArn>().is_err(), "{bad}");
        }
        assert!(bucket_name("my-archive.logs").is_ok());
        for bad in ["ab", "-ab", "ab-", "Archive", "a..b", "192.168.0.1", "a_b"] {
            assert!(bucket_name(bad).is_err(), "{bad}");
        }
        assert_eq!(log_retention("90"), Ok(90));
        for bad in ["0", "2", "ninety"] {
            assert!(log_retention(bad).is_err(), "{bad}");
        }
    }
}
