//! Bits in the order of deflate: from the lowest of each byte on (RFC 1951, section 3.1.1).

/// Where a block is written: room that was made for it, and the bits that do not fill a byte yet.
#[derive(Debug)]
pub(crate) struct Bits<'a> {
    out: &'a mut [u8],
    length: usize,
    /// What does not fill a byte yet, and how many bits that is.
    begun: u64,
    count: u32,
}

/// What a flush writes, of which as much counts as is full.
const WORD: usize = size_of::<u64>();

impl<'a> Bits<'a> {
    /// After what is in `out` and the bits that were begun, with room for this many bytes more.
    pub(crate) fn after(out: &'a mut Vec<u8>, (begun, count): (u64, u32), room: usize) -> Self {
        let length = out.len();
        out.resize(length + room + WORD, 0);
        Self {
            out,
            length,
            begun,
            count,
        }
    }

    /// Appends the lowest `count` bits; the others are zero. Between two flushes there is room for 56 bits.
    #[inline]
    pub(crate) fn put(&mut self, bits: u64, count: u32) {
        self.begun |= bits << self.count;
        self.count += count;
    }

    /// Writes the bytes that are full.
    #[inline]
    pub(crate) fn flush(&mut self) {
        debug_assert!(self.length + WORD <= self.out.len(), "there is room");
        if let Some(room) = self.out.get_mut(self.length..self.length + WORD) {
            room.copy_from_slice(&self.begun.to_le_bytes());
        }
        let full = self.count / 8;
        self.length += full as usize;
        self.begun >>= full * 8;
        self.count %= 8;
    }

    /// Fills the last byte with zeros.
    pub(crate) fn align(&mut self) {
        self.count = self.count.next_multiple_of(8);
        self.flush();
    }

    /// Appends bytes, after [`Bits::align`].
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        debug_assert!(self.length + bytes.len() <= self.out.len(), "there is room");
        if let Some(room) = self.out.get_mut(self.length..self.length + bytes.len()) {
            room.copy_from_slice(bytes);
        }
        self.length += bytes.len();
    }

    /// The bytes that are written, with those that were there before.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// The bits that do not fill a byte yet.
    pub(crate) fn begun(&self) -> (u64, u32) {
        (self.begun, self.count)
    }
}
