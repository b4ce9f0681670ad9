//! The primary: its address, format, headers, token, compression and time-out.

use std::time::Duration;

use backstop_config::{Compression, Format, FormatOptions, Primary, Secret, SignalName, Signals};

use crate::{resolve, with_bucket};

const URL: (&str, &str) = ("BACKSTOP_PRIMARY_URL", "https://intake.example.com/logs");

/// The primary with one more variable set, and the errors.
fn primary_with(name: &str, value: &str) -> (Option<Primary>, Vec<String>) {
    let (settings, errors) = resolve(&[URL, ("BACKSTOP_S3_BUCKET", "archive"), (name, value)]);
    (settings.primary, errors)
}

#[test]
fn an_address_alone_is_a_primary_with_every_default() {
    let (settings, errors) = resolve(&[URL]);
    assert_eq!(errors, [""; 0]);
    let expected = Primary {
        url: "https://intake.example.com/logs".to_owned(),
        format: Format::Ndjson,
        signals: Signals::of(&[SignalName::Logs]),
        otlp_url: None,
        options: FormatOptions::default(),
        compression: Compression::Gzip,
        headers: Vec::new(),
        token: None,
        references: backstop_config::References::default(),
        timeout: Duration::from_secs(5),
    };
    assert_eq!(settings.primary, Some(expected));
    assert_eq!(settings.fallbacks, []);
}

#[test]
fn everything_of_a_primary_can_be_set() {
    let (settings, errors) = resolve(&[
        URL,
        ("BACKSTOP_PRIMARY_FORMAT", "JSON"),
        (
            "BACKSTOP_PRIMARY_HEADERS",
            "X-Api-Key = a=b== ,X-Scope=team one,",
        ),
        ("BACKSTOP_PRIMARY_TOKEN", "token\n"),
        ("BACKSTOP_PRIMARY_COMPRESSION", "none"),
        ("BACKSTOP_PRIMARY_TIMEOUT_MS", "250"),
    ]);
    assert_eq!(errors, [""; 0]);
    let expected = Primary {
        url: URL.1.to_owned(),
        format: Format::Json,
        signals: Signals::of(&[SignalName::Logs]),
        otlp_url: None,
        options: FormatOptions::default(),
        compression: Compression::None,
        headers: vec![
            ("X-Api-Key".to_owned(), Secret::new("a=b==")),
            ("X-Scope".to_owned(), Secret::new("team one")),
        ],
        token: Some(Secret::new("token")),
        references: backstop_config::References::default(),
        timeout: Duration::from_millis(250),
    };
    assert_eq!(settings.primary, Some(expected));
}

#[test]
fn addresses_that_are_accepted_are_kept_as_they_are() {
    for url in [
        "https://intake.example.com",
        "https://intake.example.com:8443/v1/logs?key=value&b=%20c",
        "https://[2001:db8::1]/x",
        "http://localhost:8080/",
        "http://127.0.0.2:9/x",
        "http://[::1]:8080",
    ] {
        let (settings, errors) = resolve(&[("BACKSTOP_PRIMARY_URL", url)]);
        assert_eq!(errors, [""; 0], "{url}");
        assert_eq!(
            settings.primary.map(|primary| primary.url).as_deref(),
            Some(url)
        );
    }
}

