//! JSON as Protocol Buffers, by the tables.
//!
//! Invariants: what is read is never trusted; nesting is bounded, by the JSON reader; members that are not in the
//! tables and members that are `null` are left out.
//!
//! A record that was redacted may have text in the place of a number. Where it is a value of any type it becomes
//! text; elsewhere it is left out, so that the rest of the record arrives.

use std::borrow::Cow;
use std::fmt;

use backstop_json::unhex;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::schema::{Field, Kind, Message, Presence};
use crate::wire::{Message as _, Nested, nested};

/// Whether a member of the wrong type is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    /// It is: somebody has just written it.
    Strict,
    /// It is left out.
    Lenient,
}

/// Appends the fields of a message that is a JSON object. What it wrote before an error is undone.
pub(super) fn protobuf(
    message: Message,
    json: &[u8],
    strictness: Strictness,
    out: &mut Vec<u8>,
) -> Result<(), serde_json::Error> {
    let start = out.len();
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let read = nested(out, |out| {
        let mut writer = Writer { strictness, out };
        writer.message(message, &mut deserializer)
    });
    let read = read.and_then(|_| deserializer.end());
    if read.is_err() {
        out.truncate(start);
    }
    read
}

struct Writer<'a, 'b> {
    strictness: Strictness,
    out: &'a mut Nested<'b>,
}

impl Writer<'_, '_> {
    /// The members of an object; false where it is `null`.
    fn message<'de, D: Deserializer<'de>>(
        &mut self,
        message: Message,
        deserializer: D,
    ) -> Result<bool, D::Error> {
        Object {
            message,
            writer: Writer {
                strictness: self.strictness,
                out: self.out,
            },
        }
        .deserialize(deserializer)
    }
}

/// The members of an object.
struct Object<'a, 'b> {
    message: Message,
    writer: Writer<'a, 'b>,
}

impl<'de> DeserializeSeed<'de> for Object<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Object<'_, '_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<bool, M::Error> {
        #[derive(Deserialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
        while let Some(Name(name)) = members.next_key()? {
            let Some(field) = self.message.iter().find(|field| field.name == name) else {
                members.next_value::<IgnoredAny>()?;
                continue;
            };
            let writer = Writer {
                strictness: self.writer.strictness,
                out: self.writer.out,
            };
            members.next_value_seed(Member {
                field,
                writer,
                is_element: false,
            })?;
        }
        Ok(true)
    }
}

/// The value of a member, or an element of its list.
struct Member<'a, 'b> {
    field: &'static Field,
    writer: Writer<'a, 'b>,
    is_element: bool,
}

impl<'de> DeserializeSeed<'de> for Member<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.field.presence == Presence::Many && !self.is_element {
            return deserializer.deserialize_any(self);
        }
        let message = match self.field.kind {
            Kind::Message(message) => message,
            // The JSON reader's own numbers may differ in the last place.
            Kind::Double => {
                let raw = <&RawValue>::deserialize(deserializer)?;
                return self.real(raw.get());
            }
            _ => return deserializer.deserialize_any(self),
        };
        let start = self.writer.out.buffer().len();
        let strictness = self.writer.strictness;
        let mut read = Ok(false);
        self.writer.out.message(self.field.number, |out| {
            let mut writer = Writer { strictness, out };
            read = writer.message(message, deserializer);
        });
        // An element counts by its place in the list.
        if !read? && !self.is_element {
            self.writer.out.buffer().truncate(start);
        }
        Ok(())
    }
}

impl Member<'_, '_> {
    fn wrong<E: serde::de::Error>(self, text: Option<&str>) -> Result<(), E> {
        /// `AnyValue.string_value`.
        const STRING_VALUE: u32 = 1;
        match text {
            Some(text) if matches!(self.field.name, "intValue" | "doubleValue" | "boolValue") => {
                self.writer.out.string(STRING_VALUE, text);
                Ok(())
            }
            _ if self.writer.strictness == Strictness::Lenient => Ok(()),
            _ => Err(E::custom("a member of another type")),
        }
    }

