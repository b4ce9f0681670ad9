//! `ndjson`: one JSON object a line, the same lines as in the archive.

use super::Format;
use crate::codec::{Item, Output, write_line};

/// Newline-delimited JSON, as <https://github.com/ndjson/ndjson-spec> describes it.
#[derive(Debug)]
pub(super) struct Ndjson;

impl Format for Ndjson {
    fn content_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn write(&self, items: &[Item<'_>], out: &mut Output) {
        for item in items {
            write_line(item, b"", out);
            out.bytes().push(b'\n');
            out.written();
        }
    }

    fn write_lines(&self, lines: &[String], out: &mut Output) {
        for line in lines {
            out.bytes().extend_from_slice(line.as_bytes());
            out.bytes().push(b'\n');
            out.written();
        }
    }
}
