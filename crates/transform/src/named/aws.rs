//! AWS access key ids, secret access keys and session tokens.

use std::ops::Range;

use super::next_long_run;

/// Of keys: long-term, temporary, bearer tokens of services, and context-specific ones.
const KEY_IDS: [&[u8]; 4] = [b"AKIA", b"ASIA", b"ABIA", b"ACCA"];
const KEY_ID_LENGTH: usize = 20;
const SECRET_LENGTH: usize = 40;
/// How session tokens begin, and the least they have.
const SESSIONS: [&[u8]; 4] = [
    b"IQoJb3JpZ2lu",
    b"FwoGZXIvYXdz",
    b"FQoGZXIvYXdz",
    b"AQoDYXdz",
];
const SESSION_LENGTH: usize = 100;
/// How far before a secret the word may stand that says what it is.
const CONTEXT: usize = 40;

pub(super) fn find(text: &[u8], from: usize) -> Option<Range<usize>> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let mut at = from;
    while let Some(run) = next_long_run(text, at, KEY_ID_LENGTH, is_part) {
        at = run.end;
        let found = session(text, &run)
            .or_else(|| secret(text, &run))
            .or_else(|| key_id(text, &run));
        if found.is_some() {
            return found;
        }
    }
    None
}

fn session(text: &[u8], run: &Range<usize>) -> Option<Range<usize>> {
    let is_session = |start: &usize| {
        let rest = &text[*start..run.end];
        rest.len() >= SESSION_LENGTH && SESSIONS.iter().any(|begin| rest.starts_with(begin))
    };
    let start = starts(text, run).into_iter().find(is_session)?;
    Some(start..run.end)
}

/// A name may stand before the value: `AWS_SESSION_TOKEN=…`, `/…`.
fn starts(text: &[u8], run: &Range<usize>) -> [usize; 2] {
    let value = text[run.clone()].iter().position(|byte| *byte == b'=');
    [run.start, value.map_or(run.start, |at| run.start + at + 1)]
}

fn secret(text: &[u8], run: &Range<usize>) -> Option<Range<usize>> {
    let start = (starts(text, run).into_iter()).find(|start| run.end - start == SECRET_LENGTH)?;
    let secret = &text[start..run.end];
    let has = |is: fn(&u8) -> bool| secret.iter().any(is);
    // Hashes in hexadecimal are as long; names of files and of types have no digits, or more slashes.
    let is_mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    let is_random = has(u8::is_ascii_digit) || secret.contains(&b'+') || is_named(text, start);
    let slashes = memchr::memchr_iter(b'/', secret).count();
    let is_hex = secret.iter().all(u8::is_ascii_hexdigit);
    (is_mixed && is_random && slashes <= 6 && !is_hex).then_some(start..run.end)
}

fn is_named(text: &[u8], start: usize) -> bool {
    let context = &text[start.saturating_sub(CONTEXT)..start];
    let word = b"secret";
    (context.windows(word.len())).any(|window| window.eq_ignore_ascii_case(word))
}

fn key_id(text: &[u8], run: &Range<usize>) -> Option<Range<usize>> {
    let bytes = &text[run.clone()];
    let is_key = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let mut words = memchr::memchr_iter(b'A', bytes).filter(|at| {
        let is_start = *at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
        is_start && KEY_IDS.iter().any(|begin| bytes[*at..].starts_with(begin))
    });
    let start = words.find(|at| {
        let id = bytes[*at..]
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric());
        let (mut length, mut is_id) = (0, true);
        for byte in id {
            length += 1;
            is_id &= is_key(byte);
        }
        is_id && length == KEY_ID_LENGTH
    })?;
    let start = run.start + start;
    Some(start..start + KEY_ID_LENGTH)
}
