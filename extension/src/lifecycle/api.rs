//! The client of Lambda's local APIs: Extensions API 2020-01-01 and Telemetry API 2022-07-01.
//!
//! Plain HTTP/1.1 to the address in `AWS_LAMBDA_RUNTIME_API`, without the machinery of the shared
//! client: this is on the path of every environment's init.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::sleep;

pub(crate) use super::event::Event;

/// What we buffer at Lambda: sent always, since the documentation contradicts itself on defaults.
const MAX_ITEMS: u32 = 1000;
const MAX_BYTES: u32 = 262_144;
const TIMEOUT_MS: u32 = 25;
/// The schema we want, and the one every environment knows.
const SCHEMAS: [&str; 2] = ["2025-01-29", "2022-12-13"];
const ID: &str = "lambda-extension-identifier";
/// The type of the events that the lifecycle acts on.
const PLATFORM: &str = "platform";
/// Waits before `/next` is called again after a failure that may pass.
const RETRY_MS: [u64; 3] = [10, 50, 200];
/// Events in a row that are none: the platform speaks another language.
const MOST_UNREADABLE: u32 = 3;
/// Until a socket is asked for again that could not be had.
const SCARCITY_PAUSE: Duration = Duration::from_millis(50);

/// A failure of the local APIs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("cannot reach the Lambda API at {address}: {source}")]
    Connect {
        address: String,
        source: std::io::Error,
    },
    #[error("the Lambda API broke off")]
    Broken(#[from] hyper::Error),
    #[error("the Lambda API answered {path} with {}{}", .status.as_u16(), in_brackets(.kind.as_deref()))]
    Refused {
        path: &'static str,
        status: StatusCode,
        /// The API's own name for the error.
        kind: Option<String>,
    },
    #[error("the Lambda API gave no extension identifier")]
    NoIdentifier,
    #[error("the Lambda API sent {MOST_UNREADABLE} events in a row that cannot be read")]
    Unreadable,
}

impl ApiError {
    /// Whether the same call may do better. A 403 says that the environment goes away, and a 500 that
    /// it is broken.
    fn may_pass(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Broken(_) => true,
            Self::Refused { status, .. } => matches!(status.as_u16(), 408 | 429 | 502..=504),
            Self::NoIdentifier | Self::Unreadable => false,
        }
    }
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
    /// Events in a row that could not be read.
    unreadable: u32,
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
            unreadable: 0,
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

    /// Subscribes the listener at `uri` to telemetry of these types, `platform` among them: the
    /// lifecycle depends on it. Where the platform refuses that, what was asked for has to do.
    pub(crate) async fn subscribe(
        &mut self,
        uri: &str,
        types: &[&str],
    ) -> Result<Subscription, ApiError> {
        let mut heard = types.to_vec();
        if heard.contains(&PLATFORM) {
            return self.subscribe_to(uri, types).await;
        }
        heard.push(PLATFORM);
        match self.subscribe_to(uri, &heard).await {
            Err(ApiError::Refused { status, .. }) if status == StatusCode::BAD_REQUEST => {
                self.subscribe_to(uri, types).await
            }
            result => result,
        }
    }

    async fn subscribe_to(&mut self, uri: &str, types: &[&str]) -> Result<Subscription, ApiError> {
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

    async fn ask_for_event(&mut self) -> Result<Event, ApiError> {
        let request = self.request(Method::GET, "/2020-01-01/extension/event/next");
        let answer = self.send(request, "").await?;
        let body = answer.expect("/extension/event/next")?.body;
        if let Some(event) = Event::read(&body) {
            self.unreadable = 0;
            return Ok(event);
        }
        self.unreadable += 1;
        if self.unreadable == MOST_UNREADABLE {
            return Err(ApiError::Unreadable);
        }
        Ok(Event::guess(&body))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, ApiError> {
        let failed = |source| ApiError::Connect {
            address: self.address.clone(),
            source,
        };
        let addresses = addresses(&self.address).map_err(failed)?;
        let stream = loop {
            match TcpStream::connect(&addresses[..]).await {
                Ok(stream) => break stream,
                Err(error) if is_scarcity(&error) => tokio::time::sleep(SCARCITY_PAUSE).await,
                Err(error) => return Err(failed(error)),
            }
        };
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the sender; an error reaches the caller that waits for an answer.
        tokio::spawn(connection);
        Ok(sender)
    }
}

/// Whether the system has nothing to make a socket of at this moment: the function may have used it up.
/// To end for that would end the environment, and it passes.
fn is_scarcity(error: &io::Error) -> bool {
    let scarce = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
    error
        .raw_os_error()
        .is_some_and(|code| scarce.contains(&code))
}

/// Where the API is. Lambda gives an address; a name is an emulator's, and its hosts file's. tokio would
/// look that up on a thread, and panic where it gets none.
fn addresses(host_and_port: &str) -> io::Result<Vec<SocketAddr>> {
    match host_and_port.parse() {
        Ok(address) => Ok(vec![address]),
        Err(_) => Ok(host_and_port.to_socket_addrs()?.collect()),
    }
}

/// The `errorType` of an answer, where it is no more than a name: nothing else of it is shown.
fn error_type(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(rename = "errorType")]
        kind: String,
    }
    let refusal: Refusal = serde_json::from_slice(body).ok()?;
    let is_name = |text: &str| {
        (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
    };
    Some(refusal.kind).filter(|kind| is_name(kind))
}

fn in_brackets(kind: Option<&str>) -> String {
    kind.map_or_else(String::new, |kind| format!(" ({kind})"))
}

impl Lifecycle for Api {
    async fn next(mut self) -> (Self, Result<Event, ApiError>) {
        let mut waits = RETRY_MS.iter();
        loop {
            let event = self.ask_for_event().await;
            match (&event, waits.next()) {
                (Err(error), Some(wait)) if error.may_pass() => {
                    sleep(Duration::from_millis(*wait)).await;
                }
                _ => return (self, event),
            }
        }
    }
}

impl Answer {
    fn expect(self, path: &'static str) -> Result<Self, ApiError> {
        if self.status.is_success() {
            return Ok(self);
        }
        Err(ApiError::Refused {
            path,
            status: self.status,
            kind: error_type(&self.body),
        })
    }
}

#[cfg(test)]
mod tests;
