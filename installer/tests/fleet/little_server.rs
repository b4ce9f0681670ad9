//! As much of a service as one answer takes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread;

/// Answers until the test's process ends.
pub(crate) struct LittleServer(SocketAddr);

/// Status, headers with their line ends, body.
pub(crate) type Answer = (u16, String, String);

impl LittleServer {
    /// With what is answered to a path.
    pub(crate) fn start(answer: impl Fn(&str) -> Answer + Send + 'static) -> Self {
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
    pub(crate) fn raw(answer: impl Fn(&[String]) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let head: Vec<String> = (lines.map_while(Result::ok))
                    .take_while(|line| !line.is_empty())
                    .collect();
                // Whoever asked may have left.
                stream.write_all(answer(&head).as_bytes()).ok();
            }
        });
        Self(address)
    }

    /// S3 as far as `HeadBucket` goes, with one bucket; its region is not told where it is empty.
    pub(crate) fn s3(bucket: &str, status: u16, region: &str) -> Self {
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
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.0)
    }
}
