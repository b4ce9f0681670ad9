//! `doctor --send`: one record by the extension's code, and what the answer means in the format's own words.

use super::*;

/// What comes of it at a primary that answers so.
async fn sent(format: &str, answer: (u16, &'static str)) -> (String, String, Option<i32>) {
    let stage = Stage::set().await;
    let server = LittleServer::start(move |_| (answer.0, String::new(), answer.1.to_owned()));
    let mut spec = healthy(&stage);
    (spec.environment).insert("BACKSTOP_PRIMARY_FORMAT".to_owned(), format.to_owned());
    (spec.environment).insert("BACKSTOP_PRIMARY_URL".to_owned(), server.endpoint());
    stage.plane.add_function(&here(), spec);
    let finished = doctor(&stage, &["orders", "--send", "--output", "json"]).await;
    assert!(
        !finished.stdout.contains("hunter2"),
        "{}",
        finished.snapshot()
    );
    let report = finished.json();
    let (came_out, text) = check(&report, "send");
    (came_out.to_owned(), text, finished.code)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_explained_in_the_formats_words() {
    const HTML: &str = "<html>hunter2 please sign in</html>";
    for (format, answer, state, words) in [
        ("ndjson", (200, ""), "ok", "accepted a test record"),
        (
            "otlp",
            (200, "{}"),
            "problem",
            "not as a receiver of otlp does",
        ),
        (
            "elastic",
            (200, r#"{"errors":false}"#),
            "ok",
            "accepted a test record",
        ),
        (
            "elastic",
            (200, HTML),
            "problem",
            "not as a receiver of elastic does",
        ),
        (
            "splunk",
            (200, HTML),
            "problem",
            "not as a receiver of splunk does",
        ),
        (
            "splunk",
            (403, r#"{"text":"Invalid token","code":4}"#),
            "problem",
            "Invalid token",
        ),
        ("loki", (260, ""), "problem", "ingestion is blocked"),
        (
            "datadog",
            (403, HTML),
            "problem",
            "the API key is wrong, or of another site",
        ),
        ("newrelic", (403, HTML), "problem", "or of another region"),
        ("newrelic", (202, "{}"), "ok", "accepted a test record"),
        (
            "otlp",
            (404, HTML),
            "problem",
            "check the path of BACKSTOP_PRIMARY_URL",
        ),
        ("json", (429, ""), "problem", "try again later"),
    ] {
        let (got, text, code) = sent(format, answer).await;
        assert_eq!(got, state, "{format} {answer:?} {text}");
        assert!(text.contains(words), "{format} {answer:?} {text}");
        assert_eq!(code == Some(0), state == "ok", "{format} {answer:?} {text}");
    }
}

/// What to do is about the format's own code or status, and not about what the bare status says elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn the_advice_is_about_what_the_format_says() {
    // One record is refused, and why; in protobuf.
    const PARTIAL: &str = "\n\u{b}\u{8}\u{1}\u{12}\u{7}hunter2";
    for (format, answer, words) in [
        ("json", (402, ""), "the quota is used up"),
        ("ndjson", (408, ""), "try again later"),
        // An answer about another number of records than the one that was sent.
        (
            "elastic",
            (200, r#"{"errors":true,"items":[]}"#),
            "does not prove that it has the test record",
        ),
        (
            "elastic",
            (
                200,
                r#"{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":201}}]}"#,
            ),
            "does not prove that it has the test record",
        ),
        (
            "elastic",
            (
                200,
                r#"{"errors":true,"items":[{"create":{"status":404,"error":{"type":"index_not_found_exception"}}}]}"#,
            ),
            "create the index",
        ),
        (
            "elastic",
            (
                200,
                r#"{"errors":true,"items":[{"create":{"status":400,"error":{"type":"mapper_parsing_exception"}}}]}"#,
            ),
            "check the mapping of the index",
        ),
        ("elastic", (406, ""), "ends in `_bulk`"),
        (
            "splunk",
            (400, r#"{"text":"hunter2","code":7}"#),
            "allow the token this index",
        ),
        (
            "splunk",
            (400, r#"{"text":"hunter2","code":10}"#),
            "turn off indexer acknowledgment",
        ),
        ("loki", (260, ""), "lift the block on ingestion"),
        ("loki", (400, "hunter2"), "Loki's own log"),
        (
            "otlp",
            (200, PARTIAL),
            "look for the reason in the receiver's own log",
        ),
        (
            "ndjson",
            (
                200,
                r#"{"ingested":0,"failed":1,"failures":[{"error":"hunter2"}]}"#,
            ),
            "check the dataset and its limit of fields",
        ),
    ] {
        let (got, text, code) = sent(format, answer).await;
        assert_eq!(got, "problem", "{format} {answer:?} {text}");
        assert!(text.contains(words), "{format} {answer:?} {text}");
        assert_eq!(code, Some(1), "{format} {answer:?} {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_unless_it_is_asked_for() {
    let stage = Stage::set().await;
    stage.plane.add_function(&here(), healthy(&stage));
    let finished = doctor(&stage, &["orders", "--output", "json"]).await;
    let report = finished.json();
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.iter().all(|it| it["check"] != "send"), "{report}");
}
