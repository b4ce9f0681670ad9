//! The tags: attributes of the resource that the user adds to every record.
//!
//! Invariant: a text that was meant otherwise than it would be read is an error: pairs that another
//! separator divides, quotes that a shell would have taken away, a line break, a name that the
//! resource has already. A mistake costs its own entry and no other.
//!
//! Must not: know how a record is written; that the names in [`RESERVED_TAGS`] are those of the
//! resource is for the tests of its writer to say.

use crate::error::Invalid;
use crate::parse::{entries, is_quoted, pair};
use crate::register::TAGS;

/// The names of the resource's own attributes, which no tag can replace.
pub const RESERVED_TAGS: &[&str] = &[
    "cloud.account.id",
    "cloud.provider",
    "cloud.region",
    "faas.instance",
    "faas.name",
    "faas.version",
];

/// What is wrong with the tags or with one of them, and what the extension does in spite of it.
pub(crate) type Problem = (Invalid, &'static str);

/// `k=v,k2=v2` as the tags that are valid, and what is wrong with the others.
pub(crate) fn tags(text: &str) -> (Vec<(String, String)>, Vec<Problem>) {
    let (mut tags, mut errors) = (Vec::new(), Vec::new());
    if let Some(within) = wrapped(text) {
        let problem = Invalid::new(format!("is in {within}: write k=v,k2=v2 without them"));
        return (tags, vec![(problem, "no tag is set")]);
    }
    for entry in entries(text) {
        match tag(entry, &tags) {
            Ok((key, value)) => tags.push((key.to_owned(), value.to_owned())),
            Err(problem) => errors.push((Invalid::new(problem), "this entry is left out")),
        }
    }
    (tags, errors)
}

fn tag<'a>(entry: &'a str, before: &[(String, String)]) -> Result<(&'a str, &'a str), String> {
    let shown = TAGS.shown(entry);
    let (key, value) = match pair(entry) {
        None => {
            return Err(format!(
                "has the entry {shown} without \"=\": write key=value"
            ));
        }
        Some(("", _)) => {
            return Err(format!(
                "has the entry {shown} without a key: write key=value"
            ));
        }
        Some(pair) => pair,
    };
    if entry.contains(char::is_control) {
        let problem = "with a line break or another control character";
        return Err(format!("has the entry {shown} {problem}: write k=v,k2=v2"));
    }
    if is_quoted(key) || is_quoted(value) {
        let problem = "with a quote at an end, which would be part of the tag";
        return Err(format!(
            "has the entry {shown} {problem}: write k=v,k2=v2 without quotes"
        ));
    }
    let has_separator =
        |key: &str| key.contains(SEPARATORS) || ESCAPED.iter().any(|escaped| key.contains(escaped));
    if has_separator(key) || has_another_pair(value) {
        let problem = "with more than one pair in it";
        return Err(format!(
            "has the entry {shown} {problem}: separate pairs by commas, as in k=v,k2=v2"
        ));
    }
    if RESERVED_TAGS
        .iter()
        .any(|name| name.eq_ignore_ascii_case(key))
    {
        let key = TAGS.shown(key);
        return Err(format!(
            "sets {key}, which every record has already: use another key, or remove it"
        ));
    }
    if before.iter().any(|(known, _)| known == key) {
        return Err(format!("sets {} twice: set it once", TAGS.shown(key)));
    }
    Ok((key, value))
}

/// What separates pairs elsewhere, besides white space: also the commas and semicolons of Chinese,
/// Japanese and Arabic keyboards.
const SEPARATORS: [char; 11] = [';', '|', '&', '，', '；', '、', '､', '﹐', '﹔', '،', '؛'];
/// White space that somebody wrote with a backslash, and that nothing replaced.
const ESCAPED: [&str; 3] = ["\\n", "\\r", "\\t"];

/// Whether a value goes on with a separator and `key=`, or ends with a semicolon.
fn has_another_pair(value: &str) -> bool {
    let is_separator = |char: char| char.is_whitespace() || SEPARATORS.contains(&char);
    let is_of_key = |char: char| char.is_alphanumeric() || "_.-/:@".contains(char);
    let begins_pair = |rest: &str| {
        let after_key = rest.trim_start_matches(is_of_key);
        after_key.len() < rest.len() && after_key.trim_start().starts_with('=')
    };
    let escaped = ESCAPED
        .iter()
        .flat_map(|escaped| value.match_indices(escaped));
    let mut after_separators = value
        .match_indices(is_separator)
        .chain(escaped)
        .map(|(at, separator)| value[at + separator.len()..].trim_start());
    value.ends_with([';', '；', '﹔', '؛']) || after_separators.any(begins_pair)
}

/// What the whole text is wrapped in.
fn wrapped(text: &str) -> Option<&'static str> {
    let is_between =
        |open: char, close: char| text.len() > 1 && text.starts_with(open) && text.ends_with(close);
    if is_between('"', '"') || is_between('\'', '\'') || is_between('`', '`') {
        Some("quotes")
    } else if is_between('{', '}') || is_between('[', ']') {
        Some("brackets")
    } else {
        None
    }
}
