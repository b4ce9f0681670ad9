//! What the decoder keeps of good, odd and broken batches.

use backstop_telemetry::{Event, Kind, MALFORMED, Platform, decode};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

const FIXTURES: &str = include_str!("../../../simulator/fixtures/telemetry-events.ndjson");
const RECEIVED: &str = "2026-01-01T00:00:00.000Z";

fn decoded(body: impl AsRef<[u8]>) -> Vec<Event> {
    decode(&Bytes::copy_from_slice(body.as_ref()), RECEIVED).collect()
}

/// The fragment as the object it becomes between braces, by a reader that is strict.
fn object(event: &Event) -> Value {
    let line = format!("{{{}}}", std::str::from_utf8(&event.fragment).unwrap());
    assert!(!line.contains(['\n', '\r']), "not on one line: {line}");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn every_documented_event_passes_unchanged() {
    let lines: Vec<Value> = FIXTURES
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let events = decoded(format!(
        "[{}]",
        FIXTURES.lines().collect::<Vec<_>>().join(",")
    ));
    assert_eq!(events.iter().map(object).collect::<Vec<_>>(), lines);
    assert!(events.iter().all(|event| event.kind != Kind::Malformed));
}

#[test]
fn the_usual_spelling_is_sliced_and_not_copied() {
    let body = Bytes::from_static(br#"[{"time":"t","type":"function","record":"hello"}]"#);
    let event = decode(&body, RECEIVED).next().unwrap();
    assert!(body.as_ptr_range().contains(&event.fragment.as_ptr()));
}

#[test]
fn platform_events_that_the_lifecycle_acts_on_are_recognised() {
    let platform = |name: &str, record: &str| {
        let body = format!(r#"[{{"time":"t","type":"platform.{name}","record":{record}}}]"#);
        decoded(&body).remove(0).kind
    };
    let request_id = "r-1".to_owned();
    let cases = [
        (
            "runtimeDone",
            r#"{"requestId":"r-1","status":"timeout"}"#,
            Platform::RuntimeDone {
                request_id: request_id.clone(),
                time: "t".to_owned(),
            },
        ),
        (
            "report",
            r#"{"requestId":"r-1","metrics":{"durationMs":1.1}}"#,
            Platform::Report { request_id },
        ),
        (
            "report",
            "7",
            Platform::Report {
                request_id: String::new(),
            },
        ),
        ("restoreStart", "{}", Platform::RestoreStart),
        ("somethingNew", "null", Platform::Other),
    ];
    for (name, record, expected) in cases {
        assert_eq!(
            platform(name, record),
            Kind::Platform(expected),
            "{name} {record}"
        );
    }
}

#[test]
fn our_own_lines_are_told_from_those_of_other_extensions() {
    let kind = |record: &str| {
        decoded(format!(
            r#"[{{"time":"t","type":"extension","record":{record}}}]"#
        ))
        .remove(0)
        .kind
    };
    assert_eq!(
        kind(r#""{\"backstop\":{\"level\":\"WARN\"}}\n""#),
        Kind::OwnLine
    );
    assert_eq!(kind(r#"{"backstop":{"level":"WARN"}}"#), Kind::OwnLine);
    assert_eq!(kind(r#""[backstop] not ours""#), Kind::Extension);
}

#[test]
fn a_broken_or_odd_element_costs_nothing_else() {
    let good = r#"{"time":"t","type":"function","record":"good"}"#;
    // What stands between two good elements, and the records of type backstop.malformed it becomes.
    let cases: [(&str, Vec<Value>); 13] = [
        (
            "{\"time\":\"t\",\"type\":\"function\",\"record\":\"unterminated",
            vec![json!(
                "{\"time\":\"t\",\"type\":\"function\",\"record\":\"unterminated"
            )],
        ),
        (
            "{\"time\":\"t\",\"type\":\"function\",\"record\":{\"a\":}}",
            vec![json!(
                "{\"time\":\"t\",\"type\":\"function\",\"record\":{\"a\":}}"
            )],
        ),
        ("{\"time\":", vec![json!("{\"time\":")]),
        ("42", vec![json!(42)]),
        ("null", vec![json!(null)]),
        ("nonsense", vec![json!("nonsense")]),
        (r#"{"type":"function"}"#, vec![json!({"type":"function"})]),
        (
            r#"{"time":"t","record":"untyped"}"#,
            vec![json!({"time":"t","record":"untyped"})],
        ),
        (
            r#"{"time":"t","type":7,"record":1}"#,
            vec![json!({"time":"t","type":7,"record":1})],
        ),
        (
            r#"{"time":"t","time":"u","type":"function","record":"twice"}"#,
            vec![json!({"time":"u","type":"function","record":"twice"})],
        ),
        ("[]", vec![json!([])]),
        ("[[],[1]]", vec![json!([[], [1]])]),
        ("", vec![]),
    ];
    for (odd, expected) in cases {
        let events = decoded(format!("[{good},{odd},{good}]"));
        let (first, rest) = events.split_first().unwrap();
        let (last, middle) = rest.split_last().unwrap();
        for event in [first, last] {
            assert_eq!(object(event)["record"], "good", "beside {odd}");
        }
        for event in middle {
            assert_eq!(
                (object(event)["type"].clone(), &event.kind),
                (json!(MALFORMED), &Kind::Malformed)
            );
        }
        let kept: Vec<Value> = middle
            .iter()
            .map(|event| object(event)["record"].clone())
            .collect();
        assert_eq!(kept, expected, "{odd}");
    }
}

/// Where an object of a function's line stands alone, after something that is not JSON, nobody can tell it from an
/// event: it says so.
#[test]
fn what_follows_a_broken_element_may_be_a_part_of_it() {
    let start = r#"{"time":"t","type":"platform.start","record":{"requestId":"r"}}"#;
    let broken = format!(r#"{{"time":"t","type":"function","record":{{"x" "y":{start}}}}}"#);
    let events = decoded(format!("[{start},{broken},{start}]"));
    let seen: Vec<(bool, bool)> = events
        .iter()
        .map(|event| (matches!(event.kind, Kind::Platform(_)), event.is_astray))
        .collect();
    assert_eq!(seen.first(), Some(&(true, false)));
    assert!(seen.contains(&(true, true)), "{seen:?}");
    assert!(!seen[1..].contains(&(true, false)), "{seen:?}");
}

#[test]
fn what_is_not_an_array_is_kept_all_the_same() {
    let record = |body: &[u8]| {
        let events = decoded(body);
        assert_eq!(events.len(), 1, "{body:?}");
        object(&events[0])["record"].clone()
    };
    assert_eq!(
        record(br#"{"time":"t","type":"function","record":"alone"}"#),
        "alone"
    );
    assert_eq!(
        record(b"[{\"time\":\"t\",\"type\":\"function\",\"record\":\"cut"),
        json!("{\"time\":\"t\",\"type\":\"function\",\"record\":\"cut")
    );
    assert_eq!(
        record(b"[{\"time\":\"t\",\"type\":\"function\",\"record\":\"\xff\"}]"),
        "\u{fffd}"
    );
    assert_eq!(
        decoded("").len() + decoded("[]").len() + decoded(" [ ] ").len(),
        0
    );
    assert_eq!(record(b"[[]]"), json!([]));
    let lines = "{\"time\":\"t\",\"type\":\"function\",\"record\":1}\n{\"time\":\"t\",\"type\":\"function\",\"record\":2}\n";
    assert_eq!(
        decoded(lines)
            .iter()
            .map(|event| object(event)["record"].clone())
            .collect::<Vec<_>>(),
        [1, 2]
    );
}

#[test]
fn a_missing_time_becomes_the_time_of_receipt_and_line_breaks_become_spaces() {
    let event = decoded("[{\n \"type\" : \"function\",\r\n \"record\" : {\n\"a\": 1}}]").remove(0);
    assert_eq!(
        object(&event),
        json!({"time": RECEIVED, "type": "function", "record": {"a": 1}})
    );
}

proptest! {
    #[test]
    fn any_bytes_decode_to_single_line_json(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        for event in decoded(body) {
            object(&event);
        }
    }

    #[test]
    fn good_elements_survive_any_cut_or_flip(records in proptest::collection::vec(".{0,20}", 1..6), position in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let elements: Vec<String> = records
            .iter()
            .map(|record| format!(r#"{{"time":"t","type":"function","record":{}}}"#, json!(record)))
            .collect();
        let mut body = format!("[{}]", elements.join(",")).into_bytes();
        let at = position.index(body.len());
        body[at] = byte;
        // The element that was hit may take the one before or after it along, but no more.
        let kept = decoded(body);
        for event in &kept { object(event); }
        prop_assert!(kept.len() + 2 >= elements.len());
    }
}
