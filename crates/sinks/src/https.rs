//! The primary: a POST over HTTPS.
//!
//! A batch keeps its id and its bytes over every retry; a receiver tells a retry by `Idempotency-Key`.

use std::fmt;
use std::time::Duration;

use backstop_config::{Compression, Format, Primary};
use backstop_delivery::{Answer, Batch, Failure, Part, Sink, SinkFuture, SinkName};
use bytes::Bytes;
use http::Request;
use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};

use crate::codec::{LineEncoder, gzip};
use crate::http::{SharedHttp, drain};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Posts batches to one URL.
pub struct HttpsSink {
    http: SharedHttp,
    url: String,
    shown_url: String,
    headers: HeaderMap,
    framing: Framing,
    lines: LineEncoder,
}

#[derive(Debug, Clone, Copy)]
struct Framing {
    format: Format,
    compression: Compression,
}

impl HttpsSink {
    /// A sink that posts to `primary`.
    pub fn new(http: SharedHttp, primary: &Primary, lines: LineEncoder) -> Self {
        let framing = Framing {
            format: primary.format,
            compression: primary.compression,
        };
        Self {
            http,
            url: primary.url.clone(),
            shown_url: primary.shown_url(),
            headers: headers(primary),
            framing,
            lines,
        }
    }

    /// Frames lines that were encoded before, as `encode` frames its own: for replay.
    pub fn frame(&self, lines: &[String]) -> Bytes {
        let plain = match self.framing.format {
            Format::Ndjson => lines
                .iter()
                .flat_map(|line| [line.as_str(), "\n"])
                .collect(),
            Format::Json => format!("[{}]", lines.join(",")),
        };
        self.framing.compress(plain.into_bytes())
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
            Ok(response) => {
                let code = response.status().as_u16();
                let retry_after = response.headers().get(RETRY_AFTER).and_then(retry_after);
                drain(response.into_body()).await;
                Answer::Status {
                    code,
                    retry_after,
                    detail: None,
                }
            }
            Err(failure) => Answer::None(failure),
        }
    }
}

/// The address has a query, which may hold a key.
impl fmt::Debug for HttpsSink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("HttpsSink")
            .field("url", &self.shown_url)
            .field("headers", &self.headers)
            .field("framing", &self.framing)
            .finish_non_exhaustive()
    }
}

impl Framing {
    fn compress(self, plain: Vec<u8>) -> Bytes {
        match self.compression {
            Compression::Gzip => gzip(&plain).into(),
            Compression::None => plain.into(),
        }
    }
}

impl Sink for HttpsSink {
    fn name(&self) -> SinkName {
        SinkName::Https
    }

    fn encode(&self, batch: &Batch) -> Vec<Part> {
        let body = match (self.framing.format, self.framing.compression) {
            (Format::Ndjson, Compression::Gzip) => self.lines.gzip_lines(batch, None),
            (Format::Json, Compression::Gzip) => self.lines.gzip_array(batch),
            (Format::Ndjson, Compression::None) => self.lines.lines(batch, None),
            (Format::Json, Compression::None) => self.lines.array(batch),
        };
        vec![Part {
            body: body.into(),
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

fn headers(primary: &Primary) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let content_type = match primary.format {
        Format::Ndjson => "application/x-ndjson",
        Format::Json => "application/json",
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if primary.compression == Compression::Gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let bearer = primary
        .token
        .as_ref()
        .map(|token| format!("Bearer {}", token.expose()));
    let authorization = bearer.map(|bearer| (AUTHORIZATION.to_string(), bearer));
    let own = primary
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.expose().to_owned()));
    // What the user says of a header last is what holds, the token's included. The configuration has
    // checked names and values.
    for (name, value) in authorization.into_iter().chain(own) {
        if let (Ok(name), Ok(mut value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(&value),
        ) {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
    }
    headers
}

/// Seconds; the form with a date is rare, and says nothing that the breaker's own cooldown doesn't.
fn retry_after(value: &HeaderValue) -> Option<Duration> {
    value
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use backstop_config::{Proxies, Secret};
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
