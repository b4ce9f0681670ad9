//! `json`: the same objects as in `ndjson`, in one array.

use backstop_delivery::Answer;

use super::answers::{LINES, Row};
use super::assemble::{Frame, Written, lines};
use super::{Context, Format, Reply, acknowledgment};
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

    fn answers(&self) -> &'static [Row] {
        LINES
    }

    fn most_answer_bytes(&self) -> usize {
        acknowledgment::MOST_BYTES_OF_STATUSES
    }

    /// Only in JSON may it say what was refused.
    fn needs_whole_answer(&self, is_json: bool) -> bool {
        is_json
    }

    fn read(&self, reply: &Reply<'_>) -> Answer {
        acknowledgment::read_statuses(reply)
    }
}
