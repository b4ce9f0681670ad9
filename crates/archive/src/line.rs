//! A line as it is read back.
//!
//! Invariants: what goes on to a primary is, to the byte, what was written, less the reason it was
//! archived, and less what was redacted; members of later versions are accepted.
//!
//! Must not: show any of a line's text in an error.

use std::borrow::Cow;
use std::fmt;

use backstop_delivery::Route;
use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::moment::{Moment, time_of};

/// A line of the archive, which goes on as it came.
#[derive(Debug, Clone)]
pub struct ArchivedLine<'a> {
    text: &'a str,
    id: &'a RawValue,
    kind: &'a RawValue,
    record: &'a RawValue,
    resource: Option<&'a RawValue>,
    /// Where the reason is in the text.
    reason: Option<&'a RawValue>,
    /// What says that it is for the archive only.
    route: Option<&'a RawValue>,
    /// The record before it was redacted.
    original: Option<&'a RawValue>,
    /// Why the record is here and not at the primary.
    pub diverted: Option<ArchivedReason>,
}

/// What a line has to have, and what is read of it. Members of later versions are no mistake.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow, rename = "time")]
    _time: &'a RawValue,
    #[serde(borrow, rename = "type")]
    kind: &'a RawValue,
    #[serde(borrow)]
    record: &'a RawValue,
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    #[serde(borrow)]
    diverted: Option<&'a RawValue>,
    #[serde(borrow)]
    route: Option<&'a RawValue>,
    #[serde(borrow)]
    original: Option<&'a RawValue>,
}

/// What emitted a record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Origin {
    /// The function's name.
    #[serde(rename = "faas.name")]
    pub function: Option<String>,
    #[serde(rename = "cloud.account.id")]
    pub account: Option<String>,
    #[serde(rename = "cloud.region")]
    pub region: Option<String>,
}

/// Why a record was diverted.
#[derive(Debug, Clone, Deserialize)]
pub struct ArchivedReason {
    /// The reason's name.
    pub reason: String,
    /// The sink that did not take it.
    #[serde(default)]
    pub sink: String,
    /// The status it answered.
    #[serde(default)]
    pub status: Option<u16>,
}

impl<'a> ArchivedLine<'a> {
    /// Reads a line.
    pub fn parse(line: &'a str) -> Result<Self, LineError> {
        let members: Members<'a> =
            serde_json::from_str(line).map_err(|error| LineError::of(&error))?;
        let diverted = (members.diverted)
            .map(|it| serde_json::from_str(it.get()).map_err(|error| LineError::of(&error)));
        Ok(Self {
            text: line,
            id: members.id,
            kind: members.kind,
            record: members.record,
            resource: members.resource,
            reason: members.diverted,
            route: members.route.filter(|route| is_archive_only(route)),
            original: members.original,
            diverted: diverted.transpose()?.flatten(),
        })
    }

    /// The record's id, without quotes.
    pub fn id(&self) -> &'a str {
        self.id.get().trim_matches('"')
    }

    /// The record's type; empty where it is not a text.
    pub fn kind(&self) -> Cow<'a, str> {
        serde_json::from_str(self.kind.get()).unwrap_or_default()
    }

    /// What Lambda sent, as it stands in the line.
    pub fn record(&self) -> &'a str {
        self.record.get()
    }

    /// When the record was written, where its time can be read.
    pub fn time(&self) -> Option<Moment> {
        time_of(self.text)
    }

    /// Whether the primary was not to get this line: it is a copy of a record that was delivered, or was archived
    /// in place of being delivered.
    pub fn is_archive_only(&self) -> bool {
        self.route.is_some()
    }

    /// Why it is in the archive: the reason it was diverted, or how it is for the archive only.
    pub fn why(&self) -> Option<&str> {
        let diverted = self.diverted.as_ref().map(|it| it.reason.as_str());
        diverted.or_else(|| Some(self.route?.get().trim_matches('"')))
    }

    /// What emitted it, as far as the resource tells.
    pub fn origin(&self) -> Origin {
        let read = |resource: &RawValue| serde_json::from_str(resource.get()).ok();
        self.resource.and_then(read).unwrap_or_default()
    }

    /// The name of the function that emitted it, where the resource tells.
    pub fn function_name(&self) -> Option<String> {
        self.origin().function
    }

    /// The line as the primary would have been sent it: without the reason it was not, without the original of what
    /// was redacted, and otherwise to the byte as it is.
    pub fn for_primary(&self) -> String {
        self.without([self.reason, self.route, self.original])
    }

    /// The line without the original of what was redacted, and otherwise to the byte as it is.
    pub fn without_original(&self) -> String {
        self.without([self.original, None, None])
    }

    /// Whether it has the original of what was redacted.
    pub fn has_original(&self) -> bool {
        self.original.is_some()
    }

    fn without(&self, others: [Option<&RawValue>; 3]) -> String {
        let text = self.text.trim_matches([' ', '\t', '\r', '\n']);
        let others = others.into_iter().flatten();
        let mut members: Vec<(usize, usize)> = others.filter_map(|it| member(text, it)).collect();
        members.sort_unstable();
        let mut line = text.to_owned();
        for (start, end) in members.into_iter().rev() {
            remove(&mut line, start, end);
        }
        line
    }
}

