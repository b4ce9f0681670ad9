//! `backstop replay`, from objects in S3 to a primary over TLS, through the real command.

use backstop_simulator::{Fault, SecretServer};
use serde_json::{Value, json};

use crate::support::{DIRECT, Finished, STREAM, Stage, line, run, sent};

/// The counts that a test is about.
pub(crate) fn counts(summary: &Value, names: &[&str]) -> Vec<u64> {
    names
        .iter()
        .map(|name| summary[*name].as_u64().unwrap_or(u64::MAX))
        .collect()
}

/// Every record that was read is in exactly one count.
pub(crate) fn assert_balanced(summary: &Value) {
    let parts = [
        "sent",
        "sentBefore",
        "wouldSend",
        "duplicates",
        "filtered",
        "rejected",
        "failed",
    ];
    let total: u64 = counts(summary, &parts).iter().sum();
    assert_eq!(summary["records"], total, "{summary}");
}

pub(crate) fn lines(ids: std::ops::Range<u32>, record: &str) -> Vec<String> {
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

    let finished = run(&mut stage.replay()).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let summary = finished.json();
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

/// The variables that name a token in the extension name it here, and what is read is the caller's to read.
#[tokio::test]
async fn a_token_that_is_kept_elsewhere_is_read_for_a_replay_and_not_for_a_dry_run() {
    let stage = Stage::set().await;
    stage.put_lines(&format!("{DIRECT}/b1.ndjson.gz"), &lines(0..2, "one"));
    let required = Some(("authorization", "Bearer hunter2"));
    stage.intake.require_header(required);
    let stores = SecretServer::start().await.expect("the stores start");
    stores.put("/team/token", "hunter2");
    let replay = || {
        let mut command = stage.replay();
        command
            .env("AWS_ENDPOINT_URL_SSM", stores.endpoint())
            .env("AWS_REGION", "eu-west-1")
            .env("BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER", "/team/token");
        command
    };
    let finished = run(replay().arg("--dry-run")).await;
    assert_eq!(
        (finished.code, stores.requests()),
        (Some(0), 0),
        "{finished:?}"
    );

    stores.refuse_with(Some("AccessDeniedException"));
    let finished = run(&mut replay()).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(
        finished.stderr.contains("400 AccessDeniedException"),
        "{finished:?}"
    );
    stores.refuse_with(None);

    let finished = run(&mut replay()).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(counts(&finished.json(), &["sent"]), [2]);
    assert!(!finished.snapshot().contains("hunter2"), "{finished:?}");

    // What is typed takes the place of what is set.
    let file = tempfile::NamedTempFile::new().expect("there is room for a file");
    std::fs::write(file.path(), "another").expect("it is written");
    let before = stores.requests();
    let mut again = replay();
    again.args(["--include-replayed", "--token-file"]);
    let finished = run(again.arg(file.path())).await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    assert_eq!(stores.requests(), before, "{finished:?}");
}

#[tokio::test]
async fn a_listing_of_many_pages_is_read_to_its_end() {
    let stage = Stage::set().await;
    for number in 0..1_100 {
        let key = format!("{DIRECT}/b{number}.ndjson.gz");
        stage.put_lines(&key, &lines(number..number + 1, "one"));
    }
    let finished = run(stage.replay().args(["--dry-run", "--concurrency", "16"])).await;
    assert_eq!(
        counts(&finished.json(), &["objects", "wouldSend"]),
        [1_100, 1_100]
    );
}

#[tokio::test]
async fn an_empty_archive_is_told_and_is_no_error() {
    let stage = Stage::set().await;
    let finished = run(&mut stage.replay()).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(
        finished.stderr.contains("No object is below s3://"),
        "{finished:?}"
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

    let finished = run(&mut stage.replay()).await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    let summary = finished.json();
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
    let finished = run(&mut stage.replay_as("table")).await;
    let port = stage.intake.address().port().to_string();
    insta::assert_snapshot!(finished.snapshot().replace(&port, "PORT"));
}

#[tokio::test]
async fn a_dry_run_counts_and_sends_nothing() {
    let stage = Stage::set().await;
    let mut all = lines(0..5, "one");
    all.push(line("e-9", "two").replace("server_error", "breaker_open"));
    stage.put_lines(&format!("{DIRECT}/b1.ndjson.gz"), &all);
    let finished = run(stage.replay().arg("--dry-run")).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let summary = finished.json();
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
        let finished = run(stage.replay().args(["--after", "keep"])).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
    }
    let finished = run(stage.replay().args(["--reason", "server_error"])).await;
    assert_eq!(counts(&finished.json(), &["sent", "filtered"]), [3, 1]);
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
    let finished = run(stage.replay().args(["--function", "check*", "--dry-run"])).await;
    assert_eq!(
        counts(&finished.json(), &["wouldSend", "partitionsSkipped"]),
        [6, 1]
    );
    let since = [
        "--since",
        "2026-01-31T08:00:00Z",
        "--until",
        "2026-01-31T08:15:00Z",
    ];
    let finished = run(stage.replay().args(since).arg("--dry-run")).await;
    assert_eq!(
        counts(
            &finished.json(),
            &["wouldSend", "filtered", "objectsFiltered"]
        ),
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
    let finished = run(command.args(["--format", "json"])).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let last = stage.intake.last_headers();
    let of = |name: &str| last.get(name).and_then(|value| value.to_str().ok());
    assert_eq!(of("authorization"), Some("Bearer hunter2"));
    assert_eq!(of("x-team"), Some("a, b"));
    assert_eq!(of("content-type"), Some("application/json"));
    let finished = run(stage
        .replay()
        .env("BACKSTOP_PRIMARY_TOKEN", "from-environment"))
    .await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
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
    let finished: Finished = child.wait_with_output().await.expect("it ends").into();
    assert_eq!(finished.code, Some(130), "{finished:?}");
    let summary = finished.json();
    assert_balanced(&summary);
    assert_eq!(summary["interrupted"], true);
    assert_eq!(counts(&summary, &["sent", "failed"]), [0, 10]);
}

#[tokio::test]
async fn errors_of_s3_say_what_to_do() {
    let stage = Stage::set().await;
    let mut command = stage.replay();
    let finished = run(command.env("AWS_SECRET_ACCESS_KEY", "wrong")).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(
        finished.stderr.contains("SignatureDoesNotMatch"),
        "{finished:?}"
    );
    assert!(
        finished.stderr.contains("check the credentials"),
        "{finished:?}"
    );
    assert_eq!(finished.stdout, "");

    let mut command = stage.replay();
    let finished = run(command.env_remove("AWS_ACCESS_KEY_ID")).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stderr.contains("give credentials"), "{finished:?}");
}
