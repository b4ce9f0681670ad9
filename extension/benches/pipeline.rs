//! What one record costs on its way through the process, network apart, beside what it must cost.
//!
//! Our way is that of the pipeline: decode, number, encode, gzip. The bare limit is the least that
//! any design has to do with this stack: one pass of serde over the body, the events again as
//! lines, gzip at level 1. Our lines are longer than the events (an id, a resource), so the last
//! line of the output also tells what our own bytes cost when they are only compressed.
//!
//! Each transform is measured alone, over the same records, next to the whole pipeline without any.
//!
//! `cargo bench -p backstop-extension --bench pipeline`, and with `--profile layer` for the code
//! that the layer ships. Must not assert on time: this machine is not the next one.

mod body;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Write as _;
use std::time::{Duration, Instant};

use backstop_config::{SampleKeep, SampleSettings, Settings};
use backstop_delivery::{Batch, Wall};
use backstop_extension::Enricher;
use backstop_sinks::codec::{LineEncoder, Resource, gzip};
use backstop_telemetry::decode;
use backstop_transform::{Insights, Repeats, Sampler, Transforms};
use body::{EVENTS, body};
use bytes::Bytes;
use criterion::{Criterion, Throughput};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;
use serde_json::value::RawValue;

const RECEIVED: &str = "2026-01-01T00:00:00.000Z";
/// How long the comparison at the end goes on.
const COMPARISON: Duration = Duration::from_secs(5);

fn main() {
    let body = body();
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(30)
        .configure_from_args();
    each_stage(&mut criterion, &body);
    criterion.final_summary();
    // Without this argument it is a test of whether the bench still runs.
    if std::env::args().any(|argument| argument == "--bench") {
        compare(&body);
        compare_transforms(&body);
    }
}

fn each_stage(criterion: &mut Criterion, body: &Bytes) {
    let (mut enricher, encoder) = (Enricher::default(), encoder());
    let batch = batch(body, &mut enricher);
    let lines = encoder.lines(&batch, None);
    let mut group = criterion.benchmark_group("500 events");
    group.throughput(Throughput::Elements(EVENTS.into()));
    group.bench_function("decode", |bencher| {
        bencher.iter(|| decode(black_box(body), RECEIVED).count());
    });
    group.bench_function("encode", |bencher| {
        bencher.iter(|| encoder.lines(black_box(&batch), None));
    });
    group.bench_function("gzip", |bencher| bencher.iter(|| gzip(black_box(&lines))));
    group.bench_function("pipeline", |bencher| {
        bencher.iter(|| pipeline(black_box(body), &mut enricher, &encoder));
    });
    group.bench_function("bare limit", |bencher| {
        bencher.iter(|| bare_gzip(&bare_lines(black_box(body))));
    });
    group.finish();
}

/// From the bytes that Lambda posts to the bytes of a request.
fn pipeline(body: &Bytes, enricher: &mut Enricher, encoder: &LineEncoder) -> Vec<u8> {
    encoder.gzip_lines(&batch(body, enricher), None)
}

fn batch(body: &Bytes, enricher: &mut Enricher) -> Batch {
    let records = decode(body, RECEIVED)
        .map(|event| enricher.record(event.fragment))
        .collect();
    Batch::new(Wall::default(), records).expect("the body has events")
}

fn encoder() -> LineEncoder {
    LineEncoder::new(Resource {
        function_name: "orders".to_owned(),
        function_version: "$LATEST".to_owned(),
        region: "eu-west-1".to_owned(),
        account_id: "123456789012".to_owned(),
        tags: vec![("service.name".to_owned(), "shop".to_owned())],
    })
}

/// An event with nothing looked at but where its parts begin and end.
#[derive(Deserialize)]
struct Bare<'body> {
    time: &'body str,
    #[serde(rename = "type")]
    kind: &'body str,
    #[serde(borrow)]
    record: &'body RawValue,
}

fn bare_lines(body: &[u8]) -> Vec<u8> {
    let events: Vec<Bare<'_>> = serde_json::from_slice(body).expect("the body is well-formed");
    let mut lines = Vec::with_capacity(body.len());
    for Bare { time, kind, record } in events {
        for part in [
            "{\"time\":\"",
            time,
            "\",\"type\":\"",
            kind,
            "\",\"record\":",
            record.get(),
            "}\n",
        ] {
            lines.extend_from_slice(part.as_bytes());
        }
    }
    lines
}

fn bare_gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 2), Compression::new(1));
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("a vector takes everything")
}

