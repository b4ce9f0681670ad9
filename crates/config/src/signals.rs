//! The signals: which of them are delivered, and where each of them goes.
//!
//! Invariants: what has no address at the primary is not delivered to it; a second address gets the primary's
//! token and headers, since it is of the same account.
//!
//! Must not: know how a body is written; `crates/sinks` does.

use crate::format::Format;
use crate::url;

/// A signal, as `BACKSTOP_SIGNALS` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalName {
    /// Logs: what the Telemetry API emits.
    Logs,
    /// Points of metrics, from platform events and from lines in the embedded metric format.
    Metrics,
    /// Spans, from platform events.
    Traces,
}

impl SignalName {
    pub(crate) const ALL: &[Self] = &[Self::Logs, Self::Metrics, Self::Traces];

    /// The word in the variable.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Metrics => "metrics",
            Self::Traces => "traces",
        }
    }
}

/// The signals that are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signals {
    pub logs: bool,
    pub metrics: bool,
    pub traces: bool,
}

impl Signals {
    /// What there is where nothing else is derived.
    pub(crate) const LOGS: Self = Self {
        logs: true,
        metrics: false,
        traces: false,
    };
    /// All of them.
    pub(crate) const ALL: Self = Self {
        logs: true,
        metrics: true,
        traces: true,
    };

    pub fn of(names: &[SignalName]) -> Self {
        let has = |name| names.contains(&name);
        Self {
            logs: has(SignalName::Logs),
            metrics: has(SignalName::Metrics),
            traces: has(SignalName::Traces),
        }
    }

    /// Whether this one is among them.
    pub fn has(self, name: SignalName) -> bool {
        match name {
            SignalName::Logs => self.logs,
            SignalName::Metrics => self.metrics,
            SignalName::Traces => self.traces,
        }
    }
}

/// Where a signal goes, and in which form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The full address.
    pub url: String,
    /// The form of a batch.
    pub format: Format,
}

impl Endpoint {
    /// The address without its query, for log lines and errors.
    pub fn shown_url(&self) -> String {
        url::without_query(&self.url)
    }
}

impl Format {
    /// The signals that it has a form for.
    pub(crate) fn signals(self) -> Signals {
        match self {
            Self::Ndjson | Self::Json | Self::Otlp => Signals::ALL,
            Self::Datadog => Signals {
                metrics: true,
                ..Signals::LOGS
            },
            Self::Elastic | Self::Loki | Self::Splunk | Self::NewRelic => Signals::LOGS,
        }
    }

    /// The signals that are delivered unless the user says otherwise: a receiver of lines gets the records as
    /// they are, and nothing beside them.
    pub(crate) fn default_signals(self, url: &str) -> Signals {
        match self {
            Self::Ndjson | Self::Json => Signals::LOGS,
            // VictoriaLogs takes OTLP, and of it logs only
            // (<https://docs.victoriametrics.com/victorialogs/data-ingestion/opentelemetry/>).
            Self::Otlp if url.contains("/insert/opentelemetry/") => Signals::LOGS,
            // CloudWatch has another host and another token for each signal
            // (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-OTLPEndpoint.html>).
            Self::Otlp if is_cloudwatch_logs(url) => Signals::LOGS,
            // A relay of logs, such as a Vector of your own, need not take metrics.
            Self::Datadog if !url.starts_with(DATADOG_LOGS) => Signals::LOGS,
            other => other.signals(),
        }
    }

    /// The address of the same vendor's OTLP intake, where the primary's own address tells it
    /// (<https://docs.newrelic.com/docs/opentelemetry/best-practices/opentelemetry-otlp/>).
    pub(crate) fn otlp_beside(self, url: &str) -> Option<&'static str> {
        if self != Self::NewRelic {
            return None;
        }
        let host = url
            .strip_prefix("https://")?
            .split(['/', ':', '?'])
            .next()?;
        match host {
            "log-api.newrelic.com" => Some("https://otlp.nr-data.net"),
            "log-api.eu.newrelic.com" => Some("https://otlp.eu01.nr-data.net"),
            "gov-log-api.newrelic.com" => Some("https://gov-otlp.nr-data.net"),
            _ => None,
        }
    }
}

fn is_cloudwatch_logs(url: &str) -> bool {
    let host = url
        .strip_prefix("https://logs.")
        .and_then(|rest| rest.split(['/', ':', '?']).next());
    host.is_some_and(|rest| rest.ends_with(".amazonaws.com") || rest.ends_with(".amazonaws.com.cn"))
}

/// How the addresses of Datadog's log intakes begin; the site follows.
const DATADOG_LOGS: &str = "https://http-intake.logs.";

/// The address of Datadog's metrics beside that of its logs
/// (<https://docs.datadoghq.com/api/latest/metrics/#submit-distribution-points>).
pub(crate) fn datadog_metrics(logs: &str) -> String {
    datadog_beside(logs, "api", "/api/v1/distribution_points")
}

/// The address of Datadog's OTLP metrics beside that of its logs
/// (<https://docs.datadoghq.com/opentelemetry/setup/otlp_ingest/metrics/>).
pub(crate) fn datadog_otlp_metrics(logs: &str) -> String {
    datadog_beside(logs, "otlp", otlp_path(SignalName::Metrics))
}