#[test]
fn an_address_that_is_not_accepted_switches_the_primary_off() {
    let cases = [
        (
            "intake.example.com",
            "is \"intake.example.com\": begin it with https://",
        ),
        (
            "ftp://host/x?y",
            "is \"ftp://host/x?***\": begin it with https://",
        ),
        (
            "https://host/a b",
            "is \"https://host/a b\": it holds a space, a control character, one that is not ASCII or \
             one of \"<>\\^`{|}; percent-encode it or remove it, and write a host's name in punycode (xn--…)",
        ),
        (
            "https://user:password@host/x",
            "is \"https://***\": remove the user name and the password; use \
             BACKSTOP_PRIMARY_HEADERS or BACKSTOP_PRIMARY_TOKEN",
        ),
        (
            "https:///x",
            "is \"https:///x\": it names no host; write https://host/path",
        ),
        (
            "https://a..b",
            "is \"https://a..b\": its host is not a valid name or address",
        ),
        (
            "https://a:99999",
            "is \"https://a:99999\": its port is not a number from 1 to 65535",
        ),
        (
            "https://a/#b",
            "is \"https://a/?***\": remove the part from # on, which is never sent",
        ),
        (
            "http://intake.example.com",
            "is \"http://intake.example.com\": plain http is accepted for loopback hosts only; use \
             https, or set BACKSTOP_ALLOW_PLAINTEXT=true",
        ),
    ];
    for (url, problem) in cases {
        let (settings, errors) = with_bucket("BACKSTOP_PRIMARY_URL", url);
        assert_eq!(
            errors,
            [format!(
                "BACKSTOP_PRIMARY_URL {problem}; the primary is off"
            )]
        );
        assert_eq!(settings.primary, None, "{url}");
        assert_eq!(settings.fallbacks.len(), 1, "{url}");
    }
}

#[test]
fn plain_http_is_accepted_when_it_is_allowed() {
    let url = ("BACKSTOP_PRIMARY_URL", "http://intake.example.com");
    let (settings, errors) = resolve(&[url, ("BACKSTOP_ALLOW_PLAINTEXT", "True")]);
    assert_eq!(errors, [""; 0]);
    assert_eq!(
        settings.primary.map(|primary| primary.url).as_deref(),
        Some(url.1)
    );

    let (settings, errors) = resolve(&[url, ("BACKSTOP_ALLOW_PLAINTEXT", "yes")]);
    assert_eq!(settings.primary, None);
    assert_eq!(
        errors[0],
        "BACKSTOP_ALLOW_PLAINTEXT is \"yes\": use true or false; the default false is used"
    );
}

#[test]
fn a_format_that_is_not_supported_switches_the_primary_off() {
    let cases = [(
        "xml",
        "is \"xml\": use ndjson, json, otlp, elastic, loki, splunk, datadog or newrelic",
    )];
    for (format, problem) in cases {
        let (primary, errors) = primary_with("BACKSTOP_PRIMARY_FORMAT", format);
        assert_eq!(
            errors,
            [format!(
                "BACKSTOP_PRIMARY_FORMAT {problem}; the primary is off"
            )]
        );
        assert_eq!(primary, None, "{format}");
    }
}

#[test]
fn a_compression_that_is_not_supported_leaves_the_default() {
    let cases = [
        ("brotli", "is \"brotli\": use gzip or none"),
        (
            "zstd",
            "is \"zstd\", not supported by this version (0.1.0): use gzip or none",
        ),
    ];
    for (compression, problem) in cases {
        let (primary, errors) = primary_with("BACKSTOP_PRIMARY_COMPRESSION", compression);
        let expected = format!("BACKSTOP_PRIMARY_COMPRESSION {problem}; the default gzip is used");
        assert_eq!(errors, [expected]);
        assert_eq!(
            primary.map(|primary| primary.compression),
            Some(Compression::Gzip)
        );
    }
}

