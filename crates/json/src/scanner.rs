//! One pass over JSON text: where a value ends, and what about it strict readers refuse.
//!
//! Invariants:
//! - It accepts what RFC 8259 calls JSON, in any encoding of the text above ASCII, and nothing else.
//!   The one exception is a value that is [unreadable](Scanner::is_unreadable) for its depth: of that
//!   only the brackets are balanced.
//! - It is linear in the bytes that it reads, takes no memory and never recurses.

use std::ops::Range;

use super::escape::{Escape, UNIT, escape};
use super::lanes::plain;

/// The most levels of arrays and objects that a record may have. Readers differ: `serde_json` stops
/// at 128, and the object of the line is one more level.
pub const MOST_DEPTH: u32 = 126;

/// A number within these digits is within the range of a double, whatever its digits are.
const SAFE_INTEGER_DIGITS: usize = 200;
const SAFE_EXPONENT_DIGITS: usize = 2;

/// Whether the text is one JSON value, and nothing that common readers refuse. Takes no memory, whatever
/// the text is.
pub fn is_json(text: &str) -> bool {
    let mut scanner = Scanner::new(text.as_bytes(), 0);
    scanner.space();
    let is_value = scanner.value().is_ok() && !scanner.is_unreadable;
    scanner.space();
    is_value && scanner.peek().is_none()
}

/// The text at the scanner's place is not JSON.
#[derive(Debug, PartialEq, Eq)]
pub struct NotJson;

/// Reads values one after the other, and notes what it has seen in all of them.
#[derive(Debug)]
pub struct Scanner<'a> {
    bytes: &'a [u8],
    /// The offset of the next byte.
    pub at: usize,
    /// The deepest nesting of any value so far.
    pub depth: u32,
    /// An escape such as `\ud800` without its other half was seen: not the text of any string.
    pub has_lone_surrogate: bool,
    /// A line break between tokens was seen.
    pub has_line_break: bool,
    /// Something was seen that is JSON, and that common readers refuse: a nesting deeper than
    /// [`MOST_DEPTH`], or a number beyond the range of a double.
    pub is_unreadable: bool,
}

impl<'a> Scanner<'a> {
    /// A scanner of `bytes` that begins at an offset.
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at,
            depth: 0,
            has_lone_surrogate: false,
            has_line_break: false,
            is_unreadable: false,
        }
    }

    /// The next byte.
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Passes over white space.
    pub fn space(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' => {}
                b'\n' | b'\r' => self.has_line_break = true,
                _ => return,
            }
            self.at += 1;
        }
    }

    /// Passes over one value that begins at the scanner's place.
    pub fn value(&mut self) -> Result<(), NotJson> {
        // One bit for each open bracket, the innermost lowest: 1 for an object.
        let mut open: u128 = 0;
        let mut depth = 0;
        loop {
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    if depth == MOST_DEPTH {
                        return self.balance(depth);
                    }
                    let is_object = bracket == b'{';
                    depth += 1;
                    self.depth = self.depth.max(depth);
                    open = open << 1 | u128::from(is_object);
                    self.at += 1;
                    self.space();
                    if self.peek() == Some(closing(is_object)) {
                        self.at += 1;
                        open >>= 1;
                        depth -= 1;
                    } else {
                        if is_object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                Some(b'"') => self.string()?,
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.word(b"true")?,
                Some(b'f') => self.word(b"false")?,
                Some(b'n') => self.word(b"null")?,
                Some(_) | None => return Err(NotJson),
            }
            // A value has ended: so may what it stands in.
            loop {
                if depth == 0 {
                    return Ok(());
                }
                self.space();
                let is_object = open & 1 == 1;
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        self.space();
                        if is_object {
                            self.key()?;
                        }
                        break;
                    }
                    Some(bracket) if bracket == closing(is_object) => {
                        self.at += 1;
                        open >>= 1;
                        depth -= 1;
                    }
                    Some(_) | None => return Err(NotJson),
                }
            }
        }
    }

    /// Passes over an object, and calls for each member with its key, quotes included, and where its
    /// value is. The values' nesting is noted, each for itself.
    pub fn members(
        &mut self,
        mut visit: impl FnMut(&'a [u8], Range<usize>),
    ) -> Result<(), NotJson> {
        self.at += 1;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let start = self.at;
            let end = self.key_and_colon()?;
            let value = self.at;
            self.value()?;
            visit(&self.bytes[start..end], value..self.at);
            self.space();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.space();
                }
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(_) | None => return Err(NotJson),
            }
        }
    }

    fn key(&mut self) -> Result<(), NotJson> {
        self.key_and_colon().map(drop)
    }

    /// Passes over a key and its colon, up to the value. Gives the key's end.
    fn key_and_colon(&mut self) -> Result<usize, NotJson> {
        if self.peek() != Some(b'"') {
            return Err(NotJson);
        }
        self.string()?;
        let end = self.at;
        self.space();
        if self.peek() != Some(b':') {
            return Err(NotJson);
        }
        self.at += 1;
        self.space();
        Ok(end)
    }

    fn string(&mut self) -> Result<(), NotJson> {
        self.at += 1;
        loop {
            self.at += plain(&self.bytes[self.at..]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                // A control character, or the end.
                Some(_) | None => return Err(NotJson),
            }
        }
    }

    fn escape(&mut self) -> Result<(), NotJson> {
        match escape(&self.bytes[self.at..]) {
            Escape::None => Err(NotJson),
            Escape::Char(_, length) => {
                self.at += length;
                Ok(())
            }
            Escape::LoneSurrogate => {
                self.has_lone_surrogate = true;
                self.at += UNIT;
                Ok(())
            }
        }
    }

    fn number(&mut self) -> Result<(), NotJson> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let integer = if self.peek() == Some(b'0') {
            self.at += 1;
            1
        } else {
            self.digits()?
        };
        let mut exponent = 0;
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            exponent = self.digits()?;
        }
        if integer > SAFE_INTEGER_DIGITS || exponent > SAFE_EXPONENT_DIGITS {
            self.is_unreadable |= !is_double(&self.bytes[start..self.at]);
        }
        self.delimiter()
    }

    /// Passes over digits. Says how many; one is the least.
    fn digits(&mut self) -> Result<usize, NotJson> {
        let rest = &self.bytes[self.at..];
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { Err(NotJson) } else { Ok(count) }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), NotJson> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(NotJson);
        }
        self.at += word.len();
        self.delimiter()
    }

    /// What has no quote or bracket at its end must be followed by something that ends it.
    fn delimiter(&self) -> Result<(), NotJson> {
        match self.peek() {
            None
            | Some(b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' | b'"' | b'[' | b']' | b'{' | b'}') => {
                Ok(())
            }
            Some(_) => Err(NotJson),
        }
    }

    /// Passes over the rest of a value that is too deep, by its brackets alone.
    fn balance(&mut self, mut depth: u32) -> Result<(), NotJson> {
        self.is_unreadable = true;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
        Err(NotJson)
    }
}

fn closing(is_object: bool) -> u8 {
    if is_object { b'}' } else { b']' }
}

/// Whether a number is one to those who read it as a double.
fn is_double(number: &[u8]) -> bool {
    // Two readers, because they round differently at the edge.
    let is_finite = |text: &str| text.parse::<f64>().is_ok_and(f64::is_finite);
    std::str::from_utf8(number).is_ok_and(is_finite)
        && serde_json::from_slice::<f64>(number).is_ok_and(f64::is_finite)
}
