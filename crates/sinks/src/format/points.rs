//! Records as points of metrics, added up: one point for each metric, set of attributes and span of time.
//!
//! An observation of a derived record is `{"name","kind","unit","value","attributes"}`, of kind `sum` or
//! `histogram`. A line in the embedded metric format names its metrics in a directive; each set of its dimensions
//! makes a point. `CloudWatch` keeps the distribution of such values, so that they are histograms here, and sums
//! where the unit is `Count`.
//!
//! Invariants: the same records make the same points, in the order in which the records name them; adding up
//! loses neither count, sum, least nor greatest value.

use std::collections::HashMap;
use std::time::Duration;

use backstop_archive::{Holds, holds};
use backstop_delivery::Wall;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::format::log::Line;

/// What is added up is within this span of time: a replay covers days, and a flush seldom more than this.
const SPAN: Duration = Duration::from_secs(10);
/// The most metrics of one line in the embedded format: ten times the specification's bound.
const MOST_METRICS: usize = 1_000;
/// The most sets of dimensions of one directive, and the most dimensions of one set.
const MOST_DIMENSIONS: usize = 30;

/// The bounds of histograms of durations, in seconds: those that semantic conventions recommend
/// (<https://opentelemetry.io/docs/specs/semconv/faas/faas-metrics/>).
const SECONDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];
const MIB: f64 = 1_048_576.0;
/// The bounds of histograms of sizes, in bytes: 16 MiB to 8 GiB, which Lambda's memory sizes lie between.
const BYTES: &[f64] = &[
    16.0 * MIB,
    32.0 * MIB,
    64.0 * MIB,
    128.0 * MIB,
    256.0 * MIB,
    512.0 * MIB,
    1024.0 * MIB,
    2048.0 * MIB,
    4096.0 * MIB,
    8192.0 * MIB,
];

/// How observations of a metric add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// To their sum, which only grows.
    Sum,
    /// To a distribution.
    Histogram,
}

/// A metric, by all that has to be equal in its points.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) unit: String,
    pub(super) kind: Kind,
}

/// What observations add up to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    pub(super) attributes: Vec<(String, String)>,
    pub(super) start: Wall,
    pub(super) time: Wall,
    pub(super) count: u64,
    pub(super) sum: f64,
    pub(super) least: f64,
    pub(super) greatest: f64,
    /// The number of values up to each bound, and beyond the last; empty of a sum.
    pub(super) buckets: Vec<u64>,
}

/// One value, or several that were observed together.
#[derive(Debug, Clone)]
pub(super) struct Observation {
    pub(super) metric: Metric,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) values: Vec<f64>,
    start: Wall,
    pub(super) time: Wall,
}

impl Metric {
    /// The upper bounds of a histogram's buckets but the last one.
    pub(super) fn bounds(&self) -> &'static [f64] {
        match self.unit.as_str() {
            "s" => SECONDS,
            "By" => BYTES,
            _ => &[],
        }
    }
}

impl Observation {
    /// The most bytes that a point of it takes in either encoding, with all names and fields.
    pub(super) fn most_bytes(&self) -> usize {
        /// A bucket's count and bound as JSON, at their longest.
        const BUCKET: usize = 48;
        const FIELDS: usize = 512;
        let escaped = |text: &String| 6 * text.len();
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|(name, value)| escaped(name) + escaped(value) + 64);
        let metric = escaped(&self.metric.name) + escaped(&self.metric.unit);
        metric + attributes.sum::<usize>() + self.metric.bounds().len() * BUCKET + FIELDS
    }
}

/// The observations of a record; none where it holds none that can be read.
pub(super) fn observations(line: &Line<'_>, now: Wall) -> Vec<Observation> {
    let time = line.time.as_deref().and_then(Wall::from_rfc3339);
    let time = time.unwrap_or(now);
    let (Some(kind), Some(record)) = (&line.kind, line.record) else {
        return Vec::new();
    };
    match holds(kind.as_bytes(), record.get().as_bytes()) {
        Some(Holds::Metrics) => derived(record, time),
        Some(Holds::EmbeddedMetrics) => embedded(line.record_text.as_deref(), record, time),
        Some(Holds::Spans) | None => Vec::new(),
    }
}

fn derived(record: &RawValue, time: Wall) -> Vec<Observation> {
    let Ok(record) = serde_json::from_str::<Value>(record.get()) else {
        return Vec::new();
    };
    let start = record["start"].as_str().and_then(Wall::from_rfc3339);
    let start = start.filter(|start| *start <= time).unwrap_or(time);
    let metrics = record["metrics"].as_array().map(Vec::as_slice);
    let observation = |metric: &Value| {
        let attributes = metric["attributes"].as_object();
        Some(Observation {
            metric: Metric {
                name: metric["name"].as_str()?.to_owned(),
                unit: metric["unit"].as_str().unwrap_or_default().to_owned(),
                kind: match metric["kind"].as_str()? {
                    "sum" => Kind::Sum,
                    "histogram" => Kind::Histogram,
                    _ => return None,
                },
            },
            attributes: attributes.map(texts).unwrap_or_default(),
            values: vec![metric["value"].as_f64()?],
            start,
            time,
        })
    };
    metrics
        .unwrap_or_default()
        .iter()
        .filter_map(observation)
        .collect()
}

fn texts(members: &Map<String, Value>) -> Vec<(String, String)> {
    let text = |(name, value): (&String, &Value)| (name.clone(), shown(value));
    members.iter().map(text).collect()
}