#[test]
fn headers_that_are_not_valid_switch_the_primary_off() {
    let cases = [
        (
            "X-A=1,hunter2",
            "has no \"=\" in entry 2: write name=value pairs, separated by commas; a value cannot \
             hold a comma",
        ),
        (
            "X A=1",
            "has no valid header name in entry 1: use letters, digits and hyphens",
        ),
        (
            "=1",
            "has no valid header name in entry 1: use letters, digits and hyphens",
        ),
        (
            "X-Ä=1",
            "has no valid header name in entry 1: use letters, digits and hyphens",
        ),
        ("Host=a", "sets Host, which cannot be set here: remove it"),
        (
            "content-LENGTH=1",
            "sets content-LENGTH, which cannot be set here: remove it",
        ),
        (
            "Transfer-Encoding=a",
            "sets Transfer-Encoding, which cannot be set here: remove it",
        ),
        (
            "Connection=a",
            "sets Connection, which cannot be set here: remove it",
        ),
        (
            "Content-Encoding=a",
            "sets Content-Encoding, which cannot be set here: remove it",
        ),
        (
            "Content-Type=a",
            "sets Content-Type, which cannot be set here: remove it",
        ),
        (
            "Idempotency-Key=a",
            "sets Idempotency-Key, which cannot be set here: remove it",
        ),
        ("X-A=", "has no value in entry 1: give one, or remove it"),
        (
            "X-A=a\r\nX-B: b",
            "has a line break, a control character or one that is not ASCII in the value of entry 1: \
             remove it",
        ),
        (
            "X-A=ä",
            "has a line break, a control character or one that is not ASCII in the value of entry 1: \
             remove it",
        ),
    ];
    for (headers, problem) in cases {
        let (primary, errors) = primary_with("BACKSTOP_PRIMARY_HEADERS", headers);
        assert_eq!(
            errors,
            [format!(
                "BACKSTOP_PRIMARY_HEADERS {problem}; the primary is off"
            )]
        );
        assert_eq!(primary, None, "{headers}");
    }
}

#[test]
fn headers_that_were_meant_otherwise_than_they_would_be_sent_switch_the_primary_off() {
    let cases = [
        (
            "X-A=hunter2;X-B=b",
            "has more than one header in entry 1: separate headers by commas, as in k=v,k2=v2",
        ),
        (
            "X-Z=z,X-A=hunter2; x-b=b",
            "has more than one header in entry 2: separate headers by commas, as in k=v,k2=v2",
        ),
        (
            "api-key=hunter2;tenant-id=b",
            "has more than one header in entry 1: separate headers by commas, as in k=v,k2=v2",
        ),
        (
            "X-A=hunter2;Authorization=b",
            "has more than one header in entry 1: separate headers by commas, as in k=v,k2=v2",
        ),
        (
            "X-A=hunter2 X-B=b",
            "has more than one header in entry 1: separate headers by commas, as in k=v,k2=v2",
        ),
        (
            "X-A=hunter2|X-B=b",
            "has more than one header in entry 1: separate headers by commas, as in k=v,k2=v2",
        ),
        (
            "X-A=hunter2&X-B=b",
            "has more than one header in entry 1: separate headers by commas, as in k=v,k2=v2",
        ),
        (
            "'X-A=hunter2",
            "has a quote at an end of entry 1, which would be sent: write k=v,k2=v2 without quotes",
        ),
        (
            "X-A='hunter2'",
            "has a quote at an end of entry 1, which would be sent: write k=v,k2=v2 without quotes",
        ),
        (
            "X-Z=z,X-A=\"hunter2\"",
            "has a quote at an end of entry 2, which would be sent: write k=v,k2=v2 without quotes",
        ),
        (
            "X-A=hunter2\"",
            "has a quote at an end of entry 1, which would be sent: write k=v,k2=v2 without quotes",
        ),
        (
            "`X-A=hunter2`",
            "has a quote at an end of entry 1, which would be sent: write k=v,k2=v2 without quotes",
        ),
        (
            "\"X-A=hunter2,X-B=b\"",
            "has no valid header name in entry 1: use letters, digits and hyphens",
        ),
        (
            "X-A=hunter2,X-A=hunter2",
            "sets the header of entry 1 again in entry 2 (case does not matter): set it once",
        ),
        (
            "X-A=1,X-Z=z,x-a=hunter2",
            "sets the header of entry 1 again in entry 3 (case does not matter): set it once",
        ),
        (
            "Authorization=hunter2,AUTHORIZATION=b",
            "sets the header of entry 1 again in entry 2 (case does not matter): set it once",
        ),
        (
            "X-A=hunter2\nX-B=b",
            "has a line break, a control character or one that is not ASCII in the value of entry 1: remove it",
        ),
        (
            "X-A: hunter2",
            "has no \"=\" in entry 1: write name=value pairs, separated by commas; a value cannot hold a comma",
        ),
    ];
    for (headers, problem) in cases {
        let (primary, errors) = primary_with("BACKSTOP_PRIMARY_HEADERS", headers);
        assert_eq!(
            errors,
            [format!(
                "BACKSTOP_PRIMARY_HEADERS {problem}; the primary is off"
            )]
        );
        assert_eq!(primary, None, "{headers}");
    }
}

