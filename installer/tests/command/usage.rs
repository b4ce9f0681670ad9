//! What the command says of itself, and of what it cannot make sense of.

use crate::support::{backstop, run};

async fn said(arguments: &[&str]) -> String {
    run(backstop().args(arguments)).await.snapshot()
}

#[tokio::test]
async fn help_is_told() {
    insta::assert_snapshot!("help", said(&["--help"]).await);
    insta::assert_snapshot!("help_replay", said(&["replay", "--help"]).await);
    insta::assert_snapshot!(
        "help_layer_build",
        said(&["layer", "build", "--help"]).await
    );
    insta::assert_snapshot!("help_demo", said(&["demo", "--help"]).await);
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
        let said = said(&arguments).await;
        all.push(format!(
            "$ backstop {}
{said}",
            arguments.join(" ")
        ));
    }
    insta::assert_snapshot!("usage", all.join("\n"));
}

#[tokio::test]
async fn an_extension_that_is_not_there_is_told_with_how_to_build_it() {
    let said = said(&["demo", "--extension", "/nonexistent/backstop-extension"]).await;
    insta::assert_snapshot!(said, @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: there is no file /nonexistent/backstop-extension: build it with `cargo build -p backstop-extension`, or give its path with --extension
    ");
}

#[tokio::test]
async fn an_archive_of_an_earlier_demo_is_not_counted_again() {
    let directory = tempfile::TempDir::new().expect("there is room for a directory");
    std::fs::write(directory.path().join("report.json"), "{}").expect("the directory is ours");
    let path = directory.path().display().to_string();
    let said = run(backstop().args(["demo", "--keep", &path])).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.stderr
            .contains("is not empty: give --keep a new directory")
    );
}

#[tokio::test]
async fn a_proxy_that_cannot_reach_loopback_is_told_with_what_to_set() {
    let demo = ["demo", "--extension", "/nonexistent/backstop-extension"];
    let mut command = backstop();
    let said = run(command.args(demo).env("HTTPS_PROXY", "http://proxy:3128")).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stderr.contains("HTTPS_PROXY is set"), "{said:?}");
    let said = run(command.env("NO_PROXY", "localhost, 127.0.0.1")).await;
    assert!(said.stderr.contains("there is no file"), "{said:?}");
}
