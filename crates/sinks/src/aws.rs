//! What the S3 and Firehose clients have in common: credentials, the shared HTTP client under them, and
//! what their answers mean.
//!
//! Invariants: a status that came is a status, whatever its body; what never reached the wire is never
//! called ambiguous; a success is believed only in the service's own form.

mod answer;
pub(crate) mod codes;
mod credentials;

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use backstop_delivery::Failure;
use http::HeaderMap;

use crate::http::{Answered, SharedHttp, read};
pub(crate) use answer::answer;
pub use credentials::Credentials;

/// What is read of an answer. The longest there is, Firehose's to 500 records, has some 150 KiB; what
/// goes on for longer comes from something else, and the SDK calls what is left of it unreadable.
pub(crate) const MOST_ANSWER_BYTES: usize = 1024 * 1024;
/// How long the body of a refusal may take after its status.
const LONGEST_REFUSAL: Duration = Duration::from_millis(250);

/// The shared client, as the SDK wants to see one.
#[derive(Debug, Clone)]
pub(crate) struct SdkHttp(pub(crate) SharedHttp);

/// Why there is no answer, kept through the SDK's layers of errors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoAnswer(pub(crate) Failure);

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "no answer: {:?}", self.0)
    }
}

impl std::error::Error for NoAnswer {}

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
    // All that we send is in memory; a streaming body would be a bug here.
    let body = body
        .bytes()
        .ok_or_else(|| user("the request's body is not in memory".into()))?;
    let body = bytes::Bytes::copy_from_slice(body);
    let request = http::Request::from_parts(parts, body);
    let on_wire = |failure| ConnectorError::io(Box::new(NoAnswer(failure)));
    let response = http.send(request).await.map_err(on_wire)?;
    let (status, is_page) = (response.status(), is_page(response.headers()));
    let mut answer = http::Response::builder().status(status);
    if let Some(headers) = answer.headers_mut() {
        // The SDK takes no answer with a header that is not text; nothing that matters is in one.
        let readable = response
            .headers()
            .iter()
            .filter(|(_, value)| std::str::from_utf8(value.as_bytes()).is_ok());
        headers.extend(readable.map(|(name, value)| (name.clone(), value.clone())));
    }
    let body = if !status.is_success() {
        let body = read_all(response);
        let body = tokio::time::timeout(LONGEST_REFUSAL, body).await;
        // Without its body the status still says what it says.
        body.ok().and_then(Result::ok).unwrap_or_default()
    } else if is_page {
        return Err(ConnectorError::io(Box::new(NoAnswer(Failure::Unproven))));
    } else {
        read_all(response).await.map_err(on_wire)?
    };
    let unreadable = || ConnectorError::io(Box::new(NoAnswer(Failure::Unproven)));
    let answer = answer.body(SdkBody::from(body));
    let answer = answer.map_err(|_| unreadable())?;
    HttpResponse::try_from(answer).map_err(|_| unreadable())
}

/// The body, as far as it has a use. Where a proxy has answered there is none.
async fn read_all(answer: Answered) -> Result<Vec<u8>, Failure> {
    match answer.into_body() {
        Some(body) => read(body, MOST_ANSWER_BYTES)
            .await
            .map_err(|_| Failure::Reset),
        None => Ok(Vec::new()),
    }
}

/// Whether an answer is a page for people: no success of S3 or Firehose is one, a login page is.
fn is_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(http::header::CONTENT_TYPE);
    kind.is_some_and(|kind| {
        let kind = kind.as_bytes().to_ascii_lowercase();
        kind.starts_with(b"text/html") || kind.starts_with(b"application/xhtml")
    })
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
