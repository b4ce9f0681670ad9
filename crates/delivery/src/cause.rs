//! Why records did not get where they were meant to, in words that are stable and few.

use std::fmt;

use crate::detail::Detail;

/// A cause in words that are stable and few, for the archive, the ledger and the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// The reason's name.
    pub reason: &'static str,
    /// The status that came with it.
    pub status: Option<u16>,
    /// What is known beyond that: bounded, and never a server's own text.
    pub detail: Option<Detail>,
}

impl Cause {
    pub(crate) const PARTIAL: Self = Self {
        reason: "partial",
        status: None,
        detail: None,
    };
    pub(crate) const TOO_LARGE: Self = Self {
        reason: "too_large",
        status: None,
        detail: None,
    };
    pub(crate) const TOO_OLD: Self = Self {
        reason: "too_old",
        status: None,
        detail: None,
    };
    pub(crate) const NO_INTAKE: Self = Self {
        reason: "no_intake",
        status: None,
        detail: None,
    };
    pub(crate) const BREAKER_OPEN: Self = Self {
        reason: "breaker_open",
        status: None,
        detail: None,
    };
    pub(crate) const NO_BUDGET: Self = Self {
        reason: "no_budget",
        status: None,
        detail: None,
    };
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.reason)?;
        match (self.status, self.detail) {
            (Some(status), Some(detail)) => write!(formatter, " (status {status}; {detail})"),
            (Some(status), None) => write!(formatter, " (status {status})"),
            (None, Some(detail)) => write!(formatter, " ({detail})"),
            (None, None) => Ok(()),
        }
    }
}

impl Cause {
    /// What a status says.
    pub fn of_status(code: u16, detail: Option<Detail>) -> Self {
        Self {
            reason: reason_of(code),
            status: Some(code),
            detail,
        }
    }
}

fn reason_of(code: u16) -> &'static str {
    match code {
        300..=399 => "redirected",
        400 | 422 => "rejected",
        401 | 403 | 407 => "unauthorized",
        402 => "payment_required",
        404 | 410 => "not_found",
        408 => "timeout",
        409 | 423 | 424 => "conflict",
        413 => "too_large",
        425 | 429 => "throttled",
        // A success may be none, by the sink's own table.
        200..=299 | 400..=499 => "not_accepted",
        _ => "server_error",
    }
}
