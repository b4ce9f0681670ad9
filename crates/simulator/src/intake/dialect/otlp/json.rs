//! OTLP in JSON: lowerCamelCase names, 64-bit integers as text, ids in hexadecimal, enums as integers.

use serde_json::{Map, Value};

use super::Log;
use crate::intake::dialect::{only, text};

type Object = Map<String, Value>;

pub(super) fn logs(plain: &[u8]) -> Result<Vec<Log>, String> {
    let request: Value = serde_json::from_slice(plain).map_err(|error| error.to_string())?;
    let request = only(&request, &["resourceLogs"])?;
    let mut logs = Vec::new();
    for resource_logs in list(request, "resourceLogs")? {
        let known = ["resource", "scopeLogs", "schemaUrl"];
        let resource_logs = only(resource_logs, &known)?;
        if let Some(resource) = resource_logs.get("resource") {
            let resource = only(resource, &["attributes", "droppedAttributesCount"])?;
            attributes(resource)?;
        }
        for scope_logs in list(resource_logs, "scopeLogs")? {
            let scope_logs = only(scope_logs, &["scope", "logRecords", "schemaUrl"])?;
            if let Some(scope) = scope_logs.get("scope") {
                only(scope, &["name", "version", "attributes"])?;
            }
            for record in list(scope_logs, "logRecords")? {
                logs.push(log(record)?);
            }
        }
    }
    Ok(logs)
}

fn log(record: &Value) -> Result<Log, String> {
    let known = [
        "timeUnixNano",
        "observedTimeUnixNano",
        "severityNumber",
        "severityText",
        "body",
        "attributes",
        "droppedAttributesCount",
        "flags",
        "traceId",
        "spanId",
        "eventName",
    ];
    let record = only(record, &known)?;
    let severity = record.get("severityNumber").map(Value::as_u64);
    text(record, "severityText")?;
    Ok(Log {
        time: digits(record, "timeUnixNano")?,
        observed: digits(record, "observedTimeUnixNano")?,
        severity: severity
            .unwrap_or(Some(0))
            .ok_or("a severity is a number")?,
        body: record.get("body").map_or(Ok(Value::Null), any)?,
        attributes: attributes(record)?,
        trace_id: id(record, "traceId")?,
        span_id: id(record, "spanId")?,
    })
}

fn list<'a>(object: &'a Object, name: &str) -> Result<&'a [Value], String> {
    match object.get(name) {
        None => Ok(&[]),
        Some(Value::Array(values)) => Ok(values),
        Some(_) => Err(format!("{name:?} is not an array")),
    }
}

fn attributes(object: &Object) -> Result<Vec<(String, Value)>, String> {
    list(object, "attributes")?.iter().map(key_value).collect()
}

fn key_value(pair: &Value) -> Result<(String, Value), String> {
    let pair = only(pair, &["key", "value"])?;
    let key = text(pair, "key")?.unwrap_or_default();
    let value = pair.get("value").map_or(Ok(Value::Null), any)?;
    Ok((key.to_owned(), value))
}

/// A 64-bit integer.
fn digits(object: &Object, name: &str) -> Result<u64, String> {
    let digits = text(object, name)?.unwrap_or("0");
    digits.parse().map_err(|_| format!("{name:?} is no number"))
}

fn id(object: &Object, name: &str) -> Result<Vec<u8>, String> {
    let digits = text(object, name)?.unwrap_or_default();
    let pair = |at| {
        digits
            .get(at..at + 2)
            .and_then(|it| u8::from_str_radix(it, 16).ok())
    };
    let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(pair).collect();
    bytes.ok_or_else(|| format!("{name:?} is not in hexadecimal"))
}

fn any(value: &Value) -> Result<Value, String> {
    let object = value.as_object().ok_or("an AnyValue is an object")?;
    let mut members = object.iter();
    let (name, value) = match (members.next(), members.next()) {
        (None, _) => return Ok(Value::Null),
        (Some(member), None) => member,
        _ => return Err("an AnyValue has one value".to_owned()),
    };
    let wrong = || format!("{name:?} has the value {value}");
    Ok(match name.as_str() {
        "stringValue" | "bytesValue" if value.is_string() => value.clone(),
        "boolValue" if value.is_boolean() => value.clone(),
        "doubleValue" if value.is_number() || value.is_string() => value.clone(),
        "intValue" => {
            let number: Option<i64> = value.as_str().and_then(|text| text.parse().ok());
            number.ok_or_else(wrong)?.into()
        }
        "arrayValue" => {
            let values = list(only(value, &["values"])?, "values")?;
            let values: Result<Vec<Value>, String> = values.iter().map(any).collect();
            values?.into()
        }
        "kvlistValue" => {
            let pairs = list(only(value, &["values"])?, "values")?;
            let pairs: Result<Object, String> = pairs.iter().map(key_value).collect();
            pairs?.into()
        }
        _ => return Err(wrong()),
    })
}
