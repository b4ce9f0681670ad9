//! JSON as it is written: texts with their escapes, and whole numbers, without the machinery of formatting.

use std::ops::Deref;

use super::lanes::plain;

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
    out.push(b'"');
    let mut rest = value.as_bytes();
    loop {
        let (run, special) = rest.split_at(plain(rest));
        out.extend_from_slice(run);
        let Some((byte, after)) = special.split_first() else {
            break;
        };
        match ESCAPES[usize::from(*byte)] {
            b'u' => {
                let [high, low] = [byte >> 4, byte & 0x0f].map(hexadecimal);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
            letter => out.extend_from_slice(&[b'\\', letter]),
        }
        rest = after;
    }
    out.push(b'"');
}

/// Appends a text as JSON to a text.
pub fn push_string(out: &mut String, value: &str) {
    if plain(value.as_bytes()) == value.len() {
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

/// What follows the backslash in the escape of each byte that is not [`plain`].
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

pub(crate) fn hexadecimal(digit: u8) -> u8 {
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
