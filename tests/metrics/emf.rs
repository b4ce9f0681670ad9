//! What AWS's specification requires of a line in the embedded metric format, checked without any code of the
//! extension's
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The specification's own bound; `CloudWatch` Logs takes larger events today.
const MOST_BYTES: usize = 256 * 1024;
/// `MetricDatum.Unit` of `CloudWatch`'s API.
const UNITS: [&str; 27] = [
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
    "None",
];

/// The document that a line is, or what is wrong with it.
pub(crate) fn document(line: &str) -> Result<Value, String> {
    if line.len() > MOST_BYTES {
        return Err(format!("{} bytes", line.len()));
    }
    let document: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let root = document.as_object().ok_or("the root is not an object")?;
    let metadata = object(root.get("_aws"), "_aws")?;
    only(
        metadata,
        &[
            "Timestamp",
            "CloudWatchMetrics",
            "LogGroupName",
            "LogStreamName",
        ],
    )?;
    metadata
        .get("Timestamp")
        .and_then(Value::as_u64)
        .ok_or("Timestamp is not a number of milliseconds")?;
    for directive in array(metadata.get("CloudWatchMetrics"), "CloudWatchMetrics")? {
        self::directive(directive, root)?;
    }
    Ok(document)
}

fn directive(directive: &Value, root: &Map<String, Value>) -> Result<(), String> {
    let directive = object(Some(directive), "a directive")?;
    only(directive, &["Namespace", "Dimensions", "Metrics"])?;
    name(directive.get("Namespace"), "Namespace", 1024)?;
    let sets = array(directive.get("Dimensions"), "Dimensions")?;
    if sets.is_empty() || sets.len() > 30 {
        return Err(format!("{} sets of dimensions", sets.len()));
    }
    let mut seen = BTreeSet::new();
    for set in sets {
        let set = array(Some(set), "a set of dimensions")?;
        let mut names = BTreeSet::new();
        for dimension in set {
            let dimension = name(Some(dimension), "a dimension", 250)?;
            if !names.insert(dimension) {
                return Err(format!("{dimension} twice in a set"));
            }
            name(root.get(dimension), dimension, 1024)?;
        }
        if names.len() > 30 {
            return Err(format!("{} dimensions", names.len()));
        }
        if !seen.insert(names) {
            return Err("a set of dimensions twice".to_owned());
        }
    }
    let metrics = array(directive.get("Metrics"), "Metrics")?;
    if metrics.is_empty() || metrics.len() > 100 {
        return Err(format!("{} metrics", metrics.len()));
    }
    for metric in metrics {
        let metric = object(Some(metric), "a metric")?;
        only(metric, &["Name", "Unit", "StorageResolution"])?;
        let target = name(metric.get("Name"), "Name", 1024)?;
        if let Some(unit) = metric.get("Unit")
            && !unit.as_str().is_some_and(|unit| UNITS.contains(&unit))
        {
            return Err(format!("the unit {unit}"));
        }
        if let Some(resolution) = metric.get("StorageResolution")
            && !matches!(resolution.as_u64(), Some(1 | 60))
        {
            return Err(format!("the resolution {resolution}"));
        }
        let is_valued = match root.get(target) {
            Some(Value::Array(values)) => {
                (1..=100).contains(&values.len()) && values.iter().all(Value::is_number)
            }
            value => value.is_some_and(Value::is_number),
        };
        if !is_valued {
            return Err(format!(
                "{target} is neither a number nor up to 100 numbers"
            ));
        }
    }
    Ok(())
}

fn object<'a>(value: Option<&'a Value>, what: &str) -> Result<&'a Map<String, Value>, String> {
    let object = value.and_then(Value::as_object);
    object.ok_or_else(|| format!("{what} is not an object"))
}

fn array<'a>(value: Option<&'a Value>, what: &str) -> Result<&'a Vec<Value>, String> {
    let array = value.and_then(Value::as_array);
    array.ok_or_else(|| format!("{what} is not an array"))
}

fn name<'a>(value: Option<&'a Value>, what: &str, most: usize) -> Result<&'a str, String> {
    let text = value.and_then(Value::as_str);
    let text = text.filter(|text| (1..=most).contains(&text.len()) && !text.trim().is_empty());
    text.ok_or_else(|| format!("{what} is not a text of 1 to {most} characters"))
}

fn only(object: &Map<String, Value>, names: &[&str]) -> Result<(), String> {
    match object.keys().find(|key| !names.contains(&key.as_str())) {
        Some(key) => Err(format!("the member {key} is not in the specification")),
        None => Ok(()),
    }
}

/// AWS's own example, and what must not pass.
#[test]
fn the_check_takes_the_specifications_example_and_refuses_what_it_forbids() {
    let example = r#"{"_aws":{"Timestamp":1574109732004,"CloudWatchMetrics":[{"Namespace":"lambda-function-metrics","Dimensions":[["functionVersion"]],"Metrics":[{"Name":"time","Unit":"Milliseconds","StorageResolution":60}]}]},"functionVersion":"$LATEST","time":100,"requestId":"989ffbf8-9ace-4817-a57c-e4dd734019ee"}"#;
    document(example).expect("it is AWS's");
    for (from, to) in [
        ("1574109732004", "\"2019-11-18\""),
        ("\"time\":100", "\"time\":\"100\""),
        ("\"time\":100,", ""),
        ("\"functionVersion\":\"$LATEST\",", ""),
        ("\"functionVersion\":\"$LATEST\"", "\"functionVersion\":1"),
        (
            "\"functionVersion\":\"$LATEST\"",
            "\"functionVersion\":\"\"",
        ),
        ("\"Milliseconds\"", "\"ms\""),
        (":60", ":5"),
        ("[[\"functionVersion\"]]", "[]"),
        ("[[\"functionVersion\"]]", "[\"functionVersion\"]"),
        ("[[\"functionVersion\"]]", "[[],[]]"),
        ("\"Namespace\":\"lambda-function-metrics\",", ""),
        ("\"Namespace\"", "\"Other\":1,\"Namespace\""),
        ("\"_aws\"", "\"aws\""),
    ] {
        let wrong = example.replacen(from, to, 1);
        assert_ne!(wrong, example, "{from}");
        document(&wrong).expect_err(&wrong);
    }
    let many: Vec<String> = (0..101)
        .map(|at| format!("{{\"Name\":\"m{at}\"}}"))
        .collect();
    let metrics = r#"{"Name":"time","Unit":"Milliseconds","StorageResolution":60}"#;
    document(&example.replace(metrics, &many.join(","))).expect_err("101 metrics");
}