/// Why a text is not a line of the archive. It quotes nothing of the text, which may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineError {
    /// The text is not JSON.
    NotJson,
    /// The text ends inside a value.
    EndsEarly,
    /// A member that every line has is not there.
    Missing(&'static str),
    /// A member is there twice.
    Duplicate(&'static str),
    /// The line, or a member of it, is of another type.
    WrongType,
    /// The line does not have the form of a record in any other way.
    Malformed,
}

/// The members whose names an error may tell.
const MEMBERS: [&str; 9] = [
    "id", "time", "type", "record", "resource", "diverted", "reason", "route", "original",
];

impl LineError {
    fn of(error: &serde_json::Error) -> Self {
        match error.classify() {
            Category::Syntax | Category::Io => Self::NotJson,
            Category::Eof => Self::EndsEarly,
            Category::Data => {
                let text = error.to_string();
                let member = |problem: &str| {
                    let rest = text.strip_prefix(problem)?;
                    MEMBERS.into_iter().find(|name| {
                        rest.strip_prefix(name)
                            .is_some_and(|it| it.starts_with('`'))
                    })
                };
                let missing = member("missing field `").map(Self::Missing);
                let duplicate = || member("duplicate field `").map(Self::Duplicate);
                let wrong = || text.starts_with("invalid type").then_some(Self::WrongType);
                missing
                    .or_else(duplicate)
                    .or_else(wrong)
                    .unwrap_or(Self::Malformed)
            }
        }
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => formatter.write_str("it is not JSON"),
            Self::EndsEarly => formatter.write_str("it ends too early"),
            Self::Missing(member) => write!(formatter, "missing field `{member}`"),
            Self::Duplicate(member) => write!(formatter, "duplicate field `{member}`"),
            Self::WrongType => formatter.write_str("invalid type"),
            Self::Malformed => formatter.write_str("it is not of the expected form"),
        }
    }
}

impl std::error::Error for LineError {}

/// What the extension writes of a line for the archive only.
fn is_archive_only(route: &RawValue) -> bool {
    let names = [Route::Mirrored, Route::Archived].map(Route::as_str);
    names.contains(&route.get().trim_matches('"'))
}

/// Takes out the member that is there, and one of the commas beside it.
fn remove(line: &mut String, start: usize, end: usize) {
    let before = line[..start].trim_ascii_end();
    let after = line[end..].trim_ascii_start();
    if let Some(before) = before.strip_suffix(',') {
        line.replace_range(before.len()..end, "");
    } else if let Some(after) = after.strip_prefix(',') {
        let end = line.len() - after.trim_ascii_start().len();
        line.replace_range(start..end, "");
    } else {
        line.replace_range(start..end, "");
    }
}

