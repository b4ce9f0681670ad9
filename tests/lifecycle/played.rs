//! A platform played by hand: the test says what `/next` answers and what telemetry is posted, and when.
//!
//! It gives the extension a primary that takes everything, or never answers.

use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use backstop_tests::binary;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::timeout;

/// Longer than anything that is right takes, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);
const OK: &str = "HTTP/1.1 200 OK\r\nlambda-extension-identifier: id\r\n";
const BAD_REQUEST: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}";

/// The platform, with one extension.
pub(crate) struct Platform {
    events: mpsc::Sender<String>,
    state: watch::Receiver<State>,
    extension: Child,
    invocations: u32,
    /// What of the telemetry was acknowledged, in records.
    pub(crate) acknowledged: u64,
}

#[derive(Debug, Clone, Default)]
struct State {
    /// How often `/next` was called.
    nexts: u32,
    subscriptions: Vec<Value>,
}

struct Shared {
    events: Mutex<mpsc::Receiver<String>>,
    state: watch::Sender<State>,
    refused_type: Option<&'static str>,
}

/// What is different from Lambda, and how the extension is configured.
#[derive(Default)]
pub(crate) struct Setup<'a> {
    pub(crate) variables: &'a [(&'a str, &'a str)],
    /// Subscriptions with this type are refused.
    pub(crate) refused_type: Option<&'static str>,
    pub(crate) primary_hangs: bool,
}

impl Platform {
    /// Starts it, and waits for the extension's first `/next`.
    pub(crate) async fn start(setup: Setup<'_>) -> Self {
        let (events, receiver) = mpsc::channel(16);
        let (state, watched) = watch::channel(State::default());
        let shared = Arc::new(Shared {
            events: Mutex::new(receiver),
            state,
            refused_type: setup.refused_type,
        });
        let api = listen(move |stream| {
            let shared = shared.clone();
            async move { drop(shared.serve(stream).await) }
        })
        .await;
        let hangs = setup.primary_hangs;
        let primary = listen(move |stream| take_everything(stream, hangs)).await;
        let extension = Command::new(binary("backstop-extension"))
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", api)
            .env("BACKSTOP_PRIMARY_URL", format!("http://{primary}/"))
            .env("BACKSTOP_SPOOL_MAX_BYTES", "0")
            .envs(setup.variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut platform = Self {
            events,
            state: watched,
            extension,
            invocations: 0,
            acknowledged: 0,
        };
        platform.ready(1).await;
        platform
    }

    /// The types of the last subscription.
    pub(crate) fn types(&self) -> Value {
        self.state.borrow().subscriptions.last().unwrap()["types"].clone()
    }

    /// Answers `/next`.
    pub(crate) async fn answer(&self, body: &str) {
        self.events.send(body.to_owned()).await.unwrap();
    }

    /// An INVOKE with a deadline so far away that nobody waits for it. Gives the request id.
    pub(crate) async fn invoke(&mut self) -> String {
        let request_id = self.next_request_id();
        self.invocations += 1;
        let event = json!({
            "eventType": "INVOKE", "requestId": request_id, "deadlineMs": epoch_ms() + 600_000,
        });
        self.answer(&event.to_string()).await;
        request_id
    }

    /// The id that the next INVOKE will have.
    pub(crate) fn next_request_id(&self) -> String {
        format!("request-{}", self.invocations + 1)
    }

    pub(crate) async fn shut_down(&self, deadline_ms: Option<u64>) {
        let reason = "spindown";
        let event = json!({
            "eventType": "SHUTDOWN", "shutdownReason": reason, "deadlineMs": deadline_ms,
        });
        self.answer(&event.to_string()).await;
    }

    /// Waits until `/next` has been called this often.
    pub(crate) async fn ready(&mut self, nexts: u32) {
        let is_ready = self.state.wait_for(|state| state.nexts >= nexts);
        let result = timeout(PATIENCE, is_ready).await;
        assert!(
            result.is_ok_and(|result| result.is_ok()),
            "held beyond every bound before /next {nexts}"
        );
    }

    /// Posts the same events again and again until `/next` has been called this often.
    pub(crate) async fn post_until_ready(&mut self, events: &[Value], nexts: u32) {
        let posts = async {
            while self.state.borrow().nexts < nexts {
                self.post(events).await;
            }
        };
        let result = timeout(PATIENCE, posts).await;
        assert!(
            result.is_ok(),
            "held beyond every bound before /next {nexts}"
        );
    }

    /// Posts events to the extension; whether they were acknowledged.
    pub(crate) async fn post(&mut self, events: &[Value]) -> bool {
        let destination = self.state.borrow().subscriptions.last().unwrap()["destination"]["URI"]
            .as_str()
            .unwrap()
            .to_owned();
        let port = destination
            .trim_end_matches('/')
            .rsplit(':')
            .next()
            .unwrap();
        let status = post(port.parse().unwrap(), &json!(events).to_string()).await;
        let is_taken = status.is_some_and(|status| status.starts_with("HTTP/1.1 200"));
        if is_taken {
            self.acknowledged += events.len() as u64;
        }
        is_taken
    }

    pub(crate) async fn terminate(&self) {
        let pid = self.extension.id().unwrap().to_string();
        let status = Command::new("kill").args(["-TERM", &pid]).status().await;
        assert!(status.unwrap().success());
    }

    /// Waits for the extension's end. Gives its ledger, and all that it said.
    pub(crate) async fn end(self) -> (Output, Value, String) {
        let output = timeout(PATIENCE, self.extension.wait_with_output()).await;
        let output = output.expect("it never ended").unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let mut ledgers = stderr.lines().filter_map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            line.pointer("/backstop/ledger").cloned()
        });
        let ledger = ledgers.next_back().unwrap_or_default();
        (output, ledger, stderr)
    }
}

