//! Any record, through every format: it is read back by its id, with its text, in its order.

use backstop_delivery::Unfit;
use proptest::prelude::*;
use serde_json::Value;

use super::decode::decode;
use super::*;

/// Text with all that tends to break encoders.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ -~]{0,40}",
        2 => any::<String>(),
        1 => "[\\x00-\\x1f\\\\\"{}\\[\\],:]{0,20}",
        1 => (0usize..4_000).prop_map(|length| "ü\u{0}x".repeat(length / 4)),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e15f64..1e15).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn record() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => text().prop_map(Value::from),
        3 => prop::collection::btree_map(
            prop_oneof![text(), prop::sample::select(vec!["message", "level", "timestamp", "type", "requestId", "trace_id"]).prop_map(str::to_owned)],
            value(),
            0..6,
        ).prop_map(|map| Value::Object(map.into_iter().collect())),
        1 => value(),
    ]
}

fn fragment() -> impl Strategy<Value = String> {
    let kind = prop::sample::select(vec![
        "function",
        "extension",
        "platform.start",
        "platform.report",
        "platform.logsDropped",
        "x",
    ]);
    let time = prop::sample::select(vec!["2026-01-01T00:00:00.123Z", "2026-01-01T00:59:00Z"]);
    (kind, time, record()).prop_map(|(kind, time, record)| {
        format!(r#""time":"{time}","type":"{kind}","record":{record}"#)
    })
}

/// The strings in a value.
fn strings<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(values) => values.iter().for_each(|value| strings(value, found)),
        Value::Object(members) => members.values().for_each(|value| strings(value, found)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_record_is_read_back(fragments in prop::collection::vec(fragment(), 1..12)) {
        for (name, is_json, format) in formats() {
            let (plain, written) = body(&*format, &items(&fragments), Compression::None);
            prop_assert_eq!(written.covers, fragments.len(), "{:?}", name);
            let stored = decode(name, is_json, &plain);
            let fit = (0..fragments.len()).filter(|at| written.unfit.iter().all(|it| it.0 != *at));
            let ids: Vec<String> = fit.map(|at| format!("00000000000000ab-{}", at + 1)).collect();
            let stored_ids: Vec<&str> = stored.iter().map(|it| it.id.as_str()).collect();
            prop_assert_eq!(&stored_ids, &ids, "{:?}", name);
            // Each text is there, whatever is in it: in the message, or in a field.
            if written.unfit.is_empty() {
                for (fragment, stored) in fragments.iter().zip(&stored) {
                    let sent: Value = serde_json::from_str(&format!("{{{fragment}}}")).unwrap();
                    let Value::String(text) = &sent["record"] else { continue };
                    let is_object = serde_json::from_str::<serde_json::Map<String, Value>>(text.trim()).is_ok();
                    let trimmed = text.strip_suffix('\n').unwrap_or(text);
                    let trimmed = trimmed.strip_suffix('\r').unwrap_or(trimmed);
                    let is_blank = trimmed.trim().is_empty();
                    if is_object || (is_blank && name == Name::Splunk) {
                        continue;
                    }
                    let is_line = matches!(name, Name::Ndjson | Name::Json);
                    prop_assert_eq!(&stored.text, if is_line { text } else { trimmed }, "{:?}", name);
                }
            }
        }
    }

    /// What a function logs as an object loses none of its texts: they are among the fields, or in the text.
    #[test]
    fn no_text_of_an_object_is_lost(members in prop::collection::btree_map("[a-z]{1,8}", value(), 0..6)) {
        let record = Value::Object(members.into_iter().collect());
        let fragments = vec![event("function", &record.to_string())];
        let mut sent = Vec::new();
        strings(&record, &mut sent);
        for (name, is_json, format) in formats() {
            let (plain, written) = body(&*format, &items(&fragments), Compression::None);
            if !written.unfit.is_empty() {
                continue;
            }
            let stored = decode(name, is_json, &plain).remove(0);
            let mut all = Vec::new();
            strings(&stored.whole, &mut all);
            let inner: Value = serde_json::from_str(&stored.text).unwrap_or_default();
            strings(&inner, &mut all);
            all.push(&stored.text);
            for text in &sent {
                // A level or an id is written in its own form.
                let is_lifted = text.len() <= 40 && stored.whole.to_string().to_lowercase().contains(&text.to_lowercase());
                prop_assert!(all.contains(text) || is_lifted, "{:?} {text:?} in {stored:?}", name);
            }
        }
    }

    /// A whole number has all its digits in every format, however many they are: as a number where the format has such
    /// a number, else as text. What the source says is compared, since a tree of it may have lost them already.
    #[test]
    fn every_digit_of_a_whole_number_arrives(
        numbers in prop::collection::vec("-?[1-9][0-9]{0,40}", 1..6),
        edge in prop::sample::select(EDGES.to_vec()),
    ) {
        let mut numbers = numbers;
        numbers.push(edge.to_owned());
        let all = numbers.join(",");
        let members = numbers.iter().enumerate();
        let members: Vec<String> = members.map(|(at, it)| format!("\"n{at}\":{it}")).collect();
        let members = members.join(",");
        let record = format!("{{\"all\":[{all}],\"in\":{{\"all\":[[{all}]]}},{members}}}");
        let fragments = [
            event("function", &record),
            event("function", &serde_json::to_string(&record).unwrap()),
            event("platform.report", &record),
            event("platform.x", &record),
        ];
        for (name, is_json, format) in formats() {
            for fragment in &fragments {
                let (plain, _) = body(&*format, &items(std::slice::from_ref(fragment)), Compression::None);
                let stored = whole_numbers(name, is_json, &plain);
                for number in &numbers {
                    prop_assert!(stored.contains(number), "{:?} {is_json}: {number} of {fragment} in {stored:?}", name);
                }
            }
        }
    }
}

/// A text of a megabyte arrives whole, whatever is in it, or is a dead letter where the receiver takes no record of that
/// size; and the record after it arrives as well.
#[test]
fn a_text_of_a_megabyte_is_read_back_or_too_large() {
    const MEGABYTE: usize = 1 << 20;
    let odd = "ü\u{0}\"\\\u{1f600}\u{7f}\n/ \u{2028}";
    for text in ["x".repeat(MEGABYTE), odd.repeat(MEGABYTE / odd.len())] {
        let fragments = [
            event("function", &serde_json::to_string(&text).unwrap()),
            event("function", "\"the next\""),
        ];
        for (name, is_json, format) in formats() {
            let items = items(&fragments);
            let (plain, written) = body(&*format, &items, Compression::None);
            let mut stored = decode(name, is_json, &plain);
            if written.covers == 1 {
                let (plain, rest) = body(&*format, &items[1..], Compression::None);
                assert_eq!(rest.covers, 1, "{name:?}");
                stored.extend(decode(name, is_json, &plain));
            }
            let texts: Vec<&str> = stored.iter().map(|it| it.text.as_str()).collect();
            if written.unfit.is_empty() {
                assert!(texts == [&text, "the next"], "{name:?} {is_json}");
            } else {
                assert_eq!(written.unfit, [(0, Unfit::TooLarge)], "{name:?}");
                assert_eq!(texts, ["the next"], "{name:?}");
            }
            let takes_any = matches!(name, Name::Ndjson | Name::Json | Name::Otlp | Name::Elastic);
            assert!(written.unfit.is_empty() || !takes_any, "{name:?}");
        }
    }
}

/// About the ends of what 64 bits and doubles hold.
const EDGES: &[&str] = &[
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "-18446744073709551617",
];

/// The runs of digits that a body holds, each with its sign, as its receiver reads them. OTLP's numbers in protobuf
/// are no text; doubles among them show as such.
fn whole_numbers(name: Name, is_json: bool, body: &[u8]) -> std::collections::BTreeSet<String> {
    let text = match (name, is_json) {
        (Name::Otlp, false) => decode(name, is_json, body)
            .iter()
            .map(|it| it.whole["attributes"].to_string())
            .collect(),
        _ => String::from_utf8_lossy(body).into_owned(),
    };
    let is_part = |char: char| char.is_ascii_digit() || "+-.eE".contains(char);
    text.split(|char| !is_part(char))
        .map(str::to_owned)
        .collect()
}
