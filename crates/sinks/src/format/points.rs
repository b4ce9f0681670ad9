//! Records as points of metrics, added up: one point for each metric, set of attributes and span of time.
//!
//! An observation of a derived record is `{"name","kind","unit","value","attributes"}`, of kind `sum` or
//! `histogram`. A line in the embedded metric format names its metrics in a directive; each set of its dimensions
//! makes a point. `CloudWatch` keeps the distribution of such values, so that they are histograms here, and sums
//! where the unit is `Count`.
//!
//! Invariants: the same records make the same points, in the order in which the records name them; adding up
//! loses neither count, sum, least nor greatest value.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Deref;
use std::time::Duration;

use backstop_archive::{Holds, holds};
use backstop_delivery::Wall;
use serde_json::Value;

use crate::format::log::Line;
use crate::format::text::{Hash, hash};
use backstop_json::Json;

/// What is added up is within this span of time: a replay covers days, and a flush seldom more than this.
const SPAN: Duration = Duration::from_secs(10);
/// Few events make more points.
const USUAL_OBSERVATIONS: usize = 8;
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// To their sum, which only grows.
    Sum,
    /// To a distribution.
    Histogram,
}

/// A metric, by all that has to be equal in its points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metric<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) unit: Cow<'a, str>,
    pub(super) kind: Kind,
}

/// Names and values.
pub(super) type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// What observations add up to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    pub(super) attributes: Pairs<'static>,
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
pub(super) struct Observation<'a> {
    pub(super) metric: Metric<'a>,
    pub(super) attributes: Pairs<'a>,
    pub(super) values: Values,
    start: Wall,
    pub(super) time: Wall,
}

/// The values of an observation.
#[derive(Debug, Clone)]
pub(super) enum Values {
    One(f64),
    Many(Vec<f64>),
}

impl Deref for Values {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

impl Metric<'_> {
    /// The upper bounds of a histogram's buckets but the last one.
    pub(super) fn bounds(&self) -> &'static [f64] {
        match &*self.unit {
            "s" => SECONDS,
            "By" => BYTES,
            _ => &[],
        }
    }
}

impl Observation<'_> {
    /// The most bytes that a point of it takes in either encoding, with all names and fields.
    pub(super) fn most_bytes(&self) -> usize {
        /// A bucket's count and bound as JSON, at their longest.
        const BUCKET: usize = 48;
        const FIELDS: usize = 512;
        let escaped = |text: &str| 6 * text.len();
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|(name, value)| escaped(name) + escaped(value) + 64);
        let metric = escaped(&self.metric.name) + escaped(&self.metric.unit);
        metric + attributes.sum::<usize>() + self.metric.bounds().len() * BUCKET + FIELDS
    }
}

/// The observations of a record; none where it holds none that can be read.
pub(super) fn observations<'a>(line: &'a Line<'_>, now: Wall) -> Vec<Observation<'a>> {
    let time = line.time.as_deref().and_then(Wall::from_rfc3339);
    let time = time.unwrap_or(now);
    let (Some(kind), Some(record)) = (&line.kind, line.record) else {
        return Vec::new();
    };
    match holds(kind.as_bytes(), record.get().as_bytes()) {
        Some(Holds::Metrics) => match derived(record, time) {
            // A line in the embedded metric format that stays a log has a copy that is not one.
            none if none.is_empty() => embedded(line.record_text.as_deref(), record, time),
            all => all,
        },
        Some(Holds::EmbeddedMetrics) => embedded(line.record_text.as_deref(), record, time),
        Some(Holds::Spans) | None => Vec::new(),
    }
}

