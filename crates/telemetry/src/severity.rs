//! How much a record would be missed: its severity, as loggers write it.
//!
//! | where | what counts |
//! |---|---|
//! | a platform event | an error: they are few and say what happened |
//! | a log that the function posted by OTLP | its `severityNumber`, or else its `severityText` |
//! | an object | members named in `level::KEYS`, in any case, also in an object under [`CONTAINERS`], and in JSON that is the text of one of those |
//! | an object without one of those | the members of `level::Weak` |
//! | text that holds an object | the same, through two levels of escaping |
//! | other text | what [`crate::text`] finds in its beginning |
//!
//! Of several levels, names (`warn`) and numbers (`40`) alike, the most severe counts. Where there is
//! none, text counts, and last what hints at an error (a member `errorType`). Numbers: see [`crate::level::Scale`].
//!
//! Invariants: it looks at no more than [`MOST_LOOKED_AT`] bytes, once, but for what was posted, and allocates
//! nothing. It is
//! total: any bytes have a severity. It is looked at only when the buffer overflows, and for what the user
//! set up to depend on it (`BACKSTOP_MIN_LEVEL`), so that the usual path pays nothing for it.

use crate::escape_reader::EscapeReader;
use crate::level::{Scale, Severity, Weak};
use crate::text;
use crate::word::Word;

/// The bytes of a record that are looked at. Loggers that put the level last put it after the message.
pub(crate) const MOST_LOOKED_AT: usize = 8 * 1024;
/// The bytes of a text of which the meaning is looked at.
const MOST_TEXT: usize = 256;
/// Objects in objects that are looked into.
const MOST_NESTED: u32 = 3;

use Severity::{Error, Info};

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
        let mut reader = EscapeReader::new(looked_at);
        let mut kind = Word::default();
        // The fragment is the inside of an object of which the members come in this order.
        while let Some(key) = next_key(&mut reader, 0) {
            match key.as_bytes() {
                b"type" => {
                    if next_token(&mut reader, 0) == Some(b'"') {
                        kind = Word::read(&mut reader, 1);
                    }
                    if kind.as_bytes().starts_with(b"platform.") {
                        return Error;
                    }
                }
                b"record" if kind.as_bytes() == b"otlp.logs" => return posted(fragment),
                b"record" => {
                    let mut found = Found::default();
                    found.logged(&mut reader, 0, MOST_NESTED);
                    return found.severity();
                }
                _ => skip_value(&mut reader, 0),
            }
        }
        Info
    }
}

/// The severity of a log that the function posted by OTLP: its number, wherever it is, as the resource may be long;
/// without one, as some bridges of loggers leave it, its text. In the text of another member the quotes are escaped.
/// (<https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber>)
fn posted(fragment: &[u8]) -> Severity {
    const NUMBER: &[u8] = b"\"severityNumber\":";
    const TEXT: &[u8] = b"\"severityText\":\"";
    let after = |name: &[u8]| {
        let at = memchr::memmem::find(fragment, name)? + name.len();
        Some(&fragment[at..fragment.len().min(at + MOST_TEXT)])
    };
    let digits = after(NUMBER).unwrap_or_default().iter();
    let digits = digits.map_while(|byte| char::from(*byte).to_digit(10));
    match digits.take(3).fold(0, |number, digit| 10 * number + digit) {
        0 => {
            let text = after(TEXT).and_then(|it| it.split(|byte| *byte == b'"').next());
            // OpenTelemetry's short names go from `ERROR` to `ERROR4`.
            let name = text.map(|text| match text {
                [name @ .., b'2'..=b'4'] if name.last().is_some_and(u8::is_ascii_alphabetic) => {
                    name
                }
                name => name,
            });
            let said = name.and_then(|name| text::level(name, Scale::Common));
            said.unwrap_or(Info)
        }
        1..=8 => Severity::Debug,
        9..=12 => Info,
        13..=16 => Severity::Warn,
        17.. => Error,
    }
}

/// What was found so far.
#[derive(Debug, Default)]
struct Found {
    said: Option<Severity>,
    weakly: Option<Severity>,
    in_text: Option<Severity>,
    is_hinted: bool,
}

impl Found {
    fn severity(&self) -> Severity {
        let hinted = self.is_hinted.then_some(Error);
        let said = self.said.or(self.in_text).or(hinted);
        said.or(self.weakly).unwrap_or(Info)
    }

    /// Looks at what was logged: an object, or a text, which may hold one.
    fn logged(&mut self, reader: &mut EscapeReader<'_>, level: usize, nested: u32) {
        match next_token(reader, level) {
            Some(b'{') => self.object(reader, level, nested),
            Some(b'"') => self.string(reader, level + 1, nested),
            Some(b'[') => skip_brackets(reader, level),
            Some(_) | None => {}
        }
    }

