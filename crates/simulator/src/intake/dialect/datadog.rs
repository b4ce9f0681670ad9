//! Datadog's intake of logs (<https://docs.datadoghq.com/api/latest/logs/#send-logs>), for logs in the shape of
//! its own Lambda extension; and that of distribution points
//! (<https://docs.datadoghq.com/api/latest/metrics/#submit-distribution-points>), of which every value is a
//! record here; and that of OTLP metrics
//! (<https://docs.datadoghq.com/opentelemetry/setup/otlp_ingest/metrics/>), of which every point is one.

use std::io::Read as _;
use std::time::Duration;

use bytes::Bytes;
use flate2::read::ZlibDecoder;
use http::header::CONTENT_ENCODING;
use http::{HeaderValue, Request};
use serde_json::Value;

use super::{Dialect, Entry, JSON, Problem, Refusal, media_type, only, otlp, text, wrong_age};
use crate::intake::decode::Received;
use crate::traffic;

const MOST_BYTES: usize = 5_000_000;
const MOST_ENTRIES: usize = 1_000;
/// A longer entry is cut, without a word.
const MOST_ENTRY_BYTES: usize = 1_000_000;
/// Older logs are dropped, without a word.
const OLDEST: Duration = Duration::from_hours(18);
/// What [bottlecap](https://github.com/DataDog/datadog-lambda-extension) sends, and what is added here: the
/// intake makes attributes of the rest.
const IN_MESSAGE: &[&str] = &[
    "message",
    "lambda",
    "timestamp",
    "status",
    "log.record.uid",
    "type",
    "trace_id",
    "span_id",
    "record",
];

/// The path of distribution points.
pub(super) const DISTRIBUTIONS: &str = "/api/v1/distribution_points";
const MOST_METRIC_BYTES: usize = 5_000_000;
/// The path of OTLP metrics.
pub(super) const METRICS: &str = "/v1/metrics";
/// What the intake takes that is not compressed.
const MOST_PLAIN_METRIC_BYTES: usize = 500_000;
const OLDEST_POINT: Duration = Duration::from_hours(1);

pub(super) fn read(request: &Request<Bytes>) -> Result<Vec<Entry>, Refusal> {
    if request.uri().path() == DISTRIBUTIONS {
        return read_distributions(request);
    }
    if request.uri().path() == METRICS {
        return read_otlp(request);
    }
    let refuse = |status, reason: &str| Dialect::Datadog.refuse(status, reason);
    if media_type(request.headers()) != JSON {
        return Err(refuse(415, "the content type is not application/json"));
    }
    let plain = Dialect::Datadog.plain(request)?;
    if plain.len() > MOST_BYTES {
        return Err(refuse(413, "the payload is larger than 5 MB"));
    }
    let entries: Vec<Value> =
        serde_json::from_slice(&plain).map_err(|error| refuse(400, &error.to_string()))?;
    if entries.len() > MOST_ENTRIES {
        return Err(refuse(413, "there are more than 1,000 entries"));
    }
    let entries = entries.iter().map(entry);
    let entries: Result<_, _> = entries.collect();
    entries.map_err(|reason| refuse(400, &reason))
}

fn entry(entry: &Value) -> Result<Entry, String> {
    let length = entry.to_string().len();
    let entry = only(
        entry,
        &["message", "hostname", "service", "ddsource", "ddtags"],
    )?;
    for name in ["hostname", "service", "ddsource", "ddtags"] {
        text(entry, name)?;
    }
    let tags = text(entry, "ddtags")?.unwrap_or_default();
    if let Some(tag) = tags.split(',').find(|tag| !tag.contains(':')) {
        return Err(format!("the tag {tag:?} has no value"));
    }
    let message = entry.get("message").ok_or("an entry has no message")?;
    let message = only(message, IN_MESSAGE)?;
    let said = text(message, "message")?.ok_or("a message has no text")?;
    let lambda = message.get("lambda").ok_or("a message has no lambda")?;
    let lambda = only(lambda, &["arn", "request_id"])?;
    text(lambda, "arn")?.ok_or("a lambda has no arn")?;
    let status = text(message, "status")?.unwrap_or_default();
    if !["trace", "debug", "info", "warn", "error", "fatal"].contains(&status) {
        return Err(format!("there is no status {status:?}"));
    }
    let time = message.get("timestamp").and_then(Value::as_u64);
    let time = time.ok_or("\"timestamp\" is not in milliseconds since 1970")?;
    let id = text(message, "log.record.uid")?.unwrap_or_default();
    let problem = wrong_age(time.into(), OLDEST)
        .or_else(|| (length > MOST_ENTRY_BYTES).then(|| "it is cut to 1 MB".to_owned()));
    Ok(Entry {
        received: Received {
            id: id.to_owned(),
            sequence: traffic::sequence_of(&said.into()),
            line: said.to_owned(),
        },
        key: None,
        at: None,
        problem: problem.map(|reason| Problem::new(Problem::LATER, reason)),
    })
}

