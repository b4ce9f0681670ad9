//! Platform events as logs, in the words of `CloudWatch` Logs
//! (<https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html> has the events).
//!
//! Their fields are the record's own members.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::value::RawValue;

use super::line::Object;
use super::{Level, Log, trace};

/// Reads the record of a platform event.
pub(super) fn read<'a>(log: &mut Log<'a>, object: &'a RawValue, members: Object<'a>) {
    let status = members.text("status");
    let failed = matches!(status.as_deref(), Some("failure" | "error" | "timeout"));
    log.level = Some(if failed {
        Level::Error
    } else if log.kind == "platform.logsDropped" {
        Level::Warn
    } else {
        Level::Info
    });
    if let Some(tracing) = members.object("tracing") {
        log.trace_id = tracing.text("value").as_deref().and_then(trace::trace_id);
        log.span_id = tracing.text("spanId").as_deref().and_then(trace::span_id);
    }
    let request_id = members.text("requestId").filter(|id| !id.is_empty());
    let worded = words(&log.kind, request_id.as_deref(), &members);
    log.message = worded.map_or(Cow::Borrowed(object.get()), Cow::Owned);
    if request_id.is_some() {
        log.request_id = request_id;
    }
    log.fields = members.0;
    log.fields
        .retain(|(name, _)| !(name == "requestId" && log.request_id.is_some()));
}

fn words(kind: &str, request_id: Option<&str>, members: &Object<'_>) -> Option<String> {
    let mut words = match kind {
        "platform.initStart" => {
            let mut words = "INIT_START ".to_owned();
            let version = members.text("runtimeVersion");
            let arn = members.text("runtimeVersionArn");
            // Writing to a string cannot fail.
            _ = write!(words, "Runtime Version: {}", version.unwrap_or_default());
            _ = write!(words, "\tRuntime Version ARN: {}", arn.unwrap_or_default());
            return Some(words);
        }
        "platform.start" => {
            let version = members.text("version");
            let version = version.as_deref().unwrap_or("$LATEST");
            return Some(format!(
                "START RequestId: {} Version: {version}",
                request_id?
            ));
        }
        "platform.runtimeDone" => return Some(format!("END RequestId: {}", request_id?)),
        "platform.report" => format!("REPORT RequestId: {}", request_id?),
        "platform.logsDropped" => {
            let records = members.number("droppedRecords")?;
            let bytes = members.number("droppedBytes")?;
            let reason = members.text("reason").unwrap_or_default();
            return Some(format!(
                "{records} records, {bytes} bytes dropped: {reason}"
            ));
        }
        _ => return None,
    };
    let metrics = members.object("metrics")?;
    for (label, name, unit, decimals) in [
        ("Duration", "durationMs", "ms", 2),
        ("Billed Duration", "billedDurationMs", "ms", 0),
        ("Memory Size", "memorySizeMB", "MB", 0),
        ("Max Memory Used", "maxMemoryUsedMB", "MB", 0),
        ("Init Duration", "initDurationMs", "ms", 2),
        ("Restore Duration", "restoreDurationMs", "ms", 2),
        (
            "Billed Restore Duration",
            "billedRestoreDurationMs",
            "ms",
            0,
        ),
    ] {
        if let Some(value) = metrics.number(name) {
            _ = write!(words, "\t{label}: {value:.decimals$} {unit}");
        }
    }
    if let Some(status) = members.text("status")
        && status != "success"
    {
        _ = write!(words, "\tStatus: {status}");
    }
    if let Some(error) = members.text("errorType") {
        _ = write!(words, "\tError Type: {error}");
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::super::Line;
    use super::*;

    fn view(kind: &str, record: &str) -> (String, &'static str) {
        let text =
            format!(r#"{{"time":"2026-01-01T00:00:00.000Z","type":"{kind}","record":{record}}}"#);
        let line = Line::parse(&text, None);
        let log = Log::of(&line, backstop_delivery::Wall::default());
        (log.message.into_owned(), log.level.map_or("", Level::name))
    }

    #[test]
    fn each_event_is_worded_as_cloudwatch_has_it() {
        for (kind, record, message, level) in [
            (
                "platform.initStart",
                r#"{"runtimeVersion":"nodejs:20.v9","runtimeVersionArn":"arn:x"}"#,
                "INIT_START Runtime Version: nodejs:20.v9\tRuntime Version ARN: arn:x",
                "INFO",
            ),
            (
                "platform.start",
                r#"{"requestId":"r","version":"7"}"#,
                "START RequestId: r Version: 7",
                "INFO",
            ),
            (
                "platform.runtimeDone",
                r#"{"requestId":"r","status":"error"}"#,
                "END RequestId: r",
                "ERROR",
            ),
            (
                "platform.report",
                r#"{"requestId":"r","metrics":{"durationMs":2599.4,"billedDurationMs":2600,"memorySizeMB":128,"maxMemoryUsedMB":94,"initDurationMs":549.04},"status":"timeout"}"#,
                "REPORT RequestId: r\tDuration: 2599.40 ms\tBilled Duration: 2600 ms\tMemory Size: 128 MB\tMax Memory Used: 94 MB\tInit Duration: 549.04 ms\tStatus: timeout",
                "ERROR",
            ),
            (
                "platform.logsDropped",
                r#"{"reason":"slow","droppedRecords":3,"droppedBytes":70}"#,
                "3 records, 70 bytes dropped: slow",
                "WARN",
            ),
            (
                "platform.extension",
                r#"{"name":"x"}"#,
                r#"{"name":"x"}"#,
                "INFO",
            ),
            (
                "platform.report",
                r#"{"requestId":"r"}"#,
                r#"{"requestId":"r"}"#,
                "INFO",
            ),
            ("platform.start", "{}", "{}", "INFO"),
        ] {
            assert_eq!(view(kind, record), (message.to_owned(), level), "{kind}");
        }
    }

    #[test]
    fn the_trace_is_that_of_the_event() {
        let text = r#"{"type":"platform.start","record":{"requestId":"r","tracing":{"spanId":"0efbd19962d95b05","type":"X-Amzn-Trace-Id","value":"Root=1-62e900b2-710d76f009d6e7785905449a;Parent=0efbd19962d95b05;Sampled=1"}}}"#;
        let line = Line::parse(text, None);
        let log = Log::of(&line, backstop_delivery::Wall::default());
        assert_eq!(
            log.trace_id.as_deref(),
            Some("62e900b2710d76f009d6e7785905449a")
        );
        assert_eq!(log.span_id.as_deref(), Some("0efbd19962d95b05"));
        assert_eq!(log.request_id.as_deref(), Some("r"));
    }
}
