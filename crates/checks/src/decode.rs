//! The Telemetry API decoder, and the lines that are made of what it gives.
//!
//! Input: a POST body.

use backstop_delivery::{Cause, Diverted, SinkName};
use backstop_sinks::codec::archive::ArchivedLine;
use backstop_telemetry::{Kind, Severity};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::records::{batch, encoder, events};

/// A line of the archive, its record as text.
#[derive(Deserialize)]
struct Line<'a> {
    id: &'a str,
    #[serde(borrow)]
    record: &'a RawValue,
}

/// Whatever the body is: each element of an array becomes one event that holds it, and each event
/// one line of the archive, which reads back under the record's id.
///
/// # Panics
///
/// Where that does not hold.
pub fn decode(body: &[u8]) {
    let events = events(body);
    let text = String::from_utf8_lossy(body);
    let elements = serde_json::from_str::<Vec<&RawValue>>(&text).ok();
    if let Some(elements) = &elements {
        assert_eq!(events.len(), elements.len(), "one event for each element");
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
        if let Some(element) = elements.as_ref().and_then(|elements| elements.get(index)) {
            let element = element.get().replace(['\n', '\r'], " ");
            let record = read.record.get();
            if events[index].kind == Kind::Malformed {
                assert_eq!(record, element, "it is kept whole");
            } else {
                assert!(element.contains(record), "{record} is not in {element}");
            }
        }
    }
}
