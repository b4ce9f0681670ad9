//! A server that sends back everything it receives: the worst place to send a secret to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// How it sends the secret back.
#[derive(Debug, Clone, Copy)]
pub(crate) enum EchoBehaviour {
    /// The request's head in the body of an answer with this status, in a service's words.
    Status(u16),
    /// The same, and as where to go.
    Redirect,
    /// The request's head instead of an answer.
    NoHttp,
    /// An answer with this status whose body has no end.
    Endless(u16),
}

/// Plain HTTP on loopback. Dropping it closes the port.
#[derive(Debug)]
pub(crate) struct Echo {
    address: SocketAddr,
    echoed: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Echo {
    /// Answers in this way, whether or not the request's head has `secret` in it.
    pub(crate) async fn start(manner: EchoBehaviour, secret: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let echoed = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn({
            let echoed = echoed.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(answer(stream, manner, secret, echoed.clone()));
                }
            }
        });
        Self {
            address,
            echoed,
            task,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How often the secret was sent back.
    pub(crate) fn echoed(&self) -> usize {
        self.echoed.load(Ordering::Relaxed)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    mut stream: TcpStream,
    manner: EchoBehaviour,
    secret: &str,
    echoed: Arc<AtomicUsize>,
) -> Option<()> {
    let mut request = Vec::new();
    let end = loop {
        stream
            .read_buf(&mut request)
            .await
            .ok()
            .filter(|read| *read > 0)?;
        let end = request.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            break end + 4;
        }
    };
    let head = String::from_utf8_lossy(&request[..end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let length = value.trim().parse::<usize>().ok()?;
        name.eq_ignore_ascii_case("content-length")
            .then_some(length)
    });
    while request.len() < end + length.unwrap_or_default() {
        stream
            .read_buf(&mut request)
            .await
            .ok()
            .filter(|read| *read > 0)?;
    }
    echoed.fetch_add(usize::from(head.contains(secret)), Ordering::Relaxed);
    let one_line = head.replace("\r\n", " ; ");
    let body = format!(
        "<Error><Code>AccessDenied</Code><Message>{}</Message></Error>",
        one_line.replace(['<', '>', '&'], "_")
    );
    let status = match manner {
        EchoBehaviour::Status(status) | EchoBehaviour::Endless(status) => status,
        EchoBehaviour::Redirect => 302,
        EchoBehaviour::NoHttp => 0,
    };
    let said = match manner {
        EchoBehaviour::NoHttp => head,
        EchoBehaviour::Endless(_) => {
            format!("HTTP/1.1 {status} OK\r\ncontent-length: 999999999999\r\n\r\n")
        }
        EchoBehaviour::Status(_) | EchoBehaviour::Redirect => format!(
            "HTTP/1.1 {status} {one_line}\r\nlocation: /{one_line}\r\nx-amzn-errortype: {one_line}\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        ),
    };
    stream.write_all(said.as_bytes()).await.ok()?;
    if matches!(manner, EchoBehaviour::Endless(_)) {
        let megabyte = vec![b' '; 1 << 20];
        loop {
            stream.write_all(&megabyte).await.ok()?;
        }
    }
    stream.shutdown().await.ok()
}
