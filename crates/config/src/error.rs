//! What is wrong with the configuration, in words that say what to do.
//!
//! Invariants: a message is one line; it never holds the value of a secret variable, nor the user
//! name, password or query of a URL. `Variable::shown` is the only
//! way by which a value gets into a message.
//!
//! Must not: decide what happens next. A configuration error never fails the init phase.

use std::fmt;

/// The variable that names a file: the register would be a circle.
const CONFIG: &str = "BACKSTOP_CONFIG";

/// What kind of mistake it is: code that treats mistakes differently asks for this, not for words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// No sink is left: follows from the other errors, or nothing was set.
    NoSink,
    /// A `BACKSTOP_` name that this version does not read.
    UnknownName,
    /// The value is not valid.
    Invalid,
    /// The value is valid, but disagrees with another variable or with the function.
    Conflict,
}

/// One mistake in the configuration, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    variable: String,
    kind: ErrorKind,
    problem: Invalid,
    effect: Option<String>,
}

impl ConfigError {
    /// An error of `variable`; `problem` continues the sentence that the variable's name begins.
    pub(crate) fn new(variable: &str, kind: ErrorKind, problem: impl Into<Invalid>) -> Self {
        Self {
            variable: one_line(variable),
            kind,
            problem: problem.into(),
            effect: None,
        }
    }

    /// A value that is not valid.
    pub(crate) fn invalid(variable: &str, problem: impl Into<Invalid>) -> Self {
        Self::new(variable, ErrorKind::Invalid, problem)
    }

    /// An error of a pattern, which only the engine of regular expressions can find. `problem` continues
    /// the sentence that the variable's name begins, and quotes no pattern.
    pub fn of_pattern(variable: &str, problem: String, effect: &str) -> Self {
        Self::invalid(variable, problem).with_effect(effect)
    }

    /// An error of the file that `BACKSTOP_CONFIG` names. `problem` continues the sentence that the variable's
    /// name begins, and quotes nothing of the file.
    pub fn of_file(problem: impl Into<String>) -> Self {
        Self::invalid(CONFIG, problem.into())
    }

    /// The same error, with what the extension does in spite of it.
    #[must_use]
    pub fn with_effect(self, effect: impl Into<String>) -> Self {
        Self {
            effect: Some(effect.into()),
            ..self
        }
    }

    /// The name of the variable to correct.
    pub fn variable(&self) -> &str {
        &self.variable
    }

    /// What kind of mistake it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What is wrong and what to do, without what the extension does in spite of it. The sentence
    /// continues from the variable's name.
    pub fn problem(&self) -> String {
        self.problem.to_string()
    }

    /// The part of [`Self::problem`] that quotes no value of an address.
    pub fn advice(&self) -> &str {
        &self.problem.advice
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
        write!(formatter, "{} {}", self.variable, self.problem)?;
        match &self.effect {
            Some(effect) => write!(formatter, "; {effect}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConfigError {}

/// The predicate of an error message, before the name of its variable is put in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invalid {
    /// `is "VALUE"`, where a caller may have to leave the value out.
    found: Option<String>,
    advice: String,
}

impl Invalid {
    pub(crate) fn new(predicate: impl Into<String>) -> Self {
        Self {
            found: None,
            advice: predicate.into(),
        }
    }

    /// `is SHOWN: ADVICE`; `shown` is from `Variable::shown`.
    pub(crate) fn quoting(shown: &str, advice: impl Into<String>) -> Self {
        Self {
            found: Some(format!("is {shown}")),
            advice: advice.into(),
        }
    }
}

impl<T: Into<String>> From<T> for Invalid {
    fn from(predicate: T) -> Self {
        Self::new(predicate)
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.found {
            Some(found) => write!(formatter, "{found}: {}", self.advice),
            None => formatter.write_str(&self.advice),
        }
    }
}

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
    use super::{ConfigError, ErrorKind, Invalid, one_line};

    #[test]
    fn an_error_has_its_kind_its_advice_and_its_effect_apart() {
        let error = ConfigError::new(
            "BACKSTOP_A",
            ErrorKind::Conflict,
            Invalid::quoting("\"x; y\"", "use z; or w"),
        )
        .with_effect("this fallback is off");
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert_eq!(error.advice(), "use z; or w");
        assert_eq!(error.problem(), "is \"x; y\": use z; or w");
        assert_eq!(
            error.to_string(),
            "BACKSTOP_A is \"x; y\": use z; or w; this fallback is off"
        );
    }

    #[test]
    fn the_summary_is_one_line_with_every_error() {
        let first = ConfigError::invalid("BACKSTOP_A", "is \"x\": use y");
        let second = ConfigError::new(
            "BACKSTOP_\nB",
            ErrorKind::UnknownName,
            "is not a known variable: remove it",
        );
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
