//! Any JSON value as an `AnyValue` of OpenTelemetry, straight into the message.
//!
//! Invariant: what cannot be written as it is (a number beyond 64 bits, nesting beyond reason) is written as
//! its text; nothing is left out.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::wire::Message as _;

/// The fields of `AnyValue`.
const STRING: u32 = 1;
const BOOL: u32 = 2;
const INT: u32 = 3;
const DOUBLE: u32 = 4;
const ARRAY: u32 = 5;
const KVLIST: u32 = 6;

/// A value that was parsed.
pub(super) fn of(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::String(text) => out.string(STRING, text),
        other => match serde_json::value::to_raw_value(other) {
            Ok(raw) => of_raw(&raw, out),
            Err(_) => out.string(STRING, &other.to_string()),
        },
    }
}

/// A value as it came.
pub(super) fn of_raw(value: &RawValue, out: &mut Vec<u8>) {
    let start = out.len();
    let mut deserializer = serde_json::Deserializer::from_str(value.get());
    if Writer(out).deserialize(&mut deserializer).is_err() {
        out.truncate(start);
        out.string(STRING, value.get());
    }
}

struct Writer<'a>(&'a mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Writer<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Writer<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    /// `null`: an `AnyValue` without a value.
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.0.varint(BOOL, u64::from(value));
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.0.varint(INT, value.cast_unsigned());
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        match i64::try_from(value) {
            Ok(value) => self.0.varint(INT, value.cast_unsigned()),
            Err(_) => self.0.string(STRING, &value.to_string()),
        }
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.0.double(DOUBLE, value);
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.0.string(STRING, value);
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut values: S) -> Result<(), S::Error> {
        let mut result = Ok(());
        self.0.message(ARRAY, |array| {
            loop {
                let mut next = Ok(None);
                let start = array.len();
                array.message(1, |value| next = values.next_element_seed(Writer(value)));
                match next {
                    Ok(Some(())) => {}
                    Ok(None) => return array.truncate(start),
                    Err(error) => {
                        result = Err(error);
                        return;
                    }
                }
            }
        });
        result
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<(), M::Error> {
        #[derive(serde::Deserialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
        let mut result = Ok(());
        self.0.message(KVLIST, |list| {
            loop {
                let name: Name<'_> = match members.next_key() {
                    Ok(Some(name)) => name,
                    Ok(None) => return,
                    Err(error) => {
                        result = Err(error);
                        return;
                    }
                };
                list.message(1, |pair| {
                    pair.string(1, &name.0);
                    pair.message(2, |value| result = members.next_value_seed(Writer(value)));
                });
                if result.is_err() {
                    return;
                }
            }
        });
        result
    }
}
