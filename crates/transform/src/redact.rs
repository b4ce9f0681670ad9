//! Takes secrets out of a record.
//!
//! A match becomes `[redacted:NAME]`, which is the same at every level of escaping; a number becomes
//! `null`; a field's value `[redacted]` or `null`.
//!
//! Invariants: what was valid JSON is valid JSON afterwards; of a member's name that was redacted no two are
//! the same. Must not: keep a copy of what it takes out.

use std::ops::Range;

use backstop_config::{NamedPattern, Redaction};
use memchr::memmem;

use crate::attributes::{Extent, attributes};
use crate::fields::fields;
use crate::named;
use crate::parts::Parts;
use crate::pattern::Pattern;
use crate::unescape::{Level, each_level};
use backstop_json::{Token, tokens};

/// A line of a private key that may stand alone has at least these bytes.
const LEAST_KEY_LINE: usize = 16;

/// The types of records of which one may go on with a private key that another of the same type began.
const SOURCES: [&[u8]; 3] = [b"function", b"extension", b"otlp.logs"];

/// What takes the place of an attribute's value, of whatever type.
const REDACTED_VALUE: &str = r#"{"stringValue":"[redacted]"}"#;

/// The fewest digits of anything that is found in a number.
const LEAST_NUMBER: usize = 13;

/// What is looked for, and what was found.
#[derive(Debug)]
pub(crate) struct Redactor {
    patterns: Vec<SearchedPattern>,
    paths: Vec<String>,
    /// The index of each path in the counts.
    path_counts: Vec<usize>,
    counts: Vec<(String, u64)>,
    /// The index of private keys in the counts, where they are looked for.
    keys: Option<usize>,
    /// Of each of [`SOURCES`]: a private key began in an earlier record and has not ended.
    key_is_open: [bool; SOURCES.len()],
    /// The state of a source before the record that was dropped last.
    before_dropped: Option<(usize, bool)>,
}

/// A pattern that is looked for.
#[derive(Debug)]
struct SearchedPattern {
    search: Search,
    replacement: String,
    count: usize,
}

#[derive(Debug)]
enum Search {
    Named(NamedPattern),
    Own(Box<Pattern>),
}

impl Search {
    /// Calls for each match.
    fn each(&self, text: &[u8], mut call: impl FnMut(Range<usize>)) {
        match self {
            Self::Named(pattern) => {
                let mut from = 0;
                while let Some(found) = named::find(*pattern, text, from) {
                    from = found.end.max(from + 1);
                    call(found);
                }
            }
            Self::Own(pattern) => pattern.each(text, call),
        }
    }
}

/// What a record may have in it at all: most have nothing, and are not searched string by string.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a fact about each of some patterns"
)]
struct PossibleMatches {
    /// Any character may be written as an escape.
    is_escaped: bool,
    email: bool,
    jwt: bool,
    key: bool,
}

impl PossibleMatches {
    fn of(record: &[u8]) -> Self {
        // A slash is escaped by some writers, and none of the texts below has one.
        let is_escaped = memmem::find(record, b"\\u").is_some();
        Self {
            is_escaped,
            email: memchr::memchr(b'@', record).is_some(),
            jwt: memmem::find(record, b"eyJ").is_some(),
            key: memmem::find(record, b"-----BEGIN").is_some(),
        }
    }

    fn has(&self, pattern: NamedPattern) -> bool {
        self.is_escaped
            || match pattern {
                NamedPattern::Email => self.email,
                NamedPattern::Jwt => self.jwt,
                NamedPattern::PrivateKeys => self.key,
                _ => true,
            }
    }

    /// Whether a search is worth it in a text: there is nothing to find in a shorter one.
    fn match_in(&self, search: &Search, text: &[u8]) -> bool {
        match search {
            Search::Named(pattern) => text.len() >= named::least(*pattern) && self.has(*pattern),
            Search::Own(_) => true,
        }
    }
}

/// A change to a record.
#[derive(Debug)]
struct Edit {
    range: Range<usize>,
    text: String,
    count: usize,
}

impl Redactor {
    /// A redactor; `own` are the patterns of the user's, compiled, in the order of the settings.
    pub(crate) fn new(settings: &[Redaction], own: Vec<Pattern>) -> Self {
        let mut redactor = Self {
            patterns: Vec::new(),
            paths: Vec::new(),
            path_counts: Vec::new(),
            counts: Vec::new(),
            keys: None,
            key_is_open: [false; SOURCES.len()],
            before_dropped: None,
        };
        let mut own = own.into_iter();
        for redaction in settings {
            let (name, count) = (redaction.name(), redactor.counts.len());
            let search = match redaction {
                Redaction::Named(pattern) => Some(Search::Named(*pattern)),
                Redaction::Own { .. } => own.next().map(|it| Search::Own(Box::new(it))),
                Redaction::Field(path) => {
                    redactor.paths.push(path.clone());
                    redactor.path_counts.push(count);
                    None
                }
            };
            if *redaction == Redaction::Named(NamedPattern::PrivateKeys) {
                redactor.keys = Some(count);
            }
            if let Some(search) = search {
                redactor.patterns.push(SearchedPattern {
                    search,
                    replacement: replacement(&name),
                    count,
                });
            }
            redactor.counts.push((name, 0));
        }
        redactor
    }

