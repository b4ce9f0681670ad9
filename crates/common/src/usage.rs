//! Usage errors, which end a command with exit code 2.
//!
//! A module of its own, because reading settings, secrets or a profile finds such errors too.

use std::error::Error;
use std::fmt;

/// Says what is wrong with what was asked for, and what to write instead.
#[derive(Debug)]
pub struct UsageError(pub String);

impl fmt::Display for UsageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Error for UsageError {}
