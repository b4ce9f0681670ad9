//! What Datadog's intakes of OTLP want beside OTLP
//! (<https://docs.datadoghq.com/opentelemetry/setup/otlp_ingest/metrics/>).

use backstop_delivery::Signal;
use backstop_json::Json;
use http::header::{HeaderName, HeaderValue};
use serde_json::value::RawValue;

/// Its sites, which may have a region before them.
const SITES: [&str; 3] = ["datadoghq.com", "datadoghq.eu", "ddog-gov.com"];
/// What tells functions apart becomes tags, and histograms have percentiles.
const METRICS: &str =
    r#"{"resource_attributes_as_tags":true,"histograms":{"mode":"distributions"}}"#;

/// Whether a host is one of them.
pub(super) fn is_intake(host: &str) -> bool {
    let site = host.strip_prefix("otlp.").unwrap_or_default();
    SITES.iter().any(|known| {
        let region = site.strip_suffix(known);
        region.is_some_and(|it| it.is_empty() || it.ends_with('.'))
    })
}

/// The headers of a signal's requests
/// (<https://docs.datadoghq.com/opentelemetry/setup/otlp_ingest/serverless/> for traces).
pub(super) fn headers(signal: Signal) -> Vec<(HeaderName, HeaderValue)> {
    let all: &[(&'static str, &'static str)] = match signal {
        Signal::Metric | Signal::PostedMetric => &[("dd-otel-metric-config", METRICS)],
        Signal::Span => &[("dd-otlp-source", "serverless"), ("compute_stats", "true")],
        Signal::Log => &[],
    };
    all.iter()
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect()
}

/// Whether a metric is cumulative, which the intake answers with an error for the whole request. A sum that may also
/// fall is always that in SDKs: whether it is taken is Datadog's to say.
pub(super) fn is_refused(metric: &RawValue) -> bool {
    /// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
    const CUMULATIVE: &str = "2";
    Json::valid(metric.get()).members().any(|(name, data)| {
        let says = |name: &str, value: &str| data.member(name).is_some_and(|it| it.get() == value);
        let falls = name == "sum" && !says("isMonotonic", "true");
        let is_refusable = matches!(&*name, "sum" | "histogram" | "exponentialHistogram");
        is_refusable && !falls && says("aggregationTemporality", CUMULATIVE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_intakes_of_all_sites_are_known_and_no_other_host_is_one() {
        for host in [
            "otlp.datadoghq.eu",
            "otlp.us5.datadoghq.com",
            "otlp.ddog-gov.com",
        ] {
            assert!(is_intake(host), "{host}");
        }
        for host in [
            "otlp.example.com",
            "api.datadoghq.eu",
            "otlp.notdatadoghq.eu",
            "",
        ] {
            assert!(!is_intake(host), "{host}");
        }
    }

    #[test]
    fn what_adds_up_on_its_own_is_refused_where_datadog_refuses_it() {
        for (metric, is_refused_there) in [
            (r#"{"name":"a","gauge":{"dataPoints":[]}}"#, false),
            (
                r#"{"name":"a","sum":{"aggregationTemporality":1,"isMonotonic":true}}"#,
                false,
            ),
            (
                r#"{"name":"a","sum":{"aggregationTemporality":2,"isMonotonic":true}}"#,
                true,
            ),
            (r#"{"name":"a","sum":{"aggregationTemporality":2}}"#, false),
            (
                r#"{"name":"a","histogram":{"aggregationTemporality":2}}"#,
                true,
            ),
            (
                r#"{"name":"a","exponentialHistogram":{"aggregationTemporality":2}}"#,
                true,
            ),
            (
                r#"{"name":"a","exponentialHistogram":{"aggregationTemporality":1}}"#,
                false,
            ),
        ] {
            let metric: &RawValue = serde_json::from_str(metric).expect("it is JSON");
            assert_eq!(is_refused(metric), is_refused_there, "{metric}");
        }
    }
}
