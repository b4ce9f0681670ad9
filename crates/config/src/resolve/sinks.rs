//! The primary and the fallbacks.
//!
//! Invariants: a primary is all valid or absent; a mistake in one sink costs the others nothing.
//!
//! Must not: judge whether there is a sink at all; only the whole can tell.

use super::{Reported, Resolver};
use crate::aws::{self, Stream};
use crate::error::{ConfigError, Invalid};
use crate::headers;
use crate::parse;
use crate::register::{
    ALLOW_PLAINTEXT, FALLBACK, FIREHOSE_STREAM, PRIMARY_COMPRESSION, PRIMARY_FORMAT,
    PRIMARY_HEADERS, PRIMARY_TIMEOUT_MS, PRIMARY_TOKEN, PRIMARY_URL, S3_BUCKET,
    S3_EXPECTED_BUCKET_OWNER, S3_KMS_KEY_ID, S3_PREFIX,
};
use crate::settings::{Compression, Fallback, Format, Primary, S3Archive};
use crate::url::{self, UrlProblem};

#[derive(Clone, Copy, PartialEq, Eq)]
enum FallbackName {
    Firehose,
    S3,
}

impl FallbackName {
    const ALL: &[Self] = &[Self::Firehose, Self::S3];

    fn as_str(self) -> &'static str {
        match self {
            Self::Firehose => "firehose",
            Self::S3 => "s3",
        }
    }
}

impl Resolver {
    pub(super) fn primary(&mut self) -> Option<Primary> {
        let allow_plaintext = self.or_default(&ALLOW_PLAINTEXT, false, |text| {
            parse::boolean(&ALLOW_PLAINTEXT, text)
        });
        let url = self.needed(&PRIMARY_URL, |text| primary_url(text, allow_plaintext));
        let format = self.needed(&PRIMARY_FORMAT, |text| {
            parse::choice(&PRIMARY_FORMAT, text, Format::ALL, Format::as_str)
        });
        let has_token = self.raw.get(PRIMARY_TOKEN.name).is_some();
        let headers = self.needed(&PRIMARY_HEADERS, |text| headers::headers(text, has_token));
        let token = self.needed(&PRIMARY_TOKEN, headers::token);
        let compression = self.or_default(&PRIMARY_COMPRESSION, Compression::Gzip, |text| {
            parse::choice(
                &PRIMARY_COMPRESSION,
                text,
                Compression::ALL,
                Compression::as_str,
            )
        });
        let timeout = self.milliseconds(&PRIMARY_TIMEOUT_MS, 5_000);

        let (Ok(Some(url)), Ok(format), Ok(headers), Ok(token)) = (url, format, headers, token)
        else {
            return None;
        };
        Some(Primary {
            url,
            format: format.unwrap_or(Format::Ndjson),
            compression,
            headers: headers.unwrap_or_default(),
            token,
            timeout,
        })
    }

    pub(super) fn fallbacks(&mut self, region: &str) -> Vec<Fallback> {
        let firehose = self
            .said(&FIREHOSE_STREAM, "this fallback is off", aws::stream)
            .map(|stream| {
                stream.map(
                    |Stream {
                         name,
                         region: own_region,
                     }| Fallback::Firehose {
                        stream: name,
                        region: own_region.unwrap_or_else(|| region.to_owned()),
                    },
                )
            });
        let s3 = self.s3(region).map(|archive| archive.map(Fallback::S3));
        let order = self.said(
            &FALLBACK,
            "the fallbacks that are configured are used",
            |text| parse::list(&FALLBACK, text, FallbackName::ALL, FallbackName::as_str),
        );

        let (names, is_explicit) = match order {
            Ok(Some(names)) => (names, true),
            Ok(None) | Err(Reported) => (FallbackName::ALL.to_vec(), false),
        };
        let mut fallbacks = Vec::new();
        for name in names {
            let (configured, variable) = match name {
                FallbackName::Firehose => (&firehose, FIREHOSE_STREAM.name),
                FallbackName::S3 => (&s3, S3_BUCKET.name),
            };
            match configured {
                Ok(Some(fallback)) => fallbacks.push(fallback.clone()),
                Ok(None) if is_explicit => {
                    let name = name.as_str();
                    self.errors.push(ConfigError::new(
                        FALLBACK.name,
                        format!("names {name}, which is not configured: set {variable}, or take {name} out"),
                    ));
                }
                Ok(None) | Err(Reported) => {}
            }
        }
        fallbacks
    }
}

impl Resolver {
    /// A key or an owner that is not valid switches the archive off: written in spite of it, records
    /// would lie under another key, or in somebody else's bucket.
    fn s3(&mut self, region: &str) -> Result<Option<S3Archive>, Reported> {
        const OFF: &str = "this fallback is off";
        let prefix = self.or_default(&S3_PREFIX, "backstop".to_owned(), aws::prefix);
        let bucket = self.said(&S3_BUCKET, OFF, aws::bucket);
        let kms_key_id = self.said(&S3_KMS_KEY_ID, OFF, aws::kms_key);
        let owner = self.said(&S3_EXPECTED_BUCKET_OWNER, OFF, aws::bucket_owner);
        let (bucket, kms_key_id, expected_bucket_owner) = (bucket?, kms_key_id?, owner?);
        Ok(bucket.map(|bucket| S3Archive {
            bucket,
            prefix,
            region: region.to_owned(),
            kms_key_id,
            expected_bucket_owner,
        }))
    }
}

fn primary_url(text: &str, allow_plaintext: bool) -> Result<String, Invalid> {
    let advice = match url::check(text) {
        Ok(address) if address.encrypted || address.loopback || allow_plaintext => {
            return Ok(text.to_owned());
        }
        Ok(_) => {
            "plain http is accepted for loopback hosts only; use https, or set \
             BACKSTOP_ALLOW_PLAINTEXT=true"
        }
        Err(UrlProblem::Userinfo) => {
            "remove the user name and the password; use BACKSTOP_PRIMARY_HEADERS or \
             BACKSTOP_PRIMARY_TOKEN"
        }
        Err(problem) => problem.advice(),
    };
    Err(Invalid(format!("is {}: {advice}", PRIMARY_URL.shown(text))))
}
