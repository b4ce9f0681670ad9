//! What each receiver's answers mean.

use backstop_delivery::{Answer, Failure, PartAnswer, Role, Verdict};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use proptest::prelude::*;

use super::*;

use PartAnswer::{Refused, Retry, Taken};

const JSON: &str = "application/json";
const HTML: &str = "<html><form action=login></form></html>";

fn read(name: Name, status: u16, media_type: &str, body: &[u8], records: usize) -> Answer {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(media_type) {
        headers.insert(CONTENT_TYPE, value);
    }
    headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
    let format = logs_of(&primary(name, FormatOptions::default()));
    judge(
        &*format,
        &Reply {
            status,
            headers: &headers,
            body,
            now: now(),
            records,
        },
    )
}

fn verdict(name: Name, status: u16, body: &str) -> Verdict {
    read(name, status, JSON, body.as_bytes(), 3).verdict(Role::Primary)
}

const RETRY: Verdict = Verdict::Retry {
    after: Some(Duration::from_secs(7)),
};
const ANY_TIME: Verdict = Verdict::Retry { after: None };

/// A status, with a body in JSON, and what follows.
const MEANINGS: &[(Name, u16, &str, Verdict)] = &[
    (Name::Ndjson, 200, "", Verdict::Delivered),
    (
        Name::Ndjson,
        200,
        r#"{"ingested":3,"failed":0,"failures":[]}"#,
        Verdict::Delivered,
    ),
    (Name::Ndjson, 202, r#"{"failed":3}"#, Verdict::Delivered),
    (Name::Json, 200, r#"{"ingested":"#, Verdict::Delivered),
    (Name::Ndjson, 402, "", Verdict::Stop),
    (Name::Ndjson, 500, "", RETRY),
    (Name::Otlp, 200, "{}", Verdict::Delivered),
    (
        Name::Otlp,
        200,
        r#"{"partialSuccess":null}"#,
        Verdict::Delivered,
    ),
    (
        Name::Otlp,
        200,
        r#"{"partialSuccess":{}}"#,
        Verdict::Delivered,
    ),
    (
        Name::Otlp,
        200,
        r#"{"partialSuccess":{"errorMessage":"hm"}}"#,
        Verdict::Delivered,
    ),
    (
        Name::Otlp,
        200,
        r#"{"partialSuccess":{"rejectedLogRecords":"3"}}"#,
        Verdict::Condemn,
    ),
    (
        Name::Otlp,
        200,
        r#"{"partial_success":{"rejected_log_records":"5"}}"#,
        Verdict::Condemn,
    ),
    (
        Name::Otlp,
        200,
        r#"{"partialSuccess":{"rejectedLogRecords":3}}"#,
        Verdict::Condemn,
    ),
    (Name::Otlp, 200, HTML, ANY_TIME),
    (Name::Otlp, 400, "", Verdict::Isolate),
    (Name::Otlp, 401, "", Verdict::Stop),
    (Name::Otlp, 404, "", Verdict::Stop),
    (Name::Otlp, 408, "", Verdict::Stop),
    (Name::Otlp, 413, "", Verdict::Split),
    (Name::Otlp, 415, "", Verdict::Stop),
    (Name::Otlp, 429, "", RETRY),
    (Name::Otlp, 500, "", Verdict::Divert),
    (Name::Otlp, 501, "", Verdict::Divert),
    (Name::Otlp, 502, "", RETRY),
    (Name::Otlp, 503, "", RETRY),
    (Name::Otlp, 504, "", RETRY),
    (Name::Otlp, 505, "", Verdict::Divert),
    (
        Name::Elastic,
        200,
        r#"{"errors":false}"#,
        Verdict::Delivered,
    ),
    (
        Name::Elastic,
        200,
        r#"{"took":3,"errors":false,"items":[]}"#,
        Verdict::Delivered,
    ),
    (Name::Elastic, 200, r#"{"took":3}"#, ANY_TIME),
    (Name::Elastic, 200, HTML, ANY_TIME),
    (Name::Elastic, 200, "", ANY_TIME),
    (Name::Elastic, 400, "", Verdict::Isolate),
    (
        Name::Elastic,
        400,
        r#"{"error":{"type":"illegal_argument_exception","reason":"no handler found"},"status":400}"#,
        Verdict::Isolate,
    ),
    (
        Name::Elastic,
        400,
        r#"{"error":"no handler found for uri [/a/b/_bulk/c] and method [POST]"}"#,
        Verdict::Stop,
    ),
    (Name::Elastic, 401, "", Verdict::Stop),
    (Name::Elastic, 406, "", Verdict::Stop),
    (Name::Elastic, 413, "", Verdict::Split),
    (Name::Elastic, 429, "", RETRY),
    (Name::Elastic, 503, "", RETRY),
    (Name::Loki, 204, "", Verdict::Delivered),
    (Name::Loki, 200, "", Verdict::Delivered),
    (Name::Loki, 260, "", Verdict::Stop),
    (Name::Loki, 299, "", Verdict::Stop),
    (Name::Loki, 400, "", Verdict::Isolate),
    (Name::Loki, 429, "", RETRY),
    (Name::Loki, 500, "", RETRY),
    (
        Name::Splunk,
        200,
        r#"{"text":"Success","code":0}"#,
        Verdict::Delivered,
    ),
    (Name::Splunk, 200, r#"{"text":"?","code":9}"#, ANY_TIME),
    (Name::Splunk, 200, HTML, ANY_TIME),
    (
        Name::Splunk,
        400,
        r#"{"text":"Invalid data format","code":6}"#,
        Verdict::Isolate,
    ),
    (
        Name::Splunk,
        400,
        r#"{"text":"Incorrect index","code":7}"#,
        Verdict::Stop,
    ),
    (
        Name::Splunk,
        400,
        r#"{"text":"Data channel is missing","code":10}"#,
        Verdict::Stop,
    ),
    (Name::Splunk, 400, HTML, Verdict::Isolate),
    (
        Name::Splunk,
        401,
        r#"{"text":"Token is required","code":2}"#,
        Verdict::Stop,
    ),
    (
        Name::Splunk,
        403,
        r#"{"text":"Invalid token","code":4}"#,
        Verdict::Stop,
    ),
    (
        Name::Splunk,
        413,
        r#"{"text":"large","code":27}"#,
        Verdict::Split,
    ),
    (Name::Splunk, 429, "", RETRY),
    (
        Name::Splunk,
        503,
        r#"{"text":"Server is busy","code":9}"#,
        RETRY,
    ),
    (Name::Datadog, 202, "{}", Verdict::Delivered),
    (Name::Datadog, 400, "", Verdict::Isolate),
    (Name::Datadog, 403, "", Verdict::Stop),
    (Name::Datadog, 408, "", RETRY),
    (Name::Datadog, 413, "", Verdict::Split),
    (Name::Datadog, 429, "", RETRY),
    (Name::NewRelic, 202, "{}", Verdict::Delivered),
    (Name::NewRelic, 403, "", Verdict::Stop),
    (Name::NewRelic, 413, "", Verdict::Split),
    (Name::NewRelic, 429, "", RETRY),
];

#[test]
fn each_receivers_statuses_mean_what_its_protocol_says() {
    for (name, status, body, expected) in MEANINGS {
        let got = verdict(*name, *status, body);
        assert_eq!(got, *expected, "{name:?} {status} {body}");
    }
}

#[test]
fn a_page_behind_a_success_is_no_delivery() {
    for name in NAMES {
        for status in [200, 202, 204] {
            for media_type in ["text/html; charset=utf-8", "application/xhtml+xml"] {
                let answer = read(name, status, media_type, HTML.as_bytes(), 3);
                assert_eq!(answer, Answer::None(Failure::Unproven), "{name:?} {status}");
            }
        }
    }
    // Some portals do not say what theirs is; who reads an answer sees it.
    for page in [
        "\n<!DOCTYPE html><title>Sign in</title>",
        "\u{feff}<!doctype HTML>",
        "<HTML lang=en>",
        HTML,
    ] {
        for name in [
            Name::Ndjson,
            Name::Json,
            Name::Otlp,
            Name::Elastic,
            Name::Splunk,
        ] {
            for media_type in ["", JSON] {
                let answer = read(name, 200, media_type, page.as_bytes(), 3);
                assert_eq!(answer, Answer::None(Failure::Unproven), "{name:?} {page}");
            }
        }
    }
    // What some frameworks call HTML is none.
    for said in ["", "ok", "{}"] {
        let answer = read(Name::Ndjson, 200, "text/html", said.as_bytes(), 3);
        assert_eq!(answer.verdict(Role::Primary), Verdict::Delivered, "{said}");
    }
}

#[test]
fn records_that_axiom_refused_are_counted() {
    let failure = r#"{"timestamp":"","error":"too many fields, \"failed\":0"}"#;
    let many = vec![failure; 1_000].join(",");
    for (body, is_delivered) in [
        (
            format!(r#"{{"ingested":1,"failed":2,"failures":[{failure}]}}"#),
            false,
        ),
        // As much as is read of a long one.
        (
            format!(r#"{{ "ingested" : 1, "failed" : 2, "failures":[{many}]}}"#)[..16_384]
                .to_owned(),
            false,
        ),
        (
            r#"{"ingested":3,"failed":0,"failures":[]}"#.to_owned(),
            true,
        ),
        (r#"{"failed":2}"#.to_owned(), true),
        (r#"{"ingested":1,"failed":"no"}"#.to_owned(), true),
        (r#""ingested":1,"failed":2"#.to_owned(), true),
    ] {
        for name in [Name::Ndjson, Name::Json] {
            let answer = read(name, 200, JSON, body.as_bytes(), 3);
            let expected = if is_delivered {
                Verdict::Delivered
            } else {
                let (refused, code) = (2, 200);
                assert_eq!(answer, Answer::Unnamed { refused, code });
                continue;
            };
            assert_eq!(answer.verdict(Role::Primary), expected, "{body}");
        }
    }
}

#[test]
fn each_event_that_honeycomb_refused_is_named() {
    let of = |body: &str, records| read(Name::Json, 200, JSON, body.as_bytes(), records);
    // As its API documents it.
    let mixed = r#"[{"status":202},{"status":400,"error":"request body is malformed"},{"status":429,"error":"rate limit"}]"#;
    let Answer::Records {
        records,
        refused,
        waiting,
    } = of(mixed, 3)
    else {
        panic!("{:?}", of(mixed, 3));
    };
    assert_eq!(records, [Taken, Refused, Retry]);
    assert_eq!(refused.expect("one").status, Some(400));
    assert_eq!(waiting.expect("one").status, Some(429));
    let many = format!("[{}]", vec![r#"{"status":202}"#; 10_000].join(", "));
    let format = logs_of(&primary(Name::Json, FormatOptions::default()));
    assert!(many.len() < format.most_answer_bytes());
    for (body, records, verdict) in [
        (many.as_str(), 10_000, Verdict::Delivered),
        // Of which records does it speak?
        (r#"[{"status":202}]"#, 3, Verdict::Divert),
        (r#"[{"status":202},{"status":40"#, 3, Verdict::Divert),
        // The dataset or the key: no event is wrong.
        (r#"[{"status":401},{"status":401}]"#, 2, Verdict::Stop),
        // What is no such answer.
        ("[]", 3, Verdict::Delivered),
        (r#"[{"status":"ok"}]"#, 3, Verdict::Delivered),
        ("[1,2", 3, Verdict::Delivered),
        (r#"[{"id":"#, 3, Verdict::Delivered),
    ] {
        let found = match of(body, records) {
            Answer::Records { records, .. } if records.iter().all(|it| *it == Taken) => {
                Verdict::Delivered
            }
            Answer::None(failure) => {
                assert_eq!(failure, Failure::Unproven, "{body}");
                Verdict::Divert
            }
            answer => answer.verdict(Role::Primary),
        };
        assert_eq!(found, verdict, "{}", &body[..body.len().min(60)]);
    }
    // A receiver of lines has no such answer.
    let lines = read(Name::Ndjson, 200, JSON, mixed.as_bytes(), 3);
    assert_eq!(lines.verdict(Role::Primary), Verdict::Delivered);
}

#[test]
fn otlps_own_answer_is_protobuf_too() {
    let protobuf = "application/x-protobuf";
    let of = |body: &[u8]| read(Name::Otlp, 200, protobuf, body, 3);
    assert_eq!(of(b"").verdict(Role::Primary), Verdict::Delivered);
    // The Collector's empty partial success.
    assert_eq!(of(&[0x0a, 0x00]).verdict(Role::Primary), Verdict::Delivered);
    assert_eq!(
        of(&[0x0a, 0x02, 0x08, 0x02]),
        Answer::Unnamed {
            refused: 2,
            code: 200
        }
    );
    for junk in [HTML.as_bytes(), &[0x0a], &[0xff; 20]] {
        assert_eq!(of(junk), Answer::None(Failure::Unproven), "{junk:?}");
    }
}

#[test]
fn a_bulk_answer_is_read_item_by_item() {
    let body = br#"{"errors":true,"items":[
        {"create":{"_index":"x","status":201}},
        {"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"there"}}},
        {"create":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"secret"}}},
        {"create":{"status":429,"error":{"type":"es_rejected_execution_exception"}}},
        {"create":{"status":503}},
        {"create":{"status":404,"error":{"type":"index_not_found_exception"}}}]}"#;
    let answer = read(Name::Elastic, 200, JSON, body, 6);
    let Answer::Records {
        records,
        refused,
        waiting,
    } = &answer
    else {
        panic!("{answer:?}");
    };
    assert_eq!(records[..], [Taken, Taken, Refused, Retry, Retry, Retry]);
    assert_eq!(
        refused
            .as_ref()
            .map(std::string::ToString::to_string)
            .as_deref(),
        Some("rejected (status 400; mapper_parsing_exception)")
    );
    assert_eq!(
        waiting
            .as_ref()
            .map(std::string::ToString::to_string)
            .as_deref(),
        Some("throttled (status 429; es_rejected_execution_exception)")
    );
    let all = br#"{"errors":true,"items":[{"create":{"status":404,"error":{"type":"index_not_found_exception"}}},{"create":{"status":404}}]}"#;
    let answer = read(Name::Elastic, 200, JSON, all, 2);
    assert_eq!(answer.verdict(Role::Primary), Verdict::Stop);
    assert_eq!(
        answer.cause().to_string(),
        "not_found (status 404; index_not_found_exception)"
    );
}

#[test]
fn a_collectors_answer_names_the_event() {
    let body = br#"{"text":"Event field is required","code":12,"invalid-event-number":1}"#;
    let answer = read(Name::Splunk, 400, JSON, body, 3);
    assert_eq!(answer.named(), Some(1));
    assert_eq!(answer.verdict(Role::Primary), Verdict::Named);
    let cause = answer.cause().to_string();
    assert_eq!(cause, "rejected (status 400; Event field is required)");
    // One that was not sent.
    let beyond = br#"{"text":"?","code":12,"invalid-event-number":3}"#;
    assert_eq!(
        read(Name::Splunk, 400, JSON, beyond, 3).verdict(Role::Primary),
        Verdict::Isolate
    );
}

/// So that no row is dead: the first that speaks of a status wins.
#[test]
fn each_row_of_a_table_speaks_of_a_status_that_none_before_it_does() {
    for (name, rows) in tables() {
        for (index, row) in rows.iter().enumerate() {
            let is_new = (row.from..=row.to).any(|status| {
                rows[..index]
                    .iter()
                    .all(|it| !(it.from..=it.to).contains(&status))
            });
            assert!(is_new, "{name:?} {row:?}");
            assert!(row.source.starts_with("https://"), "{row:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a server sends, a verdict comes of it; what is not in the protocol's form is no delivery where
    /// the protocol has one.
    #[test]
    fn no_answer_breaks_a_reader(
        status in 100u16..600,
        body in prop::collection::vec(any::<u8>(), 0..200),
        is_json in any::<bool>(),
    ) {
        for name in NAMES {
            let media_type = if is_json { JSON } else { "application/x-protobuf" };
            let answer = read(name, status, media_type, &body, 3);
            let is_delivered = answer.verdict(Role::Primary) == Verdict::Delivered;
            prop_assert!(!is_delivered || (200..300).contains(&status));
            let is_proven_by_body = matches!(name, Name::Elastic | Name::Splunk);
            let is_form = serde_json::from_slice::<serde_json::Value>(&body).is_ok();
            prop_assert!(!is_delivered || !is_proven_by_body || is_form);
        }
    }
}
