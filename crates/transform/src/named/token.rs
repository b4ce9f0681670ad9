//! Tokens and private keys.

use std::ops::Range;

use memchr::memmem;

use super::run;

/// The least of a bearer token.
const LEAST_TOKEN: usize = 8;

fn is_url_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// The token after `Bearer`, in any case.
pub(super) fn bearer(text: &[u8], from: usize) -> Option<Range<usize>> {
    const REST: &[u8] = b"earer";
    let is_part = |byte: u8| is_url_safe(byte) || matches!(byte, b'.' | b'~' | b'+' | b'/' | b'=');
    let is_between =
        |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b':' | b'=' | b'"' | b'\'');
    for at in memchr::memchr2_iter(b'b', b'B', text.get(from..)?) {
        let word = from + at;
        let end = word + 1 + REST.len();
        let is_bearer = text
            .get(word + 1..end)
            .is_some_and(|it| it.eq_ignore_ascii_case(REST));
        if !is_bearer {
            continue;
        }
        let start = run(text, end, is_between);
        let token = start..run(text, start, is_part);
        let has = |is: fn(&u8) -> bool| text[token.clone()].iter().any(is);
        // Prose has no digits: `bearer authentication`.
        let is_token =
            has(u8::is_ascii_digit) || has(u8::is_ascii_punctuation) || token.len() >= 24;
        if start > end && token.len() >= LEAST_TOKEN && is_token {
            return Some(token);
        }
    }
    None
}

/// `eyJ…` and two more parts.
pub(super) fn jwt(text: &[u8], from: usize) -> Option<Range<usize>> {
    for at in memmem::find_iter(text.get(from..)?, b"eyJ") {
        let start = from + at;
        if super::before(text, start).is_some_and(is_url_safe) {
            continue;
        }
        let header = run(text, start, is_url_safe);
        if text.get(header) != Some(&b'.') {
            continue;
        }
        let payload = run(text, header + 1, is_url_safe);
        let is_long = header - start >= 10 && payload - header > 4;
        if is_long && text.get(payload) == Some(&b'.') {
            return Some(start..run(text, payload + 1, |byte| is_url_safe(byte) || byte == b'.'));
        }
    }
    None
}

const DASHES: &[u8] = b"-----";
const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
/// The longest name between the dashes.
const LONGEST_NAME: usize = 48;

/// From `-----BEGIN … PRIVATE KEY-----` to its end, or to that of the text.
pub(super) fn private_key(text: &[u8], from: usize) -> Option<Range<usize>> {
    let start = begin(text, from)?;
    Some(start..end(text, start).unwrap_or(text.len()))
}

fn begin(text: &[u8], from: usize) -> Option<usize> {
    let mut all = memmem::find_iter(text.get(from..)?, BEGIN);
    let is_key = |at: &usize| {
        let name = &text[from + at + BEGIN.len()..];
        let name = &name[..name.len().min(LONGEST_NAME)];
        let name = memmem::find(name, DASHES).map(|end| &name[..end]);
        name.is_some_and(|name| memmem::find(name, b"PRIVATE KEY").is_some())
    };
    all.find(is_key).map(|at| from + at)
}

fn end(text: &[u8], from: usize) -> Option<usize> {
    let end = from + memmem::find(text.get(from..)?, END)? + END.len();
    let rest = &text[end..];
    let rest = &rest[..rest.len().min(LONGEST_NAME)];
    // Without its dashes it is cut off, and so is what follows.
    Some(memmem::find(rest, DASHES).map_or(text.len(), |at| end + at + DASHES.len()))
}

/// Whether a private key begins in a text and does not end in it: the rest may be in the next one.
pub(crate) fn begins_private_key(text: &[u8]) -> bool {
    let mut from = 0;
    while let Some(start) = begin(text, from) {
        match end(text, start) {
            Some(end) => from = end,
            None => return true,
        }
    }
    false
}

/// Where the key ends that began in an earlier text.
pub(crate) fn ends_private_key(text: &[u8]) -> Option<usize> {
    end(text, 0)
}

/// Whether a text may be part of a key that began in an earlier one: a line of base64 or a header.
pub(crate) fn continues_private_key(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let is_part = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || byte.is_ascii_whitespace()
            || matches!(byte, b'+' | b'/' | b'=')
    };
    let is_header = [&b"Proc-Type:"[..], b"DEK-Info:"]
        .iter()
        .any(|head| text.starts_with(head));
    is_header || ends_private_key(text).is_some() || text.iter().all(is_part)
}
