//! The primary: its address, format, compression and time-out.

use std::time::Duration;

use backstop_config::{Compression, Format, FormatOptions, Primary, Secret, SignalName, Signals};

use crate::{URL, primary_with, resolve, with_bucket};

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
            "is \"ftp://host/***\": begin it with https://",
        ),
        (
            "https://host/a b",
            "is \"https://host/***\": it holds a space, a control character, one that is not ASCII or \
             one of \"<>\\^`{|}; percent-encode it or remove it, and write a host's name in punycode (xn--…)",
        ),
        (
            "https://user:password@host/x",
            "is \"https://***\": remove the user name and the password; use \
             BACKSTOP_PRIMARY_HEADERS or BACKSTOP_PRIMARY_TOKEN",
        ),
        (
            "https:///x",
            "is \"https:///***\": it names no host; write https://host/path",
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
            "is \"https://a/***\": remove the part from # on, which is never sent",
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