    fn real<E: serde::de::Error>(self, json: &str) -> Result<(), E> {
        if json == "null" {
            return Ok(());
        }
        let text: Option<Cow<'_, str>> = serde_json::from_str(json).ok();
        match text.as_deref().unwrap_or(json).parse() {
            Ok(value) => {
                self.writer.out.double(self.field.number, value);
                Ok(())
            }
            Err(_) => self.wrong(text.as_deref()),
        }
    }

    fn whole<E: serde::de::Error>(self, number: i128, text: Option<&str>) -> Result<(), E> {
        let field = self.field.number;
        let (least, most) = match self.field.kind {
            Kind::Uint32 | Kind::Fixed32 => (0, i128::from(u32::MAX)),
            Kind::Enum | Kind::Sint32 => (i128::from(i32::MIN), i128::from(i32::MAX)),
            Kind::Uint64 | Kind::Fixed64 => (0, i128::from(u64::MAX)),
            Kind::Int64 | Kind::Sfixed64 => (i128::from(i64::MIN), i128::from(i64::MAX)),
            _ => return self.wrong(text),
        };
        if !(least..=most).contains(&number) {
            return self.wrong(text);
        }
        let signed = i64::try_from(number).unwrap_or_default();
        let bits = u64::try_from(number).unwrap_or(signed.cast_unsigned());
        let out = self.writer.out;
        match self.field.kind {
            Kind::Fixed32 => out.fixed32(field, u32::try_from(bits).unwrap_or_default()),
            Kind::Fixed64 | Kind::Sfixed64 => out.fixed64(field, bits),
            Kind::Sint32 => {
                let zigzag = (signed << 1) ^ (signed >> 63);
                out.varint(field, zigzag.cast_unsigned());
            }
            _ => out.varint(field, bits),
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Member<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut elements: S) -> Result<(), S::Error> {
        if self.field.presence != Presence::Many || self.is_element {
            while elements.next_element::<IgnoredAny>()?.is_some() {}
            return self.wrong(None);
        }
        loop {
            let writer = Writer {
                strictness: self.writer.strictness,
                out: self.writer.out,
            };
            let element = Member {
                field: self.field,
                writer,
                is_element: true,
            };
            if elements.next_element_seed(element)?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<(), M::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.wrong(None)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        if !matches!(self.field.kind, Kind::Bool) {
            return self.wrong(None);
        }
        self.writer.out.varint(self.field.number, u64::from(value));
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.whole(value.into(), None)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.whole(value.into(), None)
    }

    fn visit_f64<E: serde::de::Error>(self, _value: f64) -> Result<(), E> {
        self.wrong(None)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        let number = self.field.number;
        match self.field.kind {
            Kind::Text => self.writer.out.string(number, text),
            Kind::Hex => match unhex(text.as_bytes()) {
                Some(bytes) => self.writer.out.bytes(number, &bytes),
                None => return self.wrong(None),
            },
            Kind::Base64 => match unbase64(text) {
                Some(bytes) => self.writer.out.bytes(number, &bytes),
                None => return self.wrong(None),
            },
            Kind::Bool | Kind::Double | Kind::Message(_) => return self.wrong(Some(text)),
            _ => match text.parse::<i128>() {
                Ok(value) => return self.whole(value, Some(text)),
                Err(_) => return self.wrong(Some(text)),
            },
        }
        Ok(())
    }
}

/// Base64 with or without padding, of either alphabet, as readers of protobuf's JSON take it.
fn unbase64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    };
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 3);
    for chunk in digits.chunks(4) {
        let mut bits = 0;
        for place in 0..4 {
            let value = chunk.get(place).map_or(Some(0), |byte| digit(*byte))?;
            bits = bits << 6 | u32::from(value);
        }
        let [_, all @ ..] = bits.to_be_bytes();
        // A single digit is not a byte.
        bytes.extend_from_slice(all.get(..chunk.len().checked_sub(1).filter(|it| *it > 0)?)?);
    }
    Some(bytes)
}