    fn object(&mut self, reader: &mut EscapeReader<'_>, level: usize, nested: u32) {
        let Some(nested) = nested.checked_sub(1) else {
            return skip_brackets(reader, level);
        };
        while let Some(key) = next_key(reader, level) {
            if self.said == Some(Error) {
                return;
            }
            let name = Word::plain(key.as_bytes());
            let name = name.as_bytes();
            if let Some(scale) = Severity::scale_of(key.as_bytes()) {
                self.level(reader, level, scale);
            } else if CONTAINERS.contains(&name) {
                self.logged(reader, level, nested);
            } else if HINTS.contains(&name) {
                self.is_hinted |= says_something(reader, level);
            } else if let Some(weak) = Weak::of_key(key.as_bytes()) {
                self.weak(reader, level, weak);
            } else {
                skip_value(reader, level);
            }
        }
    }

    /// Looks at a text from after its quote, and passes over it.
    fn string(&mut self, reader: &mut EscapeReader<'_>, level: usize, nested: u32) {
        let mut first = reader.next(level);
        while first.is_some_and(|byte| byte.is_ascii_whitespace()) {
            first = reader.next(level);
        }
        // Other languages print objects in braces too, without quoting the keys so.
        if first == Some(b'{') && next_token(&mut reader.clone(), level) == Some(b'"') {
            self.object(reader, level, nested);
        } else if let Some(first) = first
            && self.said.is_none()
        {
            let mut head = [first; MOST_TEXT];
            let length = 1 + reader.read(level, &mut head[1..]);
            self.in_text = self.in_text.max(text::severity(&mut head[..length]));
        }
        reader.finish(level);
    }

    /// Looks at a level's own value.
    fn level(&mut self, reader: &mut EscapeReader<'_>, level: usize, scale: Scale) {
        match next_token(reader, level) {
            Some(b'"') => {
                let word = Word::read(reader, level + 1);
                self.value(word.as_bytes(), scale);
            }
            Some(b'{') => {
                while let Some(key) = next_key(reader, level) {
                    if !IN_LEVEL.contains(&Word::plain(key.as_bytes()).as_bytes()) {
                        skip_value(reader, level);
                    } else if next_token(reader, level) == Some(b'"') {
                        let word = Word::read(reader, level + 1);
                        self.value(word.as_bytes(), scale);
                    }
                }
            }
            Some(b'[') => skip_brackets(reader, level),
            Some(byte @ (b'-' | b'0'..=b'9')) => {
                let word = Word::number(byte, reader, level);
                self.value(word.as_bytes(), scale);
            }
            Some(_) | None => {}
        }
    }

    /// Looks at the value of a member that may say a level.
    fn weak(&mut self, reader: &mut EscapeReader<'_>, level: usize, weak: Weak) {
        let word = match next_token(reader, level) {
            Some(b'"') => Word::read(reader, level + 1),
            Some(b'{' | b'[') => return skip_brackets(reader, level),
            Some(byte @ b'0'..=b'9') => {
                let word = Word::number(byte, reader, level);
                if weak
                    != (Weak::Priority {
                        is_of_journal: true,
                    })
                {
                    return;
                }
                word
            }
            Some(_) | None => return,
        };
        self.weakly = self.weakly.max(Severity::of_weak(word.as_bytes(), weak));
    }

    fn value(&mut self, value: &[u8], scale: Scale) {
        self.said = self.said.max(text::level(value, scale));
    }
}

/// The next byte of an object or array that is not between tokens.
fn next_token(reader: &mut EscapeReader<'_>, level: usize) -> Option<u8> {
    loop {
        let byte = reader.next(level)?;
        if !byte.is_ascii_whitespace() && !matches!(byte, b':' | b',') {
            return Some(byte);
        }
    }
}

/// The next key of an object; `None` at its end.
fn next_key(reader: &mut EscapeReader<'_>, level: usize) -> Option<Word> {
    // Letters and digits are what is left of a value that was not looked at.
    loop {
        match next_token(reader, level)? {
            b'"' => return Some(Word::read(reader, level + 1)),
            b'}' | b']' | b'{' | b'[' => return None,
            _ => {}
        }
    }
}

fn skip_value(reader: &mut EscapeReader<'_>, level: usize) {
    match next_token(reader, level) {
        Some(b'"') => reader.finish(level + 1),
        Some(b'{' | b'[') => skip_brackets(reader, level),
        Some(_) | None => {}
    }
}

/// Passes over an array or object from after its bracket.
fn skip_brackets(reader: &mut EscapeReader<'_>, level: usize) {
    let mut open = 1_u32;
    while let Some(byte) = reader.next(level) {
        match byte {
            b'"' => reader.finish(level + 1),
            b'{' | b'[' => open += 1,
            b'}' | b']' if open == 1 => return,
            b'}' | b']' => open -= 1,
            _ => {}
        }
    }
}

/// Whether a value is more than `null`, `false`, a number or nothing.
fn says_something(reader: &mut EscapeReader<'_>, level: usize) -> bool {
    match next_token(reader, level) {
        Some(b'"') => {
            let is_empty = reader.next(level + 1).is_none();
            reader.finish(level + 1);
            !is_empty
        }
        Some(b'{' | b'[') => {
            skip_brackets(reader, level);
            true
        }
        Some(byte) => byte == b't',
        None => false,
    }
}
