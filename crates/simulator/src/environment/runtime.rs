//! The function's runtime, played in this process against the simulator's Runtime API.
//!
//! One task polls `invocation/next` and hands each invocation to whoever started it. Invariant: the
//! first poll comes after the extension's first `/next`, because it closes the registration. Must
//! not know what an invocation does.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::Outcome;
use super::delivery::HttpClient;
use crate::error::SimulationError;
use crate::sync::lock;

/// What the function answers.
pub(super) const RESPONSE: &str = r#"{"statusCode":200,"body":"ok"}"#;
/// What it answers when it fails.
pub(super) const FAILURE: &str = r#"{"errorType":"Error","errorMessage":"boom","stackTrace":[]}"#;

/// The runtime and its polling task.
#[derive(Debug)]
pub(super) struct Runtime {
    api: Arc<Api>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Api {
    address: SocketAddr,
    client: HttpClient,
    expected: Mutex<HashMap<String, oneshot::Sender<()>>>,
}

impl Runtime {
    /// Ends the runtime's own init: from here on it polls.
    pub(super) fn start(address: SocketAddr, client: HttpClient) -> Self {
        let api = Arc::new(Api {
            address,
            client,
            expected: Mutex::default(),
        });
        let task = tokio::spawn({
            let api = Arc::clone(&api);
            async move { while api.poll().await.is_ok() {} }
        });
        Self { api, task }
    }

    /// To be called before the invocation is put into the simulator: resolves when the runtime has
    /// received it.
    pub(super) fn expect(&self, request_id: &str) -> oneshot::Receiver<()> {
        let (received, arrival) = oneshot::channel();
        lock(&self.api.expected).insert(request_id.to_owned(), received);
        arrival
    }

    /// Answers an invocation. A timed-out one is never answered.
    pub(super) async fn answer(
        &self,
        request_id: &str,
        outcome: Outcome,
    ) -> Result<(), SimulationError> {
        let (path, body) = match outcome {
            Outcome::Success => ("response", RESPONSE),
            Outcome::Error => ("error", FAILURE),
            Outcome::Timeout => return Ok(()),
        };
        let path = format!("/2018-06-01/runtime/invocation/{request_id}/{path}");
        let (status, _) = self
            .api
            .call(Method::POST, &path, body)
            .await
            .map_err(SimulationError::Runtime)?;
        if status.is_success() {
            return Ok(());
        }
        Err(SimulationError::Runtime(format!(
            "{path} was answered with {status}"
        )))
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Api {
    async fn poll(&self) -> Result<(), String> {
        let (_, request_id) = self
            .call(Method::GET, "/2018-06-01/runtime/invocation/next", "")
            .await?;
        let request_id = request_id.ok_or("an invocation without a request id")?;
        if let Some(received) = lock(&self.expected).remove(&request_id) {
            // Whoever started it may have given up.
            received.send(()).ok();
        }
        Ok(())
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: &'static str,
    ) -> Result<(StatusCode, Option<String>), String> {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .body(Full::new(Bytes::from_static(body.as_bytes())))
            .map_err(|error| error.to_string())?;
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error| error.to_string())?;
        let status = response.status();
        let request_id = response.headers().get("lambda-runtime-aws-request-id");
        let request_id = request_id
            .and_then(|id| id.to_str().ok())
            .map(ToOwned::to_owned);
        response
            .into_body()
            .collect()
            .await
            .map_err(|error| error.to_string())?;
        Ok((status, request_id))
    }
}
