//! `json`: the same objects as in `ndjson`, in one array.

use super::assemble::{Frame, Written, lines};
use super::{Context, Format};
use crate::codec::{Item, Output};

/// A JSON array (RFC 8259).
#[derive(Debug)]
pub(super) struct Json;

impl Format for Json {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn write(&self, items: &[Item<'_>], _context: Context, out: &mut Output) -> Written {
        let frame = Frame {
            open: "[",
            between: ",",
            close: "]",
            ..Frame::default()
        };
        lines(items, frame, out)
    }
}
