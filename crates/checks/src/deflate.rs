//! What is compressed comes back.

use std::io::Read as _;

use backstop_deflate::{Container, MOST_IN_BLOCK, Packer};
use flate2::bufread::{GzDecoder, ZlibDecoder};

/// A text in pieces is one whole stream of it, the same each time. The first bytes say how long the pieces are and how
/// often the text comes again, each time a little different: an input is short, and matches are to be far apart.
pub fn deflate(data: &[u8]) {
    /// As much in tiny pieces, of which each is a block.
    const MOST_IN_TINY: usize = 256;
    let [length, times, rest @ ..] = data else {
        return;
    };
    let mut text = Vec::new();
    for round in 0..=times % 64 {
        let start = text.len();
        text.extend_from_slice(rest);
        if let Some(byte) = text[start..].get_mut(usize::from(round)) {
            *byte ^= round;
        }
    }
    // Tiny ones too, of which some end within a byte.
    let length = match usize::from(*length) {
        tiny @ 0..16 => {
            text.truncate(MOST_IN_TINY);
            1 + tiny
        }
        length => length * MOST_IN_BLOCK / 200,
    };
    comes_back(Container::Gzip, &text, length);
    comes_back(Container::Zlib, &text, length);
}

fn comes_back(container: Container, text: &[u8], length: usize) {
    let pack = || {
        let mut packer = Packer::new(container, text.len());
        text.chunks(length).for_each(|piece| packer.pack(piece));
        packer.finish()
    };
    let packed = pack();
    assert_eq!(packed, pack());
    let mut read = Vec::new();
    let left = match container {
        Container::Gzip => {
            let mut decoder = GzDecoder::new(packed.as_slice());
            decoder.read_to_end(&mut read).expect("it is whole");
            decoder.into_inner()
        }
        Container::Zlib => {
            let mut decoder = ZlibDecoder::new(packed.as_slice());
            decoder.read_to_end(&mut read).expect("it is whole");
            decoder.into_inner()
        }
    };
    assert!(read == text, "{} bytes come back", text.len());
    assert!(left.is_empty(), "nothing follows");
}
