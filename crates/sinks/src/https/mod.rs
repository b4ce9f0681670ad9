//! The primary: a POST over HTTPS, in whatever format.
//!
//! A token or a header that is kept elsewhere is read before the first request, and never sent for without.
//! A batch keeps its id and its bytes over every retry; a receiver tells a retry by `Idempotency-Key`.

mod kept;
mod replay;
mod request;

use std::fmt;

use backstop_config::{Compression, Endpoint, Primary, SignalName};
use backstop_delivery::{
    Answer, Batch, Encoded, Failure, Part, Preparation, Role, Sent, Signal, Sink, SinkFuture,
    SinkName, Unfit,
};
use bytes::Bytes;
use http::Request;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use kept::Kept;
use tokio::time::Instant;

use crate::codec::{Item, LineEncoder, Output, size_hint};
use crate::format::{self, Context, Format, Reply, Written};
use crate::http::{Answered, SharedHttp, drain, read};
use crate::secret::Secrets;
pub use replay::ReplaySink;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Posts batches to one URL.
pub struct HttpsSink {
    http: SharedHttp,
    signal: Signal,
    url: String,
    shown_url: String,
    /// None where some of them are kept elsewhere.
    headers: Option<HeaderMap>,
    kept: Option<Kept>,
    format: Box<dyn Format>,
    compression: Compression,
    lines: LineEncoder,
}

