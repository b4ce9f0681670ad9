//! The formats of the primary: their names, their addresses, and where their token goes.
//!
//! Invariants: an address that a rule here makes is one that `url` accepts; a token gets into a header, and
//! into no message.
//!
//! Must not: know how a body is written or an answer read; `crates/sinks` does.

use crate::error::Invalid;
use crate::register::PRIMARY_URL;
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
    /// All of them.
    pub const ALL: &[Self] = &[
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

    /// What it is, in a few words.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Ndjson => "One JSON object a line",
            Self::Json => "One JSON array",
            Self::Otlp => "OpenTelemetry's protocol over HTTP",
            Self::Elastic => "The bulk API of Elasticsearch and OpenSearch",
            Self::Loki => "Grafana Loki's push API",
            Self::Splunk => "Splunk's HTTP Event Collector",
            Self::Datadog => "Datadog's intake of logs",
            Self::NewRelic => "New Relic's Log API",
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
            Self::Otlp => &["emf", "encoding"],
            Self::Elastic => &["emf", "index", "ids"],
            Self::Loki => &["emf", "encoding", "labels", "max_age_hours"],
            Self::Splunk => &["emf", "index", "source", "sourcetype"],
            Self::Datadog | Self::NewRelic => &["emf", "max_age_hours"],
        }
    }
}

/// What is no site and no address, in a format that has sites.
pub(crate) fn no_address(format: Format, text: &str) -> Option<Invalid> {
    let sites = format.sites()?;
    (!text.contains("://")).then(|| {
        Invalid::quoting(
            &PRIMARY_URL.shown(text),
            format!("use an https address, or {sites}"),
        )
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
                "https://relay.example",
                "https://relay.example/api/v2/logs",
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
}
