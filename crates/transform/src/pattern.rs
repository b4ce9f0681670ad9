//! A pattern of the user's: a regular expression, and text that every match has.
//!
//! The engine is small and takes some 35 ns a byte. Most records have no match, and nearly as many lack
//! the text, which is found at a hundred times that speed.
//!
//! Invariant: the engine decides; the text only says where it need not be asked.

use std::ops::Range;

use memchr::memmem::Finder;
use regex_lite::{Regex, RegexBuilder};

/// The most a compiled pattern may take. A pattern of the greatest length takes a third; a counted
/// repetition may take more.
const MOST_BYTES: usize = 32 * 1024;
/// The deepest nesting of groups.
const MOST_NESTED: u32 = 16;
/// Shorter text is in too many records to be worth the search.
const LEAST_TEXT: usize = 2;

#[derive(Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    text: Option<Finder<'static>>,
}

impl Pattern {
    /// Compiles a pattern. The error continues the sentence that a variable's name begins.
    pub(crate) fn new(pattern: &str) -> Result<Self, &'static str> {
        let build = |bytes| {
            let mut builder = RegexBuilder::new(pattern);
            builder.size_limit(bytes).nest_limit(MOST_NESTED).build()
        };
        let regex = build(MOST_BYTES).map_err(|_| {
            // Whether it is only too large: the engine's own words are not passed on.
            if build(64 * MOST_BYTES).is_ok() {
                "has a pattern that is too large when it is compiled: use smaller repetitions"
            } else {
                "has a pattern that is not a valid regular expression: Backstop takes Rust's syntax, \
                 with neither backreferences nor Unicode classes"
            }
        })?;
        let text = text_of_every_match(pattern);
        let text = text.map(|text| Finder::new(&text).into_owned());
        Ok(Self { regex, text })
    }

    /// The same where each match must take something out.
    pub(crate) fn consuming(pattern: &str) -> Result<Self, &'static str> {
        let pattern = Self::new(pattern)?;
        if pattern.regex.is_match("") {
            return Err("has a pattern that matches an empty text: use + instead of *");
        }
        Ok(pattern)
    }

    /// Calls for each match that is not empty.
    pub(crate) fn each(&self, text: &[u8], mut call: impl FnMut(Range<usize>)) {
        if !self.may_match(text) {
            return;
        }
        let mut start = 0;
        for chunk in text.utf8_chunks() {
            for found in self.regex.find_iter(chunk.valid()) {
                if !found.is_empty() {
                    call(start + found.start()..start + found.end());
                }
            }
            start += chunk.valid().len() + chunk.invalid().len();
        }
    }

    /// Whether there is a match.
    pub(crate) fn is_in(&self, text: &[u8]) -> bool {
        // Which has no chunk.
        if text.is_empty() {
            return self.regex.is_match("");
        }
        let mut chunks = text.utf8_chunks();
        self.may_match(text) && chunks.any(|chunk| self.regex.is_match(chunk.valid()))
    }

    fn may_match(&self, text: &[u8]) -> bool {
        let needed = self.text.as_ref();
        needed.is_none_or(|needed| needed.find(text).is_some())
    }
}

/// The longest text that every match of a pattern has, as far as that can be read without a parser: outside
/// of groups and classes, with nothing optional.
fn text_of_every_match(pattern: &str) -> Option<Vec<u8>> {
    // Flags change what everything means.
    if pattern.contains("(?") {
        return None;
    }
    let (mut longest, mut run) = (String::new(), String::new());
    let end = |run: &mut String, longest: &mut String| {
        let run = std::mem::take(run);
        if run.len() > longest.len() {
            *longest = run;
        }
    };
    let (mut groups, mut is_class) = (0_u32, false);
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        if is_class {
            match char {
                '\\' => drop(chars.next()),
                // A class within a class, or one of a name: too odd to be read so.
                '[' => return None,
                ']' => is_class = false,
                _ => {}
            }
            continue;
        }
        match char {
            '|' if groups == 0 => return None,
            '?' | '*' | '{' => {
                // The last character may be missing.
                run.pop();
                end(&mut run, &mut longest);
                if char == '{' {
                    chars.find(|char| *char == '}')?;
                }
            }
            '+' | '.' | '^' | '$' => end(&mut run, &mut longest),
            '[' => {
                end(&mut run, &mut longest);
                is_class = true;
                // A bracket that comes first is part of the class.
                let mut rest = chars.clone();
                let first = rest
                    .next()
                    .filter(|char| *char == '^')
                    .and_then(|_| rest.next());
                if chars.as_str().starts_with(']') || first == Some(']') {
                    return None;
                }
            }
            '(' => {
                end(&mut run, &mut longest);
                groups += 1;
            }
            ')' => {
                end(&mut run, &mut longest);
                groups = groups.checked_sub(1)?;
            }
            '\\' => match chars.next()? {
                escaped if escaped.is_ascii_punctuation() && groups == 0 => run.push(escaped),
                'x' | 'u' | 'U' => return None,
                _ => end(&mut run, &mut longest),
            },
            _ if groups == 0 => run.push(char),
            _ => {}
        }
    }
    end(&mut run, &mut longest);
    (longest.len() >= LEAST_TEXT).then(|| longest.into_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_that_every_match_has_is_found_where_it_is_plain() {
        for (pattern, expected) in [
            (r"ORD-\d+-X", Some("ORD-")),
            (r"password[=:] *[^ ]+", Some("password")),
            (r"ab?cde", Some("cde")),
            (r"abc+d", Some("abc")),
            (r"(abc|def)ghi", Some("ghi")),
            (r"^user\.name$", Some("user.name")),
            (r"x{2,3}yz\b", Some("yz")),
            (r"abc|def", None),
            (r"(?i)password", None),
            (r"[a-z]+@", None),
            (r"\x41bc", None),
            (r"[]a]bcd", None),
        ] {
            let found =
                text_of_every_match(pattern).map(|text| String::from_utf8(text).expect("text"));
            assert_eq!(found.as_deref(), expected, "{pattern}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_engine_and_the_text_never_disagree(
            pattern in r"([ab]|\\\.|\.|\[ab\]|\(a\)|\(b\|a\)|a\?|b\*|a\+|b\{0,2\}|\^|\||\\d){1,8}",
            texts in prop::collection::vec("[ab.1]{0,12}", 1..8),
        ) {
            if let Ok(with) = Pattern::new(&pattern) {
                for text in texts {
                    prop_assert_eq!(with.is_in(text.as_bytes()), with.regex.is_match(&text), "{} {}", pattern, text);
                }
            }
        }
    }
}
