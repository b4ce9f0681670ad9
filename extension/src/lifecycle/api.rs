//! The client of Lambda's local APIs: Extensions API 2020-01-01 and Telemetry API 2022-07-01.
//!
//! Plain HTTP/1.1 to the address in `AWS_LAMBDA_RUNTIME_API`, without the machinery of the shared
//! client: this is on the path of every environment's init.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;

/// What we buffer at Lambda: sent always, since the documentation contradicts itself on defaults.
const MAX_ITEMS: u32 = 1000;
const MAX_BYTES: u32 = 262_144;
const TIMEOUT_MS: u32 = 25;
/// The schema we want, and the one every environment knows.
const SCHEMAS: [&str; 2] = ["2025-01-29", "2022-12-13"];
const ID: &str = "lambda-extension-identifier";

/// A failure of the local APIs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("cannot reach the Lambda API at {address}: {source}")]
    Connect {
        address: String,
        source: std::io::Error,
    },
    #[error("the Lambda API broke off: {0}")]
    Broken(#[from] hyper::Error),
    #[error("the Lambda API answered {path} with {status}: {body}")]
    Refused {
        path: &'static str,
        status: StatusCode,
        body: String,
    },
    #[error("the Lambda API gave no extension identifier")]
    NoIdentifier,
    #[error("the Lambda API sent an event that cannot be read: {0}")]
    Event(#[from] serde_json::Error),
}

/// A lifecycle event.
#[derive(Debug, Deserialize)]
#[serde(tag = "eventType", rename_all = "UPPERCASE")]
pub(crate) enum Event {
    #[serde(rename_all = "camelCase")]
    Invoke {
        request_id: String,
        deadline_ms: u64,
    },
    #[serde(rename_all = "camelCase")]
    Shutdown {
        #[serde(default)]
        shutdown_reason: String,
        #[serde(default)]
        deadline_ms: u64,
    },
    /// None that we registered for; kept apart so that a new kind never ends us.
    #[serde(other)]
    Other,
}

/// What came of subscribing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Subscription {
    Subscribed,
    /// The platform accepts the call and will send nothing (an emulator, mostly).
    Unsupported,
}

/// What Lambda says of the function when we register.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Function {
    #[serde(rename = "functionName")]
    pub(crate) name: String,
    #[serde(rename = "functionVersion")]
    pub(crate) version: String,
    pub(crate) account_id: Option<String>,
}

/// Where events come from: [`Api`], and in tests a script.
pub(crate) trait Lifecycle: Send + Sized + 'static {
    /// Says that we are ready, and waits for the next event, for however long that takes. Hands
    /// itself back, so that a caller may hold the wait as a value.
    fn next(self) -> impl Future<Output = (Self, Result<Event, ApiError>)> + Send;
}

/// A registered extension's connection to the local APIs.
#[derive(Debug)]
pub(crate) struct Api {
    address: String,
    id: String,
    connection: Option<SendRequest<Full<Bytes>>>,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Api {
    /// Registers under `name`, which must be the executable's file name, for these events.
    pub(crate) async fn register(
        address: &str,
        name: &str,
        events: &[&str],
    ) -> Result<(Self, Function), ApiError> {
        let mut api = Self {
            address: address.to_owned(),
            id: String::new(),
            connection: None,
        };
        let request = api
            .request(Method::POST, "/2020-01-01/extension/register")
            .header("lambda-extension-name", name)
            .header("lambda-extension-accept-feature", "accountId");
        let answer = api
            .send(request, &json!({ "events": events }).to_string())
            .await?;
        let answer = answer.expect("/extension/register")?;
        let id = answer.headers.get(ID).and_then(|id| id.to_str().ok());
        id.ok_or(ApiError::NoIdentifier)?.clone_into(&mut api.id);
        // Nothing in it is needed to go on.
        Ok((
            api,
            serde_json::from_slice(&answer.body).unwrap_or_default(),
        ))
    }

    /// Subscribes the listener at `uri` to telemetry of these types.
    pub(crate) async fn subscribe(
        &mut self,
        uri: &str,
        types: &[&str],
    ) -> Result<Subscription, ApiError> {
        let mut refusal = None;
        for schema in SCHEMAS {
            let body = json!({
                "schemaVersion": schema,
                "types": types,
                "buffering": { "maxItems": MAX_ITEMS, "maxBytes": MAX_BYTES, "timeoutMs": TIMEOUT_MS },
                "destination": { "protocol": "HTTP", "URI": uri },
            });
            let request = self.request(Method::PUT, "/2022-07-01/telemetry");
            let answer = self.send(request, &body.to_string()).await?;
            match answer.status {
                StatusCode::ACCEPTED => return Ok(Subscription::Unsupported),
                StatusCode::BAD_REQUEST => refusal = Some(answer),
                _ => {
                    return answer
                        .expect("/telemetry")
                        .map(|_| Subscription::Subscribed);
                }
            }
        }
        match refusal {
            Some(answer) => answer
                .expect("/telemetry")
                .map(|_| Subscription::Subscribed),
            None => Ok(Subscription::Unsupported),
        }
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.address);
        if self.id.is_empty() {
            request
        } else {
            request.header(ID, &self.id)
        }
    }

    async fn send(
        &mut self,
        request: http::request::Builder,
        body: &str,
    ) -> Result<Answer, ApiError> {
        let request = request
            .header("content-type", "application/json")
            .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
            .map_err(|_| ApiError::NoIdentifier)?;
        // Lambda may have closed a connection that was idle.
        let mut sender = match self.connection.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        self.connection = Some(sender);
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, ApiError> {
        let stream =
            TcpStream::connect(&self.address)
                .await
                .map_err(|source| ApiError::Connect {
                    address: self.address.clone(),
                    source,
                })?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the sender; an error reaches whoever waits for an answer.
        tokio::spawn(connection);
        Ok(sender)
    }
}

impl Lifecycle for Api {
    async fn next(mut self) -> (Self, Result<Event, ApiError>) {
        let request = self.request(Method::GET, "/2020-01-01/extension/event/next");
        let event = match self.send(request, "").await {
            Ok(answer) => answer
                .expect("/extension/event/next")
                .and_then(|answer| Ok(serde_json::from_slice(&answer.body)?)),
            Err(error) => Err(error),
        };
        (self, event)
    }
}

impl Answer {
    fn expect(self, path: &'static str) -> Result<Self, ApiError> {
        if self.status.is_success() {
            return Ok(self);
        }
        let body = String::from_utf8_lossy(&self.body)
            .chars()
            .take(200)
            .collect();
        Err(ApiError::Refused {
            path,
            status: self.status,
            body,
        })
    }
}
