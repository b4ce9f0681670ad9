//! Where the records of a text begin and end.
//!
//! Invariants: no more is held than one record of the longest length and what was pushed last; each byte
//! is looked at once.

use std::ops::Range;

use memchr::{memchr, memchr3};

/// Where records begin and end.
#[derive(Debug)]
pub(crate) struct Splitter {
    pub(crate) buffer: Vec<u8>,
    /// Where the record that is looked at begins.
    begin: usize,
    /// How far that is looked at.
    at: usize,
    within: Within,
    line: u64,
    longest: usize,
    /// What is left in the buffer is whole.
    pub(crate) is_at_end: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    /// Between two records.
    Nothing,
    /// Braces and brackets that are open.
    Object { depth: usize },
    /// A string in one, perhaps just after a backslash.
    Text { depth: usize, is_escaped: bool },
    /// Something else, up to the end of the line.
    Other,
    /// The rest of a line that was too long.
    Excess,
}

impl Splitter {
    pub(crate) fn new(longest: usize) -> Self {
        Self {
            buffer: Vec::new(),
            begin: 0,
            at: 0,
            within: Within::Nothing,
            line: 1,
            longest,
            is_at_end: false,
        }
    }

    /// The number of the next record's line and where it is in the buffer, or what is wrong with it; it is
    /// there until the next call.
    pub(crate) fn next(&mut self) -> Option<(u64, Result<Range<usize>, String>)> {
        while let Some(byte) = self.next_byte() {
            let is_line_feed = byte == b'\n';
            let number = self.line;
            let within = if is_line_feed {
                self.line += 1;
                Within::Nothing
            } else {
                step(self.within, byte)
            };
            let before = std::mem::replace(&mut self.within, within);
            if before == Within::Nothing {
                self.begin = self.at;
            }
            self.at += 1;
            let has_begun = !matches!(before, Within::Nothing | Within::Excess);
            if has_begun && within == Within::Nothing {
                let end = self.at - usize::from(is_line_feed);
                return Some((number, Ok(self.begin..end)));
            }
            if within != Within::Nothing && self.at - self.begin > self.longest {
                if within != Within::Excess {
                    self.within = Within::Excess;
                    let problem = format!("it is longer than {} bytes", self.longest);
                    return Some((number, Err(problem)));
                }
                self.begin = self.at;
            }
        }
        let is_left = !matches!(self.within, Within::Nothing | Within::Excess);
        if self.is_at_end && is_left {
            self.within = Within::Nothing;
            return Some((self.line, Ok(self.begin..self.buffer.len())));
        }
        // What is behind us is not needed any more.
        let done = if is_left { self.begin } else { self.at };
        self.buffer.drain(..done);
        self.at -= done;
        self.begin = 0;
        None
    }

    /// The next byte that can change anything: most of a record is text within quotes.
    fn next_byte(&mut self) -> Option<u8> {
        let rest = self.buffer.get(self.at..)?;
        let found = match self.within {
            Within::Text {
                is_escaped: false, ..
            } => memchr3(b'"', b'\\', b'\n', rest),
            Within::Other | Within::Excess => memchr(b'\n', rest),
            Within::Nothing | Within::Object { .. } | Within::Text { .. } => Some(0),
        };
        // One byte that is too much is to be seen.
        let most = (self.begin + self.longest).saturating_sub(self.at);
        self.at += found.unwrap_or(rest.len()).min(most);
        self.buffer.get(self.at).copied()
    }
}

/// What one byte makes of it; a line feed has been seen to.
fn step(within: Within, byte: u8) -> Within {
    match (within, byte) {
        (Within::Nothing, b'{') => Within::Object { depth: 1 },
        (Within::Nothing, byte) if byte.is_ascii_whitespace() => Within::Nothing,
        (Within::Nothing | Within::Other, _) => Within::Other,
        (Within::Excess, _) => Within::Excess,
        (Within::Object { depth }, b'"') => Within::Text {
            depth,
            is_escaped: false,
        },
        (Within::Object { depth }, b'{' | b'[') => Within::Object { depth: depth + 1 },
        (Within::Object { depth: 1 }, b'}' | b']') => Within::Nothing,
        (Within::Object { depth }, b'}' | b']') => Within::Object { depth: depth - 1 },
        (Within::Object { depth }, _) => Within::Object { depth },
        (Within::Text { depth, is_escaped }, byte) => match (is_escaped, byte) {
            (false, b'"') => Within::Object { depth },
            (false, b'\\') => Within::Text {
                depth,
                is_escaped: true,
            },
            _ => Within::Text {
                depth,
                is_escaped: false,
            },
        },
    }
}
