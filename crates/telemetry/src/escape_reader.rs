//! Text through several levels of JSON escaping, byte by byte and without a copy.
//!
//! At level 0 the bytes are those of the JSON itself. At level 1 they are those that a string at level
//! 0 stands for, and end with it; at level 2 those of a string in the text of such a string; and so on.
//!
//! Invariant: each byte of the input is read at most once, and each level ends where the one below does.

use backstop_json::unit;

/// The highest level: JSON in a string of JSON in a string.
const LEVELS: usize = 4;

/// What stands for a character above ASCII; nothing here looks at those.
const OTHER: u8 = 0xff;

/// A reader at one place of the bytes, and at a level of the caller's choice.
#[derive(Debug, Clone)]
pub(crate) struct EscapeReader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// By level: whether the string there has ended, and nobody has noticed.
    has_ended: [bool; LEVELS],
}

impl<'a> EscapeReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            has_ended: [false; LEVELS],
        }
    }

    /// The next byte at this level; `None` at the end of the string, or of everything.
    pub(crate) fn next(&mut self, level: usize) -> Option<u8> {
        // Nearly all that is read is at these two.
        match (level, self.bytes.get(self.at)) {
            (0, Some(byte)) => {
                self.at += 1;
                Some(*byte)
            }
            (1, Some(byte)) if !self.has_ended[1] && !matches!(byte, b'"' | b'\\') => {
                self.at += 1;
                Some(*byte)
            }
            (0, None) => None,
            _ => self.next_in_string(level),
        }
    }

    fn next_in_string(&mut self, level: usize) -> Option<u8> {
        if self.has_ended.get(level).copied().unwrap_or(true) {
            return None;
        }
        match self.next(level - 1) {
            Some(b'\\') => self.escape(level - 1),
            Some(b'"') | None => {
                self.has_ended[level] = true;
                None
            }
            byte => byte,
        }
    }

    /// The byte that [`Peel::next`] would give.
    pub(crate) fn peek(&self, level: usize) -> Option<u8> {
        self.clone().next(level)
    }

    /// Reads into `space` what is left of the string at this level, as far as it fits. Says how much.
    pub(crate) fn read(&mut self, level: usize, space: &mut [u8]) -> usize {
        let mut length = 0;
        while length < space.len() {
            if level == 1 && !self.has_ended[1] {
                let rest = &self.bytes[self.at..];
                let rest = &rest[..rest.len().min(space.len() - length)];
                let plain = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
                space[length..length + plain].copy_from_slice(&rest[..plain]);
                self.at += plain;
                length += plain;
            }
            match (space.get_mut(length), self.next(level)) {
                (Some(place), Some(byte)) => *place = byte,
                _ => break,
            }
            length += 1;
        }
        length
    }

    /// Passes over the rest of the string at this level.
    pub(crate) fn finish(&mut self, level: usize) {
        if level == 1 && !self.has_ended[1] {
            self.finish_lowest();
        }
        while self.next(level).is_some() {}
        // The next string of this level is another, and so are those in it.
        for has_ended in self.has_ended.iter_mut().skip(level) {
            *has_ended = false;
        }
    }

    /// Most of what is passed over is text of the lowest level: its end is looked for directly.
    fn finish_lowest(&mut self) {
        while let Some(offset) = memchr::memchr2(b'"', b'\\', &self.bytes[self.at..]) {
            self.at += offset;
            if self.bytes[self.at] == b'"' {
                return;
            }
            self.at = (self.at + 2).min(self.bytes.len());
        }
        self.at = self.bytes.len();
    }

    /// What follows a backslash at the level below.
    fn escape(&mut self, below: usize) -> Option<u8> {
        Some(match self.next(below)? {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' | b'f' => b' ',
            b'u' => {
                let mut text = *b"\\u0000";
                for digit in &mut text[2..] {
                    *digit = self.next(below)?;
                }
                let unit = unit(&text).and_then(|unit| u8::try_from(unit).ok());
                unit.filter(u8::is_ascii).unwrap_or(OTHER)
            }
            byte => byte,
        })
    }
}
