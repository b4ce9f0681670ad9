//! Metrics as distribution points
//! (<https://docs.datadoghq.com/api/latest/metrics/#submit-distribution-points>): every value arrives, and
//! Datadog computes percentiles from them.
//!
//! Metrics that Backstop derives get the names and units of Datadog's enhanced Lambda metrics
//! (<https://docs.datadoghq.com/serverless/aws_lambda/metrics/>), so that its Lambda views show them; others
//! keep their own name.
//!
//! Invariant: the same records make the same bytes, in the order in which the records name the metrics.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use backstop_config::{Compression, Primary};
use backstop_delivery::{Unfit, Wall};

use super::super::answers::{DATADOG, Row};
use super::super::assemble::Written;
use super::super::log::Scratch;
use super::super::points::{Observation, observations};
use super::super::resource::Attributes;
use super::super::text::{List, Object, write};
use super::super::{Context, Format, age};
use super::{pair, pairs};
use crate::codec::{Item, Output, Packing};

/// Points that are older are dropped on arrival.
const MAX_AGE: Duration = Duration::from_hours(1);
/// What the intake of metrics takes before decompression is taken as the bound before compression.
const MOST_BYTES: usize = 500_000;
const MIB: f64 = 1_048_576.0;

/// A derived metric's name at Datadog, and what its values are multiplied by.
const ENHANCED: &[(&str, &str, f64)] = &[
    ("faas.errors", "errors", 1.0),
    ("faas.timeouts", "timeouts", 1.0),
    ("faas.invoke_duration", "runtime_duration", 1_000.0),
    ("faas.init_duration", "init_duration", 1.0),
    ("faas.mem_usage", "max_memory_used", 1.0 / MIB),
    ("aws.lambda.duration", "duration", 1.0),
    ("aws.lambda.billed_duration", "billed_duration", 1.0),
    ("aws.lambda.memory_size", "memorysize", 1.0 / MIB),
    ("aws.lambda.estimated_cost", "estimated_cost", 1.0),
    ("aws.lambda.out_of_memory", "out_of_memory", 1.0),
    (
        "aws.lambda.restore_duration",
        "snapstart_restore_duration",
        1.0,
    ),
    ("aws.lambda.response_latency", "response_latency", 1_000.0),
    ("aws.lambda.response_duration", "response_duration", 1_000.0),
    ("aws.lambda.produced_bytes", "produced_bytes", 1.0),
];

/// The format of metrics.
#[derive(Debug)]
pub(in crate::format) struct Distributions {
    age: Option<Duration>,
}

impl Distributions {
    pub(in crate::format) fn new(primary: &Primary) -> Self {
        Self {
            age: age(&primary.options, MAX_AGE),
        }
    }
}

impl Format for Distributions {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    /// This intake knows deflate, and no gzip.
    fn packing(&self, compression: Compression) -> Packing {
        match compression {
            Compression::Gzip => Packing::Deflate,
            Compression::None => Packing::None,
        }
    }

    fn write(&self, items: &[Item<'_>], context: Context, out: &mut Output) -> Written {
        let mut written = Written::default();
        let mut all = Series::default();
        let mut bytes = 0;
        let mut scratch = Scratch::default();
        for (index, item) in items.iter().enumerate() {
            let line = scratch.line(item);
            let values = values(observations(&line, context.now));
            let tags = function_tags(&Attributes::of(&item.resource));
            let around = serde_json::to_string(&tags).map_or(0, |tags| tags.len());
            let length: usize = values.iter().map(|it| it.most_bytes() + around).sum();
            let is_old = |value: &Value| {
                let old = |most| context.now.since(value.time) > most;
                self.age.is_some_and(old)
            };
            written.covers = index + 1;
            if values.is_empty() {
                // A record of metrics that are not Backstop's: this intake has no form for it.
                written.unfit.push((index, Unfit::NoIntake));
            } else if values.iter().any(is_old) {
                written.unfit.push((index, Unfit::TooOld));
            } else if length > MOST_BYTES {
                written.unfit.push((index, Unfit::TooLarge));
            } else if bytes + length > MOST_BYTES {
                written.covers = index;
                break;
            } else {
                bytes += length;
                for value in values {
                    all.add(value, &tags);
                }
            }
        }
        all.write(out.bytes());
        written
    }

    fn answers(&self) -> &'static [Row] {
        DATADOG
    }
}

