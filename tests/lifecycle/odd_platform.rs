//! A platform that misbehaves: the local API played by hand, request by request.

use std::process::{Output, Stdio};

use backstop_tests::binary;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use crate::played::{Platform, Setup, event, runtime_done};

/// Answers by the request's path: register, telemetry, next.
#[derive(Clone, Copy)]
struct Script {
    register: &'static str,
    subscribe: &'static str,
    next: &'static str,
}

const OK: &str =
    "HTTP/1.1 200 OK\r\nlambda-extension-identifier: id\r\ncontent-length: 2\r\n\r\n{}";
const FORBIDDEN: &str = "HTTP/1.1 403 Forbidden\r\ncontent-length: 4\r\n\r\ngone";
const GARBLED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n{\"odd\":";

async fn serve(stream: TcpStream, script: Script) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut path, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if path.is_empty() {
                line.split(' ')
                    .nth(1)
                    .unwrap_or_default()
                    .clone_into(&mut path);
            } else if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            } else if line.is_empty() {
                break;
            }
        }
        stream.read_exact(&mut vec![0; length]).await?;
        let answer = match path.as_str() {
            path if path.ends_with("/register") => script.register,
            path if path.ends_with("/telemetry") => script.subscribe,
            _ => script.next,
        };
        stream.write_all(answer.as_bytes()).await?;
    }
}

async fn run(script: Script) -> (Output, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, script));
        }
    });
    let output = Command::new(binary("backstop-extension"))
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", address)
        .env("BACKSTOP_PRIMARY_URL", "http://127.0.0.1:9/")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, stderr)
}

#[tokio::test]
async fn an_environment_that_ends_without_shutdown_still_gets_its_ledger() {
    for next in [FORBIDDEN, GARBLED, "not HTTP at all"] {
        let (output, stderr) = run(Script {
            register: OK,
            subscribe: OK,
            next,
        })
        .await;
        assert!(output.status.success(), "{stderr}");
        assert!(stderr.contains(r#"{"backstop":{"ledger":{"#), "{stderr}");
        let said = stderr.matches("Lambda's API answers no more").count();
        assert_eq!(said, 1, "{stderr}");
    }
}

/// One odd event among good ones costs nothing but a line.
#[tokio::test]
async fn an_invoke_that_cannot_be_read_is_an_invocation() {
    let no_deadline = r#"{"eventType":"INVOKE","requestId":"r"}"#;
    let no_id = r#"{"eventType":"INVOKE","requestId":null,"deadlineMs":"soon"}"#;
    for odd in [
        r#"{"eventType":"INVO"#,
        "not JSON",
        "",
        "{}",
        no_deadline,
        no_id,
    ] {
        let mut platform = Platform::start(Setup::default()).await;
        platform.answer(odd).await;
        assert!(platform.post(&[event("function", &json!("a line"))]).await);
        platform.ready(2).await;
        let request_id = platform.invoke().await;
        assert!(platform.post(&[event("function", &json!("a line"))]).await);
        assert!(platform.post(&[runtime_done(&request_id)]).await);
        platform.ready(3).await;
        platform.shut_down(None).await;
        let (output, ledger, stderr) = platform.end().await;
        assert!(output.status.success(), "{odd}: {stderr}");
        assert_eq!(ledger["delivered"]["https"], 3, "{odd}: {stderr}");
        assert_eq!(stderr.matches("INVOKE").count(), 1, "{odd}: {stderr}");
    }
}

#[tokio::test]
async fn a_platform_that_refuses_the_subscription_is_idled_on() {
    let (output, stderr) = run(Script {
        register: OK,
        subscribe: FORBIDDEN,
        next: FORBIDDEN,
    })
    .await;
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("Cannot subscribe to telemetry"), "{stderr}");
    assert!(stderr.contains("403"), "{stderr}");
}

#[tokio::test]
async fn a_platform_that_refuses_the_registration_is_told_so_and_left() {
    let (output, stderr) = run(Script {
        register: FORBIDDEN,
        subscribe: OK,
        next: OK,
    })
    .await;
    assert!(!output.status.success());
    assert!(
        stderr.contains("Cannot run") && stderr.contains("/extension/register"),
        "{stderr}"
    );
}
