//! Sixteen bytes at once, by instructions that every processor of either architecture has.
//!
//! By `wide` and not by loops: the layer is built for size, and rustc does not vectorize loops there.

use wide::u8x16;

/// The bytes that are looked at together.
pub(crate) const LANES: usize = 16;

/// Where the first byte is that ends a run of plain text in a JSON string: a quote, a backslash or a control
/// character.
#[inline]
pub(crate) fn first_special(chunk: [u8; LANES]) -> Option<usize> {
    let chunk = u8x16::new(chunk);
    let quotes = chunk.simd_eq(u8x16::splat(b'"'));
    let backslashes = chunk.simd_eq(u8x16::splat(b'\\'));
    let controls = chunk.min(u8x16::splat(0x1f)).simd_eq(chunk);
    let places = (quotes | backslashes | controls).to_bitmask();
    (places != 0).then(|| places.trailing_zeros() as usize)
}
