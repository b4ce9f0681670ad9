//! What the sinks make of answers from the wire, through real sockets.
//!
//! Input: a line that says how to answer, then the bytes of the answer. The line's letters:
//!
//! | | |
//! |---|---|
//! | `h`, `f`, `s` | the sink that asks: HTTPS (the default), Firehose, S3 |
//! | `o` | the connection stays open after the answer, instead of being closed |
//! | `2` | the answer comes in two pieces |
//! | `b` | the bytes are the body of a well-formed 200; without it they are all there is |
//!
//! Time is paused: a wait for what never comes costs nothing. It may also end an exchange too
//! early, where the kernel takes its time; so an answer that was not heard is never a fault, and one
//! that was counted without being given always is.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use backstop_config::{
    AwsSettings, Compression, Format, FormatOptions, Primary, Proxies, S3Archive, S3Endpoint,
    Secret, SignalName, Signals,
};
use backstop_delivery::{
    Answer, Batch, Chain, ChainParts, DropReason, Encoded, Jitter, LinkSettings, Notice, Observer,
    Part, PartAnswer, Phase, Role, SharedLedger, Sink, SinkFuture, SinkName, SystemClock, Verdict,
    Window, WindowControl,
};
use backstop_sinks::{FirehoseSink, HttpsSink, S3Sink, SharedHttp};
use bytes::Bytes;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use crate::records::{batch, encoder, events};

/// The records of the batch that is sent.
const RECORDS: u64 = 3;
const WINDOW: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_millis(300);

/// Whatever is answered: the flush ends within its window, the ledger balances, and what counts as
/// delivered was said to be taken.
///
/// # Panics
///
/// Where that does not hold.
pub fn responses(input: &[u8]) {
    thread_local! {
        static RIG: RefCell<Rig> = RefCell::new(Rig::new());
    }
    RIG.with_borrow_mut(|rig| rig.check(&Script::read(input)));
}

/// How to answer.
#[derive(Debug, Clone, Default)]
struct Script {
    sink: Option<SinkName>,
    /// Whose format the primary has.
    format: Option<Format>,
    stays_open: bool,
    in_pieces: bool,
    is_body: bool,
    wire: Bytes,
}

impl Script {
    fn read(input: &[u8]) -> Self {
        let end = input.iter().position(|byte| *byte == b'\n');
        let (letters, bytes) = end.map_or((input, &b""[..]), |end| {
            let (letters, bytes) = input.split_at(end);
            (letters, &bytes[1..])
        });
        let mut script = Self::default();
        for letter in letters {
            match letter {
                b'h' => script.sink = Some(SinkName::Https),
                b'f' => script.sink = Some(SinkName::Firehose),
                b's' => script.sink = Some(SinkName::S3),
                b'e' => script.format = Some(Format::Elastic),
                b't' => script.format = Some(Format::Otlp),
                b'l' => script.format = Some(Format::Loki),
                b'p' => script.format = Some(Format::Splunk),
                b'j' => script.format = Some(Format::Json),
                b'd' => script.format = Some(Format::Datadog),
                b'n' => script.format = Some(Format::NewRelic),
                b'o' => script.stays_open = true,
                b'2' => script.in_pieces = true,
                b'b' => script.is_body = true,
                _ => {}
            }
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len());
        let head = if script.is_body { head.as_bytes() } else { b"" };
        script.wire = [head, bytes].concat().into();
        script
    }

    /// The most of `parts` that a careful reader of the answer would call taken.
    fn most_taken(&self, parts: usize) -> usize {
        if !is_success(&self.wire) {
            return 0;
        }
        let is_firehose = self.sink == Some(SinkName::Firehose);
        match self.body() {
            Some(body) if is_firehose && self.is_body => taken(body, parts),
            _ if self.sink == Some(SinkName::S3) && !names_an_object(&self.wire) => 0,
            _ => parts,
        }
    }

    fn body(&self) -> Option<&[u8]> {
        let at = self.wire.windows(4).position(|four| four == b"\r\n\r\n")?;
        Some(&self.wire[at + 4..])
    }
}

/// Whether an answer of S3 has a line that names what was taken, wherever it stands.
fn names_an_object(wire: &[u8]) -> bool {
    wire.split(|byte| *byte == b'\n')
        .any(|line| line.to_ascii_lowercase().starts_with(b"etag:"))
}

/// The records that a well-formed answer of `PutRecordBatch` says were taken: those with an entry of
/// their own that has an id and names no error.
fn taken(body: &[u8], records: usize) -> usize {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        // The SDK's parser is laxer in places; what it reads there is not judged.
        return records;
    };
    let entries = answer["RequestResponses"].as_array();
    let entries = entries.into_iter().flatten().take(records);
    let has_id = |entry: &Value| entry["RecordId"].as_str().is_some_and(|id| !id.is_empty());
    entries
        .filter(|entry| entry["ErrorCode"].is_null() && has_id(entry))
        .count()
}

