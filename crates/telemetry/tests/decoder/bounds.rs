//! What a hostile body may cost, and how much Lambda says it has lost.

use backstop_telemetry::{Event, Kind, MALFORMED, MOST_ELEMENTS, Platform, decode};
use bytes::Bytes;
use serde_json::{Value, json};

const RECEIVED: &str = "2026-01-01T00:00:00.000Z";
/// A quarter of the largest body that the listener takes: this runs without optimisation.
const BODY: usize = 1024 * 1024;

fn decoded(body: &[u8]) -> Vec<Event> {
    decode(&Bytes::copy_from_slice(body), RECEIVED).collect()
}

fn object(event: &Event) -> Value {
    let line = format!("{{{}}}", std::str::from_utf8(&event.fragment).unwrap());
    serde_json::from_str(&line).unwrap()
}

/// An array with this element repeated.
fn array(element: &str, count: usize) -> Vec<u8> {
    format!("[{}]", vec![element; count].join(",")).into_bytes()
}

#[test]
fn beyond_the_bound_on_elements_the_rest_is_one_record_of_text() {
    for element in [
        "1",
        "{}",
        r#"{"time":"t","type":"function","record":0}"#,
        "[[],[]]",
        r#"{"time":x}"#,
    ] {
        let events = decoded(&array(element, MOST_ELEMENTS));
        assert_eq!(events.len(), MOST_ELEMENTS, "{element}");
        let events = decoded(&array(element, MOST_ELEMENTS + 3));
        assert_eq!(events.len(), MOST_ELEMENTS + 1, "{element}");
        let rest = events.last().unwrap();
        assert_eq!(rest.kind, Kind::Malformed);
        let text = [element; 3].join(",");
        let text = text.trim_end_matches(']');
        assert_eq!(
            object(rest),
            json!({"time": RECEIVED, "type": MALFORMED, "record": text})
        );
    }
}

#[test]
fn nothing_is_decoded_before_it_is_asked_for() {
    let body = Bytes::from(array("1", BODY / 2 - 1));
    let mut events = decode(&body, RECEIVED);
    assert_eq!(object(&events.next().unwrap())["record"], 1);
    assert_eq!(events.count(), MOST_ELEMENTS);
}

