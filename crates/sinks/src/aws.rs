//! What the S3 and Firehose clients have in common: credentials, and the shared HTTP client under them.
//!
//! Credentials come from the environment, as Lambda gives them, or from the container endpoint, as
//! Lambda does after a `SnapStart` restore. The SDK's usual loading chain (`aws_config`) would read
//! files and try endpoints that a Lambda environment does not have.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_s3::error::SdkError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::date_time::{DateTime, Format};
use backstop_config::{AwsSettings, ContainerCredentials};
use backstop_delivery::{Answer, Failure};
use serde::Deserialize;

use crate::http::{SharedHttp, failure, read};

/// What is read of an answer. The longest there is, Firehose's to 500 records, has some 150 KiB; what
/// goes on for longer comes from something else, and the SDK calls what is left of it unreadable.
const MOST_ANSWER_BYTES: usize = 1024 * 1024;

/// Where the SDK clients' credentials come from.
#[derive(Debug, Clone)]
pub struct Credentials {
    aws: AwsSettings,
    http: SharedHttp,
}

impl Credentials {
    /// Credentials as `aws` says.
    pub fn new(aws: AwsSettings, http: SharedHttp) -> Self {
        Self { aws, http }
    }

    async fn load(&self) -> Result<aws_credential_types::Credentials, CredentialsError> {
        if let (Some(id), Some(secret)) = (&self.aws.access_key_id, &self.aws.secret_access_key) {
            let token = self
                .aws
                .session_token
                .as_ref()
                .map(|token| token.expose().to_owned());
            return Ok(aws_credential_types::Credentials::new(
                id,
                secret.expose(),
                token,
                None,
                "environment",
            ));
        }
        match &self.aws.container_credentials {
            Some(container) => self.ask_container(container).await,
            None => Err(CredentialsError::not_loaded(
                "neither AWS_ACCESS_KEY_ID nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set",
            )),
        }
    }

    async fn ask_container(
        &self,
        container: &ContainerCredentials,
    ) -> Result<aws_credential_types::Credentials, CredentialsError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            access_key_id: String,
            secret_access_key: String,
            token: Option<String>,
            expiration: Option<String>,
        }
        let token = match (&container.token, &container.token_file) {
            (Some(token), _) => Some(token.expose().to_owned()),
            (None, Some(path)) => {
                Some(std::fs::read_to_string(path).map_err(CredentialsError::provider_error)?)
            }
            (None, None) => None,
        };
        let uri = container
            .full_uri
            .parse::<http::Uri>()
            .map_err(CredentialsError::provider_error)?;
        let client = self
            .http
            .client(uri.host().unwrap_or_default())
            .map_err(CredentialsError::provider_error)?;
        let mut request = client
            .get(&container.full_uri)
            .timeout(Duration::from_secs(1));
        if let Some(token) = token {
            request = request.header(http::header::AUTHORIZATION, token.trim());
        }
        // Errors of the client name the URL, which holds no secret; its headers are never in them.
        let response = request
            .send()
            .await
            .and_then(reqwest::Response::error_for_status);
        let response = response.map_err(CredentialsError::provider_error)?;
        let body = read(response, MOST_ANSWER_BYTES)
            .await
            .map_err(CredentialsError::provider_error)?;
        // serde's message would quote what it could not read.
        let answer: Answer = serde_json::from_slice(&body).map_err(|_| {
            CredentialsError::provider_error("the container's answer is not credentials")
        })?;
        let expiry = answer
            .expiration
            .and_then(|text| DateTime::from_str(&text, Format::DateTime).ok())
            .and_then(|time| SystemTime::try_from(time).ok());
        Ok(aws_credential_types::Credentials::new(
            answer.access_key_id,
            answer.secret_access_key,
            answer.token,
            expiry,
            "container",
        ))
    }
}

impl ProvideCredentials for Credentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.load())
    }
}

/// The shared client, as the SDK wants to see one.
#[derive(Debug, Clone)]
pub(crate) struct SdkHttp(pub(crate) SharedHttp);

/// A failure on the wire, kept through the SDK's layers of errors.
#[derive(Debug, Clone, Copy)]
struct WireFailure(Failure);

impl std::fmt::Display for WireFailure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "no answer: {:?}", self.0)
    }
}

impl std::error::Error for WireFailure {}

impl HttpClient for SdkHttp {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for SdkHttp {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let http = self.0.clone();
        HttpConnectorFuture::new(async move { call(&http, request).await })
    }
}

