//! What was asked for makes no sense: the error that ends a command with exit code 2.
//!
//! It is apart from the options, as what reads settings, secrets or a profile finds such mistakes too.

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
