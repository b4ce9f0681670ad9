//! The severity of what loggers write, in their own words.

use backstop_telemetry::Severity::{self, Debug, Error, Info, Warn};
use proptest::prelude::*;
use serde_json::Value;

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

/// One logger's line at each severity; `{}` is where it writes the level.
struct Logger {
    name: &'static str,
    line: &'static str,
    levels: &'static [(&'static str, Severity)],
}

const UPPER: &[(&str, Severity)] = &[
    ("DEBUG", Debug),
    ("INFO", Info),
    ("WARN", Warn),
    ("ERROR", Error),
];
const PYTHON: &[(&str, Severity)] = &[
    ("DEBUG", Debug),
    ("INFO", Info),
    ("WARNING", Warn),
    ("ERROR", Error),
    ("CRITICAL", Error),
];
const PINO: &[(&str, Severity)] = &[
    ("10", Debug),
    ("20", Debug),
    ("30", Info),
    ("40", Warn),
    ("50", Error),
    ("60", Error),
];

/// Loggers that write an object.
const JSON: &[Logger] = &[
    Logger {
        name: "pino",
        line: r#"{"level":{},"time":1767225600000,"pid":8,"hostname":"169.254.1.1","msg":"no ERROR in here"}"#,
        levels: PINO,
    },
    Logger {
        name: "bunyan",
        line: r#"{"name":"orders","hostname":"169.254.1.1","pid":8,"level":{},"msg":"placed","time":"2026-01-01T00:00:00.000Z","v":0}"#,
        levels: PINO,
    },
    Logger {
        name: "winston",
        line: r#"{"message":"the \"error\" is elsewhere","level":"{}","timestamp":"2026-01-01T00:00:00.000Z"}"#,
        levels: &[
            ("silly", Debug),
            ("debug", Debug),
            ("verbose", Debug),
            ("http", Info),
            ("info", Info),
            ("warn", Warn),
            ("error", Error),
        ],
    },
    Logger {
        name: "winston, syslog levels, colours",
        line: r#"{"level":"\u001b[31m{}\u001b[39m","message":"m"}"#,
        levels: &[
            ("debug", Debug),
            ("notice", Info),
            ("warning", Warn),
            ("error", Error),
            ("crit", Error),
            ("alert", Error),
            ("emerg", Error),
        ],
    },
    Logger {
        name: "console on Lambda, JSON",
        line: r#"{"timestamp":"2026-01-01T00:00:00.000Z","level":"{}","requestId":"8a5f6a7e-0e6c-4b1c-8a0e-1f2d3c4b5a69","message":"placed"}"#,
        levels: &[
            ("TRACE", Debug),
            ("DEBUG", Debug),
            ("INFO", Info),
            ("WARN", Warn),
            ("ERROR", Error),
            ("FATAL", Error),
        ],
    },
    Logger {
        name: "Powertools for AWS Lambda (Python)",
        line: r#"{"level":"{}","location":"handler:12","message":"Traceback of nothing","timestamp":"2026-01-01 00:00:00,000+0000","service":"orders","xray_trace_id":"1-58759e64-abcdef"}"#,
        levels: PYTHON,
    },
    Logger {
        name: "Powertools for AWS Lambda (TypeScript)",
        line: r#"{"level":"{}","message":"placed","sampling_rate":0,"service":"orders","timestamp":"2026-01-01T00:00:00.000Z","xray_trace_id":"abc"}"#,
        levels: &[
            ("TRACE", Debug),
            ("DEBUG", Debug),
            ("INFO", Info),
            ("WARN", Warn),
            ("ERROR", Error),
            ("CRITICAL", Error),
        ],
    },
    Logger {
        name: "Powertools for AWS Lambda (Java)",
        line: r#"{"level":"{}","message":"placed","cold_start":true,"function_name":"orders","service":"orders","timestamp":"2026-01-01T00:00:00.000Z"}"#,
        levels: UPPER,
    },
    Logger {
        name: "logging on Lambda (Python), JSON",
        line: r#"{"timestamp":"2026-01-01T00:00:00Z","level":"{}","message":"placed","logger":"root","requestId":"8a5f6a7e"}"#,
        levels: PYTHON,
    },
    Logger {
        name: "python-json-logger",
        line: r#"{"message":"placed","levelname":"{}","name":"root","asctime":"2026-01-01 00:00:00,000"}"#,
        levels: PYTHON,
    },
    Logger {
        name: "structlog",
        line: r#"{"order":7,"level_of_stock":1,"event":"placed","level":"{}","timestamp":"2026-01-01T00:00:00Z"}"#,
        levels: &[
            ("debug", Debug),
            ("info", Info),
            ("warning", Warn),
            ("error", Error),
            ("critical", Error),
        ],
    },
    Logger {
        name: "loguru",
        line: r#"{"text":"placed\n","record":{"elapsed":{"repr":"0:00"},"exception":null,"level":{"icon":"x","name":"{}"},"message":"placed"}}"#,
        levels: &[
            ("TRACE", Debug),
            ("DEBUG", Debug),
            ("INFO", Info),
            ("SUCCESS", Info),
            ("WARNING", Warn),
            ("ERROR", Error),
        ],
    },
    Logger {
        name: "Python's levelno",
        line: r#"{"message":"placed","levelno":{}}"#,
        levels: &[
            ("10", Debug),
            ("20", Info),
            ("30", Warn),
            ("40", Error),
            ("50", Error),
        ],
    },
    Logger {
        name: "log4j2, JsonLayout",
        line: r#"{"instant":{"epochSecond":1767225600,"nanoOfSecond":0},"thread":"main","level":"{}","loggerName":"a.B","message":"placed","endOfBatch":false}"#,
        levels: UPPER,
    },
    Logger {
        name: "log4j2, ECS",
        line: r#"{"@timestamp":"2026-01-01T00:00:00.000Z","ecs.version":"1.2.0","log.level":"{}","message":"placed","process.thread.name":"main"}"#,
        levels: UPPER,
    },
    Logger {
        name: "ECS, nested",
        line: r#"{"@timestamp":"2026-01-01T00:00:00.000Z","log":{"logger":"a","level":"{}"},"message":"placed"}"#,
        levels: UPPER,
    },
    Logger {
        name: "logback, logstash encoder",
        line: r#"{"@timestamp":"2026-01-01T00:00:00.000Z","@version":"1","message":"placed","level":"{}"}"#,
        levels: UPPER,
    },
    Logger {
        name: "logback, level_value",
        line: r#"{"message":"placed","level_value":{}}"#,
        levels: &[
            ("5000", Debug),
            ("10000", Debug),
            ("20000", Info),
            ("30000", Warn),
            ("40000", Error),
        ],
    },
    Logger {
        name: "zap",
        line: r#"{"level":"{}","ts":1767225600.1,"caller":"a/b.go:1","msg":"placed","error":"said"}"#,
        levels: &[
            ("debug", Debug),
            ("info", Info),
            ("warn", Warn),
            ("error", Error),
            ("dpanic", Error),
            ("panic", Error),
            ("fatal", Error),
        ],
    },
    Logger {
        name: "zerolog",
        line: r#"{"level":"{}","error":"kept","time":1767225600,"message":"placed"}"#,
        levels: &[
            ("trace", Debug),
            ("debug", Debug),
            ("info", Info),
            ("warn", Warn),
            ("error", Error),
            ("fatal", Error),
            ("panic", Error),
        ],
    },
    Logger {
        name: "slog, JSON",
        line: r#"{"time":"2026-01-01T00:00:00Z","level":"{}","msg":"placed"}"#,
        levels: &[
            ("DEBUG-4", Debug),
            ("DEBUG", Debug),
            ("INFO", Info),
            ("INFO+2", Info),
            ("WARN", Warn),
            ("ERROR", Error),
            ("ERROR+4", Error),
        ],
    },
    Logger {
        name: "logrus, JSON",
        line: r#"{"level":"{}","msg":"placed","time":"2026-01-01T00:00:00Z"}"#,
        levels: &[
            ("trace", Debug),
            ("debug", Debug),
            ("info", Info),
            ("warning", Warn),
            ("error", Error),
            ("fatal", Error),
            ("panic", Error),
        ],
    },
    Logger {
        name: "Serilog, compact",
        line: r#"{"@t":"2026-01-01T00:00:00.0000000Z","@mt":"Placed {Order}","@l":"{}","Order":7}"#,
        levels: &[
            ("Verbose", Debug),
            ("Debug", Debug),
            ("Information", Info),
            ("Warning", Warn),
            ("Error", Error),
            ("Fatal", Error),
        ],
    },
    Logger {
        name: "Microsoft.Extensions.Logging, JSON",
        line: r#"{"EventId":0,"LogLevel":"{}","Category":"A","Message":"placed"}"#,
        levels: &[
            ("Trace", Debug),
            ("Debug", Debug),
            ("Information", Info),
            ("Warning", Warn),
            ("Error", Error),
            ("Critical", Error),
        ],
    },
    Logger {
        name: "tracing-subscriber, JSON",
        line: r#"{"timestamp":"2026-01-01T00:00:00.000000Z","level":"{}","fields":{"message":"placed"},"target":"orders"}"#,
        levels: &[
            ("TRACE", Debug),
            ("DEBUG", Debug),
            ("INFO", Info),
            ("WARN", Warn),
            ("ERROR", Error),
        ],
    },
    Logger {
        name: "Monolog",
        line: r#"{"message":"placed","context":{},"level":{},"channel":"app","datetime":"2026-01-01T00:00:00+00:00"}"#,
        levels: &[
            ("100", Debug),
            ("200", Info),
            ("250", Info),
            ("300", Warn),
            ("400", Error),
            ("600", Error),
        ],
    },
    Logger {
        name: "GELF, syslog",
        line: r#"{"version":"1.1","host":"h","short_message":"placed","level":{}}"#,
        levels: &[
            ("7", Debug),
            ("6", Info),
            ("5", Info),
            ("4", Warn),
            ("3", Error),
            ("2", Error),
            ("0", Error),
        ],
    },
    Logger {
        name: "OpenTelemetry, numbers",
        line: r#"{"timeUnixNano":"1","severityNumber":{},"body":{"stringValue":"placed"}}"#,
        levels: &[
            ("1", Debug),
            ("5", Debug),
            ("9", Info),
            ("12", Info),
            ("13", Warn),
            ("17", Error),
            ("24", Error),
        ],
    },
    Logger {
        name: "OpenTelemetry, text",
        line: r#"{"severity_text":"{}","body":"placed"}"#,
        levels: &[
            ("Trace", Debug),
            ("info", Info),
            ("Warn", Warn),
            ("FATAL", Error),
        ],
    },
    Logger {
        name: "Google's",
        line: r#"{"severity":"{}","message":"placed"}"#,
        levels: &[
            ("DEBUG", Debug),
            ("INFO", Info),
            ("NOTICE", Info),
            ("WARNING", Warn),
            ("ERROR", Error),
            ("CRITICAL", Error),
            ("ALERT", Error),
            ("EMERGENCY", Error),
        ],
    },
    Logger {
        name: "names of other spelling",
        line: r#"{"msg":"placed","LVL":"{}"}"#,
        levels: &[
            ("E", Error),
            ("w", Warn),
            ("I", Info),
            ("d", Debug),
            ("eror", Error),
            ("INF", Info),
            ("[ERROR]", Error),
        ],
    },
];

