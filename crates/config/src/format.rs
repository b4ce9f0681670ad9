//! The formats of the primary: their names, their addresses, where their token goes, and their options.
//!
//! Invariants: an address that a rule here makes is one that `url` accepts; a token gets into a header, and
//! into no message.
//!
//! Must not: know how a body is written or an answer read; `crates/sinks` does.

use crate::error::Invalid;
use crate::parse::{entries, pair};
use crate::register::{PRIMARY_OPTIONS, PRIMARY_URL};
use crate::secret::Secret;

/// The form of a batch at the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Ndjson,
    /// One JSON array.
    Json,
    /// OpenTelemetry's protocol over HTTP.
    Otlp,
    /// The bulk API of Elasticsearch and `OpenSearch`.
    Elastic,
    /// Grafana Loki's push API.
    Loki,
    /// Splunk's HTTP Event Collector.
    Splunk,
    /// Datadog's intake of logs.
    Datadog,
    /// New Relic's Log API.
    NewRelic,
}

/// How a token is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokenHeader {
    /// `Authorization: SCHEME TOKEN`, and basic authentication for `USER:PASSWORD`, which no token of these
    /// schemes can be.
    Authorization(&'static str),
    /// `Authorization: SCHEME TOKEN`, whatever is in it.
    Scheme(&'static str),
    /// A header of its own.
    Own(&'static str),
}

impl Format {
    pub(crate) const ALL: &[Self] = &[
        Self::Ndjson,
        Self::Json,
        Self::Otlp,
        Self::Elastic,
        Self::Loki,
        Self::Splunk,
        Self::Datadog,
        Self::NewRelic,
    ];

    /// The value of the variable.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Json => "json",
            Self::Otlp => "otlp",
            Self::Elastic => "elastic",
            Self::Loki => "loki",
            Self::Splunk => "splunk",
            Self::Datadog => "datadog",
            Self::NewRelic => "newrelic",
        }
    }

    /// What is appended to a base address.
    fn path(self) -> Option<&'static str> {
        match self {
            Self::Ndjson | Self::Json => None,
            Self::Otlp => Some("/v1/logs"),
            Self::Elastic => Some("/_bulk"),
            Self::Loki => Some("/loki/api/v1/push"),
            Self::Splunk => Some("/services/collector/event"),
            Self::Datadog => Some("/api/v2/logs"),
            Self::NewRelic => Some("/log/v1"),
        }
    }

    /// The host of a site's intake.
    fn host(self, site: &str) -> Option<String> {
        match (self, site) {
            (Self::Datadog, _) if site.contains('.') => Some(format!("http-intake.logs.{site}")),
            (Self::NewRelic, "us") => Some("log-api.newrelic.com".to_owned()),
            (Self::NewRelic, "eu") => Some("log-api.eu.newrelic.com".to_owned()),
            (Self::NewRelic, "gov") => Some("gov-log-api.newrelic.com".to_owned()),
            _ => None,
        }
    }

    /// The address of a site, where the text is the name of one: `datadoghq.eu`, `eu`.
    pub(crate) fn site(self, text: &str) -> Option<String> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let mut labels = text.split('.');
        if !labels.all(|label| !label.is_empty() && label.bytes().all(is_name)) {
            return None;
        }
        let host = self.host(&text.to_ascii_lowercase())?;
        Some(format!("https://{host}{}", self.path()?))
    }

    /// What an address that this format cannot use may be instead, for a message.
    pub(crate) fn sites(self) -> Option<&'static str> {
        match self {
            Self::Datadog => Some("a site such as datadoghq.eu"),
            Self::NewRelic => Some("a region (us, eu or gov)"),
            _ => None,
        }
    }

    /// The full address: the format's path after the base, unless it ends in it already.
    pub(crate) fn address(self, base: &str) -> String {
        let Some(path) = self.path() else {
            return base.to_owned();
        };
        let (address, query) = match base.split_once('?') {
            Some((address, query)) => (address, Some(query)),
            None => (base, None),
        };
        let trimmed = address.trim_end_matches('/');
        let mut whole = trimmed.to_owned();
        if !trimmed.ends_with(path) {
            // Half of the path may be there: `…/services/collector`.
            let overlap = (1..path.len())
                .rev()
                .filter(|at| path.as_bytes().get(*at) == Some(&b'/'))
                .find(|at| trimmed.ends_with(&path[..*at]));
            whole.push_str(&path[overlap.unwrap_or_default()..]);
        }
        if let Some(query) = query {
            whole.push('?');
            whole.push_str(query);
        }
        whole
    }

    fn token_header(self) -> TokenHeader {
        match self {
            Self::Ndjson | Self::Json => TokenHeader::Scheme("Bearer"),
            Self::Otlp | Self::Loki => TokenHeader::Authorization("Bearer"),
            Self::Elastic => TokenHeader::Authorization("ApiKey"),
            Self::Splunk => TokenHeader::Scheme("Splunk"),
            Self::Datadog => TokenHeader::Own("dd-api-key"),
            Self::NewRelic => TokenHeader::Own("api-key"),
        }
    }

    /// The header that a token is sent in, by its name in lower case.
    pub(crate) fn header_of_token(self) -> &'static str {
        match self.token_header() {
            TokenHeader::Authorization(_) | TokenHeader::Scheme(_) => "authorization",
            TokenHeader::Own(name) => name,
        }
    }

    /// A token as a header: its name, and its value.
    pub fn authorization(self, token: &Secret) -> (&'static str, Secret) {
        let token = token.expose();
        let value = match self.token_header() {
            TokenHeader::Authorization(_) if token.contains(':') => {
                format!("Basic {}", base64(token.as_bytes()))
            }
            TokenHeader::Authorization(scheme) | TokenHeader::Scheme(scheme) => {
                format!("{scheme} {token}")
            }
            TokenHeader::Own(_) => token.to_owned(),
        };
        (self.header_of_token(), Secret::new(value))
    }

    /// The names of the options that it has.
    pub(crate) fn options(self) -> &'static [&'static str] {
        match self {
            Self::Ndjson | Self::Json => &[],
            Self::Otlp => &["encoding"],
            Self::Elastic => &["index", "ids"],
            Self::Loki => &["encoding", "labels", "max_age_hours"],
            Self::Splunk => &["index", "source", "sourcetype"],
            Self::Datadog | Self::NewRelic => &["max_age_hours"],
        }
    }
}

