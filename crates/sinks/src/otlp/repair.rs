//! JSON of which a text was cut in the middle of a character: as JavaScript writes it, with one half of a pair of
//! surrogates, or with bytes that are not UTF-8.
//!
//! Invariant: what is valid stays as it is.

/// The escape of the character for what cannot be read.
const REPLACEMENT: &str = r"\ufffd";

/// The same text without halves of characters.
pub(super) fn repaired(body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(body);
    let mut repaired = String::with_capacity(text.len());
    let mut rest: &str = &text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        repaired.push_str(before);
        let length = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                repaired.push_str(REPLACEMENT);
                rest = &escape[6..];
                continue;
            }
            // The next character belongs to it: it may be a backslash.
            _ => 1 + escape.chars().nth(1).map_or(0, char::len_utf8),
        };
        let (escape, after) = escape.split_at(length);
        repaired.push_str(escape);
        rest = after;
    }
    repaired.push_str(rest);
    repaired.into_bytes()
}

/// The unit of UTF-16 that a text begins with, escaped.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix(r"\u")?.get(..4)?;
    let is_hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16)
        .ok()
        .filter(|_| is_hexadecimal)
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
            assert_eq!(repaired(text.as_bytes()), expected.as_bytes(), "{text}");
        }
        assert_eq!(repaired(b"\"\xff\""), "\"\u{fffd}\"".as_bytes());
    }
}
