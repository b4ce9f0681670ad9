//! What a record costs in each format, beside `ndjson` in the same run; and what an invocation's metrics and
//! spans cost, from the platform's events to the bytes of a request.
//!
//! `cargo bench -p backstop-extension --bench formats`, and with `--profile layer` for the code that the layer
//! ships. Must not assert on time: this machine is not the next one.

mod body;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backstop_config::{Primary, Proxies, Settings};
use backstop_delivery::{
    Batch, EnvironmentId, Record, RecordId, Signal, Sink as _, SystemClock, Wall,
};
use backstop_extension::{Derivations, Deriver, Enricher};
use backstop_sinks::codec::{LineEncoder, Resource};
use backstop_sinks::{HttpsSink, SharedHttp};
use backstop_telemetry::decode;
use body::{EVENTS, body};
use bytes::Bytes;

const RECEIVED: &str = "2026-01-01T00:00:00.000Z";
/// How long each comparison goes on.
const COMPARISON: Duration = Duration::from_secs(10);

/// A format, its options, and the compression of its bodies.
const FORMATS: [(&str, &str, &str); 12] = [
    ("ndjson", "", "gzip"),
    ("json", "", "gzip"),
    ("otlp", "", "gzip"),
    ("otlp", "encoding=json", "gzip"),
    ("elastic", "", "gzip"),
    ("loki", "", "gzip"),
    ("loki", "encoding=json", "gzip"),
    ("splunk", "", "gzip"),
    ("datadog", "", "gzip"),
    ("newrelic", "", "gzip"),
    ("ndjson", "", "none"),
    ("otlp", "", "none"),
];

fn main() {
    // Without this argument it is a test of whether the bench still runs.
    let time = if std::env::args().any(|argument| argument == "--bench") {
        COMPARISON
    } else {
        Duration::ZERO
    };
    compare_formats(time);
    compare_signals(time);
}

/// Runs all of them in turn, so that what disturbs this machine disturbs each, and prints the least that each
/// has taken.
#[expect(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]
fn compare_formats(time: Duration) {
    let mut enricher = Enricher::default();
    let records = decode(&body(), RECEIVED)
        .map(|event| enricher.record(event.fragment))
        .collect();
    let batch = Batch::new(Wall::from_rfc3339(RECEIVED).unwrap_or_default(), records);
    let batch = batch.expect("the body has events");
    let sinks = FORMATS.map(|(format, options, compression)| {
        let primary = primary(format, options, compression);
        (sink(&primary, Signal::Log), Duration::MAX, 0)
    });
    let mut sinks = sinks;
    let began = now();
    loop {
        for (sink, least, bytes) in &mut sinks {
            // Otherwise a format would pay for the memory that the one before it gave back.
            black_box(encoded(sink, &batch));
            let start = now();
            let body = encoded(sink, &batch);
            *least = start.elapsed().min(*least);
            *bytes = body;
        }
        if began.elapsed() >= time {
            break;
        }
    }
    println!(
        "{:<22} {:>10} {:>7} {:>10} {:>7}",
        "format", "µs/record", "ratio", "B/record", "ratio"
    );
    let (first, base) = (sinks[0].1, sinks[0].2);
    for ((format, options, compression), (_, least, bytes)) in FORMATS.iter().zip(&sinks) {
        let name = format!(
            "{format} {} {compression}",
            options.trim_start_matches("encoding=")
        );
        println!(
            "{name:<22} {:>10.3} {:>7.2} {:>10.1} {:>7.2}",
            micros(*least) / f64::from(EVENTS),
            least.as_secs_f64() / first.as_secs_f64(),
            share(*bytes, EVENTS),
            share(*bytes, 1) / share(base, 1),
        );
    }
}

