//! The server that the extension sees as `AWS_LAMBDA_RUNTIME_API`.
//!
//! Register and `/next` go through to the simulator, with what it lacks put right on the way; the
//! Telemetry API and the error reports are answered here. Invariants: `/next` has no time-out; each
//! call is in the [`Tracker`] before its answer. Must not hold an event back from the extension.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::response::Response;
use axum::routing::{get, post, put};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::InitializationType;
use super::delivery::{HttpClient, Telemetry};
use super::events::Events;
use super::progress::{Registration, Tracker};
use super::subscription::{self, TelemetryMode};
use crate::error::{SimulationError, start};

const REGISTER: &str = "/2020-01-01/extension/register";
const NEXT: &str = "/2020-01-01/extension/event/next";
const IDENTIFIER: &str = "lambda-extension-identifier";

/// What the relay's handlers share.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) simulator: SocketAddr,
    pub(super) client: HttpClient,
    pub(super) initialization: InitializationType,
    pub(super) mode: TelemetryMode,
    pub(super) events: Arc<Events>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) tracker: Arc<Tracker>,
}

/// The relay's server. Dropping it closes the port.
#[derive(Debug)]
pub(super) struct RelayServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl RelayServer {
    pub(super) async fn start(relay: Relay) -> Result<Self, SimulationError> {
        let what = "the relay";
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(start(what))?;
        let address = listener.local_addr().map_err(start(what))?;
        let router = Router::new()
            .route(REGISTER, post(register))
            .route(NEXT, get(next))
            .route("/2020-01-01/extension/init/error", post(report_error))
            .route("/2020-01-01/extension/exit/error", post(report_error))
            .route("/2022-07-01/telemetry", put(subscribe))
            .with_state(Arc::new(relay));
        let task = tokio::spawn(async move {
            // It serves until it is aborted; an error would show as an extension without answers.
            axum::serve(listener, router).await.ok();
        });
        Ok(Self { address, task })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for RelayServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Shared = State<Arc<Relay>>;

async fn register(State(relay): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let registered_at = Instant::now();
    let name = header(&headers, "lambda-extension-name").unwrap_or_default();
    if name != relay.events.extension_name {
        return error(
            StatusCode::FORBIDDEN,
            "Extension.InvalidExtensionName",
            &format!("no executable in /opt/extensions is named {name}"),
        );
    }
    let Ok(wanted) = serde_json::from_slice::<Registering>(&body) else {
        return error(
            StatusCode::BAD_REQUEST,
            "InvalidRequestFormat",
            "the body is not valid",
        );
    };
    let managed = relay.initialization == InitializationType::ManagedInstances;
    let allowed = |event: &str| event == "SHUTDOWN" || (event == "INVOKE" && !managed);
    if let Some(event) = wanted.events.iter().find(|event| !allowed(event)) {
        return error(
            StatusCode::FORBIDDEN,
            "Extension.InvalidEventType",
            &format!("the event type {event} is not available here"),
        );
    }
    if relay
        .tracker
        .read(|progress| progress.registration.is_some())
    {
        return error(
            StatusCode::FORBIDDEN,
            "Extension.AlreadyRegistered",
            &format!("extension {name} is already registered"),
        );
    }
    let mut answer = relay.forward(Method::POST, REGISTER, &headers, body).await;
    if answer.status().is_success() {
        let identifier = header(answer.headers(), IDENTIFIER)
            .unwrap_or_default()
            .to_owned();
        let account = header(&headers, "lambda-extension-accept-feature")
            .is_some_and(|features| features.split(',').any(|it| it.trim() == "accountId"));
        answer = answer.map(|body| registered(&body, account));
        let registration = Registration {
            name: name.to_owned(),
            events: wanted.events,
            headers: texts(&headers),
            identifier,
        };
        relay.tracker.change(|progress| {
            progress.registration = Some(registration);
            progress.registered_at = Some(registered_at);
        });
    }
    answer.map(Full::new).into_response()
}

#[derive(Deserialize)]
struct Registering {
    events: Vec<String>,
}

/// The body as Lambda sends it: without what the simulator adds, and with the account only where
/// the extension has asked for the feature.
fn registered(body: &Bytes, account: bool) -> Bytes {
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(body) else {
        return body.clone();
    };
    fields.remove("logGroupName");
    fields.remove("logStreamName");
    if !account {
        fields.remove("accountId");
    }
    Value::Object(fields).to_string().into()
}

async fn next(State(relay): Shared, headers: HeaderMap) -> Response {
    let arrived = Instant::now();
    relay.tracker.change(|progress| {
        progress.first_next_at.get_or_insert(arrived);
        progress.at_next = Some(arrived);
    });
    let waiting = Waiting(&relay.tracker);
    if relay
        .tracker
        .read(|progress| progress.shutdown_at.is_some())
    {
        // Nothing comes after SHUTDOWN but the end of the process.
        std::future::pending::<()>().await;
    }
    let answer = relay
        .forward(Method::GET, NEXT, &headers, Bytes::new())
        .await;
    drop(waiting);
    if let Ok(event) = serde_json::from_slice::<Value>(answer.body()) {
        match event["eventType"].as_str() {
            Some("INVOKE") => {
                let request_id = event["requestId"].as_str().map(ToOwned::to_owned);
                relay
                    .tracker
                    .change(|progress| progress.delivered_request = request_id);
            }
            Some("SHUTDOWN") => {
                relay
                    .tracker
                    .change(|progress| progress.shutdown_at = Some(Instant::now()));
            }
            Some(_) | None => {}
        }
    }
    answer.map(Full::new).into_response()
}

/// Takes the extension out of `/next`, also when it hangs up.
struct Waiting<'tracker>(&'tracker Tracker);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.change(|progress| progress.at_next = None);
    }
}

