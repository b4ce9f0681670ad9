//! The text of derived records.
//!
//! Invariant: a fragment is `"time":…,"type":…,"record":{…}` on one line, as the decoder makes them.

use std::fmt::Write as _;

use backstop_json::{Decimal, push_string};
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
        push_number(&mut self.0, value);
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

/// Appends a number as a double has it. Most are whole and positive, which needs no machinery of formatting.
fn push_number(out: &mut String, value: f64) {
    /// Beyond this `{:?}` has an exponent.
    const MOST: f64 = 1e15;
    /// And of less.
    const LEAST: f64 = 1e-3;
    if (1.0..MOST).contains(&value) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is within the range, and compared with what it was"
        )]
        let whole = value as u64;
        #[expect(
            clippy::cast_precision_loss,
            clippy::float_cmp,
            reason = "below 2^53 every whole number is exact"
        )]
        if whole as f64 == value {
            out.push_str(&Decimal::of(whole));
            out.push_str(".0");
            return;
        }
    }
    if (LEAST..MOST).contains(&value) {
        // The digits that formatting finds, as serde_json has them found.
        out.push_str(zmij::Buffer::new().format_finite(value));
        return;
    }
    // Writing to a string cannot fail.
    _ = write!(out, "{value:?}");
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

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn any_number_is_written_as_formatting_writes_it(value in proptest::num::f64::ANY, milliseconds in 0_u32..) {
            for value in [value, f64::from(milliseconds) / 1000.0, f64::from(milliseconds) * 0.000_001] {
                let mut written = String::new();
                push_number(&mut written, value);
                proptest::prop_assert_eq!(written, format!("{value:?}"));
            }
        }
    }

    #[test]
    fn a_number_is_written_as_formatting_writes_it() {
        for value in [
            0.0,
            -0.0,
            1.0,
            7.0,
            0.25,
            0.481,
            0.001,
            0.000_999_999_999_999,
            2_599.4,
            0.1 + 0.2,
            999_999_999_999_999.9,
            -3.0,
            536_870_912.0,
            999_999_999_999_999.0,
            1e15,
            1e16,
            9_007_199_254_740_993.0,
            1e300,
            f64::MIN_POSITIVE,
            f64::INFINITY,
            f64::NAN,
        ] {
            let mut written = String::new();
            push_number(&mut written, value);
            assert_eq!(written, format!("{value:?}"));
        }
    }
}