/// Values of one metric that were observed together.
#[derive(Debug)]
struct Value {
    metric: String,
    attributes: Vec<(String, String)>,
    values: Vec<f64>,
    time: Wall,
}

impl Value {
    fn most_bytes(&self) -> usize {
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|(name, value)| name.len() + value.len());
        6 * (self.metric.len() + attributes.sum::<usize>()) + 32 * self.values.len() + 128
    }
}

/// What is sent of a record's observations. Datadog counts every invocation, whatever became of it, and a
/// timeout as an error.
fn values(observations: Vec<Observation<'_>>) -> Vec<Value> {
    let mut all = Vec::new();
    let mut invocation = None;
    for observation in observations {
        let Observation {
            metric,
            attributes,
            values,
            time,
            ..
        } = observation;
        let name = &*metric.name;
        let attributes: Vec<(String, String)> = attributes
            .into_iter()
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        let value = |metric: &str, attributes: Vec<(String, String)>| Value {
            metric: format!("aws.lambda.enhanced.{metric}"),
            attributes,
            values: vec![1.0],
            time,
        };
        if matches!(
            name,
            "faas.invocations" | "faas.timeouts" | "faas.invoke_duration"
        ) {
            invocation = Some(value("invocations", Vec::new()));
        }
        if name == "faas.timeouts" {
            all.push(value("errors", attributes.clone()));
        }
        if name == "faas.invocations" {
            continue;
        }
        let known = ENHANCED.iter().find(|(ours, ..)| *ours == name);
        let (metric, factor) = match known {
            Some((_, theirs, factor)) => (format!("aws.lambda.enhanced.{theirs}"), *factor),
            None => (name.to_owned(), 1.0),
        };
        all.push(Value {
            metric,
            attributes,
            values: values.iter().map(|it| it * factor).collect(),
            time,
        });
    }
    all.extend(invocation);
    all
}

/// The tags of a function. Values of all its environments add up: a tag for each environment would be one more
/// metric to pay for.
fn function_tags(resource: &Attributes) -> Vec<String> {
    let arn = resource.text("cloud.resource_id").unwrap_or_default();
    let own = pairs(resource, arn).into_iter();
    let own = own.filter(|(name, _)| *name != "faas.instance");
    let service = resource.text("service.name");
    own.map(|(name, value)| pair(name, &value))
        .chain(service.map(|it| pair("service", it)))
        .collect()
}

/// The values of a request: by metric and tags, and by the second.
#[derive(Debug, Default)]
struct Series {
    all: Vec<Serie>,
    places: HashMap<(String, Vec<String>), usize>,
}

#[derive(Debug)]
struct Serie {
    metric: String,
    tags: Vec<String>,
    points: BTreeMap<u64, Vec<f64>>,
}

impl Series {
    fn add(&mut self, value: Value, function: &[String]) {
        let Value {
            metric,
            attributes,
            values,
            time,
        } = value;
        let attributes = attributes.iter();
        let own = attributes.map(|(name, value)| pair(name, value));
        let mut tags: Vec<String> = function.iter().cloned().chain(own).collect();
        tags.sort();
        tags.dedup();
        let next = self.all.len();
        let key = (metric.clone(), tags.clone());
        let place = *self.places.entry(key).or_insert(next);
        if place == next {
            self.all.push(Serie {
                metric,
                tags,
                points: BTreeMap::new(),
            });
        }
        if let Some(serie) = self.all.get_mut(place) {
            let points = serie.points.entry(time.0.as_secs()).or_default();
            // What is beyond the range of numbers has no form in JSON.
            points.extend(values.into_iter().filter(|it| it.is_finite()));
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut body = Object::open(out);
        body.raw("series", |out| {
            let mut list = List::open(out);
            for serie in &self.all {
                list.item(|out| {
                    let mut object = Object::open(out);
                    object.text("metric", &serie.metric);
                    object.text("type", "distribution");
                    object.raw("tags", |out| write(out, &serie.tags));
                    object.raw("points", |out| {
                        let points: Vec<_> = serie.points.iter().collect();
                        write(out, &points);
                    });
                    object.close();
                });
            }
            list.close();
        });
        body.close();
    }
}
