//! The first fallback: an endpoint that takes Firehose's calls and delivers to the S3 server.
//!
//! `request` checks a call against Firehose's limits, `stream` buffers what was accepted and
//! delivers it. Invariants: a record is answered with a `RecordId` only when it is in the buffer;
//! what is in the buffer reaches the bucket, at the latest when the server is dropped. Must not
//! check signatures: it only insists that there is one, as S3 is where they are verified.

mod request;
mod stream;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::error::SimulationError;
use crate::fault::Fault;
use crate::s3::S3Server;
use crate::server::{Answer, FaultServer};
use crate::sync::lock;
use crate::tls::{Acceptors, Certificates};
use request::{Call, CallError};
pub use stream::Accepted;
use stream::Stream;

const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// A Firehose endpoint with one delivery stream. Dropping it delivers what is buffered.
#[derive(Debug)]
pub struct FirehoseServer {
    server: FaultServer,
    endpoint: Arc<Endpoint>,
    timer: JoinHandle<()>,
}

impl FirehoseServer {
    /// Starts one whose stream delivers to the bucket of `s3`, under `prefix`.
    #[expect(clippy::unused_async, reason = "starting needs a runtime, and says so")]
    pub async fn start(
        s3: &S3Server,
        stream_name: impl Into<String>,
        prefix: impl Into<String>,
    ) -> Result<Self, SimulationError> {
        Self::start_with(s3, stream_name.into(), &prefix.into(), None)
    }

    /// The same over TLS, as Firehose really is.
    #[expect(clippy::unused_async, reason = "starting needs a runtime, and says so")]
    pub async fn start_tls(
        s3: &S3Server,
        stream_name: impl Into<String>,
        prefix: impl Into<String>,
        certificates: &Certificates,
    ) -> Result<Self, SimulationError> {
        let tls = certificates.acceptors();
        Self::start_with(s3, stream_name.into(), &prefix.into(), Some(tls))
    }

    fn start_with(
        s3: &S3Server,
        stream_name: String,
        prefix: &str,
        tls: Option<Acceptors>,
    ) -> Result<Self, SimulationError> {
        let stream = Stream::new(s3.storage(), stream_name, prefix);
        let endpoint = Arc::new(Endpoint {
            stream,
            counts: Mutex::default(),
        });
        let server = FaultServer::start("the Firehose endpoint", Arc::clone(&endpoint), tls)?;
        let timer = tokio::spawn({
            let endpoint = Arc::clone(&endpoint);
            async move {
                let mut ticks = tokio::time::interval(FLUSH_INTERVAL);
                loop {
                    ticks.tick().await;
                    // What can't be written now stays in the buffer for the next tick.
                    endpoint.stream.deliver().ok();
                }
            }
        });
        Ok(Self {
            server,
            endpoint,
            timer,
        })
    }

    /// `http://127.0.0.1:PORT`, for `AWS_ENDPOINT_URL_FIREHOSE`; `https` when started over TLS.
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// The name of the stream.
    pub fn stream_name(&self) -> &str {
        self.endpoint.stream.name()
    }

    /// Sets or clears the fault; it holds when this returns.
    pub async fn set_fault(&self, fault: Option<Fault>) -> Result<(), SimulationError> {
        self.server.set_fault(fault).await
    }

    /// Makes the next `count` records fail one by one, with `ServiceUnavailableException`, inside
    /// calls that succeed. They are not stored.
    pub fn fail_next_records(&self, count: usize) {
        self.endpoint.stream.fail_next_records(count);
    }

    /// Delivers what is buffered to the bucket now.
    #[expect(
        clippy::unused_async,
        reason = "whoever awaits a flush need not know that it is local"
    )]
    pub async fn flush(&self) -> Result<(), SimulationError> {
        self.endpoint
            .stream
            .deliver()
            .map_err(|error| SimulationError::Object {
                key: self.stream_name().to_owned(),
                reason: error.to_string(),
            })
    }

    /// What was accepted and delivered so far.
    pub fn accepted(&self) -> Accepted {
        self.endpoint.stream.accepted()
    }

    /// Requests by the status they were answered with; 0 stands for those that never were.
    pub fn requests(&self) -> BTreeMap<u16, u64> {
        lock(&self.endpoint.counts).clone()
    }
}

impl Drop for FirehoseServer {
    fn drop(&mut self) {
        self.timer.abort();
        // A bucket that is already gone has no use for what is left.
        self.endpoint.stream.deliver().ok();
    }
}

/// The calls in front of the stream.
#[derive(Debug)]
struct Endpoint {
    stream: Stream,
    counts: Mutex<BTreeMap<u16, u64>>,
}

impl Endpoint {
    fn call(&self, request: &Request<Bytes>) -> Result<Value, CallError> {
        let signed = request.headers().get(AUTHORIZATION);
        if !signed.is_some_and(|value| value.as_bytes().starts_with(b"AWS4-HMAC-SHA256 ")) {
            return Err(CallError::new(
                StatusCode::FORBIDDEN,
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
            ));
        }
        match request::parse(request, self.stream.name())? {
            Call::PutRecord(data) => match self.stream.put(data) {
                Ok(id) => Ok(json!({ "RecordId": id, "Encrypted": false })),
                Err(stream::Unavailable) => Err(CallError::unavailable()),
            },
            Call::PutRecordBatch(records) => {
                let mut failed = 0;
                let mut responses = Vec::with_capacity(records.len());
                for data in records {
                    responses.push(self.stream.put(data).map_or_else(
                        |stream::Unavailable| {
                            failed += 1;
                            let error = CallError::unavailable();
                            json!({ "ErrorCode": error.kind, "ErrorMessage": error.message })
                        },
                        |id| json!({ "RecordId": id }),
                    ));
                }
                Ok(json!({
                    "FailedPutCount": failed, "Encrypted": false, "RequestResponses": responses
                }))
            }
        }
    }
}

impl Answer for Endpoint {
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        match self.call(&request) {
            Ok(body) => respond(StatusCode::OK, None, &body),
            Err(error) => error.into_response(),
        }
    }

    fn refusal(&self, status: StatusCode) -> Response<Bytes> {
        CallError::for_status(status).into_response()
    }

    fn observe(&self, _request: &Parts, status: Option<StatusCode>) {
        let status = status.map_or(0, |status| status.as_u16());
        *lock(&self.counts).entry(status).or_default() += 1;
    }
}

/// An answer of the AWS JSON 1.1 protocol.
fn respond(status: StatusCode, error: Option<&'static str>, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(body.to_string().into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-amz-json-1.1"),
    );
    if let Some(error) = error {
        headers.insert("x-amzn-errortype", HeaderValue::from_static(error));
    }
    if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}
