//! The message of a line, as loggers write it: text, the member of an object, a value in logfmt. Of a log that the
//! function posted by OTLP it is the body.

use std::borrow::Cow;

use super::MOST_LOOKED_AT;
use super::mask::template;
use crate::parts::Parts;
use crate::unescape::Level;
use backstop_json::{space, string_end};
use memchr::memmem;

/// The members that hold it, the first that is there.
const MESSAGES: [&[u8]; 7] = [
    b"message",
    b"msg",
    b"errorMessage",
    b"@m",
    b"event",
    b"log",
    b"body",
];
/// What stands before the item of a posted log. Within a text its quotes would be escaped.
const ITEM: &[u8] = b"\"logRecords\":[";
/// Members that an object without a message is known by.
const MOST_MEMBERS: usize = 12;

/// The template of a fragment; `None` where it is no line.
pub(super) fn template_of(fragment: &[u8]) -> Option<String> {
    let parts = Parts::of(fragment)?;
    let record = parts.record;
    match record {
        _ if parts.is_posted() => of_posted(record),
        [b'"', ..] => {
            let end = record.len() - 1;
            let content = record.get(1..end.min(MOST_LOOKED_AT))?;
            Some(of_string(content))
        }
        [b'{', ..] => Some(of_object(record)),
        _ => Some(of_text(record)),
    }
}

/// The template of what is between the quotes of a string.
fn of_string(content: &[u8]) -> String {
    let text = Level::of(content).text;
    let start = space(&text, 0);
    if text.get(start) == Some(&b'{') {
        of_object(&text[start..])
    } else {
        of_text(&text)
    }
}

/// The template of the one log in a request of OTLP's JSON: its body, or the name of its event.
fn of_posted(record: &[u8]) -> Option<String> {
    // The resource before it may be long.
    let start = memmem::find(record, ITEM)? + ITEM.len();
    let item = &record[start..];
    let item = &item[..item.len().min(MOST_LOOKED_AT)];
    let member =
        |known: &[u8]| members(item).find_map(|(name, value)| (name == known).then_some(value));
    let body = member(b"body").and_then(|body| members(body).next());
    Some(match body {
        Some((b"stringValue", [b'"', content @ ..])) => of_string(content),
        Some((b"kvlistValue", list)) => of_members(pairs(list)),
        Some((_, value)) => of_text(value.strip_prefix(b"\"").unwrap_or(value)),
        None => match member(b"eventName") {
            Some([b'"', name @ ..]) => of_string(name),
            _ => of_text(b""),
        },
    })
}

fn of_text(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(MOST_LOOKED_AT)]);
    template(in_logfmt(&text).unwrap_or(&text))
}

/// The message of `level=info msg="out of stock" sku=42`.
fn in_logfmt(text: &str) -> Option<&str> {
    let line = text.lines().next()?;
    for key in ["msg=\"", "message=\""] {
        let mut found = line.match_indices(key);
        let at = found.find(|(at, _)| *at == 0 || line[..*at].ends_with([' ', '\t']));
        if let Some((at, key)) = at {
            let rest = &line[at + key.len()..];
            let end = string_end(rest.as_bytes(), 0);
            return Some(&rest[..end.unwrap_or(rest.len())]);
        }
    }
    None
}

fn of_object(object: &[u8]) -> String {
    of_members(members(&object[..object.len().min(MOST_LOOKED_AT)]))
}

/// The message among members; where there is none, their names.
fn of_members<'a>(members: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> String {
    let mut names: Vec<Cow<'_, str>> = Vec::new();
    let mut best: Option<(usize, &[u8])> = None;
    for (name, value) in members {
        let rank = MESSAGES
            .iter()
            .position(|known| known.eq_ignore_ascii_case(name));
        if let Some(rank) = rank
            && let [b'"', content @ ..] = value
            && best.is_none_or(|(other, _)| rank < other)
        {
            best = Some((rank, content));
        }
        if names.len() < MOST_MEMBERS {
            names.push(String::from_utf8_lossy(name));
        }
    }
    match best {
        Some((_, content)) => of_text(&Level::of(content).text),
        None => template(&format!("{{{}}}", names.join(" "))),
    }
}

/// The members of an object, as far as it is there: a name, and a value without its closing quote or bracket.
fn members(object: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut at = 1;
    std::iter::from_fn(move || {
        at = space(object, at);
        if object.get(at) == Some(&b',') {
            at = space(object, at + 1);
        }
        if object.get(at) != Some(&b'"') {
            return None;
        }
        let end = string_end(object, at + 1)?;
        let name = &object[at + 1..end];
        at = space(object, end + 1);
        if object.get(at) != Some(&b':') {
            return None;
        }
        let start = space(object, at + 1);
        let end = value_end(object, start);
        at = end + 1;
        Some((name, &object[start..end]))
    })
}

/// The pairs of OTLP's list of them, as members of an object would be.
fn pairs(list: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let values = members(list).find_map(|(name, value)| (name == b"values").then_some(value));
    let values = values.unwrap_or_default();
    let mut at = 1;
    let elements = std::iter::from_fn(move || {
        at = space(values, at);
        if values.get(at) == Some(&b',') {
            at = space(values, at + 1);
        }
        if values.get(at) != Some(&b'{') {
            return None;
        }
        let start = at;
        at = value_end(values, start) + 1;
        values.get(start..at - 1)
    });
    elements.filter_map(|element| {
        let (mut key, mut value) = (None, None);
        for (name, said) in members(element) {
            match (name, said) {
                (b"key", [b'"', said @ ..]) => key = Some(said),
                (b"value", said) => value = members(said).next().map(|(_, said)| said),
                _ => {}
            }
        }
        Some((key?, value.unwrap_or_default()))
    })
}

/// Where the last byte of a value is, or where the object is cut off.
fn value_end(object: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(byte) = object.get(at) {
        match byte {
            b'"' => match string_end(object, at + 1) {
                Some(end) => at = end,
                None => return object.len(),
            },
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth <= 1 => return at,
            b'}' | b']' => depth -= 1,
            // A number or a word ends before what follows it.
            b',' if depth == 0 => return at - 1,
            _ => {}
        }
        if depth == 0 && *byte == b'"' {
            return at;
        }
        at += 1;
    }
    object.len()
}
