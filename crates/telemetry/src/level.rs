//! The levels of loggers: as words, as numbers, and under which names they are.
//!
//! Must not: look for them.

use crate::word::Word;

/// From the first to be dropped to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Debug and trace output.
    Debug,
    /// Everything not recognised as something else.
    Info,
    Warn,
    /// Errors, and all platform events.
    Error,
}

use Severity::{Error, Info, Warn};

/// The words of loggers, in lower case.
const WORDS: &[(&[u8], Severity)] = &[
    (b"emerg", Error),
    (b"emergency", Error),
    (b"alert", Error),
    (b"crit", Error),
    (b"critical", Error),
    (b"fatal", Error),
    (b"ftl", Error),
    (b"panic", Error),
    (b"dpanic", Error),
    (b"severe", Error),
    (b"error", Error),
    (b"eror", Error),
    (b"err", Error),
    (b"fail", Error),
    (b"failure", Error),
    (b"warning", Warn),
    (b"warn", Warn),
    (b"wrn", Warn),
    (b"notice", Info),
    (b"information", Info),
    (b"informational", Info),
    (b"info", Info),
    (b"inf", Info),
    (b"debug", Severity::Debug),
    (b"dbug", Severity::Debug),
    (b"dbg", Severity::Debug),
    (b"trace", Severity::Debug),
    (b"trce", Severity::Debug),
    (b"trc", Severity::Debug),
    (b"verbose", Severity::Debug),
    (b"vrb", Severity::Debug),
];

/// Words that say a level only where a level is expected.
const WORDS_AS_VALUES: &[(&[u8], Severity)] = &[
    (b"e", Error),
    (b"f", Error),
    (b"c", Error),
    (b"a", Error),
    (b"w", Warn),
    (b"n", Info),
    (b"i", Info),
    (b"success", Info),
    (b"http", Info),
    (b"config", Severity::Debug),
    (b"fine", Severity::Debug),
    (b"finer", Severity::Debug),
    (b"finest", Severity::Debug),
    (b"silly", Severity::Debug),
    (b"d", Severity::Debug),
    (b"t", Severity::Debug),
    (b"v", Severity::Debug),
];

/// How a member's number is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// 0 to 7 as in syslog (and GELF), where less is worse. 8 and 9 are nobody's. 10 to 99 as in pino
    /// and bunyan: 30 is info. 100 to 999 as in Monolog: 200 is info. From 1000 on as in Logback: 20000
    /// is info. Below 0 as in slog: debug.
    Common,
    /// Python's `levelno`: 20 is info.
    Python,
    /// OpenTelemetry's severity number: 1 to 24, 9 is info.
    OpenTelemetry,
}

/// The members that say the level, in lower case and without `_`, `.` and `-`.
const KEYS: &[(&[u8], Scale)] = &[
    (b"level", Scale::Common),
    (b"lvl", Scale::Common),
    (b"severity", Scale::Common),
    (b"levelname", Scale::Common),
    (b"levelvalue", Scale::Common),
    (b"loglevel", Scale::Common),
    (b"levelstr", Scale::Common),
    (b"levelstring", Scale::Common),
    (b"logseverity", Scale::Common),
    (b"@l", Scale::Common),
    (b"@level", Scale::Common),
    (b"severitytext", Scale::Common),
    (b"levelno", Scale::Python),
    (b"severitynumber", Scale::OpenTelemetry),
];

/// A member that says a level, or else something of the application's own. It counts where no other says
/// one, and where its whole value is a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weak {
    /// Datadog's `status`: a word. A number is the status of an answer, and so is a word that is not a level.
    Status,
    /// Syslog's `priority`, as a word or as a text of one digit. A number that is not in quotes counts in
    /// capitals only, as the journal writes its name: jobs and tickets have priorities, too.
    Priority { is_of_journal: bool },
}

impl Weak {
    /// What a member's name says, as it is written.
    pub(crate) fn of_key(key: &[u8]) -> Option<Self> {
        if key.eq_ignore_ascii_case(b"status") {
            return Some(Self::Status);
        }
        let is_of_journal = key == b"PRIORITY";
        key.eq_ignore_ascii_case(b"priority")
            .then_some(Self::Priority { is_of_journal })
    }
}

impl Severity {
    /// The level that a whole word says, in any case; `anywhere` in text, or as a level's value.
    pub(crate) fn of_word(word: &[u8], anywhere: bool) -> Option<Self> {
        let find = |words: &[(&[u8], Self)]| {
            let same = |(known, _): &&(&[u8], Self)| known.eq_ignore_ascii_case(word);
            words.iter().find(same).map(|(_, severity)| *severity)
        };
        find(WORDS).or_else(|| {
            if anywhere {
                None
            } else {
                find(WORDS_AS_VALUES)
            }
        })
    }

    /// The level that a number says.
    pub(crate) fn of_number(number: i64, scale: Scale) -> Self {
        // The least number of each severity but the lowest.
        let (info, warn, error) = match (scale, number) {
            (Scale::OpenTelemetry, _) => (9, 13, 17),
            (Scale::Python, _) => (20, 30, 40),
            (Scale::Common, 0..=3) => return Error,
            (Scale::Common, 4) => return Warn,
            (Scale::Common, 5 | 6 | 8 | 9) => return Info,
            (Scale::Common, ..=7) => return Self::Debug,
            (Scale::Common, 10..100) => (30, 40, 50),
            (Scale::Common, 100..1000) => (200, 300, 400),
            (Scale::Common, _) => (20_000, 30_000, 40_000),
        };
        match number {
            _ if number >= error => Error,
            _ if number >= warn => Warn,
            _ if number >= info => Info,
            _ => Self::Debug,
        }
    }

    /// The level that the value of a member of [`Weak`] says, if it is nothing but that.
    pub(crate) fn of_weak(value: &[u8], weak: Weak) -> Option<Self> {
        match (weak, value) {
            (Weak::Priority { .. }, [digit @ b'0'..=b'7']) => {
                Some(Self::of_number(i64::from(digit - b'0'), Scale::Common))
            }
            _ => Self::of_word(value, true),
        }
    }

    /// The scale of a member's number, where the member says the level.
    pub(crate) fn scale_of(key: &[u8]) -> Option<Scale> {
        let plain = Word::plain(key);
        let same = |(known, _): &&(&[u8], Scale)| *known == plain.as_bytes();
        KEYS.iter().find(same).map(|(_, scale)| *scale)
    }
}
