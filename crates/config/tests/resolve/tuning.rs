//! The variables with defaults: flushing, buffer, types, tags, log level. And unknown names.

use std::time::Duration;

use backstop_config::{FlushStrategy, LogLevel, MetricsTarget, RESERVED_TAGS, TelemetryType};

use crate::{resolve, with_bucket};

const MIB: usize = 1024 * 1024;

/// The one error, or none.
fn expect_error(errors: &[String], expected: Option<&str>) {
    assert_eq!(errors, expected.as_slice());
}

#[test]
fn telemetry_types_are_a_list_in_the_order_said() {
    use TelemetryType::{Extension, Function, Platform};
    let all = vec![Platform, Function, Extension];
    let cases = [
        ("function", vec![Function], None),
        ("function, platform", vec![Function, Platform], None),
        (
            "function,metrics",
            all.clone(),
            Some(
                "BACKSTOP_TELEMETRY_TYPES names \"metrics\": use platform, function or extension, \
                 separated by commas; the default platform,function,extension is used",
            ),
        ),
        (
            "function,function",
            all.clone(),
            Some(
                "BACKSTOP_TELEMETRY_TYPES names function twice: name each once; the default \
                 platform,function,extension is used",
            ),
        ),
        ("", all, None),
    ];
    for (text, expected, error) in cases {
        let (settings, errors) = with_bucket("BACKSTOP_TELEMETRY_TYPES", text);
        assert_eq!(settings.telemetry_types, expected, "{text}");
        expect_error(&errors, error);
    }
}

#[test]
fn the_flush_strategy_is_one_of_four() {
    let cases = [
        ("auto", FlushStrategy::Auto, None),
        ("end", FlushStrategy::End, None),
        ("periodic", FlushStrategy::Periodic, None),
        ("Continuous", FlushStrategy::Continuous, None),
        (
            "never",
            FlushStrategy::Auto,
            Some(
                "BACKSTOP_FLUSH_STRATEGY is \"never\": use auto, end, periodic or continuous; the \
                 default auto is used",
            ),
        ),
    ];
    for (text, expected, error) in cases {
        let (settings, errors) = with_bucket("BACKSTOP_FLUSH_STRATEGY", text);
        assert_eq!(settings.flush.strategy, expected, "{text}");
        expect_error(&errors, error);
    }
}

#[test]
fn durations_are_in_milliseconds_and_in_range() {
    let interval_error = "BACKSTOP_FLUSH_INTERVAL_MS is \"99\", out of range: use 100 to 600000 \
         (milliseconds); the default 1000 is used";
    for (text, expected, error) in [
        ("100", 100, None),
        ("600000", 600_000, None),
        ("99", 1_000, Some(interval_error)),
    ] {
        let (settings, errors) = with_bucket("BACKSTOP_FLUSH_INTERVAL_MS", text);
        assert_eq!(settings.flush.interval, Duration::from_millis(expected));
        expect_error(&errors, error);
    }

    let added_error = "BACKSTOP_MAX_ADDED_MS is \"10001\", out of range: use 0 to 10000 \
         (milliseconds); the default 500 is used";
    for (text, expected, error) in [
        ("0", 0, None),
        ("10000", 10_000, None),
        ("10001", 500, Some(added_error)),
    ] {
        let (settings, errors) = with_bucket("BACKSTOP_MAX_ADDED_MS", text);
        assert_eq!(settings.flush.max_added, Duration::from_millis(expected));
        expect_error(&errors, error);
    }
}

