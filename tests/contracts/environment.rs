//! The names of the environment variables: users, modules and constructs rely on them.
//!
//! Invariant: a name is added here when the design gains it, and is never taken away.

use std::fs;

use backstop_config::{REGISTER, STANDARD};

use crate::repository;

/// Every name that Backstop may read, in this version or in a later one.
const DESIGNED: &[&str] = &[
    "BACKSTOP_ALLOW_PLAINTEXT",
    "BACKSTOP_BUFFER_MAX_BYTES",
    "BACKSTOP_FALLBACK",
    "BACKSTOP_FIREHOSE_STREAM",
    "BACKSTOP_FLUSH_INTERVAL_MS",
    "BACKSTOP_FLUSH_STRATEGY",
    "BACKSTOP_LOG_LEVEL",
    "BACKSTOP_MAX_ADDED_MS",
    "BACKSTOP_PRIMARY_COMPRESSION",
    "BACKSTOP_PRIMARY_FORMAT",
    "BACKSTOP_PRIMARY_HEADERS",
    "BACKSTOP_PRIMARY_OPTIONS",
    "BACKSTOP_PRIMARY_TIMEOUT_MS",
    "BACKSTOP_PRIMARY_TOKEN",
    "BACKSTOP_PRIMARY_TOKEN_SECRET_ARN",
    "BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER",
    "BACKSTOP_PRIMARY_URL",
    "BACKSTOP_ROUTE",
    "BACKSTOP_S3_BUCKET",
    "BACKSTOP_S3_EXPECTED_BUCKET_OWNER",
    "BACKSTOP_S3_KMS_KEY_ID",
    "BACKSTOP_S3_PREFIX",
    "BACKSTOP_S3_REGION",
    "BACKSTOP_SPOOL_MAX_BYTES",
    "BACKSTOP_TAGS",
    "BACKSTOP_TELEMETRY_TYPES",
];

/// The names of version 0.1.0: none of them may go, whatever later versions add.
const RELEASED: &[&str] = &[
    "BACKSTOP_ALLOW_PLAINTEXT",
    "BACKSTOP_BUFFER_MAX_BYTES",
    "BACKSTOP_FALLBACK",
    "BACKSTOP_FIREHOSE_STREAM",
    "BACKSTOP_FLUSH_INTERVAL_MS",
    "BACKSTOP_FLUSH_STRATEGY",
    "BACKSTOP_LOG_LEVEL",
    "BACKSTOP_MAX_ADDED_MS",
    "BACKSTOP_PRIMARY_COMPRESSION",
    "BACKSTOP_PRIMARY_FORMAT",
    "BACKSTOP_PRIMARY_HEADERS",
    "BACKSTOP_PRIMARY_TIMEOUT_MS",
    "BACKSTOP_PRIMARY_TOKEN",
    "BACKSTOP_PRIMARY_URL",
    "BACKSTOP_S3_BUCKET",
    "BACKSTOP_S3_EXPECTED_BUCKET_OWNER",
    "BACKSTOP_S3_KMS_KEY_ID",
    "BACKSTOP_S3_PREFIX",
    "BACKSTOP_TAGS",
    "BACKSTOP_TELEMETRY_TYPES",
];

#[test]
fn every_variable_of_the_register_is_a_designed_one() {
    for variable in REGISTER {
        assert!(
            DESIGNED.contains(&variable.name),
            "{} is not in the design",
            variable.name
        );
    }
}

#[test]
fn every_released_variable_is_still_in_the_register() {
    for name in RELEASED {
        assert!(
            REGISTER.iter().any(|variable| variable.name == *name),
            "{name} is gone"
        );
    }
}

#[test]
fn every_variable_is_on_the_reference_page() {
    let path = repository().join("docs/configuration.md");
    let page = fs::read_to_string(path).expect("docs/configuration.md is there");
    for variable in REGISTER {
        let heading = format!("### `{}`", variable.name);
        assert!(
            page.lines().any(|line| line == heading),
            "{} is missing",
            variable.name
        );
    }
    for name in STANDARD.iter().map(|each| each.name) {
        assert!(page.contains(&format!("| `{name}` |")), "{name} is missing");
    }
}
