//! The answers to what a function posts, on a real socket.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use backstop_sinks::codec::gzip;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;
use tokio::time::{Instant, sleep};

use super::super::{Listener, MOST_READERS, Origin};
use super::*;

const LOGS: &str =
    r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"a"}},{}]}]}]}"#;
const JSON: &str = "content-type: application/json";

async fn serving(comfortable: usize) -> (SocketAddr, Arc<Inbox>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let inbox = Arc::new(Inbox::new(comfortable));
    let (port, origin) = (address.port(), Origin::Function);
    let listener = Listener {
        socket: listener,
        port,
        origin,
    };
    tokio::spawn(listener.serve(inbox.clone()));
    (address, inbox)
}

/// The answer to a request: its head in lower case, and its body.
async fn ask(address: SocketAddr, start: &str, header: &str, body: &[u8]) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head = format!(
        "{start} HTTP/1.1\r\n{header}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // Where the answer comes first, the rest may not be read.
    drop(stream.write_all(body).await);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|it| it == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    (head, answer[end + 4..].to_vec())
}

#[tokio::test]
async fn each_request_is_answered_as_the_protocol_says() {
    let (address, inbox) = serving(1_000_000).await;
    let protobuf = "content-type: application/x-protobuf";
    let large = vec![b' '; MOST_BODY_BYTES + 1];
    let bomb = gzip(&large);
    let packed = gzip(LOGS.as_bytes());
    let gzipped = format!("{JSON}\r\ncontent-encoding: gzip");
    let odd = format!("{JSON}\r\ncontent-encoding: br");
    let logs = "POST /v1/logs";
    let cases: [(&str, &str, &[u8], u16, &str); 13] = [
        (logs, JSON, LOGS.as_bytes(), 200, "{}"),
        (logs, &gzipped, &packed, 200, "{}"),
        (logs, protobuf, b"", 200, ""),
        ("POST /v1/traces", JSON, b"{}", 200, "{}"),
        ("POST /v1/metrics", JSON, b"{}", 200, "{}"),
        (logs, JSON, b"{", 400, "not a request"),
        (logs, protobuf, b"\xff", 400, "not a request"),
        (logs, &gzipped, b"plain", 400, "not gzip"),
        ("POST /v1/other", JSON, b"{}", 404, ""),
        ("GET /v1/logs", JSON, b"", 405, ""),
        (logs, &odd, b"{}", 415, ""),
        (logs, JSON, &large, 413, "too large"),
        (logs, &gzipped, &bomb, 413, "too large"),
    ];
    for (start, header, body, status, said) in cases {
        let (head, answer) = ask(address, start, header, body).await;
        let case = format!("{start} {header} {status}: {head}");
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{case}");
        let text = String::from_utf8_lossy(&answer);
        assert!(text.contains(said), "{case} {text}");
        assert_eq!(said.is_empty(), answer.is_empty(), "{case} {text}");
        if status == 200 || status == 400 || status == 413 {
            let kind = header.split("\r\n").next().unwrap();
            assert!(head.contains(kind), "in the request's encoding: {case}");
        }
    }
    let (head, _) = ask(address, logs, "content-type: text/plain", b"{}").await;
    assert!(head.starts_with("http/1.1 415 "), "{head}");
    // The two that held something are there, and nothing else.
    let all = std::iter::from_fn(|| inbox.pop_posted());
    let counts: Vec<usize> = all.map(|posted| posted.fragments.len()).collect();
    assert_eq!(counts, [2, 2]);
    assert!(!inbox.is_posting());
}

#[tokio::test]
async fn above_the_bound_a_sender_is_told_to_retry_and_at_the_end_that_it_is_over() {
    let (address, inbox) = serving(1_000).await;
    let (head, _) = ask(address, "POST /v1/logs", JSON, LOGS.as_bytes()).await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    let (head, body) = ask(address, "POST /v1/logs", JSON, LOGS.as_bytes()).await;
    assert!(head.starts_with("http/1.1 429 "), "{head}");
    assert!(head.contains("retry-after: 1"), "{head}");
    assert!(body.starts_with(b"{\"code\":8,"), "{body:?}");
    assert_eq!(inbox.take_refused().turned_away, 1);
    assert!(inbox.pop_posted().is_some() && inbox.pop_posted().is_none());
    let many = LOGS.replace(",{}", &",{}".repeat(20));
    let (head, _) = ask(address, "POST /v1/logs", JSON, many.as_bytes()).await;
    assert!(head.starts_with("http/1.1 413 "), "never fits: {head}");
    inbox.close();
    let (head, _) = ask(address, "POST /v1/logs", JSON, LOGS.as_bytes()).await;
    assert!(head.starts_with("http/1.1 503 "), "{head}");
}

#[tokio::test]
async fn a_request_counts_as_under_way_until_its_records_are_in_the_inbox() {
    let (address, inbox) = serving(1_000_000).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/logs HTTP/1.1\r\n{JSON}\r\ncontent-length: {}\r\n\r\n",
        LOGS.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&LOGS.as_bytes()[..10]).await.unwrap();
    while !inbox.is_posting() {
        tokio::task::yield_now().await;
    }
    assert!(inbox.is_empty());
    stream.write_all(&LOGS.as_bytes()[10..]).await.unwrap();
    while inbox.is_posting() {
        tokio::task::yield_now().await;
    }
    assert!(!inbox.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_dribbles_is_given_up_and_frees_its_place() {
    let (address, inbox) = serving(1_000_000).await;
    let start = Instant::now();
    let senders = (0..2 * MOST_READERS).map(|_| {
        tokio::spawn(async move {
            let stream = TcpStream::connect(address).await.unwrap();
            let (mut reading, mut writing) = stream.into_split();
            let dribbling = tokio::spawn(async move {
                let head =
                    format!("POST /v1/logs HTTP/1.1\r\n{JSON}\r\ncontent-length: 4000000\r\n\r\n");
                writing.write_all(head.as_bytes()).await.unwrap();
                while writing.write_all(b" ").await.is_ok() {
                    sleep(Duration::from_millis(100)).await;
                }
            });
            let mut answer = [0; 12];
            reading.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 503");
            dribbling.abort();
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    // One round of readers after the other.
    assert!(start.elapsed() <= 2 * LONGEST_BODY + Duration::from_secs(1));
    assert!(inbox.is_empty() && !inbox.is_posting());
    let (head, _) = ask(address, "POST /v1/logs", JSON, LOGS.as_bytes()).await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
}

/// An SDK may export each span by itself, and in parallel.
#[tokio::test]
async fn a_hundred_exports_at_a_time_are_all_answered() {
    const EXPORTS: usize = 100;
    let (address, inbox) = serving(1_000_000).await;
    let all_have_begun = Arc::new(Barrier::new(EXPORTS));
    let exports = (0..EXPORTS).map(|_| {
        let all_have_begun = all_have_begun.clone();
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = format!(
                "POST /v1/logs HTTP/1.1\r\n{JSON}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                LOGS.len()
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&LOGS.as_bytes()[..10]).await.unwrap();
            all_have_begun.wait().await;
            stream.write_all(&LOGS.as_bytes()[10..]).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        })
    });
    for export in exports.collect::<Vec<_>>() {
        export.await.unwrap();
    }
    assert!(!inbox.is_empty());
}
