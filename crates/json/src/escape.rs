//! Escapes in JSON strings: what each stands for, and strings without them.
//!
//! Invariant: total. What a backslash begins that JSON does not know is no escape.

use std::borrow::Cow;

use memchr::memchr;

use super::scan::backslash;

/// The bytes of `\uXXXX`.
pub const UNIT: usize = 6;

/// What a backslash begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// Nothing that JSON knows.
    None,
    /// A character, and the number of bytes that it is written in.
    Char(char, usize),
    /// Half of a surrogate pair, in [`UNIT`] bytes: no character.
    LoneSurrogate,
}

/// What begins here, with a backslash.
#[inline]
pub fn escape(bytes: &[u8]) -> Escape {
    let char = match bytes.get(1) {
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'u') => return of_unit(bytes),
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(byte @ (b'"' | b'\\' | b'/')) => char::from(*byte),
        Some(_) | None => return Escape::None,
    };
    Escape::Char(char, 2)
}

/// `\u00e4`, or the two halves of a character beyond the basic plane.
fn of_unit(bytes: &[u8]) -> Escape {
    let Some(first) = unit(bytes) else {
        return Escape::None;
    };
    if let Some(char) = char::from_u32(first.into()) {
        return Escape::Char(char, UNIT);
    }
    let second = bytes.get(UNIT..).and_then(unit);
    let (0xd800..0xdc00, Some(second @ 0xdc00..0xe000)) = (first, second) else {
        return Escape::LoneSurrogate;
    };
    let (high, low) = (u32::from(first) - 0xd800, u32::from(second) - 0xdc00);
    match char::from_u32(0x1_0000 + (high << 10 | low)) {
        Some(char) => Escape::Char(char, 2 * UNIT),
        None => Escape::LoneSurrogate,
    }
}

/// The UTF-16 unit that `\uXXXX` at the start says.
pub fn unit(bytes: &[u8]) -> Option<u16> {
    let [b'\\', b'u', digits @ ..] = bytes.first_chunk::<UNIT>()? else {
        return None;
    };
    digits.iter().try_fold(0, |unit, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}

/// Makes each lone surrogate of JSON text the escape of U+FFFD, which is as long.
pub fn repair_surrogates(json: &mut [u8]) {
    let mut at = 0;
    // A backslash is only ever inside a string.
    while let Some(offset) = json.get(at..).and_then(|rest| memchr(b'\\', rest)) {
        at += offset;
        let Some(rest) = json.get_mut(at..) else {
            return;
        };
        at += match escape(rest) {
            Escape::Char(_, length) => length,
            Escape::LoneSurrogate => {
                let places = rest.iter_mut().zip(b"\\ufffd");
                places.for_each(|(place, byte)| *place = *byte);
                UNIT
            }
            // The next character belongs to it: it may be a backslash.
            Escape::None => 2,
        };
    }
}

/// The text of a string, by what stands between its quotes; `None` where that is not the text of any.
pub(crate) fn unescaped(inner: &str) -> Option<Cow<'_, str>> {
    let Some(first) = memchr(b'\\', inner.as_bytes()) else {
        return Some(Cow::Borrowed(inner));
    };
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    let mut next = first;
    loop {
        text.push_str(rest.get(..next)?);
        rest = rest.get(next..)?;
        let Escape::Char(char, length) = escape(rest.as_bytes()) else {
            return None;
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_characters_are_replaced_and_nothing_else() {
        for (text, expected) in [
            (r#""a\ud83d""#, r#""a\ufffd""#),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\ude00\ud83d""#, r#""\ufffd\ufffd""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\\ud83d""#, r#""\\ud83d""#),
            (r#""\\\uD83D\n""#, r#""\\\ufffd\n""#),
            (r#""\u00e9\uzzzz\u12""#, r#""\u00e9\uzzzz\u12""#),
            ("\"\\é\\", "\"\\é\\"),
        ] {
            let mut repaired = text.as_bytes().to_vec();
            repair_surrogates(&mut repaired);
            assert_eq!(repaired, expected.as_bytes(), "{text}");
        }
    }
}
