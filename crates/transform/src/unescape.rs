//! What a JSON string says at each level of escaping, and where that is in the string as it is written.
//!
//! A string may hold JSON, whose strings may hold JSON again: `\\\"` is a quote at the second level. A
//! pattern has to be looked for at each, as `\u0040` is a character of some level only.
//!
//! Invariant: a place that maps back lies between two whole escapes of every level below, so that text
//! without quotes, backslashes and control characters can take the place of any range.

use std::borrow::Cow;
use std::ops::Range;

use backstop_json::{Escape, UNIT, escape};

/// Levels looked at. Each doubles the backslashes of the one above.
pub(crate) const MOST_LEVELS: usize = 8;

/// A text, and where its parts are in the text of the level below.
#[derive(Debug)]
pub(crate) struct Level<'a> {
    pub(crate) text: Cow<'a, [u8]>,
    /// Places here and below; from each the bytes are the same up to the next. Empty where all are.
    marks: Vec<(usize, usize)>,
}

impl<'a> Level<'a> {
    /// What stands between the quotes of a string, less one level of escapes. What is no escape stays.
    pub(crate) fn of(below: &'a [u8]) -> Self {
        let Some(first) = memchr::memchr(b'\\', below) else {
            return Self {
                text: Cow::Borrowed(below),
                marks: Vec::new(),
            };
        };
        let mut text = Vec::with_capacity(below.len());
        text.extend_from_slice(&below[..first]);
        let mut marks = vec![(0, 0)];
        let mut at = first;
        while at < below.len() {
            let (length, char) = escaped(&below[at..]);
            match char {
                Some(char) => {
                    marks.push((text.len(), at));
                    let mut space = [0; 4];
                    text.extend_from_slice(char.encode_utf8(&mut space).as_bytes());
                    marks.push((text.len(), at + length));
                }
                None => text.extend_from_slice(&below[at..at + length]),
            }
            at += length;
            let rest = &below[at..];
            let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
            text.extend_from_slice(&rest[..plain]);
            at += plain;
        }
        Self {
            text: Cow::Owned(text),
            marks,
        }
    }

    /// Whether this level differs from the one below.
    pub(crate) fn is_different(&self) -> bool {
        self.marks.len() > 1
    }

    /// The range of the level below that a range of this one was made of.
    pub(crate) fn below(&self, range: &Range<usize>) -> Range<usize> {
        self.place(range.start)..self.place(range.end)
    }

    fn place(&self, at: usize) -> usize {
        let next = self.marks.partition_point(|(here, _)| *here <= at);
        match next.checked_sub(1).and_then(|index| self.marks.get(index)) {
            Some((here, below)) => below + (at - here),
            None => at,
        }
    }
}

/// The bytes of what begins with a backslash, and the character that it stands for.
fn escaped(bytes: &[u8]) -> (usize, Option<char>) {
    match escape(bytes) {
        Escape::Char(char, length) => (length, Some(char)),
        Escape::LoneSurrogate => (UNIT, Some(char::REPLACEMENT_CHARACTER)),
        Escape::None => (1, None),
    }
}

/// Gets the text of a level, and what maps a range of it to the string as written.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(&[u8], &dyn Fn(Range<usize>) -> Range<usize>);

/// Calls for the text of a string at each level, with what maps a range of it to the string as written.
pub(crate) fn each_level(content: &[u8], visit: Visit<'_>) {
    let mut levels: Vec<Level<'_>> = Vec::new();
    let first = Level::of(content);
    visit(&first.text, &|range| first.below(&range));
    if !first.is_different() {
        return;
    }
    levels.push(first);
    while levels.len() < MOST_LEVELS {
        let Some(last) = levels.last() else { return };
        let next = Level::of(&last.text);
        if !next.is_different() {
            return;
        }
        // The text below is not needed any more, but its marks are.
        let next = Level {
            text: Cow::Owned(next.text.into_owned()),
            marks: next.marks,
        };
        let below = |range: Range<usize>| {
            let range = next.below(&range);
            levels
                .iter()
                .rev()
                .fold(range, |range, level| level.below(&range))
        };
        visit(&next.text, &below);
        levels.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(content: &str) -> Vec<String> {
        let mut all = Vec::new();
        each_level(content.as_bytes(), &mut |text, below| {
            // Each character comes from a range of its own, and all together from the whole.
            let text = std::str::from_utf8(text).expect("it is text");
            let mut end = 0;
            for (at, char) in text.char_indices() {
                let range = below(at..at + char.len_utf8());
                assert_eq!(range.start, end, "{text} at {at}");
                end = range.end;
            }
            assert_eq!(end, content.len());
            all.push(text.to_owned());
        });
        all
    }

    #[test]
    fn each_level_of_escapes_is_taken_off_and_maps_back() {
        assert_eq!(levels("plain"), ["plain"]);
        assert_eq!(levels(r"a\u0040b"), ["a@b"]);
        assert_eq!(levels(r"a\\u0040\n"), ["a\\u0040\n", "a@\n"]);
        assert_eq!(
            levels(r#"{\"a\":\"{\\\"b\\\":\\\"\\\\u0041\\\"}\"}"#),
            [
                r#"{"a":"{\"b\":\"\\u0041\"}"}"#,
                r#"{"a":"{"b":"\u0041"}"}"#,
                r#"{"a":"{"b":"A"}"}"#,
            ]
        );
        assert_eq!(
            levels(r"\ud83d\ude00\ud83d \x \u12"),
            ["😀\u{fffd} \\x \\u12"]
        );
        let deep = format!("{}u0041", "\\".repeat(1 << 10));
        assert_eq!(levels(&deep).len(), MOST_LEVELS);
    }
}
