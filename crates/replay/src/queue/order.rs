//! One object to replay, as a message says it.
//!
//! Invariants: what a later version adds is ignored by an earlier one, and a message of a later form is
//! refused; no error quotes a message.

use backstop_archive::{Filter, Glob, Moment};
use backstop_common::parsing;
use serde::{Deserialize, Serialize};

use crate::archive::{Listed, Location};

/// The form of a message.
const SCHEMA_VERSION: u32 = 1;

/// An object to replay, and what of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    schema_version: u32,
    pub bucket: String,
    /// The object's key.
    pub key: String,
    /// Its bytes as they are stored.
    #[serde(default)]
    pub bytes: u64,
    /// What tells it from another one under its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    #[serde(default, skip_serializing_if = "Wanted::is_all")]
    pub wanted: Wanted,
    /// An invocation had to stop in its middle: what is acknowledged from now on is written down.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_continued: bool,
}

/// Which records of an object are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Wanted {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    functions: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    accounts: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    regions: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    types: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dead_letters: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// Also objects that are marked as replayed to the target.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub include_replayed: bool,
    /// Also what was archived beside the primary.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub include_mirrored: bool,
}

impl Wanted {
    /// What a filter admits.
    pub fn of(filter: &Filter) -> Self {
        let texts = |globs: &[Glob]| globs.iter().map(ToString::to_string).collect();
        Self {
            functions: texts(&filter.functions),
            accounts: texts(&filter.accounts),
            regions: texts(&filter.regions),
            types: texts(&filter.kinds),
            reasons: filter.reasons.clone(),
            dead_letters: filter.dead_letters,
            since: filter.since.map(|moment| moment.to_string()),
            until: filter.until.map(|moment| moment.to_string()),
            include_replayed: false,
            include_mirrored: false,
        }
    }

    /// The filter; an error names the member that is not what it should be.
    pub fn filter(&self) -> Result<Filter, String> {
        let globs = |name: &str, texts: &[String]| -> Result<Vec<Glob>, String> {
            let parsed = texts.iter().map(|text| text.parse::<Glob>());
            let parsed: Result<_, _> = parsed.collect();
            parsed.map_err(|_| format!("`{name}` holds a pattern that cannot be read"))
        };
        let moment = |name: &str, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => (text.parse::<Moment>().map(Some))
                .map_err(|_| format!("`{name}` is not a time in RFC 3339")),
        };
        Ok(Filter {
            functions: globs("functions", &self.functions)?,
            accounts: globs("accounts", &self.accounts)?,
            regions: globs("regions", &self.regions)?,
            kinds: globs("types", &self.types)?,
            reasons: self.reasons.clone(),
            dead_letters: self.dead_letters,
            without_mirrored: false,
            since: moment("since", &self.since)?,
            until: moment("until", &self.until)?,
        })
    }

    fn is_all(&self) -> bool {
        *self == Self::default()
    }
}

impl Order {
    /// The order to replay what is wanted of an object in a bucket.
    pub fn new(bucket: &str, object: &Listed, wanted: Wanted) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            bucket: bucket.to_owned(),
            key: object.key.clone(),
            bytes: object.bytes,
            etag: object.etag.clone(),
            wanted,
            is_continued: false,
        }
    }

    /// The same object, of which a part is done.
    #[must_use]
    pub fn continued(&self) -> Self {
        Self {
            is_continued: true,
            ..self.clone()
        }
    }

    /// What is wanted, however far it is: the same text each time.
    pub fn subject(&self) -> String {
        let order = Self {
            is_continued: false,
            ..self.clone()
        };
        order.text()
    }

    /// Reads a message.
    pub fn parse(text: &str) -> Result<Self, String> {
        let order: Self = serde_json::from_str(text)
            .map_err(parsing::json)
            .map_err(|problem| format!("it is not a message of Backstop: {problem}"))?;
        if order.schema_version != SCHEMA_VERSION {
            return Err(format!(
                "it is a message of form {}, and this version reads form {SCHEMA_VERSION}",
                order.schema_version
            ));
        }
        if order.bucket.is_empty() || order.key.is_empty() {
            return Err("it names no object: `bucket` or `key` is empty".to_owned());
        }
        Ok(order)
    }

    /// As a message.
    pub fn text(&self) -> String {
        // A struct of texts, numbers and flags always becomes JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The object as a listing would show it.
    pub fn object(&self) -> Listed {
        Listed::named(self.key.clone(), self.bytes, self.etag.clone())
    }

    /// Where the object is.
    pub fn location(&self) -> Location {
        Location {
            bucket: self.bucket.clone(),
            prefix: self.key.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_the_object_and_the_filter_and_is_read_as_it_was_written() {
        let filter = Filter {
            functions: vec!["check*".parse().expect("a pattern")],
            reasons: vec!["breaker_open".to_owned()],
            since: Some("2026-01-31T08:00:00Z".parse().expect("a time")),
            ..Filter::default()
        };
        let object = Listed::named("b/v1/account=1/x \u{4}.gz".to_owned(), 7, None);
        let wanted = Wanted {
            include_mirrored: true,
            ..Wanted::of(&filter)
        };
        let order = Order::new("archive", &object, wanted);
        let text = order.text();
        assert!(
            text.bytes().all(|byte| byte >= 0x20),
            "SQS takes no control characters: {text}"
        );
        let read = Order::parse(&text).expect("it is a message");
        assert_eq!(read, order);
        assert_eq!(read.object(), object);
        assert_eq!(
            read.wanted.filter().expect("a filter").to_string(),
            filter.to_string()
        );
        let all = Order::new("archive", &object, Wanted::default()).text();
        assert!(!all.contains("wanted"), "{all}");
    }

    #[test]
    fn what_is_no_message_is_refused_and_not_quoted() {
        for (text, part) in [
            ("hunter2", "not a message of Backstop"),
            ("{}", "not a message of Backstop"),
            (r#"{"schemaVersion":2,"bucket":"b","key":"k"}"#, "form 2"),
            (
                r#"{"schemaVersion":1,"bucket":"","key":"hunter2"}"#,
                "names no object",
            ),
        ] {
            let error = Order::parse(text).expect_err(text);
            assert!(
                error.contains(part) && !error.contains("hunter2"),
                "{error}"
            );
        }
        let later = r#"{"schemaVersion":1,"bucket":"b","key":"k","color":"red"}"#;
        assert!(Order::parse(later).is_ok());
        let wrong = r#"{"schemaVersion":1,"bucket":"b","key":"k","wanted":{"since":"hunter2"}}"#;
        let error = Order::parse(wrong).expect("a message").wanted.filter();
        assert_eq!(
            error.expect_err("no time"),
            "`since` is not a time in RFC 3339"
        );
    }
}