/// Runs all of them in turn, so that what disturbs this machine disturbs each, and prints the least
/// that each has taken.
#[expect(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]
fn compare(body: &Bytes) {
    let (mut enricher, encoder) = (Enricher::default(), encoder());
    let our_batch = batch(body, &mut enricher);
    let our_lines = encoder.lines(&our_batch, None);
    let bare = bare_lines(body);
    let (our_zip, bare_zip) = (gzip(&our_lines).len(), bare_gzip(&bare).len());
    let mut jobs: [(&mut dyn FnMut() -> usize, Duration); 6] = [
        (
            &mut || pipeline(body, &mut enricher, &encoder).len(),
            Duration::MAX,
        ),
        (&mut || decode(body, RECEIVED).count(), Duration::MAX),
        (&mut || encoder.lines(&our_batch, None).len(), Duration::MAX),
        (&mut || gzip(&our_lines).len(), Duration::MAX),
        (&mut || bare_gzip(&bare_lines(body)).len(), Duration::MAX),
        (&mut || bare_lines(body).len(), Duration::MAX),
    ];
    let began = now();
    while began.elapsed() < COMPARISON {
        for (job, least) in &mut jobs {
            let start = now();
            black_box(job());
            *least = start.elapsed().min(*least);
        }
    }
    let [ours, decode, encode, gzip, limit, reframe] = jobs.map(|(_, least)| micros(least));
    println!(
        "{EVENTS} events: {} B as received; as lines {} B ({our_zip} B gzipped), bare {} B ({bare_zip} B gzipped)",
        body.len(),
        our_lines.len(),
        bare.len(),
    );
    println!(
        "µs per record, least: ours {ours:.3} (decode {decode:.3}, encode {encode:.3}, gzip {gzip:.3}), \
         bare limit {limit:.3} (reframe {reframe:.3}, gzip {:.3}), ratio {:.2}; \
         besides gzip ours {:.3}, bare {reframe:.3}",
        limit - reframe,
        ours / limit,
        ours - gzip,
    );
}

/// What each transform takes, and the share of the pipeline that this is.
const TRANSFORMS: [(&str, &[(&str, &str)]); 9] = [
    ("off", &[]),
    ("level", &[("BACKSTOP_MIN_LEVEL", "warn")]),
    ("type", &[("BACKSTOP_FILTER", "drop type=platform.start")]),
    ("field", &[("BACKSTOP_FILTER", "drop record.order.id=17")]),
    (
        "filter pattern",
        &[("BACKSTOP_FILTER", "drop record~/health-?check/")],
    ),
    ("redact e-mail", &[("BACKSTOP_REDACT", "email")]),
    ("redact all", &[("BACKSTOP_REDACT", "all")]),
    (
        "redact field",
        &[("BACKSTOP_REDACT", "record.order.customer")],
    ),
    (
        "own pattern",
        &[("BACKSTOP_REDACT", "own=/[A-Z]{3}-[0-9]{8}/")],
    ),
];

#[expect(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]
fn compare_transforms(body: &Bytes) {
    let (mut enricher, encoder) = (Enricher::default(), encoder());
    let fragments: Vec<Bytes> = decode(body, RECEIVED).map(|event| event.fragment).collect();
    let is_line = |it: &&Bytes| it.windows(17).any(|part| part == b"\"type\":\"function\"");
    let lines: Vec<&Bytes> = fragments.iter().filter(is_line).collect();
    let mut all: Vec<(&str, Transforms, Duration)> = (TRANSFORMS.iter())
        .map(|(name, variables)| (*name, transforms(variables), Duration::MAX))
        .collect();
    let [mut whole, mut sampled, mut deduped, mut counted] = [Duration::MAX; 4];
    let keep = SampleSettings {
        millionths: 0,
        keep: SampleKeep::default(),
    };
    let began = now();
    while began.elapsed() < COMPARISON {
        for (_, transforms, least) in &mut all {
            let start = now();
            for fragment in &fragments {
                black_box(transforms.apply(black_box(fragment)));
            }
            *least = start.elapsed().min(*least);
        }
        let start = now();
        let mut invocations = Sampler::new(keep);
        for fragment in &fragments {
            black_box(invocations.place(black_box(fragment)));
        }
        sampled = start.elapsed().min(sampled);
        let start = now();
        let mut repeats = Repeats::default();
        for (index, fragment) in fragments.iter().enumerate() {
            black_box(repeats.is_repeat(black_box(fragment), b"", index));
        }
        deduped = start.elapsed().min(deduped);
        let start = now();
        let mut insights: Insights<usize> = Insights::default();
        for line in &lines {
            black_box(insights.count(black_box(line)));
        }
        black_box(insights.take());
        counted = start.elapsed().min(counted);
        let start = now();
        black_box(pipeline(body, &mut enricher, &encoder));
        whole = start.elapsed().min(whole);
    }
    let whole = micros(whole);
    let all = all.into_iter().map(|(name, _, least)| (name, least));
    let rest = [
        ("sample", sampled),
        ("dedupe", deduped),
        ("insights", counted),
    ];
    let shown: Vec<String> = (all.chain(rest))
        .map(|(name, least)| (name, micros(least)))
        .map(|(name, least)| format!("{name} {least:.3} ({:.2})", least / whole))
        .collect();
    println!(
        "transforms, µs per record, least (share of the pipeline's {whole:.3}): {}",
        shown.join(", ")
    );
}

fn transforms(variables: &[(&str, &str)]) -> Transforms {
    let variables: BTreeMap<String, String> = (variables.iter())
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let (settings, _) = Settings::resolve(&variables);
    let mut errors = Vec::new();
    let transforms = Transforms::new(&settings.transforms, &mut errors);
    assert!(errors.is_empty(), "{errors:?}");
    transforms
}

#[expect(
    clippy::disallowed_methods,
    reason = "nothing is paused here, and tokio's clock is not what is measured"
)]
fn now() -> Instant {
    Instant::now()
}

fn micros(of_all: Duration) -> f64 {
    of_all.as_secs_f64() * 1e6 / f64::from(EVENTS)
}
