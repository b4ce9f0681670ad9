//! What ids are made of: hexadecimal digits, UUIDs, and a hash that is the same everywhere.

use super::write::hexadecimal;

/// FNV-1a with 64 bits (<https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>): the same for the same bytes, in
/// every environment and version. Who chooses the bytes can choose the hash.
#[derive(Debug, Clone, Copy)]
pub struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    #[inline]
    pub fn of(bytes: &[u8]) -> u64 {
        let mut hash = Self::default();
        hash.add(bytes);
        hash.get()
    }

    /// More of what is hashed.
    #[inline]
    pub fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// The hash so far.
    #[inline]
    pub fn get(self) -> u64 {
        self.0
    }
}

/// A one in each byte of a word.
const ONES: u64 = u64::from_ne_bytes([1; 8]);

/// Whether it is a UUID: 36 characters, hexadecimal but for the hyphens.
pub fn is_uuid(text: &[u8]) -> bool {
    let Ok(id) = <&[u8; 36]>::try_from(text) else {
        return false;
    };
    // The digits of a UUID, eight at a time.
    let words = [[0, 4], [9, 14], [19, 24], [28, 32]].map(|[one, two]| {
        let mut word = [0; 8];
        word[..4].copy_from_slice(&id[one..one + 4]);
        word[4..].copy_from_slice(&id[two..two + 4]);
        u64::from_ne_bytes(word)
    });
    [8, 13, 18, 23].iter().all(|at| id[*at] == b'-') && words.into_iter().all(are_hex)
}

/// Whether all of these are hexadecimal digits.
pub fn is_hex(digits: &[u8]) -> bool {
    let (words, rest) = digits.as_chunks::<8>();
    let mut words = words.iter().copied().map(u64::from_ne_bytes);
    words.all(are_hex) && rest.iter().all(u8::is_ascii_hexdigit)
}

/// The hexadecimal digits of a number, all 16.
pub fn hex(value: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    let (pairs, _) = digits.as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(value.to_be_bytes()) {
        *pair = [byte >> 4, byte & 0x0f].map(hexadecimal);
    }
    digits
}

/// Whether the eight bytes of a word are hexadecimal digits.
fn are_hex(word: u64) -> bool {
    const HIGHEST: u64 = ONES << 7;
    // Where the highest bit is not set in any byte, sums stay within theirs.
    let between = |word: u64, least: u8, most: u8| {
        let from = word + ONES * u64::from(0x80 - least);
        let beyond = word + ONES * u64::from(0x7f - most);
        from & !beyond
    };
    let ascii = word & !HIGHEST;
    let digits = between(ascii, b'0', b'9');
    let letters = between(ascii | (ONES << 5), b'a', b'f');
    word & HIGHEST == 0 && (digits | letters) & HIGHEST == HIGHEST
}

/// The bytes that hexadecimal digits stand for; `None` where they are no digits, or not pairs of them.
pub fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8; 2]| u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok();
    rest.is_empty().then_some(())?;
    pairs.iter().map(byte).collect()
}

/// Makes the hexadecimal digits of an id lower case: 16 of them, or 32 and so on. Says whether they are that many, all
/// of them digits, and not all zero.
pub fn lower_hex(digits: &mut [u8]) -> bool {
    if !digits.len().is_multiple_of(16) {
        return false;
    }
    let (mut are_digits, mut any) = (true, 0);
    for chunk in digits.as_chunks_mut::<8>().0 {
        let word = u64::from_ne_bytes(*chunk);
        are_digits &= are_hex(word);
        any |= word ^ (ONES * u64::from(b'0'));
        // A digit has this bit already.
        *chunk = (word | ONES << 5).to_ne_bytes();
    }
    are_digits && any != 0
}

