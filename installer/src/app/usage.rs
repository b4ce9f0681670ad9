//! Usage errors from clap, without the values that may be secret.
//!
//! clap quotes the wrong argument, and an address may contain a key; pipelines log errors. Help and
//! version quote nothing.

use clap::error::ErrorKind;

use crate::carried;
use crate::output::{Colour, Output, OutputFormat, escape};

/// Prints help, a version, or what is wrong.
pub(super) fn print(error: &clap::Error) {
    if error.kind() == ErrorKind::DisplayVersion {
        let output = Output::new(OutputFormat::default(), false, Colour::default());
        output
            .bytes(escape::text(&carried::version()).as_bytes())
            .ok();
        return;
    }
    if !error.use_stderr() {
        // Where it cannot be printed nothing else can.
        error.print().ok();
        return;
    }
    let mut text = error.to_string();
    for argument in std::env::args().skip(1) {
        for secret in secrets_of(&argument) {
            text = text.replace(secret, "***");
        }
    }
    Output::message(text.trim_end());
}

/// What of an argument must not be shown.
fn secrets_of(argument: &str) -> Vec<&str> {
    let Some((_, rest)) = argument.split_once("://") else {
        return Vec::new();
    };
    let query = rest.split_once('?').map(|(_, query)| query);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let password = authority.rsplit_once('@').map(|(user, _)| user);
    (query.into_iter().chain(password))
        .filter(|secret| !secret.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_and_a_password_are_not_shown() {
        assert_eq!(secrets_of("https://host/logs?key=hunter2"), ["key=hunter2"]);
        assert_eq!(secrets_of("--to=https://u:hunter2@host/?"), ["u:hunter2"]);
        assert!(secrets_of("s3://bucket/a@b").is_empty());
        assert!(secrets_of("--to").is_empty());
    }
}
