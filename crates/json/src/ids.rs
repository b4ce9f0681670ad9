//! What ids are made of: hexadecimal digits, UUIDs, and a hash that is the same everywhere.

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

/// Whether it is a UUID: 36 characters, hexadecimal but for the hyphens.
pub fn is_uuid(text: &[u8]) -> bool {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    let Some((id, [])) = text.split_first_chunk::<36>() else {
        return false;
    };
    // Without an end before the last byte this is a few instructions.
    let digits = id.iter().map(|byte| u8::from(byte.is_ascii_hexdigit()));
    HYPHENS.iter().all(|at| id[*at] == b'-') && digits.sum::<u8>() == 32
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
    let (chunks, rest) = digits.as_chunks_mut::<16>();
    let (mut odd, mut any) = (0, 0);
    for chunk in chunks {
        // Without an end before the last byte this is a few instructions.
        let is_odd = chunk.map(|digit| u8::from(!digit.is_ascii_hexdigit()));
        odd |= is_odd.into_iter().fold(0, |all, it| all | it);
        any |= chunk.iter().fold(0, |all, it| all | (it ^ b'0'));
        // A digit has this bit already.
        *chunk = chunk.map(|digit| digit | 0x20);
    }
    rest.is_empty() && odd == 0 && any != 0
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
            let mut other = id.as_bytes().to_vec();
            other[place] = if other[place] == b'-' { b'a' } else { b'-' };
            assert!(!is_uuid(&other), "{place}");
        }
        assert!(
            !is_uuid(&id.as_bytes()[1..])
                && !is_uuid(b"")
                && !is_uuid(&[id.as_bytes(), b"0"].concat())
        );
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
