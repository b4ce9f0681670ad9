//! Finds the attributes of an OTLP item that paths name. In OTLP the name of an attribute is itself a value:
//! `{"key":"password","value":{…}}`.
//!
//! A path's end is compared with an attribute's key, and with the keys of the lists around it. The key may hold
//! several parts of the path: the path `user.email` means the key `user.email`, and `email` in the list `user`.
//! JSON in the text of a `stringValue` is searched as in other records.
//!
//! Invariants: total; nesting is bounded by [`MOST_DEPTH`], below which nothing is searched.

use std::ops::Range;

use crate::fields::{Field, MOST_DEPTH, fields, skip};
use crate::unescape::Level;
use backstop_json::{space, string_end};

/// How much of a path the keys must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The end of it, at least one name: for a redaction it is safe to find too much.
    End,
    /// All of it.
    Whole,
}

/// What was found in an item.
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    /// The values of attributes: of each the text that it holds, and the range of its `AnyValue`.
    pub(crate) values: Vec<Field>,
    /// Fields of JSON that is the text of a value.
    pub(crate) in_text: Vec<Field>,
}

/// The attributes of an item that the paths name, in order.
pub(crate) fn attributes(item: &[u8], paths: &[String], extent: Extent) -> Attributes {
    let mut walker = Walker {
        text: item,
        at: 0,
        paths,
        extent,
        keys: Vec::new(),
        found: Attributes::default(),
    };
    // The decoder lets only JSON through.
    walker.value(MOST_DEPTH).unwrap_or_default();
    walker.found
}

struct Walker<'a> {
    text: &'a [u8],
    at: usize,
    paths: &'a [String],
    extent: Extent,
    /// The keys of the attributes around this place.
    keys: Vec<Vec<u8>>,
    found: Attributes,
}