async fn report_error(State(relay): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let kind = header(&headers, "lambda-extension-function-error-type").unwrap_or("Unknown");
    let text = format!("{kind}: {}", String::from_utf8_lossy(&body));
    relay
        .tracker
        .change(|progress| progress.reported_error = Some(text));
    (StatusCode::ACCEPTED, json!({ "status": "OK" }).to_string()).into_response()
}

async fn subscribe(State(relay): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let progress = relay.tracker.read(Clone::clone);
    let identifier = header(&headers, IDENTIFIER);
    if identifier.is_none()
        || identifier
            != progress
                .registration
                .as_ref()
                .map(|it| it.identifier.as_str())
    {
        return error(
            StatusCode::FORBIDDEN,
            "Extension.UnknownExtensionIdentifier",
            "the extension is not registered",
        );
    }
    if relay.mode == TelemetryMode::NotSupported {
        return (StatusCode::ACCEPTED, "Telemetry API is not supported").into_response();
    }
    if progress.init_done {
        return error(
            StatusCode::FORBIDDEN,
            "Telemetry.SubscriptionClosed",
            "the subscription closes with the init phase",
        );
    }
    match subscription::parse(&body, relay.mode, relay.initialization) {
        Ok(subscription) => {
            let event = relay.events.subscribed(&subscription.types);
            relay.telemetry.subscribe(subscription);
            relay.telemetry.emit([event]);
            (StatusCode::OK, "\"OK\"").into_response()
        }
        Err(message) => error(StatusCode::BAD_REQUEST, "ValidationError", &message),
    }
}

impl Relay {
    async fn forward(
        &self,
        method: Method,
        path: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> http::Response<Bytes> {
        self.try_forward(method, path, headers, body)
            .await
            .unwrap_or_else(|reason| {
                let mut response = http::Response::new(reason.into());
                *response.status_mut() = StatusCode::BAD_GATEWAY;
                response
            })
    }

    async fn try_forward(
        &self,
        method: Method,
        path: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<http::Response<Bytes>, String> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.simulator))
            .body(Full::new(body))
            .map_err(|error| error.to_string())?;
        let relayed = headers
            .iter()
            .filter(|(name, _)| name.as_str().starts_with("lambda-"));
        request
            .headers_mut()
            .extend(relayed.map(|(name, value)| (name.clone(), value.clone())));
        // The simulator insists on the type, extensions do not always send it.
        request.headers_mut().insert(
            CONTENT_TYPE,
            http::HeaderValue::from_static("application/json"),
        );
        request.headers_mut().remove(HOST);
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error| error.to_string())?;
        let (head, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .map_err(|error| error.to_string())?
            .to_bytes();
        let mut answer = http::Response::new(body);
        *answer.status_mut() = head.status;
        let kept = |name: &str| name.starts_with("lambda-") || name == CONTENT_TYPE.as_str();
        let kept = head.headers.iter().filter(|(name, _)| kept(name.as_str()));
        answer
            .headers_mut()
            .extend(kept.map(|(name, value)| (name.clone(), value.clone())));
        Ok(answer)
    }
}

fn header<'headers>(headers: &'headers HeaderMap, name: &str) -> Option<&'headers str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| value.to_str().ok().map(ToOwned::to_owned);
    headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?)))
        .collect()
}

fn error(status: StatusCode, kind: &str, message: &str) -> Response {
    let body = json!({ "errorType": kind, "errorMessage": message }).to_string();
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}