/// Appends the bytes that hexadecimal digits stand for; what are none stand for something.
pub fn push_unhexed(out: &mut Vec<u8>, digits: &[u8]) {
    // Letters are 9 beyond the digits that their low bits are.
    let value = |digit: u8| (digit & 0x0f) + 9 * (digit >> 6);
    let (pairs, _) = digits.as_chunks::<2>();
    out.extend(
        pairs
            .iter()
            .map(|pair| value(pair[0]) << 4 | value(pair[1])),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a_and_its_parts_add_up() {
        // The vectors of the draft's appendix.
        for (text, hash) in [
            ("", 0xcbf2_9ce4_8422_2325),
            ("a", 0xaf63_dc4c_8601_ec8c),
            ("foobar", 0x8594_4171_f739_67e8),
        ] {
            assert_eq!(Fnv::of(text.as_bytes()), hash, "{text}");
        }
        let mut parts = Fnv::default();
        for part in ["foo", "", "bar"] {
            parts.add(part.as_bytes());
        }
        assert_eq!(parts.get(), Fnv::of(b"foobar"));
    }

    #[test]
    fn a_uuid_has_hyphens_in_their_places_and_digits_elsewhere() {
        let id = "8286a188-ba32-4475-8077-530cd35c09a9";
        assert!(is_uuid(id.as_bytes()) && is_uuid(id.to_uppercase().as_bytes()));
        for place in 0..id.len() {
            for byte in 0..=u8::MAX {
                let mut other = id.as_bytes().to_vec();
                let is_right = match other[place] {
                    b'-' => byte == b'-',
                    _ => byte.is_ascii_hexdigit(),
                };
                other[place] = byte;
                assert_eq!(is_uuid(&other), is_right, "{byte} at {place}");
            }
        }
        assert!(
            !is_uuid(&id.as_bytes()[1..])
                && !is_uuid(b"")
                && !is_uuid(&[id.as_bytes(), b"0"].concat())
        );
    }

    #[test]
    fn digits_are_told_at_any_place_and_length() {
        for length in 0..=20 {
            let digits = &b"0123456789abcdefABCD"[..length];
            assert!(is_hex(digits), "{length}");
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    let mut other = digits.to_vec();
                    other[place] = byte;
                    assert_eq!(
                        is_hex(&other),
                        byte.is_ascii_hexdigit(),
                        "{byte} at {place}"
                    );
                }
            }
        }
        for value in [0, 1, 0xab, 0x0123_4567_89ab_cdef, u64::MAX] {
            assert_eq!(hex(value), format!("{value:016x}").as_bytes());
        }
    }

    #[test]
    fn pairs_of_digits_are_bytes() {
        assert_eq!(unhex(b"00fFa9"), Some(vec![0, 0xff, 0xa9]));
        assert_eq!(unhex(b""), Some(Vec::new()));
        assert_eq!(unhex(b"0"), None);
        assert_eq!(unhex(b"0g"), None);
    }

    #[test]
    fn digits_are_lowered_and_what_is_none_or_all_zero_is_told() {
        for (text, lowered) in [
            ("0123456789abcdef", Some("0123456789abcdef")),
            (
                "ABCDEF00000000000000000000000000",
                Some("abcdef00000000000000000000000000"),
            ),
            ("0123456789abcdef0", None),
            ("0123456789abcdeg", None),
            ("0123456789abcde:", None),
            ("0000000000000001", Some("0000000000000001")),
            ("0000000000000000", None),
            ("12345678901234\u{e4}", None),
            ("", None),
        ] {
            let mut digits = text.as_bytes().to_vec();
            let is_id = lower_hex(&mut digits);
            let shown = is_id.then_some(&*digits);
            assert_eq!(shown, lowered.map(str::as_bytes), "{text}");
            if let Some(lowered) = lowered {
                let mut bytes = vec![7];
                push_unhexed(&mut bytes, lowered.as_bytes());
                assert_eq!(
                    Some(&bytes[1..]),
                    unhex(text.as_bytes()).as_deref(),
                    "{text}"
                );
            }
        }
        let mut whatever = Vec::new();
        push_unhexed(&mut whatever, b"\xff\xfez/0");
        assert_eq!(whatever.len(), 2, "one too many is left out");
    }
}
