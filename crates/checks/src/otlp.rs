//! What the function posts by OTLP.
//!
//! Input: the body of a request, in either encoding and of any signal.

use std::time::Duration;

use backstop_delivery::{Signal, Wall};
use backstop_sinks::otlp::{Encoding, receive};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

const MOST_BYTES: usize = 1 << 20;
const NOW: Wall = Wall(Duration::from_hours(490_896));

/// Whatever the body is: it is refused, or becomes records within the bound, each on one line that a strict reader
/// takes; and each, posted again as it is archived, becomes itself.
///
/// # Panics
///
/// Where that does not hold.
pub fn otlp(body: &[u8]) {
    #[derive(Deserialize)]
    struct Parts<'a> {
        #[serde(borrow)]
        record: &'a RawValue,
    }
    for signal in Signal::ALL {
        for encoding in [Encoding::Protobuf, Encoding::Json] {
            let Ok(received) = receive(signal, encoding, body, MOST_BYTES, NOW) else {
                continue;
            };
            assert!(received.cost() <= MOST_BYTES + 1024, "beyond the bound");
            for fragment in &received.fragments {
                let text = std::str::from_utf8(fragment).expect("it is text");
                assert!(!text.contains(['\n', '\r']), "one line");
                let line = format!("{{{text}}}");
                serde_json::from_str::<Value>(&line).expect("a strict reader takes it");
                let parts: Parts<'_> = serde_json::from_str(&line).expect("it has a record");
                let record = parts.record.get().as_bytes();
                let again = receive(signal, Encoding::Json, record, MOST_BYTES, NOW);
                let again = again.expect("what is archived can be posted");
                assert_eq!(again.fragments, [fragment], "it becomes itself");
            }
        }
    }
}
