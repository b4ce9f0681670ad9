//! No secret survives, however it is written; and what leaves is JSON.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod nesting;
mod posted;
mod private_keys;
mod rules;

use std::collections::BTreeMap;

use backstop_config::Settings;
use backstop_transform::{Outcome, Parts, Transforms};
use serde_json::Value;

fn transforms(variables: &[(&str, &str)]) -> Transforms {
    let base = [("BACKSTOP_S3_BUCKET", "archive")];
    let all = base.iter().chain(variables);
    let all: BTreeMap<String, String> = all
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let (settings, mut errors) = Settings::resolve(&all);
    let transforms = Transforms::new(&settings.transforms, &mut errors);
    assert_eq!(errors, []);
    transforms
}

fn redacting(what: &str) -> Transforms {
    transforms(&[("BACKSTOP_REDACT", what)])
}

fn fragment(kind: &str, record: &str) -> String {
    format!(r#""time":"2026-01-31T08:00:00.000Z","type":"{kind}","record":{record}"#)
}

/// The record as it leaves.
fn redacted(transforms: &mut Transforms, record: &str) -> String {
    redacted_of(transforms, "function", record)
}

/// The record of a type as it leaves.
fn redacted_of(transforms: &mut Transforms, kind: &str, record: &str) -> String {
    let fragment = fragment(kind, record);
    let left = match transforms.apply(fragment.as_bytes()) {
        Outcome::Keep => fragment.into_bytes(),
        Outcome::Replace(fragment) => fragment,
        Outcome::Drop(cause) => panic!("dropped for {cause:?}"),
    };
    let parts = Parts::of(&left).unwrap();
    let record = String::from_utf8(parts.record.to_vec()).unwrap();
    let read: Result<Value, _> = serde_json::from_str(&record);
    assert!(read.is_ok(), "{record}");
    record
}

/// A line of a private key as the function writes it, and as it posts it.
const KEY_LINE: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";

/// A log of the function's, posted by OTLP.
fn posted_log(text: &str) -> String {
    format!(
        r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"timeUnixNano":"1767225600123456789","traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"4111111111111111","body":{{"stringValue":"{text}"}}}}]}}]}}]}}"#
    )
}
