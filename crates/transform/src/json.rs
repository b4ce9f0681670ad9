//! The tokens of JSON text that is known to be valid, and those of text that may be.
//!
//! Invariants: total, and linear in the text; it takes no memory.

use std::ops::Range;

/// A token that holds what a function wrote.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// What is between the quotes, and whether it is a member's name.
    String(Range<usize>, bool),
    /// A number.
    Number(Range<usize>),
}

/// The strings and numbers of valid JSON, in order.
pub(crate) fn tokens(json: &[u8]) -> impl Iterator<Item = Token> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            match json.get(at)? {
                b'"' => {
                    let content = at + 1..string_end(json, at + 1)?;
                    at = content.end + 1;
                    let is_key = json.get(space(json, at)) == Some(&b':');
                    return Some(Token::String(content, is_key));
                }
                b'-' | b'0'..=b'9' => {
                    let start = at;
                    at = number_end(json, at);
                    return Some(Token::Number(start..at));
                }
                _ => at += 1,
            }
        }
    })
}

/// Where the quote is that ends a string, from after its opening quote.
pub(crate) fn string_end(json: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr::memchr2(b'"', b'\\', json.get(at..)?)?;
        if json[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// The end of a number that begins here; at least one byte is passed over.
pub(crate) fn number_end(json: &[u8], start: usize) -> usize {
    let is_part =
        |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    let rest = json.get(start + 1..).unwrap_or_default();
    start + 1 + rest.iter().take_while(|byte| is_part(byte)).count()
}

/// Where white space ends.
pub(crate) fn space(json: &[u8], from: usize) -> usize {
    let rest = json.get(from..).unwrap_or_default();
    let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    from + rest.iter().take_while(is_space).count()
}

/// Where the object or array begins that a text holds: at its start, or after white space, as in the lines that
/// Lambda's runtimes write. It may turn out to be none.
pub(crate) fn embedded(text: &[u8]) -> Option<usize> {
    let start = space(text, 0);
    // A string may hold it as well.
    if text.get(start).is_some_and(|byte| b"{[\"".contains(byte)) {
        return Some(start);
    }
    // A bracket before it is part of a prefix: `[INFO]`.
    let all = memchr::memchr_iter(b'{', text);
    let mut all = all.filter(|at| *at > 0 && matches!(text[at - 1], b' ' | b'\t'));
    all.next()
}
