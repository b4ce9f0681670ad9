//! A block of compressed text: with codes made for it, with the codes that every reader knows, or as it is, whichever
//! is shortest.

use crate::bits::Bits;
use crate::code::{Code, codes, lengths};
use crate::matches::{Part, SHORTEST};

/// An empty last block with the fixed codes.
pub(crate) const LAST_EMPTY: u64 = 0b011;
pub(crate) const LAST_EMPTY_BITS: u32 = 10;

/// The first three bits of a block that is not the last one.
const STORED: u64 = 0b000;
const FIXED: u64 = 0b010;
const DYNAMIC: u64 = 0b100;
const HEADER_BITS: u32 = 3;

/// The alphabet of bytes and of the lengths of matches, and that of distances. The last two of the first never come,
/// but have their places among the fixed codes.
const LITERALS: usize = 288;
const DISTANCES: usize = 30;
/// Where the lengths begin in the first, after the end of the block.
const END: usize = 256;
const FIRST_LENGTH: usize = 257;
/// The alphabet of the lengths of codes, and the order in which the lengths of its own are written.
const CODE_LENGTHS: usize = 19;
const ORDER: [usize; CODE_LENGTHS] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];
/// Four literals are put between two flushes: 56 bits.
const LONGEST_LITERAL: usize = 14;
const LONGEST_DISTANCE: usize = 15;
const LONGEST_CODE_LENGTH: usize = 7;

/// Lengths and distances have symbols for ranges; which number of a range is meant is said by bits behind the symbol.
#[derive(Debug, Clone, Copy)]
struct Symbol {
    index: usize,
    extra: u32,
    extra_bits: u32,
}

const LENGTHS: [Symbol; 256] = length_symbols();

/// RFC 1951, section 3.2.5: eight lengths by themselves, then four ranges of each size, and the longest by itself.
const fn length_symbols() -> [Symbol; 256] {
    let mut symbols = [Symbol {
        index: 28,
        extra: 0,
        extra_bits: 0,
    }; 256];
    let mut at = 0;
    while at < 255 {
        symbols[at as usize] = of_range(at, 2);
        at += 1;
    }
    symbols
}

/// The symbol of a number, where from each power of two to the next there are `1 << steps` ranges.
#[inline]
const fn of_range(number: u32, steps: u32) -> Symbol {
    let log = match number.checked_ilog2() {
        Some(log) if log > steps => log,
        _ => {
            return Symbol {
                index: number as usize,
                extra: 0,
                extra_bits: 0,
            };
        }
    };
    let extra_bits = log - steps;
    Symbol {
        index: ((extra_bits << steps) + (number >> extra_bits)) as usize,
        extra: number & ((1 << extra_bits) - 1),
        extra_bits,
    }
}

#[inline]
fn length_symbol(part: Part) -> Symbol {
    LENGTHS[usize::from(part.length - SHORTEST) % LENGTHS.len()]
}

/// The distances begin with four by themselves, and go on with two ranges of each size.
#[inline]
fn distance_symbol(part: Part) -> Symbol {
    of_range(u32::from(part.distance) - 1, 1)
}

/// How often each symbol of a block comes.
struct Counts {
    literals: [u32; LITERALS],
    distances: [u32; DISTANCES],
    /// The bits behind the symbols.
    extra_bits: u32,
}

impl Counts {
    fn of(text: &[u8], parts: &[Part], rest: usize) -> Self {
        // Two that are the same are often neighbours: an entry is not waited for twice.
        let mut bytes = [[0_u32; 256]; 2];
        let mut count = |literals: &[u8]| {
            let mut pairs = literals.chunks_exact(2);
            for pair in pairs.by_ref() {
                bytes[0][usize::from(pair[0])] += 1;
                bytes[1][usize::from(pair[1])] += 1;
            }
            for byte in pairs.remainder() {
                bytes[0][usize::from(*byte)] += 1;
            }
        };
        let mut counts = Self {
            literals: [0; LITERALS],
            distances: [0; DISTANCES],
            extra_bits: 0,
        };
        let mut at = 0;
        for part in parts {
            let end = at + usize::from(part.literals);
            count(&text[at..end]);
            at = end + usize::from(part.length);
            let (length, distance) = (length_symbol(*part), distance_symbol(*part));
            counts.literals[FIRST_LENGTH + length.index] += 1;
            counts.distances[distance.index] += 1;
            counts.extra_bits += length.extra_bits + distance.extra_bits;
        }
        count(&text[rest..]);
        let literals = counts.literals.iter_mut().zip(&bytes[0]).zip(&bytes[1]);
        for ((count, one), two) in literals {
            *count = one + two;
        }
        counts.literals[END] = 1;
        counts
    }

