//! Sixteen bytes at once, by instructions that every processor of either architecture has.
//!
//! By `wide` and not by loops: the layer is built for size, and rustc does not vectorize loops there.

use wide::u8x16;

/// The bytes that are looked at together.
pub(crate) const LANES: usize = 16;

/// How many bytes at the start are neither a quote, a backslash nor a control character: this is where most of
/// decoding's time goes.
#[inline]
pub(crate) fn plain(bytes: &[u8]) -> usize {
    let (chunks, rest) = bytes.as_chunks::<LANES>();
    for (index, chunk) in chunks.iter().enumerate() {
        if let Some(at) = first_special(*chunk) {
            return index * LANES + at;
        }
    }
    if rest.is_empty() {
        return bytes.len();
    }
    // Of the last lane all that was looked at already is plain.
    if let Some(last) = bytes.last_chunk() {
        let at = first_special(*last);
        return at.map_or(bytes.len(), |at| bytes.len() - LANES + at);
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
    rest.iter().position(is_special).unwrap_or(rest.len())
}

/// Where the first byte is that ends a run of plain text in a JSON string: a quote, a backslash or a control
/// character.
#[inline]
fn first_special(chunk: [u8; LANES]) -> Option<usize> {
    let chunk = u8x16::new(chunk);
    let quotes = chunk.simd_eq(u8x16::splat(b'"'));
    let backslashes = chunk.simd_eq(u8x16::splat(b'\\'));
    let controls = chunk.min(u8x16::splat(0x1f)).simd_eq(chunk);
    let places = (quotes | backslashes | controls).to_bitmask();
    (places != 0).then(|| places.trailing_zeros() as usize)
}

/// Where the first of two bytes is.
#[inline]
pub(crate) fn first_of(chunk: [u8; LANES], [one, other]: [u8; 2]) -> Option<usize> {
    let chunk = u8x16::new(chunk);
    let places =
        (chunk.simd_eq(u8x16::splat(one)) | chunk.simd_eq(u8x16::splat(other))).to_bitmask();
    (places != 0).then(|| places.trailing_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_plain_ends_at_the_first_byte_that_is_not() {
        let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        for length in 0..100 {
            let mut bytes = vec![b'x'; length];
            assert_eq!(plain(&bytes), length);
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    bytes[at] = byte;
                    let end = if is_plain(byte) { length } else { at };
                    assert_eq!(plain(&bytes), end, "{byte} at {at} of {length}");
                }
                bytes[at] = b'x';
            }
        }
    }
}