/// Loggers that write a line of text.
const TEXT: &[Logger] = &[
    Logger {
        name: "console on Lambda, text",
        line: "2026-01-01T00:00:00.000Z\t8a5f6a7e-0e6c-4b1c-8a0e-1f2d3c4b5a69\t{}\tno Error: and no ERROR\n",
        levels: UPPER,
    },
    Logger {
        name: "console on Lambda during init",
        line: "2026-01-01T00:00:00.000Z\tundefined\t{}\tplaced",
        levels: UPPER,
    },
    Logger {
        name: "logging on Lambda (Python), text",
        line: "[{}]\t2026-01-01T00:00:00.000Z\t8a5f6a7e-0e6c-4b1c-8a0e-1f2d3c4b5a69\tplaced\n",
        levels: PYTHON,
    },
    Logger {
        name: "logging.basicConfig",
        line: "{}:root:placed",
        levels: PYTHON,
    },
    Logger {
        name: "logback's pattern",
        line: "00:00:00.000 [main-thread-of-orders] {}  com.example.orders.Handler - placed",
        levels: UPPER,
    },
    Logger {
        name: "slog, default",
        line: "2026/01/01 00:00:00 {} placed order=7",
        levels: UPPER,
    },
    Logger {
        name: "slog, text",
        line: "time=2026-01-01T00:00:00.000Z level={} msg=placed",
        levels: UPPER,
    },
    Logger {
        name: "logrus, logfmt",
        line: r#"time="2026-01-01T00:00:00Z" level={} msg="placed" error="the ERROR that was handled""#,
        levels: &[("debug", Debug), ("error", Error), ("fatal", Error)],
    },
    Logger {
        name: "logfmt of other names",
        line: "ts=1 caller=a.go:1 lvl={} msg=placed",
        levels: &[
            ("dbug", Debug),
            ("info", Info),
            ("warn", Warn),
            ("eror", Error),
            ("\"error\"", Error),
        ],
    },
    Logger {
        name: "winston, simple",
        line: "{}: placed",
        levels: &[
            ("debug", Debug),
            ("info", Info),
            ("warn", Warn),
            ("error", Error),
        ],
    },
    Logger {
        name: "tracing-subscriber, coloured",
        line: "\u{1b}[2m2026-01-01T00:00:00.000000Z\u{1b}[0m \u{1b}[31m{}\u{1b}[0m \u{1b}[2morders\u{1b}[0m: placed",
        levels: UPPER,
    },
    Logger {
        name: "Serilog, console",
        line: "[00:00:00 {}] Placed",
        levels: &[
            ("VRB", Debug),
            ("DBG", Debug),
            ("INF", Info),
            ("WRN", Warn),
            ("ERR", Error),
            ("FTL", Error),
        ],
    },
    Logger {
        name: "Microsoft.Extensions.Logging, console",
        line: "{}: Orders.Handler[0]\n      Placed",
        levels: &[
            ("trce", Debug),
            ("dbug", Debug),
            ("info", Info),
            ("warn", Warn),
            ("fail", Error),
            ("crit", Error),
        ],
    },
    Logger {
        name: "nginx",
        line: "2026/01/01 00:00:00 [{}] 7#7: *1 placed",
        levels: &[
            ("debug", Debug),
            ("notice", Info),
            ("warn", Warn),
            ("error", Error),
            ("crit", Error),
            ("emerg", Error),
        ],
    },
    Logger {
        name: "syslog",
        line: "<{}>1 2026-01-01T00:00:00Z host app - - - placed",
        levels: &[
            ("15", Debug),
            ("14", Info),
            ("13", Info),
            ("12", Warn),
            ("11", Error),
            ("8", Error),
            ("191", Debug),
        ],
    },
    Logger {
        name: "klog",
        line: "{}0101 00:00:00.000000       1 main.go:7] placed",
        levels: &[("I", Info), ("W", Warn), ("E", Error), ("F", Error)],
    },
    Logger {
        name: "Ruby",
        line: "{}, [2026-01-01T00:00:00.000000 #7]  -- : placed",
        levels: &[
            ("D", Debug),
            ("I", Info),
            ("W", Warn),
            ("E", Error),
            ("F", Error),
        ],
    },
    Logger {
        name: "JSON behind Lambda's own words",
        line: "2026-01-01T00:00:00.000Z\tundefined\tINFO\t{\"level\":{},\"msg\":\"placed\"}",
        levels: &[
            ("30", Info),
            ("40", Warn),
            ("50", Error),
            ("\"warn\"", Warn),
            ("\"error\"", Error),
        ],
    },
    Logger {
        name: "an object, printed by Node",
        line: "{ message: 'placed', level: '{}' }",
        levels: &[("info", Info), ("warn", Warn), ("error", Error)],
    },
    Logger {
        name: "a dictionary, printed",
        line: "{'message': 'placed', 'level': '{}'}",
        levels: &[("info", Info), ("warning", Warn), ("error", Error)],
    },
];

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
