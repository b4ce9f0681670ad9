//! What the function posts by OTLP, through the code that reads it.

use backstop_delivery::{Signal, Wall};
use backstop_sinks::otlp::{Encoding, Received, receive};
use serde_json::json;

/// A request with a log for each text; `None` where it would be refused for its size.
pub(super) fn logs(
    texts: &[String],
    level: &str,
    time: Wall,
    most_bytes: usize,
) -> Option<Received> {
    let severity = match level {
        "DEBUG" => 5,
        "WARN" => 13,
        "ERROR" => 17,
        _ => 9,
    };
    let log = |text: &String| {
        json!({
            "timeUnixNano": time.0.as_nanos().to_string(),
            "severityNumber": severity,
            "body": {"stringValue": text},
        })
    };
    let logs: Vec<_> = texts.iter().map(log).collect();
    let resource =
        json!({"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]});
    let request = json!({
        "resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": logs}]}],
    });
    let body = request.to_string();
    receive(
        Signal::Log,
        Encoding::Json,
        body.as_bytes(),
        most_bytes,
        time,
    )
    .ok()
}
