//! As much of CBOR as `CloudWatch` is spoken to in: maps, lists, text, numbers, instants.

use serde_json::{Map, Number, Value};

/// What says of a member that it is an instant, in seconds since 1970: CBOR has a tag for those, JSON none.
const INSTANTS: [&str; 1] = ["Timestamps"];
const DEEPEST: usize = 32;
/// In a head: the argument is in the eight bytes that follow.
const EIGHT_BYTES: u8 = 0x1b;

/// A value in CBOR.
pub(crate) fn encoded(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(value, false, &mut bytes);
    bytes
}

/// What these bytes are; none where they are something else or are cut off. Tags are left out.
pub(crate) fn decoded(mut bytes: &[u8]) -> Option<Value> {
    decode(&mut bytes, 0)?.value()
}

/// What comes next.
enum Item {
    Value(Value),
    /// The end of what has no length.
    Break,
}

impl Item {
    fn value(self) -> Option<Value> {
        match self {
            Self::Value(value) => Some(value),
            Self::Break => None,
        }
    }
}

fn encode(value: &Value, is_instant: bool, bytes: &mut Vec<u8>) {
    match value {
        Value::Null => bytes.push(0xf6),
        Value::Bool(is_so) => bytes.push(if *is_so { 0xf5 } else { 0xf4 }),
        Value::Number(number) => {
            if is_instant {
                head(6, 1, bytes);
            }
            if let Some(whole) = number.as_u64() {
                head(0, whole, bytes);
            } else {
                bytes.push(0xfb);
                bytes.extend(number.as_f64().unwrap_or_default().to_be_bytes());
            }
        }
        Value::String(text) => string(text, bytes),
        Value::Array(items) => {
            head(4, items.len() as u64, bytes);
            for item in items {
                encode(item, is_instant, bytes);
            }
        }
        Value::Object(members) => {
            head(5, members.len() as u64, bytes);
            for (name, member) in members {
                string(name, bytes);
                encode(member, INSTANTS.contains(&name.as_str()), bytes);
            }
        }
    }
}

fn string(text: &str, bytes: &mut Vec<u8>) {
    head(3, text.len() as u64, bytes);
    bytes.extend(text.as_bytes());
}

/// The major type and its argument, in the eight bytes that hold any.
fn head(major: u8, argument: u64, bytes: &mut Vec<u8>) {
    bytes.push(major << 5 | EIGHT_BYTES);
    bytes.extend(argument.to_be_bytes());
}

fn decode(bytes: &mut &[u8], depth: usize) -> Option<Item> {
    let first = *bytes.split_off_first()?;
    let (major, short) = (first >> 5, first & 31);
    if depth > DEEPEST {
        return None;
    }
    if first == 0xff {
        return Some(Item::Break);
    }
    let argument = match short {
        0..=23 => Some(u64::from(short)),
        24..=27 => {
            let length = 1 << (short - 24);
            let read = bytes.split_off(..length)?;
            Some(read.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
        }
        _ => None,
    };
    Some(Item::Value(match (major, argument) {
        (0, Some(whole)) => whole.into(),
        (1, Some(whole)) => (-1 - i64::try_from(whole).ok()?).into(),
        (2 | 3, Some(length)) => {
            let read = bytes.split_off(..usize::try_from(length).ok()?)?;
            String::from_utf8_lossy(read).into_owned().into()
        }
        (4, length) => {
            let mut items = Vec::new();
            while length.is_none_or(|length| (items.len() as u64) < length)
                && let Item::Value(item) = decode(bytes, depth + 1)?
            {
                items.push(item);
            }
            items.into()
        }
        (5, length) => {
            let (mut members, mut read) = (Map::new(), 0);
            while length.is_none_or(|length| read < length)
                && let Item::Value(Value::String(name)) = decode(bytes, depth + 1)?
            {
                members.insert(name, decode(bytes, depth + 1)?.value()?);
                read += 1;
            }
            members.into()
        }
        (6, Some(_)) => decode(bytes, depth + 1)?.value()?,
        (7, Some(20)) => false.into(),
        (7, Some(21)) => true.into(),
        (7, Some(22 | 23)) => Value::Null,
        (7, Some(bits)) if short == 26 => number(f32::from_bits(u32::try_from(bits).ok()?).into()),
        (7, Some(bits)) if short == 27 => number(f64::from_bits(bits)),
        _ => return None,
    }))
}

fn number(float: f64) -> Value {
    Number::from_f64(float).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_and_instants_have_their_tag() {
        let value = json!({ "Id": "a", "Timestamps": [1_700_000_000], "Values": [0.5, 3], "None": null, "Yes": true });
        let bytes = encoded(&value);
        assert_eq!(decoded(&bytes), Some(value));
        let tag = [0xdb, 0, 0, 0, 0, 0, 0, 0, 1];
        assert!(bytes.windows(tag.len()).any(|window| window == tag));
        assert_eq!(decoded(&bytes[..bytes.len() - 1]), None);
    }

    #[test]
    fn what_has_no_length_ends_with_a_break() {
        // {_ "a": [_ 1, -2], "b": 1.0 as a half of eight bytes}
        let bytes = [
            0xbf, 0x61, b'a', 0x9f, 0x01, 0x21, 0xff, 0x61, b'b', 0xfa, 0x3f, 0x80, 0, 0, 0xff,
        ];
        assert_eq!(decoded(&bytes), Some(json!({ "a": [1, -2], "b": 1.0 })));
    }
}