/// Where the member of that value begins and ends; the value is a part of the text.
fn member(text: &str, value: &RawValue) -> Option<(usize, usize)> {
    let start = (value.get().as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    let end = start.checked_add(value.get().len())?;
    text.get(..end)?;
    let before = text.get(..start)?.trim_ascii_end().strip_suffix(':')?;
    // The name may be written with escapes, of which none is a quote.
    let (before, _) = before
        .trim_ascii_end()
        .strip_suffix('"')?
        .rsplit_once('"')?;
    Some((before.len(), end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_members_and_quotes_nothing() {
        let whole =
            r#"{"id":"1","time":"t","type":"x","record":"hunter2","diverted":{"reason":"r"}}"#;
        for (from, to, expected) in [
            ("\"time\":\"t\",", "", LineError::Missing("time")),
            ("\"reason\":\"r\"", "", LineError::Missing("reason")),
            ("\"id\"", "\"time\":1,\"id\"", LineError::Duplicate("time")),
            ("{\"reason\":\"r\"}", "\"hunter2\"", LineError::WrongType),
            ("\"hunter2\"", "hunter2", LineError::NotJson),
            ("}}", "", LineError::EndsEarly),
        ] {
            let broken = whole.replace(from, to);
            let error = ArchivedLine::parse(&broken).expect_err(&broken);
            assert_eq!(error, expected, "{broken}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_line_comes_back_as_the_primary_would_have_got_it() {
        let sent = r#"{"id":"e-1","time":"t","type":"function","record":{"b":1, "a":[2]},"resource":{"faas.name":"f"}}"#;
        let archived = sent.replace("}}", r#"},"diverted":{"reason":"timeout","sink":"https"}}"#);
        let line = ArchivedLine::parse(&archived).expect("it is a line");
        assert_eq!(line.for_primary(), sent);
        assert_eq!(line.id(), "e-1");
        assert_eq!(line.function_name().as_deref(), Some("f"));
        assert_eq!(line.diverted.expect("it was").reason, "timeout");
        assert!(ArchivedLine::parse("{}").is_err());
    }

    #[test]
    fn but_for_the_reason_a_line_goes_on_to_the_byte() {
        let reason = r#""diverted" : {"reason":"timeout", "sink":"https"}"#;
        for (archived, sent) in [
            // Members of a later version, an order and a layout of somebody else's, no resource.
            (
                r#"{"new":[1, 2],"type":"x" ,"record":"\u0041","time":1,"id":"1",REASON}"#,
                r#"{"new":[1, 2],"type":"x" ,"record":"\u0041","time":1,"id":"1"}"#,
            ),
            (
                r#" {REASON , "id":"1","time":"t","type":"x","record":{"diverted":1}} "#,
                r#"{"id":"1","time":"t","type":"x","record":{"diverted":1}}"#,
            ),
            (
                r#"{"original":{"record":"hunter2"},"id":"1","time":"t","type":"x","record":1,"resource":{},REASON}"#,
                r#"{"id":"1","time":"t","type":"x","record":1,"resource":{}}"#,
            ),
            (
                r#"{"id":"1","time":"t","type":"x","record":1,REASON,"o\u0072iginal":"hunter2"}"#,
                r#"{"id":"1","time":"t","type":"x","record":1}"#,
            ),
            (
                r#"{"id":"1", REASON, "time":"t","type":"x","record":1}"#,
                r#"{"id":"1", "time":"t","type":"x","record":1}"#,
            ),
            (
                r#"{"id":"1","time":"t","type":"x","record":"\"diverted\":{}","d\u0069verted":{"reason":"r"}}"#,
                r#"{"id":"1","time":"t","type":"x","record":"\"diverted\":{}"}"#,
            ),
            (
                r#"{"id":"1","time":"t","type":"x","record":1,"resource":null}"#,
                r#"{"id":"1","time":"t","type":"x","record":1,"resource":null}"#,
            ),
        ] {
            let archived = archived.replace("REASON", reason);
            let line = ArchivedLine::parse(&archived).expect("it is a line");
            assert_eq!(line.for_primary(), sent);
        }
        let twice = r#"{"id":1,"time":1,"type":1,"record":1,"diverted":null,"diverted":null}"#;
        assert!(ArchivedLine::parse(twice).is_err());
    }
}
