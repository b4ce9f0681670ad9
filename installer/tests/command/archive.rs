//! `backstop archive ls`, `cat` and `stats`: what an archive holds, from S3 and from a directory.

use std::process::Stdio;

use backstop_sinks::codec::gzip;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use crate::replay::lines;
use crate::support::{DIRECT, STREAM, Stage, backstop, line, run};

const OTHER: &str =
    "backstop/v1/account=222233334444/region=us-east-1/function=pay-out/dt=2026-02-01/hour=09";

/// A line of another function, hour, type and reason.
fn other(id: &str) -> String {
    line(id, "two")
        .replace("checkout", "pay-out")
        .replace("2026-01-31T08", "2026-02-01T09")
        .replace("\"function\"", "\"platform.report\"")
        .replace("server_error", "rejected")
}

/// An archive in three packings, by two writers.
async fn stage() -> Stage {
    let stage = Stage::set().await;
    stage.put_lines(&format!("{DIRECT}/b1.ndjson.gz"), &lines(0..3, "one"));
    let members = [lines(3..5, "one"), lines(5..6, "one")]
        .map(|lines| gzip((lines.join("\n") + "\n").as_bytes()))
        .concat();
    stage.put(&format!("{STREAM}/s-1.gz"), &members);
    stage.put(
        &format!("{STREAM}/s-2"),
        lines(6..8, "one").join("\n").as_bytes(),
    );
    let text = [other("o-1"), other("o-2")].join("\n");
    let zstd = compress_to_vec(text.as_bytes(), CompressionLevel::Fastest);
    stage.put(&format!("{OTHER}/b2.ndjson.zst"), &zstd);
    stage
}

/// The ids of what `cat` printed.
fn ids(text: &str) -> Vec<String> {
    let id = |line: &str| {
        let value: Value = serde_json::from_str(line).expect("a line is JSON");
        value["id"].as_str().unwrap_or_default().to_owned()
    };
    text.lines().map(id).collect()
}

/// The archive of a stage, from S3 and as a directory, in the ways in which either is given.
fn commands(stage: &Stage, command: &str) -> Vec<Command> {
    let mut all = vec![
        stage.archive(command, "backstop"),
        stage.archive(command, "backstop/v1/"),
    ];
    for path in ["backstop", "backstop/v1", "backstop/v1/"] {
        let mut backstop = backstop();
        backstop.args(["archive", command]).arg(stage.path(path));
        all.push(backstop);
    }
    all
}

#[tokio::test]
async fn cat_prints_every_record_as_it_is_stored_in_the_order_of_keys() {
    let stage = stage().await;
    let expected = [
        lines(0..3, "one"),
        vec![other("o-1"), other("o-2")],
        lines(3..8, "one"),
    ];
    let expected = expected.concat().join("\n") + "\n";
    for mut command in commands(&stage, "cat") {
        let finished = run(command.args(["--concurrency", "3"])).await;
        assert_eq!(finished.code, Some(0), "{command:?}: {finished:?}");
        assert_eq!(finished.stdout, expected, "{command:?}");
        assert_eq!(finished.stderr, "", "{command:?}");
    }
}

#[tokio::test]
async fn records_are_chosen_by_everything_that_they_say() {
    let stage = stage().await;
    let direct = ["e-0", "e-1", "e-2"];
    let streamed = ["e-3", "e-4", "e-5", "e-6", "e-7"];
    let all = [&direct[..], &streamed].concat();
    let others = ["o-1", "o-2"];
    for (options, expected) in [
        (&["--function", "check*"][..], &all[..]),
        (&["--function", "pay-*"], &others),
        (&["--type", "platform.*"], &others),
        (&["--type", "function"], &all),
        (&["--reason", "rejected"], &others),
        (&["--dead-letters"], &others),
        (&["--since", "2026-02-01"], &others),
        (&["--until", "2026-02-01"], &all),
        (&["--function", "checkout", "--since", "2026-02-01"], &[]),
    ] {
        for mut command in commands(&stage, "cat") {
            let finished = run(command.args(options)).await;
            assert_eq!(finished.code, Some(0), "{options:?}: {finished:?}");
            assert_eq!(ids(&finished.stdout), expected, "{options:?} {command:?}");
        }
    }
    // Lines of a stream do not say their account: they are not left out for that.
    for options in [
        ["--function-account", "1234*"],
        ["--function-region", "eu-west-1"],
    ] {
        let finished = run(stage.archive("cat", "backstop").args(options)).await;
        assert_eq!(ids(&finished.stdout), all, "{options:?}");
    }
}

