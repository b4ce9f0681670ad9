//! `backstop replay`, from objects in S3 to a primary over TLS, through the real command.

use backstop_testkit::Fault;
use serde_json::{Value, json};

use crate::support::{DIRECT, STREAM, Said, Stage, line, run, sent};

/// The counts that a test is about.
fn counts(summary: &Value, names: &[&str]) -> Vec<u64> {
    names
        .iter()
        .map(|name| summary[*name].as_u64().unwrap_or(u64::MAX))
        .collect()
}

/// Every record that was read is in exactly one count.
fn assert_balanced(summary: &Value) {
    let parts = [
        "sent",
        "wouldSend",
        "duplicates",
        "filtered",
        "rejected",
        "failed",
    ];
    let total: u64 = counts(summary, &parts).iter().sum();
    assert_eq!(summary["records"], total, "{summary}");
}

fn lines(ids: std::ops::Range<u32>, record: &str) -> Vec<String> {
    ids.map(|id| line(&format!("e-{id}"), record)).collect()
}

#[tokio::test]
async fn every_record_is_sent_once_as_the_primary_would_have_got_it() {
    let stage = Stage::set().await;
    stage.put_lines(&format!("{DIRECT}/b1.ndjson.gz"), &lines(0..3, "one"));
    // Firehose may deliver twice, may leave out gzip, and never writes below account=.
    stage.put_lines(&format!("{STREAM}/s-1.gz"), &lines(2..6, "one"));
    stage.put(
        &format!("{STREAM}/s-2"),
        (lines(6..7, "one").join("\n")).as_bytes(),
    );
    stage.put_lines(
        "elsewhere/v1/account=1/x.ndjson.gz",
        &lines(90..91, "not ours"),
    );

    let said = run(&mut stage.replay()).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let summary = said.json();
    assert_balanced(&summary);
    assert_eq!(
        counts(
            &summary,
            &["schemaVersion", "objects", "records", "sent", "duplicates"]
        ),
        [1, 3, 8, 7, 1]
    );
    for id in 0..7 {
        assert_eq!(stage.accepted(&format!("e-{id}")), 1, "e-{id}");
    }
    assert_eq!(stage.intake.record_count(), 7);
    assert!(stage.intake.lines().contains(&sent("e-4", "one")));
}

#[tokio::test]
async fn a_listing_of_many_pages_is_read_to_its_end() {
    let stage = Stage::set().await;
    for number in 0..1_100 {
        let key = format!("{DIRECT}/b{number}.ndjson.gz");
        stage.put_lines(&key, &lines(number..number + 1, "one"));
    }
    let said = run(stage.replay().args(["--dry-run", "--concurrency", "16"])).await;
    assert_eq!(
        counts(&said.json(), &["objects", "wouldSend"]),
        [1_100, 1_100]
    );
}

#[tokio::test]
async fn an_empty_archive_is_told_and_is_no_error() {
    let stage = Stage::set().await;
    let said = run(&mut stage.replay()).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.stderr.contains("There is no object below s3://"),
        "{said:?}"
    );
}

