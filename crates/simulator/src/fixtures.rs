//! One example of each kind of Telemetry API event, as AWS and its emulator send them.
//!
//! The file is data: examples of AWS's documentation, of other extensions' tests, and a few composed
//! ones. Must not be edited to please a decoder.

use serde_json::Value;

/// The file itself: one event a line.
pub const EVENTS_NDJSON: &str = include_str!("../fixtures/telemetry-events.ndjson");

/// The events of the file in its order.
pub fn events() -> Vec<Value> {
    EVENTS_NDJSON
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_file_is_an_event() {
        let events = events();
        assert_eq!(events.len(), EVENTS_NDJSON.lines().count());
        for event in events {
            assert!(
                event["time"].is_string()
                    && event["type"].is_string()
                    && !event["record"].is_null(),
                "{event}"
            );
        }
    }
}
