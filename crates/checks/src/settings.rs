//! A file of settings, and the same text as a parameter: any bytes.
//!
//! Input: the text. A `~` stands for a secret.

use std::collections::BTreeMap;

use backstop_config::file::{self, Layered};
use backstop_config::{ConfigError, Routing, Settings, parameter};

/// What no message about a line may have.
const SECRET: &str = "hunter2";

/// Whatever is in it: variables with our names come of it, the same each time; errors are lines and quote
/// nothing of the file; the environment overrides it; and a parameter has no say in what is needed at the start.
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
    // A fallback in the parameter is none.
    assert_eq!(late.routing, Routing::Failover);
}

fn are_lines(errors: &[ConfigError]) {
    for error in errors {
        let line = error.to_string();
        assert!(!line.contains(char::is_control), "not a line: {line:?}");
    }
}