#[tokio::test]
async fn what_is_broken_costs_nothing_but_itself() {
    let stage = Stage::set().await;
    let mut text = lines(0..2, "one");
    text.insert(1, "{\"id\":\"broken".to_owned());
    stage.put_lines(&format!("{DIRECT}/b1.ndjson.gz"), &text);
    let whole = backstop_sinks::codec::gzip(lines(10..500, "two").join("\n").as_bytes());
    stage.put(&format!("{DIRECT}/b2.ndjson.gz"), &whole[..whole.len() / 2]);

    let said = run(&mut stage.replay()).await;
    assert_eq!(said.code, Some(3), "{said:?}");
    let summary = said.json();
    assert_balanced(&summary);
    assert_eq!(
        counts(&summary, &["objects", "objectsBroken", "brokenLines"]),
        [2, 1, 1]
    );
    assert_eq!(
        (
            stage.accepted("e-0"),
            stage.accepted("e-1"),
            stage.accepted("e-10")
        ),
        (1, 1, 1)
    );
    let problems = summary["problems"].as_array().cloned().unwrap_or_default();
    let line = problems.iter().find(|problem| problem["line"] == 2);
    assert_eq!(
        line.map(|problem| &problem["object"]),
        Some(&json!(format!("{DIRECT}/b1.ndjson.gz")))
    );
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[tokio::test]
async fn the_table_tells_what_was_done_and_what_is_left() {
    let stage = Stage::set().await;
    let mut text = lines(0..3, "one");
    text.push("not a record".to_owned());
    text.push(line("e-0", "one"));
    stage.put_lines(&format!("{DIRECT}/b1.ndjson.gz"), &text);
    let said = run(&mut stage.replay_as("table")).await;
    let port = stage.intake.address().port().to_string();
    insta::assert_snapshot!(said.snapshot().replace(&port, "PORT"));
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
        let (said, ()) = tokio::join!(run(&mut command), async {
            let limit = std::time::Duration::from_secs(20);
            assert!(stage.intake.wait_for_requests(1, limit).await);
            stage.intake.set_fault(None).await.expect("it is cleared");
        });
        assert_eq!(said.code, Some(0), "{said:?}");
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
    let said = run(command.env("BACKSTOP_PRIMARY_COMPRESSION", "none")).await;
    assert_eq!(said.code, Some(3), "{said:?}");
    let summary = said.json();
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
        let said = run(&mut stage.replay()).await;
        assert_eq!(said.code, Some(3), "{said:?}");
        let summary = said.json();
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
    let said = run(&mut stage.replay()).await;
    assert_eq!(said.code, Some(3), "{said:?}");
    assert_eq!(
        counts(&said.json(), &["records", "sent", "rejected", "failed"]),
        [1000, 0, 1000, 0]
    );
    assert_eq!(stage.intake.requests().values().sum::<u64>(), 20);
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
        let said = run(&mut stage.replay()).await;
        assert_eq!(said.code, Some(3), "{said:?}");
        let summary = said.json();
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
    let said = run(command.args(["--concurrency", "2"])).await;
    assert_eq!(said.code, Some(3), "{said:?}");
    let summary = said.json();
    assert_balanced(&summary);
    let halted = summary["halted"].as_str().unwrap_or_default();
    let expected =
        "the primary refused our credentials: unauthorized (status 401); check the token";
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
    let said = run(stage.replay().args(["--concurrency", "1"])).await;
    assert_eq!(said.code, Some(3), "{said:?}");
    let summary = said.json();
    assert_eq!(counts(&summary, &["sent", "failed"]), [0, 3]);
    let halted = summary["halted"].as_str().unwrap_or_default();
    assert_eq!(
        halted,
        "the primary does not take records: server_error (status 503); run the same command again \
         when it is well"
    );
    assert_eq!(stage.intake.requests().get(&503), Some(&24));
}

#[tokio::test]
async fn a_dry_run_counts_and_sends_nothing() {
    let stage = Stage::set().await;
    let mut all = lines(0..5, "one");
    all.push(line("e-9", "two").replace("server_error", "breaker_open"));
    stage.put_lines(&format!("{DIRECT}/b1.ndjson.gz"), &all);
    let said = run(stage.replay().arg("--dry-run")).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let summary = said.json();
    assert_balanced(&summary);
    assert_eq!(counts(&summary, &["wouldSend", "sent"]), [6, 0]);
    assert_eq!(summary["functions"], json!({ "checkout": 6 }));
    assert_eq!(
        summary["reasons"],
        json!({ "breaker_open": 1, "server_error": 5 })
    );
    assert!(stage.intake.requests().is_empty());
}

#[tokio::test]
async fn a_replay_twice_has_the_same_keys_and_one_with_a_filter_has_others() {
    let stage = Stage::set().await;
    let mut all = lines(0..3, "one");
    all.insert(
        1,
        line("e-9", "two").replace("server_error", "breaker_open"),
    );
    stage.put_lines(&format!("{DIRECT}/b1.ndjson.gz"), &all);
    for _ in 0..2 {
        assert_eq!(run(&mut stage.replay()).await.code, Some(0));
    }
    let said = run(stage.replay().args(["--reason", "server_error"])).await;
    assert_eq!(counts(&said.json(), &["sent", "filtered"]), [3, 1]);
    let keys: Vec<_> = stage
        .intake
        .deliveries()
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    assert_eq!(keys.len(), 3);
    assert_eq!(keys[0], keys[1]);
    assert_ne!(
        keys[0], keys[2],
        "first and last record are the same, the batch is not"
    );
}

#[tokio::test]
async fn objects_and_records_are_chosen_by_function_and_time() {
    let stage = Stage::set().await;
    stage.put_lines(&format!("{DIRECT}/b1.ndjson.gz"), &lines(0..3, "one"));
    let other = DIRECT
        .replace("checkout", "other")
        .replace("hour=08", "hour=07");
    stage.put_lines(&format!("{other}/b2.ndjson.gz"), &lines(3..6, "one"));
    stage.put_lines(&format!("{STREAM}/s-1.gz"), &lines(6..9, "one"));
    let said = run(stage.replay().args(["--function", "check*", "--dry-run"])).await;
    assert_eq!(
        counts(&said.json(), &["wouldSend", "objectsFiltered"]),
        [6, 1]
    );
    let since = [
        "--since",
        "2026-01-31T08:00:00Z",
        "--until",
        "2026-01-31T08:15:00Z",
    ];
    let said = run(stage.replay().args(since).arg("--dry-run")).await;
    assert_eq!(
        counts(&said.json(), &["wouldSend", "filtered", "objectsFiltered"]),
        [0, 9, 0]
    );
}

#[tokio::test]
async fn tokens_and_headers_come_from_files_or_the_environment() {
    let stage = Stage::set().await;
    stage.put_lines(&format!("{DIRECT}/b1.ndjson.gz"), &lines(0..1, "one"));
    let files = tempfile::TempDir::new().expect("there is room for a directory");
    let (token, headers) = (files.path().join("token"), files.path().join("headers"));
    std::fs::write(&token, "hunter2\n").expect("the directory is ours");
    std::fs::write(&headers, "# ours\nx-team: a, b\n").expect("the directory is ours");
    let mut command = stage.replay();
    command
        .arg("--token-file")
        .arg(&token)
        .arg("--header-file")
        .arg(&headers);
    let said = run(command.args(["--format", "json"])).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let last = stage.intake.last_headers();
    let of = |name: &str| last.get(name).and_then(|value| value.to_str().ok());
    assert_eq!(of("authorization"), Some("Bearer hunter2"));
    assert_eq!(of("x-team"), Some("a, b"));
    assert_eq!(of("content-type"), Some("application/json"));
    let said = run(stage
        .replay()
        .env("BACKSTOP_PRIMARY_TOKEN", "from-environment"))
    .await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let last = stage.intake.last_headers();
    assert_eq!(last["authorization"], "Bearer from-environment");
}

#[tokio::test]
async fn an_interruption_is_told_with_what_was_done() {
    let stage = Stage::set().await;
    stage.put_lines(&format!("{DIRECT}/b1.ndjson.gz"), &lines(0..10, "one"));
    stage
        .intake
        .set_fault(Some(Fault::Status(503)))
        .await
        .expect("it holds");
    let mut command = stage.replay();
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let child = command.spawn().expect("the command runs");
    let pid = child.id().expect("it has not ended");
    let limit = std::time::Duration::from_secs(20);
    assert!(stage.intake.wait_for_requests(1, limit).await);
    let kill = std::process::Command::new("sh")
        .args(["-c", &format!("kill -INT {pid}")])
        .status();
    assert!(kill.is_ok_and(|status| status.success()));
    let said: Said = child.wait_with_output().await.expect("it ends").into();
    assert_eq!(said.code, Some(130), "{said:?}");
    let summary = said.json();
    assert_balanced(&summary);
    assert_eq!(summary["interrupted"], true);
    assert_eq!(counts(&summary, &["sent", "failed"]), [0, 10]);
}

#[tokio::test]
async fn errors_of_s3_say_what_to_do() {
    let stage = Stage::set().await;
    let mut command = stage.replay();
    let said = run(command.env("AWS_SECRET_ACCESS_KEY", "wrong")).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stderr.contains("SignatureDoesNotMatch"), "{said:?}");
    assert!(said.stderr.contains("check the credentials"), "{said:?}");
    assert_eq!(said.stdout, "");

    let mut command = stage.replay();
    let said = run(command.env_remove("AWS_ACCESS_KEY_ID")).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stderr.contains("give credentials"), "{said:?}");
}