    /// What was redacted so far, by name.
    pub(crate) fn counts(&self) -> &[(String, u64)] {
        &self.counts
    }

    /// The record without its secrets; `None` where it has none.
    pub(crate) fn apply(&mut self, parts: &Parts<'_>) -> Option<Vec<u8>> {
        let mut edits = Vec::new();
        let may = PossibleMatches::of(parts.record);
        self.by_field(parts, &mut edits);
        self.by_pattern(parts, &may, &mut edits);
        self.by_open_key(parts, &may, &mut edits);
        if edits.is_empty() {
            return None;
        }
        Some(self.edited(parts.record, edits))
    }

    /// Notes whether a private key begins or ends in a record that is dropped.
    pub(crate) fn pass_over(&mut self, parts: &Parts<'_>) {
        let source = source(parts);
        self.before_dropped = source.map(|source| (source, self.key_is_open[source]));
        if self.keys.is_some() && source.is_some() {
            self.by_open_key(parts, &PossibleMatches::of(parts.record), &mut Vec::new());
        }
    }

    /// Like [`Redactor::apply`], of the record that was passed over just now.
    pub(crate) fn apply_to_dropped(&mut self, parts: &Parts<'_>) -> Option<Vec<u8>> {
        if let Some((source, was_open)) = self.before_dropped.take() {
            self.key_is_open[source] = was_open;
        }
        self.apply(parts)
    }

    fn by_field(&self, parts: &Parts<'_>, edits: &mut Vec<Edit>) {
        if self.paths.is_empty() {
            return;
        }
        let mut found = fields(parts.record, &self.paths);
        if parts.is_posted() {
            let attributes = attributes(parts.record, &self.paths, Extent::End);
            found.extend(attributes.in_text);
            edits.extend(attributes.values.into_iter().map(|value| Edit {
                range: value.range,
                text: REDACTED_VALUE.to_owned(),
                count: self.path_counts[value.path],
            }));
        }
        for field in found {
            if field.text == b"null" && !field.is_string {
                continue;
            }
            let text = if field.is_string {
                "[redacted]"
            } else {
                "null"
            };
            edits.push(Edit {
                range: field.range,
                text: text.to_owned(),
                count: self.path_counts[field.path],
            });
        }
    }

    fn by_pattern(&self, parts: &Parts<'_>, may: &PossibleMatches, edits: &mut Vec<Edit>) {
        let is_worth_it = |looked: &SearchedPattern| match &looked.search {
            Search::Named(pattern) => may.has(*pattern),
            Search::Own(_) => true,
        };
        if !self.patterns.iter().any(is_worth_it) {
            return;
        }
        let record = parts.record;
        let mut keys_redacted = 0;
        for token in looked_into(parts) {
            match token {
                Token::Number(range) => self.number(&record[range.clone()], range, edits),
                Token::String(range, is_key) => {
                    let first = edits.len();
                    self.string(&record[range.clone()], range.start, may, edits);
                    if is_key {
                        for edit in &mut edits[first..] {
                            keys_redacted += 1;
                            if keys_redacted > 1 {
                                edit.text = format!("{}-{keys_redacted}", edit.text);
                            }
                        }
                    }
                }
            }
        }
    }

    /// The strings that go on with a private key, which began in an earlier string or record of the same source.
    fn by_open_key(&mut self, parts: &Parts<'_>, may: &PossibleMatches, edits: &mut Vec<Edit>) {
        let Some(count) = self.keys else { return };
        let source = source(parts);
        let was_open = source.is_some_and(|source| self.key_is_open[source]);
        let has_key = may.has(NamedPattern::PrivateKeys);
        if !was_open && !has_key {
            return;
        }
        let mut is_open = was_open;
        let (mut goes_on, mut before_went_on) = (false, false);
        for token in looked_into(parts) {
            let Token::String(range, false) = token else {
                continue;
            };
            let content = &parts.record[range.clone()];
            let rest = is_open.then(|| rest_of_key(content, before_went_on));
            let rest = rest.flatten();
            before_went_on = rest.is_some();
            if let Some(rest) = rest {
                (goes_on, is_open) = (true, !rest.is_end);
                edits.push(Edit {
                    range: range.start + rest.range.start..range.start + rest.range.end,
                    text: replacement(NamedPattern::PrivateKeys.as_str()),
                    count,
                });
            }
            if has_key {
                each_level(content, &mut |text, _| {
                    if named::begins_private_key(text) {
                        (is_open, goes_on) = (true, true);
                    }
                });
            }
        }
        if let Some(source) = source {
            self.key_is_open[source] = is_open && (goes_on || !was_open);
        }
    }

