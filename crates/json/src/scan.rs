//! Where the parts of JSON text end: strings, numbers, arrays and objects. It is not checked whether it is JSON.
//!
//! Invariant: total, and linear in what is passed over.

use memchr::{memchr, memchr2};

use super::lanes::{LANES, first_of};

/// Where white space ends.
#[inline]
pub fn space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(at) {
        at += 1;
    }
    at
}

/// Past the comma after a value; at what stands in its place where there is none.
#[inline]
pub(crate) fn after_comma(bytes: &[u8], at: usize) -> usize {
    let at = space(bytes, at);
    at + usize::from(bytes.get(at) == Some(&b','))
}

/// Lanes of bytes that are looked at before anything is called that is fast at a distance.
const NEAR: usize = 4;

/// Where the first byte is that `place` finds in a lane and `is_it` finds alone; a search further on is `far`'s.
#[inline]
fn first(
    bytes: &[u8],
    place: impl Fn([u8; LANES]) -> Option<usize>,
    is_it: impl Fn(u8) -> bool,
    far: impl Fn(&[u8]) -> Option<usize>,
) -> Option<usize> {
    let (chunks, rest) = bytes.as_chunks::<LANES>();
    for (index, chunk) in chunks.iter().take(NEAR).enumerate() {
        if let Some(at) = place(*chunk) {
            return Some(LANES * index + at);
        }
    }
    if chunks.len() > NEAR {
        return far(bytes.get(LANES * NEAR..)?).map(|at| at + LANES * NEAR);
    }
    let at = rest.iter().position(|byte| is_it(*byte))?;
    Some(LANES * chunks.len() + at)
}

/// Where the next quote or backslash is.
#[inline]
fn end_of_run(bytes: &[u8]) -> Option<usize> {
    first(
        bytes,
        |chunk| first_of(chunk, [b'"', b'\\']),
        |byte| byte == b'"' || byte == b'\\',
        |rest| memchr2(b'"', b'\\', rest),
    )
}

/// Where the next backslash is.
#[inline]
pub(crate) fn backslash(bytes: &[u8]) -> Option<usize> {
    first(
        bytes,
        |chunk| first_of(chunk, [b'\\', b'\\']),
        |byte| byte == b'\\',
        |rest| memchr(b'\\', rest),
    )
}

/// Where the quote is that ends a string, from after its opening quote, and whether the string has escapes.
#[inline]
fn closing_quote(bytes: &[u8], from: usize) -> Option<(usize, bool)> {
    let mut at = from;
    let mut has_escapes = false;
    loop {
        let rest = bytes.get(at..)?;
        let offset = end_of_run(rest)?;
        if rest.get(offset) == Some(&b'"') {
            return Some((at + offset, has_escapes));
        }
        has_escapes = true;
        at += offset + 2;
    }
}

/// Where the quote is that ends a string, from after its opening quote.
#[inline]
pub fn string_end(json: &[u8], from: usize) -> Option<usize> {
    Some(closing_quote(json, from)?.0)
}

/// Past the quote that closes a string, and whether it has escapes.
#[inline]
pub(crate) fn past_string(bytes: &[u8], open: usize) -> (usize, bool) {
    match closing_quote(bytes, open + 1) {
        Some((quote, has_escapes)) => (quote + 1, has_escapes),
        None => (bytes.len(), true),
    }
}

/// The end of a number that begins here; at least one byte is passed over.
pub fn number_end(json: &[u8], start: usize) -> usize {
    let is_part =
        |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    let rest = json.get(start + 1..).unwrap_or_default();
    start + 1 + rest.iter().take_while(|byte| is_part(byte)).count()
}

/// Past a value, which begins here, and whether it is a string without escapes.
#[inline]
pub(crate) fn value_end(bytes: &[u8], mut at: usize) -> (usize, bool) {
    match bytes.get(at) {
        Some(b'"') => {
            let (end, has_escapes) = past_string(bytes, at);
            (end, !has_escapes)
        }
        Some(b'{' | b'[') => (nested_end(bytes, at), false),
        _ => {
            let is_end =
                |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
            while bytes.get(at).is_some_and(|byte| !is_end(byte)) {
                at += 1;
            }
            (at, false)
        }
    }
}

/// What a byte is where an array or an object is passed over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Nothing that matters.
    Other,
    Quote,
    Open,
    Close,
}

const CLASSES: [Class; 256] = {
    let mut all = [Class::Other; 256];
    all[b'"' as usize] = Class::Quote;
    all[b'{' as usize] = Class::Open;
    all[b'[' as usize] = Class::Open;
    all[b'}' as usize] = Class::Close;
    all[b']' as usize] = Class::Close;
    all
};

/// Past an array or an object.
fn nested_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while let Some(byte) = bytes.get(at) {
        match CLASSES[usize::from(*byte)] {
            Class::Other => {}
            Class::Quote => {
                at = past_string(bytes, at).0;
                continue;
            }
            Class::Open => depth += 1,
            Class::Close => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
        }
        at += 1;
    }
    bytes.len()
}
