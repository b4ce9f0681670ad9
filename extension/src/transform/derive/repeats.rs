//! Events that were seen before: Lambda may send an event again, and it happened once.
//!
//! A request id does not tell them apart: Lambda retries an asynchronous invocation under the same one. The time is
//! another then, so an event is the same if its type, time and request id are.

use super::Event;

/// The events of some 40 invocations. Lambda repeats the last batch, and no more are in one but under a load that
/// counts each event of hundreds.
const MOST: usize = 128;

/// The hashes of the last events.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    last: Vec<u64>,
    next: usize,
}

impl Repeats {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.last.len()
    }

    /// Whether the event was among the last ones; from here on it is.
    pub(super) fn has(&mut self, event: &Event<'_>) -> bool {
        if event.time.is_empty() {
            return false;
        }
        let mut hash = 0;
        for part in [&*event.kind, &*event.time, &*event.text("requestId")] {
            hash = mixed(hash, part.as_bytes());
        }
        if self.last.contains(&hash) {
            return true;
        }
        if let Some(oldest) = self.last.get_mut(self.next) {
            *oldest = hash;
        } else {
            self.last.push(hash);
        }
        self.next = (self.next + 1) % MOST;
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
