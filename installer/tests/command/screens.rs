//! The screens of `replay` at 80 and at 120 columns, where the environment names an endpoint at which nothing
//! answers: what is typed wins.

use std::fmt::Write as _;

use crate::layer_stage::LayerStage;
use crate::support::{DIRECT, Finished, Stage, backstop, line, run};

/// Nothing listens there.
const DEAD: &str = "http://127.0.0.1:9";

fn assert_fits(finished: &Finished, width: usize) {
    for line in finished.stdout.lines() {
        // A key is not cut, so that it can be copied.
        let is_one_word = line.split_whitespace().any(|word| word.len() + 4 > width);
        assert!(line.chars().count() <= width || is_one_word, "{line}");
    }
}

#[tokio::test]
async fn a_replay_fits_the_terminal_and_reads_from_where_it_was_typed() {
    let stage = Stage::set().await;
    let text = [
        line("e-0", "one"),
        "not a record".to_owned(),
        line("e-1", "two"),
    ];
    stage.put_lines(&format!("{DIRECT}/b1.ndjson.gz"), &text);
    for width in [80, 120] {
        let mut command = stage.replay_as("table");
        command
            .args(["--function", "checkout", "--function", "chekout"])
            .env("AWS_ENDPOINT_URL", DEAD)
            .env("AWS_ENDPOINT_URL_S3", DEAD)
            .env("COLUMNS", width.to_string());
        let finished = run(&mut command).await;
        assert_fits(&finished, width);
        let port = stage.intake.address().port().to_string();
        let shown = finished.snapshot().replace(&port, "PORT");
        insta::assert_snapshot!(format!("screen_replay_{width}"), shown);
    }
}

/// What reads an archive, from a directory, and what needs nothing at all.
#[tokio::test]
async fn the_other_screens_fit_the_terminal_too() {
    let directory = tempfile::TempDir::new().expect("there is room for a directory");
    let archive = directory.path().join("archive");
    let folder = archive.join(DIRECT);
    std::fs::create_dir_all(&folder).expect("the directory is ours");
    let lines = [line("e-0", "one"), line("e-1", "two")].join("\n");
    std::fs::write(folder.join("b1.ndjson"), &lines).expect("the directory is ours");
    let (config, records) = (
        directory.path().join("config"),
        directory.path().join("lines"),
    );
    std::fs::write(&config, "BACKSTOP_REDACT=email\n").expect("the directory is ours");
    std::fs::write(&records, &lines).expect("the directory is ours");
    let path = |path: &std::path::Path| path.display().to_string();
    let (archive, config, records) = (path(&archive), path(&config), path(&records));
    for width in [80, 120] {
        for arguments in [
            &["archive", "ls", &archive][..],
            &["archive", "stats", &archive],
            &[
                "replay",
                "--from",
                &archive,
                "--to",
                "https://logs.example.com/v1",
                "--dry-run",
            ],
            &["transform", "--config", &config, &records],
            &["runs"],
        ] {
            let mut command = backstop();
            command.args(arguments).env("COLUMNS", width.to_string());
            let finished = run(&mut command).await;
            assert_eq!(finished.code, Some(0), "{arguments:?}: {finished:?}");
            assert!(!finished.stdout.is_empty(), "{arguments:?}");
            assert_fits(&finished, width);
            // The same as JSON is one object.
            let mut command = backstop();
            command.args(arguments).args(["--output", "json"]);
            let json = run(&mut command).await;
            let json: serde_json::Value =
                serde_json::from_str(&json.stdout).expect("the result is JSON");
            assert!(json["schemaVersion"].is_number(), "{arguments:?}: {json}");
        }
    }
}

/// What comes before a rollout: the project's file, the archive's template, and the layer.
#[tokio::test]
async fn the_first_screens_fit_the_terminal() {
    let directory = tempfile::TempDir::new().expect("there is room for a directory");
    let mut screens = String::new();
    for arguments in [
        &[
            "init",
            "--url",
            "https://logs.example.com/v1",
            "--regions",
            "eu-west-1,us-east-1",
            "--function",
            "payments-*",
        ][..],
        &["archive", "template", "--help"],
        &["layer", "build", "--help"],
        &["layer", "publish", "--help"],
    ] {
        let mut command = backstop();
        command
            .args(arguments)
            .env("COLUMNS", "80")
            .current_dir(directory.path());
        let finished = run(&mut command).await;
        assert_eq!(finished.code, Some(0), "{arguments:?}: {finished:?}");
        assert_fits(&finished, 80);
        writeln!(screens, "$ backstop {}", arguments.join(" ")).unwrap_or_default();
        screens.push_str(&finished.snapshot());
    }
    insta::assert_snapshot!("screen_first_80", screens);

    // The template is a file: its lines are as long as they have to be, and the first ones say what to run.
    let mut command = backstop();
    command.args(["archive", "template"]).env("COLUMNS", "80");
    let template = run(&mut command).await;
    let head: Vec<&str> = (template.stdout.lines())
        .take_while(|line| line.starts_with('#'))
        .collect();
    insta::assert_snapshot!("screen_archive_template_80", head.join("\n"));

    let stage = LayerStage::set();
    let publish = [
        "publish",
        "--zip",
        "arm64=dist/extension-arm64.zip",
        "--zip",
        "x86_64=dist/extension-x86_64.zip",
        "--regions",
        "eu-central-1,eu-west-1,us-east-1",
        "--manifest",
        "layers.json",
    ];
    let mut command = stage.layer(&publish);
    let published = run(command.env("COLUMNS", "80")).await;
    assert_eq!(published.code, Some(0), "{published:?}");
    assert_fits(&published, 80);
    insta::assert_snapshot!("screen_layer_publish_80", published.snapshot());
}
