//! IBANs: a country, its length, and the checksum.

use std::ops::Range;

use super::{before, is_word, next_long_run};

/// Countries and the lengths of their numbers, by the registry of ISO 13616.
const COUNTRIES: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
];

/// The shortest of them.
const LEAST: usize = 15;

pub(super) fn find(text: &[u8], from: usize) -> Option<Range<usize>> {
    let is_part = |byte: u8| {
        byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b' ' | b'-')
    };
    let mut from = from;
    while let Some(part) = next_long_run(text, from, LEAST, is_part) {
        from = part.end;
        // The two check digits after the two letters.
        let heads = text[part.clone()].windows(4).enumerate();
        let mut heads = heads.filter(|(_, head)| {
            head[2].is_ascii_digit()
                && head[3].is_ascii_digit()
                && head[0].is_ascii_uppercase()
                && head[1].is_ascii_uppercase()
        });
        let found = heads.find_map(|(offset, _)| iban(text, part.start + offset));
        if found.is_some() {
            return found;
        }
    }
    None
}

fn iban(text: &[u8], start: usize) -> Option<Range<usize>> {
    if before(text, start).is_some_and(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let country = text.get(start..start + 2)?;
    let (_, length) = COUNTRIES.iter().find(|(known, _)| &known[..] == country)?;
    let (mut number, mut count, mut at) = ([0; 34], 0, start);
    while count < *length {
        let byte = *text.get(at)?;
        if byte.is_ascii_uppercase() || byte.is_ascii_digit() {
            number[count] = byte;
            count += 1;
        } else if !(matches!(byte, b' ' | b'-') && text[at - 1].is_ascii_alphanumeric()) {
            return None;
        }
        at += 1;
    }
    let whole = start..at;
    (is_word(text, &whole) && checks(&number[..count])).then_some(whole)
}

fn checks(number: &[u8]) -> bool {
    let (head, tail) = number.split_at(4);
    let remainder = tail.iter().chain(head).fold(0_u32, |sum, byte| match byte {
        b'0'..=b'9' => (sum * 10 + u32::from(byte - b'0')) % 97,
        _ => (sum * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    remainder == 1
}
