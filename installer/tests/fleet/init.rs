//! `backstop init`: what it asks, what it writes, and that the other commands read it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::thread;

use backstop_fake_aws::FunctionSpec;

use crate::stage::{Finished, Stage, here};
use crate::terminal::terminal;

/// Runs `init` on a terminal on which these lines are typed; the exit code, and what the terminal showed.
async fn typed(stage: &Stage, arguments: &[&str], answers: &str) -> (Option<i32>, String) {
    let (mut reader, writer) = terminal();
    reader.write_all(answers.as_bytes()).unwrap();
    let mut command = stage.backstop(&[&["init"], arguments].concat());
    command
        .env("TERM", "xterm")
        .stdin(writer.try_clone().unwrap())
        .stdout(writer.try_clone().unwrap())
        .stderr(writer);
    let mut child = command.spawn().unwrap();
    // Only the command has the other end now.
    drop(command);
    let read = thread::spawn(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).ok();
        bytes
    });
    let code = child.wait().await.unwrap().code();
    let bytes = read.join().unwrap();
    (code, String::from_utf8_lossy(&bytes).replace("\r\n", "\n"))
}

fn file(stage: &Stage) -> String {
    fs::read_to_string(stage.directory.path().join("backstop.toml")).unwrap()
}

/// `plan` with what the file says.
async fn plan(stage: &Stage) -> Finished {
    let layer = &stage.layers[&here()];
    stage.run(&["plan", "--layer", layer]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_asked_for_is_planned() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 2, &FunctionSpec::default());
    let answers = "honeycom\nhoneycomb\nmars\n\nhoneycomb\neu\n\n\neu-west-1\n/(/\norders-*\n\nmy-archive\neu-west-1\n";
    let (code, shown) = typed(&stage, &[], answers).await;
    assert_eq!(code, Some(0), "{shown}");
    for part in [
        "did you mean honeycomb?",
        "region, where your team is (us, eu) [us]: ",
        "the option region of the backend honeycomb is not valid: use us or eu",
        "backstop.toml written\n",
        "Missing: the token, in the file token\n",
        "  backstop plan --grant --out plan.json\n",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    insta::assert_snapshot!(file(&stage));
    fs::write(stage.directory.path().join("token"), "hunter2").unwrap();
    let planned = plan(&stage).await;
    assert_eq!(planned.code, Some(0), "{}", planned.snapshot());
    for line in [
        "2 to change",
        "+ BACKSTOP_PRIMARY_URL=https://api.eu1.honeycomb.io",
        "+ BACKSTOP_S3_BUCKET=my-archive",
    ] {
        assert!(planned.stdout.contains(line), "{}", planned.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn options_alone_are_enough_and_are_written_as_they_are() {
    let stage = Stage::set().await;
    let spec = FunctionSpec {
        tags: [("team".to_owned(), "pay\"ments".to_owned())].into(),
        ..FunctionSpec::default()
    };
    stage.add(&here(), "orders", 1, &spec);
    let other = FunctionSpec {
        tags: [("team".to_owned(), "other".to_owned())].into(),
        ..FunctionSpec::default()
    };
    stage.add(&here(), "orders-others", 1, &other);
    let arguments = [
        "init",
        "--url",
        "https://collector.example.com:4318",
        "--format",
        "otlp",
        "--regions",
        "eu-west-1",
        "--function",
        "/^orders-[a-z0-9-]+$/",
        "--tag",
        "team=pay\"ments",
        "--tag",
        "team=other",
        "--firehose-stream",
        "backstop",
        "--output",
        "json",
    ];
    let done = stage.run(&arguments).await;
    assert_eq!(done.code, Some(0), "{}", done.snapshot());
    assert_eq!(done.json()["file"], "backstop.toml");
    assert_eq!(done.json()["missing"].as_array().unwrap().len(), 0);
    insta::assert_snapshot!(file(&stage));
    let planned = plan(&stage).await;
    assert_eq!(planned.code, Some(0), "{}", planned.snapshot());
    for line in ["2 to change", "+ BACKSTOP_PRIMARY_FORMAT=otlp"] {
        assert!(planned.stdout.contains(line), "{}", planned.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_or_would_be_lost_is_refused_and_nothing_is_written() {
    let stage = Stage::set().await;
    let path = stage.directory.path().join("backstop.toml");
    for (arguments, problem) in [
        (
            &[][..],
            "there is no primary: give --backend NAME or --url URL",
        ),
        (&["--backend", "honeycom"], "did you mean honeycomb?"),
        (
            &["--backend", "honeycomb"],
            "the backend needs a token: give --token-file FILE",
        ),
        (
            &["--backend", "axiom", "--token-file", "token"],
            "the backend axiom needs the option dataset",
        ),
        (
            &["--url", "https://host/?key=hunter2"],
            "the address may contain a key: write it into a file, and give --url-file",
        ),
        (&["--url", "http://example.com"], "BACKSTOP_PRIMARY_URL"),
        (
            &["--url", "https://example.com", "--s3-bucket", "My Bucket"],
            "BACKSTOP_S3_BUCKET",
        ),
        (
            &["--url", "https://example.com", "--backend", "axiom"],
            "cannot be used with",
        ),
    ] {
        let finished = stage.run(&[&["init"], arguments].concat()).await;
        assert_eq!(finished.code, Some(2), "{}", finished.snapshot());
        assert!(finished.stderr.contains(problem), "{}", finished.snapshot());
        assert!(
            !finished.stderr.contains("hunter2"),
            "{}",
            finished.snapshot()
        );
        assert!(!path.exists(), "{arguments:?}");
    }
    // The input ends in the middle.
    let (code, shown) = typed(&stage, &["--url", "https://example.com"], "token\n\u{4}").await;
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("the input ended before"), "{shown}");
    assert!(!path.exists());

    fs::write(&path, "# theirs\n").unwrap();
    let again = ["init", "--url", "https://example.com"];
    let finished = stage.run(&again).await;
    assert_eq!(finished.code, Some(2), "{}", finished.snapshot());
    assert!(
        finished.stderr.contains("give --force to replace it"),
        "{}",
        finished.snapshot()
    );
    assert_eq!(file(&stage), "# theirs\n");
    let finished = stage.run(&[&again[..], &["--force"]].concat()).await;
    assert_eq!(finished.code, Some(0), "{}", finished.snapshot());
    assert!(
        finished
            .stdout
            .contains("Missing: a fallback, in [settings]"),
        "{finished:?}"
    );
}
