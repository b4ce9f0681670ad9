//! The wire format of Protocol Buffers, as much as is needed to write a message and to read one
//! (<https://protobuf.dev/programming-guides/encoding/>).
//!
//! Invariants: a message is written in one pass, and its length patched in before it; what is read is never
//! trusted: lengths are checked, unknown fields passed over.

/// Appends fields to a message.
pub(crate) trait Message: Sized {
    /// What was written so far.
    fn buffer(&mut self) -> &mut Vec<u8>;

    /// A message within this one.
    fn message(&mut self, field: u32, write: impl FnOnce(&mut Self));

    #[inline]
    fn tag(&mut self, field: u32, wire_type: u8) {
        push_varint(self.buffer(), u64::from(field << 3) | u64::from(wire_type));
    }

    /// A varint, whatever its value.
    fn varint(&mut self, field: u32, value: u64) {
        self.tag(field, VARINT);
        push_varint(self.buffer(), value);
    }

    fn fixed64(&mut self, field: u32, value: u64) {
        self.tag(field, FIXED_64);
        self.buffer().extend_from_slice(&value.to_le_bytes());
    }

    fn fixed32(&mut self, field: u32, value: u32) {
        self.tag(field, FIXED_32);
        self.buffer().extend_from_slice(&value.to_le_bytes());
    }

    fn double(&mut self, field: u32, value: f64) {
        self.fixed64(field, value.to_bits());
    }

    /// A packed list of numbers of 64 bits.
    fn packed(&mut self, field: u32, mut values: impl ExactSizeIterator<Item = u64>) {
        self.message_of(field, 8 * values.len());
        // A few appends instead of one for each number.
        let mut some = [[0; 8]; 16];
        while values.len() > 0 {
            let count = values.len().min(some.len());
            for (place, value) in some.iter_mut().zip(&mut values) {
                *place = value.to_le_bytes();
            }
            let written = some.get(..count).unwrap_or_default();
            self.buffer().extend_from_slice(written.as_flattened());
        }
    }

    #[inline]
    fn bytes(&mut self, field: u32, value: &[u8]) {
        self.message_of(field, value.len());
        self.buffer().extend_from_slice(value);
    }

    fn string(&mut self, field: u32, value: &str) {
        self.bytes(field, value.as_bytes());
    }

    /// The beginning of a message of this length, which follows.
    #[inline]
    fn message_of(&mut self, field: u32, length: usize) {
        self.tag(field, LENGTH);
        push_varint(self.buffer(), length as u64);
    }
}

/// A message that is likely longer than 127 bytes, within another.
#[inline]
pub(crate) fn long_message(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    out.tag(field, LENGTH);
    let at = out.len();
    out.extend_from_slice(&[0, 0]);
    write(out);
    patch(out, at, 2);
}

/// What is shorter has its length in one byte.
pub(crate) const SHORT: usize = 0x80;

/// The beginning of a message shorter than [`SHORT`] in a field below 16.
#[inline]
pub(crate) fn short_head(field: u32, length: usize) -> [u8; 2] {
    let [tag, ..] = (field << 3 | u32::from(LENGTH)).to_le_bytes();
    let [length, ..] = length.to_le_bytes();
    [tag, length]
}

/// The bytes that a field of this many bytes takes, where its number is below 16.
pub(crate) fn field_of(length: usize) -> usize {
    1 + varint_length(length) + length
}

fn varint_length(value: usize) -> usize {
    let bits = (value | 1).ilog2() + 1;
    bits.div_ceil(7) as usize
}

const VARINT: u8 = 0;
const FIXED_64: u8 = 1;
const LENGTH: u8 = 2;
const FIXED_32: u8 = 5;

impl Message for Vec<u8> {
    fn buffer(&mut self) -> &mut Vec<u8> {
        self
    }

    /// What is longer than 127 bytes is moved once, and so is what it is in: for a few levels, and not for nesting that
    /// somebody else chooses ([`nested`]).
    #[inline]
    fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        self.tag(field, LENGTH);
        let at = self.len();
        // One byte holds the length of most.
        self.push(0);
        write(self);
        patch(self, at, 1);
    }
}

/// Appends messages that are nested as deep as somebody else wants it.
pub(crate) fn nested<T>(out: &mut Vec<u8>, write: impl FnOnce(&mut Nested<'_>) -> T) -> T {
    let mut nested = Nested {
        out,
        long: Vec::new(),
        owed: 0,
    };
    let written = write(&mut nested);
    nested.finish();
    written
}

/// Messages in messages, of which one byte is kept for the length of each. Where lengths need more, all is moved at the
/// end, each byte once: the work is linear, however deep they are.
#[derive(Debug)]
pub(crate) struct Nested<'a> {
    out: &'a mut Vec<u8>,
    /// The places of lengths that need more than a byte, and the lengths.
    long: Vec<(usize, usize)>,
    /// The bytes that these need beside the ones that are kept.
    owed: usize,
}

impl Message for Nested<'_> {
    fn buffer(&mut self) -> &mut Vec<u8> {
        self.out
    }

    fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        self.tag(field, LENGTH);
        let (at, owed) = (self.out.len(), self.owed);
        self.out.push(0);
        write(self);
        let length = self.out.len() - at - 1 + (self.owed - owed);
        match self.out.get_mut(at) {
            Some(byte) if length < 0x80 => *byte = length.to_le_bytes()[0],
            _ => {
                self.long.push((at, length));
                self.owed += varint_length(length) - 1;
            }
        }
    }
}

