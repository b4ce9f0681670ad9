//! Reads protobuf's wire format (<https://protobuf.dev/programming-guides/encoding/>).
//!
//! Invariant: a message is read to its end or refused. Must not share code with what writes it.

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

const CUT_OFF: &str = "the message is cut off";

/// The fields of a message, by number.
pub(super) fn fields(mut rest: &[u8]) -> Result<Vec<(u64, Field<'_>)>, String> {
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        let field = match tag & 7 {
            0 => Field::Varint(varint(&mut rest)?),
            1 => Field::Fixed64(u64::from_le_bytes(array(&mut rest)?)),
            2 => {
                let length = usize::try_from(varint(&mut rest)?).map_err(|_| CUT_OFF)?;
                let (bytes, after) = rest.split_at_checked(length).ok_or(CUT_OFF)?;
                rest = after;
                Field::Bytes(bytes)
            }
            5 => Field::Fixed32(u32::from_le_bytes(array(&mut rest)?)),
            other => return Err(format!("there is no wire type {other}")),
        };
        fields.push((tag >> 3, field));
    }
    Ok(fields)
}

/// A text, which is UTF-8.
pub(super) fn text(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "a string is not UTF-8".to_owned())
}

/// A field that the message does not have.
pub(super) fn unknown<T>(message: &str, field: (u64, Field<'_>)) -> Result<T, String> {
    Err(format!("{message} has no field {field:?}"))
}

fn varint(rest: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0;
    for place in 0..10 {
        let (byte, after) = rest.split_first().ok_or(CUT_OFF)?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("a varint has more than ten bytes".to_owned())
}

fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], String> {
    let (array, after) = rest.split_first_chunk().ok_or(CUT_OFF)?;
    *rest = after;
    Ok(*array)
}
