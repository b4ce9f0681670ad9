//! `json`: the same objects as in `ndjson`, in one array.

use super::Format;
use crate::codec::{Item, Output, write_line};

/// A JSON array (RFC 8259).
#[derive(Debug)]
pub(super) struct Json;

impl Format for Json {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn write(&self, items: &[Item<'_>], out: &mut Output) {
        array(items, out, |item, out| write_line(item, b"", out));
    }

    fn write_lines(&self, lines: &[String], out: &mut Output) {
        array(lines, out, |line, out| {
            out.bytes().extend_from_slice(line.as_bytes());
        });
    }
}

fn array<T>(elements: &[T], out: &mut Output, write: impl Fn(&T, &mut Output)) {
    out.bytes().push(b'[');
    for (index, element) in elements.iter().enumerate() {
        if index > 0 {
            out.bytes().push(b',');
        }
        write(element, out);
        out.written();
    }
    out.bytes().push(b']');
}
