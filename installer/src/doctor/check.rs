//! One check and its result.

use serde::Serialize;

use crate::aws::{Failure, Kind};

/// How a check came out, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// As it should be.
    Ok,
    /// It works, or may; someone should look.
    Warning,
    /// Nobody could say: something was not answered.
    Unknown,
    /// Records are not sent, or will not be.
    Problem,
}

impl State {
    /// As people read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
            Self::Problem => "problem",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked; the same word in every release.
    pub check: &'static str,
    /// How it came out.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do next, where there is anything to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Check {
    /// Nothing to do.
    pub fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self {
            check,
            state: State::Ok,
            found: found.into(),
            next: None,
        }
    }

    /// Something to look at.
    pub fn warning(check: &'static str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self::with(check, State::Warning, found, next)
    }

    /// Something to fix.
    pub fn problem(check: &'static str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self::with(check, State::Problem, found, next)
    }

    /// Something that could not be found out.
    pub fn unknown(check: &'static str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self::with(check, State::Unknown, found, next)
    }

    /// A call that was not answered, and the permission that it needs.
    pub fn unanswered(check: &'static str, failure: &Failure, permission: &str) -> Self {
        let next = match failure.kind {
            Kind::Denied => format!("grant {permission} to the caller"),
            Kind::Credentials => "sign in again".to_owned(),
            _ => "try again".to_owned(),
        };
        Self::unknown(check, failure.brief(), next)
    }

    fn with(
        check: &'static str,
        state: State,
        found: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            check,
            state,
            found: found.into(),
            next: Some(next.into()),
        }
    }
}