/// Whether the first final status line is one of success. Laxer than HTTP in what it passes over.
fn is_success(wire: &[u8]) -> bool {
    let mut lines = wire.split(|byte| *byte == b'\n');
    while let Some(line) = lines.next() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let code = line
            .strip_prefix(b"HTTP/1.")
            .and_then(|rest| rest.get(2..5))
            .unwrap_or_default();
        match code.first() {
            Some(b'2') => return code.iter().all(u8::is_ascii_digit),
            // An answer before the answer: the next head follows the empty line.
            Some(b'1') => {
                while lines
                    .next()
                    .is_some_and(|line| !line.trim_ascii().is_empty())
                {}
            }
            _ => return false,
        }
    }
    false
}

/// A server that answers by script, and the sinks that ask it: made once, because the clients of AWS
/// take their time. No connection outlives an input.
#[derive(Debug)]
struct Rig {
    runtime: Runtime,
    script: Arc<Mutex<Script>>,
    primaries: Vec<(Format, Arc<dyn Sink>)>,
    fallbacks: [Arc<dyn Sink>; 2],
}

impl Rig {
    fn new() -> Self {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let script = Arc::<Mutex<Script>>::default();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = listener.expect("a socket on loopback");
        let address = listener.local_addr().expect("it is bound");
        runtime.spawn(serve(listener, script.clone()));
        let http = SharedHttp::new(
            Vec::new(),
            Proxies::default(),
            Arc::new(SystemClock),
            |_| {},
        );
        Self {
            runtime,
            script,
            primaries: primaries(&http, address),
            fallbacks: fallbacks(&http, address),
        }
    }

    fn check(&mut self, script: &Script) {
        *lock(&self.script) = script.clone();
        let name = script.sink.unwrap_or(SinkName::Https);
        let format = script.format.unwrap_or(Format::Ndjson);
        let primary = self.primaries.iter().find(|it| it.0 == format);
        let (_, primary) = primary.expect("there is one of each format");
        let fallback = self.fallbacks.iter().find(|sink| sink.name() == name);
        let sink = fallback.unwrap_or(primary).clone();
        // With the pool, what an answer does to its connection would be the next input's.
        primary.reset();

        let ledger = SharedLedger::default();
        let role = if name == SinkName::Https {
            Role::Primary
        } else {
            Role::Fallback
        };
        let chain = Chain::new(ChainParts {
            links: vec![LinkSettings {
                sink: Box::new(Judged {
                    sink,
                    script: script.clone(),
                }),
                role,
                signal: None,
                timeout: TIMEOUT,
            }],
            ledger: ledger.clone(),
            clock: Arc::new(SystemClock),
            observer: Arc::new(IgnoreNotices),
            jitter: Jitter::none(),
        });
        ledger.lock().receive(RECORDS);
        let (left, took) = self.runtime.block_on(async {
            let started = Instant::now();
            let (_control, view) = WindowControl::new(Window {
                ends: started + WINDOW,
                phase: Phase::Handler,
                epoch: 0,
            });
            let left = chain.flush(vec![three_records()], &view).await;
            (left, started.elapsed())
        });

        // The timer's resolution is a millisecond.
        assert!(
            took <= WINDOW + Duration::from_millis(1),
            "it took {took:?}"
        );
        let left: u64 = left.iter().map(|batch| batch.len() as u64).sum();
        let ledger = ledger.lock();
        assert!(ledger.adds_up(left), "{left} left: {}", ledger.line());
        let delivered = ledger.delivered_in_all();
        assert!(
            delivered == 0 || is_success(&script.wire),
            "{delivered} delivered"
        );
        let dropped = [DropReason::Rejected, DropReason::TooLarge].map(|why| ledger.dropped(why));
        assert_eq!(delivered + left + dropped.iter().sum::<u64>(), RECORDS);
        assert!(
            role == Role::Primary || dropped == [0, 0],
            "an archive drops"
        );
    }
}

fn lock(script: &Mutex<Script>) -> std::sync::MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}

fn three_records() -> Batch {
    static BATCH: OnceLock<Batch> = OnceLock::new();
    let make = || {
        let record = r#"{"time":"2026-01-01T00:00:00Z","type":"function","record":"r"}"#;
        let body = format!("[{record},{record},{record}]");
        batch(&events(body.as_bytes())).expect("there are records")
    };
    BATCH.get_or_init(make).clone()
}

