//! JSON values as text: read where they stand, in one pass, without a tree and with no copy of what has no escapes.
//!
//! Invariant: the text of a [`Json`] is valid JSON. Where it is not, what is read of it is wrong, and nothing panics
//! or goes on for good.

use std::borrow::Cow;

use memchr::memchr;
use serde_json::Value;
use serde_json::value::RawValue;

use super::escape::unescaped;
use super::scan::{after_comma, past_string, space, value_end};

mod tree;

/// The text of a value, without space around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<'a> {
    text: &'a str,
    /// It was seen to be a string without escapes.
    is_plain: bool,
}

impl<'a> Json<'a> {
    /// The value that this text is; `None` where it is not one.
    pub fn of(text: &'a str) -> Option<Self> {
        let value: &RawValue = serde_json::from_str(text).ok()?;
        Some(Self::valid(value.get()))
    }

    /// The value that this text is, which was read before: by the decoder, or by a parser.
    pub fn valid(text: &'a str) -> Self {
        Self {
            text,
            is_plain: false,
        }
    }

    pub fn get(self) -> &'a str {
        self.text
    }

    /// Whether it is an object.
    pub fn is_object(self) -> bool {
        self.text.starts_with('{')
    }

    /// Whether it is an array.
    pub fn is_array(self) -> bool {
        self.text.starts_with('[')
    }

    /// The text that it is, where it is a string.
    pub fn string(self) -> Option<Cow<'a, str>> {
        let inner = self.inner()?;
        if self.is_plain {
            return Some(Cow::Borrowed(inner));
        }
        unescaped(inner)
    }

    /// The text that it is, where it is a string without escapes.
    #[inline]
    pub fn plain(self) -> Option<&'a str> {
        let inner = self.inner()?;
        let is_plain = self.is_plain || memchr(b'\\', inner.as_bytes()).is_none();
        is_plain.then_some(inner)
    }

    /// What stands between the quotes of a string.
    #[inline]
    pub fn inner(self) -> Option<&'a str> {
        self.text.strip_prefix('"')?.strip_suffix('"')
    }

    /// The number that it is.
    pub fn number(self) -> Option<f64> {
        let number: f64 = self.text.parse().ok()?;
        let is_number = !self.text.starts_with(|char: char| char.is_alphabetic());
        (is_number && number.is_finite()).then_some(number)
    }

    /// Whether it is a number that has neither a fraction nor an exponent, however long it is.
    pub fn is_integer(self) -> bool {
        let digits = self.text.strip_prefix('-').unwrap_or(self.text);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// Whether what begins here is an array or an object.
    #[inline]
    pub fn is_nested(self) -> bool {
        self.text.starts_with(['{', '['])
    }

    /// The value as a tree. What a tree has no form for is its text: a whole number beyond 64 bits, of which a double
    /// would keep the first digits only, and what is nested deeper than `serde_json` reads it.
    pub fn tree(self) -> Value {
        tree::of(self)
    }

    /// The members of an object, in their order.
    pub fn members(self) -> Members<'a> {
        Members {
            text: self.text,
            at: if self.is_object() { 1 } else { self.text.len() },
        }
    }

    /// The first member of this name.
    pub fn member(self, name: &str) -> Option<Self> {
        self.members()
            .find(|(known, _)| known == name)
            .map(|it| it.1)
    }

    /// The members that stand in a text without the braces around them.
    pub fn members_in(text: &'a str) -> Members<'a> {
        Members { text, at: 0 }
    }

    /// The values of an array.
    pub fn items(self) -> Items<'a> {
        Items {
            text: self.text,
            at: if self.is_array() { 1 } else { self.text.len() },
        }
    }
}

/// See [`Json::members`].
#[derive(Debug)]
pub struct Members<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Members<'a> {
    /// The next member, of which the value's text goes on to the end of the whole text: one that is read to its own end
    /// need not be passed over first. [`Members::pass`] comes before the next one.
    #[inline]
    pub fn open(&mut self) -> Option<(Cow<'a, str>, Json<'a>)> {
        let bytes = self.text.as_bytes();
        let start = space(bytes, self.at);
        if bytes.get(start) != Some(&b'"') {
            return None;
        }
        let (end, has_escapes) = past_string(bytes, start);
        let raw = self.text.get(start + 1..end.checked_sub(1)?)?;
        self.at = space(bytes, space(bytes, end) + 1);
        let mut name = Cow::Borrowed(raw);
        if has_escapes {
            // A name that is not the text of any string is taken as it stands.
            name = unescaped(raw).unwrap_or(name);
        }
        Some((name, Json::valid(self.text.get(self.at..)?)))
    }

    /// The value of the member that [`Members::open`] gave was read elsewhere, and took this many bytes.
    #[inline]
    pub fn passed(&mut self, length: usize) {
        self.at = after_comma(self.text.as_bytes(), self.at + length);
    }

    /// How much of the whole text the object is, once all its members were read.
    pub fn length(&self) -> usize {
        past_bracket(self.text, self.at)
    }

    /// Passes over the value of the member that [`Members::open`] gave.
    #[inline]
    pub fn pass(&mut self) -> Option<Json<'a>> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let (end, is_plain) = value_end(bytes, start);
        self.at = after_comma(bytes, end);
        let text = self.text.get(start..end)?;
        Some(Json { text, is_plain })
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, Json<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (name, _) = self.open()?;
        Some((name, self.pass()?))
    }
}

/// See [`Json::items`].
#[derive(Debug)]
pub struct Items<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Items<'a> {
    /// The next value, of which the text goes on to the end of the whole text. [`Items::pass`] or [`Items::passed`]
    /// comes before the next one.
    #[inline]
    pub fn open(&mut self) -> Option<Json<'a>> {
        let bytes = self.text.as_bytes();
        self.at = space(bytes, self.at);
        // Where no value begins one ends, at once.
        let is_end = matches!(bytes.get(self.at), None | Some(b']' | b'}' | b','));
        let rest = self.text.get(self.at..).filter(|_| !is_end)?;
        Some(Json::valid(rest))
    }

    /// The same as [`Members::passed`].
    #[inline]
    pub fn passed(&mut self, length: usize) {
        self.at = after_comma(self.text.as_bytes(), self.at + length);
    }

    /// The same as [`Members::length`].
    pub fn length(&self) -> usize {
        past_bracket(self.text, self.at)
    }

    /// Passes over the value that [`Items::open`] gave.
    #[inline]
    pub fn pass(&mut self) -> Option<Json<'a>> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let (end, is_plain) = value_end(bytes, start);
        self.at = after_comma(bytes, end);
        let text = self.text.get(start..end)?;
        Some(Json { text, is_plain })
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.open()?;
        self.pass()
    }
}

/// Past the bracket that closes what was read up to here.
fn past_bracket(text: &str, at: usize) -> usize {
    (space(text.as_bytes(), at) + 1).min(text.len())
}

#[cfg(test)]
mod tests;