async fn call(http: &SharedHttp, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let user = |error: Box<dyn std::error::Error + Send + Sync>| ConnectorError::user(error);
    let request = request
        .try_into_http1x()
        .map_err(|error| user(error.into()))?;
    let (parts, body) = request.into_parts();
    let host = parts.uri.host().unwrap_or_default();
    let client = http.client(host).map_err(|error| user(error.into()))?;
    // All that we send is in memory; a streaming body would be a bug here.
    let body = body
        .bytes()
        .ok_or_else(|| user("the request's body is not in memory".into()))?;
    let body = reqwest::Body::from(bytes::Bytes::copy_from_slice(body));
    let request = reqwest::Request::try_from(http::Request::from_parts(parts, body))
        .map_err(|error| user(error.into()))?;
    let on_wire =
        |error: &reqwest::Error| ConnectorError::io(Box::new(WireFailure(failure(error))));
    let mut response = client
        .execute(request)
        .await
        .map_err(|error| on_wire(&error))?;
    let mut answer = http::Response::builder().status(response.status());
    if let Some(headers) = answer.headers_mut() {
        std::mem::swap(headers, response.headers_mut());
    }
    let body = read(response, MOST_ANSWER_BYTES)
        .await
        .map_err(|error| on_wire(&error))?;
    let answer = answer
        .body(SdkBody::from(body))
        .map_err(|error| user(error.into()))?;
    HttpResponse::try_from(answer).map_err(|error| user(error.into()))
}

/// What an SDK error says, in the chain's terms. `code` is the service's own word for it.
pub(crate) fn answer<E>(error: &SdkError<E>, code: Option<&str>) -> Answer {
    match error {
        SdkError::ServiceError(context) => {
            Answer::status(status(context.raw().status().as_u16(), code))
        }
        SdkError::DispatchFailure(dispatch) => {
            let wire = dispatch
                .as_connector_error()
                .and_then(std::error::Error::source)
                .and_then(|source| source.downcast_ref::<WireFailure>());
            Answer::None(wire.map_or(Failure::Other, |wire| wire.0))
        }
        SdkError::TimeoutError(_) => Answer::None(Failure::TimedOut),
        _ => Answer::None(Failure::Other),
    }
}

/// AWS often says 400 and means something else; its code tells what.
fn status(status: u16, code: Option<&str>) -> u16 {
    let Some(code) = code else { return status };
    match code {
        "ThrottlingException"
        | "Throttling"
        | "LimitExceededException"
        | "SlowDown"
        | "RequestLimitExceeded"
        | "TooManyRequestsException" => 429,
        "RequestTimeout" | "RequestTimeoutException" => 408,
        "AccessDenied"
        | "AccessDeniedException"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "InvalidToken"
        | "IncompleteSignature"
        | "InvalidClientTokenId"
        | "KMSAccessDeniedException" => 403,
        "ResourceNotFoundException" | "NoSuchBucket" => 404,
        "EntityTooLarge" => 413,
        "ServiceUnavailableException" | "InternalFailure" => 503,
        _ => status,
    }
}

/// What both clients share.
pub(crate) fn timeouts_off() -> aws_smithy_types::timeout::TimeoutConfig {
    // The chain has the clock; a second one would only hide which budget was spent.
    aws_smithy_types::timeout::TimeoutConfig::disabled()
}

/// A client that is built on first need and forgotten on reset.
#[derive(Debug)]
pub(crate) struct OnNeed<C>(std::sync::Mutex<Option<Arc<C>>>);

impl<C> Default for OnNeed<C> {
    fn default() -> Self {
        Self(std::sync::Mutex::new(None))
    }
}

impl<C> OnNeed<C> {
    pub(crate) fn get_or_build(&self, build: impl FnOnce() -> C) -> Arc<C> {
        let mut client = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        client.get_or_insert_with(|| Arc::new(build())).clone()
    }

    pub(crate) fn forget(&self) {
        *self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_aws_calls_a_bad_request_is_told_by_its_code() {
        for (raw, code, expected) in [
            (400, Some("ThrottlingException"), 429),
            (400, Some("ExpiredToken"), 403),
            (400, Some("ResourceNotFoundException"), 404),
            (400, Some("InvalidArgumentException"), 400),
            (500, Some("ServiceUnavailableException"), 503),
            (503, Some("SlowDown"), 429),
            (500, None, 500),
        ] {
            assert_eq!(status(raw, code), expected, "{raw} {code:?}");
        }
    }
}
