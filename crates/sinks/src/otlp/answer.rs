//! What a sender of OTLP/HTTP is answered, in the encoding of its request.

use backstop_delivery::Signal;
use serde_json::json;

use crate::wire::Message as _;

/// How a request is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    /// By the media type, whatever its parameters are.
    pub fn of(content_type: &str) -> Option<Self> {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        let is = |known: &str| kind.eq_ignore_ascii_case(known);
        if is("application/x-protobuf") {
            Some(Self::Protobuf)
        } else if is("application/json") {
            Some(Self::Json)
        } else {
            None
        }
    }

    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// What is said in the body of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Everything was taken.
    Taken,
    /// All items but this number.
    Partly(Signal, u64),
    /// Nothing; the code of gRPC and a message for a person.
    Refused(u8, &'static str),
}

const TOO_DEEP: &str = "attributes are nested too deep";

impl Answer {
    pub fn body(self, encoding: Encoding) -> Vec<u8> {
        match (self, encoding) {
            (Self::Taken, Encoding::Protobuf) => Vec::new(),
            (Self::Taken, Encoding::Json) => b"{}".to_vec(),
            (Self::Partly(_, count), Encoding::Protobuf) => {
                let mut out = Vec::new();
                out.message(1, |partial| {
                    partial.varint(1, count);
                    partial.string(2, TOO_DEEP);
                });
                out
            }
            (Self::Partly(signal, count), Encoding::Json) => {
                let name = match signal {
                    Signal::Log => "rejectedLogRecords",
                    Signal::Metric | Signal::PostedMetric => "rejectedDataPoints",
                    Signal::Span => "rejectedSpans",
                };
                let partial = json!({name: count.to_string(), "errorMessage": TOO_DEEP});
                json!({"partialSuccess": partial}).to_string().into_bytes()
            }
            // `google.rpc.Status`.
            (Self::Refused(code, message), Encoding::Protobuf) => {
                let mut out = Vec::new();
                out.varint(1, code.into());
                out.string(2, message);
                out
            }
            (Self::Refused(code, message), Encoding::Json) => {
                json!({"code": code, "message": message})
                    .to_string()
                    .into_bytes()
            }
        }
    }
}
