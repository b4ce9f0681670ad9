//! `ndjson`: one JSON object a line, the same lines as in the archive.

use backstop_delivery::Answer;

use super::answers::{LINES, Row};
use super::assemble::{Frame, Written, lines};
use super::{Context, Format, Reply, acknowledgment};
use crate::codec::{Item, Output};

/// Newline-delimited JSON, as <https://github.com/ndjson/ndjson-spec> describes it.
#[derive(Debug)]
pub(super) struct Ndjson;

impl Format for Ndjson {
    fn content_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn write(&self, items: &[Item<'_>], _context: Context, out: &mut Output) -> Written {
        let frame = Frame {
            between: "\n",
            close: if items.is_empty() { "" } else { "\n" },
            ..Frame::default()
        };
        lines(items, frame, out)
    }

    fn answers(&self) -> &'static [Row] {
        LINES
    }

    fn most_answer_bytes(&self) -> usize {
        acknowledgment::MOST_BYTES
    }

    /// Only in JSON may it count what was refused.
    fn needs_whole_answer(&self, is_json: bool) -> bool {
        is_json
    }

    fn read(&self, reply: &Reply<'_>) -> Answer {
        acknowledgment::read(reply)
    }
}
