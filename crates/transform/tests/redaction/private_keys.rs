//! A private key is redacted to its end, over elements and records of one source.

use backstop_transform::Outcome;

use crate::{KEY_LINE, fragment, posted_log, redacted, redacted_of, redacting, transforms};

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
