//! As much of a service as one answer takes: for tests that need no more of it.
//!
//! Must not: keep anything from one request to the next.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread;

/// Answers until the test's process ends.
#[derive(Debug, Clone, Copy)]
pub struct LittleServer(SocketAddr);

/// Status, headers with their line ends, body.
type Answer = (u16, String, String);

impl LittleServer {
    /// With what is answered to a path.
    pub fn start(answer: impl Fn(&str) -> Answer + Send + 'static) -> Self {
        Self::raw(move |head| {
            let path = head.first().and_then(|line| line.split(' ').nth(1));
            let (status, headers, body) = answer(path.unwrap_or_default());
            let length = body.len();
            format!(
                "HTTP/1.1 {status} \r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
            )
        })
    }

    /// With what is answered to a head, to the byte; then the connection is closed.
    ///
    /// # Panics
    ///
    /// Where loopback has no free port.
    pub fn raw(answer: impl Fn(&[String]) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it has an address");
        thread::spawn(move || {
            for mut stream in listener.incoming().filter_map(Result::ok) {
                let Ok(reading) = stream.try_clone() else {
                    continue;
                };
                let lines = BufReader::new(reading).lines();
                let head: Vec<String> = (lines.map_while(Result::ok))
                    .take_while(|line| !line.is_empty())
                    .collect();
                // The client may have left.
                stream.write_all(answer(&head).as_bytes()).ok();
            }
        });
        Self(address)
    }

    /// S3 as far as `HeadBucket` goes, with one bucket; an empty region is left out of the answer.
    pub fn s3(bucket: &str, status: u16, region: &str) -> Self {
        let path = format!("/{bucket}");
        let headers = match region {
            "" => String::new(),
            region => format!("x-amz-bucket-region: {region}\r\n"),
        };
        Self::start(move |asked| {
            if asked.trim_end_matches('/') == path {
                (status, headers.clone(), String::new())
            } else {
                (404, String::new(), String::new())
            }
        })
    }

    /// For `AWS_ENDPOINT_URL_S3` and the like.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.0)
    }
}