fn shown(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// A line in the embedded metric format
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
fn embedded(text: Option<&str>, record: &RawValue, time: Wall) -> Vec<Observation> {
    let object = text.unwrap_or(record.get());
    let Ok(line) = serde_json::from_str::<Value>(object.trim()) else {
        return Vec::new();
    };
    let stated = line["_aws"]["Timestamp"].as_u64();
    let time = stated.map_or(time, |it| Wall(Duration::from_millis(it)));
    let mut all = Vec::new();
    let directives = line["_aws"]["CloudWatchMetrics"].as_array();
    for directive in directives.into_iter().flatten() {
        let namespace = directive["Namespace"].as_str().unwrap_or_default();
        let none = [Value::Array(Vec::new())];
        let sets = directive["Dimensions"].as_array().map(Vec::as_slice);
        let sets = sets.filter(|sets| !sets.is_empty()).unwrap_or(&none);
        for metric in directive["Metrics"].as_array().into_iter().flatten() {
            let Some(name) = metric["Name"].as_str() else {
                continue;
            };
            let values = values(&line[name]);
            if values.is_empty() {
                continue;
            }
            let (unit, kind) = unit(metric["Unit"].as_str().unwrap_or_default());
            for set in sets.iter().take(MOST_DIMENSIONS) {
                if all.len() == MOST_METRICS {
                    return all;
                }
                let names = set
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str);
                let dimension = |name: &str| {
                    let value = line.get(name).filter(|it| !it.is_null())?;
                    Some((name.to_owned(), shown(value)))
                };
                all.push(Observation {
                    metric: Metric {
                        name: metric_name(namespace, name),
                        unit: unit.clone(),
                        kind,
                    },
                    attributes: names.take(MOST_DIMENSIONS).filter_map(dimension).collect(),
                    values: values.clone(),
                    start: time,
                    time,
                });
            }
        }
    }
    all
}

/// A number, or several.
fn values(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().filter_map(Value::as_f64).collect(),
        value => value.as_f64().into_iter().collect(),
    }
}

/// `CloudWatch`'s unit by the names of UCUM (<https://ucum.org/ucum>), and how values of it add up.
fn unit(name: &str) -> (String, Kind) {
    let (base, per_second) = match name.strip_suffix("/Second") {
        Some(base) => (base, "/s"),
        None => (name, ""),
    };
    let unit = match base {
        "Seconds" => "s",
        "Milliseconds" => "ms",
        "Microseconds" => "us",
        "Bytes" => "By",
        "Kilobytes" => "kBy",
        "Megabytes" => "MBy",
        "Gigabytes" => "GBy",
        "Terabytes" => "TBy",
        "Bits" => "bit",
        "Kilobits" => "kbit",
        "Megabits" => "Mbit",
        "Gigabits" => "Gbit",
        "Terabits" => "Tbit",
        "Percent" => "%",
        "Count" | "None" | "" => "1",
        other => other,
    };
    let kind = if name == "Count" {
        Kind::Sum
    } else {
        Kind::Histogram
    };
    (format!("{unit}{per_second}"), kind)
}

/// The name with its namespace, in the characters that a metric's name has
/// (<https://opentelemetry.io/docs/specs/otel/metrics/api/#instrument-name-syntax>).
fn metric_name(namespace: &str, name: &str) -> String {
    let whole = if namespace.is_empty() {
        name.to_owned()
    } else {
        format!("{namespace}.{name}")
    };
    let is_allowed = |char: char| char.is_ascii_alphanumeric() || "_.-/".contains(char);
    whole.replace(|char| !is_allowed(char), "_")
}

/// A metric's points by their attributes and span of time.
type Series = HashMap<(usize, Vec<(String, String)>, u64), usize>;

/// The points of one resource.
#[derive(Debug, Default)]
pub(super) struct Points {
    metrics: Vec<(Metric, Vec<Point>)>,
    places: HashMap<Metric, usize>,
    series: Series,
}

impl Points {
    /// Adds an observation up.
    pub(super) fn add(&mut self, observation: Observation) {
        let Observation {
            metric,
            mut attributes,
            values,
            start,
            time,
        } = observation;
        attributes.sort();
        attributes.dedup_by(|later, first| later.0 == first.0);
        let next = self.metrics.len();
        let place = *self.places.entry(metric.clone()).or_insert(next);
        if place == next {
            self.metrics.push((metric, Vec::new()));
        }
        let Some((metric, points)) = self.metrics.get_mut(place) else {
            return;
        };
        let span = time.0.as_secs() / SPAN.as_secs();
        let key = (place, attributes.clone(), span);
        let at = *self.series.entry(key).or_insert(points.len());
        if at == points.len() {
            let buckets = match metric.kind {
                Kind::Histogram if !metric.bounds().is_empty() => metric.bounds().len() + 1,
                Kind::Histogram | Kind::Sum => 0,
            };
            points.push(Point {
                attributes,
                start,
                time,
                count: 0,
                sum: 0.0,
                least: f64::INFINITY,
                greatest: f64::NEG_INFINITY,
                buckets: vec![0; buckets],
            });
        }
        let Some(point) = points.get_mut(at) else {
            return;
        };
        point.start = point.start.min(start);
        point.time = point.time.max(time);
        for value in values {
            point.count += 1;
            point.sum += value;
            point.least = point.least.min(value);
            point.greatest = point.greatest.max(value);
            let bucket = metric.bounds().iter().take_while(|it| value > **it).count();
            if let Some(count) = point.buckets.get_mut(bucket) {
                *count += 1;
            }
        }
    }

    /// The metrics with their points, in the order in which they came.
    pub(super) fn metrics(&self) -> &[(Metric, Vec<Point>)] {
        &self.metrics
    }
}
