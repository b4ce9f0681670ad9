//! What each variable resolves to, and the exact words of each mistake, through the public API.
//!
//! Must not: set variables of the test's own process; every environment here is a map.

mod archive;
mod arns;
mod endpoints;
mod environment;
mod fallbacks;
mod headers;
mod network;
mod primary;
mod reference;
mod references;
mod register;
mod secrets;
mod signals;
mod transforms;
mod tuning;

use std::collections::BTreeMap;

use backstop_config::{ConfigError, Primary, Settings};

const URL: (&str, &str) = ("BACKSTOP_PRIMARY_URL", "https://intake.example.com/logs");

/// The settings and the shown errors of an environment.
fn resolve(variables: &[(&str, &str)]) -> (Settings, Vec<String>) {
    let environment: BTreeMap<String, String> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let (settings, errors) = Settings::resolve(&environment);
    (
        settings,
        errors.iter().map(ConfigError::to_string).collect(),
    )
}

/// An environment in which a sink is configured, and `name` set to `value`.
fn with_bucket(name: &str, value: &str) -> (Settings, Vec<String>) {
    resolve(&[("BACKSTOP_S3_BUCKET", "archive"), (name, value)])
}

/// The primary with one more variable set, and the errors.
fn primary_with(name: &str, value: &str) -> (Option<Primary>, Vec<String>) {
    let (settings, errors) = resolve(&[URL, ("BACKSTOP_S3_BUCKET", "archive"), (name, value)]);
    (settings.primary, errors)
}