/// Derives metrics and spans of the same telemetry, and encodes them as OTLP.
#[expect(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]
fn compare_signals(time: Duration) {
    let primary = primary("otlp", "", "gzip");
    let (metrics, spans) = (sink(&primary, Signal::Metric), sink(&primary, Signal::Span));
    let body = body();
    let events: Vec<Bytes> = decode(&body, RECEIVED)
        .map(|event| event.fragment)
        .filter(|it| !it.windows(17).any(|part| part == b"\"type\":\"function\""))
        .collect();
    let done = |it: &&Bytes| it.windows(20).any(|part| part == b"platform.runtimeDone");
    let invocations = u32::try_from(events.iter().filter(done).count()).unwrap_or(u32::MAX);
    let (mut derived_least, mut encoded_least) = (Duration::MAX, Duration::MAX);
    let began = now();
    loop {
        let start = now();
        let (points, traces) = derive(&primary, &events);
        derived_least = start.elapsed().min(derived_least);
        let start = now();
        black_box(encoded(&metrics, &points) + encoded(&spans, &traces));
        encoded_least = start.elapsed().min(encoded_least);
        if began.elapsed() >= time {
            break;
        }
    }
    let each = |all: Duration| micros(all) / f64::from(invocations);
    println!(
        "metrics and spans of {invocations} invocations, µs per invocation, least: derive {:.2}, encode {:.2}",
        each(derived_least),
        each(encoded_least),
    );
}

fn derive(primary: &Primary, events: &[Bytes]) -> (Batch, Batch) {
    let mut deriver = Deriver::new(Derivations::of(Some(primary)), "orders".to_owned(), false);
    let (mut points, mut spans) = (Vec::new(), Vec::new());
    for (event, sequence) in events.iter().zip(1..) {
        let id = RecordId {
            environment: EnvironmentId(1),
            sequence,
        };
        for one in deriver.derive(event, Some(id)) {
            let record = Record::new(id, one.fragment).with_signal(one.signal);
            match one.signal {
                Signal::Metric => points.push(record),
                Signal::Span => spans.push(record),
                Signal::Log | Signal::PostedMetric => {}
            }
        }
    }
    let batch = |records| Batch::new(Wall::default(), records).expect("something follows");
    (batch(points), batch(spans))
}

/// The bytes of the whole batch.
fn encoded(sink: &HttpsSink, batch: &Batch) -> usize {
    let encoded = sink.encode(black_box(batch));
    assert_eq!(encoded.covers, batch.len(), "it fits into one request");
    encoded.parts.iter().map(|part| part.body.len()).sum()
}

fn sink(primary: &Primary, signal: Signal) -> HttpsSink {
    let http = SharedHttp::new(
        Vec::new(),
        Proxies::default(),
        Arc::new(SystemClock),
        |_| {},
    );
    let lines = LineEncoder::new(Resource {
        function_name: "orders".to_owned(),
        function_version: "$LATEST".to_owned(),
        region: "eu-west-1".to_owned(),
        account_id: "123456789012".to_owned(),
        tags: vec![("service.name".to_owned(), "shop".to_owned())],
    });
    HttpsSink::of(http, primary, signal, lines).expect("the primary gets it")
}

fn primary(format: &str, options: &str, compression: &str) -> Primary {
    let variables = [
        ("BACKSTOP_PRIMARY_URL", "https://intake.example.com"),
        ("BACKSTOP_PRIMARY_FORMAT", format),
        ("BACKSTOP_PRIMARY_OPTIONS", options),
        ("BACKSTOP_PRIMARY_COMPRESSION", compression),
    ];
    let variables: BTreeMap<String, String> = variables
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let (settings, errors) = Settings::resolve(&variables);
    settings
        .primary
        .unwrap_or_else(|| panic!("{format} {options}: {errors:?}"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "nothing is paused here, and tokio's clock is not what is measured"
)]
fn now() -> Instant {
    Instant::now()
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[expect(
    clippy::cast_precision_loss,
    reason = "bodies are far below 2^52 bytes"
)]
fn share(bytes: usize, of: u32) -> f64 {
    bytes as f64 / f64::from(of)
}
