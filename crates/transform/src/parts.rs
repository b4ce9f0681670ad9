//! The parts of a record: `"time":…,"type":…,"record":…`, as the decoder writes them.

use backstop_json::string_end;

const TIME: &[u8] = b"\"time\":";
const TYPE: &[u8] = b",\"type\":\"";
const RECORD: &[u8] = b",\"record\":";

/// A record's parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// The time, as JSON.
    pub time: &'a [u8],
    /// What is between the quotes of the type.
    pub kind: &'a [u8],
    /// The record, as JSON.
    pub record: &'a [u8],
}

impl<'a> Parts<'a> {
    /// The parts of a fragment; `None` where it is none.
    pub fn of(fragment: &'a [u8]) -> Option<Self> {
        let rest = fragment.strip_prefix(TIME)?;
        let quote = rest.strip_prefix(b"\"")?;
        let (time, rest) = rest.split_at(string_end(quote, 0)? + 2);
        let rest = rest.strip_prefix(TYPE)?;
        let (kind, rest) = rest.split_at(string_end(rest, 0)?);
        let record = rest.strip_prefix(b"\"")?.strip_prefix(RECORD)?;
        Some(Self { time, kind, record })
    }

    /// The fragment with another record.
    pub fn with_record(&self, record: &[u8]) -> Vec<u8> {
        [TIME, self.time, TYPE, self.kind, b"\"", RECORD, record].concat()
    }

    /// Whether it is output of the function or of an extension, or a log that the function posted: these have levels.
    pub fn is_output(&self) -> bool {
        matches!(self.kind, b"function" | b"extension" | b"otlp.logs")
    }

    /// Whether the function posted it.
    pub fn is_posted(&self) -> bool {
        self.kind.starts_with(b"otlp.")
    }

    /// Whether it is an event of the platform's.
    pub fn is_platform(&self) -> bool {
        self.kind.starts_with(b"platform.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_of_the_decoder_and_come_together_again() {
        let fragment = br#""time":"t\"","type":"function","record":{"type":"x"}"#;
        let parts = Parts::of(fragment).expect("it is one");
        assert_eq!(parts.time, br#""t\"""#);
        assert_eq!(parts.kind, b"function");
        assert_eq!(parts.record, br#"{"type":"x"}"#);
        assert!(parts.is_output() && !parts.is_platform());
        assert_eq!(parts.with_record(parts.record), fragment);
        assert_eq!(Parts::of(b"\"time\":1"), None);
    }
}
