//! A short text, such as a name or a level, as it is peeled out of JSON.
//!
//! Invariant: it allocates nothing; of a longer text it holds the beginning.

use crate::escape_reader::EscapeReader;

/// A short text, cut off where it is longer.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Word {
    bytes: [u8; 24],
    length: usize,
}

impl Word {
    pub(crate) fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    /// Reads a string from after its quote to its end.
    pub(crate) fn read(reader: &mut EscapeReader<'_>, level: usize) -> Self {
        let mut word = Self::default();
        while word.length < word.bytes.len()
            && let Some(byte) = reader.next(level)
        {
            word.push(byte);
        }
        reader.finish(level);
        word
    }

    /// Reads a number from after its first byte. What ends it is a comma or white space; a bracket is put
    /// back.
    pub(crate) fn number(first: u8, reader: &mut EscapeReader<'_>, level: usize) -> Self {
        let mut word = Self::default();
        word.push(first);
        while let Some(byte) = reader.peek(level)
            && (byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'))
        {
            word.push(byte);
            reader.next(level);
        }
        word
    }

    /// In lower case, and without what separates words.
    pub(crate) fn plain(text: &[u8]) -> Self {
        let mut word = Self::default();
        for byte in text
            .iter()
            .filter(|byte| !matches!(byte, b'_' | b'.' | b'-'))
        {
            word.push(byte.to_ascii_lowercase());
        }
        word
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}
