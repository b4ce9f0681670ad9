//! Writes the fragment of an event: `"time":…,"type":…,"record":…`.
//!
//! Invariants: a fragment is valid JSON between braces, UTF-8, and without a raw line break. What
//! Lambda writes already is one, and is sliced out of the body. What has to be written shares
//! allocations with the others of its body, so that a small element costs little more than its text.

use std::ops::Range;

use backstop_json::{Scanner, repair_surrogates};
use bytes::{BufMut, Bytes, BytesMut};

/// The `type` given to what is not a telemetry event, so that it can be kept and seen.
pub const MALFORMED: &str = "backstop.malformed";

/// The least that is allocated at once.
const CHUNK: usize = 4096;

const TIME: &[u8] = b"\"time\":";
const TYPE: &[u8] = b",\"type\":";
const RECORD: &[u8] = b",\"record\":";

/// Writes the fragments of one body.
#[derive(Debug)]
pub(crate) struct Writer {
    /// The time to write where an element has none, as a JSON string.
    received: Bytes,
    is_utf8: bool,
    space: BytesMut,
}

impl Writer {
    pub(crate) fn new(body: &[u8], received: &str) -> Self {
        Self {
            received: serde_json::Value::from(received).to_string().into(),
            is_utf8: std::str::from_utf8(body).is_ok(),
            space: BytesMut::new(),
        }
    }

    /// The fragment of an event whose members stand at these places.
    pub(crate) fn event(
        &mut self,
        body: &Bytes,
        time: Option<Range<usize>>,
        kind: Range<usize>,
        record: Range<usize>,
        scanned: &Scanner<'_>,
    ) -> Bytes {
        let whole = time
            .as_ref()
            .and_then(|time| canonical(body, time, &kind, &record));
        if let Some(whole) = whole
            && self.is_utf8
            && !scanned.has_lone_surrogate
            && !scanned.has_line_break
        {
            return body.slice(whole);
        }
        let received = self.received.clone();
        let time = time.map_or(&received[..], |time| &body[time]);
        self.write(time, &body[kind], &body[record], scanned)
    }

    /// The fragment of a malformed record that is JSON.
    pub(crate) fn json(
        &mut self,
        body: &[u8],
        value: Range<usize>,
        scanned: &Scanner<'_>,
    ) -> Bytes {
        let (received, kind) = (self.received.clone(), quoted_malformed());
        self.write(&received, kind.as_bytes(), &body[value], scanned)
    }

    /// The fragment of a malformed record that is not, or that readers refuse: its text.
    pub(crate) fn text(&mut self, body: &[u8], text: Range<usize>) -> Bytes {
        let (received, kind) = (self.received.clone(), quoted_malformed());
        let text = &body[text];
        let mut length = 2;
        each_piece(text, |piece| length += piece.len());
        self.make_room(&received, kind.as_bytes(), length);
        self.put_head(&received, kind.as_bytes());
        self.space.put_u8(b'"');
        let space = &mut self.space;
        each_piece(text, |piece| space.put_slice(piece));
        self.space.put_u8(b'"');
        self.space.split().freeze()
    }

    fn write(&mut self, time: &[u8], kind: &[u8], record: &[u8], scanned: &Scanner<'_>) -> Bytes {
        self.make_room(time, kind, record.len());
        self.put_head(time, kind);
        self.space.put_slice(record);
        let mut fragment = self.space.split();
        if scanned.has_lone_surrogate {
            repair_surrogates(&mut fragment);
        }
        if scanned.has_line_break {
            // Line breaks are only legal JSON between tokens, where a space means the same.
            for byte in fragment
                .iter_mut()
                .filter(|byte| matches!(byte, b'\n' | b'\r'))
            {
                *byte = b' ';
            }
        }
        if self.is_utf8 || std::str::from_utf8(&fragment).is_ok() {
            return fragment.freeze();
        }
        // Broken UTF-8 costs the broken characters, not the record.
        String::from_utf8_lossy(&fragment).into_owned().into()
    }

    fn make_room(&mut self, time: &[u8], kind: &[u8], record: usize) {
        let fixed = TIME.len() + TYPE.len() + RECORD.len();
        let needed = fixed + time.len() + kind.len() + record;
        if self.space.capacity() < needed {
            self.space = BytesMut::with_capacity(needed.max(CHUNK));
        }
    }

    fn put_head(&mut self, time: &[u8], kind: &[u8]) {
        for part in [TIME, time, TYPE, kind, RECORD] {
            self.space.put_slice(part);
        }
    }
}

fn quoted_malformed() -> String {
    format!("\"{MALFORMED}\"")
}

/// The part of the body that already is the fragment: the order and spacing Lambda itself writes.
fn canonical(
    body: &[u8],
    time: &Range<usize>,
    kind: &Range<usize>,
    record: &Range<usize>,
) -> Option<Range<usize>> {
    let start = time.start.checked_sub(TIME.len())?;
    let is_canonical = body.get(start..time.start)? == TIME
        && body.get(time.end..kind.start)? == TYPE
        && body.get(kind.end..record.start)? == RECORD;
    is_canonical.then_some(start..record.end)
}

/// The text as the pieces of what stands between the quotes of a JSON string.
fn each_piece<'a>(text: &'a [u8], mut call: impl FnMut(&'a [u8])) {
    for chunk in text.utf8_chunks() {
        let mut rest = chunk.valid().as_bytes();
        while let Some(at) = rest.iter().position(|byte| escaped(*byte).is_some()) {
            call(&rest[..at]);
            call(escaped(rest[at]).unwrap_or_default());
            rest = &rest[at + 1..];
        }
        call(rest);
        if !chunk.invalid().is_empty() {
            call("\u{fffd}".as_bytes());
        }
    }
}

/// The escape of a byte that cannot stand in a JSON string as it is.
fn escaped(byte: u8) -> Option<&'static [u8]> {
    const CONTROLS: &[u8; 6 * 32] = b"\
        \\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\
        \\u0008\\u0009\\u000a\\u000b\\u000c\\u000d\\u000e\\u000f\
        \\u0010\\u0011\\u0012\\u0013\\u0014\\u0015\\u0016\\u0017\
        \\u0018\\u0019\\u001a\\u001b\\u001c\\u001d\\u001e\\u001f";
    match byte {
        b'"' => Some(b"\\\""),
        b'\\' => Some(b"\\\\"),
        b'\n' => Some(b"\\n"),
        b'\r' => Some(b"\\r"),
        b'\t' => Some(b"\\t"),
        0..=0x1f => CONTROLS.get(usize::from(byte) * 6..usize::from(byte) * 6 + 6),
        _ => None,
    }
}
