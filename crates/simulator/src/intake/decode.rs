//! Reads a request's body as the intake's contract has it.
//!
//! The contract: POST; `Content-Encoding` absent, `identity` or `gzip`; `application/x-ndjson` with
//! an object a line, or `application/json` with an array of the same objects; each object has a
//! string `id`. Invariant: a body is taken whole or refused whole.

use std::io::Read as _;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::traffic;

/// One accepted record.
#[derive(Debug, PartialEq)]
pub(super) struct Received {
    /// Its `id`.
    pub(super) id: String,
    /// The sequence number of its function line, when it has one.
    pub(super) sequence: Option<u64>,
    /// The object as it came.
    pub(super) line: String,
}

/// Why a body was refused.
pub(super) type Refused = (StatusCode, String);

/// Reads the records of a body.
pub(super) fn records(headers: &HeaderMap, body: &Bytes) -> Result<Vec<Received>, Refused> {
    let plain = decompress(headers, body)?;
    let text = std::str::from_utf8(&plain).map_err(bad("the body is not UTF-8"))?;
    match media_type(headers) {
        "application/x-ndjson" => text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(record)
            .collect(),
        "application/json" => {
            let objects: Vec<Box<serde_json::value::RawValue>> =
                serde_json::from_str(text).map_err(bad("the body is not a JSON array"))?;
            objects.iter().map(|object| record(object.get())).collect()
        }
        other => Err((
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("the content type `{other}` is not taken here"),
        )),
    }
}

fn record(line: &str) -> Result<Received, Refused> {
    let object: Value = serde_json::from_str(line).map_err(bad("a record is not JSON"))?;
    let id = object.get("id").and_then(Value::as_str);
    let id = id
        .ok_or_else(|| bad("a record")("it has no `id`"))?
        .to_owned();
    let sequence = object.get("record").and_then(traffic::sequence_of);
    Ok(Received {
        id,
        sequence,
        line: line.to_owned(),
    })
}

pub(super) fn decompress(headers: &HeaderMap, body: &Bytes) -> Result<Bytes, Refused> {
    let encoding = headers
        .get(CONTENT_ENCODING)
        .map_or(Ok("identity"), |value| value.to_str());
    match encoding {
        Ok("identity") => Ok(body.clone()),
        Ok("gzip") => {
            let mut plain = Vec::new();
            MultiGzDecoder::new(&body[..])
                .read_to_end(&mut plain)
                .map_err(bad("the body is not gzip"))?;
            Ok(plain.into())
        }
        Ok(_) | Err(_) => Err((
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the content encoding is not taken here".to_owned(),
        )),
    }
}

pub(super) fn media_type(headers: &HeaderMap) -> &str {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

fn bad<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> Refused {
    move |error| (StatusCode::BAD_REQUEST, format!("{what}: {error}"))
}
