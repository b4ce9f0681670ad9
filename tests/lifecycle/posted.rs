//! What the function posts by OTLP, and when: the port, the freeze, the shutdown.
//!
//! One test, because there is one port.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::played::{Platform, Setup, runtime_done};

const PORT: (&str, u16) = ("127.0.0.1", 4318);
const ON: (&str, &str) = ("BACKSTOP_OTLP_RECEIVER", "true");

fn logs(count: usize) -> String {
    let log = json!({"severityNumber": 9, "body": {"stringValue": "posted"}});
    let logs = vec![log; count];
    json!({"resourceLogs": [{"scopeLogs": [{"logRecords": logs}]}]}).to_string()
}

/// A request of which the last bytes are not sent.
struct Begun {
    stream: TcpStream,
    rest: String,
}

async fn begin(body: &str) -> Option<Begun> {
    let mut stream = TcpStream::connect(PORT).await.ok()?;
    let (first, rest) = body.split_at(body.len() / 2);
    let length = body.len();
    let head = format!(
        "POST /v1/logs HTTP/1.1\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{first}"
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    let rest = rest.to_owned();
    Some(Begun { stream, rest })
}

impl Begun {
    /// The status, once the rest is sent.
    async fn end(mut self) -> Option<String> {
        self.stream.write_all(self.rest.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        self.stream.read_to_end(&mut answer).await.ok()?;
        let text = String::from_utf8_lossy(&answer);
        text.split(' ').nth(1).map(str::to_owned)
    }
}

async fn post(count: usize) -> Option<String> {
    begin(&logs(count)).await?.end().await
}

async fn without_it_there_is_no_socket() {
    let platform = Platform::start(Setup::default()).await;
    assert!(TcpStream::connect(PORT).await.is_err());
    platform.shut_down(None).await;
    platform.end().await;
}

async fn a_port_that_is_taken_is_one_line_and_costs_nothing_else() {
    let taken = TcpListener::bind(PORT).await.unwrap();
    let setup = Setup {
        variables: &[ON],
        ..Setup::default()
    };
    let mut platform = Platform::start(setup).await;
    let id = platform.invoke().await;
    assert!(platform.post(&[runtime_done(&id)]).await);
    platform.ready(2).await;
    platform.shut_down(None).await;
    let (_, ledger, stderr) = platform.end().await;
    assert_eq!(stderr.matches("Cannot receive OTLP").count(), 1, "{stderr}");
    assert_eq!(ledger["delivered"]["https"], 1, "{stderr}");
    drop(taken);
}

/// A request that arrives when the runtime is done is waited for, and its records leave with that invocation.
async fn a_request_under_way_is_part_of_its_invocation() {
    let setup = Setup {
        variables: &[
            ON,
            ("BACKSTOP_FLUSH_STRATEGY", "end"),
            ("BACKSTOP_MAX_ADDED_MS", "10000"),
        ],
        ..Setup::default()
    };
    let mut platform = Platform::start(setup).await;
    // During init.
    assert_eq!(post(2).await.as_deref(), Some("200"));
    let id = platform.invoke().await;
    assert_eq!(post(3).await.as_deref(), Some("200"));
    let begun = begin(&logs(4)).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    assert!(platform.post(&[runtime_done(&id)]).await);
    let ready = timeout(Duration::from_millis(500), platform.ready(2)).await;
    assert!(ready.is_err(), "ready while a request arrives");
    assert_eq!(begun.end().await.as_deref(), Some("200"));
    platform.ready(2).await;
    platform.terminate().await;
    let (_, ledger, stderr) = platform.end().await;
    assert_eq!(ledger["received"], 10, "{stderr}");
    assert_eq!(ledger["delivered"]["https"], 10, "{stderr}");
}

/// A request that never ends holds `/next` no longer than the bound.
async fn a_request_that_stands_still_holds_nobody_for_long() {
    let setup = Setup {
        variables: &[
            ON,
            ("BACKSTOP_FLUSH_STRATEGY", "end"),
            ("BACKSTOP_MAX_ADDED_MS", "300"),
        ],
        ..Setup::default()
    };
    let mut platform = Platform::start(setup).await;
    let id = platform.invoke().await;
    let begun = begin(&logs(4)).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    assert!(platform.post(&[runtime_done(&id)]).await);
    let ready = timeout(Duration::from_secs(3), platform.ready(2)).await;
    assert!(ready.is_ok(), "held for a request that stands still");
    drop(begun);
    platform.shut_down(None).await;
    platform.end().await;
}

/// What never leaves is no reason to let the function's SDK wait.
async fn a_mistake_in_what_to_redact_refuses_no_request() {
    let setup = Setup {
        variables: &[
            ON,
            ("BACKSTOP_REDACT", "e-mail"),
            ("BACKSTOP_BUFFER_MAX_BYTES", "1048576"),
        ],
        ..Setup::default()
    };
    let mut platform = Platform::start(setup).await;
    let id = platform.invoke().await;
    for _ in 0..200 {
        assert_eq!(post(50).await.as_deref(), Some("200"));
    }
    assert!(platform.post(&[runtime_done(&id)]).await);
    platform.ready(2).await;
    platform.shut_down(None).await;
    let (_, ledger, stderr) = platform.end().await;
    assert!(stderr.contains("the buffer is full"), "{stderr}");
    assert_eq!(ledger["received"], 10_001, "{stderr}");
    assert_eq!(ledger["delivered"]["https"], 0, "{stderr}");
}

async fn what_is_acknowledged_at_shutdown_is_in_the_ledger() {
    let setup = Setup {
        variables: &[ON],
        ..Setup::default()
    };
    let platform = Platform::start(setup).await;
    platform.shut_down(None).await;
    let mut taken = 0;
    while post(5).await.as_deref() == Some("200") {
        taken += 5;
        sleep(Duration::from_millis(20)).await;
    }
    let (output, ledger, stderr) = platform.end().await;
    assert!(output.status.success(), "{stderr}");
    assert!(taken > 0);
    assert_eq!(ledger["received"], taken, "{stderr}");
    assert_eq!(ledger["delivered"]["https"], taken, "{stderr}");
}

#[tokio::test]
async fn what_the_function_posts_belongs_to_its_invocation_and_is_counted_to_the_end() {
    without_it_there_is_no_socket().await;
    a_port_that_is_taken_is_one_line_and_costs_nothing_else().await;
    a_request_under_way_is_part_of_its_invocation().await;
    a_request_that_stands_still_holds_nobody_for_long().await;
    a_mistake_in_what_to_redact_refuses_no_request().await;
    what_is_acknowledged_at_shutdown_is_in_the_ledger().await;
}
