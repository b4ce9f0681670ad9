//! The tokens of JSON text that is known to be valid.
//!
//! Invariants: total, and linear in the text; it takes no memory.

use std::ops::Range;

use super::scan::{number_end, space, string_end};

/// A token that holds a text or a number.
#[derive(Debug, PartialEq, Eq)]
pub enum Token {
    /// What is between the quotes, and whether it is a member's name.
    String(Range<usize>, bool),
    Number(Range<usize>),
}

/// The strings and numbers of valid JSON, in order.
pub fn tokens(json: &[u8]) -> impl Iterator<Item = Token> {
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