    /// The bits that the block takes with codes of these lengths.
    fn cost(&self, literals: &[u8; LITERALS], distances: &[u8; DISTANCES]) -> u32 {
        let bits = |(count, length): (&u32, &u8)| count * u32::from(*length);
        let literals = self.literals.iter().zip(literals).map(bits).sum::<u32>();
        let distances = self.distances.iter().zip(distances).map(bits).sum::<u32>();
        literals + distances + self.extra_bits
    }
}

/// The codes that every reader knows (RFC 1951, section 3.2.6).
fn fixed_lengths() -> ([u8; LITERALS], [u8; DISTANCES]) {
    let mut literals = [8; LITERALS];
    literals[144..256].fill(9);
    literals[256..280].fill(7);
    (literals, [5; DISTANCES])
}

/// What says the codes of a block: a code for the lengths of their symbols, and these lengths, with repetitions.
struct Header {
    literals: usize,
    distances: usize,
    code_lengths: usize,
    own: [u8; CODE_LENGTHS],
    /// A symbol, the number behind it, and how many bits that has.
    lengths: Vec<(usize, u64, u32)>,
}

impl Header {
    fn of(literals: &[u8; LITERALS], distances: &[u8; DISTANCES]) -> Self {
        let used = |lengths: &[u8], least: usize| {
            let last = lengths.iter().rposition(|length| *length > 0);
            last.map_or(0, |last| last + 1).max(least)
        };
        let (most, furthest) = (used(literals, FIRST_LENGTH), used(distances, 1));
        let all = [&literals[..most], &distances[..furthest]].concat();
        let lengths = repeated(&all);
        let mut counts = [0; CODE_LENGTHS];
        for (symbol, ..) in &lengths {
            counts[*symbol] += 1;
        }
        let own = self::lengths(&counts, LONGEST_CODE_LENGTH);
        let last = ORDER.iter().rposition(|symbol| own[*symbol] > 0);
        Self {
            literals: most,
            distances: furthest,
            code_lengths: last.map_or(0, |last| last + 1).max(4),
            own,
            lengths,
        }
    }

    fn cost(&self) -> u32 {
        let lengths = self.lengths.iter();
        let lengths = lengths.map(|(symbol, _, bits)| u32::from(self.own[*symbol]) + bits);
        let own = u32::try_from(self.code_lengths).unwrap_or_default() * 3;
        5 + 5 + 4 + own + lengths.sum::<u32>()
    }

    fn write(&self, bits: &mut Bits<'_>) {
        bits.put((self.literals - 257) as u64, 5);
        bits.put((self.distances - 1) as u64, 5);
        bits.put((self.code_lengths - 4) as u64, 4);
        for symbol in &ORDER[..self.code_lengths] {
            bits.flush();
            bits.put(u64::from(self.own[*symbol]), 3);
        }
        let codes = codes(&self.own);
        for (symbol, number, count) in &self.lengths {
            bits.flush();
            bits.put(codes[*symbol].bits(), codes[*symbol].length());
            bits.put(*number, *count);
        }
        bits.flush();
    }
}

