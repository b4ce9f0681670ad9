//! A line as it is written: one record as one self-contained JSON object.
//!
//! `{"id":…,"time":…,"type":…,"record":…,"resource":{…}}`, with `"diverted":{…}` where the record was
//! meant for the primary, or `"route":…` where this line is for the archive only; and `"original":…`, the record
//! before it was redacted, where the archive is to have it. Between [`begin_line`] and [`end_line`] come the
//! members `time`, `type` and `record`, which are Lambda's own bytes.
//!
//! Must not: copy or look at what a record says.

use backstop_delivery::{Diverted, RecordId, Route};
use serde_json::{Map, Value};

/// What precedes a record as it was before it was redacted, beside other members.
pub const ORIGINAL: &[u8] = b",\"original\":";

/// Writes what precedes a record's own members.
pub fn begin_line(out: &mut Vec<u8>, id: RecordId) {
    out.extend_from_slice(b"{\"id\":\"");
    id.write(out);
    out.extend_from_slice(b"\",");
}

/// Writes what follows a record's own members: its resource, which is a JSON object, and what
/// [`diverted_member`] or [`route_member`] returned, or nothing; and its record before it was redacted, as JSON.
pub fn end_line(out: &mut Vec<u8>, resource: &[u8], why: &[u8], original: Option<&[u8]>) {
    out.extend_from_slice(b",\"resource\":");
    out.extend_from_slice(resource);
    out.extend_from_slice(why);
    if let Some(original) = original {
        out.extend_from_slice(ORIGINAL);
        out.extend_from_slice(original);
    }
    out.push(b'}');
}

/// Why a record is in the archive, as [`end_line`] takes it.
pub fn diverted_member(diverted: Diverted) -> Vec<u8> {
    let mut members = Map::new();
    members.insert("reason".to_owned(), diverted.cause.reason.into());
    members.insert("sink".to_owned(), diverted.sink.as_str().into());
    if let Some(status) = diverted.cause.status {
        members.insert("status".to_owned(), status.into());
    }
    format!(",\"diverted\":{}", Value::Object(members)).into_bytes()
}

/// That a line is for the archive only, as [`end_line`] takes it; nothing of one that is delivered.
pub fn route_member(route: Route) -> &'static [u8] {
    match route {
        Route::Deliver => b"",
        Route::Mirrored => b",\"route\":\"mirrored\"",
        Route::Archived => b",\"route\":\"archived\"",
    }
}

#[cfg(all(test, feature = "read"))]
mod tests {
    use backstop_delivery::{Cause, EnvironmentId, SinkName};

    use super::*;
    use crate::ArchivedLine;

    #[test]
    fn a_written_line_is_read_back() {
        let id = RecordId {
            environment: EnvironmentId(0xab),
            sequence: 7,
        };
        let cause = Cause {
            reason: "server_error",
            status: Some(503),
            detail: None,
        };
        let diverted = Diverted {
            sink: SinkName::Https,
            cause,
        };
        let line_with = |diverted: &[u8], original: Option<&[u8]>| {
            let mut out = Vec::new();
            begin_line(&mut out, id);
            out.extend_from_slice(br#""time":"t","type":"function","record":"r""#);
            end_line(&mut out, br#"{"faas.name":"demo"}"#, diverted, original);
            String::from_utf8(out).expect("it is text")
        };
        let line = |diverted: &[u8]| line_with(diverted, None);
        for route in [Route::Deliver, Route::Mirrored, Route::Archived] {
            let archived = line(route_member(route));
            let read = ArchivedLine::parse(&archived).expect("it is a line");
            assert_eq!(read.is_archive_only(), route.is_archive_only());
            assert_eq!(archived.contains(route.as_str()), route.is_archive_only());
            assert_eq!(read.for_primary(), line(b""));
            let secret = line_with(route_member(route), Some(br#"{"key":"hunter2"}"#));
            let read = ArchivedLine::parse(&secret).expect("it is a line");
            assert_eq!(read.for_primary(), line(b""), "never sent");
            assert_eq!(read.without_original(), archived);
            assert!(read.has_original());
        }
        let archived = line(&diverted_member(diverted));
        assert_eq!(
            archived,
            r#"{"id":"00000000000000ab-7","time":"t","type":"function","record":"r","resource":{"faas.name":"demo"},"diverted":{"reason":"server_error","sink":"https","status":503}}"#
        );
        let read = ArchivedLine::parse(&archived).expect("it is a line");
        assert_eq!(read.id(), id.to_string());
        assert_eq!(read.function_name().as_deref(), Some("demo"));
        assert_eq!(read.for_primary(), line(b""));
        let reason = read.diverted.expect("it was diverted");
        assert_eq!(
            (&*reason.reason, &*reason.sink, reason.status),
            ("server_error", "https", Some(503))
        );
    }
}
