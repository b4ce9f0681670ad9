//! No secret survives, however it is written; and what leaves is JSON.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use backstop_config::Settings;
use backstop_transform::{Outcome, Parts, Transforms};
use proptest::prelude::*;
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

/// A secret of each pattern, and the part of it that must not be found.
const SECRETS: &[(&str, &str, &str)] = &[
    ("aws-keys", "AKIAIOSFODNN7EXAMPLE", "IOSFODNN7"),
    (
        "aws-keys",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "K7MDENG",
    ),
    (
        "bearer",
        "Authorization: Bearer 8f14e45fceea167a",
        "fceea167",
    ),
    (
        "jwt",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP",
        "dBjftJeZ",
    ),
    (
        "private-keys",
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nQEFAASCBKcwggSj\n-----END PRIVATE KEY-----",
        "MIIEvQIB",
    ),
    ("email", "alice.smith@example.com", "example.com"),
    ("card", "4111 1111 1111 1111", "1111 1111"),
    ("card", "5555555555554444", "5555555555"),
    ("ipv4", "203.0.113.195", "113.195"),
    ("ipv6", "2001:db8:85a3::8a2e:370:7334", "370:7334"),
    ("ssn", "536-90-4399", "90-4399"),
    ("iban", "DE89370400440532013000", "3704004405"),
    ("own", "ORD-12345-X", "12345"),
];

const ALL: &str = r"all,own=/ORD-\d+-X/";

/// Everything that a reader of the record can come to read, by decoding strings as JSON again and again.
fn every_reading(value: &Value, into: &mut String) {
    match value {
        Value::String(text) => read_again(text, into),
        Value::Array(all) => all.iter().for_each(|value| every_reading(value, into)),
        Value::Object(all) => {
            for (key, value) in all {
                read_again(key, into);
                every_reading(value, into);
            }
        }
        other => into.push_str(&other.to_string()),
    }
    into.push('\u{1}');
}

fn read_again(text: &str, into: &mut String) {
    into.push_str(text);
    into.push('\u{1}');
    if let Ok(value) = serde_json::from_str::<Value>(text)
        && !value.is_number()
    {
        every_reading(&value, into);
    }
    // A part of a text may be the inside of a string, or hold one.
    let again = without_escapes(text);
    if again != text {
        read_again(&again, into);
    }
}

/// As a reader would see it who takes every escape for one.
fn without_escapes(text: &str) -> String {
    let mut units: Vec<u16> = Vec::new();
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let hex = |text: &str| u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok();
        let simple = rest
            .get(..2)
            .and_then(|two| serde_json::from_str::<String>(&format!("\"{two}\"")).ok());
        if let Some(unit) = hex(rest) {
            units.push(unit);
            rest = &rest[6..];
        } else if let Some(simple) = simple.filter(|_| char == '\\') {
            units.extend(simple.encode_utf16());
            rest = &rest[2..];
        } else {
            units.extend(char.encode_utf16(&mut [0; 2]).iter());
            rest = &rest[char.len_utf8()..];
        }
    }
    String::from_utf16_lossy(&units)
}

/// JSON text of a string, with some characters escaped that need not be.
fn written(text: &str, escaped: u64) -> String {
    let mut json = String::from("\"");
    for (index, char) in text.chars().enumerate() {
        let is_escaped = escaped >> (index % 64) & 1 == 1;
        match char {
            _ if is_escaped => {
                let mut units = [0; 2];
                for unit in char.encode_utf16(&mut units) {
                    write!(json, "\\u{unit:04x}").unwrap();
                }
            }
            '"' | '\\' => json.extend(['\\', char]),
            '\n' => json.push_str("\\n"),
            '\t' => json.push_str("\\t"),
            _ => json.push(char),
        }
    }
    json.push('"');
    json
}

/// How something is put into something else.
#[derive(Debug, Clone)]
enum Wrap {
    Member(String),
    Name,
    Element(usize, usize),
    Text(String, String, u64),
    JsonText(u64),
}

