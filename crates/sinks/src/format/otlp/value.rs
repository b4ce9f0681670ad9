//! Any JSON value as an `AnyValue` of OpenTelemetry, straight into the message.
//!
//! Invariant: what cannot be written as it is (a whole number beyond 64 bits, nesting beyond reason) is written as
//! its text; nothing is left out.

use serde_json::Value;

use crate::wire::{Message, Nested, SHORT, field_of, nested, short_head};
use backstop_json::Json;

/// The fields of `AnyValue`.
const STRING: u32 = 1;
const BOOL: u32 = 2;
const INT: u32 = 3;
const DOUBLE: u32 = 4;
const ARRAY: u32 = 5;
const KVLIST: u32 = 6;

/// The most levels of arrays and objects that are written as such. Receivers bound how deep messages are nested, many at
/// 100, as `prost` does (<https://docs.rs/prost>), and a level is three messages. As JSON it is four levels, of which
/// serde's parser takes 128. So far Elasticsearch reads fields, too.
pub(super) const DEEPEST: usize = 20;

/// A value that was parsed.
pub(super) fn of(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::String(text) => out.string(STRING, text),
        other => of_json(Json::valid(&other.to_string()), out),
    }
}

/// A value as it came.
pub(super) fn of_json(value: Json<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    let written = if value.is_nested() {
        nested(out, |out| write(value, DEEPEST, out)).map(drop)
    } else {
        leaf(value, out)
    };
    if written.is_none() {
        out.truncate(start);
        out.string(STRING, value.get());
    }
}

/// An attribute that is a text: all lengths are known before anything is written.
pub(super) fn text_attribute(out: &mut impl Message, field: u32, name: &str, value: &str) {
    let any = field_of(value.len());
    let pair = field_of(name.len()) + field_of(any);
    if pair < SHORT {
        // So is everything in it: four appends instead of ten.
        let out = out.buffer();
        let before_name = [short_head(field, pair), short_head(1, name.len())];
        let before_value = [short_head(2, any), short_head(STRING, value.len())];
        out.extend_from_slice(before_name.as_flattened());
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(before_value.as_flattened());
        out.extend_from_slice(value.as_bytes());
        return;
    }
    out.message_of(field, pair);
    out.string(1, name);
    out.message_of(2, any);
    out.string(STRING, value);
}

/// An attribute of any value.
#[inline]
pub(super) fn attribute(out: &mut Vec<u8>, field: u32, name: &str, value: Json<'_>) {
    match value.plain() {
        Some(text) => text_attribute(out, field, name, text),
        None => out.message(field, |pair| {
            pair.string(1, name);
            pair.message(2, |any| of_json(value, any));
        }),
    }
}

/// An array or an object, which may be followed by more. Says how long its text is: each is passed over once, however
/// deep it is. `None` where it cannot be written.
fn write(value: Json<'_>, depth: usize, out: &mut Nested<'_>) -> Option<usize> {
    let depth = depth.checked_sub(1)?;
    let mut length = None;
    if value.is_object() {
        out.message(KVLIST, |list| {
            let mut members = value.members();
            while let Some((name, value)) = members.open() {
                if value.is_nested() {
                    let mut written = None;
                    list.message(1, |pair| {
                        pair.string(1, &name);
                        pair.message(2, |any| written = write(value, depth, any));
                    });
                    let Some(written) = written else { return };
                    members.passed(written);
                } else {
                    let Some(value) = members.pass() else { return };
                    match value.plain() {
                        Some(text) => text_attribute(list, 1, &name, text),
                        None => list.message(1, |pair| {
                            pair.string(1, &name);
                            pair.message(2, |any| any_leaf(value, any));
                        }),
                    }
                }
            }
            length = Some(members.length());
        });
        return length;
    }
    out.message(ARRAY, |array| {
        let mut items = value.items();
        while let Some(value) = items.open() {
            if value.is_nested() {
                let mut written = None;
                array.message(1, |any| written = write(value, depth, any));
                let Some(written) = written else { return };
                items.passed(written);
            } else {
                let Some(value) = items.pass() else { return };
                array.message(1, |any| any_leaf(value, any));
            }
        }
        length = Some(items.length());
    });
    length
}

/// A value that is neither an array nor an object; its text where it cannot be written otherwise.
fn any_leaf(value: Json<'_>, out: &mut impl Message) {
    if leaf(value, out).is_none() {
        out.string(STRING, value.get());
    }
}

/// `None` where it cannot be written, and nothing is.
fn leaf(value: Json<'_>, out: &mut impl Message) -> Option<()> {
    match value.get().as_bytes().first()? {
        b'"' => out.string(STRING, &value.string()?),
        // An `AnyValue` without a value.
        b'n' => {}
        first @ (b't' | b'f') => out.varint(BOOL, u64::from(*first == b't')),
        _ => return number(value, out),
    }
    Some(())
}

/// A whole number.
pub(super) fn whole(value: i64, out: &mut impl Message) {
    out.varint(INT, value.cast_unsigned());
}

fn number(value: Json<'_>, out: &mut impl Message) -> Option<()> {
    let text = value.get();
    // A double has a zero below zero.
    match text.parse::<i64>() {
        Ok(number) if number != 0 || text == "0" => whole(number, out),
        // A double would keep the first digits only.
        _ if value.is_integer() && text != "-0" => out.string(STRING, text),
        _ => out.double(DOUBLE, value.number()?),
    }
    Some(())
}
