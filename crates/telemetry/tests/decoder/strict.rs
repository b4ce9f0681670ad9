//! What leaves is JSON that strict readers take, whatever came in.

use backstop_telemetry::{Event, Kind, MALFORMED, decode};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

const RECEIVED: &str = "2026-01-01T00:00:00.000Z";
const GOOD: &str = r#"{"time":"t","type":"function","record":"good"}"#;

fn decoded(body: &[u8]) -> Vec<Event> {
    decode(&Bytes::copy_from_slice(body), RECEIVED).collect()
}

/// The fragment between braces, as `serde_json` reads it when it reads everything.
fn object(event: &Event) -> Value {
    let line = format!("{{{}}}", std::str::from_utf8(&event.fragment).unwrap());
    assert!(!line.contains(['\n', '\r']), "not on one line: {line}");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// The one event between two good ones.
fn between_good(element: &[u8]) -> Event {
    let mut events = decoded(
        &[
            b"[",
            GOOD.as_bytes(),
            b",",
            element,
            b",",
            GOOD.as_bytes(),
            b"]",
        ]
        .concat(),
    );
    assert_eq!(events.len(), 3, "{}", String::from_utf8_lossy(element));
    for good in [&events[0], &events[2]] {
        assert_eq!(object(good)["record"], "good");
    }
    events.remove(1)
}

fn with_record(record: &str) -> String {
    format!(r#"{{"time":"t","type":"function","record":{record}}}"#)
}

#[test]
fn half_a_surrogate_pair_becomes_the_replacement_character() {
    let cases = [
        (r#""cut \ud83d""#, r#""cut \ufffd""#),
        (r#""\ude00 cut""#, r#""\ufffd cut""#),
        (r#""\uD83D""#, r#""\ufffd""#),
        (r#""whole \ud83d\ude00""#, r#""whole \ud83d\ude00""#),
        (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
        (r#""\ude00\ud83d""#, r#""\ufffd\ufffd""#),
        (r#""\ud83d\n\ude00""#, r#""\ufffd\n\ufffd""#),
        (r#""not one: \\ud83d""#, r#""not one: \\ud83d""#),
        (r#""\\\ud83d""#, r#""\\\ufffd""#),
        (r#"["\ud83d","\ude00"]"#, r#"["\ufffd","\ufffd"]"#),
        (r#"{"\ud83d":"\ude00"}"#, r#"{"\ufffd":"\ufffd"}"#),
        (
            r#"{"a":{"b":[{"\udfff":1}]}}"#,
            r#"{"a":{"b":[{"\ufffd":1}]}}"#,
        ),
        (r#""\u0000\uffff""#, r#""\u0000\uffff""#),
    ];
    for (record, expected) in cases {
        let event = between_good(with_record(record).as_bytes());
        let expected = format!(r#""time":"t","type":"function","record":{expected}"#);
        assert_eq!(event.fragment, expected.as_bytes());
        assert_eq!(event.kind, Kind::Function);
        object(&event);
    }
}

#[test]
fn it_does_so_in_every_member_and_in_what_is_no_event() {
    let cases = [
        (
            r#"{"time":"\ud800","type":"function","record":1}"#,
            json!({"time": "\u{fffd}", "type": "function", "record": 1}),
        ),
        (
            r#"{"time":"t","type":"odd \udc00","record":1}"#,
            json!({"time": "t", "type": "odd \u{fffd}", "record": 1}),
        ),
        (
            r#"{"\ud800":"\ud800","type":"function","record":"\ud800"}"#,
            json!({"time": RECEIVED, "type": "function", "record": "\u{fffd}"}),
        ),
        (
            r#"{"no":"\ud800"}"#,
            json!({"time": RECEIVED, "type": MALFORMED, "record": {"no": "\u{fffd}"}}),
        ),
        (
            r#""\ud800""#,
            json!({"time": RECEIVED, "type": MALFORMED, "record": "\u{fffd}"}),
        ),
    ];
    for (element, expected) in cases {
        assert_eq!(
            object(&between_good(element.as_bytes())),
            expected,
            "{element}"
        );
    }
}

#[test]
fn what_is_not_json_is_kept_as_text_and_costs_nothing_else() {
    let records = [
        r#""\x""#,
        r#""\u12""#,
        r#""\u12g4""#,
        r#""\ud83d\u12""#,
        "\"a\tb\"",
        "\"a\nb\"",
        "\"a\0b\"",
        "NaN",
        "Infinity",
        "-Infinity",
        "[nan]",
        "-",
        "+1",
        "01",
        "-01",
        "1.",
        ".5",
        "1.e5",
        "1e",
        "1e+",
        "0x10",
        "1_000",
        "tru",
        "True",
        "nulll",
        "'single'",
        "{a:1}",
        r#"{"a":1,}"#,
        "[1,]",
        "[,1]",
        "[1 2]",
        r#"{"a" 1}"#,
        r#"{"a":1 "b":2}"#,
        r"{1:2}",
        "// comment\n1",
        "\u{feff}1",
        "",
    ];
    for record in records {
        let element = with_record(record);
        let event = between_good(element.as_bytes());
        assert_eq!(event.kind, Kind::Malformed, "{element}");
        assert_eq!(
            object(&event),
            json!({"time": RECEIVED, "type": MALFORMED, "record": element})
        );
    }
}

#[test]
fn what_is_json_and_yet_refused_by_readers_is_kept_as_text_too() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let objects = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    let text_of = |element: &str| json!({"time": RECEIVED, "type": MALFORMED, "record": element});
    // A line is one level more, and 127 levels are what serde_json takes.
    for record in [
        nested(126),
        objects(126),
        "1.7976931348623157e308".to_owned(),
        "1e-999".to_owned(),
    ] {
        let event = between_good(with_record(&record).as_bytes());
        assert_eq!(event.kind, Kind::Function, "{record}");
        object(&event);
    }
    let too_much = [
        nested(127),
        objects(127),
        nested(100_000),
        "1e309".to_owned(),
        "-1e999".to_owned(),
        "1e99999999999999999999".to_owned(),
        "9".repeat(400),
        "[1,{\"a\":[1E+400]}]".to_owned(),
    ];
    for record in too_much {
        let element = with_record(&record);
        assert_eq!(object(&between_good(element.as_bytes())), text_of(&element));
    }
    // What is no event is a record in whole, and its own object is a level as well.
    let element = format!(r#"{{"no":{}}}"#, nested(125));
    assert!(object(&between_good(element.as_bytes()))["record"].is_object());
    let element = format!(r#"{{"no":{}}}"#, nested(126));
    assert_eq!(object(&between_good(element.as_bytes())), text_of(&element));
}

#[test]
fn what_is_odd_and_harmless_passes_as_it_is() {
    let records = [
        r#"{"a":1,"a":2}"#,
        "-0",
        "1E+2",
        "123456789012345678901234567890",
        r#""\u0000\/\b""#,
        "\"\u{feff}\u{2028}\u{7f}\"",
    ];
    for record in records {
        let event = between_good(with_record(record).as_bytes());
        let expected = format!(r#""time":"t","type":"function","record":{record}"#);
        assert_eq!(event.fragment, expected.as_bytes());
        object(&event);
    }
}

#[test]
fn a_byte_order_mark_before_the_body_is_no_element() {
    let body = format!("\u{feff}[{GOOD}]");
    let events = decoded(body.as_bytes());
    assert_eq!(events.len(), 1);
    assert_eq!(object(&events[0])["record"], "good");
}

#[test]
fn broken_utf8_costs_its_characters_and_nothing_else() {
    let cases: [(&[u8], Value); 4] = [
        (
            b"{\"time\":\"t\",\"type\":\"function\",\"record\":\"\xff \xe2\x82\"}",
            json!({"time": "t", "type": "function", "record": "\u{fffd} \u{fffd}"}),
        ),
        (
            b"{\"time\":\"\xff\",\"type\":\"\xc0\x80\",\"record\":{\"\xed\xa0\x80\":1}}",
            json!({"time": "\u{fffd}", "type": "\u{fffd}\u{fffd}", "record": {"\u{fffd}\u{fffd}\u{fffd}": 1}}),
        ),
        (
            b"\xff\xfe",
            json!({"time": RECEIVED, "type": MALFORMED, "record": "\u{fffd}\u{fffd}"}),
        ),
        (
            b"{\"no\":\"\xff\"}",
            json!({"time": RECEIVED, "type": MALFORMED, "record": {"no": "\u{fffd}"}}),
        ),
    ];
    for (element, expected) in cases {
        assert_eq!(object(&between_good(element)), expected);
    }
}

/// Pieces of which bodies are made that nearly are JSON.
const PIECES: [&[u8]; 40] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\",
    b" ",
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b"\xe2\x82",
    b"\\ud83d",
    b"\\ude00",
    b"\\u12",
    b"\\\"",
    b"\\\\",
    b"\\x",
    b"0",
    b"1",
    b"-",
    b".",
    b"e999",
    b"1e5",
    b"null",
    b"true",
    b"NaN",
    b"text",
    "\u{feff}".as_bytes(),
    b"\"time\":",
    b"\"type\":",
    b"\"record\":",
    b"\"time\":\"t\",",
    b"\"type\":\"function\",",
    b"\"type\":\"platform.logsDropped\",",
    b"\"droppedRecords\":",
    b"{\"time\":\"t\",\"type\":\"function\",\"record\":",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];

proptest! {
    #[test]
    fn pieces_of_json_decode_to_lines_that_strict_readers_take(pieces in proptest::collection::vec(prop::sample::select(&PIECES[..]), 0..40)) {
        let body = pieces.concat();
        for event in decoded(&body) {
            object(&event);
        }
        // Inside a record, where most of it can be.
        let mut element = b"{\"time\":\"t\",\"type\":\"function\",\"record\":\"".to_vec();
        element.extend(body);
        element.extend(b"\"}");
        for event in decoded(&element) {
            object(&event);
        }
    }
}
