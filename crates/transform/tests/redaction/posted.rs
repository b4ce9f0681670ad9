//! What the function posts by OTLP: every text and attribute is redacted, and ids and times stay.

use backstop_transform::Outcome;
use serde_json::Value;

use crate::{fragment, redacted, redacted_of, redacting, transforms};

#[test]
fn what_the_function_posts_is_redacted_in_every_text_and_stays_what_it_is() {
    let mut transforms = redacting("email,card");
    let record = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"host","value":{"stringValue":"a@example.com"}}]},"scopeLogs":[{"scope":{"name":"b@example.com"},"logRecords":[{"timeUnixNano":"1767225600123456789","severityNumber":9,"body":{"stringValue":"by c@example.com"},"attributes":[{"key":"deep","value":{"kvlistValue":{"values":[{"key":"d@example.com","value":{"arrayValue":{"values":[{"stringValue":"e@example.com"},{"intValue":"4111111111111111"}]}}}]}}}]}]}]}]}"#;
    let left = redacted(&mut transforms, record);
    assert!(
        !left.contains("@example.com") && !left.contains("4111"),
        "{left}"
    );
    let value: Value = serde_json::from_str(&left).unwrap();
    let log = &value["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert_eq!(log["timeUnixNano"], "1767225600123456789");
    assert_eq!(log["severityNumber"], 9);
}

#[test]
fn ids_and_times_of_posted_items_stay_as_they_are() {
    // Each passes Luhn's check, and is as long as a card's number.
    let (span, trace, time) = (
        "4111111111111111",
        "41111111111111114111111111111111",
        "4242424242424242",
    );
    let item = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{trace}","spanId":"{span}","parentSpanId":"{span}","name":"x","startTimeUnixNano":"{time}","endTimeUnixNano":{time},"links":[{{"traceId":"{trace}","spanId":"{span}"}}]}}]}}]}}]}}"#
    );
    for what in ["all", "card", "own=/4[0-9]+/"] {
        let left = redacted_of(&mut redacting(what), "otlp.traces", &item);
        assert_eq!(left, item, "{what}");
    }
    // Other text in their place, other members and other records are redacted.
    for (kind, record) in [
        ("otlp.traces", r#"{"spanId":"card 4111111111111111"}"#),
        ("otlp.traces", r#"{"traceId":"4111111111111111"}"#),
        ("otlp.traces", r#"{"timeUnixNano":"4111-1111-1111-1111"}"#),
        (
            "otlp.traces",
            r#"{"key":"spanId","value":{"stringValue":"4111111111111111"}}"#,
        ),
        (
            "otlp.traces",
            r#"{"stringValue":"{\"spanId\":\"4111111111111111\"}"}"#,
        ),
        ("function", r#"{"spanId":"4111111111111111"}"#),
    ] {
        let left = redacted_of(&mut redacting("card"), kind, record);
        assert!(!left.contains("1111"), "{left}");
    }
}

/// A log with this attribute, and others around it.
fn log_with(attribute: &str) -> String {
    format!(
        r#"{{"resourceLogs":[{{"resource":{{"attributes":[{attribute}]}},"scopeLogs":[{{"scope":{{"attributes":[{attribute}]}},"logRecords":[{{"body":{{"kvlistValue":{{"values":[{attribute}]}}}},"attributes":[{{"key":"order","value":{{"intValue":"7"}}}},{attribute},{{"key":"deep","value":{{"kvlistValue":{{"values":[{attribute}]}}}}}}]}}]}}]}}]}}"#
    )
}

#[test]
fn a_field_path_reaches_the_attributes_of_posted_items() {
    let kept = |key: &str| format!(r#"{{"key":"{key}","value":{{"stringValue":"[redacted]"}}}}"#);
    for (path, key, value) in [
        (
            "record.password",
            "password",
            r#"{"stringValue":"hunter2"}"#,
        ),
        (
            "record.*.password",
            "password",
            r#"{"stringValue":"hunter2"}"#,
        ),
        (
            "record.user.email",
            "user.email",
            r#"{"stringValue":"hunter2"}"#,
        ),
        (
            "record.user.email",
            "email",
            r#"{"stringValue":"a@b.co, hunter2"}"#,
        ),
        ("record.pin", "pin", r#"{"intValue":"48151623"}"#),
        (
            "record.all",
            "all",
            r#"{"arrayValue":{"values":[{"stringValue":"hunter2"}]}}"#,
        ),
        (
            "record.all",
            "all",
            r#"{"kvlistValue":{"values":[{"key":"x","value":{"boolValue":true}}]}}"#,
        ),
    ] {
        let item = log_with(&format!(r#"{{"key":"{key}","value":{value}}}"#));
        for what in [path, &format!("all,{path}")] {
            let mut transforms = redacting(what);
            let left = redacted_of(&mut transforms, "otlp.logs", &item);
            assert_eq!(left, log_with(&kept(key)), "{what}");
            let count = transforms.redacted().last().map(|(_, count)| *count);
            assert_eq!(count, Some(5), "{what}");
        }
        // A function's own `key` and `value` are members like others.
        assert_eq!(redacted(&mut redacting(path), &item), item);
        let other = log_with(&format!(
            r#"{{"key":"x{key}","value":{{"boolValue":true}}}}"#
        ));
        assert_eq!(
            redacted_of(&mut redacting(path), "otlp.logs", &other),
            other
        );
    }
    // Points, events, links, and JSON that a text holds.
    for (kind, item) in [
        (
            "otlp.metrics",
            r#"{"dataPoints":[{"attributes":[{"key":"password","value":{"stringValue":"hunter2"}}],"exemplars":[{"filteredAttributes":[{"key":"password","value":{"stringValue":"hunter2"}}]}]}]}"#,
        ),
        (
            "otlp.traces",
            r#"{"events":[{"attributes":[{"key":"password","value":{"stringValue":"hunter2"}}]}],"links":[{"attributes":[{"value":{"stringValue":"hunter2"},"key":"password"}]}]}"#,
        ),
        (
            "otlp.logs",
            r#"{"body":{"stringValue":"INFO {\"password\":\"hunter2\"}"}}"#,
        ),
    ] {
        let left = redacted_of(&mut redacting("record.password"), kind, item);
        assert_eq!(left, item.replace("hunter2", "[redacted]"), "{kind}");
    }
}

#[test]
fn a_field_rule_of_the_filter_reaches_the_attributes_of_posted_items() {
    let rules = "drop record.http.route=/health; drop record.tries=3; drop record.note~/^ping$/";
    let mut transforms = transforms(&[("BACKSTOP_FILTER", rules)]);
    for (attribute, is_dropped) in [
        (
            r#"{"key":"http.route","value":{"stringValue":"/health"}}"#,
            true,
        ),
        (
            r#"{"key":"http.route","value":{"stringValue":"/orders"}}"#,
            false,
        ),
        // A rule names all of a key: a part of it would drop too much.
        (
            r#"{"key":"route","value":{"stringValue":"/health"}}"#,
            false,
        ),
        (r#"{"key":"tries","value":{"intValue":"3"}}"#, true),
        (r#"{"key":"tries","value":{"intValue":3}}"#, true),
        (r#"{"key":"note","value":{"stringValue":"ping"}}"#, true),
    ] {
        let item = fragment("otlp.logs", &log_with(attribute));
        let outcome = transforms.apply(item.as_bytes());
        assert_eq!(
            matches!(outcome, Outcome::Drop(_)),
            is_dropped,
            "{attribute}"
        );
    }
}
