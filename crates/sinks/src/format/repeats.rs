//! Whether an object is one that strict parsers refuse: a name twice in one object, or nesting beyond reason.
//!
//! RFC 8259 lets a name repeat; Elasticsearch and `OpenSearch` refuse the document, and flattened objects deeper
//! than 20.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

const DEEPEST: usize = 20;

/// Whether it has any.
pub(super) fn has(object: &RawValue) -> bool {
    let mut deserializer = serde_json::Deserializer::from_str(object.get());
    Level(DEEPEST).deserialize(&mut deserializer).is_err()
}

/// The number of levels that may follow.
struct Level(usize);

impl<'de> DeserializeSeed<'de> for Level {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Level {
    fn deeper<E: serde::de::Error>(&self) -> Result<Self, E> {
        let left = self.0.checked_sub(1);
        left.map(Self).ok_or_else(|| E::custom("too deep"))
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut values: S) -> Result<(), S::Error> {
        while values.next_element_seed(self.deeper()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<(), M::Error> {
        #[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
        let mut names: BTreeSet<Name<'de>> = BTreeSet::new();
        while let Some(name) = members.next_key()? {
            if !names.insert(name) {
                return Err(M::Error::custom("a name twice"));
            }
            members.next_value_seed(self.deeper()?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_twice_in_one_object_is_found_at_any_depth_and_so_is_what_is_too_deep() {
        let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        for (text, expected) in [
            (
                r#"{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}"#.to_owned(),
                false,
            ),
            (r#"{"a":1,"a":1}"#.to_owned(), true),
            (r#"{"a":1,"\u0061":1}"#.to_owned(), true),
            (r#"{"b":[{"a":1,"x":{"y":1,"y":2}}]}"#.to_owned(), true),
            (format!(r#"{{"a":{}}}"#, deep(19)), false),
            (format!(r#"{{"a":{}}}"#, deep(21)), true),
        ] {
            let object: Box<RawValue> = serde_json::from_str(&text).expect("it is JSON");
            assert_eq!(has(&object), expected, "{text}");
        }
    }
}
