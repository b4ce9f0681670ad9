//! What an OTLP receiver's answer says of what it refused.

use serde_json::Value;

use super::Names;
use crate::wire::{Field, Fields, Malformed};

/// The number of those that were refused; none where it is no answer of OTLP's.
pub(super) fn refused_in_json(names: &Names, body: &[u8]) -> Option<u64> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let answer = answer.as_object()?;
    // Parsers of protobuf's JSON take both spellings.
    let partial = answer
        .get("partialSuccess")
        .or_else(|| answer.get("partial_success"));
    let Some(partial) = partial else {
        return Some(0);
    };
    let [name, spelt_otherwise] = names.refused;
    match partial.get(name).or_else(|| partial.get(spelt_otherwise)) {
        // 64-bit integers are text in protobuf's JSON; some write numbers.
        Some(Value::String(count)) => count.parse().ok(),
        Some(Value::Number(count)) => count.as_u64(),
        Some(_) => None,
        None => Some(0),
    }
}

pub(super) fn refused_in_protobuf(body: &[u8]) -> Option<u64> {
    fn read(body: &[u8]) -> Result<u64, Malformed> {
        let mut refused = 0;
        for field in Fields(body) {
            let (1, Field::Bytes(partial)) = field? else {
                continue;
            };
            for field in Fields(partial) {
                if let (1, Field::Varint(count)) = field? {
                    refused = count;
                }
            }
        }
        Ok(refused)
    }
    read(body).ok()
}
