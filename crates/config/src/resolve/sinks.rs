//! The primary and the fallbacks.
//!
//! Invariants: a primary is all valid or absent; a mistake in one sink costs the others nothing.
//!
//! Must not: judge whether there is a sink at all; only the whole can tell.

use super::environment::{ENDPOINT_FIREHOSE, ENDPOINT_S3};
use super::{Reported, Resolver, default};
use crate::aws;
use crate::error::{ConfigError, ErrorKind, Invalid};
use crate::format::{self, Format};
use crate::headers::{self, Value};
use crate::options::FormatOptions;
use crate::parse;
use crate::register::{
    ALLOW_PLAINTEXT, FALLBACK, FIREHOSE_STREAM, OTLP_URL, PRIMARY_COMPRESSION, PRIMARY_FORMAT,
    PRIMARY_HEADERS, PRIMARY_OPTIONS, PRIMARY_TIMEOUT_MS, PRIMARY_URL, ROUTE, S3_BUCKET,
    S3_EXPECTED_BUCKET_OWNER, S3_KMS_KEY_ID, S3_PREFIX, S3_REGION, SIGNALS,
};
use crate::secret::Secret;
use crate::settings::{AwsSettings, Compression, Fallback, Primary, Routing, S3Archive, Settings};
use crate::signals::{self, SignalName, Signals};
use crate::url::{self, UrlProblem};
use crate::variable::Variable;

