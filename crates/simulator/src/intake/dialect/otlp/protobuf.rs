//! OTLP in protobuf, by the numbers of `opentelemetry/proto/logs/v1/logs.proto` (1.11.0).

use serde_json::{Map, Value};

use super::Log;
use crate::intake::dialect::wire::{self, Field};

pub(super) fn logs(plain: &[u8]) -> Result<Vec<Log>, String> {
    let mut logs = Vec::new();
    for field in wire::fields(plain)? {
        let (1, Field::Bytes(resource_logs)) = field else {
            return wire::unknown("ExportLogsServiceRequest", field);
        };
        for field in wire::fields(resource_logs)? {
            match field {
                (1, Field::Bytes(resource)) => attributes_of("Resource", resource)?,
                (2, Field::Bytes(scope_logs)) => read_scope(scope_logs, &mut logs)?,
                (3, Field::Bytes(url)) => drop(wire::text(url)?),
                other => return wire::unknown("ResourceLogs", other),
            }
        }
    }
    Ok(logs)
}

fn attributes_of(message: &str, resource: &[u8]) -> Result<(), String> {
    for field in wire::fields(resource)? {
        match field {
            (1, Field::Bytes(pair)) => drop(key_value(pair)?),
            (2, Field::Varint(_)) => {}
            other => return wire::unknown(message, other),
        }
    }
    Ok(())
}

fn read_scope(scope_logs: &[u8], logs: &mut Vec<Log>) -> Result<(), String> {
    for field in wire::fields(scope_logs)? {
        match field {
            (1, Field::Bytes(scope)) => {
                for field in wire::fields(scope)? {
                    match field {
                        (1 | 2, Field::Bytes(text)) => drop(wire::text(text)?),
                        (3, Field::Bytes(pair)) => drop(key_value(pair)?),
                        other => return wire::unknown("InstrumentationScope", other),
                    }
                }
            }
            (2, Field::Bytes(record)) => logs.push(log(record)?),
            (3, Field::Bytes(url)) => drop(wire::text(url)?),
            other => return wire::unknown("ScopeLogs", other),
        }
    }
    Ok(())
}

fn log(record: &[u8]) -> Result<Log, String> {
    let mut log = Log::default();
    for field in wire::fields(record)? {
        match field {
            (1, Field::Fixed64(time)) => log.time = time,
            (2, Field::Varint(severity)) => log.severity = severity,
            (3 | 12, Field::Bytes(text)) => drop(wire::text(text)?),
            (5, Field::Bytes(value)) => log.body = any(value)?,
            (6, Field::Bytes(pair)) => log.attributes.push(key_value(pair)?),
            (7, Field::Varint(_)) | (8, Field::Fixed32(_)) => {}
            (9, Field::Bytes(id)) => log.trace_id = id.to_vec(),
            (10, Field::Bytes(id)) => log.span_id = id.to_vec(),
            (11, Field::Fixed64(time)) => log.observed = time,
            other => return wire::unknown("LogRecord", other),
        }
    }
    Ok(log)
}

pub(super) fn key_value(pair: &[u8]) -> Result<(String, Value), String> {
    let (mut key, mut value) = (String::new(), Value::Null);
    for field in wire::fields(pair)? {
        match field {
            (1, Field::Bytes(text)) => key = wire::text(text)?,
            (2, Field::Bytes(bytes)) => value = any(bytes)?,
            other => return wire::unknown("KeyValue", other),
        }
    }
    Ok((key, value))
}

fn any(value: &[u8]) -> Result<Value, String> {
    let fields = wire::fields(value)?;
    let field = match fields.as_slice() {
        [] => return Ok(Value::Null),
        [field] => *field,
        _ => return Err("an AnyValue has one value".to_owned()),
    };
    Ok(match field {
        (1, Field::Bytes(text)) => wire::text(text)?.into(),
        (2, Field::Varint(flag)) => (flag != 0).into(),
        (3, Field::Varint(number)) => number.cast_signed().into(),
        (4, Field::Fixed64(bits)) => f64::from_bits(bits).into(),
        (5, Field::Bytes(array)) => {
            let mut values = Vec::new();
            for field in wire::fields(array)? {
                match field {
                    (1, Field::Bytes(value)) => values.push(any(value)?),
                    other => return wire::unknown("ArrayValue", other),
                }
            }
            values.into()
        }
        (6, Field::Bytes(list)) => {
            let mut members = Map::new();
            for field in wire::fields(list)? {
                match field {
                    (1, Field::Bytes(pair)) => members.extend([key_value(pair)?]),
                    other => return wire::unknown("KeyValueList", other),
                }
            }
            members.into()
        }
        (7, Field::Bytes(bytes)) => format!("{bytes:?}").into(),
        other => return wire::unknown("AnyValue", other),
    })
}
