//! JSON values as text: read where they stand, in one pass, without a tree and with no copy of what has no escapes.
//!
//! Invariant: the text of a [`Json`] is valid JSON. Where it is not, what is read of it is wrong, and nothing panics
//! or goes on for good.

use std::borrow::Cow;

use memchr::{memchr, memchr2};
use serde_json::value::RawValue;

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

    /// Its text.
    pub fn get(self) -> &'a str {
        self.text
    }

    /// Whether it is an object.
    pub fn is_object(self) -> bool {
        self.text.starts_with('{')
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
            at: if self.text.starts_with('[') {
                1
            } else {
                self.text.len()
            },
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
        let (end, has_escapes) = string_end(bytes, start);
        let raw = self.text.get(start + 1..end.checked_sub(1)?)?;
        self.at = space(bytes, space(bytes, end) + 1);
        let mut name = Cow::Borrowed(raw);
        if has_escapes {
            // A name that is not the text of any string is taken as it stands.
            name = unescaped(raw).unwrap_or(name);
        }
        Some((name, Json::valid(self.text.get(self.at..)?)))
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

impl<'a> Iterator for Items<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        let start = space(bytes, self.at);
        let (end, is_plain) = value_end(bytes, start);
        if start == end {
            return None;
        }
        self.at = after_comma(bytes, end);
        let text = self.text.get(start..end)?;
        Some(Json { text, is_plain })
    }
}

#[inline]
fn space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(at) {
        at += 1;
    }
    at
}

/// Past the comma after a value; the end where there is none.
#[inline]
fn after_comma(bytes: &[u8], at: usize) -> usize {
    let at = space(bytes, at);
    match bytes.get(at) {
        Some(b',') => at + 1,
        _ => bytes.len(),
    }
}

/// Words of bytes that are looked at before anything is called that is fast at a distance.
const NEAR: usize = 8;

/// The places of a byte in a word, as the highest bit of each; those after the first may be wrong.
#[inline]
fn places(word: u64, byte: u8) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let apart = word ^ (ONES * u64::from(byte));
    apart.wrapping_sub(ONES) & !apart & (ONES << 7)
}

/// Where the first byte is that `places` finds in a word and `is_it` finds alone; a search further on is `far`'s.
#[inline]
fn first(
    bytes: &[u8],
    places: impl Fn(u64) -> u64,
    is_it: impl Fn(u8) -> bool,
    far: impl Fn(&[u8]) -> Option<usize>,
) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().take(NEAR).enumerate() {
        let found = places(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(8 * index + found.trailing_zeros() as usize / 8);
        }
    }
    if words.len() > NEAR {
        return far(bytes.get(8 * NEAR..)?).map(|at| at + 8 * NEAR);
    }
    let at = rest.iter().position(|byte| is_it(*byte))?;
    Some(8 * words.len() + at)
}

/// Where the next quote or backslash is.
#[inline]
fn end_of_run(bytes: &[u8]) -> Option<usize> {
    first(
        bytes,
        |word| places(word, b'"') | places(word, b'\\'),
        |byte| byte == b'"' || byte == b'\\',
        |rest| memchr2(b'"', b'\\', rest),
    )
}

/// Where the next backslash is.
#[inline]
fn backslash(bytes: &[u8]) -> Option<usize> {
    first(
        bytes,
        |word| places(word, b'\\'),
        |byte| byte == b'\\',
        |rest| memchr(b'\\', rest),
    )
}

/// Past the quote that closes a string, and whether it has escapes.
#[inline]
fn string_end(bytes: &[u8], open: usize) -> (usize, bool) {
    let mut at = open + 1;
    let mut has_escapes = false;
    while let Some(rest) = bytes.get(at..) {
        match end_of_run(rest) {
            Some(offset) if rest.get(offset) == Some(&b'"') => {
                return (at + offset + 1, has_escapes);
            }
            Some(offset) => {
                has_escapes = true;
                at += offset + 2;
            }
            None => break,
        }
    }
    (bytes.len(), true)
}