/// What a mistake in a fallback costs.
const OFF: &str = "this fallback is off";

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
    /// What is archived beside what the primary gets; without a fallback, nothing can be.
    pub(super) fn routing(&mut self, has_fallback: bool) -> Routing {
        let routing = self.or_default(&ROUTE, |text| {
            parse::choice(&ROUTE, text, Routing::ALL, Routing::as_str)
        });
        if routing == Routing::Failover || has_fallback {
            return routing;
        }
        let problem = format!(
            "is {}, and there is no valid fallback to archive records in: set BACKSTOP_S3_BUCKET or \
             BACKSTOP_FIREHOSE_STREAM, or remove it",
            ROUTE.shown(routing.as_str())
        );
        let error = ConfigError::new(ROUTE.name, ErrorKind::Conflict, problem);
        self.errors
            .push(error.with_effect("the default failover is used"));
        Routing::Failover
    }

    /// The primary; `here` is the region of the function, where it is known.
    pub(super) fn primary(&mut self, aws: &AwsSettings, here: Option<&str>) -> Option<Primary> {
        let allow_plaintext = self.or_default(&ALLOW_PLAINTEXT, |text| {
            parse::boolean(&ALLOW_PLAINTEXT, text)
        });
        let parse_format =
            |text: &str| parse::choice(&PRIMARY_FORMAT, text, Format::ALL, Format::as_str);
        let format = self.needed(&PRIMARY_FORMAT, parse_format);
        // With a format that is not valid there is no primary: what depends on it is read as the default has it.
        let known = format.as_ref().ok().copied().flatten();
        let known = known.unwrap_or_else(|| default(&PRIMARY_FORMAT, parse_format));
        let url = self.needed(&PRIMARY_URL, |text| {
            primary_url(known, text, allow_plaintext)
        });
        let otlp_url = self.needed(&OTLP_URL, |text| otlp_url(text, allow_plaintext));
        let signals = self.said(&SIGNALS, "the default is used", |text| {
            parse::list(&SIGNALS, text, SignalName::ALL, SignalName::as_str)
        });
        let options = match &format {
            Ok(_) => self.needed(&PRIMARY_OPTIONS, |text| FormatOptions::parse(known, text)),
            Err(Reported) => Ok(None),
        };
        let of_token = self
            .token_variable()
            .map(|name| (name, known.header_of_token()));
        let headers = self.needed(&PRIMARY_HEADERS, |text| {
            headers::headers(text, of_token, here)
        });
        let token = self.token(here);
        let headers = headers.map(Option::unwrap_or_default);
        let references = match (&token, &headers) {
            (Ok(token), Ok(headers)) => self.references(aws, token.as_ref(), headers),
            _ => Err(Reported),
        };
        let compression = self.or_default(&PRIMARY_COMPRESSION, |text| {
            parse::choice(
                &PRIMARY_COMPRESSION,
                text,
                Compression::ALL,
                Compression::as_str,
            )
        });
        let timeout = self.milliseconds(&PRIMARY_TIMEOUT_MS);

        let (Ok(Some(url)), Ok(_), Ok(options), Ok(headers), Ok(token)) =
            (url, format, options, headers, token)
        else {
            return None;
        };
        let (Ok(references), Ok(otlp_url)) = (references, otlp_url) else {
            return None;
        };
        let beside = || Some(Format::Otlp.address(known.otlp_beside(&url)?));
        let otlp_url = otlp_url.or_else(beside);
        let signals = self.signals((known, &url), signals.ok().flatten(), otlp_url.is_some());
        Some(Primary {
            url,
            format: known,
            signals,
            otlp_url,
            options: options.unwrap_or_default(),
            compression,
            headers: headers.into_iter().filter_map(plain).collect(),
            token: token.and_then(Value::plain),
            references,
            timeout,
        })
    }

    /// The signals that the primary gets: those that are named and have an address there.
    fn signals(
        &mut self,
        (format, url): (Format, &str),
        named: Option<Vec<SignalName>>,
        has_otlp_url: bool,
    ) -> Signals {
        let takes = |name: SignalName| match name {
            SignalName::Logs => true,
            SignalName::Metrics | SignalName::Traces => has_otlp_url || format.signals().has(name),
        };
        let Some(mut wanted) = named else {
            return if has_otlp_url {
                Signals::ALL
            } else {
                format.default_signals(url)
            };
        };
        for name in wanted.iter().copied().filter(|name| !takes(*name)) {
            let name = name.as_str();
            let problem = format!(
                "names {name}, which the format {} does not take: set BACKSTOP_OTLP_URL to where they go, \
                 or take {name} out",
                format.as_str()
            );
            let error = ConfigError::new(SIGNALS.name, ErrorKind::Conflict, problem);
            self.errors
                .push(error.with_effect(format!("{name} are not delivered")));
        }
        wanted.retain(|name| takes(*name));
        Signals::of(&wanted)
    }

    /// The fallbacks; `here` is the region of the function, where it is known.
    pub(super) fn fallbacks(&mut self, aws: &AwsSettings, here: Option<&str>) -> Vec<Fallback> {
        let firehose = self.firehose(aws, here);
        let s3 = self.s3(aws, here).map(|archive| archive.map(Fallback::S3));
        let parse_order =
            |text: &str| parse::list(&FALLBACK, text, FallbackName::ALL, FallbackName::as_str);
        let effect = "the fallbacks that are configured are used";
        let order = self.said(&FALLBACK, effect, parse_order);

        let (names, is_explicit) = match order {
            Ok(Some(names)) => (names, true),
            Ok(None) | Err(Reported) => (default(&FALLBACK, parse_order), false),
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
                        ErrorKind::Conflict,
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
    fn firehose(
        &mut self,
        aws: &AwsSettings,
        here: Option<&str>,
    ) -> Result<Option<Fallback>, Reported> {
        let stream = self.said(&FIREHOSE_STREAM, OFF, |text| aws::stream(text, here))?;
        let Some(stream) = stream else {
            return Ok(None);
        };
        self.reachable(aws, ENDPOINT_FIREHOSE, "firehose")?;
        Ok(Some(Fallback::Firehose {
            stream: stream.name,
            region: stream.region.unwrap_or_else(|| aws.region.clone()),
            account: stream.account,
        }))
    }

    /// A key or an owner that is not valid switches the archive off: written in spite of it, records
    /// would lie under another key, or in somebody else's bucket.
    fn s3(&mut self, aws: &AwsSettings, here: Option<&str>) -> Result<Option<S3Archive>, Reported> {
        let prefix = self.or_default(&S3_PREFIX, aws::prefix);
        let region = self.said(&S3_REGION, "the function's region is used", |text| {
            aws::bucket_region(text, here)
        });
        let region = region.ok().flatten();
        let there = region.clone().or_else(|| here.map(str::to_owned));
        let bucket = self.said(&S3_BUCKET, OFF, |text| aws::bucket(text, there.as_deref()));
        let kms_key_id = self.said(&S3_KMS_KEY_ID, OFF, |text| {
            aws::kms_key(text, there.as_deref())
        });
        let owner = self.said(&S3_EXPECTED_BUCKET_OWNER, OFF, aws::bucket_owner);
        let (bucket, kms_key_id, expected_bucket_owner) = (bucket?, kms_key_id?, owner?);
        let Some(bucket) = bucket else {
            return Ok(None);
        };
        self.reachable(aws, ENDPOINT_S3, "s3")?;
        if aws.endpoint_s3.as_ref().is_some_and(|it| it.names(&bucket)) {
            let problem = format!("has the bucket {bucket} in its host: remove it there");
            let error = ConfigError::new(ENDPOINT_S3, ErrorKind::Conflict, problem);
            self.errors
                .push(error.with_effect("the fallback s3 is off"));
            return Err(Reported);
        }
        Ok(Some(S3Archive {
            bucket,
            prefix,
            region: region.unwrap_or_else(|| aws.region.clone()),
            kms_key_id,
            expected_bucket_owner,
        }))
    }

    /// Reports what makes the endpoint of a fallback's service unusable.
    fn reachable(
        &mut self,
        aws: &AwsSettings,
        endpoint: &'static str,
        name: &str,
    ) -> Result<(), Reported> {
        let Some(error) = self.endpoint_conflict(aws, endpoint) else {
            return Ok(());
        };
        self.errors
            .push(error.with_effect(format!("the fallback {name} is off")));
        Err(Reported)
    }
}

impl Settings {
    /// What the settings ask of another account than `account`, the function's own, is refused: it is
    /// known only once Lambda says it. The errors say what is off.
    pub fn keep_to_account(&mut self, account: &str) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        self.fallbacks.retain(|fallback| match fallback {
            Fallback::Firehose {
                stream,
                account: Some(other),
                ..
            } if other != account => {
                let problem = format!(
                    "names the stream {stream} of the account {other}, and the function is in \
                     {account}: Firehose takes records from the stream's own account only; use a \
                     stream of this account"
                );
                let error = ConfigError::new(FIREHOSE_STREAM.name, ErrorKind::Conflict, problem);
                errors.push(error.with_effect(OFF));
                false
            }
            Fallback::Firehose { .. } | Fallback::S3(_) => true,
        });
        if !errors.is_empty() {
            errors.extend(self.has_no_sink());
        }
        errors
    }
}

/// The address of the logs behind a base of OTLP.
fn otlp_url(text: &str, allow_plaintext: bool) -> Result<String, Invalid> {
    let address = checked(&OTLP_URL, text, allow_plaintext)?;
    Ok(Format::Otlp.address(&signals::otlp_base(address)))
}

fn plain((name, value): (String, Value)) -> Option<(String, Secret)> {
    Some((name, value.plain()?))
}

fn primary_url(format: Format, text: &str, allow_plaintext: bool) -> Result<String, Invalid> {
    if let Some(address) = format.site(text) {
        return Ok(address);
    }
    if let Some(invalid) = format::no_address(format, text) {
        return Err(invalid);
    }
    checked(&PRIMARY_URL, text, allow_plaintext).map(|address| format.address(address))
}

/// An address that may be posted to.
fn checked<'a>(
    variable: &Variable,
    text: &'a str,
    allow_plaintext: bool,
) -> Result<&'a str, Invalid> {
    let advice = match url::check(text) {
        Ok(address) if address.encrypted || address.loopback || allow_plaintext => {
            return Ok(text);
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
    Err(Invalid::quoting(&variable.shown(text), advice))
}
