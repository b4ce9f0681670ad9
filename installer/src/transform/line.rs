//! A line of the archive, whose record may be replaced.

use backstop_transform::Parts;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A line. The members beside its record stay as they are.
pub(super) struct Line {
    text: String,
    /// Where the record is in the text.
    record: std::ops::Range<usize>,
    time: String,
    kind: String,
    id: String,
    request_id: String,
}

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow)]
    time: &'a RawValue,
    #[serde(borrow, rename = "type")]
    kind: &'a RawValue,
    #[serde(borrow)]
    record: &'a RawValue,
    #[serde(borrow)]
    request_id: Option<&'a RawValue>,
}

impl Line {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        // The archive's reader has judged it; the error's own words could quote it.
        let members: Members<'_> =
            serde_json::from_str(text).map_err(|_| "it is not a line of the archive".to_owned())?;
        let record = members.record.get();
        let start = record.as_ptr() as usize - text.as_ptr() as usize;
        let is_text = |value: &RawValue| value.get().starts_with('"');
        if !is_text(members.kind) || !is_text(members.time) {
            return Err("its time or its type is not a text".to_owned());
        }
        Ok(Self {
            record: start..start + record.len(),
            time: members.time.get().to_owned(),
            kind: members.kind.get().to_owned(),
            id: members.id.get().trim_matches('"').to_owned(),
            request_id: members.request_id.map_or("", RawValue::get).to_owned(),
            text: text.to_owned(),
        })
    }

    /// The members that transforms work on.
    pub(super) fn fragment(&self) -> Vec<u8> {
        let record = &self.text[self.record.clone()];
        format!(
            "\"time\":{},\"type\":{},\"record\":{record}",
            self.time, self.kind
        )
        .into_bytes()
    }

    /// Takes the record of another fragment in.
    pub(super) fn set_fragment(&mut self, fragment: &[u8]) {
        let record = Parts::of(fragment).map(|parts| String::from_utf8_lossy(parts.record));
        if let Some(record) = record {
            self.text.replace_range(self.record.clone(), &record);
            self.record.end = self.record.start + record.len();
        }
    }

    /// The environment that emitted it: the id up to its sequence.
    pub(super) fn environment(&self) -> &str {
        self.id
            .rsplit_once('-')
            .map_or(&self.id, |(environment, _)| environment)
    }

    pub(super) fn request_id(&self) -> &[u8] {
        self.request_id.as_bytes()
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The bytes of the line, with its line feed.
    pub(super) fn length(&self) -> usize {
        self.text.len() + 1
    }
}