/// Lengths with their repetitions (RFC 1951, section 3.2.7).
fn repeated(lengths: &[u8]) -> Vec<(usize, u64, u32)> {
    let mut symbols = Vec::with_capacity(lengths.len());
    for run in lengths.chunk_by(PartialEq::eq) {
        let symbol = usize::from(run[0]);
        let mut left = run.len();
        if symbol > 0 {
            symbols.push((symbol, 0, 0));
            left -= 1;
        }
        while left > 0 {
            let (taken, symbol, bits) = match left {
                0..3 => (1, symbol, 0),
                _ if symbol > 0 => (left.min(6), 16, 2),
                3..11 => (left, 17, 3),
                _ => (left.min(138), 18, 7),
            };
            let least = if symbol == 18 { 11 } else { 3 };
            let number = if bits > 0 { taken - least } else { 0 };
            symbols.push((symbol, number as u64, bits));
            left -= taken;
        }
    }
    symbols
}

/// Writes a text of which `parts` is all up to `rest`; returns the bits that do not fill a byte.
pub(crate) fn write_block(
    text: &[u8],
    parts: &[Part],
    rest: usize,
    out: &mut Vec<u8>,
    begun: (u64, u32),
) -> (u64, u32) {
    debug_assert!(text.len() <= crate::MOST_IN_BLOCK, "{}", text.len());
    let counts = Counts::of(text, parts, rest);
    let own = (
        lengths(&counts.literals, LONGEST_LITERAL),
        lengths(&counts.distances, LONGEST_DISTANCE),
    );
    let fixed = fixed_lengths();
    let header = Header::of(&own.0, &own.1);
    let with_own = header.cost() + counts.cost(&own.0, &own.1);
    let with_fixed = counts.cost(&fixed.0, &fixed.1);
    // With its length, twice, after what fills the byte that is begun.
    let stored = u32::try_from(8 * (4 + text.len())).unwrap_or(u32::MAX) + 7;
    let least = with_own.min(with_fixed).min(stored);
    let room = (HEADER_BITS + 8 + least).div_ceil(8) as usize;
    let mut bits = Bits::after(out, begun, room);
    if least == stored {
        store(text, &mut bits);
    } else {
        let (literals, distances) = if least == with_own {
            bits.put(DYNAMIC, HEADER_BITS);
            header.write(&mut bits);
            own
        } else {
            bits.put(FIXED, HEADER_BITS);
            bits.flush();
            fixed
        };
        let codes = (codes(&literals), codes(&distances));
        write(text, parts, rest, &codes, &mut bits);
    }
    let (begun, length) = (bits.begun(), bits.length());
    out.truncate(length);
    begun
}

/// RFC 1951, section 3.2.4.
fn store(text: &[u8], bits: &mut Bits<'_>) {
    bits.put(STORED, HEADER_BITS);
    bits.align();
    let length = u16::try_from(text.len()).unwrap_or_default();
    bits.bytes(&length.to_le_bytes());
    bits.bytes(&(!length).to_le_bytes());
    bits.bytes(text);
}

fn write(
    text: &[u8],
    parts: &[Part],
    rest: usize,
    (literals, distances): &([Code; LITERALS], [Code; DISTANCES]),
    bits: &mut Bits<'_>,
) {
    // A symbol and what is behind it are put at once.
    let lengths = LENGTHS.map(|it| literals[FIRST_LENGTH + it.index].with(it.extra, it.extra_bits));
    let put = |code: Code, bits: &mut Bits<'_>| bits.put(code.bits(), code.length());
    let put_literals = |text: &[u8], bits: &mut Bits<'_>| {
        let mut fours = text.chunks_exact(4);
        for four in fours.by_ref() {
            for byte in four {
                put(literals[usize::from(*byte)], bits);
            }
            bits.flush();
        }
        for byte in fours.remainder() {
            put(literals[usize::from(*byte)], bits);
        }
        bits.flush();
    };
    let mut at = 0;
    for part in parts {
        let end = at + usize::from(part.literals);
        put_literals(&text[at..end], bits);
        at = end + usize::from(part.length);
        put(
            lengths[usize::from(part.length - SHORTEST) % lengths.len()],
            bits,
        );
        let symbol = distance_symbol(*part);
        put(distances[symbol.index], bits);
        bits.put(u64::from(symbol.extra), symbol.extra_bits);
        bits.flush();
    }
    put_literals(&text[rest..], bits);
    put(literals[END], bits);
    bits.flush();
}