/// The address of this service of Datadog's at the same site, or of another receiver that stands in for all of them.
fn datadog_beside(logs: &str, service: &str, path: &str) -> String {
    let (address, query) = match logs.split_once('?') {
        Some((address, query)) => (address, format!("?{query}")),
        None => (logs, String::new()),
    };
    let base = address.strip_suffix("/api/v2/logs").unwrap_or(address);
    let base = match base.strip_prefix(DATADOG_LOGS) {
        Some(site) => format!("https://{service}.{site}"),
        None => base.to_owned(),
    };
    format!("{base}{path}{query}")
}

/// The path of a signal in OTLP (<https://opentelemetry.io/docs/specs/otlp/#otlphttp-request>).
fn otlp_path(signal: SignalName) -> &'static str {
    match signal {
        SignalName::Logs => "/v1/logs",
        SignalName::Metrics => "/v1/metrics",
        SignalName::Traces => "/v1/traces",
    }
}

/// An address of OTLP's logs as that of another signal.
pub(crate) fn otlp_address(logs: &str, signal: SignalName) -> String {
    let (address, query) = match logs.split_once('?') {
        Some((address, query)) => (address, Some(query)),
        None => (logs, None),
    };
    let base = address
        .strip_suffix(otlp_path(SignalName::Logs))
        .unwrap_or(address);
    let mut whole = format!("{base}{}", otlp_path(signal));
    if let Some(query) = query {
        whole.push('?');
        whole.push_str(query);
    }
    whole
}

/// The base of an address of OTLP that may be that of any signal.
pub(crate) fn otlp_base(address: &str) -> String {
    let (path, query) = match address.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (address, None),
    };
    let path = path.trim_end_matches('/');
    let ends = SignalName::ALL.iter().map(|signal| otlp_path(*signal));
    let base = ends.fold(path, |path, end| path.strip_suffix(end).unwrap_or(path));
    match query {
        Some(query) => format!("{base}?{query}"),
        None => base.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_signal_has_its_path_behind_the_same_base() {
        for (base, metrics) in [
            ("https://a.example/v1/logs", "https://a.example/v1/metrics"),
            (
                "https://a.example/otlp/v1/logs?k=v",
                "https://a.example/otlp/v1/metrics?k=v",
            ),
        ] {
            assert_eq!(otlp_address(base, SignalName::Metrics), metrics);
        }
        for (address, base) in [
            ("https://a.example/", "https://a.example"),
            ("https://a.example/v1/traces", "https://a.example"),
            (
                "https://a.example/x/v1/metrics/?k=v",
                "https://a.example/x?k=v",
            ),
        ] {
            assert_eq!(otlp_base(address), base);
        }
    }

    #[test]
    fn an_intake_of_logs_alone_gets_logs_alone() {
        for (format, url, signals) in [
            (Format::Otlp, "https://a.example/v1/logs", Signals::ALL),
            (
                Format::Otlp,
                "https://a.example/insert/opentelemetry/v1/logs",
                Signals::LOGS,
            ),
            (
                Format::Otlp,
                "https://logs.eu-west-1.amazonaws.com/v1/logs",
                Signals::LOGS,
            ),
            (
                Format::Otlp,
                "https://logs.example.com/v1/logs?x=.amazonaws.com",
                Signals::ALL,
            ),
            (
                Format::Datadog,
                "https://http-intake.logs.datadoghq.eu/api/v2/logs",
                Format::Datadog.signals(),
            ),
            (
                Format::Datadog,
                "https://vector.example/api/v2/logs",
                Signals::LOGS,
            ),
            (Format::Splunk, "https://a.example", Signals::LOGS),
        ] {
            assert_eq!(format.default_signals(url), signals, "{url}");
        }
    }

    #[test]
    fn datadogs_metrics_have_a_host_of_their_own_at_each_site() {
        for (logs, metrics, posted) in [
            (
                "https://http-intake.logs.us5.datadoghq.com/api/v2/logs",
                "https://api.us5.datadoghq.com/api/v1/distribution_points",
                "https://otlp.us5.datadoghq.com/v1/metrics",
            ),
            (
                "https://relay.example/dd/api/v2/logs?k=v",
                "https://relay.example/dd/api/v1/distribution_points?k=v",
                "https://relay.example/dd/v1/metrics?k=v",
            ),
        ] {
            assert_eq!(datadog_metrics(logs), metrics);
            assert_eq!(datadog_otlp_metrics(logs), posted);
        }
    }

    #[test]
    fn the_otlp_intake_beside_new_relics_logs_is_known() {
        for (site, host) in [
            ("us", Some("https://otlp.nr-data.net")),
            ("eu", Some("https://otlp.eu01.nr-data.net")),
            ("gov", Some("https://gov-otlp.nr-data.net")),
        ] {
            let url = Format::NewRelic.site(site).expect("it is a region");
            assert_eq!(Format::NewRelic.otlp_beside(&url), host);
        }
        assert_eq!(
            Format::NewRelic.otlp_beside("https://relay.example/log/v1"),
            None
        );
        assert_eq!(
            Format::Otlp.otlp_beside("https://log-api.newrelic.com"),
            None
        );
    }
}
