//! A file of settings, and the same text as a parameter: any bytes.
//!
//! Input: the text. A `~` stands for a secret.

use std::collections::BTreeMap;

use backstop_config::file::{self, Layered};
use backstop_config::{ConfigError, Routing, Settings, parameter};

/// A value that no message may quote.
const SECRET: &str = "hunter2";

/// Any text gives variables with Backstop's names, and the same ones each time. An error is one line and quotes no
/// secret. The environment overrides the file. A parameter decides nothing that is needed before it is read.
///
/// # Panics
///
/// Where that does not hold.
pub fn settings(input: &[u8]) {
    let text = String::from_utf8_lossy(input).replace('~', SECRET);
    let (variables, errors) = file::parse(&text);
    assert_eq!(file::parse(&text), (variables.clone(), errors.clone()));
    are_lines(&errors);
    let shown = format!("{errors:?}");
    assert!(!shown.contains(SECRET), "{shown}");
    for name in variables.keys() {
        assert!(name.starts_with("BACKSTOP_"), "{name}");
        assert_ne!(name, "BACKSTOP_CONFIG", "a file that names a file");
    }

    let environment: BTreeMap<String, String> = [
        ("AWS_REGION", "eu-west-1"),
        ("BACKSTOP_PRIMARY_URL", "https://intake.example.com"),
        ("BACKSTOP_DEDUPE", "false"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let (of_file, errors) = Settings::resolve(&Layered {
        environment: &environment,
        file: &variables,
    });
    are_lines(&errors);
    assert!(!of_file.transforms.dedupe, "over the environment");

    let (late, errors) = parameter::resolve(&environment, &text);
    assert_eq!(
        parameter::resolve(&environment, &text),
        (late.clone(), errors.clone())
    );
    are_lines(&errors);
    assert_eq!(late.transforms, of_file.transforms);
    // Routes need a fallback, and one in the parameter does not count.
    assert_eq!(late.routing, Routing::Failover);
}

fn are_lines(errors: &[ConfigError]) {
    for error in errors {
        let line = error.to_string();
        assert!(!line.contains(char::is_control), "not a line: {line:?}");
    }
}
