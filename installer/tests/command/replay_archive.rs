//! Which objects and records of a bucket `backstop replay` means, and that it leaves none out.

use std::fs::File;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::{DIRECT, STREAM, Stage, line, run, sent};

const EIGHT: u64 = 1_769_846_400;

fn count(summary: &Value, name: &str) -> u64 {
    summary[name].as_u64().unwrap_or(u64::MAX)
}

/// A line with this id and time.
fn at(id: &str, time: &str) -> String {
    line(id, "one").replace("2026-01-31T08:15:00.000Z", time)
}

impl Stage {
    /// As if it had been written then, in seconds after eight.
    fn written(&self, key: &str, seconds: u64) {
        let file = File::options().write(true).open(self.path(key));
        let then = UNIX_EPOCH + Duration::from_secs(EIGHT + seconds);
        let set = file.and_then(|file| file.set_modified(then));
        set.expect("the directory is ours");
    }
}

/// Of a Firehose object the key names the hour of its oldest record, and its age how late others may be.
#[tokio::test]
async fn an_object_with_records_of_the_next_hour_is_read_for_them() {
    let stage = Stage::set().await;
    let key = format!("{STREAM}/telemetry-1-2026-01-31-08-58-10.gz");
    let times = ["08:58:10.000Z", "09:02:59.000Z", "09:03:05.000Z"];
    let lines: Vec<String> = (times.iter().zip(1..))
        .map(|(time, id)| at(&format!("e-{id}"), &format!("2026-01-31T{time}")))
        .collect();
    stage.put_lines(&key, &lines);
    stage.written(&key, 3_900);
    for (since, sent, filtered, passed_over) in [
        ("2026-01-31T08:58:10Z", 3, 0, 0),
        ("2026-01-31T09:00:00Z", 2, 1, 0),
        ("2026-01-31T09:03:05Z", 1, 2, 0),
        // No record is later than the object, but clocks differ.
        ("2026-01-31T10:00:00Z", 0, 3, 0),
        ("2026-01-31T10:06:00Z", 0, 0, 1),
    ] {
        let finished = run(stage.replay().args(["--dry-run", "--since", since])).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let summary = finished.json();
        let found = ["wouldSend", "filtered", "objectsFiltered"].map(|it| count(&summary, it));
        assert_eq!(found, [sent, filtered, passed_over], "{since}");
    }
}

#[tokio::test]
async fn a_record_that_does_not_say_what_is_asked_for_is_sent_and_counted() {
    let stage = Stage::set().await;
    let unnamed = at("e-3", "2026-01-31T08:15:00Z").replace("faas.name", "name");
    stage.put_lines(
        &format!("{STREAM}/s-1"),
        &[
            at("e-1", "soon"),
            at("e-2", "2026-01-30T00:00:00Z"),
            unnamed,
        ],
    );
    let filter = ["--since", "2026-01-31", "--function", "check*"];
    let finished = run(stage.replay().args(filter)).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let summary = finished.json();
    let names = [
        "records",
        "sent",
        "filtered",
        "withoutTime",
        "withoutFunction",
    ];
    assert_eq!(names.map(|it| count(&summary, it)), [3, 2, 1, 1, 1]);
    assert_eq!((stage.accepted("e-1"), stage.accepted("e-3")), (1, 1));
}

/// A prefix is a folder: what only begins like it is somebody else's.
#[tokio::test]
async fn a_prefix_means_one_archive_and_a_key_one_object() {
    let stage = Stage::set().await;
    let folder = "v1/stream=s/dt=2026-01-31/hour=08";
    for prefix in [
        "prod",
        "prod-eu",
        "production",
        "a/v1/prod",
        "a/v1/prod-eu",
        "a",
        "prod/v1/v1",
    ] {
        let id = prefix.replace('/', "-");
        stage.put_lines(&format!("{prefix}/{folder}/x.gz"), &[line(&id, "one")]);
    }
    stage.put_lines(&format!("prod/{folder}/x.gz.old"), &[line("old", "one")]);
    stage.put_lines("prod-errors/v1/failed/x.gz", &[line("error", "one")]);
    for (from, code, expected) in [
        ("prod", 0, &["old", "prod"][..]),
        ("prod/", 0, &["old", "prod"]),
        ("prod/v1", 0, &["old", "prod"]),
        (&format!("prod/{folder}"), 0, &["old", "prod"]),
        (&format!("prod/{folder}/x.gz"), 0, &["prod"]),
        ("prod/v1/stream=s/dt=2026-01", 3, &[]),
        ("a/v1/prod", 0, &["a-v1-prod"]),
        ("a", 0, &["a"]),
        ("prod-errors", 0, &[]),
        ("prod-errors/v1/failed/x.gz", 0, &["error"]),
        ("prodd", 3, &[]),
    ] {
        let before = stage.intake.records();
        let mut command = stage.replay_from(from, "json");
        let finished = run(command.args(["--after", "keep"])).await;
        assert_eq!(finished.code, Some(code), "{from}: {finished:?}");
        let mut sent: Vec<String> = (stage.intake.records().into_iter())
            .filter(|(id, times)| before.get(id) != Some(times))
            .map(|(id, _)| id)
            .collect();
        sent.sort();
        assert_eq!(sent, expected, "{from}");
        if code == 3 {
            let meant = if from == "prodd" {
                "prod".to_owned()
            } else {
                format!("{from}-31")
            };
            let nearest = format!("s3://{}/{meant}", stage.s3.bucket());
            assert_eq!(finished.json()["nearest"], json!(nearest), "{from}");
        }
        let outside = count(&finished.json(), "objectsOutside");
        let is_outside = ["prod", "prod/", "prod/v1", "a", "prod-errors"].contains(&from);
        assert_eq!(outside > 0, is_outside, "{from}: {finished:?}");
    }
}

