//! Points of metrics as OTLP has them, in protobuf and JSON: sums and histograms with delta temporality, since
//! an environment knows only what it has seen itself (field numbers: opentelemetry-proto 1.11.0,
//! `metrics.proto`).

use std::io::Write as _;

use super::json;
use super::value::text_attribute;
use crate::format::points::{Kind, Metric, Point, Points};
use crate::format::text::{List, Object};
use crate::wire::Message as _;

/// `AGGREGATION_TEMPORALITY_DELTA`.
const DELTA: u64 = 1;

/// The elements of `ScopeMetrics.metrics`.
pub(super) fn write(points: &Points, out: &mut Vec<u8>) {
    for (metric, points) in points.metrics() {
        out.message(2, |out| {
            out.string(1, &metric.name);
            out.string(3, &metric.unit);
            match metric.kind {
                Kind::Sum => out.message(7, |sum| {
                    for point in points {
                        sum.message(1, |out| write_number(point, out));
                    }
                    sum.varint(2, DELTA);
                    sum.varint(3, 1);
                }),
                Kind::Histogram => out.message(9, |histogram| {
                    for point in points {
                        histogram.message(1, |out| write_histogram(metric, point, out));
                    }
                    histogram.varint(2, DELTA);
                }),
            }
        });
    }
}

fn write_number(point: &Point, out: &mut Vec<u8>) {
    out.fixed64(2, point.start.nanoseconds());
    out.fixed64(3, point.time.nanoseconds());
    out.double(4, point.sum);
    for (name, value) in &point.attributes {
        text_attribute(out, 7, name, value);
    }
}

fn write_histogram(metric: &Metric<'_>, point: &Point, out: &mut Vec<u8>) {
    out.fixed64(2, point.start.nanoseconds());
    out.fixed64(3, point.time.nanoseconds());
    out.fixed64(4, point.count);
    out.double(5, point.sum);
    if !point.buckets.is_empty() {
        out.packed(6, point.buckets.iter().copied());
        out.packed(7, metric.bounds().iter().map(|bound| bound.to_bits()));
    }
    for (name, value) in &point.attributes {
        text_attribute(out, 9, name, value);
    }
    out.double(11, point.least);
    out.double(12, point.greatest);
}

/// The elements of `metrics` in JSON, with commas between.
pub(super) fn write_json(points: &Points, out: &mut Vec<u8>) {
    for (index, (metric, points)) in points.metrics().iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let mut object = Object::open(out);
        object.text("name", &metric.name);
        object.text("unit", &metric.unit);
        let kind = match metric.kind {
            Kind::Sum => "sum",
            Kind::Histogram => "histogram",
        };
        object.object(kind, |data| {
            data.raw("dataPoints", |out| {
                let mut list = List::open(out);
                for point in points {
                    list.item(|out| write_json_point(metric, point, out));
                }
                list.close();
            });
            data.raw("aggregationTemporality", |out| number(out, DELTA));
            if metric.kind == Kind::Sum {
                data.raw("isMonotonic", |out| out.extend_from_slice(b"true"));
            }
        });
        object.close();
    }
}

fn write_json_point(metric: &Metric<'_>, point: &Point, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    object.raw("startTimeUnixNano", |out| {
        json::quoted(out, point.start.nanoseconds());
    });
    object.raw("timeUnixNano", |out| {
        json::quoted(out, point.time.nanoseconds());
    });
    match metric.kind {
        Kind::Sum => object.raw("asDouble", |out| real(out, point.sum)),
        Kind::Histogram => {
            object.raw("count", |out| json::quoted(out, point.count));
            object.raw("sum", |out| real(out, point.sum));
            object.raw("min", |out| real(out, point.least));
            object.raw("max", |out| real(out, point.greatest));
            if !point.buckets.is_empty() {
                object.raw("bucketCounts", |out| {
                    let mut list = List::open(out);
                    for count in &point.buckets {
                        list.item(|out| json::quoted(out, count));
                    }
                    list.close();
                });
                object.raw("explicitBounds", |out| {
                    let mut list = List::open(out);
                    for bound in metric.bounds() {
                        list.item(|out| real(out, *bound));
                    }
                    list.close();
                });
            }
        }
    }
    object.raw("attributes", |out| {
        let mut list = List::open(out);
        for (name, value) in &point.attributes {
            list.item(|out| json::attribute(out, name, |out| json::string_value(out, value)));
        }
        list.close();
    });
    object.close();
}

fn number(out: &mut Vec<u8>, value: u64) {
    // Writing to a vector cannot fail.
    _ = write!(out, "{value}");
}

/// A sum may be beyond what a number in JSON can be, which protobuf's JSON has a word for.
fn real(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        _ = write!(out, "{value:?}");
    } else {
        out.extend_from_slice(b"\"Infinity\"");
    }
}
