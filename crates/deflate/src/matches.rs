//! What of a text stood in it before.
//!
//! The table has for each hash of seven bytes the last place that had it: what is shorter comes again by chance, and
//! saves less than its distance takes. Where many places had no match, fewer are looked at, so that what does not repeat
//! itself costs little. How many counts, and not how many bytes they are apart: what comes behind may repeat itself.

/// A stretch of text: bytes that are as they are, and then some that stood `distance` bytes before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) literals: u16,
    /// 3 to 258.
    pub(crate) length: u16,
    /// 1 to 32,768.
    pub(crate) distance: u16,
}

/// The longest match that has a code.
const LONGEST: usize = 258;
/// The shortest.
pub(crate) const SHORTEST: u16 = 3;
/// How far back a match may be.
const FURTHEST: usize = 32_768;
/// What is read at once.
const WORD: usize = size_of::<u64>();
/// A match begins with as many bytes as are compared at first.
const HALF: usize = size_of::<u32>();
const TABLE_BITS: u32 = 13;
const TABLE: usize = 1 << TABLE_BITS;
/// After this many places without a match, as a power of two, every other one is left out; and so on.
const PATIENCE: u32 = 6;

/// Finds matches, and keeps the memory that this takes.
#[derive(Debug)]
pub(crate) struct Matches {
    /// A place that is zero may be none: what is there is compared anyway.
    table: Box<[u16; TABLE]>,
    parts: Vec<Part>,
}

impl Default for Matches {
    fn default() -> Self {
        Self {
            table: Box::new([0; TABLE]),
            parts: Vec::new(),
        }
    }
}

impl Matches {
    /// Looks for matches in a text of at most [`crate::MOST_IN_BLOCK`] bytes, and says where the rest begins that has
    /// none.
    pub(crate) fn find(&mut self, text: &[u8]) -> usize {
        self.parts.clear();
        self.table.fill(0);
        let last = text.len().saturating_sub(WORD);
        let (mut taken, mut at, mut misses) = (0, 1, 0);
        while at < last {
            let word = word_at(text, at);
            let before = self.replace(word, at);
            let is_match = half_at(text, before) == low_half(word) && at - before <= FURTHEST;
            if !is_match {
                at += 1 + (misses >> PATIENCE);
                misses += 1;
                continue;
            }
            let distance = at - before;
            let mut start = at;
            while start > taken
                && start > distance
                && text.get(start - 1) == text.get(start - 1 - distance)
            {
                start -= 1;
            }
            let end = at + HALF + common(&text[before + HALF..], &text[at + HALF..]);
            self.add(start - taken, end - start, distance);
            (taken, at, misses) = (end, end, 0);
            if at < last {
                self.replace(word_at(text, at - 2), at - 2);
            }
        }
        taken
    }

    /// What [`Matches::find`] found, in order.
    pub(crate) fn found(&self) -> &[Part] {
        &self.parts
    }

    /// Notes the place of this word, and returns the last one that had the same hash.
    #[inline]
    fn replace(&mut self, word: u64, at: usize) -> usize {
        const SEVEN_BYTES: u32 = 64 - 7 * 8;
        /// 2^64 divided by the golden ratio.
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        let hash = (word << SEVEN_BYTES).wrapping_mul(SPREAD) >> (64 - TABLE_BITS);
        let entry = &mut self.table[hash as usize % TABLE];
        // A block is no longer than a place can say.
        let place = u16::try_from(at).unwrap_or_default();
        usize::from(std::mem::replace(entry, place))
    }

    /// A match that is longer than a code can say is several.
    fn add(&mut self, literals: usize, mut length: usize, distance: usize) {
        let mut literals = literals;
        while length > 0 {
            // What is left is long enough for a code of its own.
            let now = match length - length.min(LONGEST) {
                left if (1..usize::from(SHORTEST)).contains(&left) => {
                    LONGEST - usize::from(SHORTEST)
                }
                _ => length.min(LONGEST),
            };
            let number = |it: usize| u16::try_from(it).unwrap_or_default();
            self.parts.push(Part {
                literals: number(literals),
                length: number(now),
                distance: number(distance),
            });
            literals = 0;
            length -= now;
        }
    }
}

#[inline]
fn word_at(text: &[u8], at: usize) -> u64 {
    let word = text.get(at..at + WORD).and_then(|it| it.try_into().ok());
    u64::from_le_bytes(word.unwrap_or_default())
}

#[inline]
fn half_at(text: &[u8], at: usize) -> u32 {
    let half = text.get(at..at + HALF).and_then(|it| it.try_into().ok());
    u32::from_le_bytes(half.unwrap_or_default())
}

/// The first four bytes of a word.
#[inline]
fn low_half(word: u64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the other half is not wanted"
    )]
    let half = word as u32;
    half
}

/// How many bytes two texts have in common from their beginning on.
fn common(one: &[u8], two: &[u8]) -> usize {
    let mut same = 0;
    for (left, right) in one.chunks_exact(WORD).zip(two.chunks_exact(WORD)) {
        let differs = word_at(left, 0) ^ word_at(right, 0);
        if differs != 0 {
            return same + (differs.trailing_zeros() / 8) as usize;
        }
        same += WORD;
    }
    let rest = one[same..].iter().zip(&two[same..]);
    same + rest.take_while(|(left, right)| left == right).count()
}
