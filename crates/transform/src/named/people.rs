//! What names a person: e-mail addresses, and the United States' social security numbers.

use std::ops::Range;

use super::{before, next_long_run, next_run};

pub(super) fn email(text: &[u8], from: usize) -> Option<Range<usize>> {
    let is_local =
        |byte: u8| byte.is_ascii_alphanumeric() || byte >= 0x80 || b"._%+-~".contains(&byte);
    let mut at = from;
    loop {
        let sign = at + memchr::memchr(b'@', text.get(at..)?)?;
        let local = text[at..sign].iter().rev();
        let start = sign - local.take_while(|byte| is_local(**byte)).count();
        let end = domain_end(text, sign + 1);
        if start < sign
            && let Some(end) = end
        {
            return Some(start..end);
        }
        at = sign + 1;
    }
}

/// Where the domain ends that begins here: labels, and a last one of letters.
fn domain_end(text: &[u8], start: usize) -> Option<usize> {
    let is_part =
        |byte: u8| byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'-' | b'.');
    let mut end = super::run(text, start, is_part);
    loop {
        let domain = &text[start..end];
        let (dot, _) = domain
            .iter()
            .enumerate()
            .rfind(|(_, byte)| **byte == b'.')?;
        let last = &domain[dot + 1..];
        let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte >= 0x80;
        let letters = last.iter().take_while(|byte| is_letter(byte)).count();
        let is_idn = last.starts_with(b"xn--");
        if dot > 0 && (letters >= 2 || is_idn) {
            let length = if is_idn { last.len() } else { letters };
            return Some(start + dot + 1 + length);
        }
        end = start + dot;
    }
}

pub(super) fn ssn(text: &[u8], from: usize) -> Option<Range<usize>> {
    const LENGTH: usize = 11;
    let is_part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b' ' | b'-');
    let mut from = from;
    while let Some(part) = next_long_run(text, from, LENGTH, is_part) {
        from = part.end;
        let mut at = part.start;
        while let Some(run) = next_run(&text[..part.end], at, |byte| byte.is_ascii_digit()) {
            at = run.end;
            let whole = run.start..run.start + LENGTH;
            let is_alone = !before(text, run.start)
                .is_some_and(|byte| byte.is_ascii_alphanumeric())
                && !text.get(whole.end).is_some_and(u8::is_ascii_alphanumeric);
            if run.len() == 3 && is_alone && text.get(whole.clone()).is_some_and(is_ssn) {
                return Some(whole);
            }
        }
    }
    None
}

/// As they are issued: no part is zeros, and the first is neither 666 nor 900 and above.
fn is_ssn(text: &[u8]) -> bool {
    let [_, _, _, first, _, _, second, ..] = text else {
        return false;
    };
    let mut parts = text.split(|byte| byte == first);
    let mut next = |length: usize| -> Option<&[u8]> {
        let is_digits = |part: &&[u8]| part.iter().all(u8::is_ascii_digit);
        let part = parts.next().filter(|part| part.len() == length)?;
        Some(part).filter(is_digits)
    };
    let (Some(area), Some(group), Some(serial)) = (next(3), next(2), next(4)) else {
        return false;
    };
    let has_value = |part: &[u8]| part.iter().any(|digit| *digit != b'0');
    first == second
        && matches!(first, b'-' | b' ')
        && [area, group, serial].into_iter().all(has_value)
        && area != b"666"
        && !area.starts_with(b"9")
}
