//! The severity of what loggers write, in their own words.

mod json;
mod loggers;
mod text;

use backstop_telemetry::Severity::{self, Error, Info, Warn};
use proptest::prelude::*;
use serde_json::Value;

use json::JSON;
use text::TEXT;

fn of(record: &str) -> Severity {
    Severity::of(
        format!(r#""time":"2026-01-01T00:00:00.000Z","type":"function","record":{record}"#)
            .as_bytes(),
    )
}

/// The record as Lambda forwards it when the log format is text: in a string.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[test]
fn objects_of_loggers_have_the_level_that_they_say_also_as_text() {
    for logger in JSON {
        for (level, expected) in logger.levels {
            let record = logger.line.replacen("{}", level, 1);
            // Monolog's context is an empty object as well.
            let record = if logger.name == "Monolog" {
                logger
                    .line
                    .replace(r#""level":{}"#, &format!(r#""level":{level}"#))
            } else {
                record
            };
            assert!(serde_json::from_str::<Value>(&record).is_ok(), "{record}");
            let wrapped = format!(r#"{{"timestamp":"t","level":"DEBUG","message":{record}}}"#);
            let escaped = format!(r#"{{"message":{}}}"#, quoted(&record));
            let cases = [
                (record.clone(), *expected),
                (quoted(&record), *expected),
                (quoted(&format!("  {record}\n")), *expected),
                (escaped.clone(), *expected),
                (quoted(&escaped), *expected),
                (wrapped, *expected),
            ];
            for (record, expected) in cases {
                assert_eq!(of(&record), expected, "{}: {record}", logger.name);
            }
        }
    }
}

#[test]
fn a_log_that_the_function_posted_has_the_severity_of_its_number_or_else_of_its_text() {
    let of = |members: &str| {
        let text = r#"{"stringValue":"\"severityNumber\":17 ERROR"}"#;
        let resource = "x".repeat(20_000);
        let record = format!(
            r#"{{"resourceLogs":[{{"resource":{{"r":"{resource}"}},"scopeLogs":[{{"logRecords":[{{{members}"body":{text}}}]}}]}}]}}"#
        );
        let fragment =
            format!(r#""time":"2026-01-01T00:00:00.000Z","type":"otlp.logs","record":{record}"#);
        Severity::of(fragment.as_bytes())
    };
    for (number, expected) in [
        (0, Info),
        (1, Severity::Debug),
        (8, Severity::Debug),
        (9, Info),
        (12, Info),
        (13, Warn),
        (16, Warn),
        (17, Error),
        (24, Error),
    ] {
        assert_eq!(
            of(&format!(r#""severityNumber":{number},"#)),
            expected,
            "{number}"
        );
    }
    assert_eq!(of(""), Info, "it says none");
    for (members, expected) in [
        (r#""severityText":"ERROR","#, Error),
        (r#""severityText":"Fatal2","#, Error),
        (r#""severityText":"warning","#, Warn),
        (r#""severityText":"TRACE","#, Severity::Debug),
        (r#""severityText":"of its own","#, Info),
        (r#""severityText":"","#, Info),
        (r#""severityNumber":0,"severityText":"ERROR","#, Error),
        (r#""severityNumber":9,"severityText":"ERROR","#, Info),
    ] {
        assert_eq!(of(members), expected, "{members}");
    }
}

#[test]
fn lines_of_loggers_have_the_level_that_they_say() {
    for logger in TEXT {
        for (level, expected) in logger.levels {
            let text = logger.line.replacen("{}", level, 1);
            assert_eq!(of(&quoted(&text)), *expected, "{}: {text}", logger.name);
            let message = format!(r#"{{"msg":{}}}"#, quoted(&text));
            assert_eq!(of(&message), *expected, "{}: {message}", logger.name);
        }
    }
}

#[test]
fn reports_of_errors_are_errors() {
    let texts = [
        "Error: no stock\n    at place (/var/task/orders.js:7:9)",
        "TypeError: Cannot read properties of undefined (reading 'id')",
        "java.lang.IllegalStateException: no stock\n\tat com.example.Orders.place(Orders.java:7)",
        "Exception in thread \"main\" java.lang.NullPointerException",
        "Traceback (most recent call last):\n  File \"/var/task/app.py\", line 7, in handler\nValueError: no stock",
        "[ERROR] ValueError: no stock\nTraceback (most recent call last):",
        "panic: runtime error: index out of range [7] with length 3\n\ngoroutine 1 [running]:",
        "thread 'main' panicked at src/main.rs:7:9:\nno stock",
        "fatal error: all goroutines are asleep - deadlock!",
        "Unhandled exception. System.InvalidOperationException: no stock",
        "Uncaught Exception",
        "System.NullReferenceException: Object reference not set",
        "handling failed\nCaused by: java.io.IOException: no stock",
        "2026-01-01T00:00:00.000Z 8a5f6a7e Task timed out after 3.00 seconds",
        "RequestId: 8a5f6a7e Error: Runtime exited with error: signal: killed",
        "could not place the order: ValueError: no stock",
        "Error while placing",
        "ERROR",
        "AssertionError [ERR_ASSERTION]: Expected values to be strictly equal",
        "TypeError [ERR_INVALID_ARG_TYPE]: The \"path\" argument must be of type string",
        "node:internal/errors:490\n    throw error;\n\nTypeError [ERR_INVALID_URL]: Invalid URL",
        "could not place it: RangeError [ERR_OUT_OF_RANGE]: no stock",
        "RuntimeError (no stock)",
        "RuntimeError (no stock):\n\napp/orders.rb:7:in 'place'",
        "ActiveRecord::StatementInvalid: no\nMysql2::QueryError (a message\nof two lines)",
        "/var/task/orders.rb:7:in 'Orders#place': undefined method 'x' for nil (NoMethodError)",
        "orders.rb:7:in `place': no stock (Orders::OutOfStock)\n\tfrom orders.rb:9:in `<main>'",
        "orders.rb:7: syntax error, unexpected end-of-input (SyntaxError)",
        "** (RuntimeError) no stock\n    orders.ex:7: Orders.place/1",
        "** (Ecto.NoResultsError) expected at least one result",
        "** (exit) no stock",
        "** (EXIT from #PID<0.95.0>) shell process exited",
        "** exception error: no match of right hand side value",
        "PHP Parse error:  syntax error, unexpected end of file in /var/task/a.php on line 7",
        "PHP Fatal error:  Uncaught OutOfStock in /var/task/a.php:7",
        "[01-Jan-2026 00:00:00 UTC] PHP Fatal error:  Allowed memory size exhausted",
        "PHP Recoverable fatal error:  Object of class A",
        "NOTICE: PHP message: PHP Fatal error:  Uncaught OutOfStock in a.php:7",
        "Parse error: syntax error, unexpected end of file in a.php on line 7",
        "goroutine 1 [running]:\nmain.main()\n\t/var/task/main.go:7 +0x1d",
        "goroutine 18 gp=0xc000 m=0 mp=0x1 [chan receive, 2 minutes]:",
        "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x1]",
    ];
    for text in texts {
        assert_eq!(of(&quoted(text)), Error, "{text}");
    }
    let objects = [
        r#"{"errorType":"OrderError","errorMessage":"no stock","stackTrace":["a"]}"#,
        r#"{"message":"placed","exception":{"class":"A"}}"#,
        r#"{"err":"no stock"}"#,
        r#"{"@t":"t","@mt":"m","@x":"System.Exception"}"#,
    ];
    for record in objects {
        assert_eq!(of(record), Error, "{record}");
    }
}

#[test]
fn warnings_of_runtimes_are_warnings() {
    for text in [
        "PHP Warning:  Undefined variable $a in /var/task/a.php on line 7",
        "[01-Jan-2026 00:00:00 UTC] PHP Warning:  Undefined variable $a",
        "DeprecationWarning: the imp module is deprecated",
        "/var/task/orders.py:1: UserWarning: no stock\n  warnings.warn(\"no stock\")",
        "sys:1: ResourceWarning: unclosed file",
        "(node:8) [DEP0005] DeprecationWarning: Buffer() is deprecated",
        "(node:8) Warning: Setting the NODE_TLS_REJECT_UNAUTHORIZED environment variable",
    ] {
        assert_eq!(of(&quoted(text)), Warn, "{text}");
    }
}

#[test]
fn a_status_and_a_priority_say_a_level_where_nothing_else_does() {
    for (record, expected) in [
        (r#"{"status":"error","msg":"m"}"#, Error),
        (r#"{"Status":"Warning"}"#, Warn),
        (r#"{"status":"debug"}"#, Severity::Debug),
        (r#"{"PRIORITY":"3","MESSAGE":"m"}"#, Error),
        (r#"{"PRIORITY":3}"#, Error),
        (r#"{"PRIORITY":"4"}"#, Warn),
        (r#"{"PRIORITY":6,"a":1}"#, Info),
        (r#"{"PRIORITY":"7"}"#, Severity::Debug),
        (r#"{"priority":"err"}"#, Error),
        (r#"{"priority":"0"}"#, Error),
        (r#"{"priority":"WARNING"}"#, Warn),
        (r#"{"status":200,"priority":"crit"}"#, Error),
        (r#"{"levelStr":"ERROR"}"#, Error),
        (r#"{"level_str":"WARN"}"#, Warn),
        // They are the application's own as well.
        (r#"{"level":"info","status":"error"}"#, Info),
        (r#"{"status":"error","level":"info"}"#, Info),
        (r#"{"level":"warn","priority":"3"}"#, Warn),
        (r#"{"status":500}"#, Info),
        (r#"{"status":"500"}"#, Info),
        (r#"{"status":"3"}"#, Info),
        (r#"{"status":"error rate is low"}"#, Info),
        (r#"{"status":"active"}"#, Info),
        (r#"{"status":{"code":"error"}}"#, Info),
        (r#"{"status":["error"]}"#, Info),
        (r#"{"status":null,"priority":"high"}"#, Info),
        (r#"{"priority":1}"#, Info),
        (r#"{"priority":"17"}"#, Info),
        (r#"{"PRIORITY":17}"#, Info),
        (r#"{"PRIORITY":-1}"#, Info),
        (r#"{"priority":1,"level":"warn"}"#, Warn),
        (r#"{"order":{"status":"error"}}"#, Info),
        (r#""status=error""#, Info),
    ] {
        assert_eq!(of(record), expected, "{record}");
        let escaped = format!(r#"{{"message":{}}}"#, quoted(record));
        assert_eq!(of(&escaped), expected, "{escaped}");
    }
}

#[test]
fn prose_and_business_say_nothing() {
    let texts = [
        "no error found",
        "0 errors, 0 warnings",
        "the exception proves the rule",
        "Trace id 12345",
        "Debug mode is on",
        "battery level: 3",
        "water level 50",
        "error_code=7",
        "Erroneous",
        "TimeoutException (see the manual) is thrown after a while",
        "TimeoutError [sic] was handled",
        "an item [ERR_NONE]: nothing",
        "retried and went through (TimeoutError)",
        "retried in orders.rb:7 (TimeoutError)",
        "orders.rb:7: it is fine (really)",
        "** (note) nothing to do",
        "** (RuntimeErrors are handled)",
        "PHP warnings are off",
        "PHP error reporting is on",
        "PHP Notice:  Undefined index in a.php on line 7",
        "goroutine 7 [worker] is done",
        "goroutines [running]:",
        "Storm Warning: heavy rain",
        "no UserWarning was raised",
        "placed an order with information",
        "",
        "{",
        "{}",
        "{\"level\"",
    ];
    for text in texts {
        assert_eq!(of(&quoted(text)), Info, "{text}");
    }
    let objects = [
        "{}",
        "[]",
        "7",
        "null",
        "[{\"level\":\"error\"}]",
        r#"{"error":null,"err":"","exception":false,"errorType":0}"#,
        r#"{"order":{"level":"error","severity":1}}"#,
        r#"{"level":null}"#,
        r#"{"level":[50]}"#,
        r#"{"level":{"floor":3}}"#,
        r#"{"priority":1}"#,
        r#"{"levels":50}"#,
        r#"{"level":"high"}"#,
    ];
    for record in objects {
        assert_eq!(of(record), Info, "{record}");
    }
}

#[test]
fn the_most_severe_level_counts_and_a_level_before_text() {
    assert_eq!(of(r#"{"level":"info","severity":"ERROR"}"#), Error);
    assert_eq!(of(r#"{"level":"error","severity":"info"}"#), Error);
    assert_eq!(of(r#"{"level":"INFO","message":"{\"level\":50}"}"#), Error);
    assert_eq!(of(r#"{"level":"INFO","message":{"level":40}}"#), Warn);
    assert_eq!(
        of(r#"{"msg":"ERROR","level":30}"#),
        Info,
        "what is said counts before the text"
    );
    assert_eq!(
        of(r#"{"level":"info","error":"x"}"#),
        Info,
        "and before a hint"
    );
}

#[test]
fn platform_events_are_kept_longest_and_what_quotes_one_is_not_one() {
    let of = |fragment: &str| Severity::of(fragment.as_bytes());
    assert_eq!(
        of(r#""time":"t","type":"platform.report","record":{}"#),
        Error
    );
    assert_eq!(
        of(r#""time":"t","type":"function","record":"\"type\":\"platform.report\"""#),
        Info
    );
    assert_eq!(
        of(r#""time":"\",\"type\":\"platform.start","type":"function","record":1"#),
        Info
    );
    assert_eq!(
        of(r#""time":"t","type":"extension","record":{"level":"warn"}"#),
        Warn
    );
    assert_eq!(of(""), Info);
}

#[test]
fn no_more_than_the_beginning_is_looked_at() {
    let behind = |length: usize| {
        of(&format!(
            r#"{{"msg":"{}","level":"error"}}"#,
            "x".repeat(length)
        ))
    };
    assert_eq!(behind(7_000), Error);
    assert_eq!(behind(9_000), Info);
}

proptest! {
    #[test]
    fn any_bytes_have_a_severity(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        Severity::of(&bytes);
    }

    #[test]
    fn any_pieces_of_logs_have_one(pieces in proptest::collection::vec(prop::sample::select(vec![
        "{", "}", "[", "]", "\"", "\\\"", "\\\\\\\"", "\\", ":", ",", "level", "\"level\":", "\"log\":", "50", "error", "ERROR",
        "\\u001b[31m", "\\u00", "\u{1b}[", "<11>", "E0101 ", "=", " ", "-", "é", "\"record\":", "\"type\":\"", "platform.",
    ]), 0..60)) {
        let text = pieces.concat();
        Severity::of(text.as_bytes());
        of(&text);
        of(&quoted(&text));
    }
}
