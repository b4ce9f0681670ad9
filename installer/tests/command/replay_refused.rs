//! `backstop replay` to a primary that is slow, down, or refuses: what is repeated, split, left, and ended.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use backstop_simulator::{Fault, LittleServer};

use crate::replay::{assert_balanced, counts, lines};
use crate::support::{DIRECT, Finished, Stage, TIME, line, run};

/// The attempts of a batch.
const ATTEMPTS: usize = 8;

/// Ten records to a primary of this format, which is busy until the last attempt and then answers so. Nothing
/// waits between the attempts.
async fn answered_last(
    stage: &Stage,
    format: &str,
    answer: (u16, &'static str),
    output: &str,
) -> Finished {
    let asked = AtomicUsize::new(0);
    let server = LittleServer::start(move |_| {
        let number = asked.fetch_add(1, Ordering::Relaxed);
        if number + 1 < ATTEMPTS {
            let at_once = "retry-after: 0\r\n".to_owned();
            return (503, at_once, String::new());
        }
        let (status, body) = answer;
        let kind = if body.starts_with('<') {
            "html"
        } else {
            "json"
        };
        let kind = format!("content-type: text/{kind}\r\n");
        (status, kind, body.to_owned())
    });
    stage.put_lines(&format!("{DIRECT}/b1.ndjson.gz"), &lines(0..10, "one"));
    let mut command = stage.replay_to(&server.endpoint(), output);
    command.args(["--format", format, "--after", "delete"]);
    run(&mut command).await
}

/// A primary of this format that always answers so.
async fn answered(format: &str, status: u16, body: &'static str) -> Finished {
    let stage = Stage::set().await;
    stage.put_lines(&format!("{DIRECT}/b1.ndjson.gz"), &lines(0..10, "one"));
    let server = LittleServer::start(move |_| (status, String::new(), body.to_owned()));
    let mut command = stage.replay_to(&server.endpoint(), "json");
    // Else Loki would be sent none of them.
    let age = ["--format-options", "max_age_hours=0"];
    if format == "loki" {
        command.args(age);
    }
    run(command.args(["--format", format])).await
}

/// An answer that speaks of another number of records, or a page: nobody knows what was stored.
#[tokio::test]
async fn a_success_that_proves_nothing_is_no_delivery_and_deletes_nothing() {
    for (format, body) in [
        ("elastic", r#"{"errors":true,"items":[]}"#),
        (
            "elastic",
            r#"{"errors":true,"items":[{"create":{"status":201}}]}"#,
        ),
        ("json", r#"[{"status":202}]"#),
        ("ndjson", "<html>please sign in</html>"),
    ] {
        let stage = Stage::set().await;
        let finished = answered_last(&stage, format, (200, body), "json").await;
        assert_eq!(finished.code, Some(3), "{format} {body}: {finished:?}");
        let summary = finished.json();
        assert_balanced(&summary);
        assert_eq!(
            counts(&summary, &["sent", "rejected", "failed"]),
            [0, 0, 10],
            "{format} {body}"
        );
        let problem = summary["problems"][0]["problem"].as_str().unwrap_or("");
        assert!(
            problem.starts_with(
                "the primary did not accept 10 records from e-0 on: unproven; its answer does not \
                 prove that it has them"
            ),
            "{format} {body}: {problem}"
        );
        let object = stage.path(&format!("{DIRECT}/b1.ndjson.gz"));
        assert!(object.exists(), "{format} {body}: it was deleted");
    }
}

#[tokio::test]
async fn a_batch_that_is_not_taken_names_the_last_cause_in_the_text_and_in_json() {
    for (answer, cause) in [
        ((503, ""), "server_error (status 503)"),
        ((429, ""), "throttled (status 429)"),
        ((200, "<html></html>"), "unproven; its answer"),
    ] {
        let stage = Stage::set().await;
        let finished = answered_last(&stage, "ndjson", answer, "table").await;
        let last = finished.stdout.lines().last().unwrap_or_default();
        let expected = format!("the primary does not accept all records: {cause}");
        assert!(last.starts_with(&expected), "{finished:?}");
        assert!(
            last.ends_with("run the same command with --resume: it sends what is left"),
            "{finished:?}"
        );

        let stage = Stage::set().await;
        let finished = answered_last(&stage, "ndjson", answer, "json").await;
        let summary = finished.json();
        let problem = summary["problems"][0]["problem"].as_str().unwrap_or("");
        let expected = format!("the primary did not accept 10 records from e-0 on: {cause}");
        assert!(problem.starts_with(&expected), "{finished:?}");
        assert!(summary["halted"].is_null(), "{finished:?}");
    }
}

/// What the format's own code or status says, and not what the bare status says elsewhere.
#[tokio::test]
async fn the_advice_is_about_what_the_format_says() {
    for (format, status, body, expected) in [
        (
            "splunk",
            400,
            r#"{"text":"hunter2","code":7}"#,
            "the primary does not accept records: rejected (status 400; Incorrect index); allow \
             the token this index in Splunk, or name one that it allows with --format-options \
             index=NAME, then run the same command again",
        ),
        (
            "splunk",
            400,
            r#"{"text":"hunter2","code":10}"#,
            "the primary does not accept records: rejected (status 400; Data channel is missing); \
             turn off indexer acknowledgment",
        ),
        (
            "splunk",
            403,
            r#"{"text":"hunter2","code":4}"#,
            "the primary rejected the credentials: unauthorized (status 403; Invalid token); check",
        ),
        (
            "splunk",
            403,
            r#"{"text":"hunter2","code":1}"#,
            "the primary rejected the credentials: unauthorized (status 403; Token disabled); \
             enable the token in Splunk",
        ),
        (
            "loki",
            401,
            "hunter2",
            "the primary rejected the credentials: unauthorized (status 401); check the token, and \
             give the tenant in the header X-Scope-OrgID",
        ),
        (
            "loki",
            260,
            "hunter2",
            "the primary does not accept records: not_accepted (status 260); lift the block",
        ),
        (
            "elastic",
            406,
            "hunter2",
            "the primary does not accept records: not_accepted (status 406); check that a bulk API",
        ),
        (
            "ndjson",
            404,
            "hunter2",
            "the primary does not know this path: not_found (status 404); check the path in --to",
        ),
    ] {
        let finished = answered(format, status, body).await;
        assert_eq!(finished.code, Some(3), "{finished:?}");
        let summary = finished.json();
        assert_eq!(counts(&summary, &["sent", "rejected"]), [0, 0], "{summary}");
        let halted = summary["halted"].as_str().unwrap_or_default();
        assert!(halted.starts_with(expected), "{format} {status}: {halted}");
        assert!(!finished.stdout.contains("hunter2"), "{finished:?}");
    }
}

#[tokio::test]
async fn a_throttled_request_is_repeated_under_its_key() {
    for seconds in [0, 1] {
        let stage = Stage::set().await;
        stage.put_lines(&format!("{DIRECT}/b1.ndjson.gz"), &lines(0..10, "one"));
        let throttled = Fault::StatusWithRetryAfter(429, seconds);
        stage
            .intake
            .set_fault(Some(throttled))
            .await
            .expect("it holds");
        let mut command = stage.replay();
        let (finished, ()) = tokio::join!(run(&mut command), async {
            let limit = std::time::Duration::from_secs(20);
            assert!(stage.intake.wait_for_requests(1, limit).await);
            stage.intake.set_fault(None).await.expect("it is cleared");
        });
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let deliveries = stage.intake.deliveries();
        assert!(deliveries.len() > 1);
        assert!(
            deliveries
                .iter()
                .all(|(key, _)| *key == deliveries[0].0 && key.is_some())
        );
        assert_eq!(stage.intake.record_count(), 10);
    }
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_split_until_it_fits() {
    let stage = Stage::set().await;
    let record = "x".repeat(300);
    let mut all = lines(0..40, &record);
    all.push(line("large", &"x".repeat(3_000)));
    stage.put_lines(&format!("{DIRECT}/b1.ndjson.gz"), &all);
    let limit = Fault::TooLarge { limit_bytes: 2_048 };
    stage.intake.set_fault(Some(limit)).await.expect("it holds");

    let mut command = stage.replay();
    let finished = run(command.env("BACKSTOP_PRIMARY_COMPRESSION", "none")).await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    let summary = finished.json();
    assert_balanced(&summary);
    assert_eq!(
        counts(&summary, &["sent", "rejected", "failed"]),
        [40, 1, 0]
    );
    let problem = summary["problems"][0]["problem"]
        .as_str()
        .unwrap_or_default();
    assert_eq!(
        problem,
        "the primary refused the record large: too_large (status 413)"
    );
    assert!(stage.intake.records().values().all(|count| *count == 1));
}

/// Of 501 records one is refused: the other 500 are sent, and the problem names that one.
#[tokio::test]
async fn a_record_that_the_primary_refuses_does_not_keep_its_neighbours() {
    for status in [400, 422] {
        let stage = Stage::set().await;
        stage.intake.refuse_lines_with(Some((status, "poison")));
        let mut text = lines(0..501, "good");
        text[250] = line("e-250", "poison");
        stage.put_lines(&format!("{DIRECT}/b1.ndjson.gz"), &text);
        let finished = run(&mut stage.replay()).await;
        assert_eq!(finished.code, Some(3), "{finished:?}");
        let summary = finished.json();
        assert_balanced(&summary);
        assert_eq!(
            counts(&summary, &["records", "sent", "rejected", "failed"]),
            [501, 500, 1, 0]
        );
        let problem = summary["problems"][0]["problem"].as_str().unwrap_or("");
        let expected = format!("the primary refused the record e-250: rejected (status {status})");
        assert_eq!(problem, expected);
        assert_eq!(stage.intake.record_count(), 500);
        let requests: u64 = stage.intake.requests().values().sum();
        assert!(requests <= 19, "{requests} requests");
    }
}

/// A wrong format: the primary refuses everything, and is not asked for each record.
#[tokio::test]
async fn a_primary_that_refuses_everything_is_asked_twenty_times_for_a_thousand_records() {
    let stage = Stage::set().await;
    let refusing = Some(Fault::Status(400));
    stage.intake.set_fault(refusing).await.expect("it holds");
    stage.put_lines(&format!("{DIRECT}/b1.ndjson.gz"), &lines(0..1000, "one"));
    let finished = run(&mut stage.replay()).await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    assert_eq!(
        counts(&finished.json(), &["records", "sent", "rejected", "failed"]),
        [1000, 0, 1000, 0]
    );
    assert_eq!(stage.intake.requests().values().sum::<u64>(), 20);
}

/// What is never sent says nothing of the primary: it is no sign that something is taken again.
#[tokio::test]
async fn a_record_that_is_too_old_does_not_begin_the_asking_again() {
    let stage = Stage::set().await;
    let refusing = Some(Fault::Status(400));
    stage.intake.set_fault(refusing).await.expect("it holds");
    let now = DateTime::from_secs(DateTime::from(SystemTime::now()).secs());
    let now = now.fmt(Format::DateTime).expect("it has a form");
    let fresh = |ids| -> Vec<String> {
        let lines = lines(ids, "one");
        lines.iter().map(|it| it.replace(TIME, &now)).collect()
    };
    for (name, text) in [
        ("b1", fresh(0..1000)),
        ("b2", lines(1000..1001, "old")),
        ("b3", fresh(2000..3000)),
    ] {
        stage.put_lines(&format!("{DIRECT}/{name}.ndjson.gz"), &text);
    }
    let mut command = stage.replay();
    let finished = run(command.args(["--format", "datadog", "--concurrency", "1"])).await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    assert_eq!(
        counts(&finished.json(), &["records", "sent", "rejected", "failed"]),
        [2001, 0, 2001, 0]
    );
    // Twenty for the first thousand, none for the old one, five for those beside it, which are known to be
    // refused, and one for the last.
    assert_eq!(stage.intake.requests().values().sum::<u64>(), 26);
}

/// The account or the form of the request is meant, not the records: none is rejected.
#[tokio::test]
async fn a_status_that_is_not_about_records_ends_the_run_and_rejects_none() {
    for (status, advice) in [
        (402, "account"),
        (405, "--format"),
        (410, "--to"),
        (415, "--format"),
        (421, "--to"),
    ] {
        let stage = Stage::set().await;
        stage.put_lines(&format!("{DIRECT}/b1.ndjson.gz"), &lines(0..10, "one"));
        let fault = Some(Fault::Status(status));
        stage.intake.set_fault(fault).await.expect("it holds");
        let finished = run(&mut stage.replay()).await;
        assert_eq!(finished.code, Some(3), "{finished:?}");
        let summary = finished.json();
        assert_balanced(&summary);
        assert_eq!(
            counts(&summary, &["rejected", "failed"]),
            [0, 10],
            "{status}"
        );
        let halted = summary["halted"].as_str().unwrap_or("");
        assert!(halted.contains(advice), "{status}: {halted}");
        assert_eq!(stage.intake.requests()[&status], 1, "{status}");
    }
}

#[tokio::test]
async fn refused_credentials_end_the_run_and_say_what_to_do() {
    let stage = Stage::set().await;
    for number in 0..20 {
        let ids = number * 10..number * 10 + 10;
        stage.put_lines(&format!("{DIRECT}/b{number}.ndjson.gz"), &lines(ids, "one"));
    }
    stage
        .intake
        .set_fault(Some(Fault::Status(401)))
        .await
        .expect("it holds");
    let mut command = stage.replay();
    let finished = run(command.args(["--concurrency", "2"])).await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    let summary = finished.json();
    assert_balanced(&summary);
    let halted = summary["halted"].as_str().unwrap_or_default();
    let expected =
        "the primary rejected the credentials: unauthorized (status 401); check the token";
    assert!(halted.starts_with(expected), "{halted}");
    assert!(counts(&summary, &["failed"])[0] >= 10, "{summary}");
    let requests: u64 = stage.intake.requests().values().sum();
    assert!(requests <= 4, "{requests} requests");
}

#[tokio::test]
async fn a_primary_that_stays_down_ends_the_run_before_the_archive_does() {
    let stage = Stage::set().await;
    for number in 0..20 {
        let key = format!("{DIRECT}/b{number}.ndjson.gz");
        stage.put_lines(&key, &lines(number..number + 1, "one"));
    }
    // No pauses: what counts is the number of attempts.
    let down = Fault::StatusWithRetryAfter(503, 0);
    stage.intake.set_fault(Some(down)).await.expect("it holds");
    let one = ["--concurrency", "1", "--batch-records", "1"];
    let finished = run(stage.replay().args(one)).await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    let summary = finished.json();
    // The fourth waited, and the fifth was read, when the third had failed.
    assert_eq!(counts(&summary, &["sent", "failed"]), [0, 5]);
    let halted = summary["halted"].as_str().unwrap_or_default();
    assert_eq!(
        halted,
        "the primary does not accept records: server_error (status 503); run the same command again when the primary is healthy"
    );
    assert_eq!(stage.intake.requests().get(&503), Some(&24));
}
