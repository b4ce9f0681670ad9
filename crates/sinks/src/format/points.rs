//! Records as points of metrics, added up: one point for each metric, set of attributes and span of time.
//!
//! An observation of a derived record is `{"name","kind","unit","value","attributes"}`, of kind `sum` or
//! `histogram`. A line in the embedded metric format names its metrics in a directive; each set of its dimensions
//! makes a point. `CloudWatch` keeps the distribution of such values, so that they are histograms here, and sums
//! where the unit is `Count`.
//!
//! Invariants: the same records make the same points, in the order in which the records name them; adding up
//! loses neither count, sum, least nor greatest value.

mod embedded;
mod sums;

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::LazyLock;

use backstop_archive::{Holds, holds};
use backstop_delivery::Wall;
use memchr::memmem::Finder;

use crate::format::log::Line;
use backstop_json::{Json, Members};
use embedded::embedded;
pub(super) use sums::Points;

/// Few events make more points.
const USUAL_OBSERVATIONS: usize = 8;

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
        // A line in the embedded metric format that stays a log has a copy that is not one. What else the line says is
        // the function's: no metric of Backstop's follows from it.
        Some(Holds::Metrics) if is_line(line, record) => {
            embedded(line.record_text.as_deref(), record, time)
        }
        Some(Holds::Metrics) => derived(record, time),
        Some(Holds::EmbeddedMetrics) => embedded(line.record_text.as_deref(), record, time),
        Some(Holds::Spans) | None => Vec::new(),
    }
}

/// Whether a record is a line of the function's, and was not derived.
fn is_line(line: &Line<'_>, record: Json<'_>) -> bool {
    const DIRECTIVES: &str = "_aws";
    /// Built once, as it is asked of each point.
    static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(DIRECTIVES));
    let may_be = || FINDER.find(record.get().as_bytes()).is_some();
    line.record_text.is_some() || (may_be() && record.member(DIRECTIVES).is_some())
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
    let Some(metrics) = metrics else {
        return all;
    };
    let mut items = metrics.items();
    while let Some(metric) = items.open() {
        if !metric.is_object() {
            items.pass();
            continue;
        }
        let mut members = metric.members();
        all.extend(observation(&mut members, start, time));
        items.passed(members.length());
    }
    all
}

/// The observation that an object is; all of its members are read.
fn observation<'a>(members: &mut Members<'a>, start: Wall, time: Wall) -> Option<Observation<'a>> {
    let (mut name, mut unit, mut kind, mut number) = (None, None, None, None);
    let mut attributes = Vec::new();
    for (member, value) in members {
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