/// A sink for each format.
fn primaries(http: &SharedHttp, address: SocketAddr) -> Vec<(Format, Arc<dyn Sink>)> {
    const FORMATS: [Format; 8] = [
        Format::Ndjson,
        Format::Json,
        Format::Otlp,
        Format::Elastic,
        Format::Loki,
        Format::Splunk,
        Format::Datadog,
        Format::NewRelic,
    ];
    let primary = |format| Primary {
        url: format!("http://{address}/v1"),
        format,
        signals: Signals::of(&[SignalName::Logs]),
        otlp_url: None,
        options: FormatOptions::default(),
        compression: Compression::None,
        headers: Vec::new(),
        token: Some(Secret::new("t")),
        references: backstop_config::References::default(),
        timeout: TIMEOUT,
    };
    let sink = |format| -> (Format, Arc<dyn Sink>) {
        let sink = HttpsSink::new(http.clone(), &primary(format), encoder("demo"));
        (format, Arc::new(sink))
    };
    FORMATS.map(sink).into()
}

fn fallbacks(http: &SharedHttp, address: SocketAddr) -> [Arc<dyn Sink>; 2] {
    let endpoint = format!("http://{address}");
    let aws = AwsSettings {
        region: "us-east-1".to_owned(),
        use_fips: false,
        use_dual_stack: false,
        endpoint_s3: Some(S3Endpoint::new(&endpoint)),
        endpoint_firehose: Some(endpoint),
        endpoint_secrets_manager: None,
        endpoint_ssm: None,
        endpoint_kms: None,
        access_key_id: Some("id".to_owned()),
        secret_access_key: Some(Secret::new("key")),
        session_token: None,
        container_credentials: None,
    };
    let region = || "us-east-1".to_owned();
    let firehose = ("stream".to_owned(), region());
    let s3 = S3Archive {
        bucket: "bucket".to_owned(),
        prefix: "prefix".to_owned(),
        region: region(),
        kms_key_id: None,
        expected_bucket_owner: None,
    };
    [
        Arc::new(FirehoseSink::new(
            http.clone(),
            aws.clone(),
            firehose,
            encoder("demo"),
        )),
        Arc::new(S3Sink::new(http.clone(), aws, s3, encoder("demo"))),
    ]
}

async fn serve(listener: TcpListener, script: Arc<Mutex<Script>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let script = lock(&script).clone();
        tokio::spawn(answer(stream, script));
    }
}

/// Answers the first request of a connection, as far as the other side listens.
async fn answer(mut stream: TcpStream, script: Script) -> Option<()> {
    let mut request = Vec::new();
    // What is closed with unread bytes is reset, and the answer may be lost on the way.
    while !is_whole(&request) {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
    let half = if script.in_pieces {
        script.wire.len() / 2
    } else {
        0
    };
    let (first, second) = script.wire.split_at(half);
    stream.write_all(first).await.ok()?;
    if !first.is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stream.write_all(second).await.ok()?;
    if script.stays_open {
        // Until the other side has had enough.
        while stream.read(&mut [0; 256]).await.ok()? > 0 {}
    } else {
        stream.shutdown().await.ok()?;
    }
    Some(())
}

/// Whether a request is there with all of its body.
fn is_whole(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    request.len() >= end + 4 + length.unwrap_or(0)
}

/// A sink whose answers are compared with what was on the wire. Of several parts it makes one of each
/// record, so that each has an answer of its own.
#[derive(Debug)]
struct Judged {
    sink: Arc<dyn Sink>,
    script: Script,
}

impl Sink for Judged {
    fn name(&self) -> SinkName {
        self.sink.name()
    }

    fn encode(&self, batch: &Batch) -> Encoded {
        if self.name() != SinkName::Firehose {
            return self.sink.encode(batch);
        }
        let parts = (0..batch.len())
            .map(|index| Part {
                body: Bytes::from_static(b"{}\n"),
                records: index..index + 1,
            })
            .collect();
        Encoded::whole(batch, parts)
    }

    fn send<'a>(&'a self, batch: &'a Batch, parts: &'a [Part]) -> SinkFuture<'a> {
        Box::pin(async move {
            let answer = self.sink.send(batch, parts).await;
            let taken = match &answer {
                Answer::Parts { parts: answers, .. } => {
                    assert_eq!(answers.len(), parts.len(), "{answers:?}");
                    let is_taken = |answer: &&PartAnswer| **answer == PartAnswer::Taken;
                    answers.iter().filter(is_taken).count()
                }
                answer if answer.verdict(Role::Fallback) == Verdict::Delivered => parts.len(),
                _ => 0,
            };
            let most = self.script.most_taken(parts.len());
            assert!(
                taken <= most,
                "{answer:?} of {taken} parts, {most} were taken"
            );
            answer
        })
    }

    fn reset(&self) {
        self.sink.reset();
    }
}

#[derive(Debug)]
struct IgnoreNotices;

impl Observer for IgnoreNotices {
    fn notice(&self, _: Notice) {}
}
