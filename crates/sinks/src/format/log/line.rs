//! The text of one record, taken apart.
//!
//! Invariant: whatever does not parse is still there, as text.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use backstop_json::Json;

/// A JSON object with the members of a record.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    /// `log.record.uid`.
    pub(crate) id: Cow<'a, str>,
    pub(crate) time: Option<Cow<'a, str>>,
    pub(crate) kind: Option<Cow<'a, str>>,
    pub(crate) request_id: Option<Cow<'a, str>>,
    pub(crate) record: Option<Json<'a>>,
    /// The record, where it is a string.
    pub(crate) record_text: Option<Cow<'a, str>>,
    /// All of it, where no record was read.
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
    pub(crate) fn parse(text: &'a str, id: Option<Cow<'a, str>>) -> Self {
        let members: Members<'a> = serde_json::from_str(text).unwrap_or_default();
        let string = |value: Option<&'a RawValue>| Json::valid(value?.get()).string();
        let record = members.record.map(|it| Json::valid(it.get()));
        Self {
            id: id.unwrap_or_else(|| string(members.id).unwrap_or_default()),
            time: string(members.time),
            kind: string(members.kind),
            request_id: string(members.request_id),
            record,
            record_text: record.and_then(Json::string),
            text,
        }
    }

    /// Of the members of a live record as the decoder gives them, and what was added to them. `None` where they are in
    /// another form, so that they have to be parsed.
    pub(crate) fn live(id: Cow<'a, str>, received: &'a str, added: &'a str) -> Option<Self> {
        let (time, rest) = plain(received.strip_prefix("\"time\":\"")?)?;
        let (kind, rest) = plain(rest.strip_prefix(",\"type\":\"")?)?;
        let record = Json::valid(rest.strip_prefix(",\"record\":")?);
        let request_id = if added.is_empty() {
            None
        } else {
            let (id, rest) = plain(added.strip_prefix(",\"request_id\":\"")?)?;
            Some(Cow::Borrowed(id)).filter(|_| rest.is_empty())
        };
        if request_id.is_none() && !added.is_empty() {
            return None;
        }
        debug_assert!(Json::of(record.get()).is_some(), "the decoder gives JSON");
        Some(Self {
            id,
            time: Some(Cow::Borrowed(time)),
            kind: Some(Cow::Borrowed(kind)),
            request_id,
            record: Some(record),
            record_text: record.string(),
            text: "",
        })
    }

    /// The JSON object that the record is, or that its text is.
    pub(super) fn object(&self) -> Option<Json<'_>> {
        object_of(self.record_text.as_deref(), self.record?)
    }
}

/// The JSON object that a record is, or that its text is.
pub(super) fn object_of<'a>(text: Option<&'a str>, record: Json<'a>) -> Option<Json<'a>> {
    match text {
        Some(text) => {
            let text = text.trim();
            Json::of(text.strip_prefix('{').map(|_| text)?)
        }
        None => Some(record).filter(|it| it.is_object()),
    }
}

/// Splits at the quote that ends a string without escapes.
fn plain(text: &str) -> Option<(&str, &str)> {
    let end = memchr::memchr2(b'"', b'\\', text.as_bytes())?;
    let rest = text.get(end..)?.strip_prefix('"')?;
    Some((text.get(..end)?, rest))
}

/// The members of an object, in their order.
#[derive(Debug)]
pub(super) struct Object<'a>(pub(super) Vec<(Cow<'a, str>, Json<'a>)>);

impl<'a> Object<'a> {
    pub(super) fn of(object: Json<'a>) -> Self {
        /// Few objects have more members.
        const USUAL: usize = 16;
        let mut members = Vec::with_capacity(USUAL);
        members.extend(object.members());
        Self(members)
    }

    /// A member by its name.
    pub(super) fn get(&self, name: &str) -> Option<Json<'a>> {
        let mut members = self.0.iter();
        members.find(|(known, _)| known == name).map(|it| it.1)
    }

    /// A member that is a string.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name).and_then(Json::string)
    }

    /// A member that is an object.
    pub(super) fn object(&self, name: &str) -> Option<Json<'a>> {
        self.get(name).filter(|it| it.is_object())
    }
}
