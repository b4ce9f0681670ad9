//! The names of the environment variables: users, modules and constructs rely on them.
//!
//! Invariant: a name that a version reads is added here, and is never taken away.

use std::fs;

use backstop_config::{Initial, REGISTER, STANDARD};

use crate::{name, register, registered, repository, text};

/// The names of version 0.1.0: none of them may go, whatever later versions add.
const RELEASED: &[&str] = &[
    "BACKSTOP_ALLOW_PLAINTEXT",
    "BACKSTOP_BUFFER_MAX_BYTES",
    "BACKSTOP_CONFIG",
    "BACKSTOP_DEDUPE",
    "BACKSTOP_FALLBACK",
    "BACKSTOP_FILTER",
    "BACKSTOP_FIREHOSE_STREAM",
    "BACKSTOP_FLUSH_INTERVAL_MS",
    "BACKSTOP_FLUSH_STRATEGY",
    "BACKSTOP_INSIGHTS",
    "BACKSTOP_LOG_LEVEL",
    "BACKSTOP_MAX_ADDED_MS",
    "BACKSTOP_METRICS",
    "BACKSTOP_MIN_LEVEL",
    "BACKSTOP_OTLP_RECEIVER",
    "BACKSTOP_OTLP_URL",
    "BACKSTOP_PRIMARY_COMPRESSION",
    "BACKSTOP_PRIMARY_FORMAT",
    "BACKSTOP_PRIMARY_HEADERS",
    "BACKSTOP_PRIMARY_OPTIONS",
    "BACKSTOP_PRIMARY_TIMEOUT_MS",
    "BACKSTOP_PRIMARY_TOKEN",
    "BACKSTOP_PRIMARY_TOKEN_KMS",
    "BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID",
    "BACKSTOP_PRIMARY_TOKEN_SECRET_ARN",
    "BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER",
    "BACKSTOP_PRIMARY_URL",
    "BACKSTOP_REDACT",
    "BACKSTOP_REDACT_ARCHIVE",
    "BACKSTOP_ROUTE",
    "BACKSTOP_S3_BUCKET",
    "BACKSTOP_S3_EXPECTED_BUCKET_OWNER",
    "BACKSTOP_S3_KMS_KEY_ID",
    "BACKSTOP_S3_PREFIX",
    "BACKSTOP_S3_REGION",
    "BACKSTOP_SAMPLE",
    "BACKSTOP_SAMPLE_KEEP",
    "BACKSTOP_SIGNALS",
    "BACKSTOP_SPOOL_MAX_BYTES",
    "BACKSTOP_TAGS",
    "BACKSTOP_TELEMETRY_TYPES",
];

#[test]
fn every_released_variable_is_still_in_the_register() {
    let registered = registered();
    for name in RELEASED {
        assert!(registered.contains(*name), "{name} is gone");
    }
}

#[test]
fn a_variable_of_a_released_version_is_listed_here() {
    for variable in register("variables") {
        let name = text(&variable, "name");
        if text(&variable, "since") == "0.1.0" {
            assert!(RELEASED.contains(&name), "{name} is not listed");
        }
    }
}

/// The file is written without a library for JSON: what Rust quotes in another way would show here.
#[test]
fn the_register_reads_as_it_was_written() {
    let rows = register("variables");
    assert_eq!(rows.len(), REGISTER.len());
    for (row, variable) in rows.iter().zip(REGISTER) {
        assert_eq!(text(row, "name"), variable.name);
        assert_eq!(text(row, "doc"), variable.summary);
        assert_eq!(text(row, "since"), variable.since);
        assert_eq!(row["secret"], variable.secret);
        let default = match variable.default {
            Initial::Value(text) => Some(text),
            Initial::Computed(_) | Initial::Unset => None,
        };
        assert_eq!(row["default"].as_str(), default);
    }
    for (row, variable) in register("standard").iter().zip(STANDARD) {
        assert_eq!(text(row, "name"), variable.name);
        assert_eq!(text(row, "doc"), variable.summary);
    }
}

#[test]
fn every_variable_is_on_the_reference_page() {
    let path = repository().join("docs/configuration.md");
    let page = fs::read_to_string(path).expect("docs/configuration.md is there");
    for name in registered() {
        let heading = format!("### `{name}`");
        assert!(
            page.lines().any(|line| line == heading),
            "{name} is missing"
        );
    }
    for name in register("standard").iter().map(name) {
        assert!(page.contains(&format!("| `{name}` |")), "{name} is missing");
    }
}