impl Shared {
    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        while let Some((path, body)) = request(&mut stream).await? {
            let answer = if path.ends_with("/next") {
                self.state.send_modify(|state| state.nexts += 1);
                let event = self.events.lock().await.recv().await.unwrap_or_default();
                format!("{OK}content-length: {}\r\n\r\n{event}", event.len())
            } else if path.ends_with("/telemetry") {
                let subscription: Value = serde_json::from_slice(&body)?;
                let refused = self.refused_type.is_some_and(|refused| {
                    let types = subscription["types"].as_array().unwrap();
                    types.iter().any(|kind| kind == refused)
                });
                let subscriptions = |state: &mut State| state.subscriptions.push(subscription);
                self.state.send_modify(subscriptions);
                if refused {
                    BAD_REQUEST.to_owned()
                } else {
                    format!("{OK}content-length: 2\r\n\r\nOK")
                }
            } else {
                format!("{OK}content-length: 2\r\n\r\n{{}}")
            };
            stream.write_all(answer.as_bytes()).await?;
        }
        Ok(())
    }
}

/// A telemetry event.
pub(crate) fn event(kind: &str, record: &Value) -> Value {
    json!({"time": "2026-01-01T00:00:00.000Z", "type": kind, "record": record})
}

pub(crate) fn runtime_done(request_id: &str) -> Value {
    event(
        "platform.runtimeDone",
        &json!({"requestId": request_id, "status": "success"}),
    )
}

fn epoch_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(now.unwrap().as_millis()).unwrap()
}

/// Serves connections until the test ends. Gives the address.
async fn listen<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

async fn take_everything(stream: TcpStream, hangs: bool) {
    let mut stream = BufReader::new(stream);
    while let Ok(Some(_)) = request(&mut stream).await {
        if hangs {
            std::future::pending::<()>().await;
        }
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

/// A request's path and body.
async fn request(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let (mut path, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let line = line.trim_end().to_ascii_lowercase();
        if path.is_empty() {
            let target = line.split(' ').nth(1);
            target.unwrap_or_default().clone_into(&mut path);
        } else if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        } else if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some((path, body)))
}

/// The answer's first line; `None` where there is none.
async fn post(port: u16, body: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let head = format!(
        "POST / HTTP/1.1\r\nhost: sandbox.localdomain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(body.as_bytes()).await.ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await.ok()?;
    (!line.is_empty()).then_some(line)
}