#[test]
fn the_buffer_is_a_tenth_of_the_memory_within_limits_unless_it_is_set() {
    let cases = [
        (None, 4 * MIB),
        (Some("128"), 128 * MIB / 10),
        (Some("40"), 4 * MIB),
        (Some("256"), 256 * MIB / 10),
        (Some("512"), 32 * MIB),
        (Some("10240"), 32 * MIB),
    ];
    for (memory, expected) in cases {
        let mut variables = vec![("BACKSTOP_S3_BUCKET", "archive")];
        variables.extend(memory.map(|memory| ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory)));
        let (settings, errors) = resolve(&variables);
        assert_eq!(errors, [""; 0]);
        // Without the platform's word the smallest function is assumed.
        let expected = if memory.is_none() {
            128 * MIB / 10
        } else {
            expected
        };
        assert_eq!(settings.buffer_max_bytes, expected, "{memory:?}");
    }

    let error = |value: &str, problem: &str| {
        format!(
            "BACKSTOP_BUFFER_MAX_BYTES is \"{value}\", {problem}: use 1048576 to 268435456 (bytes); \
             the default is used"
        )
    };
    let default = 128 * MIB / 10;
    let cases = [
        ("1048576", MIB, None),
        ("268435456", 256 * MIB, None),
        ("1048575", default, Some(error("1048575", "out of range"))),
        (
            "268435457",
            default,
            Some(error("268435457", "out of range")),
        ),
        ("8MiB", default, Some(error("8MiB", "not a whole number"))),
    ];
    for (text, expected, error) in cases {
        let (settings, errors) = with_bucket("BACKSTOP_BUFFER_MAX_BYTES", text);
        assert_eq!(settings.buffer_max_bytes, expected, "{text}");
        expect_error(&errors, error.as_deref());
    }
}

#[test]
fn tags_that_are_valid_are_kept_beside_one_that_is_not() {
    let cases = [
        (
            "team=a, stage = b ,",
            vec![("team", "a"), ("stage", "b")],
            None,
        ),
        ("empty=", vec![("empty", "")], None),
        ("query=a=b", vec![("query", "a=b")], None),
        (
            "team,stage=b",
            vec![("stage", "b")],
            Some(
                "BACKSTOP_TAGS has the entry \"team\" without \"=\": write key=value; this entry is \
                 left out",
            ),
        ),
        (
            "=a,stage=b",
            vec![("stage", "b")],
            Some(
                "BACKSTOP_TAGS has the entry \"=a\" without a key: write key=value; this entry is \
                 left out",
            ),
        ),
        (
            "a=1,a=2",
            vec![("a", "1")],
            Some("BACKSTOP_TAGS sets \"a\" twice: set it once; this entry is left out"),
        ),
    ];
    for (text, expected, error) in cases {
        let (settings, errors) = with_bucket("BACKSTOP_TAGS", text);
        let tags: Vec<(&str, &str)> = settings
            .tags
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(tags, expected, "{text}");
        expect_error(&errors, error);
    }
}

