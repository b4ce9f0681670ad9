//! The primary: a POST over HTTPS, in whatever format.
//!
//! A batch keeps its id and its bytes over every retry; a receiver tells a retry by `Idempotency-Key`.

mod replay;
mod request;

use std::fmt;

use backstop_config::{Compression, Endpoint, Primary, SignalName};
use backstop_delivery::{
    Answer, Batch, Encoded, Failure, Part, Signal, Sink, SinkFuture, SinkName, Unfit,
};
use bytes::Bytes;
use http::Request;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::codec::{Item, LineEncoder, Output, size_hint};
use crate::format::{self, Context, Format, Reply, Written};
use crate::http::{Answered, SharedHttp, drain, read};
pub use replay::ReplaySink;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Posts batches to one URL.
pub struct HttpsSink {
    http: SharedHttp,
    signal: Signal,
    url: String,
    shown_url: String,
    headers: HeaderMap,
    format: Box<dyn Format>,
    compression: Compression,
    lines: LineEncoder,
}

impl HttpsSink {
    /// A sink that posts logs to `primary`.
    pub fn new(http: SharedHttp, primary: &Primary, lines: LineEncoder) -> Self {
        Self::at(http, primary, (&primary.logs(), Signal::Log), lines)
    }

    /// A sink that posts records of a signal to `primary`; `None` where the primary does not get that signal.
    pub fn of(
        http: SharedHttp,
        primary: &Primary,
        signal: Signal,
        lines: LineEncoder,
    ) -> Option<Self> {
        let endpoint = primary.endpoint(match signal {
            Signal::Log => SignalName::Logs,
            Signal::Metric => SignalName::Metrics,
            Signal::Span => SignalName::Traces,
        })?;
        Some(Self::at(http, primary, (&endpoint, signal), lines))
    }

    fn at(
        http: SharedHttp,
        primary: &Primary,
        (endpoint, signal): (&Endpoint, Signal),
        lines: LineEncoder,
    ) -> Self {
        let format = format::of(primary, endpoint, signal);
        let packing = format.packing(primary.compression);
        Self {
            http,
            signal,
            url: format.address(&endpoint.url),
            shown_url: endpoint.shown_url(),
            headers: request::headers(primary, format.content_type(), packing),
            format,
            compression: primary.compression,
            lines,
        }
    }

    /// As many of these lines of the archive, without the reason why they are there, as one body may hold: for
    /// replay.
    pub fn frame(&self, lines: &[&str]) -> Framed {
        let items: Vec<Item<'_>> = lines.iter().map(|line| Item::archived(line)).collect();
        let context = Context {
            now: self.http.now(),
            is_replay: true,
        };
        self.body(&items, context)
    }

    fn body(&self, items: &[Item<'_>], context: Context) -> Framed {
        let mut out = Output::new(self.format.packing(self.compression), size_hint(items));
        let Written { covers, unfit } = self.format.write(items, context, &mut out);
        Framed {
            records: covers - unfit.len(),
            body: out.finish().into(),
            signal: self.signal,
            covers,
            unfit,
        }
    }

    /// Posts a body of so many records under an idempotency key.
    pub async fn post(&self, key: &str, body: Bytes, records: usize) -> Answer {
        let Ok(mut request) = Request::post(&self.url).body(body) else {
            return Answer::None(Failure::NotSent);
        };
        *request.headers_mut() = self.headers.clone();
        if let Ok(key) = HeaderValue::from_str(key) {
            request.headers_mut().insert(IDEMPOTENCY_KEY, key);
        }
        if let Some((name, value)) = self.format.header(key) {
            request.headers_mut().entry(name).or_insert(value);
        }
        match self.http.send(request).await {
            Ok(answered) => self.read(answered, records).await,
            Err(failure) => Answer::None(failure),
        }
    }

    /// What an answer means. Of its body no more is read than the format has a use for.
    async fn read(&self, answered: Answered, records: usize) -> Answer {
        let (head, body) = answered.into_parts();
        let mut read_bytes = Vec::new();
        match (self.format.most_answer_bytes(), body) {
            (1.., Some(body)) => match read(body, self.format.most_answer_bytes()).await {
                Ok(bytes) => read_bytes = bytes,
                Err(_) => return Answer::None(Failure::Reset),
            },
            (_, body) => drain(body).await,
        }
        let reply = Reply {
            status: head.status.as_u16(),
            headers: &head.headers,
            body: &read_bytes,
            now: self.http.now(),
            records,
        };
        format::judge(&*self.format, &reply)
    }
}

/// A body, and what it is made of.
#[derive(Debug)]
pub struct Framed {
    /// The bytes to post.
    pub body: Bytes,
    /// The signal of its records.
    pub signal: Signal,
    /// The number of records in it.
    pub records: usize,
    /// So many of the first records are in it, or are unfit.
    pub covers: usize,
    /// Those that the receiver would never take, by their place.
    pub unfit: Vec<(usize, Unfit)>,
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

    fn encode(&self, batch: &Batch) -> Encoded {
        let items = self.lines.items(batch);
        // By the time the batch was formed: then a retry has the same bytes.
        let context = Context {
            now: batch.created(),
            is_replay: false,
        };
        let framed = self.body(&items, context);
        let part = Part {
            body: framed.body,
            records: 0..framed.records,
        };
        Encoded {
            parts: vec![part],
            covers: framed.covers,
            unfit: framed.unfit,
        }
    }

    fn send<'a>(&'a self, batch: &'a Batch, parts: &'a [Part]) -> SinkFuture<'a> {
        let body = parts
            .first()
            .map(|part| part.body.clone())
            .unwrap_or_default();
        Box::pin(async move { self.post(&batch.id(), body, batch.len()).await })
    }

    fn reset(&self) {
        self.http.reset();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use backstop_config::{Format, FormatOptions, Proxies, Secret, Signals};
    use backstop_delivery::SystemClock;

    use super::*;
    use crate::codec::Resource;

    #[test]
    fn debug_output_shows_neither_the_query_nor_a_value_of_a_header() {
        let primary = Primary {
            url: "https://intake.example.com/v1?key=hunter2".to_owned(),
            format: Format::Ndjson,
            signals: Signals::of(&[SignalName::Logs]),
            otlp_url: None,
            options: FormatOptions::default(),
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