#[tokio::test]
async fn a_name_that_nothing_has_is_told_with_the_nearest() {
    let stage = Stage::set().await;
    stage.put_lines(&format!("{DIRECT}/b1.ndjson.gz"), &[line("e-1", "one")]);
    for (option, name, reported) in [
        (
            "--function",
            "chekout",
            "no record has --function chekout; did you mean checkout?",
        ),
        ("--function", "pay*", "no record has --function pay*"),
        (
            "--reason",
            "sever_error",
            "no record has --reason sever_error; did you mean server_error?",
        ),
    ] {
        let finished = run(stage.replay().args([option, name])).await;
        assert_eq!(finished.code, Some(3), "{finished:?}");
        assert_eq!(finished.json()["unmatched"], json!([reported]));
    }
    // Nothing is claimed of what was not read.
    let key = format!("{STREAM}/s-1");
    stage.put_lines(&key, &[line("e-2", "one").replace("checkout", "pay-1")]);
    stage.written(&key, 0);
    let late = ["--since", "2026-02-01", "--function", "pay*"];
    let finished = run(stage.replay().args(late)).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(count(&finished.json(), "objectsFiltered"), 1);
    assert_eq!(count(&finished.json(), "partitionsSkipped"), 1);
}

/// Anyone who can write to the bucket can use an id: what has it first must not suppress the others.
#[tokio::test]
async fn an_id_with_other_content_is_sent_and_told() {
    let stage = Stage::set().await;
    let forged = line("e-1", "forged");
    stage.put_lines(
        &format!("{DIRECT}/a.ndjson.gz"),
        &[forged.clone(), line("e-2", "two")],
    );
    // The same record by another way has another reason.
    let again = line("e-2", "two").replace("server_error", "timeout");
    stage.put_lines(
        &format!("{STREAM}/b.gz"),
        &[line("e-1", "one"), forged, again],
    );
    let finished = run(stage
        .replay()
        .args(["--concurrency", "1", "--batch-records", "1"]))
    .await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    let summary = finished.json();
    let names = ["records", "sent", "duplicates", "idConflicts"];
    assert_eq!(names.map(|it| count(&summary, it)), [5, 3, 2, 1]);
    for record in [
        sent("e-1", "one"),
        sent("e-1", "forged"),
        sent("e-2", "two"),
    ] {
        assert!(stage.intake.lines().contains(&record), "{record}");
    }
    let problem = summary["problems"][0]["problem"]
        .as_str()
        .unwrap_or_default();
    assert!(
        problem.starts_with("two records with different content have the id e-1"),
        "{problem}"
    );
    let keys = stage.intake.deliveries();
    let different: std::collections::BTreeSet<_> = keys.iter().map(|(key, _)| key).collect();
    assert_eq!(
        different.len(),
        keys.len(),
        "a key for each, or a receiver drops one"
    );
}

#[tokio::test]
async fn records_go_on_as_they_are_and_need_no_line_feeds() {
    let stage = Stage::set().await;
    let odd =
        r#"{"v":2, "id":"odd","time":"2026-01-31T08:15:00Z","type":"x","record":{"a":[1, 2]}}"#;
    let joined = line("e-1", "one") + &line("e-2", "two") + odd;
    stage.put(&format!("{STREAM}/s-1"), joined.as_bytes());
    let finished = run(&mut stage.replay()).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    for record in [&sent("e-1", "one"), &sent("e-2", "two"), odd] {
        assert!(
            stage.intake.lines().contains(&record.to_owned()),
            "{record}"
        );
    }
}

/// What others wrote is shown, and does nothing to a terminal.
#[tokio::test]
async fn a_key_cannot_turn_the_terminal_round() {
    let stage = Stage::set().await;
    let key = format!("{DIRECT}/\u{202e}zg.nosjdn\u{200b}.gz");
    stage.put_lines(&key, &["broken".to_owned()]);
    let table = run(&mut stage.replay_as("table")).await;
    assert!(
        table
            .stdout
            .contains("/\\u{202e}zg.nosjdn\\u{200b}.gz, line 1:"),
        "{table:?}"
    );
    let finished = run(&mut stage.replay()).await;
    assert!(
        finished.stdout.contains("\\u202ezg.nosjdn\\u200b.gz"),
        "{finished:?}"
    );
    assert_eq!(finished.json()["problems"][0]["object"], json!(key));
    // A name cannot make a line of its own.
    let forged = line("e-1", "one").replace("checkout", "a\\nb\\u001b[2J");
    stage.put_lines(&format!("{STREAM}/s-1"), &[forged]);
    let dry = run(stage.replay_as("table").arg("--dry-run")).await;
    assert!(dry.stdout.contains("\n  a\\nb\\u{1b}[2J"), "{dry:?}");
    for text in [&table.stdout, &table.stderr, &finished.stdout] {
        assert!(!text.contains(['\u{202e}', '\u{200b}']), "{text}");
    }
}
