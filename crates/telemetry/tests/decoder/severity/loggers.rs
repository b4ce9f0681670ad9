//! What a row of the tables of loggers says.

use backstop_telemetry::Severity::{self, Debug, Error, Info, Warn};

/// One logger's line at each severity; `{}` is where it writes the level.
pub(crate) struct Logger {
    pub(crate) name: &'static str,
    pub(crate) line: &'static str,
    pub(crate) levels: &'static [(&'static str, Severity)],
}

pub(crate) const UPPER: &[(&str, Severity)] = &[
    ("DEBUG", Debug),
    ("INFO", Info),
    ("WARN", Warn),
    ("ERROR", Error),
];
pub(crate) const PYTHON: &[(&str, Severity)] = &[
    ("DEBUG", Debug),
    ("INFO", Info),
    ("WARNING", Warn),
    ("ERROR", Error),
    ("CRITICAL", Error),
];