#[test]
fn any_body_becomes_a_small_multiple_of_itself() {
    let fill = |unit: &str| unit.repeat(BODY / unit.len());
    let in_array = |unit: &str| format!("[{}]", fill(unit));
    let string = |content: &str| {
        format!(
            r#"[{{"time":"t","type":"function","record":"{}"}}]"#,
            fill(content)
        )
    };
    // How many bytes of text a byte of it becomes at most: a control character is six.
    let cases: [(Vec<u8>, usize); 14] = [
        (in_array("1,").into(), 2),
        (in_array("{},").into(), 2),
        (in_array(r#"{"time":"","type":"","record":0},"#).into(), 2),
        (
            in_array(r#"{"type":"platform.logsDropped","record":{"droppedRecords":1}},"#).into(),
            2,
        ),
        (fill(r#"[{"time":"#).into(), 2),
        (fill(r#"{"time":["#).into(), 2),
        (fill("[").into(), 2),
        (fill(r#"{"a":"#).into(), 2),
        (vec![0xff; BODY], 3),
        (b"\xff,".repeat(BODY / 2), 3),
        (in_array("\n").into(), 1),
        (vec![0; BODY], 6),
        (string("\\u0000").into(), 1),
        (string("\\ud800").into(), 1),
    ];
    for (body, factor) in cases {
        let shown = String::from_utf8_lossy(&body[..30]).into_owned();
        let events = decoded(&body);
        assert!(events.len() <= MOST_ELEMENTS + 1, "{shown}");
        let written: usize = events.iter().map(|event| event.fragment.len()).sum();
        // What surrounds the text of each element, and is not in the body.
        let around = events.len() * 100;
        assert!(
            written <= body.len() * factor + around,
            "{shown}: {written} bytes"
        );
    }
}

#[test]
fn broken_elements_are_read_in_vain_a_bounded_number_of_times() {
    // Each of these goes on to the end of the body before it turns out to be broken: four do.
    let body = r#"{"time":["#.repeat(20_000);
    let events = decoded(body.as_bytes());
    assert_eq!(events.len(), 5);
    let kept: usize = events
        .iter()
        .map(|event| object(event)["record"].as_str().unwrap().len())
        .sum();
    assert_eq!(kept, body.len(), "all of it is kept");
    // One that is noticed at once is no reason to stop.
    let body = r#"{"time":x},{"time":"t","type":"function","record":1},"#.repeat(2_000);
    let events = decoded(body.as_bytes());
    let good = events.iter().filter(|event| event.kind == Kind::Function);
    assert_eq!((events.len(), good.count()), (4_000, 2_000));
}

#[test]
fn small_elements_share_allocations() {
    let events = decoded(&array("1", 1000));
    let neighbours = events
        .windows(2)
        .filter(|pair| pair[0].fragment.as_ptr_range().end == pair[1].fragment.as_ptr());
    assert!(neighbours.count() > 900);
}

#[test]
fn what_lambda_dropped_is_counted_however_it_says_so() {
    let known = |records| Platform::LogsDropped {
        records,
        is_known: true,
    };
    let unknown = Platform::LogsDropped {
        records: 1,
        is_known: false,
    };
    let cases = [
        (
            r#"{"droppedRecords":123,"droppedBytes":12345,"reason":"r"}"#,
            known(123),
        ),
        (
            r#"{"droppedRecords":123,"requestId":7,"droppedBytes":"x","reason":null,"new":[{}]}"#,
            known(123),
        ),
        (r#"{"droppedRecords":"123"}"#, known(123)),
        (r#"{"droppedRecords":" 123 "}"#, known(123)),
        (r#"{"droppedRecords":12.0}"#, known(12)),
        (r#"{"droppedRecords":12.2}"#, known(13)),
        (r#"{"droppedRecords":1e3}"#, known(1000)),
        (
            r#"{"droppedRecords":18446744073709551615}"#,
            known(u64::MAX),
        ),
        (
            r#"{"droppedRecords":18446744073709551616}"#,
            known(u64::MAX),
        ),
        (r#"{"droppedRecords":1e300}"#, known(u64::MAX)),
        (r#"{"droppedRecords":0}"#, known(0)),
        (r#"{"dropped\u0052ecords":5}"#, known(5)),
        (r#"{"droppedRecords":null,"droppedRecords":5}"#, known(5)),
        (r#"{"droppedRecords":-5}"#, unknown.clone()),
        (r#"{"droppedRecords":null}"#, unknown.clone()),
        (r#"{"droppedRecords":true}"#, unknown.clone()),
        (r#"{"droppedRecords":"many"}"#, unknown.clone()),
        (r#"{"droppedRecords":"inf"}"#, unknown.clone()),
        (r#"{"droppedRecords":[5]}"#, unknown.clone()),
        (r#"{"droppedBytes":5}"#, unknown.clone()),
        ("{}", unknown.clone()),
        ("null", unknown.clone()),
        (r#""droppedRecords: 5""#, unknown.clone()),
        ("[]", unknown),
    ];
    for (record, expected) in cases {
        let body = format!(r#"[{{"time":"t","type":"platform.logsDropped","record":{record}}}]"#);
        let event = decoded(body.as_bytes()).remove(0);
        assert_eq!(event.kind, Kind::Platform(expected), "{record}");
    }
}

#[test]
fn an_odd_member_of_a_platform_event_costs_no_other() {
    let body = br#"[{"time":"t","type":"platform.runtimeDone","record":{"metrics":7,"requestId":"r-1","status":[]}},
        {"time":"t","type":"platform.report","record":{"requestId":7,"requestId":"r-1"}}]"#;
    let request_id = "r-1".to_owned();
    let kinds: Vec<Kind> = decoded(body).into_iter().map(|event| event.kind).collect();
    let expected = [
        Platform::RuntimeDone {
            request_id: request_id.clone(),
            time: "t".to_owned(),
        },
        Platform::Report { request_id },
    ];
    assert_eq!(kinds, expected.map(Kind::Platform));
}