#[test]
fn tags_that_were_meant_otherwise_than_they_would_be_read_are_errors() {
    let without_quotes = "without quotes; this entry is left out";
    let more = "with more than one pair in it: separate pairs by commas, as in k=v,k2=v2; this entry is left out";
    let line_break =
        "with a line break or another control character: write k=v,k2=v2; this entry is left out";
    let quote = format!(
        "with a quote at an end, which would be part of the tag: write k=v,k2=v2 {without_quotes}"
    );
    let in_quotes = "is in quotes: write k=v,k2=v2 without them; no tag is set";
    let cases = [
        ("env=prod team=pay", "env=prod team=pay", more),
        ("env=prod;team=pay", "env=prod;team=pay", more),
        ("env=prod; team = pay", "env=prod; team = pay", more),
        ("env=prod;", "env=prod;", more),
        ("env=prod|team=pay", "env=prod|team=pay", more),
        ("env=prod&team=pay", "env=prod&team=pay", more),
        ("env=prod，team=pay", "env=prod，team=pay", more),
        ("env;team=pay", "env;team=pay", more),
        ("env=prod、team=pay", "env=prod、team=pay", more),
        ("env=prod､team=pay", "env=prod､team=pay", more),
        ("env=prod، team=pay", "env=prod، team=pay", more),
        ("env、team=pay", "env、team=pay", more),
        ("env=prod；", "env=prod；", more),
        ("env=prod\\nteam=pay", "env=prod\\\\nteam=pay", more),
        ("env=prod\\r\\nteam=pay", "env=prod\\\\r\\\\nteam=pay", more),
        ("env=prod\\tteam=pay", "env=prod\\\\tteam=pay", more),
        ("env\\nteam=pay", "env\\\\nteam=pay", more),
        ("env=prod\nteam=pay", "env=prod\\nteam=pay", line_break),
        ("env=prod\r\nteam=pay", "env=prod\\r\\nteam=pay", line_break),
        ("env=prod\tteam=pay", "env=prod\\tteam=pay", line_break),
        ("env=\"prod", "env=\\\"prod", &quote),
        ("env=prod'", "env=prod\\'", &quote),
        ("'env=prod", "\\'env=prod", &quote),
        ("env=“prod”", "env=“prod”", &quote),
    ];
    for (entry, shown, problem) in cases {
        let (settings, errors) = with_bucket("BACKSTOP_TAGS", &format!("{entry},stage=b"));
        assert_eq!(
            settings.tags,
            [("stage".to_owned(), "b".to_owned())],
            "{entry}"
        );
        expect_error(
            &errors,
            Some(&format!(
                "BACKSTOP_TAGS has the entry \"{shown}\" {problem}"
            )),
        );
    }
    for text in ["\"env=prod,team=pay\"", "'env=prod'", "`env=prod`"] {
        let (settings, errors) = with_bucket("BACKSTOP_TAGS", text);
        assert_eq!(settings.tags, [], "{text}");
        expect_error(&errors, Some(&format!("BACKSTOP_TAGS {in_quotes}")));
    }
    let (settings, errors) = with_bucket("BACKSTOP_TAGS", "{\"env\":\"prod\"}");
    assert_eq!(settings.tags, []);
    let in_brackets = in_quotes.replace("quotes", "brackets");
    expect_error(&errors, Some(&format!("BACKSTOP_TAGS {in_brackets}")));
}

#[test]
fn tags_cannot_replace_what_the_resource_says_of_itself() {
    for key in RESERVED_TAGS.iter().copied().chain(["FaaS.Name"]) {
        let (settings, errors) = with_bucket("BACKSTOP_TAGS", &format!("{key}=mine,stage=b"));
        assert_eq!(
            settings.tags,
            [("stage".to_owned(), "b".to_owned())],
            "{key}"
        );
        let expected = format!(
            "BACKSTOP_TAGS sets \"{key}\", which every record has already: use another key, or \
             remove it; this entry is left out"
        );
        expect_error(&errors, Some(&expected));
    }
}

#[test]
fn tags_that_only_look_odd_are_taken_as_they_are() {
    for (text, key, value) in [
        ("team=Team A", "team", "Team A"),
        ("query=a=b", "query", "a=b"),
        ("note=a;b", "note", "a;b"),
        ("note=東京、大阪", "note", "東京、大阪"),
        ("path=C:\\new\\temp", "path", "C:\\new\\temp"),
        ("size=5\"x4", "size", "5\"x4"),
        ("url=https://a/?b=c", "url", "https://a/?b=c"),
        ("a b=c", "a b", "c"),
        ("kosten=50 % & mehr", "kosten", "50 % & mehr"),
        ("faas.names=x", "faas.names", "x"),
        ("a=1,\n  b=2", "b", "2"),
    ] {
        let (settings, errors) = with_bucket("BACKSTOP_TAGS", text);
        assert_eq!(
            settings.tags.last(),
            Some(&(key.to_owned(), value.to_owned()))
        );
        expect_error(&errors, None);
    }
}

