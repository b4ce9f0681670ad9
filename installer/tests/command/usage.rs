//! What the command says of itself, and of what it cannot make sense of.

use crate::support::{backstop, run};

async fn finished(arguments: &[&str]) -> String {
    run(backstop().args(arguments)).await.snapshot()
}

#[tokio::test]
async fn help_is_told() {
    insta::assert_snapshot!("help", finished(&["--help"]).await);
    insta::assert_snapshot!("help_archive", finished(&["archive", "--help"]).await);
    insta::assert_snapshot!(
        "help_archive_cat",
        finished(&["archive", "cat", "--help"]).await
    );
    insta::assert_snapshot!("help_replay", finished(&["replay", "--help"]).await);
    insta::assert_snapshot!(
        "help_layer_build",
        finished(&["layer", "build", "--help"]).await
    );
    insta::assert_snapshot!("help_demo", finished(&["demo", "--help"]).await);
}

#[tokio::test]
async fn usage_errors_have_exit_code_2_and_say_what_to_write() {
    let to = ["--to", "https://intake.example.com"];
    let from = ["--from", "s3://archive/backstop"];
    let replay = |more: &[&'static str]| [&["replay"], more].concat();
    let mut all = Vec::new();
    for arguments in [
        replay(&[]),
        replay(&[&["--from", "archive/backstop"], &to[..]].concat()),
        replay(&[&from[..], &["--to", "http://intake.example.com"]].concat()),
        replay(
            &[
                &from[..],
                &["--to", "https://user:secret@intake.example.com"],
            ]
            .concat(),
        ),
        replay(&[&from[..], &to, &["--since", "yesterday"]].concat()),
        replay(&[&from[..], &to, &["--concurrency", "0"]].concat()),
        vec!["demo", "--fault", "broken"],
        vec!["demo", "--outage", "half"],
        vec!["replicate"],
    ] {
        let finished = finished(&arguments).await;
        all.push(format!(
            "$ backstop {}
{finished}",
            arguments.join(" ")
        ));
    }
    insta::assert_snapshot!("usage", all.join("\n"));
}

#[tokio::test]
async fn an_extension_that_is_not_there_is_told_with_how_to_build_it() {
    let finished = finished(&["demo", "--extension", "/nonexistent/backstop-extension"]).await;
    insta::assert_snapshot!(finished, @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the file /nonexistent/backstop-extension does not exist: build it with `cargo build -p backstop-extension`, or give its path with --extension
    ");
}

#[tokio::test]
async fn an_archive_of_an_earlier_demo_is_not_counted_again() {
    let directory = tempfile::TempDir::new().expect("there is room for a directory");
    std::fs::write(directory.path().join("report.json"), "{}").expect("the directory is ours");
    let path = directory.path().display().to_string();
    let finished = run(backstop().args(["demo", "--keep", &path])).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(
        finished
            .stderr
            .contains("is not empty: give --keep a new or empty directory")
    );
}

#[tokio::test]
async fn an_address_with_a_key_is_not_quoted_in_a_mistake() {
    for wrong in [
        &["replay", "https://host/logs?key=hunter2"][..],
        &[
            "replay",
            "--form",
            "s3://b",
            "--to=https://me:hunter2@host/",
        ],
        &["plan", "--set", "https://host/?key=hunter2", "--all"],
    ] {
        let finished = run(backstop().args(wrong)).await;
        assert_eq!(finished.code, Some(2), "{finished:?}");
        assert!(!finished.stderr.contains("hunter2"), "{finished:?}");
    }
}

/// A key in the address is for the primary alone.
#[tokio::test]
async fn the_query_of_an_address_is_shown_nowhere() {
    let from = [
        "replay",
        "--from",
        "s3://b",
        "--endpoint-url",
        "http://127.0.0.1:1",
    ];
    let files = tempfile::TempDir::new().expect("there is room for a directory");
    let path = files.path().join("url");
    std::fs::write(&path, "https://host/hunter2?key=hunter2\n").expect("the directory is ours");
    let path = path.display().to_string();
    for to in [
        ["--to", "https://host/logs?key=hunter2"],
        ["--url-file", &path],
    ] {
        let mut command = backstop();
        command
            .args(from)
            .args(to)
            .env("AWS_ACCESS_KEY_ID", "key")
            .env("AWS_SECRET_ACCESS_KEY", "secret");
        let finished = run(&mut command).await;
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert!(!format!("{finished:?}").contains("hunter2"), "{finished:?}");
        let is_warned = finished.stderr.contains("pass the address with --url-file");
        assert_eq!(is_warned, to[0] == "--to", "{finished:?}");
    }
}

/// Each way in which a file can be named: none hangs, and none fills the memory.
#[tokio::test]
async fn what_is_no_file_is_refused_wherever_one_is_named() {
    let files = tempfile::TempDir::new().expect("there is room for a directory");
    let pipe = files.path().join("pipe").display().to_string();
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|status| status.success()));
    let zip = format!("x86_64={pipe}");
    let to = ["replay", "--from", "s3://b", "--to", "https://host"];
    for (path, arguments) in [
        (&*pipe, [&to[..], &["--token-file", &pipe]].concat()),
        (
            "/dev/zero",
            [&to[..], &["--header-file", "/dev/zero"]].concat(),
        ),
        (
            &pipe,
            ["replay", "--from", "s3://b", "--url-file", &pipe].to_vec(),
        ),
        (&pipe, ["plan", "--all", "--config", &pipe].to_vec()),
        ("/dev/zero", ["apply", "/dev/zero", "--yes"].to_vec()),
        (&pipe, ["plan", "--all", "--accounts-file", &pipe].to_vec()),
        (&pipe, ["layer", "build", "--binary", &zip].to_vec()),
        (&pipe, ["layer", "prune", "--manifest", &pipe].to_vec()),
    ] {
        let finished = run(backstop().args(&arguments)).await;
        let reported = format!(
            "{path} is a {}, not a file",
            if path == pipe { "pipe" } else { "device" }
        );
        assert!(
            finished.stderr.contains(&reported),
            "{arguments:?}: {finished:?}"
        );
        assert!(
            matches!(finished.code, Some(1 | 2)),
            "{arguments:?}: {finished:?}"
        );
    }
    let bundle = run(backstop().args(to).env("AWS_CA_BUNDLE", &pipe)).await;
    assert!(
        bundle.stderr.contains("is a pipe, not a file"),
        "{bundle:?}"
    );
    // What a shell opens itself is read.
    let mut shell = tokio::process::Command::new("bash");
    let script = format!(
        "{} replay --from s3://b --to https://host --token-file <(printf 'hun ter2')",
        env!("CARGO_BIN_EXE_backstop")
    );
    let finished = run(shell.args(["-c", &script])).await;
    assert!(
        finished.stderr.contains("the token holds a space"),
        "{finished:?}"
    );
}

/// What is set for AWS says nothing of servers on this machine.
#[tokio::test]
async fn the_demo_does_without_what_is_set_for_aws() {
    let demo = ["demo", "--extension", "/nonexistent/backstop-extension"];
    let mut command = backstop();
    command
        .args(demo)
        .env("HTTPS_PROXY", "http://proxy.invalid:3128")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .env("AWS_PROFILE", "nobody");
    let finished = run(&mut command).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(
        finished.stderr.contains("does not exist: build it"),
        "{finished:?}"
    );
}
