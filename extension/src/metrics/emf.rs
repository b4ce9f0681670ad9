//! Points as lines of `CloudWatch`'s embedded metric format
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//!
//! A dimension has one value in a line: so there is a line of the function, and one of each sink and reason
//! that has values. Each line has its values in the whole region, too, without the function's name: an
//! alarm needs one metric for all functions.
//!
//! Invariants: a line begins with the marker by which Backstop knows its own; it has far fewer than the 100
//! metrics and 30 dimensions that the format allows.

use std::fmt::Write as _;

use backstop_delivery::Wall;
use serde_json::{Map, Value, json};

use super::{Kind, Part, Point};

/// The namespace; tests hold that the alarms of Terraform and CDK name it.
const NAMESPACE: &str = "Backstop";
const FUNCTION: &str = "FunctionName";

/// Each line with its end; empty of no points.
pub(super) fn lines(function_name: &str, now: Wall, points: &[Point]) -> String {
    let mut parts: Vec<Part> = Vec::new();
    for point in points {
        if !parts.contains(&point.part) {
            parts.push(point.part);
        }
    }
    let mut lines = String::new();
    for part in parts {
        let points = points.iter().filter(|point| point.part == part);
        // Writing to a string cannot fail.
        _ = writeln!(lines, "{}", line(function_name, now, part, points));
    }
    lines
}

fn line<'a>(
    function_name: &str,
    now: Wall,
    part: Part,
    points: impl Iterator<Item = &'a Point>,
) -> String {
    let mut members = Map::new();
    // Lambda always says it; a dimension must not be empty.
    let function_name = match function_name {
        "" => "unknown",
        name => name,
    };
    members.insert(FUNCTION.to_owned(), function_name.into());
    let dimensions = match part {
        Part::Whole => json!([[], [FUNCTION]]),
        Part::Sink(sink) => {
            members.insert("Sink".to_owned(), sink.into());
            json!([["Sink"], [FUNCTION, "Sink"]])
        }
        Part::Reason(reason) => {
            members.insert("Reason".to_owned(), reason.into());
            json!([["Reason"], [FUNCTION, "Reason"]])
        }
    };
    let mut metrics = Vec::new();
    for point in points {
        let name = pascal_case(point.name);
        let unit = match point.kind {
            Kind::Count | Kind::Level => "Count",
            Kind::Milliseconds => "Milliseconds",
        };
        metrics.push(json!({ "Name": name, "Unit": unit }));
        members.insert(name, point.value.into());
    }
    let milliseconds = now.milliseconds();
    let directive = json!({
        "Timestamp": milliseconds,
        "CloudWatchMetrics": [{
            "Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": metrics
        }],
    });
    members.insert("_aws".to_owned(), directive);
    let members = Value::Object(members).to_string();
    // The marker comes first, whatever the order of the rest.
    let rest = members.strip_prefix('{').unwrap_or_default();
    format!("{{\"backstop\":\"metrics\",{rest}")
}

/// `dead_letters` as `DeadLetters`.
fn pascal_case(name: &str) -> String {
    let mut whole = String::new();
    for word in name.split('_') {
        let mut letters = word.chars();
        whole.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        whole.push_str(letters.as_str());
    }
    whole
}
