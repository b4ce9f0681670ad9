//! What is packed is read back by zlib-rs, through flate2, which is asked for all of its input.

use std::io::Read as _;

use flate2::bufread::{GzDecoder, ZlibDecoder};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Packs pieces, and checks that one whole stream of them comes back.
fn packed(container: Container, pieces: &[&[u8]]) -> Vec<u8> {
    let plain = pieces.concat();
    let mut packer = Packer::new(container, plain.len());
    for piece in pieces {
        packer.pack(piece);
    }
    let out = packer.finish();
    let mut read = Vec::new();
    let rest = match container {
        Container::Gzip => {
            let mut decoder = GzDecoder::new(out.as_slice());
            decoder.read_to_end(&mut read).expect("it is whole");
            decoder.into_inner()
        }
        Container::Zlib => {
            let mut decoder = ZlibDecoder::new(out.as_slice());
            decoder.read_to_end(&mut read).expect("it is whole");
            decoder.into_inner()
        }
    };
    assert!(read == plain, "{} bytes come back", plain.len());
    assert!(rest.is_empty(), "nothing follows");
    out
}

/// The same numbers each time (xorshift).
fn numbers() -> impl Iterator<Item = u64> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    })
}

/// Lines that have much in common and are nowhere the same.
fn lines(length: usize) -> Vec<u8> {
    numbers()
        .flat_map(|number| {
            format!(
                "{{\"id\":\"{number:016x}\",\"message\":\"order {} accepted\"}}\n",
                number % 999
            )
            .into_bytes()
        })
        .take(length)
        .collect()
}

/// Bytes in which this number of bits, the lowest ones, are by chance, and the others zero.
fn noise(length: usize, bits: u32) -> Vec<u8> {
    let low = |number: u64| number.to_le_bytes()[0] & (u8::MAX >> (8 - bits));
    numbers().map(low).take(length).collect()
}

#[test]
fn any_length_is_one_whole_stream() {
    let around = |length: usize| length.saturating_sub(2)..length + 3;
    let lengths = [
        0,
        8,
        64,
        258,
        4_096,
        32_768,
        MOST_IN_BLOCK,
        3 * MOST_IN_BLOCK,
    ];
    for length in lengths.map(around).into_iter().flatten() {
        for text in [
            lines(length),
            noise(length, 8),
            noise(length, 1),
            vec![b'x'; length],
        ] {
            packed(Container::Gzip, &[&text]);
            packed(Container::Zlib, &[&text]);
        }
    }
}

#[test]
fn what_does_not_become_smaller_grows_by_no_more_than_its_blocks_take() {
    for length in [0, 1, 100, MOST_IN_BLOCK, 10 * MOST_IN_BLOCK] {
        let around = GZIP_HEADER.len() + END;
        let blocks = length.div_ceil(MOST_IN_BLOCK);
        let size = packed(Container::Gzip, &[&noise(length, 8)]).len();
        assert!(size <= length + around + 6 * blocks, "{length}: {size}");
    }
}

/// The fixed codes, those made for a block, and none, each where it is shortest.
#[test]
fn each_kind_of_block_is_written() {
    let kind = |text: &[u8]| packed(Container::Gzip, &[text])[GZIP_HEADER.len()] & 0b111;
    assert_eq!(u64::from(kind(b"hello hello hello")), 0b010);
    assert_eq!(u64::from(kind(&lines(10_000))), 0b100);
    assert_eq!(u64::from(kind(&noise(10_000, 8))), 0b000);
}

#[test]
fn logs_are_as_small_as_at_zlibs_second_level() {
    let text = lines(1 << 20);
    let pieces: Vec<&[u8]> = text.chunks(60 * 1024).collect();
    let ours = packed(Container::Gzip, &pieces).len();
    let mut theirs = flate2::read::GzEncoder::new(text.as_slice(), flate2::Compression::new(2));
    let theirs = std::io::copy(&mut theirs, &mut std::io::sink()).expect("it can be read");
    assert!(
        ours as u64 <= theirs * 105 / 100,
        "{ours} bytes, zlib's {theirs}"
    );
}

/// What has no matches costs little, but what follows it is looked at again.
#[test]
fn a_blob_does_not_spoil_the_lines_behind_it() {
    let (blob, text) = (noise(20_000, 8), lines(40_000));
    let size = |text: &[u8]| packed(Container::Gzip, &[text]).len();
    let (both, alone) = (
        size(&[&blob[..], &text].concat()),
        size(&blob) + size(&text),
    );
    assert!(
        both <= alone * 115 / 100,
        "{both} bytes, by themselves {alone}"
    );
}

/// A code whose rarest symbols would be longer than a code may be, as their counts grow like Fibonacci's numbers.
#[test]
fn no_code_is_longer_than_it_may_be() {
    let mut counts = [0_u32; 40];
    let (mut one, mut two) = (1, 1);
    for count in &mut counts {
        *count = one;
        (one, two) = (two, one + two);
    }
    for longest in [7, 14, 15] {
        let lengths = code::lengths(&counts, longest);
        let shares: f64 = lengths
            .iter()
            .map(|length| 0.5_f64.powi(i32::from(*length)))
            .sum();
        assert!((shares - 1.0).abs() < f64::EPSILON, "{longest}: {shares}");
        assert!(
            lengths
                .iter()
                .all(|length| (1..=longest).contains(&usize::from(*length)))
        );
        assert!(
            lengths.is_sorted_by(|rarer, other| rarer >= other),
            "{longest}"
        );
    }
}

#[test]
fn a_code_has_two_symbols_at_least() {
    for counts in [[0, 0, 0], [7, 0, 0], [0, 0, 7]] {
        let lengths = code::lengths(&counts, 15);
        let used: Vec<&u8> = lengths.iter().filter(|length| **length > 0).collect();
        assert_eq!(used, [&1, &1]);
        assert!(
            counts
                .iter()
                .zip(lengths)
                .all(|(count, length)| *count == 0 || length == 1)
        );
    }
}

/// Text in which much comes again, near and far: words of one alphabet or another, and repetitions of what was there.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let stretch = prop_oneof![
        vec(any::<u8>(), 0..600).prop_map(Stretch::New),
        "[a-f0-9]{0,600}".prop_map(|text| Stretch::New(text.into_bytes())),
        (any::<u8>(), 0..3_000_usize).prop_map(|(byte, length)| Stretch::New(vec![byte; length])),
        (1..80_000_usize, 0..3_000_usize).prop_map(|(back, length)| Stretch::Again(back, length)),
    ];
    vec(stretch, 0..80).prop_map(|stretches| {
        let mut text: Vec<u8> = Vec::new();
        for stretch in stretches {
            match stretch {
                Stretch::New(bytes) => text.extend(bytes),
                Stretch::Again(back, length) => {
                    let start = text.len().saturating_sub(back);
                    for at in start..start + length.min(text.len()) {
                        text.push(text[at]);
                    }
                }
            }
        }
        text
    })
}

#[derive(Debug, Clone)]
enum Stretch {
    New(Vec<u8>),
    Again(usize, usize),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_is_packed_in_whatever_pieces_comes_back(
        text in text(),
        pieces in vec(1..90_000_usize, 0..4),
        is_gzip in any::<bool>(),
    ) {
        let mut rest = text.as_slice();
        let mut cut = Vec::new();
        for length in pieces {
            let (piece, later) = rest.split_at(length.min(rest.len()));
            cut.push(piece);
            rest = later;
        }
        cut.push(rest);
        let container = if is_gzip { Container::Gzip } else { Container::Zlib };
        prop_assert_eq!(packed(container, &cut), packed(container, &cut), "the same each time");
    }
}
