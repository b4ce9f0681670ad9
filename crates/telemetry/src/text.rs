//! The severity that a line of plain text says: what loggers put before a message, and how runtimes
//! begin the report of an error.
//!
//! In this order:
//! 1. `<11>` of syslog; `E0102 …` of klog; `E, [2026-…` of Ruby.
//! 2. An exception at the start: `TypeError: …`, `java.lang.Exception`, `Traceback (most recent call`.
//! 3. The first level word near the start, unless `level=` comes before it: in capitals (`…Z\t<request id>\tERROR\t…`, `[ERROR]`), in
//!    brackets (`[error]`), or with nothing but times, ids and numbers before it (`error: …`); and
//!    `level=error` or `"level":50` anywhere. The more severe of the two.
//! 4. An exception further on.
//!
//! Invariant: prose is not a level: `no error found` says nothing.

use std::ops::Range;

use crate::level::{Scale, Severity};

/// Where a word in capitals or brackets is still part of what a logger puts before the message.
const HEAD: usize = 160;

/// How runtimes begin the report of an error.
const TROUBLE_AT_START: &[&[u8]] = &[
    b"Traceback (most recent call last)",
    b"Exception in thread ",
    b"Unhandled ",
    b"Uncaught ",
    b"Caused by: ",
    b"panic: ",
    b"fatal error: ",
    b"fatal: ",
    b"Segmentation fault",
];
/// The same where something stands before it.
const TROUBLE_ANYWHERE: &[&[u8]] = &[
    b"Traceback (most recent call last)",
    b"panicked at ",
    b"Task timed out after ",
    b"Process exited before completing request",
    b"Runtime exited ",
];

/// What may stand before a level besides digits: time zones, months, days, and an id that is missing.
const NEUTRAL: &[&[u8]] = &[
    b"utc",
    b"gmt",
    b"cet",
    b"jan",
    b"feb",
    b"mar",
    b"apr",
    b"may",
    b"jun",
    b"jul",
    b"aug",
    b"sep",
    b"oct",
    b"nov",
    b"dec",
    b"mon",
    b"tue",
    b"wed",
    b"thu",
    b"fri",
    b"sat",
    b"sun",
    b"am",
    b"pm",
    b"undefined",
    b"null",
    b"none",
];

/// The severity that the text says, if it does. The text is changed: colours are taken out.
pub(crate) fn severity(text: &mut [u8]) -> Option<Severity> {
    let length = take_colours_out(text);
    let text = text[..length].trim_ascii();
    if let Some(severity) = syslog(text).or_else(|| letter(text)) {
        return Some(severity);
    }
    if begins_with_trouble(text) {
        return Some(Severity::Error);
    }
    words(text).or_else(|| has_trouble(text).then_some(Severity::Error))
}

/// What the value of a level says: a word (`ERROR+2` is one of slog's), or a number.
pub(crate) fn level(value: &[u8], scale: Scale) -> Option<Severity> {
    let mut value = value;
    while let Some((first, rest)) = value.split_first() {
        match (first, rest) {
            (b'\x1b', [b'[', rest @ ..]) => value = after_colour(rest),
            (b'-', [b'0'..=b'9', ..]) => break,
            _ if first.is_ascii_alphanumeric() => break,
            _ => value = rest,
        }
    }
    let word = |value: &[u8]| {
        value
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric())
            .count()
    };
    let (is_negative, digits) = match value {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let said = &digits[..word(digits)];
    if said.first()?.is_ascii_digit() {
        let number: i64 = std::str::from_utf8(said).ok()?.parse().ok()?;
        let number = if is_negative { -number } else { number };
        return Some(Severity::of_number(number, scale));
    }
    Severity::of_word(said, false)
}

/// `<priority>`: eight times the facility, and the severity.
fn syslog(text: &[u8]) -> Option<Severity> {
    let rest = text.strip_prefix(b"<")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if rest.get(digits) != Some(&b'>') || digits > 3 {
        return None;
    }
    let priority: i64 = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    Some(Severity::of_number(priority % 8, Scale::Common))
}

fn letter(text: &[u8]) -> Option<Severity> {
    let (letter, rest) = text.split_first()?;
    let is_klog = rest.len() > 4 && rest[..4].iter().all(u8::is_ascii_digit) && rest[4] == b' ';
    let is_one = b"DIWEF".contains(letter) && (is_klog || rest.starts_with(b", ["));
    let word = std::slice::from_ref(letter);
    is_one.then(|| Severity::of_word(word, false)).flatten()
}