impl HttpsSink {
    /// A sink that posts logs to `primary`. Where some of its headers are kept elsewhere, nothing leaves before
    /// [`HttpsSink::with_secrets`].
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
        let endpoint = endpoint(primary, signal)?;
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
            headers: (primary.references.is_empty())
                .then(|| request::headers(primary, format.content_type(), packing)),
            kept: None,
            format,
            compression: primary.compression,
            lines,
        }
    }

    /// The same, which reads with `secrets` what `primary` keeps elsewhere, when it first sends.
    #[must_use]
    pub fn with_secrets(mut self, primary: &Primary, secrets: Secrets) -> Self {
        let packing = self.format.packing(primary.compression);
        let kept = || Kept::new(secrets, primary, self.format.content_type(), packing);
        self.kept = (!primary.references.is_empty()).then(kept);
        self
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

    /// Posts a body of this many records under an idempotency key. An answer that speaks of another number of
    /// records proves nothing: no caller can mistake it for a delivery.
    pub async fn post(&self, key: &str, body: Bytes, records: usize) -> Answer {
        let answer = self.answer(key, body, records).await;
        answer.proven(Sent {
            parts: 1,
            records,
            role: Role::Primary,
        })
    }

    async fn answer(&self, key: &str, body: Bytes, records: usize) -> Answer {
        let Ok(mut request) = Request::post(&self.url).body(body) else {
            return Answer::None(Failure::NotSent);
        };
        let kept = || self.kept.as_ref()?.headers();
        let headers = self.headers.clone().or_else(kept);
        // Without its token a request would be refused at best.
        let Some(headers) = headers else {
            return Answer::None(Failure::NotSent);
        };
        *request.headers_mut() = headers;
        if let Ok(key) = HeaderValue::from_str(key) {
            request.headers_mut().insert(IDEMPOTENCY_KEY, key);
        }
        for (name, value) in self.format.headers(key) {
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
        let mut reply = Reply {
            status: head.status.as_u16(),
            headers: &head.headers,
            body: &[],
            now: self.http.now(),
            records,
        };
        let wanted = self.format.most_answer_bytes();
        let is_json = reply.is_of("application/json");
        let bytes = match body {
            Some(body) if wanted > 0 && self.format.needs_whole_answer(is_json) => {
                match read(body, wanted).await {
                    Ok(bytes) => bytes,
                    Err(_) => return Answer::None(Failure::Reset),
                }
            }
            body => drain(body, wanted).await,
        };
        reply.body = &bytes;
        format::judge(&*self.format, &reply)
    }
}

/// Where the primary gets a signal, and how; `None` where it does not get it.
fn endpoint(primary: &Primary, signal: Signal) -> Option<Endpoint> {
    match signal {
        Signal::Log => primary.endpoint(SignalName::Logs),
        Signal::Metric => primary.endpoint(SignalName::Metrics),
        Signal::PostedMetric => primary.posted_metrics(),
        Signal::Span => primary.endpoint(SignalName::Traces),
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
    /// This many of the first records are in it, or are unfit.
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

    fn prepare(&self) -> Option<Preparation<'_>> {
        self.kept.as_ref()?.prepare()
    }

    fn renew(&self, asked: Instant) -> bool {
        if let Some(kept) = &self.kept {
            kept.forget_before(asked);
        }
        self.kept.is_some()
    }

    fn reset(&self) {
        if let Some(kept) = &self.kept {
            kept.forget();
        }
        self.http.reset();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use backstop_config::{Format, FormatOptions, Proxies, Secret, Settings, Signals};
    use backstop_delivery::{SystemClock, Verdict};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

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
            references: backstop_config::References::default(),
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

    /// A parameter store that always gives the same token, and how often it was asked.
    async fn parameter_store() -> (String, Arc<AtomicUsize>) {
        const ANSWER: &str = r#"{"Parameter":{"Value":"hunter2"}}"#;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                // The input is the last of it.
                while !request.ends_with(b"true}") {
                    request.push(stream.read_u8().await.expect("a whole request"));
                }
                count.fetch_add(1, Ordering::Relaxed);
                let length = ANSWER.len();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{ANSWER}"
                );
                stream
                    .write_all(answer.as_bytes())
                    .await
                    .expect("it is there");
            }
        });
        (endpoint, asked)
    }

    fn settings(variables: &[(&str, &str)]) -> Settings {
        let environment: BTreeMap<String, String> = (variables.iter())
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Settings::resolve(&environment).0
    }

    #[tokio::test]
    async fn a_token_is_read_once_and_again_after_a_refusal_and_a_restore() {
        let (endpoint, asked) = parameter_store().await;
        let variables = [
            ("AWS_ENDPOINT_URL_SSM", endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("BACKSTOP_PRIMARY_URL", "https://intake.example.com"),
            ("BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER", "/token"),
        ];
        let settings = settings(&variables);
        let primary = settings.primary.expect("a primary");
        let clock = Arc::new(SystemClock);
        let http = SharedHttp::new(Vec::new(), Proxies::default(), clock, |_| {});
        let secrets = Secrets::of_function(http.clone(), settings.aws, "orders");
        let bare = HttpsSink::new(
            http.clone(),
            &primary,
            LineEncoder::new(Resource::default()),
        );
        let answer = bare.post("key", Bytes::new(), 0).await;
        assert_eq!(
            answer,
            Answer::None(Failure::NotSent),
            "never without its token"
        );

        let sink = bare.with_secrets(&primary, secrets);
        let read = async |times: usize| {
            // Two batches at once ask once.
            let both = [sink.prepare(), sink.prepare()].map(|it| it.expect("it is to be read"));
            for preparation in both {
                assert_eq!(preparation.store, "Parameter Store");
                preparation.getting.await.expect("it is given");
            }
            assert!(sink.prepare().is_none(), "it is there");
            assert_eq!(asked.load(Ordering::Relaxed), times);
        };
        let before = Instant::now();
        read(1).await;
        assert!(
            sink.renew(before) && sink.prepare().is_none(),
            "what is newer stays"
        );
        assert!(sink.renew(Instant::now()));
        read(2).await;
        sink.reset();
        read(3).await;
        assert!(!format!("{sink:?}").contains("hunter2"));
    }

    /// Answers one request after another with this body.
    async fn bulk_api(body: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"the body") {
                    request.push(stream.read_u8().await.expect("a whole request"));
                }
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                stream
                    .write_all(answer.as_bytes())
                    .await
                    .expect("it is there");
            }
        });
        url
    }

    /// No caller gets a delivery out of it, live or in a replay.
    #[tokio::test]
    async fn an_answer_about_another_number_of_records_proves_nothing() {
        const ONE: &str = r#"{"errors":true,"items":[{"create":{"status":201}}]}"#;
        for (body, records, is_delivered) in [
            (r#"{"errors":true,"items":[]}"#, 1, false),
            (ONE, 2, false),
            (ONE, 1, true),
        ] {
            let url = bulk_api(body).await;
            let variables = [
                ("BACKSTOP_PRIMARY_URL", url.as_str()),
                ("BACKSTOP_PRIMARY_FORMAT", "elastic"),
            ];
            let settings = settings(&variables);
            let primary = settings.primary.expect("a primary");
            let clock = Arc::new(SystemClock);
            let http = SharedHttp::new(Vec::new(), Proxies::default(), clock, |_| {});
            let sink = ReplaySink::new(&http, &primary);
            let bytes = Bytes::from_static(b"the body");
            let answer = sink.post(Signal::Log, "key", bytes, records).await;
            if is_delivered {
                assert_eq!(answer.verdict(Role::Primary), Verdict::Delivered);
            } else {
                assert_eq!(answer, Answer::None(Failure::Unproven), "{body}");
            }
        }
    }
}
