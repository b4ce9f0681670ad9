//! Protocol Buffers as JSON, by the tables.
//!
//! Invariants: what is read is never trusted: any bytes end in JSON or in an error, in time that is linear in
//! them, and nesting is bounded; what comes out is valid JSON in the order of the tables, so that equal messages
//! make equal text. A field that is not in the tables is left out, and bytes of a text that are not UTF-8 are
//! replaced.

use std::io::Write as _;

use super::schema::{Field, Kind, MOST_FIELDS, Message, Presence};
use crate::wire::{Field as Wire, Fields, Malformed};

/// Messages in messages, from an item on. JSON is twice as deep, and its readers stop at 128.
pub(super) const MOST_DEPTH: usize = 50;

/// Why there is no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    Malformed,
    TooDeep,
}

impl From<Malformed> for Unreadable {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Writes a message as a JSON object.
pub(super) fn json(message: Message, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Unreadable> {
    object(message, bytes, MOST_DEPTH, out)
}

fn object(
    message: Message,
    bytes: &[u8],
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), Unreadable> {
    let depth = depth.checked_sub(1).ok_or(Unreadable::TooDeep)?;
    let mut once: [Option<Wire<'_>>; MOST_FIELDS] = [None; MOST_FIELDS];
    let known = |number: u32, value| {
        let index = message.iter().position(|known| known.number == number)?;
        fits(&message[index], value).then_some(index)
    };
    for field in Fields(bytes) {
        let (number, value) = field?;
        let Some(index) = known(number, value) else {
            continue;
        };
        if message[index].presence == Presence::Choice {
            for (other, slot) in message.iter().zip(&mut once) {
                if other.presence == Presence::Choice {
                    *slot = None;
                }
            }
        }
        let is_nothing = match message[index].presence {
            Presence::Implicit => is_zero(&message[index], value),
            Presence::Many => is_empty_list(message[index].kind, value) && once[index].is_none(),
            Presence::Optional | Presence::Choice => false,
        };
        once[index] = (!is_nothing).then_some(value);
    }
    out.push(b'{');
    let mut is_empty = true;
    for (index, field) in message.iter().enumerate() {
        let Some(single) = once[index] else {
            continue;
        };
        if !std::mem::take(&mut is_empty) {
            out.push(b',');
        }
        name(out, field.name);
        if field.presence != Presence::Many {
            value(field.kind, single, depth, out)?;
            continue;
        }
        out.push(b'[');
        let start = out.len();
        // Read again: a list of what was read could be many times as large as the message.
        for element in Fields(bytes) {
            let (number, element) = element?;
            if known(number, element) == Some(index) {
                elements(field.kind, element, depth, out, start)?;
            }
        }
        out.push(b']');
    }
    out.push(b'}');
    Ok(())
}

/// Whether a value is of the field's type; another is a field of a version that is not known.
fn fits(field: &Field, value: Wire<'_>) -> bool {
    let is_packed = field.presence == Presence::Many && matches!(value, Wire::Bytes(_));
    match field.kind {
        Kind::Text | Kind::Base64 | Kind::Hex | Kind::Message(_) => {
            matches!(value, Wire::Bytes(_))
        }
        Kind::Bool | Kind::Uint32 | Kind::Enum | Kind::Sint32 | Kind::Int64 | Kind::Uint64 => {
            is_packed || matches!(value, Wire::Varint(_))
        }
        Kind::Fixed32 => is_packed || matches!(value, Wire::Fixed32(_)),
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => {
            is_packed || matches!(value, Wire::Fixed64(_))
        }
    }
}

/// Whether a value is what a field without one has.
fn is_zero(field: &Field, value: Wire<'_>) -> bool {
    match (field.kind, value) {
        (Kind::Message(_), _) => false,
        (_, Wire::Bytes(bytes)) => bytes.is_empty(),
        (_, Wire::Varint(number) | Wire::Fixed64(number)) => number == 0,
        (_, Wire::Fixed32(number)) => number == 0,
    }
}

/// Whether it is a packed list without elements.
fn is_empty_list(kind: Kind, value: Wire<'_>) -> bool {
    let is_element = matches!(
        kind,
        Kind::Text | Kind::Base64 | Kind::Hex | Kind::Message(_)
    );
    !is_element && value == Wire::Bytes(&[])
}

/// The elements that one occurrence of a repeated field stands for: one, or a packed list.
fn elements(
    kind: Kind,
    element: Wire<'_>,
    depth: usize,
    out: &mut Vec<u8>,
    start: usize,
) -> Result<(), Unreadable> {
    let push = |element, out: &mut Vec<u8>| {
        if out.len() > start {
            out.push(b',');
        }
        value(kind, element, depth, out)
    };
    let Wire::Bytes(bytes) = element else {
        return push(element, out);
    };
    match kind {
        Kind::Text | Kind::Base64 | Kind::Hex | Kind::Message(_) => push(element, out),
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => {
            let (all, rest) = bytes.as_chunks::<8>();
            if !rest.is_empty() {
                return Err(Unreadable::Malformed);
            }
            let mut all = all.iter();
            all.try_for_each(|it| push(Wire::Fixed64(u64::from_le_bytes(*it)), out))
        }
        Kind::Fixed32 => {
            let (all, rest) = bytes.as_chunks::<4>();
            if !rest.is_empty() {
                return Err(Unreadable::Malformed);
            }
            let mut all = all.iter();
            all.try_for_each(|it| push(Wire::Fixed32(u32::from_le_bytes(*it)), out))
        }
        Kind::Bool | Kind::Uint32 | Kind::Enum | Kind::Sint32 | Kind::Int64 | Kind::Uint64 => {
            let mut rest = Fields(bytes);
            while !rest.0.is_empty() {
                let number = rest.varint().ok_or(Unreadable::Malformed)?;
                push(Wire::Varint(number), out)?;
            }
            Ok(())
        }
    }
}

fn value(kind: Kind, value: Wire<'_>, depth: usize, out: &mut Vec<u8>) -> Result<(), Unreadable> {
    // Writing to a vector cannot fail.
    match (kind, value) {
        (Kind::Message(message), Wire::Bytes(bytes)) => {
            return object(message, bytes, depth, out);
        }
        (Kind::Text, Wire::Bytes(bytes)) => {
            _ = serde_json::to_writer(out, &*String::from_utf8_lossy(bytes));
        }
        (Kind::Hex, Wire::Bytes(bytes)) => {
            out.push(b'"');
            for byte in bytes {
                _ = write!(out, "{byte:02x}");
            }
            out.push(b'"');
        }
        (_, Wire::Bytes(bytes)) => {
            out.push(b'"');
            base64(bytes, out);
            out.push(b'"');
        }
        (Kind::Bool, Wire::Varint(number)) => _ = write!(out, "{}", number != 0),
        (Kind::Enum, Wire::Varint(number)) => _ = write!(out, "{}", low(number).cast_signed()),
        (Kind::Sint32, Wire::Varint(number)) => {
            let number = low(number);
            let signed = (number >> 1).cast_signed() ^ -(number & 1).cast_signed();
            _ = write!(out, "{signed}");
        }
        (Kind::Int64, Wire::Varint(number)) => _ = write!(out, "\"{}\"", number.cast_signed()),
        (Kind::Uint64, Wire::Varint(number)) => _ = write!(out, "\"{number}\""),
        (_, Wire::Varint(number)) => _ = write!(out, "{}", low(number)),
        (Kind::Double, Wire::Fixed64(bits)) => double(f64::from_bits(bits), out),
        (Kind::Sfixed64, Wire::Fixed64(bits)) => _ = write!(out, "\"{}\"", bits.cast_signed()),
        (_, Wire::Fixed64(bits)) => _ = write!(out, "\"{bits}\""),
        (_, Wire::Fixed32(number)) => _ = write!(out, "{number}"),
    }
    Ok(())
}

/// The lower 32 bits: what a decoder makes of a varint that is too large for its field.
fn low(number: u64) -> u32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

fn double(value: f64, out: &mut Vec<u8>) {
    match value {
        value if value.is_nan() => out.extend_from_slice(b"\"NaN\""),
        f64::INFINITY => out.extend_from_slice(b"\"Infinity\""),
        f64::NEG_INFINITY => out.extend_from_slice(b"\"-Infinity\""),
        value => _ = write!(out, "{value:?}"),
    }
}

pub(super) fn name(out: &mut Vec<u8>, name: &str) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let of = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let bits = of(0) << 16 | of(1) << 8 | of(2);
        for place in 0..4 {
            let digit = (bits >> (18 - 6 * place)) & 63;
            let is_padding = place > chunk.len();
            out.push(if is_padding {
                b'='
            } else {
                DIGITS[digit as usize]
            });
        }
    }
}
