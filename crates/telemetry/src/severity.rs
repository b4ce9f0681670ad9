//! How much a record would be missed: its severity, as loggers write it.
//!
//! | where | what counts |
//! |---|---|
//! | a platform event | an error: they are few and say what happened |
//! | an object | members named in [`KEYS`], in any case, also in an object under [`CONTAINERS`], and in JSON that is the text of one of those |
//! | text that holds an object | the same, through two levels of escaping |
//! | other text | what [`crate::text`] finds in its beginning |
//!
//! Of several levels, names (`warn`) and numbers (`40`) alike, the most severe counts. Where there is
//! none, text counts, and last what hints at an error (a member `errorType`). Numbers: see [`Scale`].
//!
//! Invariants: it looks at no more than [`MOST_LOOKED_AT`] bytes, once, and allocates nothing. It is
//! total: any bytes have a severity. It is looked at only when the buffer overflows, so that the usual
//! path pays nothing for it.

use crate::peel::Peel;
use crate::text;

/// The bytes of a record that are looked at. Loggers that put the level last put it after the message.
pub(crate) const MOST_LOOKED_AT: usize = 8 * 1024;
/// The bytes of a text of which the meaning is looked at.
const MOST_TEXT: usize = 256;
/// Objects in objects that are looked into.
const MOST_NESTED: u32 = 3;

/// From the first to be dropped to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Debug and trace output.
    Debug,
    /// Everything not recognised as something else.
    Info,
    /// Warnings.
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
    (b"logseverity", Scale::Common),
    (b"@l", Scale::Common),
    (b"@level", Scale::Common),
    (b"severitytext", Scale::Common),
    (b"levelno", Scale::Python),
    (b"severitynumber", Scale::OpenTelemetry),
];

/// The members that hold what was logged, or the level's own object (`log: {level}`).
const CONTAINERS: &[&[u8]] = &[
    b"log", b"record", b"message", b"msg", b"event", b"body", b"text", b"fields", b"@m", b"@mt",
];

/// Members of a level that is an object: `level: {name, no}`.
const IN_LEVEL: &[&[u8]] = &[b"name", b"label", b"text", b"value"];

/// Members that only errors have, where they say something.
const HINTS: &[&[u8]] = &[
    b"error",
    b"err",
    b"errortype",
    b"errormessage",
    b"exception",
    b"excinfo",
    b"stacktrace",
    b"@x",
];

impl Severity {
    /// The severity of an event's fragment.
    pub fn of(fragment: &[u8]) -> Self {
        let looked_at = &fragment[..fragment.len().min(MOST_LOOKED_AT)];
        let mut peel = Peel::new(looked_at);
        let mut kind = Word::default();
        // The fragment is the inside of an object of which the members come in this order.
        while let Some(key) = next_key(&mut peel, 0) {
            match key.as_bytes() {
                b"type" => {
                    if next_token(&mut peel, 0) == Some(b'"') {
                        kind = Word::read(&mut peel, 1);
                    }
                    if kind.as_bytes().starts_with(b"platform.") {
                        return Error;
                    }
                }
                b"record" => {
                    let mut found = Found::default();
                    found.logged(&mut peel, 0, MOST_NESTED);
                    return found.severity();
                }
                _ => skip_value(&mut peel, 0),
            }
        }
        Info
    }

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

    /// The scale of a member's number, where the member says the level.
    pub(crate) fn scale_of(key: &[u8]) -> Option<Scale> {
        let plain = Word::plain(key);
        let same = |(known, _): &&(&[u8], Scale)| *known == plain.as_bytes();
        KEYS.iter().find(same).map(|(_, scale)| *scale)
    }
}

/// What was found so far.
#[derive(Debug, Default)]
struct Found {
    said: Option<Severity>,
    in_text: Option<Severity>,
    is_hinted: bool,
}

impl Found {
    fn severity(&self) -> Severity {
        let hinted = self.is_hinted.then_some(Error);
        self.said.or(self.in_text).or(hinted).unwrap_or(Info)
    }

    /// Looks at what was logged: an object, or a text, which may hold one.
    fn logged(&mut self, peel: &mut Peel<'_>, level: usize, nested: u32) {
        match next_token(peel, level) {
            Some(b'{') => self.object(peel, level, nested),
            Some(b'"') => self.string(peel, level + 1, nested),
            Some(b'[') => skip_brackets(peel, level),
            Some(_) | None => {}
        }
    }

    fn object(&mut self, peel: &mut Peel<'_>, level: usize, nested: u32) {
        let Some(nested) = nested.checked_sub(1) else {
            return skip_brackets(peel, level);
        };
        while let Some(key) = next_key(peel, level) {
            if self.said == Some(Error) {
                return;
            }
            let name = Word::plain(key.as_bytes());
            let name = name.as_bytes();
            if let Some(scale) = Severity::scale_of(key.as_bytes()) {
                self.level(peel, level, scale);
            } else if CONTAINERS.contains(&name) {
                self.logged(peel, level, nested);
            } else if HINTS.contains(&name) {
                self.is_hinted |= says_something(peel, level);
            } else {
                skip_value(peel, level);
            }
        }
    }

