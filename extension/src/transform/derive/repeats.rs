//! Events that were seen before: Lambda may send an event again, and it happened once.
//!
//! A request id does not tell them apart: Lambda retries an asynchronous invocation under the same one. The time is
//! another then, so an event is the same if its type, time and request id are.

use super::Event;

const SETS: usize = 64;
const WAYS: usize = 8;

/// The hashes of the last events; zero where there is none. Lambda repeats the last batch, so that a few hundred are
/// enough. They are in sets, since each event of an invocation pays for the search.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    sets: Vec<[u64; WAYS]>,
}

impl Repeats {
    /// Whether the event was among the last ones; from here on it is.
    pub(super) fn has(&mut self, event: &Event<'_>) -> bool {
        if event.time.is_empty() {
            return false;
        }
        let mut hash = 0;
        for part in [&*event.kind, &*event.time, &*event.text("requestId")] {
            hash = mixed(hash, part.as_bytes());
        }
        let hash = hash | 1;
        if self.sets.is_empty() {
            self.sets.resize(SETS, [0; WAYS]);
        }
        // The product's upper bits depend on all of the event.
        let Some(set) = self.sets.get_mut((hash >> 58) as usize) else {
            return false;
        };
        if set.contains(&hash) {
            return true;
        }
        set.copy_within(..WAYS - 1, 1);
        set[0] = hash;
        false
    }
}

/// A hash of eight bytes at a time: an invocation pays for three.
fn mixed(mut hash: u64, bytes: &[u8]) -> u64 {
    /// 2^64 by the golden ratio, odd.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut add = |word: u64| hash = (hash.rotate_left(29) ^ word).wrapping_mul(FACTOR);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        add(u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    add(u64::from_le_bytes(last));
    // Parts of different lengths do not run into one another.
    add(bytes.len() as u64);
    hash
}
