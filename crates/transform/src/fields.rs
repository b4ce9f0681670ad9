//! Finds the fields that paths name, in objects, in arrays of them, and in JSON that is the text of a string.
//!
//! A path's part is a member's name, or `*` for any. A name with dots in it is found as well: the path
//! `user.email` means the member `email` of `user`, and the member `user.email`.
//!
//! Invariants: total; nesting is bounded by [`MOST_DEPTH`], below which nothing is looked for.

use std::ops::Range;

use crate::unescape::{Level, MOST_LEVELS};
use backstop_json::{number_end, space, string_end};

/// Levels of objects and arrays that are looked into; the decoder keeps no record with more.
pub(crate) const MOST_DEPTH: usize = 128;

/// A field that was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// The index of its path.
    pub(crate) path: usize,
    /// Where its value is in the record; of a string, what is between its quotes.
    pub(crate) range: Range<usize>,
    /// Whether it is a string.
    pub(crate) is_string: bool,
    /// The value's text: that of a string, or else the JSON.
    pub(crate) text: Vec<u8>,
}

/// What is left of paths at some place: their indices, and where they go on.
type State = Vec<(usize, usize)>;

/// The fields of a record that the paths name, in order.
pub(crate) fn fields(record: &[u8], paths: &[String]) -> Vec<Field> {
    let state: State = (0..paths.len()).map(|path| (path, 0)).collect();
    let mut walker = Walker {
        text: record,
        at: 0,
        paths,
        levels: MOST_LEVELS,
        found: Vec::new(),
    };
    // What was found before text that is no JSON was found; the decoder hands on JSON only.
    walker.value(&state, MOST_DEPTH).unwrap_or_default();
    walker.found
}

struct Walker<'a> {
    text: &'a [u8],
    at: usize,
    paths: &'a [String],
    /// Levels of JSON in strings that may follow.
    levels: usize,
    found: Vec<Field>,
}

impl Walker<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Passes over a value; `None` where the text is no JSON.
    fn value(&mut self, state: &State, depth: usize) -> Option<()> {
        if state.is_empty() {
            return self.skip();
        }
        match self.peek()? {
            b'{' => self.object(state, depth.checked_sub(1)?),
            b'[' => self.array(state, depth.checked_sub(1)?),
            b'"' => {
                let content = self.at + 1..string_end(self.text, self.at + 1)?;
                self.at = content.end + 1;
                self.string(content, state);
                Some(())
            }
            _ => self.skip(),
        }
    }

    fn object(&mut self, state: &State, depth: usize) -> Option<()> {
        self.at = space(self.text, self.at + 1);
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            if self.peek()? != b'"' {
                return None;
            }
            let key = self.at + 1..string_end(self.text, self.at + 1)?;
            self.at = space(self.text, key.end + 1);
            if self.peek()? != b':' {
                return None;
            }
            self.at = space(self.text, self.at + 1);
            let key = Level::of(&self.text[key]);
            let (next, is_meant) = self.step(state, &key.text);
            match is_meant {
                Some(path) => self.field(path)?,
                None => self.value(&next, depth)?,
            }
            if self.is_over(b'}')? {
                return Some(());
            }
        }
    }

    fn array(&mut self, state: &State, depth: usize) -> Option<()> {
        self.at = space(self.text, self.at + 1);
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.value(state, depth)?;
            if self.is_over(b']')? {
                return Some(());
            }
        }
    }

    /// After a member or an element: whether it was the last.
    fn is_over(&mut self, closing: u8) -> Option<bool> {
        self.at = space(self.text, self.at);
        let byte = self.peek()?;
        self.at += 1;
        if byte == closing {
            return Some(true);
        }
        self.at = space(self.text, self.at);
        (byte == b',').then_some(false)
    }

    /// What is left of the paths after a member's name, and the path that it ends.
    fn step(&self, state: &State, key: &[u8]) -> (State, Option<usize>) {
        let mut next = State::new();
        for (path, from) in state {
            let rest = self.paths[*path]
                .as_bytes()
                .get(*from..)
                .unwrap_or_default();
            for name in [key, b"*"] {
                match rest.strip_prefix(name) {
                    Some([]) => return (State::new(), Some(*path)),
                    Some([b'.', ..]) => next.push((*path, from + name.len() + 1)),
                    Some(_) | None => {}
                }
            }
        }
        (next, None)
    }

    /// Notes the value that comes next.
    fn field(&mut self, path: usize) -> Option<()> {
        let start = self.at;
        self.skip()?;
        let is_string = self.text[start] == b'"';
        let range = if is_string {
            start + 1..self.at - 1
        } else {
            start..self.at
        };
        let value = &self.text[range.clone()];
        let text = if is_string {
            Level::of(value).text.into_owned()
        } else {
            value.to_vec()
        };
        self.found.push(Field {
            path,
            range,
            is_string,
            text,
        });
        Some(())
    }

    /// Looks into JSON that a string holds.
    fn string(&mut self, content: Range<usize>, state: &State) {
        let Some(levels) = self.levels.checked_sub(1) else {
            return;
        };
        let level = Level::of(&self.text[content.clone()]);
        let Some(at) = embedded(&level.text) else {
            return;
        };
        let mut inner = Walker {
            text: &level.text,
            at,
            paths: self.paths,
            levels,
            found: Vec::new(),
        };
        if inner.value(state, MOST_DEPTH).is_none() {
            return;
        }
        let found = inner.found;
        self.found.extend(found.into_iter().map(|field| {
            let range = level.below(&field.range);
            Field {
                range: content.start + range.start..content.start + range.end,
                ..field
            }
        }));
    }

    /// Passes over a value.
    fn skip(&mut self) -> Option<()> {
        self.at = skip(self.text, self.at)?;
        Some(())
    }
}

