//! Compresses logs, as one gzip member (RFC 1952) or one zlib stream (RFC 1950): in the time that zlib's first level
//! takes, to the size of its second.
//!
//! zlib keeps a window over what was read and tables that find matches in it, 260 KiB that are zeroed for each body and
//! leave the first-level cache. A body of logs needs neither: it comes in pieces of some 60 KiB, each piece becomes a
//! block (RFC 1951), matches look back to the beginning of their block and no further, and a table of 16 KiB finds
//! them. Each block has codes made for it, where that is shorter.
//!
//! Invariants: the same pieces always make the same bytes; whatever the input, a piece of at most [`MOST_IN_BLOCK`]
//! bytes grows by at most 6; nothing of the input is kept. Must not decompress: a well-kept library does.

use crc32fast::Hasher;

use self::bits::Bits;
use self::block::write_block;
use self::matches::Matches;

mod bits;
mod block;
mod code;
mod matches;

/// The longest text of one block: what a stored block can hold.
pub const MOST_IN_BLOCK: usize = 65_535;

/// gzip's first bytes: deflate, no flags, no time, the fastest level, an unknown system.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];
/// zlib's: deflate with a window of 32 KiB, the fastest level.
const ZLIB_HEADER: [u8; 2] = [0x78, 0x01];
/// An empty last block, of ten bits, and a checksum with gzip's length.
const END: usize = 2 + 8;

/// What is around the compressed data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// RFC 1952.
    Gzip,
    /// RFC 1950, which HTTP calls deflate (RFC 9110, section 8.4.1.2).
    Zlib,
}

/// Compresses what is given to it, piece by piece.
#[derive(Debug)]
pub struct Packer {
    out: Vec<u8>,
    /// Bits that do not fill a byte yet, and how many.
    begun: (u64, u32),
    matches: Matches,
    checksum: Checksum,
}

impl Packer {
    /// For about `length` bytes.
    pub fn new(container: Container, length: usize) -> Self {
        // A fifth is more than logs usually need.
        let mut out = Vec::with_capacity(GZIP_HEADER.len() + length / 5 + END);
        let checksum = match container {
            Container::Gzip => {
                out.extend_from_slice(&GZIP_HEADER);
                Checksum::Crc32(Hasher::new(), 0)
            }
            Container::Zlib => {
                out.extend_from_slice(&ZLIB_HEADER);
                Checksum::Adler32(1, 0)
            }
        };
        Self {
            out,
            begun: (0, 0),
            matches: Matches::default(),
            checksum,
        }
    }

    /// Takes a piece. Each is a block with codes of its own, some 80 bytes of them where it is long, and has no match
    /// in another.
    pub fn pack(&mut self, piece: &[u8]) {
        self.checksum.update(piece);
        let blocks = piece.len().div_ceil(MOST_IN_BLOCK).max(1);
        // Of one length: a short rest would be a block with few matches.
        for text in piece.chunks(piece.len().div_ceil(blocks).max(1)) {
            let rest = self.matches.find(text);
            let parts = self.matches.found();
            self.begun = write_block(text, parts, rest, &mut self.out, self.begun);
        }
    }

    /// All of it, compressed.
    pub fn finish(mut self) -> Vec<u8> {
        let mut bits = Bits::after(&mut self.out, self.begun, END);
        bits.put(block::LAST_EMPTY, block::LAST_EMPTY_BITS);
        bits.align();
        let length = bits.length();
        self.out.truncate(length);
        match self.checksum {
            Checksum::Crc32(hasher, length) => {
                self.out.extend_from_slice(&hasher.finalize().to_le_bytes());
                self.out.extend_from_slice(&length.to_le_bytes());
            }
            Checksum::Adler32(one, two) => {
                self.out.extend_from_slice(&(two << 16 | one).to_be_bytes());
            }
        }
        self.out
    }
}

/// Compresses a text as one gzip member.
pub fn gzip(text: &[u8]) -> Vec<u8> {
    let mut packer = Packer::new(Container::Gzip, text.len());
    packer.pack(text);
    packer.finish()
}

#[derive(Debug)]
enum Checksum {
    /// With the length, modulo 2^32.
    Crc32(Hasher, u32),
    /// Its two sums.
    Adler32(u32, u32),
}

impl Checksum {
    fn update(&mut self, piece: &[u8]) {
        match self {
            Self::Crc32(hasher, length) => {
                hasher.update(piece);
                // The length is written modulo 2^32.
                #[expect(clippy::cast_possible_truncation, reason = "RFC 1952, section 2.3.1")]
                let more = piece.len() as u32;
                *length = length.wrapping_add(more);
            }
            Self::Adler32(one, two) => {
                /// The largest prime below 2^16.
                const MODULUS: u32 = 65_521;
                /// As many bytes as the second sum has room for (RFC 1950, section 9).
                const MOST: usize = 5_552;
                for bytes in piece.chunks(MOST) {
                    for byte in bytes {
                        *one += u32::from(*byte);
                        *two += *one;
                    }
                    *one %= MODULUS;
                    *two %= MODULUS;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