#[test]
fn the_log_level_is_one_of_four_and_ordered() {
    let cases = [
        ("error", LogLevel::Error, None),
        ("WARN", LogLevel::Warn, None),
        ("info", LogLevel::Info, None),
        ("debug", LogLevel::Debug, None),
        (
            "trace",
            LogLevel::Warn,
            Some(
                "BACKSTOP_LOG_LEVEL is \"trace\": use error, warn, info or debug; the default warn \
                 is used",
            ),
        ),
    ];
    for (text, expected, error) in cases {
        let (settings, errors) = with_bucket("BACKSTOP_LOG_LEVEL", text);
        assert_eq!(settings.log_level, expected, "{text}");
        expect_error(&errors, error);
    }
    assert!(LogLevel::Error < LogLevel::Warn && LogLevel::Info < LogLevel::Debug);
}

#[test]
fn counts_go_to_a_primary_that_gets_metrics_and_to_cloudwatch_from_everywhere() {
    let problem = "BACKSTOP_METRICS sends counts to the primary, which gets no metrics: add metrics to \
                   BACKSTOP_SIGNALS, set BACKSTOP_OTLP_URL, or set it to emf or off; the counts are \
                   not sent to the primary";
    for (text, with_metrics, without) in [
        ("off", MetricsTarget::Off, MetricsTarget::Off),
        ("emf", MetricsTarget::Emf, MetricsTarget::Emf),
        ("otlp", MetricsTarget::Otlp, MetricsTarget::Off),
        ("both", MetricsTarget::Both, MetricsTarget::Emf),
    ] {
        let url = ("BACKSTOP_PRIMARY_URL", "https://intake.example.com");
        let (settings, errors) = resolve(&[
            url,
            ("BACKSTOP_PRIMARY_FORMAT", "otlp"),
            ("BACKSTOP_METRICS", text),
        ]);
        assert_eq!(settings.metrics, with_metrics, "{text}");
        expect_error(&errors, None);
        let (settings, errors) = resolve(&[url, ("BACKSTOP_METRICS", text)]);
        assert_eq!(settings.metrics, without, "{text}");
        expect_error(&errors, (with_metrics != without).then_some(problem));
    }
}

#[test]
fn a_name_that_is_not_known_is_reported_without_its_value() {
    let (settings, errors) = resolve(&[
        ("BACKSTOP_S3_BUCKET", "archive"),
        ("BACKSTOP_PRIMARY_TOKN", "hunter2"),
        ("PATH", "/bin"),
    ]);
    assert_eq!(
        errors,
        ["BACKSTOP_PRIMARY_TOKN is not a known variable: did you mean BACKSTOP_PRIMARY_TOKEN?"]
    );
    assert_eq!(settings.fallbacks.len(), 1);
}

#[test]
fn the_spool_is_in_tmp_and_bounded_unless_told() {
    let cases = [
        (&[][..], "/tmp/backstop", 64 * MIB),
        (
            &[
                ("TMPDIR", "/mnt/scratch"),
                ("BACKSTOP_SPOOL_MAX_BYTES", "0"),
            ],
            "/mnt/scratch/backstop",
            0,
        ),
    ];
    for (further, directory, max_bytes) in cases {
        let mut variables = vec![("BACKSTOP_S3_BUCKET", "archive")];
        variables.extend(further);
        let (settings, errors) = resolve(&variables);
        assert_eq!(errors, [""; 0]);
        assert_eq!(settings.spool.directory.to_str(), Some(directory));
        assert_eq!(settings.spool.max_bytes, max_bytes);
    }
    let (settings, errors) = with_bucket("BACKSTOP_SPOOL_MAX_BYTES", "much");
    assert_eq!(settings.spool.max_bytes, 64 * MIB);
    expect_error(
        &errors,
        Some(
            "BACKSTOP_SPOOL_MAX_BYTES is \"much\", not a whole number: use 0 to 1073741824 (bytes); \
             the default 67108864 is used",
        ),
    );
}
