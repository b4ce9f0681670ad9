//! How much a record would be missed. Looked at only when the buffer overflows, so that the usual
//! path pays nothing for it.

use memchr::memmem;

/// From the first to be dropped to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Debug and trace output.
    Debug,
    /// Everything not recognised as something else.
    Info,
    /// Warnings.
    Warn,
    /// Errors, and all platform events: they are few and say what happened.
    Error,
}

const ERROR: [&[u8]; 7] = [
    b"ERROR",
    b"FATAL",
    b"CRITICAL",
    b"\"error\"",
    b"Traceback",
    b"Exception",
    b"panicked",
];
const WARN: [&[u8]; 2] = [b"WARN", b"\"warn"];
const DEBUG: [&[u8]; 4] = [b"DEBUG", b"TRACE", b"\"debug\"", b"\"trace\""];

impl Severity {
    /// The severity of an event's fragment, by its type and by the level words in its record.
    pub fn of(fragment: &[u8]) -> Self {
        let has = |word: &[u8]| memmem::find(fragment, word).is_some();
        // Only the head can hold the type: a record that quotes a platform event is not one.
        let head = &fragment[..fragment.len().min(80)];
        if memmem::find(head, b",\"type\":\"platform.").is_some() || ERROR.into_iter().any(has) {
            Self::Error
        } else if WARN.into_iter().any(has) {
            Self::Warn
        } else if DEBUG.into_iter().any(has) {
            Self::Debug
        } else {
            Self::Info
        }
    }
}