fn words(text: &[u8]) -> Option<Severity> {
    let (mut head, mut keyed) = (None, None);
    let mut is_neutral_so_far = true;
    let mut at = 0;
    while let Some(skipped) = text[at..].iter().position(|byte| is_word(*byte)) {
        let start = at + skipped;
        let end = start
            + text[start..]
                .iter()
                .take_while(|byte| is_word(**byte))
                .count();
        let word = &text[start..end];
        at = end;
        // The tables are long, so where a word stands is looked at first.
        let may_be_key = matches!(word[0] | 0x20, b'l' | b's') && word.len() > 2;
        if may_be_key && let Some(severity) = value_of_key(word, &text[end..]) {
            keyed = keyed.max(Some(severity));
        } else if head.is_none() && keyed.is_none() {
            head = level_at(text, start..end, is_neutral_so_far);
        }
        is_neutral_so_far = is_neutral_so_far && is_neutral(word);
    }
    head.max(keyed)
}

/// `level=error`, `"level": "error"`, `level: error`.
fn value_of_key(key: &[u8], rest: &[u8]) -> Option<Severity> {
    let scale = Severity::scale_of(key)?;
    let between = rest
        .iter()
        .take_while(|byte| b"\\\"' =:>".contains(byte))
        .count();
    let (between, value) = rest.split_at(between);
    let is_assigned =
        between.contains(&b'=') || between.first().is_some_and(|byte| b"\\\"'".contains(byte));
    // Prose has levels too: `battery level: 3`.
    let is_number = value.first().is_some_and(u8::is_ascii_digit);
    let is_value = is_assigned || between.contains(&b':') && !is_number;
    is_value
        .then(|| level(&value[..value.len().min(24)], scale))
        .flatten()
}

/// The level that a word is, where it stands where loggers put one.
fn level_at(text: &[u8], word: Range<usize>, is_first: bool) -> Option<Severity> {
    let after = text.get(word.end).copied();
    let before = word.start.checked_sub(1).map(|at| text[at]);
    let said = &text[word.clone()];
    let in_capitals = said.iter().all(u8::is_ascii_uppercase);
    let closes = after.is_some_and(|byte| b"])>|}".contains(&byte));
    let is_enclosed = closes && before.is_some_and(|byte| b"[(<|{".contains(&byte));
    let is_in_head = word.start < HEAD && (in_capitals || is_enclosed);
    if !is_in_head && !is_first {
        return None;
    }
    let severity = Severity::of_word(said, true)?;
    let is_marked = closes || matches!(after, Some(b':' | b'\t'));
    // `Error while …` is one; `Debug mode is on` and `Trace id` are not.
    let is_grave = severity >= Severity::Warn && !matches!(after, Some(b'.' | b'-' | b'='));
    let is_after_time = word.start > 0 && after == Some(b' ');
    (is_in_head || is_marked || is_grave || is_after_time).then_some(severity)
}

/// Whether a word may stand before a level: part of a time, of an id, of a number.
fn is_neutral(word: &[u8]) -> bool {
    word.len() == 1
        || word.iter().any(u8::is_ascii_digit)
        || NEUTRAL
            .iter()
            .any(|neutral| neutral.eq_ignore_ascii_case(word))
}

fn begins_with_trouble(text: &[u8]) -> bool {
    if TROUBLE_AT_START.iter().any(|start| text.starts_with(start)) {
        return true;
    }
    let name = text.iter().take_while(|byte| is_name(**byte)).count();
    is_exception(&text[..name])
        && matches!(text.get(name), None | Some(b':' | b'\n' | b'\r' | b'('))
}

fn has_trouble(text: &[u8]) -> bool {
    let has = |phrase: &&[u8]| memchr::memmem::find(text, phrase).is_some();
    let mut before_colons = memchr::memchr_iter(b':', text).map(|at| &text[..at]);
    TROUBLE_ANYWHERE.iter().any(has)
        || before_colons.any(is_exception)
        || text.split(|byte| *byte == b'\n').any(begins_with_trouble)
}

fn is_exception(name: &[u8]) -> bool {
    name.ends_with(b"Error") || name.ends_with(b"Exception")
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_name(byte: u8) -> bool {
    is_word(byte) || b".$\\".contains(&byte)
}

/// Takes the escapes of terminals out, in place. Says how long the text is then.
fn take_colours_out(text: &mut [u8]) -> usize {
    let Some(first) = memchr::memchr(b'\x1b', text) else {
        return text.len();
    };
    let (mut from, mut to) = (first, first);
    while let Some(byte) = text.get(from).copied() {
        if let [b'\x1b', b'[', rest @ ..] = &text[from..] {
            from = text.len() - after_colour(rest).len();
        } else {
            text[to] = byte;
            to += 1;
            from += 1;
        }
    }
    to
}

/// What follows an escape, from after its bracket.
fn after_colour(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| (0x40..=0x7e).contains(byte));
    &text[end.map_or(text.len(), |end| end + 1)..]
}
