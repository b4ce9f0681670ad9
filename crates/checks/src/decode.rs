//! The Telemetry API decoder, and the lines that are made of what it gives.
//!
//! Input: a POST body.

use backstop_archive::ArchivedLine;
use backstop_delivery::{Cause, Diverted, SinkName};
use backstop_telemetry::{Kind, MOST_ELEMENTS, Severity};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::records::{batch, encoder, events};

/// A line of the archive, its record as text.
#[derive(Deserialize)]
struct Line<'a> {
    id: &'a str,
    #[serde(borrow)]
    record: &'a RawValue,
}

/// Whatever the body is: each element of an array becomes one event that holds it, as long as there
/// are not too many, and each event one line of the archive, which a strict reader takes and which
/// reads back under the record's id.
///
/// # Panics
///
/// Where that does not hold.
pub fn decode(body: &[u8]) {
    let events = events(body);
    // What comes before the array is no part of it.
    let text = String::from_utf8_lossy(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body));
    let elements = serde_json::from_str::<Vec<&RawValue>>(&text).ok();
    if let Some(elements) = &elements {
        let most = elements.len().min(MOST_ELEMENTS + 1);
        assert_eq!(events.len(), most, "one event for each element");
    }
    for event in &events {
        // Total, whatever the fragment says.
        Severity::of(&event.fragment);
    }
    let Some(batch) = batch(&events) else {
        return;
    };
    let diverted = Diverted {
        sink: SinkName::Https,
        cause: Cause {
            reason: "server_error",
            status: Some(503),
            detail: None,
        },
    };
    let lines = encoder("demo").lines(&batch, Some(diverted));
    let lines = String::from_utf8(lines).expect("lines are text");
    assert!(!lines.contains('\r'), "a raw carriage return");
    let lines: Vec<&str> = lines
        .strip_suffix('\n')
        .expect("the last line is ended as well")
        .split('\n')
        .collect();
    assert_eq!(lines.len(), events.len(), "one line for each record");
    for (index, (line, record)) in lines.iter().zip(batch.records()).enumerate() {
        let archived = ArchivedLine::parse(line).expect("a line of the archive can be read");
        assert_eq!(archived.id(), record.id().to_string());
        let read: Line<'_> = serde_json::from_str(line).expect("a line has an id and a record");
        assert_eq!(read.id, archived.id());
        serde_json::from_str::<Value>(line).expect("a strict reader takes it");
        let element = elements.as_ref().and_then(|elements| elements.get(index));
        if let Some(element) = element.filter(|_| index < MOST_ELEMENTS) {
            holds(read.record.get(), element.get(), &events[index].kind);
        }
    }
}

/// Whether the record is all that counts of the element.
fn holds(record: &str, element: &str, kind: &Kind) {
    if *kind == Kind::Malformed
        && serde_json::from_str::<String>(record).is_ok_and(|text| text == element)
    {
        return;
    }
    let on_one_line = element.replace(['\n', '\r'], " ");
    // Half a surrogate pair is replaced, and then it is of the same length.
    let same = |part: &str| {
        part.len() == record.len()
            && (part == record
                || record.contains("\\ufffd") && serde_json::from_str::<Value>(part).is_err())
    };
    if *kind == Kind::Malformed {
        assert!(same(&on_one_line), "{record} is not all of {element}");
    } else {
        let mut windows = on_one_line.as_bytes().windows(record.len());
        let is_there = windows.any(|part| std::str::from_utf8(part).is_ok_and(same));
        assert!(is_there, "{record} is not in {element}");
    }
}
