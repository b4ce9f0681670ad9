//! What a replacement looks like, which rule decides, and which patterns are refused.

use std::collections::BTreeMap;

use backstop_config::Settings;
use backstop_transform::{Outcome, Transforms};

use crate::{redacted, redacting};

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