impl Nested<'_> {
    /// Writes the lengths that are left. Says how many bytes it moved.
    fn finish(self) -> usize {
        let Self {
            out,
            mut long,
            owed,
        } = self;
        // From the end on: what is behind a length has its place already.
        long.sort_unstable_by_key(|(at, _)| std::cmp::Reverse(*at));
        let mut end = out.len();
        out.resize(end + owed, 0);
        let mut to = out.len();
        let mut moved = 0;
        for (at, length) in long {
            let start = at + 1;
            to -= end - start;
            out.copy_within(start..end, to);
            moved += end - start;
            to -= varint_length(length);
            put_varint(out, to, length);
            end = at;
        }
        moved
    }
}

/// Writes the length of the message that begins at `at`, where `kept` bytes are free for the length.
fn patch(out: &mut Vec<u8>, at: usize, kept: usize) {
    let start = at + kept;
    let length = out.len() - start;
    // Nearly all lengths fit into what was kept for them.
    match (kept, length, out.get_mut(at..start)) {
        (1, 0..0x80, Some([only])) => {
            *only = length.to_le_bytes()[0];
            return;
        }
        (2, 0x80..0x4000, Some([first, second])) => {
            *first = (length & 0x7f).to_le_bytes()[0] | 0x80;
            *second = (length >> 7).to_le_bytes()[0];
            return;
        }
        _ => {}
    }
    let needed = varint_length(length);
    if needed > kept {
        out.extend_from_slice(&[0; 10][..needed - kept]);
        out.copy_within(start..start + length, at + needed);
    } else if needed < kept {
        out.copy_within(start.., at + needed);
        out.truncate(at + needed + length);
    }
    put_varint(out, at, length);
}

/// Writes a varint over what is in its place.
fn put_varint(out: &mut [u8], at: usize, mut value: usize) {
    let needed = varint_length(value);
    for (place, byte) in out.iter_mut().skip(at).take(needed).enumerate() {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        let more = if place + 1 < needed { 0x80 } else { 0 };
        *byte = low & 0x7f | more;
    }
}

#[inline]
fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        if value < 0x80 {
            return out.push(low);
        }
        // The low seven bits; more follow.
        out.push(low | 0x80);
        value >>= 7;
    }
}

/// A field that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

/// The fields of a message, by number; what is not one ends them with `Err`.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

/// It is not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Field<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or(Malformed))
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<(u32, Field<'a>)> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| *number > 0)?;
        let value = match (tag & 7) as u8 {
            VARINT => Field::Varint(self.varint()?),
            FIXED_64 => Field::Fixed64(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            FIXED_32 => Field::Fixed32(u32::from_le_bytes(self.take(4)?.try_into().ok()?)),
            LENGTH => {
                let length = usize::try_from(self.varint()?).ok()?;
                Field::Bytes(self.take(length)?)
            }
            _ => return None,
        };
        Some((number, value))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// Takes a varint that stands alone, as in a packed list.
    pub(crate) fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for place in 0..10 {
            let byte = *self.take(1)?.first()?;
            value |= u64::from(byte & 0x7f).checked_shl(7 * place)?;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_whatever_its_length() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 3_000_000] {
            let text = "x".repeat(length);
            let write = |inner: &mut Vec<u8>| {
                inner.varint(2, u64::MAX);
                inner.string(3, &text);
                inner.double(4, 1.5);
            };
            let mut out = Vec::new();
            out.message(1, write);
            let mut other = Vec::new();
            long_message(&mut other, 1, write);
            assert!(out == other, "{length}");
            let mut fields = Fields(&out);
            let Some(Ok((1, Field::Bytes(inner)))) = fields.next() else {
                panic!("{length}");
            };
            assert_eq!(fields.next(), None);
            assert_eq!(out.len(), field_of(inner.len()));
            let inner: Vec<_> = Fields(inner)
                .map(|field| field.expect("it is one"))
                .collect();
            let expected = [
                (2, Field::Varint(u64::MAX)),
                (3, Field::Bytes(text.as_bytes())),
                (4, Field::Fixed64(1.5_f64.to_bits())),
            ];
            assert_eq!(inner, expected);
        }
    }

    /// Messages within each other, with text before and after each.
    fn write_levels<M: Message>(out: &mut M, levels: usize, text: &str) {
        out.string(1, text);
        if levels > 0 {
            out.message(2, |out| write_levels(out, levels - 1, text));
            out.message(3, |out| out.string(1, text));
        }
        out.string(4, text);
    }

    #[test]
    fn nested_messages_are_the_same_bytes_and_each_byte_is_moved_at_most_once() {
        for length in [0, 1, 20, 60, 62, 130, 8_150, 16_384] {
            for levels in [0, 1, 2, 3, 40, 127] {
                let text = "x".repeat(length);
                let mut plain = b"before".to_vec();
                write_levels(&mut plain, levels, &text);
                let mut out = b"before".to_vec();
                let mut nested = Nested {
                    out: &mut out,
                    long: Vec::new(),
                    owed: 0,
                };
                write_levels(&mut nested, levels, &text);
                let moved = nested.finish();
                assert!(out == plain, "{length} {levels}");
                assert!(moved <= out.len(), "{moved} of {}", out.len());
            }
        }
    }

    #[test]
    fn what_is_no_message_ends_without_a_panic() {
        for bytes in [
            &[0x0a][..],
            &[
                0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
            ],
            &[0x0b],
            &[0x00],
            &[0xff; 12],
            &[0x09, 1, 2],
        ] {
            let fields: Vec<_> = Fields(bytes).collect();
            assert_eq!(fields.last(), Some(&Err(Malformed)), "{bytes:?}");
        }
    }
}