    /// Looks at a text from after its quote, and passes over it.
    fn string(&mut self, peel: &mut Peel<'_>, level: usize, nested: u32) {
        let mut first = peel.next(level);
        while first.is_some_and(|byte| byte.is_ascii_whitespace()) {
            first = peel.next(level);
        }
        // Other languages print objects in braces too, without quoting the keys so.
        if first == Some(b'{') && next_token(&mut peel.clone(), level) == Some(b'"') {
            self.object(peel, level, nested);
        } else if let Some(first) = first
            && self.said.is_none()
        {
            let mut head = [first; MOST_TEXT];
            let length = 1 + peel.read(level, &mut head[1..]);
            self.in_text = self.in_text.max(text::severity(&mut head[..length]));
        }
        peel.finish(level);
    }

    /// Looks at a level's own value.
    fn level(&mut self, peel: &mut Peel<'_>, level: usize, scale: Scale) {
        match next_token(peel, level) {
            Some(b'"') => {
                let word = Word::read(peel, level + 1);
                self.value(word.as_bytes(), scale);
            }
            Some(b'{') => {
                while let Some(key) = next_key(peel, level) {
                    if !IN_LEVEL.contains(&Word::plain(key.as_bytes()).as_bytes()) {
                        skip_value(peel, level);
                    } else if next_token(peel, level) == Some(b'"') {
                        let word = Word::read(peel, level + 1);
                        self.value(word.as_bytes(), scale);
                    }
                }
            }
            Some(b'[') => skip_brackets(peel, level),
            Some(byte @ (b'-' | b'0'..=b'9')) => {
                let word = Word::number(byte, peel, level);
                self.value(word.as_bytes(), scale);
            }
            Some(_) | None => {}
        }
    }

    fn value(&mut self, value: &[u8], scale: Scale) {
        self.said = self.said.max(text::level(value, scale));
    }
}

/// The next byte of an object or array that is not between tokens.
fn next_token(peel: &mut Peel<'_>, level: usize) -> Option<u8> {
    loop {
        let byte = peel.next(level)?;
        if !byte.is_ascii_whitespace() && !matches!(byte, b':' | b',') {
            return Some(byte);
        }
    }
}

/// The next key of an object; `None` at its end.
fn next_key(peel: &mut Peel<'_>, level: usize) -> Option<Word> {
    // Letters and digits are what is left of a value that was not looked at.
    loop {
        match next_token(peel, level)? {
            b'"' => return Some(Word::read(peel, level + 1)),
            b'}' | b']' | b'{' | b'[' => return None,
            _ => {}
        }
    }
}

fn skip_value(peel: &mut Peel<'_>, level: usize) {
    match next_token(peel, level) {
        Some(b'"') => peel.finish(level + 1),
        Some(b'{' | b'[') => skip_brackets(peel, level),
        Some(_) | None => {}
    }
}

/// Passes over an array or object from after its bracket.
fn skip_brackets(peel: &mut Peel<'_>, level: usize) {
    let mut open = 1_u32;
    while let Some(byte) = peel.next(level) {
        match byte {
            b'"' => peel.finish(level + 1),
            b'{' | b'[' => open += 1,
            b'}' | b']' if open == 1 => return,
            b'}' | b']' => open -= 1,
            _ => {}
        }
    }
}

/// Whether a value is more than `null`, `false`, a number or nothing.
fn says_something(peel: &mut Peel<'_>, level: usize) -> bool {
    match next_token(peel, level) {
        Some(b'"') => {
            let is_empty = peel.next(level + 1).is_none();
            peel.finish(level + 1);
            !is_empty
        }
        Some(b'{' | b'[') => {
            skip_brackets(peel, level);
            true
        }
        Some(byte) => byte == b't',
        None => false,
    }
}

/// A short text, cut off where it is longer.
#[derive(Debug, Default, Clone, Copy)]
struct Word {
    bytes: [u8; 24],
    length: usize,
}

impl Word {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    /// Reads a string from after its quote to its end.
    fn read(peel: &mut Peel<'_>, level: usize) -> Self {
        let mut word = Self::default();
        while word.length < word.bytes.len()
            && let Some(byte) = peel.next(level)
        {
            word.push(byte);
        }
        peel.finish(level);
        word
    }

    /// Reads a number from after its first byte. What ends it is a comma or white space; a bracket is put
    /// back.
    fn number(first: u8, peel: &mut Peel<'_>, level: usize) -> Self {
        let mut word = Self::default();
        word.push(first);
        while let Some(byte) = peel.peek(level)
            && (byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'))
        {
            word.push(byte);
            peel.next(level);
        }
        word
    }

    /// In lower case, and without what separates words.
    fn plain(text: &[u8]) -> Self {
        let mut word = Self::default();
        for byte in text
            .iter()
            .filter(|byte| !matches!(byte, b'_' | b'.' | b'-'))
        {
            word.push(byte.to_ascii_lowercase());
        }
        word
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}