fn wrap() -> impl Strategy<Value = Wrap> {
    let noise = "[a-z \u{e9}\u{1f600}]{0,12}";
    prop_oneof![
        3 => "[a-z]{1,8}".prop_map(Wrap::Member),
        1 => Just(Wrap::Name),
        2 => (0usize..3, 0usize..3).prop_map(|(before, after)| Wrap::Element(before, after)),
        2 => (noise, noise, any::<u64>()).prop_map(|(before, after, bits)| Wrap::Text(before, after, bits)),
        3 => any::<u64>().prop_map(Wrap::JsonText),
    ]
}

/// The JSON of a secret in all its wrappings.
fn wrapped(secret: &str, escaped: u64, wraps: &[Wrap]) -> String {
    let mut json = written(secret, escaped);
    for wrap in wraps {
        json = match wrap {
            Wrap::Member(name) => {
                format!(r##"{{"#1":17,{}: {json},"#2":[true]}}"##, written(name, 0))
            }
            Wrap::Name if json.starts_with('"') => format!("{{ {json} :null}}"),
            Wrap::Name => format!(r#"{{"n":{json}}}"#),
            Wrap::Element(before, after) => {
                format!(
                    "[{}{json}{}]",
                    "\"-\", ".repeat(*before),
                    ",0".repeat(*after)
                )
            }
            Wrap::Text(before, after, bits) => match serde_json::from_str::<String>(&json) {
                Ok(text) => written(&format!("{before} {text} {after}"), *bits),
                Err(_) => json,
            },
            Wrap::JsonText(bits) => written(&json, *bits),
        };
    }
    json
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_secret_survives_any_nesting_and_any_escapes(
        which in 0..SECRETS.len(),
        escaped in any::<u64>(),
        wraps in prop::collection::vec(wrap(), 0..6),
    ) {
        let (name, secret, core) = SECRETS[which];
        let record = wrapped(secret, escaped, &wraps);
        let mut before = String::new();
        every_reading(&serde_json::from_str(&record).unwrap(), &mut before);
        prop_assert!(before.contains(core), "{record}");
        for what in [ALL, if name == "own" { r"own=/ORD-\d+-X/" } else { name }] {
            let mut transforms = redacting(what);
            let left = redacted(&mut transforms, &record);
            let mut after = String::new();
            every_reading(&serde_json::from_str(&left).unwrap(), &mut after);
            prop_assert!(!after.contains(core), "{record}\n{left}");
            let count: u64 = transforms.redacted().iter().map(|(_, count)| count).sum();
            prop_assert!(count > 0);
        }
    }

    #[test]
    fn a_field_is_redacted_in_any_nesting_of_its_text(
        escaped in any::<u64>(),
        wraps in prop::collection::vec(
            prop_oneof![
                (0usize..3, 0usize..3).prop_map(|(before, after)| Wrap::Element(before, after)),
                any::<u64>().prop_map(Wrap::JsonText),
            ],
            0..4,
        ),
        is_object in any::<bool>(),
    ) {
        let value = if is_object { r#"{"first":"hunter2"}"#.to_owned() } else { written("hunter2", escaped) };
        let user = format!(r#"{{"user":{{"id":1,"name":{value}}}}}"#);
        // The outermost is wrapped, so that the path begins there.
        let record = wraps.iter().fold(user, |json, wrap| match wrap {
            Wrap::Element(before, after) => format!("[{}{json}{}]", "0,".repeat(*before), ",\"-\"".repeat(*after)),
            Wrap::JsonText(bits) => written(&json, *bits),
            _ => json,
        });
        let left = redacted(&mut redacting("record.user.name"), &record);
        let mut after = String::new();
        every_reading(&serde_json::from_str(&left).unwrap(), &mut after);
        prop_assert!(!after.contains("hunter2"), "{record}\n{left}");
        prop_assert!(after.contains("id"), "{left}");
    }

    #[test]
    fn text_without_a_secret_stays_to_the_byte(record in "[ -~\u{e9}\n\t]{0,200}") {
        let plain = record.replace(|char: char| char.is_ascii_digit() || "@:".contains(char), "_");
        let json = written(&plain, 0);
        let mut transforms = redacting("email,card,ipv4,ipv6,ssn,iban,jwt,private-keys");
        prop_assert_eq!(redacted(&mut transforms, &json), json);
    }
}

#[test]
fn a_private_key_is_redacted_over_elements_and_records() {
    let mut transforms = redacting("private-keys");
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    let array = format!(
        r#"{{"a":["-----BEGIN RSA PRIVATE KEY-----","{line}","{line}","Abc=","-----END RSA PRIVATE KEY-----"],"b":"{line}"}}"#
    );
    let left = redacted(&mut transforms, &array);
    assert!(!left.contains("Abc="), "{left}");
    assert_eq!(
        left.matches(line).count(),
        1,
        "what follows the key stays: {left}"
    );
    for (record, is_secret) in [
        ("\"-----BEGIN PRIVATE KEY-----\\n\"".to_owned(), true),
        (format!("\"{line}\\n\""), true),
        (
            format!(r#"{{"level":"INFO","message":"{line}","requestId":"a-1"}}"#),
            true,
        ),
        ("\"-----END PRIVATE KEY-----\\n\"".to_owned(), true),
        (format!("\"{line}\\n\""), false),
    ] {
        let left = redacted(&mut transforms, &record);
        assert_eq!(
            !left.contains(line) && !left.contains("-----"),
            is_secret,
            "{left}"
        );
        assert!(!record.contains("INFO") || left.contains("INFO"), "{left}");
    }
    // Text that cannot be part of a key ends it.
    redacted(&mut transforms, "\"-----BEGIN PRIVATE KEY-----\"");
    redacted(&mut transforms, "\"an ordinary line, of no key\"");
    assert!(redacted(&mut transforms, &format!("\"{line}\"")).contains(line));
}

/// A line of a private key as the function writes it, and as it posts it.
const KEY_LINE: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";

/// A log of the function's, posted by OTLP.
fn posted_log(text: &str) -> String {
    format!(
        r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"timeUnixNano":"1767225600123456789","traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"4111111111111111","body":{{"stringValue":"{text}"}}}}]}}]}}]}}"#
    )
}

#[test]
fn records_of_another_source_neither_end_a_private_key_nor_belong_to_it() {
    let others = [
        ("platform.report", r#"{"requestId":"a"}"#.to_owned()),
        ("extension", r#""an ordinary line, of no key""#.to_owned()),
        ("otlp.logs", posted_log("an ordinary line, of no key")),
        ("otlp.traces", posted_log(KEY_LINE)),
        ("platform.start", format!("\"{KEY_LINE}\"")),
        ("extension", format!("\"{KEY_LINE}\"")),
    ];
    let mut transforms = redacting("private-keys");
    redacted(&mut transforms, "\"-----BEGIN PRIVATE KEY-----\"");
    for (kind, other) in &others {
        let left = redacted_of(&mut transforms, kind, other);
        assert_eq!(left, *other, "{kind}");
        let left = redacted(&mut transforms, &format!("\"{KEY_LINE}\""));
        assert!(!left.contains(KEY_LINE), "after {kind}: {left}");
    }
    // Two at a time, each to its own end.
    let begin = "\"-----BEGIN PRIVATE KEY-----\"";
    redacted_of(&mut transforms, "extension", begin);
    redacted(&mut transforms, "\"-----END PRIVATE KEY-----\"");
    let line = format!("\"{KEY_LINE}\"");
    assert_eq!(redacted(&mut transforms, &line), line);
    let left = redacted_of(&mut transforms, "extension", &line);
    assert!(!left.contains(KEY_LINE), "{left}");
    // A key in one record of any type.
    let whole = format!(r#"["-----BEGIN PRIVATE KEY-----","{KEY_LINE}"]"#);
    let left = redacted_of(&mut transforms, "otlp.traces", &whole);
    assert!(!left.contains(KEY_LINE), "{left}");
}

#[test]
fn a_private_key_that_begins_in_a_dropped_line_is_redacted_to_its_end() {
    let variables = [
        ("BACKSTOP_REDACT", "private-keys"),
        ("BACKSTOP_FILTER", "drop record~/(-----|noise)/"),
        ("BACKSTOP_MIN_LEVEL", "info"),
    ];
    let line = format!("\"{KEY_LINE}\"");
    for begin in [
        r#""-----BEGIN PRIVATE KEY-----\n""#,
        r#""\u002d----BEGIN PRIVATE KEY-----\n""#,
        r#""[DEBUG] read -----BEGIN PRIVATE KEY-----""#,
    ] {
        let mut transforms = transforms(&variables);
        let dropped = transforms.apply(fragment("function", begin).as_bytes());
        assert!(matches!(dropped, Outcome::Drop(_)), "{dropped:?}");
        let left = redacted(&mut transforms, &line);
        assert!(!left.contains(KEY_LINE), "{begin}: {left}");
        // Its end is seen as well, and the copy of a dropped line is redacted as it came.
        let end = fragment(
            "function",
            &format!(r#""{KEY_LINE}\n-----END PRIVATE KEY-----""#),
        );
        let dropped = transforms.apply(end.as_bytes());
        assert!(matches!(dropped, Outcome::Drop(_)), "{dropped:?}");
        let Outcome::Replace(copy) = transforms.redact_dropped(end.as_bytes()) else {
            panic!("the copy is as it came");
        };
        assert!(!String::from_utf8(copy).unwrap().contains(KEY_LINE));
        assert_eq!(redacted(&mut transforms, &line), line);
    }
}

#[test]
fn what_takes_the_place_of_a_secret_fits_there() {
    for (what, record, expected) in [
        ("card", r#"{"card":4111111111111111}"#, r#"{"card":null}"#),
        (
            "card",
            r#""{\"card\":4111111111111111}\n""#,
            r#""{\"card\":null}\n""#,
        ),
        (
            "card",
            r#""card: 4111111111111111.""#,
            r#""card: [redacted:card].""#,
        ),
        (
            "email",
            r#"{"a@b.co":1,"c@d.co":2}"#,
            r#"{"[redacted:email]":1,"[redacted:email]-2":2}"#,
        ),
        (
            "record.a,record.b,record.c",
            r#"{"a":"x","b":{"y":1},"c":null,"d":1}"#,
            r#"{"a":"[redacted]","b":null,"c":null,"d":1}"#,
        ),
        (
            "record.a",
            r#""{\"a\":\"x\",\"b\":1}""#,
            r#""{\"a\":\"[redacted]\",\"b\":1}""#,
        ),
        (
            "email,record.to",
            r#"{"to":"a@b.co"}"#,
            r#"{"to":"[redacted]"}"#,
        ),
        (
            "x=/b+/",
            r#"["abba","\u0062",7]"#,
            r#"["a[redacted:x]a","[redacted:x]",7]"#,
        ),
    ] {
        let mut transforms = redacting(what);
        assert_eq!(redacted(&mut transforms, record), expected, "{what}");
    }
}

#[test]
fn the_filter_s_first_rule_that_matches_decides() {
    use backstop_transform::Cause;
    let rules = "keep level=error; drop type=platform.* and type!=platform.report; \
                 drop record.path=/health; drop record.n>=1 and type=x; drop record~/fl(u|o)sh/";
    // A comparison of a field by more than equality is an error of its own, and costs its rule only.
    let variables = BTreeMap::from([
        ("BACKSTOP_S3_BUCKET".to_owned(), "archive".to_owned()),
        ("BACKSTOP_FILTER".to_owned(), rules.to_owned()),
        ("BACKSTOP_MIN_LEVEL".to_owned(), "info".to_owned()),
    ]);
    let (settings, mut errors) = Settings::resolve(&variables);
    assert_eq!(errors.len(), 1);
    let mut transforms = Transforms::new(&settings.transforms, &mut errors);
    for (kind, record, expected) in [
        ("function", r#""[DEBUG] flush""#, Some(Cause::Level)),
        ("platform.report", r#"{"level":"DEBUG"}"#, None),
        (
            "platform.start",
            r#"{"requestId":"a"}"#,
            Some(Cause::Rule(1)),
        ),
        ("function", r#"{"path":"/health"}"#, Some(Cause::Rule(2))),
        ("function", r#"{"path":"/health","level":"ERROR"}"#, None),
        (
            "function",
            r#""{\"p\\u0061th\":\"/health\"}""#,
            Some(Cause::Rule(2)),
        ),
        ("function", r#"{"a":["fl\u0075sh"]}"#, Some(Cause::Rule(3))),
        ("otlp.logs", r#"{"level":"DEBUG"}"#, None),
    ] {
        let fragment = format!(r#""time":"t","type":"{kind}","record":{record}"#);
        let outcome = transforms.apply(fragment.as_bytes());
        let expected = expected.map_or(Outcome::Keep, Outcome::Drop);
        assert_eq!(outcome, expected, "{kind} {record}");
    }
}

#[test]
fn a_pattern_that_is_wrong_or_costs_too_much_is_refused_without_being_quoted() {
    for (variable, text, words) in [
        (
            "BACKSTOP_REDACT",
            "x=/(hunter2/",
            "not a valid regular expression",
        ),
        ("BACKSTOP_REDACT", "x=/(hunter2)*/", "matches an empty text"),
        ("BACKSTOP_REDACT", "/((hunter2){50}){50}/", "too large"),
        ("BACKSTOP_FILTER", "drop record~/[/", "(rule 1)"),
    ] {
        let variables = BTreeMap::from([
            ("BACKSTOP_S3_BUCKET".to_owned(), "archive".to_owned()),
            (variable.to_owned(), text.to_owned()),
        ]);
        let (settings, mut errors) = Settings::resolve(&variables);
        assert_eq!(errors, []);
        let mut transforms = Transforms::new(&settings.transforms, &mut errors);
        let shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(shown.len(), 1, "{text}");
        assert!(shown[0].contains(words), "{shown:?}");
        assert!(!shown[0].contains("hunter2"), "{shown:?}");
        // What is left out does nothing.
        redacted(&mut transforms, "\"hunter2\"");
    }
}

#[test]
fn what_the_function_posts_is_redacted_in_every_text_and_stays_what_it_is() {
    let mut transforms = redacting("email,card");
    let record = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"host","value":{"stringValue":"a@example.com"}}]},"scopeLogs":[{"scope":{"name":"b@example.com"},"logRecords":[{"timeUnixNano":"1767225600123456789","severityNumber":9,"body":{"stringValue":"by c@example.com"},"attributes":[{"key":"deep","value":{"kvlistValue":{"values":[{"key":"d@example.com","value":{"arrayValue":{"values":[{"stringValue":"e@example.com"},{"intValue":"4111111111111111"}]}}}]}}}]}]}]}]}"#;
    let left = redacted(&mut transforms, record);
    assert!(
        !left.contains("@example.com") && !left.contains("4111"),
        "{left}"
    );
    let value: serde_json::Value = serde_json::from_str(&left).unwrap();
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

#[test]
fn ids_and_times_of_a_posted_log_do_not_go_on_with_a_private_key() {
    let mut transforms = redacting("private-keys");
    redacted_of(
        &mut transforms,
        "otlp.logs",
        &posted_log("-----BEGIN PRIVATE KEY-----"),
    );
    let left = redacted_of(&mut transforms, "otlp.logs", &posted_log(KEY_LINE));
    assert_eq!(left, posted_log("[redacted:private-keys]"));
    // A line of no key ends it, although its ids and times could be lines of one.
    redacted_of(
        &mut transforms,
        "otlp.logs",
        &posted_log("an ordinary line, of no key"),
    );
    let left = redacted_of(&mut transforms, "otlp.logs", &posted_log(KEY_LINE));
    assert_eq!(left, posted_log(KEY_LINE));
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
