//! JSON as it is written: texts with their escapes, and whole numbers, without the machinery of formatting.

use std::ops::Deref;

/// The decimal digits of a number, without the machinery of formatting.
#[derive(Debug)]
pub struct Decimal {
    /// 2^64 has 20 digits.
    space: [u8; 20],
    first: usize,
}

impl Decimal {
    /// Of a number.
    pub fn of(value: u64) -> Self {
        Self::padded(value, 1)
    }

    /// The same, with zeros before it where it has fewer digits than `least`.
    pub fn padded(mut value: u64, least: usize) -> Self {
        let mut space = [b'0'; 20];
        let mut first = space.len();
        for digit in space.iter_mut().rev() {
            *digit = b'0' + (value % 10).to_le_bytes()[0];
            value /= 10;
            first -= 1;
            if value == 0 {
                break;
            }
        }
        first = first.min(space.len() - least.min(space.len()));
        Self { space, first }
    }
}

impl Deref for Decimal {
    type Target = str;

    fn deref(&self) -> &str {
        let digits = self.space.get(self.first..).unwrap_or_default();
        // Digits are text.
        std::str::from_utf8(digits).unwrap_or_default()
    }
}

/// Appends a text as JSON. Most have nothing to escape.
pub fn write_string(out: &mut Vec<u8>, value: &str) {
    /// What is looked at together.
    const PIECE: usize = 32;
    out.push(b'"');
    for piece in value.as_bytes().chunks(PIECE) {
        // Without an end before the last byte this is a few instructions.
        let is_escaped = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
        let has_escapes = piece
            .iter()
            .fold(false, |any, byte| any | is_escaped(*byte));
        if !has_escapes {
            out.extend_from_slice(piece);
            continue;
        }
        // Every byte may become six.
        let mut space = [0; 6 * PIECE];
        let mut end = 0;
        let mut put = |byte: u8| {
            if let Some(place) = space.get_mut(end) {
                *place = byte;
                end += 1;
            }
        };
        for byte in piece {
            match ESCAPES[usize::from(*byte)] {
                0 => put(*byte),
                b'u' => {
                    let digits = [byte >> 4, byte & 0x0f].map(hexadecimal);
                    b"\\u00".iter().chain(&digits).for_each(|byte| put(*byte));
                }
                letter => {
                    put(b'\\');
                    put(letter);
                }
            }
        }
        out.extend_from_slice(space.get(..end).unwrap_or_default());
    }
    out.push(b'"');
}

/// Appends a text as JSON to a text.
pub fn push_string(out: &mut String, value: &str) {
    let is_plain = |byte: u8| ESCAPES[usize::from(byte)] == 0;
    if value.bytes().all(is_plain) {
        out.push('"');
        out.push_str(value);
        out.push('"');
        return;
    }
    let mut written = Vec::with_capacity(value.len() + 2);
    write_string(&mut written, value);
    // Escapes are text.
    out.push_str(std::str::from_utf8(&written).unwrap_or_default());
}

/// What follows the backslash in the escape of each byte; 0 where it stands as it is.
const ESCAPES: [u8; 256] = {
    let mut all = [0; 256];
    let mut control = 0;
    while control < 0x20 {
        all[control] = b'u';
        control += 1;
    }
    all[0x08] = b'b';
    all[0x0c] = b'f';
    all[b'\n' as usize] = b'n';
    all[b'\r' as usize] = b'r';
    all[b'\t' as usize] = b't';
    all[b'"' as usize] = b'"';
    all[b'\\' as usize] = b'\\';
    all
};

fn hexadecimal(digit: u8) -> u8 {
    match digit {
        0..=9 => b'0' + digit,
        _ => b'a' + (digit - 10),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_text_is_written_as_serde_writes_it(text in prop_oneof![any::<String>(), "[\\x00-\\x7f]{0,80}"]) {
            let mut written = Vec::new();
            write_string(&mut written, &text);
            let expected = serde_json::to_string(&text).expect("it is a text");
            prop_assert_eq!(&written, expected.as_bytes());
            let mut pushed = String::new();
            push_string(&mut pushed, &text);
            prop_assert_eq!(pushed, expected);
        }

        #[test]
        fn a_number_has_the_digits_that_formatting_gives_it(value: u64, small in 0_u64..2_000) {
            for value in [value, small, 0, u64::MAX] {
                prop_assert_eq!(&*Decimal::of(value), value.to_string());
                prop_assert_eq!(&*Decimal::padded(value, 3), format!("{value:03}"));
            }
        }
    }
}
