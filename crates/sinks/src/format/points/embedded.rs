//! Lines in the embedded metric format
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//!
//! Invariant: the dimensions have the values that the line has, digit by digit.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use backstop_delivery::Wall;
use backstop_json::Json;
use serde_json::Value;

use super::{Kind, Metric, Observation, Values};
use crate::format::log::FURTHEST_AHEAD;

/// The most points that are made of one line: what the specification allows to a directive, a hundred metrics, in as
/// many sets as a set may have dimensions.
const MOST_POINTS: usize = 3_000;
/// The most bytes of values and dimensions in them: a line has 256 KB at most, and each set repeats what it names.
const MOST_BYTES: usize = 1024 * 1024;
/// The most dimensions of one set, by the specification.
const MOST_DIMENSIONS: usize = 30;
/// How far a line's own time may be before that at which Lambda received it: `CloudWatch` takes two weeks
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html>).
const FURTHEST_BEHIND: Duration = Duration::from_hours(14 * 24);

/// The observations of a line; none where it holds none that can be read, or more than is made of a line: such a line
/// stays a log as a whole.
pub(super) fn embedded(
    text: Option<&str>,
    record: Json<'_>,
    time: Wall,
) -> Vec<Observation<'static>> {
    let object = text.unwrap_or(record.get());
    let Some(line) = Json::of(object.trim()) else {
        return Vec::new();
    };
    let line: BTreeMap<Cow<'_, str>, Json<'_>> = line.members().collect();
    let Some(metadata) = line.get("_aws").copied().map(Json::tree) else {
        return Vec::new();
    };
    let stated = metadata["Timestamp"].as_u64();
    let stated = stated.map(|it| Wall(Duration::from_millis(it)));
    // Seconds, or a clock that is wrong, would put it where nobody looks.
    let is_near =
        |it: &Wall| it.since(time) <= FURTHEST_AHEAD && time.since(*it) <= FURTHEST_BEHIND;
    let time = stated.filter(is_near).unwrap_or(time);
    let mut all = Vec::new();
    let mut size = 0;
    let directives = metadata["CloudWatchMetrics"].as_array();
    for directive in directives.into_iter().flatten() {
        let namespace = directive["Namespace"].as_str().unwrap_or_default();
        let none = [Value::Array(Vec::new())];
        let sets = directive["Dimensions"].as_array().map(Vec::as_slice);
        let sets = sets.filter(|sets| !sets.is_empty()).unwrap_or(&none);
        for metric in directive["Metrics"].as_array().into_iter().flatten() {
            let Some(name) = metric["Name"].as_str() else {
                continue;
            };
            let values = line.get(name).copied().map(values).unwrap_or_default();
            if values.is_empty() {
                continue;
            }
            let (unit, kind) = unit(metric["Unit"].as_str().unwrap_or_default());
            for set in sets {
                let names = set.as_array().map(Vec::as_slice).unwrap_or_default();
                if all.len() == MOST_POINTS || names.len() > MOST_DIMENSIONS {
                    return Vec::new();
                }
                let names = names.iter().filter_map(Value::as_str);
                let dimension = |name: &str| {
                    let value = line.get(name).filter(|it| it.get() != "null")?;
                    let shown = value.string().unwrap_or(Cow::Borrowed(value.get()));
                    Some((name.to_owned().into(), shown.into_owned().into()))
                };
                let attributes: Vec<(Cow<'_, str>, Cow<'_, str>)> =
                    names.filter_map(dimension).collect();
                let texts = attributes
                    .iter()
                    .map(|(name, value)| name.len() + value.len());
                size += texts.sum::<usize>() + values.len() * size_of::<f64>();
                if size > MOST_BYTES {
                    return Vec::new();
                }
                all.push(Observation {
                    metric: Metric {
                        name: metric_name(namespace, name).into(),
                        unit: unit.clone().into(),
                        kind,
                    },
                    attributes,
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
fn values(value: Json<'_>) -> Vec<f64> {
    match value.number() {
        Some(number) => vec![number],
        None => value.items().filter_map(Json::number).collect(),
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
