//! The severity of a log, where it says one, on OpenTelemetry's scale
//! (<https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber>).
//!
//! Of text only the prefixes count that Lambda's own runtimes write. What a text may mean by its words is
//! the buffer's question (`backstop_telemetry::Severity`), where a wrong guess costs nothing.

use backstop_json::{Json, is_uuid};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

/// The words that loggers write, in lower case.
const WORDS: &[(&str, Level)] = &[
    ("trace", Level::Trace),
    ("verbose", Level::Trace),
    ("debug", Level::Debug),
    ("info", Level::Info),
    ("information", Level::Info),
    ("notice", Level::Info),
    ("warn", Level::Warn),
    ("warning", Level::Warn),
    ("error", Level::Error),
    ("err", Level::Error),
    ("severe", Level::Error),
    ("fatal", Level::Fatal),
    ("critical", Level::Fatal),
    ("crit", Level::Fatal),
    ("alert", Level::Fatal),
    ("emergency", Level::Fatal),
    ("panic", Level::Fatal),
];

impl Level {
    /// The word that is written for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }

    /// The same in lower case.
    pub(crate) fn lower(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }

    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Trace => 1,
            Self::Debug => 5,
            Self::Info => 9,
            Self::Warn => 13,
            Self::Error => 17,
            Self::Fatal => 21,
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        let mut words = WORDS.iter();
        words
            .find(|(known, _)| known.eq_ignore_ascii_case(word))
            .map(|(_, level)| *level)
    }

    /// The value of a member that says it: a word, or a number as pino and bunyan write it.
    pub(super) fn of_json(value: Json<'_>) -> Option<Self> {
        if let Some(word) = value.string() {
            return Self::of_word(&word);
        }
        let number: u16 = value.get().parse().ok()?;
        match number {
            10 => Some(Self::Trace),
            20 => Some(Self::Debug),
            30 => Some(Self::Info),
            40 => Some(Self::Warn),
            50 => Some(Self::Error),
            60 => Some(Self::Fatal),
            _ => None,
        }
    }
}

/// What Lambda's runtimes write before a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Prefix<'a> {
    pub(super) level: Level,
    pub(super) request_id: &'a str,
}

/// `TIME\tID\tLEVEL\t…` (Node.js), or `[LEVEL]\tTIME\tID\t…` (Python).
pub(super) fn prefix(text: &str) -> Option<Prefix<'_>> {
    prefix_with(text.as_bytes(), b"\t")
}

/// Whether a record begins with such a prefix, as Lambda writes it: with its tabs as `\t`, and no other escape. No more
/// than the beginning is read.
pub fn has_prefix(record: &[u8]) -> bool {
    /// As long as any prefix, and then some.
    const LONGEST: usize = 128;
    let text = record.strip_prefix(b"\"").unwrap_or_default();
    let head = text.get(..LONGEST).unwrap_or(text);
    prefix_with(head, b"\\t").is_some()
}

/// The prefix of a text, or of a string of JSON, in which a tab is escaped.
fn prefix_with<'a>(text: &'a [u8], tab: &[u8]) -> Option<Prefix<'a>> {
    if !matches!(text.first()?, b'[' | b'0'..=b'9') {
        // Of most lines that have no prefix no more is looked at.
        return None;
    }
    let (first, rest) = column(text, tab)?;
    let (second, rest) = column(rest, tab)?;
    let (third, _) = column(rest, tab)?;
    let (level, time, request_id) = match first.strip_prefix(b"[") {
        Some(level) => (level.strip_suffix(b"]")?, second, third),
        None => (third, first, second),
    };
    let is_time = time.ends_with(b"Z") && time.len() >= 20 && time.get(10) == Some(&b'T');
    if !is_time || !is_uuid(request_id) {
        return None;
    }
    Some(Prefix {
        level: Level::of_word(std::str::from_utf8(level).ok()?)?,
        request_id: std::str::from_utf8(request_id).ok()?,
    })
}

/// A column, and what follows its tab. In a string of JSON it ends at its first escape.
fn column<'a>(text: &'a [u8], tab: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let end = memchr::memchr(*tab.first()?, text)?;
    Some((text.get(..end)?, text.get(end..)?.strip_prefix(tab)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lambdas_own_prefixes_are_read() {
        let id = "8286a188-ba32-4475-8077-530cd35c09a9";
        for (text, level) in [
            (
                format!("2026-01-01T00:00:00.000Z\t{id}\tINFO\tx"),
                Some(Level::Info),
            ),
            (
                format!("[CRITICAL]\t2026-01-01T00:00:00.000Z\t{id}\tx"),
                Some(Level::Fatal),
            ),
            (format!("2026-01-01T00:00:00.000Z\t{id}\tINFO"), None),
            (format!("2026-01-01T00:00:00.000Z\t{id}\tLOUD\tx"), None),
            (format!("yesterday\t{id}\tINFO\tx"), None),
            (
                "2026-01-01T00:00:00.000Z\tundefined\tINFO\tx".to_owned(),
                None,
            ),
            ("[ERROR] boom".to_owned(), None),
            ("ERROR: boom".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(prefix(&text).map(|it| it.level), level, "{text}");
        }
    }

    #[test]
    fn words_of_any_case_and_the_numbers_of_pino_are_levels() {
        let of = |json: &str| Level::of_json(Json::of(json).expect("it is JSON"));
        assert_eq!(of("\"Warning\""), Some(Level::Warn));
        assert_eq!(of("60"), Some(Level::Fatal));
        for none in ["\"\"", "\"loud\"", "3", "-1", "30.5", "null", "{}", "true"] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