fn derived(record: Json<'_>, time: Wall) -> Vec<Observation<'_>> {
    let (mut start, mut metrics) = (time, None);
    let mut members = record.members();
    // The points are written after the time.
    while let Some((name, value)) = members.open() {
        if name == "metrics" {
            metrics = Some(value);
            break;
        }
        let value = members.pass().filter(|_| name == "start");
        if let Some(text) = value.and_then(Json::string) {
            let stated = Wall::from_rfc3339(&text);
            start = stated.filter(|start| *start <= time).unwrap_or(time);
        }
    }
    let mut all = Vec::with_capacity(USUAL_OBSERVATIONS);
    let items = metrics.into_iter().flat_map(Json::items);
    all.extend(items.filter_map(|metric| observation(metric, start, time)));
    all
}

fn observation(metric: Json<'_>, start: Wall, time: Wall) -> Option<Observation<'_>> {
    let (mut name, mut unit, mut kind, mut number) = (None, None, None, None);
    let mut attributes = Vec::new();
    for (member, value) in metric.members() {
        match &*member {
            "name" => name = value.string(),
            "unit" => unit = value.string(),
            "kind" => {
                kind = match value.plain() {
                    Some("sum") => Some(Kind::Sum),
                    Some("histogram") => Some(Kind::Histogram),
                    _ => None,
                }
            }
            "value" => number = value.number(),
            "attributes" => {
                attributes.extend(value.members().map(|(name, it)| {
                    let shown = it.string().unwrap_or(Cow::Borrowed(it.get()));
                    (name, shown)
                }));
            }
            _ => {}
        }
    }
    Some(Observation {
        metric: Metric {
            name: name?,
            unit: unit.unwrap_or_default(),
            kind: kind?,
        },
        attributes,
        values: Values::One(number?),
        start,
        time,
    })
}

fn shown(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// A line in the embedded metric format
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
fn embedded(text: Option<&str>, record: Json<'_>, time: Wall) -> Vec<Observation<'static>> {
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
                    Some((name.to_owned().into(), shown(value).into()))
                };
                all.push(Observation {
                    metric: Metric {
                        name: metric_name(namespace, name).into(),
                        unit: unit.clone().into(),
                        kind,
                    },
                    attributes: names.take(MOST_DIMENSIONS).filter_map(dimension).collect(),
                    values: Values::Many(values.clone()),
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

/// The points of one resource.
#[derive(Debug, Default)]
pub(super) struct Points {
    metrics: Vec<(Metric<'static>, Vec<Point>)>,
    /// Metrics by the hash of what they are; of two with the same hash the later one has the next number that is free.
    places: HashMap<u64, usize>,
    /// The same of points, by their metric, attributes and span of time.
    series: HashMap<u64, usize>,
    /// Where the metric of the last observation is. Records of one kind name their metrics in the same order.
    last: usize,
}

/// The place of what a hash is of, or the number under which it is to be noted.
fn find(
    places: &HashMap<u64, usize>,
    mut hash: u64,
    is_it: impl Fn(usize) -> bool,
) -> Result<usize, u64> {
    while let Some(place) = places.get(&hash) {
        if is_it(*place) {
            return Ok(*place);
        }
        hash = hash.wrapping_add(1);
    }
    Err(hash)
}

impl Points {
    /// The place of a metric.
    fn place(&mut self, metric: &Metric<'_>) -> usize {
        let is_it = |at: usize| self.metrics.get(at).is_some_and(|it| it.0 == *metric);
        if is_it(self.last + 1) {
            return self.last + 1;
        }
        match find(&self.places, hash(&metric.name), is_it) {
            Ok(place) => place,
            Err(hash) => {
                let metric = Metric {
                    name: metric.name.clone().into_owned().into(),
                    unit: metric.unit.clone().into_owned().into(),
                    kind: metric.kind,
                };
                self.metrics.push((metric, Vec::new()));
                self.places.insert(hash, self.metrics.len() - 1);
                self.metrics.len() - 1
            }
        }
    }

    /// Adds an observation up.
    pub(super) fn add(&mut self, observation: Observation<'_>) {
        let place = self.place(&observation.metric);
        self.last = place;
        let Observation {
            metric: _,
            mut attributes,
            values,
            start,
            time,
        } = observation;
        attributes.sort();
        attributes.dedup_by(|later, first| later.0 == first.0);
        let Some((metric, points)) = self.metrics.get_mut(place) else {
            return;
        };
        let span_of = |time: Wall| time.0.as_secs() / SPAN.as_secs();
        let span = span_of(time);
        let is_it = |at: usize| {
            let known: Option<&Point> = points.get(at);
            known.is_some_and(|it| span_of(it.time) == span && it.attributes == attributes)
        };
        let last = points.len().wrapping_sub(1);
        let at = if is_it(last) {
            last
        } else {
            let mut hash = Hash::default();
            hash.add(&place.to_le_bytes());
            hash.add(&span.to_le_bytes());
            for (name, value) in &attributes {
                hash.add(name.as_bytes());
                hash.add(value.as_bytes());
            }
            match find(&self.series, hash.0, is_it) {
                Ok(at) => at,
                Err(hash) => {
                    self.series.insert(hash, points.len());
                    points.len()
                }
            }
        };
        if at == points.len() {
            let buckets = match metric.kind {
                Kind::Histogram if !metric.bounds().is_empty() => metric.bounds().len() + 1,
                Kind::Histogram | Kind::Sum => 0,
            };
            let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
            let attributes = attributes.into_iter();
            points.push(Point {
                attributes: attributes
                    .map(|(name, value)| (owned(name), owned(value)))
                    .collect(),
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
        for value in values.iter().copied() {
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
    pub(super) fn metrics(&self) -> &[(Metric<'static>, Vec<Point>)] {
        &self.metrics
    }
}