#[tokio::test]
async fn cat_ends_cleanly_when_its_reader_leaves() {
    let stage = Stage::set().await;
    for number in 0..8 {
        let ids = number * 20_000..(number + 1) * 20_000;
        stage.put_lines(&format!("{DIRECT}/b{number}.ndjson.gz"), &lines(ids, "one"));
    }
    for mut command in [
        stage.archive("cat", "backstop"),
        stage.archive("ls", "backstop"),
    ] {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command runs");
        let mut stdout = child.stdout.take().expect("it has a pipe");
        let mut some = [0; 10];
        stdout.read_exact(&mut some).await.expect("something comes");
        drop(stdout);
        let ended = child.wait_with_output().await.expect("it ends");
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(0), "{stderr}");
        // Nor is the archive empty because nobody reads on.
        for word in ["error", "No object", "Nothing"] {
            assert!(!stderr.contains(word), "{stderr}");
        }
    }
}

#[tokio::test]
async fn ls_lists_objects_as_a_table_and_as_json() {
    let stage = stage().await;
    for mut command in commands(&stage, "ls") {
        let finished = run(command.args(["--output", "json"])).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let listed = finished.json();
        let objects = listed["objects"].as_array().cloned().unwrap_or_default();
        let keys: Vec<&str> = objects.iter().filter_map(|it| it["key"].as_str()).collect();
        let ends = ["/b1.ndjson.gz", "/b2.ndjson.zst", "/s-1.gz", "/s-2"];
        assert!(
            keys.iter().zip(ends).all(|(key, end)| key.ends_with(end)),
            "{keys:?}"
        );
        assert_eq!(keys.len(), 4);
        assert_eq!(
            (&listed["schemaVersion"], &listed["count"]),
            (&json!(1), &json!(4))
        );
        let bytes: u64 = objects.iter().filter_map(|it| it["bytes"].as_u64()).sum();
        assert_eq!(listed["storedBytes"], json!(bytes));
    }
    let table = run(stage
        .archive("ls", "backstop")
        .args(["--function", "pay-*"]))
    .await;
    let rows: Vec<&str> = table.stdout.lines().collect();
    assert!(
        rows[0].starts_with("written") && rows[0].ends_with("key"),
        "{table:?}"
    );
    assert!(
        rows[1].ends_with(&format!("{OTHER}/b2.ndjson.zst")),
        "{table:?}"
    );
    assert!(table.stderr.starts_with("3 objects, "), "{table:?}");
}

#[tokio::test]
async fn stats_count_by_function_hour_type_and_reason() {
    let stage = stage().await;
    for mut command in commands(&stage, "stats") {
        let finished = run(command.args(["--output", "json"])).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let stats = finished.json();
        assert_eq!(stats["objects"], 4);
        assert_eq!(stats["records"], 10);
        assert_eq!(stats["functions"]["checkout"]["records"], 8);
        assert_eq!(stats["functions"]["pay-out"]["records"], 2);
        assert_eq!(stats["hours"]["2026-01-31T08"]["records"], 8);
        assert_eq!(stats["hours"]["2026-02-01T09"]["records"], 2);
        assert_eq!(stats["types"]["platform.report"]["records"], 2);
        assert_eq!(stats["reasons"]["rejected"]["records"], 2);
        assert_eq!(stats["first"], "2026-01-31T08:15:00Z");
        assert_eq!(stats["last"], "2026-02-01T09:15:00Z");
        let bytes = (lines(0..8, "one").join("\n").len() + 1) + 2 * (other("o-1").len() + 1);
        assert_eq!(stats["bytes"], bytes);
    }
}

