//! The text of one record, taken apart.
//!
//! Invariant: whatever does not parse is still there, as text.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A JSON object with the members of a record.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    /// `log.record.uid`.
    pub(crate) id: Cow<'a, str>,
    pub(crate) time: Option<Cow<'a, str>>,
    pub(crate) kind: Option<Cow<'a, str>>,
    pub(crate) request_id: Option<Cow<'a, str>>,
    pub(crate) record: Option<&'a RawValue>,
    /// The record, where it is a string.
    pub(crate) record_text: Option<Cow<'a, str>>,
    /// All of it.
    pub(super) text: &'a str,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Members<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    time: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    record: Option<&'a RawValue>,
    #[serde(borrow)]
    request_id: Option<&'a RawValue>,
}

impl<'a> Line<'a> {
    /// Of a record's JSON object; `id` is that of a live record, which has none in its text.
    pub(crate) fn parse(text: &'a str, id: Option<String>) -> Self {
        let members: Members<'a> = serde_json::from_str(text).unwrap_or_default();
        let written = || members.id.and_then(string).unwrap_or_default();
        Self {
            id: id.map_or_else(written, Cow::Owned),
            time: members.time.and_then(string),
            kind: members.kind.and_then(string),
            request_id: members.request_id.and_then(string),
            record: members.record,
            record_text: members.record.and_then(string),
            text,
        }
    }

    /// The JSON object that the record is, or that its text is.
    pub(super) fn object(&self) -> Option<(&RawValue, Object<'_>)> {
        let object = match &self.record_text {
            Some(text) => serde_json::from_str(text.trim()).ok()?,
            None => self.record?,
        };
        if !object.get().starts_with('{') {
            return None;
        }
        Some((object, Object::parse(object)?))
    }
}

/// A value that is a string.
pub(super) fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    if !value.get().starts_with('"') {
        return None;
    }
    let text: Text<'_> = serde_json::from_str(value.get()).ok()?;
    Some(text.0)
}

/// The members of an object, in their order.
#[derive(Debug)]
pub(super) struct Object<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    pub(super) fn parse(object: &'a RawValue) -> Option<Self> {
        serde_json::from_str(object.get()).ok()
    }

    /// A member by its name.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        let mut members = self.0.iter();
        members.find(|(known, _)| known == name).map(|it| it.1)
    }

    /// A member that is a string.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name).and_then(string)
    }

    /// A member that is an object.
    pub(super) fn object(&self, name: &str) -> Option<Self> {
        self.get(name).and_then(Self::parse)
    }

    /// A member that is a number.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                #[derive(Deserialize)]
                struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}
