//! gzip, by zlib-rs.
//!
//! zlib keeps a window of 64 KiB. When it is full, every entry of the hash tables (192 KiB, more than the
//! first-level cache) has to be moved, once per 32 KiB of input: at level 1 that is a quarter to two
//! fifths of all CPU, with SIMD or without. A full flush just before the window is full starts it
//! again from its beginning instead. The result is one ordinary gzip member, some 3 % larger.

use std::io::{self, Read as _};

use flate2::read::MultiGzDecoder;
use flate2::{Compress, Compression, FlushCompress, Status};

/// Fast on purpose: at level 1 compression is still half of the CPU a record costs, and
/// level 6 would cost several times that for a third fewer bytes.
const LEVEL: Compression = Compression::fast();
const WINDOW_BITS: u8 = 15;
/// Input between two full flushes. zlib moves its tables once it has read 65,274 bytes (twice the window
/// less `MIN_LOOKAHEAD`) since the last one.
const STRETCH: usize = 64_000;
/// What a full flush, or the end, writes at most besides the data.
const SLACK: usize = 64;

/// What is compressed at once: it fits into the cache that it was just written to.
pub(super) const PIECE: usize = 32 * 1024;

/// Compresses. The same input always makes the same bytes.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = Packer::new(bytes.len(), true);
    packer.pack(bytes);
    packer.finish()
}

/// Compresses what is written to it piece by piece, so that it never is in memory as a whole.
#[derive(Debug)]
pub(super) struct Packer {
    compress: Compress,
    out: Vec<u8>,
    /// Input until the window is full.
    room: usize,
}

impl Packer {
    /// A packer for about `length` bytes, in gzip's format or zlib's.
    pub(super) fn new(length: usize, is_gzip: bool) -> Self {
        let compress = if is_gzip {
            Compress::new_gzip(LEVEL, WINDOW_BITS)
        } else {
            Compress::new_with_window_bits(LEVEL, true, WINDOW_BITS)
        };
        Self {
            compress,
            // A quarter is more than logs usually need.
            out: Vec::with_capacity(length / 4 + SLACK),
            room: STRETCH,
        }
    }

    /// Takes what has been written, once it is enough to be worth it.
    pub(super) fn drain(&mut self, written: &mut Vec<u8>) {
        if written.len() >= PIECE {
            self.pack(written);
            written.clear();
        }
    }

    /// Takes these bytes. The same pieces always make the same result.
    pub(super) fn pack(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.room == 0 {
                self.write(&[], FlushCompress::Full);
                self.room = STRETCH;
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.room));
            self.write(now, FlushCompress::None);
            self.room -= now.len();
            bytes = later;
        }
    }

    /// All of it, compressed.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.write(&[], FlushCompress::Finish);
        self.out
    }

    /// Compresses all of `input`, growing the output as needed, until the flush is complete.
    fn write(&mut self, mut input: &[u8], flush: FlushCompress) {
        loop {
            let read_before = self.compress.total_in();
            // Reading from a slice and writing to a vector cannot fail.
            let status = self.compress.compress_vec(input, &mut self.out, flush);
            let read = self.compress.total_in() - read_before;
            input = &input[usize::try_from(read).unwrap_or(input.len())..];
            let is_done = match flush {
                FlushCompress::Finish => matches!(status, Ok(Status::StreamEnd)),
                // There was room to spare: zlib holds nothing back.
                _ => input.is_empty() && self.out.len() < self.out.capacity(),
            };
            if is_done || status.is_err() {
                return;
            }
            self.out.reserve(self.out.capacity() / 2 + SLACK);
        }
    }
}

/// Decompresses, members one after the other, up to `limit` bytes.
pub fn gunzip(bytes: &[u8], limit: u64) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    let read = MultiGzDecoder::new(bytes)
        .take(limit.saturating_add(1))
        .read_to_end(&mut plain)?;
    if read as u64 > limit {
        return Err(io::Error::other(format!(
            "more than {limit} bytes when decompressed"
        )));
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_and_always_as_the_same_bytes() {
        let text = b"hello hello hello".repeat(100);
        assert_eq!(gzip(&text), gzip(&text));
        assert_eq!(gunzip(&gzip(&text), 10_000).expect("it fits"), text);
        let members = [gzip(b"a"), gzip(b"b")].concat();
        assert_eq!(gunzip(&members, 10).expect("it fits"), b"ab");
    }

    /// Repetitive text that numbers make different everywhere.
    fn text(bytes: usize) -> Vec<u8> {
        (0_u64..)
            .flat_map(|line| format!("line {} of a log\n", line * 0x9e37_79b9).into_bytes())
            .take(bytes)
            .collect()
    }

    /// Bytes that do not compress (xorshift).
    fn noise(bytes: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        };
        (0..bytes).map(|_| next()).collect()
    }

    #[test]
    fn any_length_is_one_whole_member() {
        let about =
            |stretches: usize| [0, 1, 2].map(|more| (stretches * STRETCH + more).max(1) - 1);
        for length in [about(0), about(1), about(2), about(16)].concat() {
            for plain in [text(length), noise(length)] {
                let packed = gzip(&plain);
                // This one stops at the end of the first member.
                let mut first = Vec::new();
                let mut decoder = flate2::bufread::GzDecoder::new(packed.as_slice());
                decoder.read_to_end(&mut first).expect("it is whole");
                assert!(first == plain, "{length} bytes come back");
                assert!(decoder.into_inner().is_empty(), "{length}: nothing follows");
            }
        }
    }

    #[test]
    fn starting_the_window_again_costs_a_few_bytes_in_a_hundred() {
        let plain = text(1_000_000);
        let mut whole = flate2::write::GzEncoder::new(Vec::new(), LEVEL);
        std::io::Write::write_all(&mut whole, &plain).expect("a vector takes everything");
        let whole = whole.finish().expect("a vector takes everything").len();
        let ours = gzip(&plain).len();
        assert!(ours * 100 <= whole * 105, "{ours} bytes, {whole} without");
    }

    #[test]
    fn a_bomb_is_refused_and_broken_bytes_are_an_error() {
        assert!(gunzip(&gzip(&vec![0; 100_000]), 1000).is_err());
        assert!(gunzip(b"plain", 1000).is_err());
    }
}
