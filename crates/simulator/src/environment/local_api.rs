//! The server that the extension sees as `AWS_LAMBDA_RUNTIME_API`: the Extensions and the Telemetry API.
//!
//! The function's runtime is part of this process and needs no API. Invariants: `/next` has no time-out;
//! each call is in the [`Tracker`] before its answer. Must not hold an event back from the extension.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::response::Response;
use axum::routing::{get, post, put};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

use super::InitializationType;
use super::delivery::Telemetry;
use super::events::Events;
use super::lifecycle::{Lifecycle, LifecycleEvent};
use super::progress::{Registration, Tracker};
use super::subscription::{self, TelemetryMode};
use crate::error::{SimulationError, start};

const REGISTER: &str = "/2020-01-01/extension/register";
const NEXT: &str = "/2020-01-01/extension/event/next";
const IDENTIFIER: &str = "lambda-extension-identifier";

/// What the handlers share.
#[derive(Debug)]
pub(super) struct LocalApi {
    pub(super) account_id: String,
    pub(super) lifecycle: Arc<Lifecycle>,
    pub(super) initialization: InitializationType,
    pub(super) mode: TelemetryMode,
    pub(super) events: Arc<Events>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) tracker: Arc<Tracker>,
}

/// The server. Dropping it closes the port.
#[derive(Debug)]
pub(super) struct LocalApiServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl LocalApiServer {
    pub(super) async fn start(api: LocalApi) -> Result<Self, SimulationError> {
        let what = "the local API";
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
            .with_state(Arc::new(api));
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

impl Drop for LocalApiServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Shared = State<Arc<LocalApi>>;

async fn register(State(api): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let registered_at = Instant::now();
    let name = header(&headers, "lambda-extension-name").unwrap_or_default();
    if name != api.events.extension_name {
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
    let managed = api.initialization == InitializationType::ManagedInstances;
    let allowed = |event: &str| event == "SHUTDOWN" || (event == "INVOKE" && !managed);
    if let Some(event) = wanted.events.iter().find(|event| !allowed(event)) {
        return error(
            StatusCode::FORBIDDEN,
            "Extension.InvalidEventType",
            &format!("the event type {event} is not available here"),
        );
    }
    if api.tracker.read(|progress| progress.registration.is_some()) {
        return error(
            StatusCode::FORBIDDEN,
            "Extension.AlreadyRegistered",
            &format!("extension {name} is already registered"),
        );
    }
    let identifier = Uuid::new_v4().to_string();
    let mut answer = json!({
        "functionName": api.events.function_name,
        "functionVersion": api.events.function_version,
        "handler": "index.handler",
    });
    let has_account = header(&headers, "lambda-extension-accept-feature")
        .is_some_and(|features| features.split(',').any(|it| it.trim() == "accountId"));
    if has_account {
        answer["accountId"] = api.account_id.as_str().into();
    }
    let registration = Registration {
        name: name.to_owned(),
        events: wanted.events,
        headers: texts(&headers),
        identifier: identifier.clone(),
    };
    api.tracker.change(|progress| {
        progress.registration = Some(registration);
        progress.registered_at = Some(registered_at);
    });
    let head = [
        (CONTENT_TYPE.as_str(), "application/json"),
        (IDENTIFIER, identifier.as_str()),
    ];
    (StatusCode::OK, head, answer.to_string()).into_response()
}

#[derive(Deserialize)]
struct Registering {
    events: Vec<String>,
}

async fn next(State(api): Shared, headers: HeaderMap) -> Response {
    let arrived = Instant::now();
    if !api.is_registered(&headers) {
        return unknown_identifier();
    }
    api.tracker.change(|progress| {
        progress.first_next_at.get_or_insert(arrived);
        progress.at_next = Some(arrived);
    });
    let waiting = Waiting(&api.tracker);
    if api.tracker.read(|progress| progress.shutdown_at.is_some()) {
        // Nothing comes after SHUTDOWN but the end of the process.
        std::future::pending::<()>().await;
    }
    let event = api.lifecycle.next().await;
    drop(waiting);
    api.tracker.change(|progress| match &event {
        LifecycleEvent::Invoke { request_id, .. } => {
            progress.delivered_request = Some(request_id.clone());
        }
        LifecycleEvent::Shutdown { .. } => progress.shutdown_at = Some(Instant::now()),
    });
    let head = [(CONTENT_TYPE, "application/json")];
    (StatusCode::OK, head, event.json().to_string()).into_response()
}

/// Takes the extension out of `/next`, also when it hangs up.
struct Waiting<'tracker>(&'tracker Tracker);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.change(|progress| progress.at_next = None);
    }
}

async fn report_error(State(api): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let kind = header(&headers, "lambda-extension-function-error-type").unwrap_or("Unknown");
    let text = format!("{kind}: {}", String::from_utf8_lossy(&body));
    api.tracker
        .change(|progress| progress.reported_error = Some(text));
    (StatusCode::ACCEPTED, json!({ "status": "OK" }).to_string()).into_response()
}

async fn subscribe(State(api): Shared, headers: HeaderMap, body: Bytes) -> Response {
    if !api.is_registered(&headers) {
        return unknown_identifier();
    }
    if api.mode == TelemetryMode::NotSupported {
        return (StatusCode::ACCEPTED, "Telemetry API is not supported").into_response();
    }
    if api.tracker.read(|progress| progress.init_done) {
        return error(
            StatusCode::FORBIDDEN,
            "Telemetry.SubscriptionClosed",
            "the subscription closes with the init phase",
        );
    }
    match subscription::parse(&body, api.mode, api.initialization) {
        Ok(subscription) => {
            let event = api.events.subscribed(&subscription.types);
            api.telemetry.subscribe(subscription);
            api.telemetry.emit([event]);
            (StatusCode::OK, "\"OK\"").into_response()
        }
        Err(message) => error(StatusCode::BAD_REQUEST, "ValidationError", &message),
    }
}

impl LocalApi {
    fn is_registered(&self, headers: &HeaderMap) -> bool {
        let identifier = header(headers, IDENTIFIER);
        self.tracker.read(|progress| {
            let registration = progress.registration.as_ref();
            registration.is_some_and(|it| identifier == Some(&it.identifier))
        })
    }
}

fn unknown_identifier() -> Response {
    error(
        StatusCode::FORBIDDEN,
        "Extension.UnknownExtensionIdentifier",
        "the extension is not registered",
    )
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
