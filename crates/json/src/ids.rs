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
}
