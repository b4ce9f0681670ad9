//! No secret is ever shown: not by `Debug`, not by an error, not by the summary.
//!
//! Every secret in these environments holds the word `hunter2`, so one search finds any leak.

use std::collections::BTreeMap;

use backstop_config::{ConfigError, REGISTER, STANDARD, Settings};

/// Everything that can be printed of an environment.
fn everything_shown(variables: &[(&str, &str)]) -> String {
    let environment: BTreeMap<String, String> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let (settings, errors) = Settings::resolve(&environment);
    let url = settings
        .primary
        .as_ref()
        .map(backstop_config::Primary::shown_url);
    let each: Vec<String> = errors
        .iter()
        .map(|error| format!("{error} {}", error.problem()))
        .collect();
    format!(
        "{settings:?} {settings:#?} {url:?} {errors:?} {each:?} {}",
        ConfigError::summary(&errors)
    )
}

#[test]
fn valid_secrets_are_not_shown() {
    let shown = everything_shown(&[
        (
            "BACKSTOP_PRIMARY_URL",
            "https://intake.example.com/logs?api_key=hunter2",
        ),
        (
            "BACKSTOP_PRIMARY_HEADERS",
            "X-Api-Key=hunter2,X-Other=hunter2 hunter2",
        ),
        ("BACKSTOP_PRIMARY_TOKEN", "hunter2"),
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
        ("AWS_SESSION_TOKEN", "hunter2"),
        (
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "http://127.0.0.1/credentials",
        ),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hunter2"),
    ]);
    assert!(
        shown.contains("https://intake.example.com/logs?***"),
        "{shown}"
    );
    assert!(shown.contains("X-Api-Key"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn secrets_that_are_not_valid_are_not_shown_either() {
    let urls = [
        "https://user:hunter2@host/path",
        "https://hunter2@host",
        "user:hunter2@host",
        "https://user:hun/ter2hunter2@host",
        "https://user:?hunter2@host",
        "https://host:99999/?key=hunter2",
        "http://host/?key=hunter2",
        "https://host/#hunter2",
        "host/?key=hunter2 ",
        "https://user:hunter2",
        "https://user:hunter2/x",
        "https://user:hunter2%40host/path",
        "https://user:hunter2＠host/path",
        "https://user:hunter2\\u0040host",
        "user:hunter2",
        "\"https://user:hunter2\"",
    ];
    let headers = [
        "hunter2",
        "X-A=1,hunter2",
        "Bearer hunter2==",
        "X-A=hunter2\r\nX-B: hunter2",
        "Host=hunter2",
        "X-A=hunter2ä",
        "Authorization=hunter2",
        "X-A=,hunter2",
    ];
    let tokens = [
        "Bearer hunter2",
        "hunter2\nhunter2",
        "hunter2ä",
        "\"hunter2\"",
        "hunter2",
    ];
    for url in urls {
        for (header, token) in headers
            .iter()
            .flat_map(|each| tokens.map(|token| (*each, token)))
        {
            let shown = everything_shown(&[
                ("BACKSTOP_PRIMARY_URL", url),
                ("BACKSTOP_PRIMARY_HEADERS", header),
                ("BACKSTOP_PRIMARY_TOKEN", token),
                ("BACKSTOP_PRIMARY_TOKENN", "hunter2"),
                ("BACKSTOP_PRIMARY_TOKEN_SECRET_ARN", "hunter2"),
                ("backstop_primary_token", "hunter2"),
                ("AWS_ENDPOINT_URL", url),
                ("BACKSTOP_OTLP_URL", url),
                ("HTTPS_PROXY", url),
                ("NO_PROXY", url),
            ]);
            assert!(
                !shown.contains("hunter2"),
                "{url} {header:?} {token:?}\n{shown}"
            );
        }
    }
}

/// The address of a bucket may be signed.
#[test]
fn an_address_in_place_of_a_name_is_not_shown_with_what_may_be_secret() {
    for name in [
        "BACKSTOP_S3_BUCKET",
        "BACKSTOP_S3_PREFIX",
        "BACKSTOP_S3_KMS_KEY_ID",
        "BACKSTOP_FIREHOSE_STREAM",
    ] {
        for value in [
            "https://archive.s3.eu-west-1.amazonaws.com/a?X-Amz-Signature=hunter2",
            "https://user:hunter2@minio.internal/archive",
            "https://user:hunter2%40minio.internal",
        ] {
            let shown = everything_shown(&[(name, value)]);
            assert!(shown.contains(&format!("{name} is \"https://")), "{shown}");
            assert!(!shown.contains("hunter2"), "{name} {value}\n{shown}");
        }
    }
}

/// The value of a header cannot hold a comma; where it does, its rest looks like an entry of its own,
/// and what ends in `=`, as base64 does, like a name.
#[test]
fn a_value_with_a_comma_is_not_shown_as_the_name_of_a_header() {
    for headers in [
        "X-Signature=v1:abc,hunter2=",
        "X-Signature=abc,hunter2=\u{e9}",
    ] {
        let shown = everything_shown(&[
            ("BACKSTOP_PRIMARY_URL", "https://intake.example.com"),
            ("BACKSTOP_PRIMARY_HEADERS", headers),
        ]);
        assert!(shown.contains("entry 2"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn errors_are_single_lines_whatever_the_values_hold() {
    let ours = REGISTER.iter().map(|variable| variable.name);
    for name in ours.chain(STANDARD.iter().map(|variable| variable.name)) {
        let value = "two\nlines\u{1b}[31m=\r,\u{2028}";
        let environment = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let (_, errors) = Settings::resolve(&environment);
        let summary = ConfigError::summary(&errors);
        assert!(
            !summary.chars().any(char::is_control),
            "{name}: {summary:?}"
        );
    }
}

#[test]
fn what_can_hold_a_secret_is_marked_in_the_register() {
    let secret: Vec<&str> = REGISTER
        .iter()
        .filter(|each| each.secret)
        .map(|each| each.name)
        .collect();
    assert_eq!(
        secret,
        ["BACKSTOP_PRIMARY_HEADERS", "BACKSTOP_PRIMARY_TOKEN"]
    );
}
