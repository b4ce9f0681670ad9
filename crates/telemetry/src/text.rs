//! The severity that a line of plain text says: what loggers put before a message, and how runtimes
//! begin the report of an error.
//!
//! In this order:
//! 1. `<11>` of syslog; `E0102 …` of klog; `E, [2026-…` of Ruby.
//! 2. An exception at the start: `TypeError: …`, `java.lang.Exception`, `Traceback (most recent call`.
//! 3. The report of PHP (`PHP Fatal error: …`), unless 4 is more severe.
//! 4. The first level word near the start, unless `level=` comes before it: in capitals (`…Z\t<request id>\tERROR\t…`, `[ERROR]`), in
//!    brackets (`[error]`), or with nothing but times, ids and numbers before it (`error: …`); and
//!    `level=error` or `"level":50` anywhere. The more severe of the two.
//! 5. An exception further on; then a warning of Python or Node (`UserWarning: …`).
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
    b"Parse error: ",
    b"Segmentation fault",
    b"[signal SIG",
    b"** exception ",
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
    let said = words(text).max(php(text));
    said.or_else(|| has_trouble(text).then_some(Severity::Error))
        .or_else(|| has_warning(text).then_some(Severity::Warn))
}

/// What PHP reports, also in what a server or a supervisor puts before it.
/// (<https://github.com/php/php-src/blob/master/main/main.c>, `php_error_cb`)
fn php(text: &[u8]) -> Option<Severity> {
    const NAMES: [(&[u8], Severity); 4] = [
        (b"Fatal error:", Severity::Error),
        (b"Recoverable fatal error:", Severity::Error),
        (b"Parse error:", Severity::Error),
        (b"Warning:", Severity::Warn),
    ];
    let mut reports = memchr::memmem::find_iter(text, b"PHP ").map(|at| &text[at + 4..]);
    reports.find_map(|rest| {
        let same = |(name, _): &&(&[u8], Severity)| rest.starts_with(name);
        NAMES.iter().find(same).map(|(_, severity)| *severity)
    })
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
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.trim_ascii_end();
    if of_go(line) || of_elixir(line) || of_ruby(line) {
        return true;
    }
    let (name, rest) = text.split_at(length_of_name(text));
    is_exception(name)
        && match rest {
            [] | [b':' | b'\n' | b'\r' | b'(', ..] => true,
            // Prose has such words as well: `Error (see above) was handled`.
            [b' ', b'(', rest @ ..] => {
                !matches!(name, b"Error" | b"Exception") && closes_at_end(rest)
            }
            [b' ', b'[', rest @ ..] => code(rest).is_some_and(|rest| rest.first() == Some(&b':')),
            _ => false,
        }
}

/// How long the name of a class is with which a text begins, with those of its modules.
fn length_of_name(text: &[u8]) -> usize {
    let mut length = 0;
    loop {
        length += match &text[length..] {
            [b':', b':', ..] => 2,
            [byte, ..] if is_name(*byte) => 1,
            _ => return length,
        };
    }
}

/// A header of a stack: `goroutine 1 [running]:`.
fn of_go(line: &[u8]) -> bool {
    let is_numbered = |rest: &[u8]| rest.first().is_some_and(u8::is_ascii_digit);
    line.strip_prefix(b"goroutine ").is_some_and(is_numbered) && line.ends_with(b"]:")
}

/// `** (RuntimeError) message`, `** (exit) reason`, `** (EXIT from #PID<0.1.0>) reason`.
fn of_elixir(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"** (") else {
        return false;
    };
    let name = rest.iter().take_while(|byte| is_name(**byte)).count();
    let (name, rest) = rest.split_at(name);
    is_exception(name) && rest.starts_with(b")")
        || matches!(name, b"exit" | b"throw" | b"stop") && rest.starts_with(b")")
        || name == b"EXIT" && rest.starts_with(b" from ")
}

/// `file.rb:1:in 'method': message (NoMethodError)`, with a grave accent before Ruby 3.4. The class may have
/// any name.
fn of_ruby(line: &[u8]) -> bool {
    let Some(line) = line.strip_suffix(b")") else {
        return false;
    };
    let class = line
        .iter()
        .rev()
        .take_while(|byte| is_word(**byte) || **byte == b':')
        .count();
    let (before, class) = line.split_at(line.len() - class);
    let has = |phrase: &[u8]| memchr::memmem::find(before, phrase).is_some();
    let has_place = || {
        let mut after = memchr::memmem::find_iter(before, b".rb:").map(|at| &before[at + 4..]);
        after.any(|rest| {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            digits > 0 && rest.get(digits) == Some(&b':')
        })
    };
    class.first().is_some_and(u8::is_ascii_uppercase)
        && before.ends_with(b" (")
        && (has(b":in '") || has(b":in `") || has_place())
}

/// What follows `CODE]`, as Node writes the code of an error.
fn code(text: &[u8]) -> Option<&[u8]> {
    let is_code = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    let length = text.iter().take_while(|byte| is_code(byte)).count();
    text[length..].strip_prefix(b"]").filter(|_| length > 0)
}

/// Whether a parenthesis that is open closes at the end of its line, if it does, as in Ruby's
/// `RuntimeError (message)` and `RuntimeError (message):`.
fn closes_at_end(text: &[u8]) -> bool {
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let after = memchr::memrchr(b')', line).map(|at| line[at + 1..].trim_ascii_end());
    after.is_none_or(|after| matches!(after, b"" | b":"))
}

fn has_trouble(text: &[u8]) -> bool {
    let has = |phrase: &&[u8]| memchr::memmem::find(text, phrase).is_some();
    let mut before_colons = memchr::memchr_iter(b':', text).map(|at| without_code(&text[..at]));
    TROUBLE_ANYWHERE.iter().any(has)
        || before_colons.any(is_exception)
        || text.split(|byte| *byte == b'\n').any(begins_with_trouble)
}

/// The text without ` [CODE]` at its end.
fn without_code(text: &[u8]) -> &[u8] {
    let Some(within) = text.strip_suffix(b"]") else {
        return text;
    };
    match memchr::memrchr(b'[', within) {
        Some(at) if code(&text[at + 1..]) == Some(b"") => text[..at].trim_ascii_end(),
        _ => text,
    }
}

/// `x.py:1: UserWarning: …`, `(node:8) [DEP0005] DeprecationWarning: …`; and `(node:8) Warning: …`, where the
/// word alone says nothing in prose.
fn has_warning(text: &[u8]) -> bool {
    let mut before_colons = memchr::memchr_iter(b':', text).map(|at| &text[..at]);
    let is_of_node = text.starts_with(b"(node:");
    before_colons.any(|text| {
        let name = text.iter().rev().take_while(|byte| is_word(**byte)).count();
        let name = &text[text.len() - name..];
        name.ends_with(b"Warning") && (is_of_node || name.len() > b"Warning".len())
    })
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
