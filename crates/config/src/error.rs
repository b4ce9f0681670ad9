//! What is wrong with the configuration, in words that say what to do.
//!
//! Invariants: a message is one line; it never holds the value of a secret variable, nor the user
//! name, password or query of a URL. `Variable::shown` is the only
//! way by which a value gets into a message.
//!
//! Must not: decide what happens next. A configuration error never fails the init phase.

use std::fmt;

/// One mistake in the configuration, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    variable: String,
    message: String,
}

impl ConfigError {
    /// An error of `variable`; `message` goes on from the variable's name: `is "x": use y`.
    pub(crate) fn new(variable: &str, message: impl Into<String>) -> Self {
        Self {
            variable: one_line(variable),
            message: message.into(),
        }
    }

    /// The name of the variable to mend.
    pub fn variable(&self) -> &str {
        &self.variable
    }

    /// What is wrong and what to do; a sentence that goes on from the variable's name.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// All errors in one line, numbered, for the one log line of a start.
    pub fn summary(errors: &[Self]) -> String {
        use fmt::Write as _;

        let mut line = match errors {
            [] => return "no configuration errors".to_owned(),
            [error] => return format!("1 configuration error: {error}"),
            _ => format!("{} configuration errors:", errors.len()),
        };
        for (index, error) in errors.iter().enumerate() {
            let separator = if index == 0 { "" } else { "." };
            // Writing to a String cannot fail.
            write!(line, "{separator} ({}) {error}", index + 1).unwrap_or_default();
        }
        line
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.variable, self.message)
    }
}

impl std::error::Error for ConfigError {}

/// The predicate of an error message, before the name of its variable is put in front.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invalid(pub(crate) String);

/// `text` without line breaks and control characters, and not longer than a line can bear.
pub(crate) fn one_line(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut line: String = text
        .chars()
        .take(LONGEST)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::{ConfigError, one_line};

    #[test]
    fn the_summary_is_one_line_with_every_error() {
        let first = ConfigError::new("BACKSTOP_A", "is \"x\": use y");
        let second = ConfigError::new("BACKSTOP_\nB", "is not a known variable: remove it");
        assert_eq!(ConfigError::summary(&[]), "no configuration errors");
        assert_eq!(
            ConfigError::summary(std::slice::from_ref(&first)),
            "1 configuration error: BACKSTOP_A is \"x\": use y"
        );
        assert_eq!(
            ConfigError::summary(&[first, second]),
            "2 configuration errors: (1) BACKSTOP_A is \"x\": use y. \
             (2) BACKSTOP_\\nB is not a known variable: remove it"
        );
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(one_line(&"a".repeat(80)), "a".repeat(80));
        assert_eq!(one_line(&"a".repeat(81)), format!("{}…", "a".repeat(80)));
    }
}