/// Past a value, which begins here, and whether it is a string without escapes.
#[inline]
fn value_end(bytes: &[u8], mut at: usize) -> (usize, bool) {
    match bytes.get(at) {
        Some(b'"') => {
            let (end, has_escapes) = string_end(bytes, at);
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

/// Past an array or an object.
fn nested_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at).0;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// The text of a string, by what stands between its quotes; `None` where that is not the text of any.
fn unescaped(inner: &str) -> Option<Cow<'_, str>> {
    let Some(first) = memchr(b'\\', inner.as_bytes()) else {
        return Some(Cow::Borrowed(inner));
    };
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    let mut next = first;
    loop {
        text.push_str(rest.get(..next)?);
        rest = rest.get(next + 1..)?;
        let (char, length) = escape(rest)?;
        text.push(char);
        rest = rest.get(length..)?;
        match backslash(rest.as_bytes()) {
            Some(at) => next = at,
            None => break,
        }
    }
    text.push_str(rest);
    Some(Cow::Owned(text))
}

/// The character of an escape, by what follows its backslash, and how much of that is of it.
#[inline]
fn escape(rest: &str) -> Option<(char, usize)> {
    let char = match rest.as_bytes().first()? {
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'u' => return unit_escape(rest),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        byte @ (b'"' | b'\\' | b'/') => char::from(*byte),
        _ => return None,
    };
    Some((char, 1))
}

/// `u00e4`, or the two halves of a character beyond the basic plane.
fn unit_escape(rest: &str) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = rest.get(at..at + 4)?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u32::from_str_radix(digits, 16).ok().filter(|_| is_number)
    };
    let high = unit(1)?;
    if let Some(char) = char::from_u32(high) {
        return Some((char, 5));
    }
    if rest.get(5..7)? != "\\u" || high >= 0xdc00 {
        return None;
    }
    let low = unit(7).filter(|low| (0xdc00..0xe000).contains(low))?;
    let char = char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))?;
    Some((char, 11))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// The same value, by this module's reading.
    fn tree(json: Json<'_>) -> Value {
        if let Some(text) = json.string() {
            return Value::String(text.into_owned());
        }
        match json.get().as_bytes().first() {
            Some(b'{') => {
                let members = json.members();
                Value::Object(
                    members
                        .map(|(name, it)| (name.into_owned(), tree(it)))
                        .collect(),
                )
            }
            Some(b'[') => json.items().map(tree).collect(),
            _ => serde_json::from_str(json.get()).expect("it is a value"),
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            "[ -~]{0,20}",
            any::<String>(),
            "[\\x00-\\x1f\\\\\"{}\\[\\],:]{0,20}"
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            // Of these serde reads every digit.
            any::<i32>().prop_map(|it| Value::from(f64::from(it) / 8.0)),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(text.clone(), inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_value_is_read_as_serde_reads_it(value in value()) {
            for text in [value.to_string(), format!("{value:#}")] {
                prop_assert_eq!(tree(Json::of(&text).expect("it is a value")), value.clone());
            }
        }

        #[test]
        fn a_string_is_read_as_serde_reads_it(inner in "([ -~]|\\\\[\"\\\\/bfnrtu]|\\\\u[0-9a-fA-F]{4}|\\\\ud8[0-9]{2}\\\\udc[0-9]{2}){0,12}") {
            let text = format!("\"{inner}\"");
            if let Some(json) = Json::of(&text) {
                let expected: Option<String> = serde_json::from_str(&text).ok();
                prop_assert_eq!(json.string().map(Cow::into_owned), expected);
            }
        }

        /// What is not valid comes to an end, and nothing panics.
        #[test]
        fn anything_ends(text in prop_oneof![any::<String>(), "[{}\\[\\]\",:\\\\u0-9a-f tn-]{0,40}"]) {
            let json = Json::valid(&text);
            prop_assert!(json.members().count() + json.items().count() <= 2 * text.len());
            prop_assert!(json.string().is_none_or(|it| it.len() <= text.len()));
            prop_assert!(json.number().is_none_or(f64::is_finite));
        }
    }
}