/// The end of the value that begins at a place, by its quotes and brackets.
pub(crate) fn skip(text: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut open) = (start, 0_usize);
    loop {
        match text.get(at)? {
            b'"' => at = string_end(text, at + 1)? + 1,
            b'{' | b'[' => {
                open += 1;
                at += 1;
            }
            b'}' | b']' => {
                open = open.checked_sub(1)?;
                at += 1;
            }
            b'-' | b'0'..=b'9' => at = number_end(text, at),
            b't' | b'f' | b'n' => {
                let rest = text[at..].iter();
                at += rest.take_while(|byte| byte.is_ascii_lowercase()).count();
            }
            b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' if open > 0 => at += 1,
            _ => return None,
        }
        if open == 0 {
            return Some(at);
        }
    }
}

/// Where the object or array begins that a text holds: at its start, or after white space, as in the lines that
/// Lambda's runtimes write. It may turn out to be none.
fn embedded(text: &[u8]) -> Option<usize> {
    let start = space(text, 0);
    // A string may hold it as well.
    if text.get(start).is_some_and(|byte| b"{[\"".contains(byte)) {
        return Some(start);
    }
    // A bracket before it is part of a prefix: `[INFO]`.
    let all = memchr::memchr_iter(b'{', text);
    let mut all = all.filter(|at| *at > 0 && matches!(text[at - 1], b' ' | b'\t'));
    all.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(record: &str, paths: &[&str]) -> Vec<(usize, String, String)> {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        let found = fields(record.as_bytes(), &paths);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("it is text");
        let found = found.into_iter();
        found
            .map(|it| (it.path, text(&record.as_bytes()[it.range]), text(&it.text)))
            .collect()
    }

    #[test]
    fn fields_are_found_through_objects_arrays_and_strings() {
        for (record, path, expected) in [
            (
                r#"{"user":{"email":"x"},"email":"y"}"#,
                "user.email",
                vec![("x", "x")],
            ),
            (
                r#"{"user":[{"email":1},[{"email":{"a":2}}]]}"#,
                "user.email",
                vec![("1", "1"), ("{\"a\":2}", "{\"a\":2}")],
            ),
            (
                r#"{"user.email":null}"#,
                "user.email",
                vec![("null", "null")],
            ),
            (
                r#"{"a":{"b.c":{"d":true}}}"#,
                "a.b.c.d",
                vec![("true", "true")],
            ),
            (
                r#"{"a":{"x":{"d":1},"y":{"d":2}}}"#,
                "a.*.d",
                vec![("1", "1"), ("2", "2")],
            ),
            (
                r#"{"us\u0065r":{"name":"\u0041\n"}}"#,
                "user.name",
                vec![(r"\u0041\n", "A\n")],
            ),
            (
                r#""{\"user\":{\"name\":\"a\\nb\"}}\n""#,
                "user.name",
                vec![(r"a\\nb", "a\nb")],
            ),
            (
                r#""2026\tid\tINFO\t{\"user\":[{\"name\":7}]}""#,
                "user.name",
                vec![("7", "7")],
            ),
            (
                r#"{"message":"{\"user\":\"{\\\"name\\\":\\\"x\\\"}\"}"}"#,
                "message.user.name",
                vec![("x", "x")],
            ),
            (r#""{ user: {} }""#, "user", vec![]),
            (r#"[1,"a",{},[]]"#, "user", vec![]),
            (r#"{"a":1,"b":"#, "b", vec![]),
        ] {
            let all: Vec<_> = expected
                .iter()
                .map(|(raw, text)| (0, (*raw).to_owned(), (*text).to_owned()))
                .collect();
            assert_eq!(found(record, &[path]), all, "{record} {path}");
        }
        assert_eq!(
            found(r#"{"a":{"b":1,"c":2}}"#, &["a.c", "a.b", "a.d"]),
            [
                (1, "1".to_owned(), "1".to_owned()),
                (0, "2".to_owned(), "2".to_owned())
            ]
        );
    }

    #[test]
    fn nesting_without_end_is_given_up() {
        let deep = format!("{}\"user\":1", "{\"a\":".repeat(100_000));
        assert_eq!(found(&deep, &["user"]), []);
    }
}