#[tokio::test]
async fn stats_draw_bars_where_the_width_of_a_line_is_known() {
    let stage = stage().await;
    let stored: u64 = (stage
        .s3
        .object_keys()
        .expect("the bucket can be read")
        .iter())
    .map(|key| {
        stage
            .s3
            .object_bytes(key)
            .map_or(0, |bytes| bytes.len() as u64)
    })
    .sum();
    let plain = run(&mut stage.archive("stats", "backstop")).await;
    assert!(!plain.stdout.contains('█'), "{plain:?}");
    let shown = run(stage.archive("stats", "backstop").env("COLUMNS", "80")).await;
    let shown = shown.snapshot().replace(&format!("{stored} B"), "SIZE");
    insta::assert_snapshot!("stats", shown);
}

/// What is damaged costs nothing but itself, is named, and makes the exit code 3.
#[tokio::test]
async fn what_is_damaged_or_foreign_is_named_with_the_reason() {
    let stage = stage().await;
    let whole = gzip(lines(10..500, "two").join("\n").as_bytes());
    stage.put(
        &format!("{DIRECT}/cut.ndjson.gz"),
        &whole[..whole.len() / 2],
    );
    stage.put(
        &format!("{DIRECT}/photo.jpg"),
        b"\xff\xd8\xff\xe0\n\x00\x01\n",
    );
    let frame = compress_to_vec(
        lines(600..700, "x").join("\n").as_bytes(),
        CompressionLevel::Fastest,
    );
    stage.put(&format!("{STREAM}/cut.zst"), &frame[..frame.len() - 2]);
    stage.put("backstop/v1/notes.txt", b"mine");
    for command in ["cat", "stats"] {
        for mut command in commands(&stage, command) {
            let finished = run(&mut command).await;
            assert_eq!(finished.code, Some(3), "{finished:?}");
            for (key, problem) in [
                ("/cut.ndjson.gz: ", "its gzip stream is broken"),
                (
                    "/photo.jpg: ",
                    "2 lines are not records, the first is line 1: it is not UTF-8",
                ),
                ("/cut.zst: ", "its zstd stream is broken: it ends too early"),
                ("/notes.txt: ", "skipped: it is not part of the archive"),
            ] {
                let line = finished.stderr.lines().find(|line| line.contains(key));
                assert!(
                    line.is_some_and(|line| line.contains(problem)),
                    "{key}: {finished:?}"
                );
            }
        }
    }
    let finished = run(&mut stage.archive("cat", "backstop")).await;
    let ids = ids(&finished.stdout);
    assert!(
        ids.contains(&"o-2".to_owned()) && ids.contains(&"e-10".to_owned()),
        "{ids:?}"
    );
}

/// A copy of some objects, without the folders of the archive.
#[tokio::test]
async fn any_files_of_a_directory_are_read_and_links_are_not_followed_round() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    std::fs::create_dir(at("sub")).expect("the directory is ours");
    std::fs::write(at("a.ndjson"), lines(0..2, "one").join("\n")).expect("it is written");
    std::fs::write(
        at("sub/b.gz"),
        gzip(lines(2..4, "one").join("\n").as_bytes()),
    )
    .expect("it is");
    std::os::unix::fs::symlink("..", at("sub/round")).expect("a link");
    let cat = async |path| run(backstop().args(["archive", "cat"]).arg(path)).await;
    let finished = cat(directory.path().to_owned()).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(ids(&finished.stdout), ["e-0", "e-1", "e-2", "e-3"]);
    let finished = cat(at("sub/b.gz")).await;
    assert_eq!(ids(&finished.stdout), ["e-2", "e-3"]);
}