fn read_distributions(request: &Request<Bytes>) -> Result<Vec<Entry>, Refusal> {
    let refuse = |status, reason: &str| Dialect::Datadog.refuse(status, reason);
    if media_type(request.headers()) != JSON {
        return Err(refuse(415, "the content type is not application/json"));
    }
    let mut plain = Vec::new();
    let encoding = request.headers().get(CONTENT_ENCODING);
    match encoding.map(HeaderValue::as_bytes) {
        Some(b"deflate") => {
            let read = ZlibDecoder::new(&request.body()[..]).read_to_end(&mut plain);
            read.map_err(|error| refuse(400, &error.to_string()))?;
        }
        Some(_) => return Err(refuse(400, "the content encoding is not deflate")),
        None => plain.extend_from_slice(request.body()),
    }
    if plain.len() > MOST_METRIC_BYTES {
        return Err(refuse(413, "the payload is larger than 5 MB"));
    }
    let body: Value =
        serde_json::from_slice(&plain).map_err(|error| refuse(400, &error.to_string()))?;
    let entries = only(&body, &["series"]).and_then(|body| {
        let series = body["series"].as_array().ok_or("there are no series")?;
        let mut entries = Vec::new();
        for one in series {
            entries.extend(distribution(one)?);
        }
        Ok(entries)
    });
    entries.map_err(|reason: String| refuse(400, &reason))
}

fn read_otlp(request: &Request<Bytes>) -> Result<Vec<Entry>, Refusal> {
    let refuse = |status, reason: &str| Dialect::Datadog.refuse(status, reason);
    let is_known = matches!(
        media_type(request.headers()),
        JSON | "application/x-protobuf"
    );
    if !is_known {
        return Err(refuse(415, "the content type is not one of OTLP's"));
    }
    let config = request.headers().get("dd-otel-metric-config");
    let config: Value = match config.map(|it| serde_json::from_slice(it.as_bytes())) {
        Some(Ok(config)) => config,
        Some(Err(error)) => return Err(refuse(400, &error.to_string())),
        None => Value::Null,
    };
    let is_packed = request.headers().contains_key(CONTENT_ENCODING);
    let plain = Dialect::Datadog.plain(request)?;
    let most = if is_packed {
        MOST_METRIC_BYTES
    } else {
        MOST_PLAIN_METRIC_BYTES
    };
    if plain.len() > most {
        return Err(refuse(413, "the payload is too large"));
    }
    let points = if media_type(request.headers()) == JSON {
        Err("only protobuf is read here".to_owned())
    } else {
        otlp::metric_points(&plain)
    };
    let points = points.map_err(|reason| refuse(400, &reason))?;
    let has_tags = config["resource_attributes_as_tags"] == true;
    let entry = |point: otlp::Point| Entry {
        received: Received {
            id: format!("{}{{{}}}", point.metric, point.resource.join(",")),
            sequence: None,
            line: point.metric,
        },
        key: None,
        at: None,
        // Without tags functions overwrite each other's points, and nothing is said of it.
        problem: (!has_tags).then(|| Problem::new(Problem::LATER, "functions share a series")),
    };
    Ok(points.into_iter().map(entry).collect())
}

/// The values of one metric: `name{tag,tag}` is their id.
fn distribution(series: &Value) -> Result<Vec<Entry>, String> {
    let series = only(series, &["metric", "type", "tags", "points", "host"])?;
    let metric = text(series, "metric")?.ok_or("a series has no metric")?;
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.len() <= 200
    };
    if !is_name(metric) {
        return Err(format!("{metric:?} is not a metric's name"));
    }
    if text(series, "type")?.is_some_and(|kind| kind != "distribution") {
        return Err("the type is not distribution".to_owned());
    }
    let tags: Vec<String> = match series.get("tags") {
        Some(tags) => serde_json::from_value(tags.clone()).map_err(|error| error.to_string())?,
        None => Vec::new(),
    };
    let points = series.get("points").ok_or("a series has no points")?;
    let points: Vec<(u64, Vec<f64>)> =
        serde_json::from_value(points.clone()).map_err(|error| error.to_string())?;
    let mut entries = Vec::new();
    for (seconds, values) in points {
        let problem = wrong_age(u128::from(seconds) * 1000, OLDEST_POINT);
        entries.extend(values.into_iter().map(|value| Entry {
            received: Received {
                id: format!("{metric}{{{}}}", tags.join(",")),
                sequence: None,
                line: value.to_string(),
            },
            key: None,
            at: None,
            problem: problem.clone().map(|it| Problem::new(Problem::LATER, it)),
        }));
    }
    Ok(entries)
}
