//! The primary: a POST over HTTPS, in whatever format.
//!
//! A batch keeps its id and its bytes over every retry; a receiver tells a retry by `Idempotency-Key`.

mod request;

use std::fmt;

use backstop_config::{Compression, Primary};
use backstop_delivery::{Answer, Batch, Failure, Part, Sink, SinkFuture, SinkName};
use bytes::Bytes;
use http::Request;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::codec::{LineEncoder, Output, size_hint};
use crate::format::{self, Format, Reply};
use crate::http::{Answered, SharedHttp, drain};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Posts batches to one URL.
pub struct HttpsSink {
    http: SharedHttp,
    url: String,
    shown_url: String,
    headers: HeaderMap,
    format: Box<dyn Format>,
    compression: Compression,
    lines: LineEncoder,
}

impl HttpsSink {
    /// A sink that posts to `primary`.
    pub fn new(http: SharedHttp, primary: &Primary, lines: LineEncoder) -> Self {
        let format = format::of(primary.format);
        Self {
            http,
            url: primary.url.clone(),
            shown_url: primary.shown_url(),
            headers: request::headers(primary, format.content_type()),
            format,
            compression: primary.compression,
            lines,
        }
    }

    /// The body of lines that were archived, as the sink writes its own: for replay.
    pub fn frame(&self, lines: &[String]) -> Bytes {
        let mut out = Output::new(self.compression, lines.iter().map(String::len).sum());
        self.format.write_lines(lines, &mut out);
        out.finish().into()
    }

    /// Posts a body under an idempotency key.
    pub async fn post(&self, key: &str, body: Bytes) -> Answer {
        let Ok(mut request) = Request::post(&self.url).body(body) else {
            return Answer::None(Failure::NotSent);
        };
        *request.headers_mut() = self.headers.clone();
        if let Ok(key) = HeaderValue::from_str(key) {
            request.headers_mut().insert(IDEMPOTENCY_KEY, key);
        }
        match self.http.send(request).await {
            Ok(answered) => self.read(answered).await,
            Err(failure) => Answer::None(failure),
        }
    }

    /// What an answer means. Its body says nothing that the formats of today have a use for.
    async fn read(&self, answered: Answered) -> Answer {
        let (head, body) = answered.into_parts();
        drain(body).await;
        self.format.read(&Reply {
            status: head.status.as_u16(),
            headers: &head.headers,
            now: self.http.now(),
        })
    }
}

/// The address has a query, which may hold a key.
impl fmt::Debug for HttpsSink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("HttpsSink")
            .field("url", &self.shown_url)
            .field("headers", &self.headers)
            .field("format", &self.format)
            .field("compression", &self.compression)
            .finish_non_exhaustive()
    }
}

impl Sink for HttpsSink {
    fn name(&self) -> SinkName {
        SinkName::Https
    }

    fn encode(&self, batch: &Batch) -> Vec<Part> {
        let items = self.lines.items(batch);
        let mut out = Output::new(self.compression, size_hint(&items));
        self.format.write(&items, &mut out);
        vec![Part {
            body: out.finish().into(),
            records: 0..batch.len(),
        }]
    }

    fn send<'a>(&'a self, batch: &'a Batch, parts: &'a [Part]) -> SinkFuture<'a> {
        let body = parts
            .first()
            .map(|part| part.body.clone())
            .unwrap_or_default();
        Box::pin(async move { self.post(&batch.id(), body).await })
    }

    fn reset(&self) {
        self.http.reset();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use backstop_config::{Format, Proxies, Secret};
    use backstop_delivery::SystemClock;

    use super::*;
    use crate::codec::Resource;

    #[test]
    fn debug_output_shows_neither_the_query_nor_a_value_of_a_header() {
        let primary = Primary {
            url: "https://intake.example.com/v1?key=hunter2".to_owned(),
            format: Format::Ndjson,
            compression: Compression::Gzip,
            headers: vec![("x-api-key".to_owned(), Secret::new("hunter2"))],
            token: Some(Secret::new("hunter2")),
            timeout: Duration::from_secs(1),
        };
        let http = SharedHttp::new(
            Vec::new(),
            Proxies::default(),
            Arc::new(SystemClock),
            |_| {},
        );
        let sink = HttpsSink::new(http, &primary, LineEncoder::new(Resource::default()));
        let shown = format!("{sink:?}");
        assert!(
            shown.contains("https://intake.example.com/v1?***"),
            "{shown}"
        );
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