impl Walker<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Skips a value; `None` if the text is not JSON.
    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'{' => self.object(depth.checked_sub(1)?),
            b'[' => self.array(depth.checked_sub(1)?),
            _ => self.skip(),
        }
    }

    fn skip(&mut self) -> Option<()> {
        self.at = skip(self.text, self.at)?;
        Some(())
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.at = space(self.text, self.at + 1);
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.value(depth)?;
            if self.is_over(b']')? {
                return Some(());
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        let mut key = None;
        // A value that comes before its key.
        let mut early = None;
        self.at = space(self.text, self.at + 1);
        let mut is_over = self.peek()? == b'}';
        self.at += usize::from(is_over);
        while !is_over {
            let name = self.name()?;
            match &self.text[name] {
                b"key" if self.peek()? == b'"' => {
                    let content = self.string()?;
                    key = Some(Level::of(&self.text[content]).text.into_owned());
                }
                b"value" if key.is_none() => {
                    early = Some(self.at);
                    self.skip()?;
                }
                b"value" => self.attribute(key.clone(), depth)?,
                b"stringValue" if self.peek()? == b'"' => self.text_value()?,
                _ => self.value(depth)?,
            }
            is_over = self.is_over(b'}')?;
        }
        if let Some(start) = early {
            let end = std::mem::replace(&mut self.at, start);
            self.attribute(key, depth)?;
            self.at = end;
        }
        Some(())
    }

    /// The next member's name, up to whose value it goes.
    fn name(&mut self) -> Option<Range<usize>> {
        let name = self.string()?;
        self.at = space(self.text, self.at);
        (self.peek()? == b':').then_some(())?;
        self.at = space(self.text, self.at + 1);
        Some(name)
    }

    /// What is between the quotes of the string here.
    fn string(&mut self) -> Option<Range<usize>> {
        (self.peek()? == b'"').then_some(())?;
        let content = self.at + 1..string_end(self.text, self.at + 1)?;
        self.at = content.end + 1;
        Some(content)
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

    /// The value of an attribute with this key.
    fn attribute(&mut self, key: Option<Vec<u8>>, depth: usize) -> Option<()> {
        let Some(key) = key else {
            return self.value(depth);
        };
        self.keys.push(key);
        let path = self.paths.iter().position(|path| self.is_named_by(path));
        let passed = match path {
            Some(path) => self.field(path),
            None => self.value(depth),
        };
        self.keys.pop();
        passed
    }

    /// Whether a path names the innermost of the keys.
    fn is_named_by(&self, path: &str) -> bool {
        let is_dot = |byte: &u8| *byte == b'.';
        let own = self.keys.last().map_or(0, |key| key.split(is_dot).count());
        let mut names = self.keys.iter().rev().flat_map(|key| key.rsplit(is_dot));
        let mut parts = path.as_bytes().rsplit(is_dot).peekable();
        let (mut held, mut has_name) = (0, false);
        while let Some(part) = parts.next() {
            let is_any = part == b"*";
            if !names.next().is_some_and(|name| is_any || part == name) {
                return false;
            }
            held += 1;
            has_name |= !is_any;
            let is_enough = self.extent == Extent::End || parts.peek().is_none();
            if held >= own && has_name && is_enough {
                return true;
            }
        }
        false
    }

    /// Notes the `AnyValue` that comes next.
    fn field(&mut self, path: usize) -> Option<()> {
        let start = self.at;
        self.skip()?;
        let range = start..self.at;
        if let Some(held) = self.held(range.clone()) {
            let is_string = self.text[held.start] == b'"';
            let text = if is_string {
                let content = held.start + 1..held.end - 1;
                Level::of(&self.text[content]).text.into_owned()
            } else {
                self.text[held].to_vec()
            };
            self.found.values.push(Field {
                path,
                range,
                is_string,
                text,
            });
        }
        Some(())
    }

    /// What an `AnyValue` holds: its first member's value. An empty one holds nothing.
    fn held(&self, any: Range<usize>) -> Option<Range<usize>> {
        let text = &self.text[..any.end];
        if text[any.start] != b'{' {
            return (&text[any.clone()] != b"null").then_some(any);
        }
        let name = space(text, any.start + 1);
        if text.get(name) != Some(&b'"') {
            return None;
        }
        let colon = space(text, string_end(text, name + 1)? + 1);
        let start = space(text, colon + 1);
        Some(start..skip(text, start)?)
    }

    /// Looks into JSON that a text holds.
    fn text_value(&mut self) -> Option<()> {
        let start = self.at;
        self.string()?;
        let found = fields(&self.text[start..self.at], self.paths);
        self.found
            .in_text
            .extend(found.into_iter().map(|field| Field {
                range: start + field.range.start..start + field.range.end,
                ..field
            }));
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(item: &str, path: &str, extent: Extent) -> Vec<String> {
        let found = attributes(item.as_bytes(), &[path.to_owned()], extent);
        let all = found.values.into_iter().chain(found.in_text);
        all.map(|it| String::from_utf8(it.text).expect("it is text"))
            .collect()
    }

    #[test]
    fn attributes_are_found_by_the_end_of_a_path_or_by_all_of_it() {
        let item = r#"{"resource":{"attributes":[{"key":"user.email","value":{"stringValue":"a"}}]},"spans":[
            {"attributes":[{"key":"email","value":{"intValue":"1"}},{ "value" : { "boolValue" : true } , "key" : "em\u0061il" },
             {"key":"user","value":{"kvlistValue":{"values":[{"key":"email","value":{"doubleValue":2.5}}]}}},
             {"key":"other","value":{"kvlistValue":{"values":[{"value":{"stringValue":"b"},"key":"email"}]}}},
             {"key":"the.user.email","value":{"stringValue":"c"}},{"key":"x","value":{}},{"key":"x"},
             {"key":"text","value":{"stringValue":"{\"user\":{\"email\":\"d\"}}"}}]}]}"#;
        let sorted = |extent, path| {
            let mut all = texts(item, path, extent);
            all.sort();
            all.join(" ")
        };
        for (path, end, whole) in [
            ("user.email", "1 2.5 a b d true", "2.5 a d"),
            ("email", "1 2.5 b true", "1 2.5 b true"),
            ("*.email", "1 2.5 a b d true", "2.5 a b d"),
            ("user.*", "2.5 a d", "2.5 a d"),
            ("x", "", ""),
            ("mail", "", ""),
            ("the.user.email", "1 2.5 a b c true", "c"),
        ] {
            assert_eq!(sorted(Extent::End, path), end, "{path}");
            assert_eq!(sorted(Extent::Whole, path), whole, "{path}");
        }
        let value = r#"{"kvlistValue":{"values":[{"key":"email","value":{"doubleValue":2.5}}]}}"#;
        let inner = value.strip_prefix(r#"{"kvlistValue":"#);
        let inner = inner.and_then(|it| it.strip_suffix('}'));
        assert_eq!(
            texts(item, "user", Extent::Whole),
            [inner.expect("it is one"), "{\"email\":\"d\"}"]
        );
    }

    #[test]
    fn text_that_is_no_item_is_given_up() {
        for text in [
            "",
            "{",
            "{\"key\":\"a\",\"value\":",
            "{\"key\" 1}",
            "[1,",
            "{,}",
        ] {
            assert_eq!(texts(text, "a", Extent::End), [""; 0], "{text}");
        }
        let deep = "{\"key\":\"b\",\"value\":".repeat(100_000);
        assert_eq!(texts(&deep, "a", Extent::End), [""; 0]);
    }
}