#[test]
fn headers_that_only_look_odd_are_sent_as_they_are() {
    for headers in [
        "Accept=application/json;q=0.8",
        "Accept=text/html; charset=utf-8; level=1",
        "Authorization=Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        "Authorization=Bearer abc-def-ghi=",
        "Authorization=Splunk 8a5f6a7e-0e6c-4b1c-8a0e-1f2d3c4b5a69",
        "Authorization=SharedAccessSignature sr=a&sig=b%3D&se=1&skn=c",
        "Cookie=A-B=c; Session-Id=d",
        "X-A=a=b=c",
        "X-A=it's",
        "X-A=1,X-B=1",
    ] {
        let (primary, errors) = primary_with("BACKSTOP_PRIMARY_HEADERS", headers);
        assert_eq!(errors, [""; 0], "{headers}");
        assert!(primary.is_some_and(|primary| !primary.headers.is_empty()));
    }
}

#[test]
fn a_token_that_is_not_bare_switches_the_primary_off() {
    for token in ["Bearer abc", "a\r\nX-B: b", "ä", "a\u{7}"] {
        let (primary, errors) = primary_with("BACKSTOP_PRIMARY_TOKEN", token);
        let expected = "BACKSTOP_PRIMARY_TOKEN holds a space, a line break or a character that is \
             not ASCII: give the bare token, without a word such as \"Bearer\" before it; the primary is off";
        assert_eq!(errors, [expected]);
        assert_eq!(primary, None, "{token}");
    }
}

#[test]
fn an_authorization_header_beside_a_token_switches_the_primary_off() {
    let (settings, errors) = resolve(&[
        URL,
        ("BACKSTOP_S3_BUCKET", "archive"),
        ("BACKSTOP_PRIMARY_TOKEN", "a"),
        ("BACKSTOP_PRIMARY_HEADERS", "authorization=Basic b"),
    ]);
    let expected = "BACKSTOP_PRIMARY_HEADERS sets authorization, and so does \
         BACKSTOP_PRIMARY_TOKEN: keep one of the two; the primary is off";
    assert_eq!(errors, [expected]);
    assert_eq!(settings.primary, None);
}

#[test]
fn a_timeout_out_of_range_leaves_the_default() {
    let cases = [
        ("100", None, 100),
        ("60000", None, 60_000),
        ("99", Some("is \"99\", out of range"), 5_000),
        ("60001", Some("is \"60001\", out of range"), 5_000),
        ("5s", Some("is \"5s\", not a whole number"), 5_000),
        ("-1", Some("is \"-1\", not a whole number"), 5_000),
        ("+1000", Some("is \"+1000\", not a whole number"), 5_000),
        ("1e3", Some("is \"1e3\", not a whole number"), 5_000),
        (
            "99999999999999999999",
            Some("is \"99999999999999999999\", out of range"),
            5_000,
        ),
    ];
    for (timeout, problem, expected) in cases {
        let (primary, errors) = primary_with("BACKSTOP_PRIMARY_TIMEOUT_MS", timeout);
        let expected_errors: Vec<String> = problem
            .iter()
            .map(|problem| {
                format!(
                    "BACKSTOP_PRIMARY_TIMEOUT_MS {problem}: use 100 to 60000 (milliseconds); the \
                     default 5000 is used"
                )
            })
            .collect();
        assert_eq!(errors, expected_errors);
        let resolved = primary.map(|primary| primary.timeout);
        assert_eq!(resolved, Some(Duration::from_millis(expected)), "{timeout}");
    }
}

/// What is delivered where, by format, signals and the other address: names and addresses, and the errors.
fn endpoints(variables: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let (settings, errors) = resolve(variables);
    let primary = settings.primary.expect("there is a primary");
    let signals = [SignalName::Logs, SignalName::Metrics, SignalName::Traces];
    let shown = signals.iter().filter_map(|signal| {
        let endpoint = primary.endpoint(*signal)?;
        let format = endpoint.format.as_str();
        Some(format!("{} {format} {}", signal.as_str(), endpoint.url))
    });
    (shown.collect(), errors)
}

