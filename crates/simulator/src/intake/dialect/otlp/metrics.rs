//! Metrics of OTLP in protobuf, by the numbers of `opentelemetry/proto/metrics/v1/metrics.proto` (1.11.0), as a
//! backend reads them that takes delta metrics only.

use super::protobuf::key_value;
use crate::intake::dialect::wire::{self, Field};

const CUMULATIVE: u64 = 2;

/// A data point, by what tells it from others.
#[derive(Debug)]
pub(in crate::intake::dialect) struct Point {
    pub(in crate::intake::dialect) metric: String,
    /// The resource's attributes, as `name:value`.
    pub(in crate::intake::dialect) resource: Vec<String>,
}

/// The points of a request, which is refused as a whole where a metric is cumulative.
pub(in crate::intake::dialect) fn metric_points(plain: &[u8]) -> Result<Vec<Point>, String> {
    let mut points = Vec::new();
    for field in wire::fields(plain)? {
        let (1, Field::Bytes(group)) = field else {
            return wire::unknown("ExportMetricsServiceRequest", field);
        };
        let (mut resource, mut scopes) = (Vec::new(), Vec::new());
        for field in wire::fields(group)? {
            match field {
                (1, Field::Bytes(bytes)) => resource = tags(bytes)?,
                (2, Field::Bytes(scope)) => scopes.push(scope),
                (3, Field::Bytes(url)) => drop(wire::text(url)?),
                other => return wire::unknown("ResourceMetrics", other),
            }
        }
        for scope in scopes {
            for field in wire::fields(scope)? {
                if let (2, Field::Bytes(metric)) = field {
                    read_metric(metric, &resource, &mut points)?;
                }
            }
        }
    }
    Ok(points)
}

fn tags(resource: &[u8]) -> Result<Vec<String>, String> {
    let mut tags = Vec::new();
    for field in wire::fields(resource)? {
        if let (1, Field::Bytes(pair)) = field {
            let (name, value) = key_value(pair)?;
            tags.push(format!("{name}:{}", value.as_str().unwrap_or_default()));
        }
    }
    Ok(tags)
}

fn read_metric(metric: &[u8], resource: &[String], points: &mut Vec<Point>) -> Result<(), String> {
    let (mut name, mut count) = (String::new(), 0);
    for field in wire::fields(metric)? {
        match field {
            (1, Field::Bytes(text)) => name = wire::text(text)?,
            (2 | 3, Field::Bytes(text)) => drop(wire::text(text)?),
            // Gauge, sum, histogram, exponential histogram, summary.
            (5 | 7 | 9 | 10 | 11, Field::Bytes(data)) => {
                for field in wire::fields(data)? {
                    match field {
                        (1, Field::Bytes(_)) => count += 1,
                        (2, Field::Varint(CUMULATIVE)) => {
                            return Err("only delta metrics are taken".to_owned());
                        }
                        (2 | 3, Field::Varint(_)) => {}
                        other => return wire::unknown("the data of a metric", other),
                    }
                }
            }
            (12, Field::Bytes(pair)) => drop(key_value(pair)?),
            other => return wire::unknown("Metric", other),
        }
    }
    points.extend((0..count).map(|_| Point {
        metric: name.clone(),
        resource: resource.to_vec(),
    }));
    Ok(())
}
