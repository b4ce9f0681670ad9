//! Platform events as logs, in the words of `CloudWatch` Logs
//! (<https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html> has the events).
//!
//! Their fields are the record's own members.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::line::Object;
use super::{Level, Log, trace};
use backstop_json::Decimal;
use backstop_json::Json;

/// Reads the record of a platform event.
pub(super) fn read<'a>(log: &mut Log<'a>, object: Json<'a>) {
    let members = Object::of(object);
    let status = members.text("status");
    let failed = matches!(status.as_deref(), Some("failure" | "error" | "timeout"));
    log.level = Some(if failed {
        Level::Error
    } else if log.kind == "platform.logsDropped" {
        Level::Warn
    } else {
        Level::Info
    });
    for (name, value) in members
        .object("tracing")
        .into_iter()
        .flat_map(Json::members)
    {
        match &*name {
            "value" => log.trace_id = value.string().as_deref().and_then(trace::trace_id),
            "spanId" => log.span_id = value.string().as_deref().and_then(trace::span_id),
            _ => {}
        }
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
            let version = members.text("runtimeVersion").unwrap_or_default();
            let arn = members.text("runtimeVersionArn").unwrap_or_default();
            return Some(
                [
                    "INIT_START Runtime Version: ",
                    &version,
                    "\tRuntime Version ARN: ",
                    &arn,
                ]
                .concat(),
            );
        }
        "platform.start" => {
            let version = members.text("version");
            let version = version.as_deref().unwrap_or("$LATEST");
            return Some(["START RequestId: ", request_id?, " Version: ", version].concat());
        }
        "platform.runtimeDone" => return Some(["END RequestId: ", request_id?].concat()),
        "platform.report" => {
            /// As long as most reports are.
            const USUAL: usize = 200;
            let mut words = String::with_capacity(USUAL);
            words.push_str("REPORT RequestId: ");
            words.push_str(request_id?);
            words
        }
        "platform.logsDropped" => {
            // As they are written: a double would not keep every digit.
            let number = |name: &str| members.get(name).filter(|it| it.number().is_some());
            let records = number("droppedRecords")?.get();
            let bytes = number("droppedBytes")?.get();
            let reason = members.text("reason").unwrap_or_default();
            return Some(format!(
                "{records} records, {bytes} bytes dropped: {reason}"
            ));
        }
        _ => return None,
    };
    let metrics = Object::of(members.object("metrics")?);
    for (label, name, unit, decimals) in [
        ("\tDuration: ", "durationMs", " ms", 2),
        ("\tBilled Duration: ", "billedDurationMs", " ms", 0),
        ("\tMemory Size: ", "memorySizeMB", " MB", 0),
        ("\tMax Memory Used: ", "maxMemoryUsedMB", " MB", 0),
        ("\tInit Duration: ", "initDurationMs", " ms", 2),
        ("\tRestore Duration: ", "restoreDurationMs", " ms", 2),
        (
            "\tBilled Restore Duration: ",
            "billedRestoreDurationMs",
            " ms",
            0,
        ),
    ] {
        if let Some(value) = metrics.get(name)
            && let Some(number) = value.number()
        {
            words.push_str(label);
            rounded(&mut words, (value.get(), number), decimals);
            words.push_str(unit);
        }
    }
    if let Some(status) = members.text("status")
        && status != "success"
    {
        words.push_str("\tStatus: ");
        words.push_str(&status);
    }
    if let Some(error) = members.text("errorType") {
        words.push_str("\tError Type: ");
        words.push_str(&error);
    }
    Some(words)
}

/// Writes a number with `decimals` decimals. It works on the text of the number: digits that a double keeps
/// need no arithmetic with doubles, unless the number lies half-way between two results.
fn rounded(out: &mut String, (text, number): (&str, f64), decimals: usize) {
    /// A double keeps this many digits of any number.
    const EXACT: usize = 15;
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let kept = rest.get(..decimals.min(rest.len())).unwrap_or_default();
    let cut = rest.get(kept.len()..).unwrap_or_default();
    let digits = whole.bytes().chain(rest.bytes());
    let is_digits = digits.clone().all(|byte| byte.is_ascii_digit());
    if is_digits && rest.is_empty() {
        // Nothing to round, however long it is.
        out.push_str(whole);
        if decimals > 0 {
            out.push('.');
            out.extend(std::iter::repeat_n('0', decimals));
        }
        return;
    }
    let is_plain = text.len() <= EXACT && is_digits;
    if !is_plain || cut.trim_end_matches('0') == "5" {
        // Writing to a string cannot fail.
        _ = write!(out, "{number:.decimals$}");
        return;
    }
    let digits = whole.bytes().chain(kept.bytes());
    let digits = digits.chain(std::iter::repeat_n(b'0', decimals - kept.len()));
    let mut value = digits.fold(0, |sum: u64, digit| sum * 10 + u64::from(digit & 0x0f));
    value += u64::from(cut.as_bytes().first() >= Some(&b'5'));
    let scale = (0..decimals).fold(1, |scale: u64, _| scale * 10);
    out.push_str(&Decimal::of(value / scale));
    if decimals > 0 {
        out.push('.');
        out.push_str(&Decimal::padded(value % scale, decimals));
    }
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
            (
                "platform.logsDropped",
                r#"{"reason":"slow","droppedRecords":18446744073709551617,"droppedBytes":9007199254740993}"#,
                "18446744073709551617 records, 9007199254740993 bytes dropped: slow",
                "WARN",
            ),
            (
                "platform.report",
                r#"{"requestId":"r","metrics":{"durationMs":9007199254740993,"memorySizeMB":9007199254740993}}"#,
                "REPORT RequestId: r\tDuration: 9007199254740993.00 ms\tMemory Size: 9007199254740993 MB",
                "INFO",
            ),
        ] {
            assert_eq!(view(kind, record), (message.to_owned(), level), "{kind}");
        }
    }

    #[test]
    fn a_number_is_rounded_as_a_double_of_its_value_is() {
        let mut texts: Vec<String> = ["0", "7", "2599.4", "549.04", "0.005", "0.015", "1.115"]
            .map(str::to_owned)
            .to_vec();
        texts.extend(
            [
                "2.675", "99.995", "999.999", "0.5", "1.5", "2.5000", "9.99", "1e3", "-1.25",
            ]
            .map(str::to_owned),
        );
        texts.extend((0..3_000).map(|it| format!("{}.{:03}", it % 17, it)));
        texts.extend((0..500).map(|it| format!("{}", f64::from(it) * 0.137_931)));
        for text in texts {
            let number: f64 = text.parse().expect("it is a number");
            for decimals in [0, 2] {
                let mut shown = String::new();
                rounded(&mut shown, (&text, number), decimals);
                assert_eq!(shown, format!("{number:.decimals$}"), "{text} {decimals}");
            }
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
