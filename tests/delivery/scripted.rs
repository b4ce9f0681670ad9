//! A server that answers in turn, the last answer to all further requests, and remembers the first line
//! of each request.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Plain HTTP on loopback. Dropping it closes the port.
#[derive(Debug)]
pub(crate) struct Scripted {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Scripted {
    /// Answers with this status, these headers and this body.
    pub(crate) async fn start(status: u16, headers: &str, body: &str) -> Self {
        Self::in_turn(&[(status, headers, body)]).await
    }

    /// Answers with each of these, and then with the last one.
    pub(crate) async fn in_turn(answers: &[(u16, &str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let wire = |(status, headers, body): &(u16, &str, &str)| {
            format!(
                "HTTP/1.1 {status} Said\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            )
        };
        let wires: Vec<String> = answers.iter().map(wire).collect();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let task = tokio::spawn({
            let asked = asked.clone();
            async move {
                let mut taken = 0;
                while let Ok((stream, _)) = listener.accept().await {
                    let wire = wires[taken.min(wires.len() - 1)].clone();
                    taken += 1;
                    tokio::spawn(answer(stream, wire, asked.clone()));
                }
            }
        });
        Self { url, asked, task }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The first line of each request, without the version.
    pub(crate) fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(mut stream: TcpStream, wire: String, asked: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let mut request = Vec::new();
    let end = loop {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
        if let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = String::from_utf8_lossy(&request[..end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())?
    });
    // What is closed with unread bytes is reset, and the answer may be lost on the way.
    while request.len() < end + length.unwrap_or_default() {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
    let first = head.lines().next().unwrap_or_default();
    let first = first.trim_end_matches(" HTTP/1.1").to_owned();
    asked
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(first);
    stream.write_all(wire.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}
