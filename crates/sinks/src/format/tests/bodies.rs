//! What each format makes of the same records.

use std::fmt::Write as _;

use backstop_delivery::Unfit;

use super::decode::decode;
use super::*;

/// One of each kind.
fn kinds() -> Vec<String> {
    let report = format!(
        r#"{{"requestId":"{REQUEST}","metrics":{{"durationMs":12.5,"billedDurationMs":13,"memorySizeMB":128,"maxMemoryUsedMB":70}},"status":"success"}}"#
    );
    let json = format!(
        r#"{{"timestamp":"2026-01-01T00:00:00.456Z","level":"ERROR","requestId":"{REQUEST}","message":"boom \"quoted\"","trace_id":"62e900b2710d76f009d6e7785905449a","span_id":"0efbd19962d95b05","order":{{"id":7,"tags":["a",null,true,1.5]}},"type":"mine"}}"#
    );
    vec![
        event("function", r#""plain text\n""#),
        event(
            "function",
            &format!(r#""2026-01-01T00:00:00.000Z\t{REQUEST}\tWARN\tcareful\n""#),
        ),
        event("function", &json),
        event("function", r#""\n""#),
        event("function", "{}"),
        event("platform.report", &report),
        event("extension", r#""üñí\u0000\ud83d\ude00""#),
    ]
}

#[test]
fn each_format_carries_each_kind_of_record() {
    let kinds = kinds();
    for (name, is_json, format) in formats() {
        let (plain, written) = body(&*format, &items(&kinds), Compression::None);
        assert_eq!(
            written,
            Written {
                covers: kinds.len(),
                unfit: Vec::new()
            }
        );
        let mut shown = String::new();
        for stored in decode(name, is_json, &plain) {
            writeln!(
                shown,
                "{:?} {:?} {:?}\n{:#}",
                stored.id, stored.text, stored.request_id, stored.whole
            )
            .expect("it is text");
        }
        let encoding = if is_json { "_json" } else { "" };
        insta::assert_snapshot!(format!("{}{encoding}", name.as_str()), shown);
    }
}

#[test]
fn what_was_archived_makes_the_same_body() {
    let kinds = kinds();
    let lines = archived(&kinds);
    let lines: Vec<Item<'_>> = lines.iter().map(|line| Item::archived(line)).collect();
    for (name, _, format) in formats() {
        let live = body(&*format, &items(&kinds), Compression::Gzip);
        let replayed = body(&*format, &lines, Compression::Gzip);
        assert!(live == replayed, "{name:?}");
    }
}

/// Lambda writes none beside text: the extension adds it.
#[test]
fn a_request_id_that_was_added_is_the_records_in_each_format() {
    const OWN: &str = "9286a188-ba32-4475-8077-530cd35c09a9";
    let added = format!(r#","request_id":"{REQUEST}""#);
    let text = event("function", r#""hello""#);
    // The request id in the log itself overrides it.
    let json = event(
        "function",
        &format!(r#"{{"requestId":"{OWN}","message":"m"}}"#),
    );
    for (name, is_json, format) in formats() {
        let (plain, _) = body(
            &*format,
            &[item_with(1, &text, &added), item_with(2, &json, &added)],
            Compression::None,
        );
        let stored = decode(name, is_json, &plain);
        let ids: Vec<&str> = stored.iter().map(|it| &*it.request_id).collect();
        // Whole lines say both, each at its place.
        let of_log = match name {
            Name::Ndjson | Name::Json => REQUEST,
            _ => OWN,
        };
        assert_eq!(ids, [REQUEST, of_log], "{name:?}");
    }
}

#[test]
fn records_of_several_resources_stay_apart() {
    let kinds = vec![event("function", r#""one""#), event("function", r#""two""#)];
    let other = RESOURCE.replace("orders", "payments");
    for (name, is_json, format) in formats() {
        let mut mixed = items(&kinds);
        mixed[1].resource = Bytes::from(other.clone());
        let (plain, _) = body(&*format, &mixed, Compression::None);
        let stored = decode(name, is_json, &plain);
        assert_eq!(stored.len(), 2, "{name:?}");
        assert!(stored[0].whole.to_string().contains("orders"), "{name:?}");
        assert!(!stored[1].whole.to_string().contains("orders"), "{name:?}");
    }
}

/// The formats with their limits: records, bytes of one record, and bytes of a body.
const LIMITS: [(Name, usize, usize, usize); 6] = [
    (Name::Otlp, 10_000, 4 * 1024 * 1024, 4 * 1024 * 1024),
    (Name::Elastic, 2_000, 5_000_000, 5_000_000),
    (Name::Loki, 10_000, 256_000, 4_000_000),
    (Name::Splunk, 10_000, 1_000_000, 1_000_000),
    (Name::Datadog, 1_000, 1_000_000, 4_250_000),
    (Name::NewRelic, 10_000, 900_000, 900_000),
];

#[test]
fn a_body_keeps_within_the_formats_limits_and_the_rest_makes_another() {
    for (name, most, record, bytes) in LIMITS {
        let format = logs_of(&primary(name, FormatOptions::default()));
        let small = vec![event("function", r#""x""#); most + 1];
        let (plain, written) = body(&*format, &items(&small), Compression::None);
        assert!(plain.len() <= bytes, "{name:?}");
        assert!(
            written.covers <= most && written.unfit.is_empty(),
            "{name:?}"
        );
        let text = "x".repeat(record / 4);
        let large = vec![event("function", &format!(r#""{text}""#)); 80];
        let (plain, written) = body(&*format, &items(&large), Compression::None);
        assert!(
            plain.len() <= bytes && plain.len() > bytes / 2,
            "{name:?}: {}",
            plain.len()
        );
        assert_eq!(
            decode(name, false, &plain).len(),
            written.covers,
            "{name:?}"
        );
        assert!(written.covers < 80 && written.unfit.is_empty(), "{name:?}");
    }
}

#[test]
fn a_record_that_is_larger_than_the_receiver_takes_is_unfit_and_its_neighbours_are_not() {
    for (name, _, record, _) in LIMITS {
        let format = logs_of(&primary(name, FormatOptions::default()));
        let text = "x".repeat(record + 1);
        let records = vec![
            event("function", r#""before""#),
            event("function", &format!(r#""{text}""#)),
            event("function", r#""after""#),
        ];
        let (plain, written) = body(&*format, &items(&records), Compression::None);
        assert_eq!(written.unfit, [(1, Unfit::TooLarge)], "{name:?}");
        let texts: Vec<String> = decode(name, false, &plain)
            .into_iter()
            .map(|it| it.text)
            .collect();
        assert_eq!(texts, ["before", "after"], "{name:?}");
    }
}

#[test]
fn a_record_that_is_older_than_the_receiver_takes_is_unfit() {
    for (name, hours) in [(Name::Loki, 168), (Name::Datadog, 18), (Name::NewRelic, 48)] {
        let at = |hours: u64, more: u64| {
            let age = Duration::from_secs(hours * 3600 + more);
            let time = Wall(now().0.checked_sub(age).expect("it is a time")).rfc3339();
            format!(r#""time":"{time}","type":"function","record":"x""#)
        };
        let records = vec![at(hours, 1), at(hours, 0)];
        let format = logs_of(&primary(name, FormatOptions::default()));
        let (_, written) = body(&*format, &items(&records), Compression::None);
        assert_eq!(written.unfit, [(0, Unfit::TooOld)], "{name:?}");
        let longer = FormatOptions {
            max_age_hours: Some(hours + 1),
            ..FormatOptions::default()
        };
        let without = FormatOptions {
            max_age_hours: Some(0),
            ..FormatOptions::default()
        };
        for options in [longer, without] {
            let format = logs_of(&primary(name, options));
            let (_, written) = body(&*format, &items(&records), Compression::None);
            assert_eq!(written.unfit, [], "{name:?}");
        }
    }
}

#[test]
fn new_relics_otlp_endpoint_takes_less() {
    let options = FormatOptions::default();
    let primary = Primary {
        url: "https://otlp.eu01.nr-data.net/v1/logs".to_owned(),
        ..primary(Name::Otlp, options)
    };
    let text = "x".repeat(100_000);
    let large = vec![event("function", &format!(r#""{text}""#)); 20];
    let (plain, written) = body(&*logs_of(&primary), &items(&large), Compression::None);
    assert!(
        plain.len() <= 900_000 && written.covers == 8,
        "{}",
        plain.len()
    );
}

#[test]
fn options_change_what_they_name() {
    let one = vec![event("function", r#""x""#)];
    let written = |name, options| {
        let format = logs_of(&primary(name, options));
        let (plain, _) = body(&*format, &items(&one), Compression::None);
        String::from_utf8_lossy(&plain).into_owned()
    };
    let options = || FormatOptions::default();
    let own = FormatOptions {
        index: Some("mine".to_owned()),
        without_ids: true,
        ..options()
    };
    let bulk = written(Name::Elastic, own);
    assert!(
        bulk.starts_with("{\"create\":{\"_index\":\"mine\"}}\n"),
        "{bulk}"
    );
    let nowhere = FormatOptions {
        index: Some(String::new()),
        ..options()
    };
    let bulk = written(Name::Elastic, nowhere);
    assert!(
        bulk.starts_with("{\"create\":{\"_id\":\"00000000000000ab-1\"}}\n"),
        "{bulk}"
    );
    let labels = FormatOptions {
        is_json: true,
        labels: vec![
            "team".to_owned(),
            "faas.name".to_owned(),
            "nothing".to_owned(),
        ],
        ..options()
    };
    let push = written(Name::Loki, labels);
    let stream = r#""stream":{"cloud_region":"eu-west-1","faas_name":"orders","service_name":"orders","team":"blue, \"sky\""}"#;
    assert!(push.contains(stream), "{push}");
    let own = FormatOptions {
        index: Some("main".to_owned()),
        source: Some("s".to_owned()),
        sourcetype: Some("t".to_owned()),
        ..options()
    };
    let event = written(Name::Splunk, own);
    assert!(
        event.contains(r#""source":"s","sourcetype":"t","index":"main""#),
        "{event}"
    );
}

/// Loki refuses what is an hour behind the newest line of its stream.
#[test]
fn each_hour_that_is_replayed_is_a_stream_of_its_own() {
    let at = |time: &str| format!(r#""time":"2026-01-01T{time}Z","type":"function","record":"x""#);
    let times = [
        "08:59:59.999",
        "07:00:00.000",
        "09:00:00.000",
        "10:29:00.000",
    ];
    let records = times.map(at);
    let replayed = Context {
        now: Wall::from_rfc3339("2026-01-01T11:15:00Z").expect("it is a time"),
        is_replay: true,
    };
    let labels = FormatOptions {
        is_json: true,
        labels: vec!["replay".to_owned()],
        ..FormatOptions::default()
    };
    let format = logs_of(&primary(Name::Loki, labels));
    let hours = |context| {
        let (plain, _) = body_in(context, &*format, &items(&records), Compression::None);
        let push: serde_json::Value = serde_json::from_slice(&plain).expect("it is JSON");
        let streams = push["streams"].as_array().expect("streams").clone();
        let hour =
            |it: &serde_json::Value| it["stream"]["replay"].as_str().unwrap_or("").to_owned();
        streams.iter().map(hour).collect::<Vec<_>>()
    };
    let expected = ["2026-01-01T08", "2026-01-01T07", "2026-01-01T09", ""];
    assert_eq!(hours(replayed), expected);
    // What is live is one stream, however old it is.
    let live = Context {
        is_replay: false,
        ..replayed
    };
    assert_eq!(hours(live), [""]);
}

/// A log is what anyone may have sent to the function.
#[test]
fn a_log_with_line_feeds_ends_no_document_and_adds_no_action() {
    let inner = "{\"a\":\n{\"create\":{\"_index\":\"x\"}}\r\n}";
    let record = serde_json::to_string(inner).expect("it is text");
    let records = vec![
        event("function", &record),
        event("function", "{\n\"a\": 1\n}"),
    ];
    let format = logs_of(&primary(Name::Elastic, FormatOptions::default()));
    let (plain, _) = body(&*format, &items(&records), Compression::None);
    let text = String::from_utf8(plain).expect("it is text");
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(
        text.contains(r#""fields":{"a":{"create":{"_index":"x"}}}"#),
        "{text}"
    );
}

#[test]
fn what_a_strict_parser_refuses_is_kept_as_text() {
    let records = vec![event("function", r#"{"a":1,"b":{"c":1,"c":2}}"#)];
    let format = logs_of(&primary(Name::Elastic, FormatOptions::default()));
    let (plain, _) = body(&*format, &items(&records), Compression::None);
    let stored = decode(Name::Elastic, false, &plain).remove(0);
    assert_eq!(
        stored.whole["fields"],
        serde_json::json!({"raw": r#"{"a":1,"b":{"c":1,"c":2}}"#})
    );
}

#[test]
fn the_elastic_common_schema_says_why_a_log_failed() {
    let trace = r#"{"level":"ERROR","errorType":"E","errorMessage":"m","stackTrace":["a",7,"b"]}"#;
    let cases = [
        (
            "derived.exception",
            r#"{"level":"ERROR","message":"x","exception.type":"timeout","exception.message":"x"}"#,
            serde_json::json!({"type": "timeout", "message": "x"}),
        ),
        (
            "platform.runtimeDone",
            r#"{"requestId":"r","status":"error","errorType":"Runtime.ExitError"}"#,
            serde_json::json!({"type": "Runtime.ExitError"}),
        ),
        (
            "function",
            trace,
            serde_json::json!({"type": "E", "message": "m", "stack_trace": "a\nb"}),
        ),
        (
            "function",
            r#"{"level":"ERROR","errorType":7,"errorMessage":{},"stackTrace":"one"}"#,
            serde_json::json!({"stack_trace": "one"}),
        ),
        (
            "function",
            r#"{"level":"ERROR","errorType":7,"stackTrace":[]}"#,
            serde_json::Value::Null,
        ),
        (
            "function",
            r#"{"level":"INFO","errorType":"E"}"#,
            serde_json::Value::Null,
        ),
    ];
    let records: Vec<String> = (cases.iter())
        .map(|(kind, record, _)| event(kind, record))
        .collect();
    let format = logs_of(&primary(Name::Elastic, FormatOptions::default()));
    let (plain, _) = body(&*format, &items(&records), Compression::None);
    let stored = decode(Name::Elastic, false, &plain);
    assert_eq!(stored.len(), cases.len());
    for (stored, (_, record, expected)) in stored.iter().zip(cases) {
        assert_eq!(stored.whole["error"], expected, "{record}");
    }
}

#[test]
fn tags_whose_names_become_one_or_are_ours_are_told_apart() {
    let resource = r#"{"faas.name":"f","a.b":"1","a_b":"2","level":"mine","plugin":"p","type":"t","trace_id":"x"}"#;
    for (name, expected) in [
        (Name::Elastic, vec![r#""a_b":"1""#, r#""a_b_":"2""#]),
        (
            Name::Splunk,
            vec![r#""level_":"mine""#, r#""trace_id_":"x""#, r#""type_":"t""#],
        ),
        (
            Name::NewRelic,
            vec![r#""plugin":"backstop""#, r#""plugin_":"p""#],
        ),
    ] {
        let mut one = Vec::new();
        let record = event("function", r#""x""#);
        let mut item = item(1, &record);
        item.resource = Bytes::from_static(resource.as_bytes());
        one.push(item);
        let format = logs_of(&primary(name, FormatOptions::default()));
        let (plain, _) = body(&*format, &one, Compression::None);
        let text = String::from_utf8(plain).expect("it is text");
        for member in expected {
            assert_eq!(text.matches(member).count(), 1, "{name:?} {member} {text}");
        }
    }
    let record = event("function", r#""x""#);
    let mut item = item(1, &record);
    item.resource = Bytes::from_static(resource.as_bytes());
    let format = logs_of(&primary(Name::Loki, json()));
    let (plain, _) = body(&*format, &[item], Compression::None);
    let text = String::from_utf8(plain).expect("it is text");
    assert!(text.contains(r#""a_b":"1","a_b_":"2""#), "{text}");
}

#[test]
fn an_index_in_the_address_is_the_one() {
    let one = vec![event("function", r#""x""#)];
    for (url, index) in [
        ("https://a.example/_bulk", Some("logs-aws.lambda-default")),
        (
            "https://a.example/_bulk?pipeline=p",
            Some("logs-aws.lambda-default"),
        ),
        ("https://a.example/mine/_bulk", None),
    ] {
        let primary = Primary {
            url: url.to_owned(),
            ..primary(Name::Elastic, FormatOptions::default())
        };
        let (plain, _) = body(&*logs_of(&primary), &items(&one), Compression::None);
        let text = String::from_utf8(plain).expect("it is text");
        let action: serde_json::Value =
            serde_json::from_str(text.lines().next().expect("a line")).expect("it is JSON");
        assert_eq!(action["create"]["_index"].as_str(), index, "{url}");
    }
}

#[test]
fn each_format_names_its_media_type() {
    let types = formats()
        .into_iter()
        .map(|(_, _, format)| format.content_type());
    let expected = [
        "application/x-ndjson",
        "application/json",
        "application/x-protobuf",
        "application/x-ndjson",
        "application/x-protobuf",
        "application/json",
        "application/json",
        "application/json",
        "application/json",
        "application/json",
    ];
    assert_eq!(types.collect::<Vec<_>>(), expected);
}
