//! What the register says of a variable.
//!
//! Invariant: [`Variable::shown`] is the only way by which a value gets into an error message; what
//! is secret does not pass it.
//!
//! Must not: name a variable; that is the register's part.

use crate::error::one_line;
use crate::url;

/// One environment variable.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// The full name, `BACKSTOP_…`.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// What holds when it is not set.
    pub default: Initial,
    /// The first version that reads it.
    pub since: &'static str,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// What it does, in one or two sentences.
    pub summary: &'static str,
}

/// What values a variable takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An address; shown without its user name, password and query.
    Url,
    /// Any text that the variable's own rule accepts.
    Text,
    /// `key=value` pairs, separated by commas.
    Pairs,
    /// One of the values.
    OneOf {
        /// The values this version accepts.
        values: &'static [&'static str],
        /// Values that a later version will accept.
        later: &'static [&'static str],
    },
    /// Some of the values, separated by commas.
    ListOf(&'static [&'static str]),
    /// A whole number.
    Integer {
        /// The least number accepted.
        min: u64,
        /// The greatest number accepted.
        max: u64,
        /// What it counts.
        unit: &'static str,
    },
}

/// What holds when a variable is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initial {
    /// Nothing: the feature is off.
    Unset,
    /// This value, as if it had been set.
    Value(&'static str),
    /// A value that depends on the function, in words.
    Computed(&'static str),
}

/// A variable that is not ours: the platform or a convention sets it, and it is honoured.
#[derive(Debug, Clone, Copy)]
pub struct StandardVariable {
    /// The full name.
    pub name: &'static str,
    /// What Backstop uses it for.
    pub summary: &'static str,
}

impl StandardVariable {
    pub(crate) const fn new(name: &'static str, summary: &'static str) -> Self {
        Self { name, summary }
    }
}

impl Variable {
    pub(crate) const fn new(
        name: &'static str,
        kind: Kind,
        default: Initial,
        summary: &'static str,
    ) -> Self {
        Self {
            name,
            kind,
            default,
            since: "0.1.0",
            secret: false,
            summary,
        }
    }

    pub(crate) const fn secret(self) -> Self {
        Self {
            secret: true,
            ..self
        }
    }

    /// The default as the user would have written it; empty where it depends on the function.
    pub(crate) fn default_text(&self) -> &'static str {
        match self.default {
            Initial::Value(text) => text,
            Initial::Computed(_) | Initial::Unset => "",
        }
    }

    /// The value as an error message may show it: in quotes, on one line, without what is secret.
    pub(crate) fn shown(&self, value: &str) -> String {
        if self.secret {
            return "***".to_owned();
        }
        match self.kind {
            Kind::Url => format!("\"{}\"", one_line(&url::redacted(value))),
            // An address where a name belongs may hold a password or a signature as well.
            Kind::Text if value.contains("://") => {
                format!("\"{}\"", one_line(&url::redacted(value)))
            }
            Kind::Text
            | Kind::Pairs
            | Kind::OneOf { .. }
            | Kind::ListOf(_)
            | Kind::Integer { .. } => format!("\"{}\"", one_line(value)),
        }
    }
}
