//! How a call is refused, in the form of the protocol in which it was made.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;

use crate::cbor;
use crate::form::escaped;

/// How a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// JSON by paths: the error's name is in a header.
    Rest,
    /// JSON by targets: the error's name is in the body.
    Json,
    /// Forms, answered in XML.
    Query,
    /// RPC v2 in CBOR.
    Cbor,
}

/// A refused call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    kind: &'static str,
    message: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            message: message.into(),
        }
    }

    pub(crate) fn bad(kind: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, kind, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::bad("InvalidParameterValueException", message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "ResourceNotFoundException", message)
    }

    /// The caller's own policies do not allow it.
    pub(crate) fn not_permitted(action: &str, resource: &str) -> Self {
        Self::unauthorized(action, resource, "identity-based")
    }

    /// The owner has not shared it with the caller.
    pub(crate) fn not_shared(action: &str, resource: &str) -> Self {
        Self::unauthorized(action, resource, "resource-based")
    }

    fn unauthorized(action: &str, resource: &str, policy: &str) -> Self {
        let message = format!(
            "User is not authorized to perform: {action} on resource: {resource} because no {policy} policy allows the {action} action"
        );
        Self::new(StatusCode::FORBIDDEN, "AccessDeniedException", message)
    }

    pub(crate) fn conflict(arn: &str) -> Self {
        let message = format!(
            "The operation cannot be performed at this time. An update is in progress for resource: {arn}"
        );
        Self::new(StatusCode::CONFLICT, "ResourceConflictException", message)
    }

    pub(crate) fn stale() -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
        )
    }

    pub(crate) fn too_many() -> Self {
        Self::for_status(StatusCode::TOO_MANY_REQUESTS)
    }

    pub(crate) fn unrecognized() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        )
    }

    pub(crate) fn expired() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "ExpiredTokenException",
            "The security token included in the request is expired",
        )
    }

    /// What a service does not do, or this one of it.
    pub(crate) fn unknown(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            "UnknownOperationException",
            format!("the control plane does not know {what}"),
        )
    }

    pub(crate) fn for_status(status: StatusCode) -> Self {
        let (kind, message) = match status {
            StatusCode::TOO_MANY_REQUESTS => ("TooManyRequestsException", "Rate exceeded"),
            StatusCode::CONFLICT => (
                "ResourceConflictException",
                "The operation cannot be performed at this time. An update is in progress",
            ),
            status if status.is_server_error() => ("ServiceException", "told to fail"),
            _ => ("AccessDeniedException", "told to fail"),
        };
        Self::new(status, kind, message)
    }

    /// As `GetFunction` has it in an answer that is otherwise whole.
    pub(crate) fn tags_error(&self) -> serde_json::Value {
        json!({ "ErrorCode": self.kind, "Message": self.message })
    }

    pub(crate) fn into_response(self, protocol: Protocol) -> Response<Bytes> {
        let (kind, message) = (self.kind, self.message);
        let json =
            json!({ "Type": "User", "__type": kind, "message": message, "Message": message });
        let (content_type, body): (_, Vec<u8>) = match protocol {
            Protocol::Rest => ("application/json", json.to_string().into()),
            Protocol::Json => ("application/x-amz-json-1.1", json.to_string().into()),
            Protocol::Cbor => ("application/cbor", cbor::encoded(&json)),
            Protocol::Query => (
                "text/xml",
                format!(
                    "<ErrorResponse><Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error>\
                     <RequestId>0</RequestId></ErrorResponse>",
                    query_code(kind),
                    escaped(&message)
                )
                .into(),
            ),
        };
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        match protocol {
            Protocol::Rest => {
                headers.insert("x-amzn-errortype", HeaderValue::from_static(kind));
            }
            Protocol::Cbor => {
                let protocol = HeaderValue::from_static("rpc-v2-cbor");
                headers.insert("smithy-protocol", protocol);
            }
            Protocol::Json | Protocol::Query => {}
        }
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// What the older services call the same thing.
fn query_code(kind: &'static str) -> &'static str {
    match kind {
        "TooManyRequestsException" => "Throttling",
        "ServiceException" => "ServiceFailure",
        "ResourceConflictException" => "ConcurrentModification",
        "AccessDeniedException" => "AccessDenied",
        "UnrecognizedClientException" => "InvalidClientTokenId",
        "ExpiredTokenException" => "ExpiredToken",
        kind => kind,
    }
}
