//! No secret survives, however deep it is nested and however it is escaped.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::Value;

use crate::{redacted, redacting};

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