#[test]
fn each_signal_goes_where_its_format_or_the_other_address_takes_it() {
    let format = |name| ("BACKSTOP_PRIMARY_FORMAT", name);
    let otlp = ("BACKSTOP_OTLP_URL", "https://otlp.example.com/x/v1/traces");
    let eu = ("BACKSTOP_PRIMARY_URL", "eu");
    for (variables, expected) in [
        (
            vec![URL],
            vec!["logs ndjson https://intake.example.com/logs"],
        ),
        (
            vec![URL, ("BACKSTOP_SIGNALS", "metrics")],
            vec!["metrics ndjson https://intake.example.com/logs"],
        ),
        (
            vec![URL, format("otlp")],
            vec![
                "logs otlp https://intake.example.com/logs/v1/logs",
                "metrics otlp https://intake.example.com/logs/v1/metrics",
                "traces otlp https://intake.example.com/logs/v1/traces",
            ],
        ),
        (
            vec![URL, format("otlp"), ("BACKSTOP_SIGNALS", "traces,logs")],
            vec![
                "logs otlp https://intake.example.com/logs/v1/logs",
                "traces otlp https://intake.example.com/logs/v1/traces",
            ],
        ),
        (
            vec![
                (
                    "BACKSTOP_PRIMARY_URL",
                    "https://vl.example.com/insert/opentelemetry",
                ),
                format("otlp"),
            ],
            vec!["logs otlp https://vl.example.com/insert/opentelemetry/v1/logs"],
        ),
        (
            vec![URL, format("splunk"), otlp],
            vec![
                "logs splunk https://intake.example.com/logs/services/collector/event",
                "metrics otlp https://otlp.example.com/x/v1/metrics",
                "traces otlp https://otlp.example.com/x/v1/traces",
            ],
        ),
        (
            vec![eu, format("newrelic")],
            vec![
                "logs newrelic https://log-api.eu.newrelic.com/log/v1",
                "metrics otlp https://otlp.eu01.nr-data.net/v1/metrics",
                "traces otlp https://otlp.eu01.nr-data.net/v1/traces",
            ],
        ),
        (
            vec![URL, format("newrelic")],
            vec!["logs newrelic https://intake.example.com/logs/log/v1"],
        ),
    ] {
        assert_eq!(
            endpoints(&variables),
            (expected.iter().map(|it| (*it).to_owned()).collect(), vec![])
        );
    }
}

#[test]
fn a_signal_without_an_intake_and_an_address_that_is_none_are_named_with_what_to_do() {
    let loki = ("BACKSTOP_PRIMARY_FORMAT", "loki");
    let (shown, errors) = endpoints(&[URL, loki, ("BACKSTOP_SIGNALS", "logs,metrics")]);
    assert_eq!(
        shown,
        ["logs loki https://intake.example.com/logs/loki/api/v1/push"]
    );
    assert_eq!(
        errors,
        [
            "BACKSTOP_SIGNALS names metrics, which the format loki does not take: set BACKSTOP_OTLP_URL to where they go, or take metrics out; metrics are not delivered"
        ]
    );
    let (_, errors) = endpoints(&[URL, ("BACKSTOP_SIGNALS", "logs,events")]);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].contains("events") && errors[0].contains("the default is used"),
        "{errors:?}"
    );
    for wrong in [
        "http://otlp.example.com",
        "otlp.example.com",
        "https://u:p@otlp.example.com",
    ] {
        let (primary, errors) = primary_with("BACKSTOP_OTLP_URL", wrong);
        assert_eq!((primary, errors.len()), (None, 1), "{wrong}: {errors:?}");
        assert!(errors[0].starts_with("BACKSTOP_OTLP_URL"), "{errors:?}");
        assert!(!errors[0].contains("u:p"), "{errors:?}");
    }
}
