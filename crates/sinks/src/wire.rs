//! The wire format of Protocol Buffers, as much as is needed to write a message and to read one
//! (<https://protobuf.dev/programming-guides/encoding/>).
//!
//! Invariants: a message is written in one pass, and its length patched in before it; what is read is never
//! trusted: lengths are checked, unknown fields passed over.

/// Appends fields to a message.
pub(crate) trait Message {
    fn tag(&mut self, field: u32, wire_type: u8);
    /// A varint, whatever its value.
    fn varint(&mut self, field: u32, value: u64);
    fn fixed64(&mut self, field: u32, value: u64);
    fn fixed32(&mut self, field: u32, value: u32);
    fn double(&mut self, field: u32, value: f64);
    fn bytes(&mut self, field: u32, value: &[u8]);
    fn string(&mut self, field: u32, value: &str);
    /// A message within this one.
    fn message(&mut self, field: u32, write: impl FnOnce(&mut Self));
}

const VARINT: u8 = 0;
const FIXED_64: u8 = 1;
const LENGTH: u8 = 2;
const FIXED_32: u8 = 5;

impl Message for Vec<u8> {
    fn tag(&mut self, field: u32, wire_type: u8) {
        push_varint(self, u64::from(field << 3) | u64::from(wire_type));
    }

    fn varint(&mut self, field: u32, value: u64) {
        self.tag(field, VARINT);
        push_varint(self, value);
    }

    fn fixed64(&mut self, field: u32, value: u64) {
        self.tag(field, FIXED_64);
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn fixed32(&mut self, field: u32, value: u32) {
        self.tag(field, FIXED_32);
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn double(&mut self, field: u32, value: f64) {
        self.fixed64(field, value.to_bits());
    }

    fn bytes(&mut self, field: u32, value: &[u8]) {
        self.tag(field, LENGTH);
        push_varint(self, value.len() as u64);
        self.extend_from_slice(value);
    }

    fn string(&mut self, field: u32, value: &str) {
        self.bytes(field, value.as_bytes());
    }

    fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        self.tag(field, LENGTH);
        let at = self.len();
        // Most messages are shorter than 128 bytes: one byte holds their length.
        self.push(0);
        write(self);
        let length = self.len() - at - 1;
        let mut encoded = Self::with_capacity(10);
        push_varint(&mut encoded, length as u64);
        self.splice(at..=at, encoded);
    }
}

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
            let mut out = Vec::new();
            out.message(1, |inner| {
                inner.varint(2, u64::MAX);
                inner.string(3, &text);
                inner.double(4, 1.5);
            });
            let mut fields = Fields(&out);
            let Some(Ok((1, Field::Bytes(inner)))) = fields.next() else {
                panic!("{length}");
            };
            assert_eq!(fields.next(), None);
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
