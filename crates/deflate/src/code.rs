//! Prefix codes (RFC 1951, section 3.2): how long each symbol's is, by how often it comes, and the codes themselves.

/// The longest code of any kind.
const LONGEST: usize = 15;

/// The bits of a symbol, in the order in which they are written, and in the highest byte how many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Code(u32);

impl Code {
    const SHIFT: u32 = 24;

    fn new(bits: u32, length: u32) -> Self {
        Self(bits | length << Self::SHIFT)
    }

    #[inline]
    pub(crate) fn bits(self) -> u64 {
        u64::from(self.0 & ((1 << Self::SHIFT) - 1))
    }

    #[inline]
    pub(crate) fn length(self) -> u32 {
        self.0 >> Self::SHIFT
    }

    /// With further bits behind it; together at most 24.
    pub(crate) fn with(self, extra: u32, count: u32) -> Self {
        let bits = self.0 & ((1 << Self::SHIFT) - 1);
        Self::new(bits | extra << self.length(), self.length() + count)
    }
}

/// The lengths of a code in which what comes often is short, and none is longer than `longest`; 0 for what never comes.
/// At least two symbols get one, as some readers know no code of a single symbol.
pub(crate) fn lengths<const SYMBOLS: usize>(
    counts: &[u32; SYMBOLS],
    longest: usize,
) -> [u8; SYMBOLS] {
    let mut used = [(0_u32, 0_u16); SYMBOLS];
    let mut symbols = 0;
    let mut missing = 2_usize.saturating_sub(counts.iter().filter(|count| **count > 0).count());
    for (symbol, count) in (0..).zip(counts) {
        let is_added = *count == 0 && missing > 0;
        missing -= usize::from(is_added);
        if *count > 0 || is_added {
            used[symbols] = ((*count).max(1), symbol);
            symbols += 1;
        }
    }
    let used = &mut used[..symbols];
    used.sort_unstable();
    let mut depths = [0_u32; SYMBOLS];
    let depths = &mut depths[..symbols];
    for (depth, (count, _)) in depths.iter_mut().zip(used.iter()) {
        *depth = *count;
    }
    to_depths(depths);
    let mut of_length = [0_u32; LONGEST + 1];
    for depth in depths.iter() {
        of_length[(*depth as usize).min(longest)] += 1;
    }
    shorten(&mut of_length[..=longest]);
    let mut lengths = [0; SYMBOLS];
    // The rarest symbols come first, and get the longest codes.
    let mut rarest = used.iter();
    for length in (1..=longest).rev() {
        for (_, symbol) in rarest.by_ref().take(of_length[length] as usize) {
            lengths[usize::from(*symbol)] = u8::try_from(length).unwrap_or_default();
        }
    }
    lengths
}

/// Turns counts, in ascending order, into the depths of the leaves of their Huffman tree, in place (Moffat and
/// Katajainen, "In-place calculation of minimum-redundancy codes", 1995).
fn to_depths(counts: &mut [u32]) {
    let leaves = counts.len();
    // From the left: the weights of inner nodes, and then for each the index of its parent.
    let (mut node, mut leaf) = (0, 0);
    for next in 0..leaves - 1 {
        let mut weight = 0;
        for _ in 0..2 {
            if leaf >= leaves || (node < next && counts[node] < counts[leaf]) {
                weight += counts[node];
                counts[node] = u32::try_from(next).unwrap_or_default();
                node += 1;
            } else {
                weight += counts[leaf];
                leaf += 1;
            }
        }
        counts[next] = weight;
    }
    // From the right: the depths of inner nodes.
    counts[leaves - 2] = 0;
    for next in (0..leaves - 2).rev() {
        counts[next] = counts[counts[next] as usize] + 1;
    }
    // And those of the leaves: what is left at each depth.
    let (mut inner, mut leaf) = (leaves - 1, leaves);
    let (mut free, mut depth) = (1, 0);
    while leaf > 0 {
        let mut nodes = 0;
        while inner > 0 && counts[inner - 1] == depth {
            nodes += 1;
            inner -= 1;
        }
        for _ in nodes..free {
            leaf -= 1;
            counts[leaf] = depth;
        }
        free = 2 * nodes;
        depth += 1;
    }
}

/// Makes room for codes that were cut to the longest that is allowed: others become longer, until every sequence of
/// bits means something again and none means two things.
fn shorten(of_length: &mut [u32]) {
    let longest = of_length.len() - 1;
    let taken = |of_length: &[u32]| -> u32 {
        let lengths = (1..).zip(&of_length[1..]);
        lengths
            .map(|(length, count): (usize, _)| count << (longest - length))
            .sum()
    };
    for _ in 1 << longest..taken(of_length) {
        of_length[longest] -= 1;
        let shorter = (1..longest).rev().find(|length| of_length[*length] > 0);
        if let Some(length) = shorter {
            of_length[length] -= 1;
            of_length[length + 1] += 2;
        }
    }
}

/// The codes of these lengths (RFC 1951, section 3.2.2).
pub(crate) fn codes<const SYMBOLS: usize>(lengths: &[u8; SYMBOLS]) -> [Code; SYMBOLS] {
    let mut of_length = [0_u32; LONGEST + 1];
    for length in lengths {
        of_length[usize::from(*length)] += 1;
    }
    of_length[0] = 0;
    let mut next = [0_u32; LONGEST + 1];
    for length in 1..=LONGEST {
        next[length] = (next[length - 1] + of_length[length - 1]) << 1;
    }
    lengths.map(|length| {
        if length == 0 {
            return Code::default();
        }
        let next = &mut next[usize::from(length)];
        let code = *next;
        *next += 1;
        let length = u32::from(length);
        Code::new(code.reverse_bits() >> (32 - length), length)
    })
}