    fn number(&self, number: &[u8], range: Range<usize>, edits: &mut Vec<Edit>) {
        // No pattern that Backstop knows finds a shorter one, and most numbers are.
        let is_short = number.len() < LEAST_NUMBER;
        for pattern in &self.patterns {
            if is_short && matches!(pattern.search, Search::Named(_)) {
                continue;
            }
            let mut is_found = false;
            pattern.search.each(number, |_| is_found = true);
            if is_found {
                edits.push(Edit {
                    range: range.clone(),
                    text: "null".to_owned(),
                    count: pattern.count,
                });
            }
        }
    }

    fn string(&self, content: &[u8], start: usize, may: &PossibleMatches, edits: &mut Vec<Edit>) {
        each_level(content, &mut |text, below| {
            for pattern in &self.patterns {
                if !may.match_in(&pattern.search, text) {
                    continue;
                }
                pattern.search.each(text, |found| {
                    let replacement = if is_bare_number(text, &found) {
                        "null"
                    } else {
                        &pattern.replacement
                    };
                    let range = below(found);
                    edits.push(Edit {
                        range: start + range.start..start + range.end,
                        text: replacement.to_owned(),
                        count: pattern.count,
                    });
                });
            }
        });
    }

    /// Makes the changes. Of those that overlap the first is made, over all that they cover.
    fn edited(&mut self, record: &[u8], mut edits: Vec<Edit>) -> Vec<u8> {
        edits.sort_by_key(|edit| (edit.range.start, std::cmp::Reverse(edit.range.end)));
        let mut merged: Vec<Edit> = Vec::with_capacity(edits.len());
        for edit in edits {
            match merged.last_mut() {
                Some(last) if edit.range.start < last.range.end => {
                    last.range.end = last.range.end.max(edit.range.end);
                }
                _ => merged.push(edit),
            }
        }
        let mut text = Vec::with_capacity(record.len() + 16 * merged.len());
        let mut at = 0;
        for edit in merged {
            text.extend_from_slice(&record[at..edit.range.start]);
            text.extend_from_slice(edit.text.as_bytes());
            at = edit.range.end;
            self.counts[edit.count].1 += 1;
        }
        text.extend_from_slice(&record[at..]);
        text
    }
}

/// The strings and numbers of a record, without the ids and times of an item that the function posted.
fn looked_into<'a>(parts: &Parts<'a>) -> impl Iterator<Item = Token> + use<'a> {
    let (record, is_posted) = (parts.record, parts.is_posted());
    let mut name = None;
    tokens(record).filter(move |token| match token {
        _ if !is_posted => true,
        Token::String(range, true) => {
            name = Some(range.clone());
            true
        }
        Token::String(range, false) | Token::Number(range) => !name
            .take()
            .is_some_and(|name| is_id(&record[name], &record[range.clone()])),
    })
}

/// Whether a member of an item is an id or a time, as OTLP writes them: its digits say nothing else.
fn is_id(name: &[u8], value: &[u8]) -> bool {
    let is_hex = |length: usize| value.len() == length && value.iter().all(u8::is_ascii_hexdigit);
    match name {
        b"traceId" => is_hex(32),
        b"spanId" | b"parentSpanId" => is_hex(16),
        _ => name.ends_with(b"UnixNano") && value.iter().all(u8::is_ascii_digit),
    }
}

/// Which of [`SOURCES`] a record is of.
fn source(parts: &Parts<'_>) -> Option<usize> {
    SOURCES.iter().position(|kind| *kind == parts.kind)
}

/// What a string holds of a private key that began before it.
#[derive(Debug)]
struct RestOfKey {
    range: Range<usize>,
    /// The key ends in it.
    is_end: bool,
}

/// What is part of a private key in a string after one in which it began and did not end.
fn rest_of_key(content: &[u8], before_went_on: bool) -> Option<RestOfKey> {
    let level = Level::of(content);
    let end = named::ends_private_key(&level.text);
    let is_long = level.text.len() >= LEAST_KEY_LINE || before_went_on || end.is_some();
    if !is_long || level.text.is_empty() || !named::continues_private_key(&level.text) {
        return None;
    }
    Some(RestOfKey {
        range: level.below(&(0..end.unwrap_or(level.text.len()))),
        is_end: end.is_some(),
    })
}

fn replacement(name: &str) -> String {
    format!("[redacted:{name}]")
}

/// Whether what was found is a number of JSON that the text holds: text in its place would break it.
fn is_bare_number(text: &[u8], found: &Range<usize>) -> bool {
    let is_json = text
        .trim_ascii_start()
        .first()
        .is_some_and(|byte| b"{[".contains(byte));
    let before = text[..found.start].trim_ascii_end().last();
    let after = text[found.end..].trim_ascii_start().first();
    is_json
        && text[found.clone()].iter().all(u8::is_ascii_digit)
        && before.is_some_and(|byte| b":[,".contains(byte))
        && after.is_some_and(|byte| b",]}".contains(byte))
}
