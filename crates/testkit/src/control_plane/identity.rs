//! Who calls, by the signature's credential scope.

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, StatusCode};

use super::Place;
use super::refusal::Refusal;

/// The caller and the service that was called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) place: Place,
    pub(super) service: String,
}

impl Caller {
    /// From `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`.
    pub(super) fn of(request: &Request<Bytes>) -> Result<Self, Refusal> {
        let header = request.headers().get(AUTHORIZATION);
        let scope = header
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.split_once("Credential="))
            .and_then(|(_, rest)| rest.split(',').next());
        let parts: Vec<&str> = scope.unwrap_or_default().split('/').collect();
        let [key, _, region, service, "aws4_request"] = parts[..] else {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
            ));
        };
        let account = key.get(key.len().saturating_sub(12)..).unwrap_or_default();
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            ));
        }
        Ok(Self {
            place: Place::new(account, region),
            service: service.to_owned(),
        })
    }
}
