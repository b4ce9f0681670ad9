//! The text of derived records.
//!
//! Invariant: a fragment is `"time":…,"type":…,"record":{…}` on one line, as the decoder makes them.

use std::fmt::Write as _;

use backstop_json::push_string;
use bytes::Bytes;

/// The bytes that the points of most events take.
const USUAL: usize = 512;

/// Points of metrics in the making.
#[derive(Debug, Default)]
pub(super) struct Metrics(String);

impl Metrics {
    /// One more of what is counted; of errors with their type.
    pub(super) fn count(&mut self, name: &str, unit: &str, error: Option<&str>) {
        self.push(name, "sum", unit, 1.0);
        if let Some(error) = error {
            self.0.pop();
            self.0.push_str(",\"attributes\":{\"error.type\":");
            push_string(&mut self.0, error);
            self.0.push_str("}}");
        }
    }

    /// A value, where there is one.
    pub(super) fn observe(&mut self, name: &str, unit: &str, value: Option<f64>) {
        if let Some(value) = value {
            self.push(name, "histogram", unit, value);
        }
    }

    /// A sum or a histogram with at most one attribute, whose name and value need no escapes.
    pub(super) fn whole(
        &mut self,
        (name, kind, unit): (&str, &str, &str),
        attribute: Option<(&str, &str)>,
        value: u64,
    ) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        // Writing to a string cannot fail.
        _ = write!(
            self.0,
            r#"{{"name":"{name}","kind":"{kind}","unit":"{unit}","value":{value}"#
        );
        if let Some((name, value)) = attribute {
            _ = write!(self.0, r#","attributes":{{"{name}":"{value}"}}"#);
        }
        self.0.push('}');
    }

    fn push(&mut self, name: &str, kind: &str, unit: &str, value: f64) {
        if self.0.is_empty() {
            self.0.reserve(USUAL);
        } else {
            self.0.push(',');
        }
        for part in [
            "{\"name\":\"",
            name,
            "\",\"kind\":\"",
            kind,
            "\",\"unit\":\"",
            unit,
        ] {
            self.0.push_str(part);
        }
        self.0.push_str("\",\"value\":");
        // Writing to a string cannot fail.
        _ = write!(self.0, "{value:?}");
        self.0.push('}');
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// With commas between.
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

/// A record of this type, with the members that are written and the id of the record that it comes from.
pub(super) fn fragment(
    time: &str,
    kind: &str,
    parent: Option<&str>,
    members: impl FnOnce(&mut String),
) -> Bytes {
    let mut text = String::with_capacity(2 * USUAL);
    text.push_str("\"time\":");
    push_string(&mut text, time);
    for part in [",\"type\":\"", kind, "\",\"record\":{"] {
        text.push_str(part);
    }
    members(&mut text);
    if let Some(parent) = parent {
        text.push_str(",\"derivedFrom\":\"");
        text.push_str(parent);
        text.push('"');
    }
    text.push('}');
    text.into()
}