/// `BACKSTOP_PRIMARY_OPTIONS`: what a format lets the user choose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormatOptions {
    /// `encoding=json`: JSON where protobuf is the default.
    pub is_json: bool,
    /// `ids=false`: documents without `_id`.
    pub without_ids: bool,
    /// `index`: a data stream or an index; empty where the address says it.
    pub index: Option<String>,
    /// `source`.
    pub source: Option<String>,
    /// `sourcetype`.
    pub sourcetype: Option<String>,
    /// `labels`: resource attributes that become labels, beside those that always do.
    pub labels: Vec<String>,
    /// `max_age_hours`: records that are older are dead letters; 0 for no bound.
    pub max_age_hours: Option<u64>,
}

impl FormatOptions {
    pub(crate) fn parse(format: Format, text: &str) -> Result<Self, Invalid> {
        let mut options = Self::default();
        let mut seen = Vec::new();
        for (index, entry) in entries(text).enumerate() {
            let position = index + 1;
            let Some((name, value)) = pair(entry) else {
                return Err(Invalid(format!(
                    "has no \"=\" in entry {position}: write name=value pairs, separated by commas"
                )));
            };
            if !format.options().contains(&name) {
                let shown = PRIMARY_OPTIONS.shown(name);
                let known = format.options().join(", ");
                let advice = if known.is_empty() {
                    format!("the format {} has no options: remove it", format.as_str())
                } else {
                    format!("the format {} has {known}", format.as_str())
                };
                return Err(Invalid(format!("names {shown}: {advice}")));
            }
            if seen.contains(&name) {
                let shown = PRIMARY_OPTIONS.shown(name);
                return Err(Invalid(format!("sets {shown} twice: set it once")));
            }
            seen.push(name);
            options.set(name, value)?;
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Invalid> {
        let wrong = |use_this: &str| {
            let shown = PRIMARY_OPTIONS.shown(value);
            Err(Invalid(format!("sets {name} to {shown}: {use_this}")))
        };
        match (name, value) {
            ("encoding", "protobuf") => self.is_json = false,
            ("encoding", "json") => self.is_json = true,
            ("encoding", _) => return wrong("use protobuf or json"),
            ("ids", "true") => self.without_ids = false,
            ("ids", "false") => self.without_ids = true,
            ("ids", _) => return wrong("use true or false"),
            ("labels", _) => {
                // A comma separates options.
                let labels = value.split('+').map(str::trim);
                self.labels = labels.map(str::to_owned).collect();
                if self.labels.iter().any(String::is_empty) {
                    return wrong("name resource attributes, separated by +");
                }
            }
            ("max_age_hours", _) => match value.parse() {
                Ok(hours) => self.max_age_hours = Some(hours),
                Err(_) => return wrong("use a whole number, 0 for no bound"),
            },
            ("index", _) if !is_index(value) => {
                return wrong("use lower case letters, digits and ._- only");
            }
            ("index", _) => self.index = Some(value.to_owned()),
            ("source", _) => self.source = Some(value.to_owned()),
            _ => self.sourcetype = Some(value.to_owned()),
        }
        Ok(())
    }
}

/// Elasticsearch's rule for an index, which is stricter than Splunk's.
fn is_index(text: &str) -> bool {
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    text.len() <= 255 && text.bytes().all(is_plain) && !text.starts_with(['_', '-'])
}

/// What is no site and no address, in a format that has sites.
pub(crate) fn no_address(format: Format, text: &str) -> Option<Invalid> {
    let sites = format.sites()?;
    (!text.contains("://")).then(|| {
        Invalid(format!(
            "is {}: use an https address, or {sites}",
            PRIMARY_URL.shown(text)
        ))
    })
}

/// RFC 4648, section 4. A library for these lines is not worth its place in the layer.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| chunk.get(at).copied().unwrap_or_default();
        let bits = u32::from_be_bytes([0, byte(0), byte(1), byte(2)]);
        for place in 0..4 {
            let sextet = (bits >> (18 - 6 * place)) & 0x3f;
            let is_padding = place > chunk.len();
            let digit = ALPHABET.get(sextet as usize).copied().unwrap_or(b'=');
            text.push(char::from(if is_padding { b'=' } else { digit }));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }

    #[test]
    fn an_address_gets_the_path_that_it_lacks() {
        for (format, base, expected) in [
            (
                Format::Ndjson,
                "https://a.example/in",
                "https://a.example/in",
            ),
            (
                Format::Otlp,
                "https://a.example",
                "https://a.example/v1/logs",
            ),
            (
                Format::Otlp,
                "https://a.example/otlp/",
                "https://a.example/otlp/v1/logs",
            ),
            (
                Format::Otlp,
                "https://a.example/v1/logs",
                "https://a.example/v1/logs",
            ),
            (
                Format::Otlp,
                "https://a.example/v1",
                "https://a.example/v1/logs",
            ),
            (
                Format::Otlp,
                "https://a.example?k=v",
                "https://a.example/v1/logs?k=v",
            ),
            (
                Format::Elastic,
                "https://a.example/logs-x",
                "https://a.example/logs-x/_bulk",
            ),
            (
                Format::Elastic,
                "https://a.example/_bulk?pipeline=p",
                "https://a.example/_bulk?pipeline=p",
            ),
            (
                Format::Loki,
                "https://a.example",
                "https://a.example/loki/api/v1/push",
            ),
            (
                Format::Splunk,
                "https://a.example:8088",
                "https://a.example:8088/services/collector/event",
            ),
            (
                Format::Splunk,
                "https://a.example/services/collector",
                "https://a.example/services/collector/event",
            ),
            (
                Format::Datadog,
                "https://proxy.example",
                "https://proxy.example/api/v2/logs",
            ),
            (
                Format::NewRelic,
                "https://log-api.newrelic.com/log/v1",
                "https://log-api.newrelic.com/log/v1",
            ),
        ] {
            assert_eq!(format.address(base), expected, "{}", format.as_str());
        }
    }

    #[test]
    fn sites_have_addresses() {
        for (format, site, expected) in [
            (
                Format::Datadog,
                "datadoghq.eu",
                Some("https://http-intake.logs.datadoghq.eu/api/v2/logs"),
            ),
            (
                Format::Datadog,
                "US5.datadoghq.com",
                Some("https://http-intake.logs.us5.datadoghq.com/api/v2/logs"),
            ),
            (Format::Datadog, "datadoghq..eu", None),
            (Format::Datadog, ".", None),
            (Format::Datadog, "eu", None),
            (
                Format::NewRelic,
                "EU",
                Some("https://log-api.eu.newrelic.com/log/v1"),
            ),
            (
                Format::NewRelic,
                "us",
                Some("https://log-api.newrelic.com/log/v1"),
            ),
            (Format::NewRelic, "mars", None),
            (Format::Otlp, "eu", None),
            (Format::Datadog, "https://datadoghq.eu", None),
            (Format::Datadog, "datadoghq.eu/x", None),
        ] {
            assert_eq!(format.site(site).as_deref(), expected, "{site}");
        }
    }

    #[test]
    fn a_token_goes_where_the_format_wants_it() {
        for (format, token, name, value) in [
            (Format::Ndjson, "t", "authorization", "Bearer t"),
            (Format::Json, "u:t", "authorization", "Bearer u:t"),
            (Format::Otlp, "t", "authorization", "Bearer t"),
            (Format::Otlp, "u:t", "authorization", "Basic dTp0"),
            (Format::Elastic, "t==", "authorization", "ApiKey t=="),
            (Format::Elastic, "u:t", "authorization", "Basic dTp0"),
            (Format::Loki, "u:t", "authorization", "Basic dTp0"),
            (Format::Splunk, "t", "authorization", "Splunk t"),
            (Format::Datadog, "t", "dd-api-key", "t"),
            (Format::NewRelic, "t", "api-key", "t"),
        ] {
            let (header, secret) = format.authorization(&Secret::new(token));
            assert_eq!((header, secret.expose()), (name, value));
        }
    }

    #[test]
    fn options_are_those_of_the_format_and_a_wrong_one_is_named() {
        let good = FormatOptions::parse(Format::Elastic, "index=logs-x-prod, ids=false");
        assert_eq!(
            good.ok(),
            Some(FormatOptions {
                index: Some("logs-x-prod".to_owned()),
                without_ids: true,
                ..FormatOptions::default()
            })
        );
        let labels = FormatOptions::parse(Format::Loki, "labels=team+env,encoding=json");
        assert_eq!(
            labels.ok().map(|it| it.labels),
            Some(vec!["team".to_owned(), "env".to_owned()])
        );
        for (format, text, words) in [
            (Format::Ndjson, "index=x", "has no options"),
            (Format::Otlp, "index=x", "the format otlp has encoding"),
            (Format::Otlp, "encoding=xml", "use protobuf or json"),
            (Format::Otlp, "encoding", "no \"=\" in entry 1"),
            (Format::Elastic, "index=Logs", "lower case"),
            (Format::Elastic, "index=a,index=b", "twice"),
            (Format::Elastic, "ids=no", "use true or false"),
            (Format::Loki, "labels=a++b", "separated by +"),
            (Format::Loki, "max_age_hours=7d", "whole number"),
        ] {
            let error = FormatOptions::parse(format, text).err();
            let message = error.map(|it| it.0).unwrap_or_default();
            assert!(message.contains(words), "{text}: {message}");
        }
    }
}
