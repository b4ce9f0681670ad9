//! The listener on a real socket, with senders that Lambda is not.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::sleep;

use super::super::connections::MOST_CONNECTIONS;
use super::*;

/// A listener on loopback and its inbox.
async fn serving(comfortable: usize) -> (SocketAddr, Arc<Inbox>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let inbox = Arc::new(Inbox::new(comfortable));
    let port = address.port();
    let origin = Origin::Lambda;
    let listener = Listener {
        socket: listener,
        port,
        origin,
    };
    tokio::spawn(listener.serve(inbox.clone()));
    (address, inbox)
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

async fn write(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// The status line of an answer, or nothing where the connection has ended.
async fn status(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(1..) => head.extend(byte),
            Ok(0) | Err(_) => break,
        }
    }
    let head = String::from_utf8(head).unwrap();
    head.lines().next().unwrap_or_default().to_owned()
}

async fn post(stream: &mut TcpStream) -> String {
    let request = "POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n[]";
    // Where the connection has ended there is no answer either.
    drop(stream.write_all(request.as_bytes()).await);
    status(stream).await
}

#[tokio::test]
async fn of_a_thousand_connections_only_the_newest_stay_and_lambda_is_still_heard() {
    let (address, _) = serving(usize::MAX).await;
    let mut idle = Vec::new();
    for _ in 0..1_000 {
        idle.push(connect(address).await);
    }
    let mut lambda = connect(address).await;
    assert_eq!(post(&mut lambda).await, "HTTP/1.1 200 OK");
    let mut answers = Vec::new();
    for stream in &mut idle {
        answers.push(post(stream).await);
    }
    // The others have ended without a byte, but for those that there is room for beside Lambda's.
    let gone = answers
        .iter()
        .take_while(|answer| answer.is_empty())
        .count();
    assert_eq!(gone, 1_000 - (MOST_CONNECTIONS - 1));
    assert!(
        answers[gone..]
            .iter()
            .all(|answer| answer == "HTTP/1.1 200 OK")
    );
}

#[tokio::test]
async fn a_connection_that_posts_outlives_older_ones_that_say_nothing() {
    let (address, _) = serving(usize::MAX).await;
    let mut lambda = connect(address).await;
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(connect(address).await);
        assert_eq!(post(&mut lambda).await, "HTTP/1.1 200 OK");
    }
}

#[tokio::test]
async fn a_body_that_is_ours_and_not_yet_acknowledged_keeps_its_connection() {
    // Cut off now, Lambda would send it again, and its records would be there twice.
    let (address, inbox) = serving(0).await;
    let mut lambda = connect(address).await;
    write(
        &mut lambda,
        "POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n[]",
    )
    .await;
    inbox.arrival().await;
    let mut others = Vec::new();
    for _ in 0..100 {
        others.push(connect(address).await);
    }
    // They are accepted in their order, so that with the last one's answer all have been.
    let last = others.last_mut().unwrap();
    write(last, "GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(status(last).await, "HTTP/1.1 405 Method Not Allowed");
    assert!(inbox.pop().is_some());
    inbox.observe(0, true);
    assert_eq!(status(&mut lambda).await, "HTTP/1.1 200 OK");
    assert!(inbox.pop().is_none(), "and it came once");
}

#[tokio::test]
async fn headers_too_many_or_too_long_are_refused() {
    let (address, inbox) = serving(usize::MAX).await;
    let many = "x-a: b\r\n".repeat(MOST_HEADERS + 1);
    let long = format!("x-a: {}\r\n", "b".repeat(MOST_HEAD_BYTES));
    // The answer to one that is too long may be lost: it is closed on with bytes unread.
    let refused = "HTTP/1.1 431 Request Header Fields Too Large";
    for (headers, answers) in [(many, &[refused][..]), (long, &[refused, ""])] {
        let mut stream = connect(address).await;
        let request = format!("POST / HTTP/1.1\r\ncontent-length: 2\r\n{headers}\r\n[]");
        drop(stream.write_all(request.as_bytes()).await);
        let status = status(&mut stream).await;
        assert!(answers.contains(&status.as_str()), "{status}");
    }
    assert!(inbox.pop().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stands_still_is_given_up_and_nothing_of_it_is_taken() {
    // The paused clock runs ahead as soon as everyone waits.
    let (address, inbox) = serving(usize::MAX).await;
    let mut stream = connect(address).await;
    write(
        &mut stream,
        "POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\n[1,2",
    )
    .await;
    assert_eq!(status(&mut stream).await, "HTTP/1.1 408 Request Timeout");
    assert_eq!(
        status(&mut stream).await,
        "",
        "and the connection is closed"
    );
    assert!(inbox.pop().is_none());
}

/// It never stood still for long, and so was read for as long as it lasted.
#[tokio::test(start_paused = true)]
async fn a_body_that_dribbles_is_given_up_and_one_with_a_freeze_in_it_is_taken() {
    let head = "POST / HTTP/1.1\r\ncontent-length: 4000000\r\n\r\n[";
    for (pause, longest) in [(1, 6), (1_000, 6), (4_900, 30)] {
        let (address, inbox) = serving(usize::MAX).await;
        let start = Instant::now();
        let (mut reading, mut writing) = connect(address).await.into_split();
        let dribbling = tokio::spawn(async move {
            writing.write_all(head.as_bytes()).await.unwrap();
            while writing.write_all(b" ").await.is_ok() {
                sleep(Duration::from_millis(pause)).await;
            }
        });
        let mut answer = [0; 32];
        reading.read_exact(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 408 Request Timeout"));
        let took = start.elapsed();
        assert!(took <= Duration::from_secs(longest), "{pause}: {took:?}");
        assert!(inbox.pop().is_none());
        dribbling.abort();
    }
    let (address, inbox) = serving(usize::MAX).await;
    let mut stream = connect(address).await;
    write(
        &mut stream,
        "POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\n[1,",
    )
    .await;
    for part in ["2,", "3,", "4", "]"] {
        sleep(Duration::from_millis(1_400)).await;
        write(&mut stream, part).await;
    }
    assert_eq!(status(&mut stream).await, "HTTP/1.1 200 OK");
    assert_eq!(inbox.pop().unwrap(), "[1,2,3,4]");
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_not_taken() {
    let (address, inbox) = serving(usize::MAX).await;
    let mut stream = connect(address).await;
    write(
        &mut stream,
        "POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\n[1,2",
    )
    .await;
    stream.shutdown().await.unwrap();
    assert!(status(&mut stream).await != "HTTP/1.1 200 OK");
    assert!(inbox.pop().is_none());
}
