//! The smallest extension there is, for the simulator's own tests.
//!
//! It registers, subscribes, takes telemetry, and at SHUTDOWN prints what it took in the form of a
//! ledger line, with `resumed` when it finds the mark of an earlier one in its `TMPDIR`. Its variables make it misbehave: `ECHO_EVENTS` and
//! `ECHO_FEATURES` (what to register for), `ECHO_SCHEMA`, `ECHO_TYPES`, `ECHO_HOLD_MS` (before each `/next` after an INVOKE), `ECHO_FAIL_FIRST` (how many
//! deliveries to answer with 500), `ECHO_IGNORE_SHUTDOWN`, `ECHO_EXIT` (at once, with this code).
//! Must not share code with the simulator: it stands for any extension.

use std::env;
use std::error::Error;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::post;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

#[derive(Debug, Default)]
struct Taken {
    received: u64,
    malformed: u64,
    types: Vec<String>,
    last_sequence: Option<u64>,
    in_order: bool,
    to_fail: u64,
    initialization: String,
    account: Value,
    resumed: bool,
}

type Shared = Arc<Mutex<Taken>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    if let Some(code) = number("ECHO_EXIT") {
        say("leaving at once");
        return Err(format!("told to fail with {code}").into());
    }
    let taken = Shared::new(Mutex::new(Taken {
        in_order: true,
        to_fail: number("ECHO_FAIL_FIRST").unwrap_or_default(),
        initialization: variable("AWS_LAMBDA_INITIALIZATION_TYPE", ""),
        resumed: leave_a_mark()?,
        ..Taken::default()
    }));
    let port = listen(Arc::clone(&taken)).await?;
    let api = Api::from_environment()?;
    let (identifier, account) = api.register().await?;
    taken.lock().unwrap_or_else(PoisonError::into_inner).account = account;
    let answer = api.subscribe(&identifier, port).await?;
    say(&format!("subscribed: {answer}"));
    loop {
        let event = api.next(&identifier).await?;
        match event["eventType"].as_str() {
            Some("INVOKE") => {
                let hold = number("ECHO_HOLD_MS").unwrap_or_default();
                tokio::time::sleep(Duration::from_millis(hold)).await;
            }
            Some("SHUTDOWN") if env::var_os("ECHO_IGNORE_SHUTDOWN").is_some() => {
                say("ignoring SHUTDOWN");
            }
            Some("SHUTDOWN") => {
                let ledger = ledger(&taken, event["shutdownReason"].as_str());
                say(&json!({ "backstop": { "ledger": ledger } }).to_string());
                return Ok(());
            }
            Some(_) | None => return Err(format!("unexpected: {event}").into()),
        }
    }
}

/// Whether one of us has been in this `TMPDIR` before.
fn leave_a_mark() -> std::io::Result<bool> {
    let mark = env::temp_dir().join("echo-extension");
    let resumed = mark.exists();
    std::fs::write(mark, "")?;
    Ok(resumed)
}

fn ledger(taken: &Shared, reason: Option<&str>) -> Value {
    let taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
    json!({
        "received": taken.received,
        "malformed": taken.malformed,
        "types": taken.types,
        "in_order": taken.in_order,
        "last_sequence": taken.last_sequence,
        "initialization": taken.initialization,
        "account": taken.account,
        "resumed": taken.resumed,
        "reason": reason,
    })
}

struct Api {
    address: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Api {
    fn from_environment() -> Result<Self, Box<dyn Error>> {
        let address = env::var("AWS_LAMBDA_RUNTIME_API")?;
        Ok(Self {
            address,
            client: Client::builder(TokioExecutor::new()).build_http(),
        })
    }

    async fn register(&self) -> Result<(String, Value), Box<dyn Error>> {
        let executable = env::current_exe()?;
        let name = executable
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let events = variable("ECHO_EVENTS", "INVOKE,SHUTDOWN");
        let features = variable("ECHO_FEATURES", "");
        let headers = [
            ("lambda-extension-name", name.as_str()),
            ("lambda-extension-accept-feature", features.as_str()),
        ];
        let body = json!({ "events": list(&events) });
        let path = "/2020-01-01/extension/register";
        let response = self.call(Method::POST, path, &headers, Some(&body)).await?;
        let identifier = response.headers().get("lambda-extension-identifier");
        let identifier = identifier
            .and_then(|value| value.to_str().ok())
            .map(ToOwned::to_owned);
        let identifier =
            identifier.ok_or_else(|| format!("not registered: {:?}", response.body()))?;
        let body: Value = serde_json::from_slice(response.body())?;
        Ok((identifier, body["accountId"].clone()))
    }

    async fn subscribe(&self, identifier: &str, port: u16) -> Result<String, Box<dyn Error>> {
        let body = json!({
            "schemaVersion": variable("ECHO_SCHEMA", "2025-01-29"),
            "types": list(&variable("ECHO_TYPES", "platform,function,extension")),
            "buffering": { "maxItems": 1000, "maxBytes": 262_144, "timeoutMs": 25 },
            "destination": {
                "protocol": "HTTP", "URI": format!("http://sandbox.localdomain:{port}/telemetry"),
            },
        });
        let headers = [("lambda-extension-identifier", identifier)];
        let path = "/2022-07-01/telemetry";
        let response = self.call(Method::PUT, path, &headers, Some(&body)).await?;
        let body = String::from_utf8_lossy(response.body()).into_owned();
        Ok(format!("{} {body}", response.status().as_u16()))
    }

    async fn next(&self, identifier: &str) -> Result<Value, Box<dyn Error>> {
        let headers = [("lambda-extension-identifier", identifier)];
        let path = "/2020-01-01/extension/event/next";
        let response = self.call(Method::GET, path, &headers, None).await?;
        Ok(serde_json::from_slice(response.body())?)
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Response<Bytes>, Box<dyn Error>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let response = self.client.request(request.body(Full::from(body))?).await?;
        let (head, body) = response.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    }
}

async fn listen(taken: Shared) -> Result<u16, Box<dyn Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let router = Router::new()
        .route("/telemetry", post(take))
        .layer(DefaultBodyLimit::disable())
        .with_state(taken);
    tokio::spawn(async move { axum::serve(listener, router).await.ok() });
    Ok(port)
}

async fn take(State(taken): State<Shared>, body: Bytes) -> StatusCode {
    let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
    if taken.to_fail > 0 {
        taken.to_fail -= 1;
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    let Ok(events) = serde_json::from_slice::<Vec<Value>>(&body) else {
        taken.malformed += 1;
        return StatusCode::OK;
    };
    for event in events {
        taken.received += 1;
        if let Some(kind) = event["type"].as_str().filter(|kind| *kind != "function") {
            taken.types.push(kind.to_owned());
        }
        if let Some(sequence) = event["record"]["seq"].as_u64() {
            let expected = taken.last_sequence.map_or(0, |last| last + 1);
            taken.in_order &= sequence == expected;
            taken.last_sequence = Some(sequence);
        }
    }
    StatusCode::OK
}

fn variable(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

fn list(words: &str) -> Vec<&str> {
    words.split(',').collect()
}

fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").ok();
}
