//! Reads a call and holds it against Firehose's limits.
//!
//! Invariant: what the service documents as refused is refused here, with the service's own error
//! type. The 4 MiB of a call are counted on the encoded data, the stricter of the two readings of
//! the documentation. Must not store anything.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::respond;

/// The most records a batch may have.
pub(super) const MAX_RECORDS: usize = 500;
/// The most bytes a call may have.
pub(super) const MAX_CALL_BYTES: usize = 4 * 1024 * 1024;
/// The most bytes a record may have before it is encoded.
pub(super) const MAX_RECORD_BYTES: usize = 1000 * 1024;

/// A call within the limits, its data decoded.
#[derive(Debug)]
pub(super) enum Call {
    PutRecord(Vec<u8>),
    PutRecordBatch(Vec<Vec<u8>>),
}

/// An error in the service's own words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CallError {
    status: StatusCode,
    pub(super) kind: &'static str,
    pub(super) message: String,
}

impl CallError {
    pub(super) fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            message: message.into(),
        }
    }

    pub(super) fn unavailable() -> Self {
        Self::for_status(StatusCode::SERVICE_UNAVAILABLE)
    }

    /// What the service would say with this status.
    pub(super) fn for_status(status: StatusCode) -> Self {
        let (kind, message) = match status.as_u16() {
            500.. => ("ServiceUnavailableException", "Slow down."),
            429 => ("LimitExceededException", "Rate exceeded."),
            401 | 403 => (
                "AccessDeniedException",
                "User is not authorized to perform this action.",
            ),
            404 => (
                "ResourceNotFoundException",
                "The delivery stream was not found.",
            ),
            413 => ("InvalidArgumentException", "The request is too large."),
            _ => ("InvalidArgumentException", "The request is not valid."),
        };
        Self::new(status, kind, message)
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidArgumentException", message)
    }

    pub(super) fn into_response(self) -> Response<Bytes> {
        let body = json!({ "__type": self.kind, "message": self.message });
        respond(self.status, Some(self.kind), &body)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecord {
    delivery_stream_name: String,
    record: Record,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecordBatch {
    delivery_stream_name: String,
    records: Vec<Record>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    data: String,
}

/// Reads a call to the stream of this name.
pub(super) fn parse(request: &Request<Bytes>, stream: &str) -> Result<Call, CallError> {
    let target = request
        .headers()
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok());
    match target {
        Some("Firehose_20150804.PutRecord") => {
            let call: PutRecord = body(request)?;
            known(&call.delivery_stream_name, stream)?;
            Ok(Call::PutRecord(data(&call.record, 1)?))
        }
        Some("Firehose_20150804.PutRecordBatch") => {
            let call: PutRecordBatch = body(request)?;
            known(&call.delivery_stream_name, stream)?;
            let count = call.records.len();
            if !(1..=MAX_RECORDS).contains(&count) {
                return Err(CallError::invalid(format!(
                    "{count} records are not between 1 and {MAX_RECORDS}"
                )));
            }
            let size: usize = call.records.iter().map(|record| record.data.len()).sum();
            if size > MAX_CALL_BYTES {
                return Err(CallError::invalid(format!(
                    "Records size exceeds {MAX_CALL_BYTES} bytes limit: {size}"
                )));
            }
            let records = call
                .records
                .iter()
                .zip(1..)
                .map(|(record, number)| data(record, number));
            Ok(Call::PutRecordBatch(records.collect::<Result<_, _>>()?))
        }
        Some(_) | None => Err(CallError::new(
            StatusCode::BAD_REQUEST,
            "UnknownOperationException",
            "The operation is not known here.",
        )),
    }
}

fn body<'body, T: Deserialize<'body>>(request: &'body Request<Bytes>) -> Result<T, CallError> {
    serde_json::from_slice(request.body()).map_err(|error| {
        CallError::new(
            StatusCode::BAD_REQUEST,
            "SerializationException",
            error.to_string(),
        )
    })
}

fn known(named: &str, stream: &str) -> Result<(), CallError> {
    if named == stream {
        return Ok(());
    }
    Err(CallError::new(
        StatusCode::BAD_REQUEST,
        "ResourceNotFoundException",
        format!("Firehose {named} under account 123456789012 not found."),
    ))
}

fn data(record: &Record, number: usize) -> Result<Vec<u8>, CallError> {
    let bytes = STANDARD.decode(&record.data).map_err(|error| {
        CallError::new(
            StatusCode::BAD_REQUEST,
            "SerializationException",
            format!("record {number} is not base64: {error}"),
        )
    })?;
    if bytes.len() > MAX_RECORD_BYTES {
        return Err(CallError::invalid(format!(
            "Record {number} exceeds {MAX_RECORD_BYTES} bytes: {}",
            bytes.len()
        )));
    }
    Ok(bytes)
}
