//! What is derived from telemetry, by the type of the records that hold it, and which lines of a function are
//! points of metrics.
//!
//! A derived record is an event as those of the Telemetry API are, with a type that Lambda does not use:
//!
//! | type | record |
//! |---|---|
//! | [`METRICS`] | `{"metrics":[{"name","kind","unit","value","attributes"}],"start","derivedFrom"}` |
//! | [`SPANS`] | `{"spans":[span of OTLP's JSON],"derivedFrom"}` |
//! | [`INSIGHTS`] | `{"level","message","start","end","lines","errors","patterns":[…],"other"}`, of no parent |
//! | [`EXCEPTION`] | `{"level","message","requestId","exception.type",…,"derivedFrom"}` |
//!
//! What the function itself posts by OTLP is an event of the same form: its `record` is a request of OTLP's JSON
//! with one item in it ([`OTLP_LOGS`], [`OTLP_METRICS`], [`OTLP_TRACES`]).

use memchr::memmem;

/// The type of a record that holds points of metrics.
pub const METRICS: &str = "derived.metrics";
/// The type of a record that holds spans.
pub const SPANS: &str = "derived.spans";
/// The type of a record that says why an invocation failed. It is a log.
pub const EXCEPTION: &str = "derived.exception";
/// The type of a record of the patterns of lines. It is a log.
pub const INSIGHTS: &str = "derived.insights";

/// The type of a log that the function itself posted, by OTLP.
pub const OTLP_LOGS: &str = "otlp.logs";
/// The type of a metric that the function itself posted.
pub const OTLP_METRICS: &str = "otlp.metrics";
/// The type of a span that the function itself posted.
pub const OTLP_TRACES: &str = "otlp.traces";

/// Whether a type is one of these. Lambda uses none of them: what comes from it under such a name was derived from
/// nothing.
pub fn is_reserved(kind: &[u8]) -> bool {
    kind.starts_with(b"derived.") || kind.starts_with(b"otlp.")
}

/// What a record holds, apart from logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Points of metrics, derived from others or posted by the function.
    Metrics,
    /// Spans, derived from others or posted by the function.
    Spans,
    /// Points of metrics in `CloudWatch`'s embedded metric format: a line of the function's own.
    EmbeddedMetrics,
}

/// What a record holds, by its type and its `record` as JSON; `None` where it is a log.
pub fn holds(kind: &[u8], record: &[u8]) -> Option<Holds> {
    match kind {
        _ if [METRICS, OTLP_METRICS].map(str::as_bytes).contains(&kind) => Some(Holds::Metrics),
        _ if [SPANS, OTLP_TRACES].map(str::as_bytes).contains(&kind) => Some(Holds::Spans),
        b"function" if is_embedded(record) => Some(Holds::EmbeddedMetrics),
        _ => None,
    }
}

/// The same of an event's fragment.
pub fn fragment_holds(fragment: &[u8]) -> Option<Holds> {
    let rest = fragment.strip_prefix(b"\"time\":\"")?;
    let rest = &rest[memchr::memchr(b'"', rest)? + 1..];
    let rest = rest.strip_prefix(b",\"type\":\"")?;
    let end = memchr::memchr(b'"', rest)?;
    let record = rest[end + 1..].strip_prefix(b",\"record\":")?;
    holds(&rest[..end], record)
}

/// Whether it is a JSON object, or a text of one, with the member that makes it a line of the embedded metric
/// format
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
/// Its writers put that member first or last, so that the whole line is searched.
fn is_embedded(record: &[u8]) -> bool {
    let (name, directive): (&[u8], &[u8]) = match record {
        [b'{', ..] => (b"\"_aws\"", b"\"CloudWatchMetrics\""),
        [b'"', b'{', ..] => (b"\\\"_aws\\\"", b"\\\"CloudWatchMetrics\\\""),
        _ => return false,
    };
    memmem::find(record, name).is_some() && memmem::find(record, directive).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_records_and_embedded_metrics_are_told_from_logs() {
        let of = |kind: &str, record: &str| {
            let fragment =
                format!(r#""time":"2026-01-01T00:00:00.000Z","type":"{kind}","record":{record}"#);
            fragment_holds(fragment.as_bytes())
        };
        let emf = r#"{"_aws":{"Timestamp":1,"CloudWatchMetrics":[]},"n":1}"#;
        let text = serde_json::to_string(&format!("{emf}\n")).expect("it is a text");
        for (kind, record, expected) in [
            (METRICS, "{}", Some(Holds::Metrics)),
            (SPANS, "{}", Some(Holds::Spans)),
            (EXCEPTION, "{}", None),
            (OTLP_METRICS, "{}", Some(Holds::Metrics)),
            (OTLP_TRACES, "{}", Some(Holds::Spans)),
            (OTLP_LOGS, emf, None),
            ("function", emf, Some(Holds::EmbeddedMetrics)),
            ("function", &text, Some(Holds::EmbeddedMetrics)),
            ("extension", emf, None),
            ("function", r#"{"_aws":1}"#, None),
            ("function", r#""\"_aws\" and \"CloudWatchMetrics\"""#, None),
            ("platform.report", "{}", None),
        ] {
            assert_eq!(of(kind, record), expected, "{kind} {record}");
        }
        assert_eq!(fragment_holds(b"no fragment"), None);
        for kind in [
            METRICS,
            SPANS,
            EXCEPTION,
            INSIGHTS,
            OTLP_LOGS,
            OTLP_METRICS,
            OTLP_TRACES,
        ] {
            assert!(is_reserved(kind.as_bytes()), "{kind}");
        }
        for kind in ["function", "extension", "platform.report", "derived", ""] {
            assert!(!is_reserved(kind.as_bytes()), "{kind}");
        }
    }
}
