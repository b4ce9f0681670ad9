//! Runs on this machine: what is broken, what others could write to, and what is told of them.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use backstop_fake_aws::FunctionSpec;
use insta::assert_snapshot;
use tokio::process::Command;

use crate::stage::{Finished, Stage, here, interrupted};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_was_cut_off_or_is_broken_stops_no_undo_of_another() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 3, &FunctionSpec::default());
    let before = stage.everything();
    let attached = stage.attach(&["--all"]).await;
    assert_eq!(attached.code, Some(0), "{}", attached.snapshot());
    let run = attached.run();
    let whole = fs::read(stage.journal(&run)).unwrap();
    // Killed before the first line was whole: nothing was changed.
    let beginning = &whole[..whole.len().min(40)];
    // What a file system may leave after a crash: the length, and not all of the content.
    let hollow = [beginning, &[0; 40]].concat();
    for (name, bytes) in [("empty", &b""[..]), ("cut", beginning), ("hollow", &hollow)] {
        fs::write(stage.journal(&format!("20260101-000000-{name}")), bytes).unwrap();
    }
    let runs = stage.run(&["runs", "--output", "json"]).await;
    assert_eq!(runs.code, Some(0), "{}", runs.snapshot());
    assert_eq!(runs.json()["runs"].as_array().map(Vec::len), Some(1));
    assert!(
        runs.stderr.contains("3 runs stopped before"),
        "{}",
        runs.snapshot()
    );
    for arguments in [
        &["status"][..],
        &["detach", "--all", "--dry-run"],
        &["undo", &run, "--dry-run"],
        &["undo", "--last", "--dry-run"],
    ] {
        let finished = stage.run(arguments).await;
        assert_eq!(
            finished.code,
            Some(0),
            "{arguments:?} {}",
            finished.snapshot()
        );
    }
    let cut = stage.run(&["resume", "20260101-000000-cut"]).await;
    assert_eq!(cut.code, Some(1), "{}", cut.snapshot());
    assert!(
        cut.stderr.contains("nothing was changed"),
        "{}",
        cut.snapshot()
    );

    // Broken, of another release, and no file at all: what they did is not known.
    let other = String::from_utf8(whole.clone()).unwrap();
    let other = other.replacen("\"schemaVersion\":1", "\"schemaVersion\":9", 1);
    let mut broken = whole.clone();
    broken.extend(b"hunter2\n");
    fs::write(stage.journal("20260101-000000-other"), other).unwrap();
    // Whole, though it looks like a beginning.
    let first = [beginning, b"\n"].concat();
    fs::write(stage.journal("20260101-000000-first"), first).unwrap();
    fs::write(stage.journal("20260101-000000-broken"), broken).unwrap();
    let pipe = stage.journal("20260101-000000-pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().await.unwrap();
    assert!(made.success());
    fs::create_dir(stage.journal("20260101-000000-directory")).unwrap();
    let runs = stage.run(&["runs"]).await;
    assert_snapshot!(
        "runs_that_cannot_be_read",
        stage.masked(&runs).replace(&run, "RUN")
    );
    // A plan would take for somebody else's what they did: it is not made.
    let detach = stage.run(&["detach", "--all", "--dry-run"]).await;
    assert_eq!(detach.code, Some(1), "{}", detach.snapshot());
    assert!(
        detach.stderr.contains("move the journal away"),
        "{}",
        detach.snapshot()
    );
    // The undo of another run does not wait for that.
    let undone = stage.run(&["undo", &run, "--yes"]).await;
    assert_eq!(undone.code, Some(0), "{}", undone.snapshot());
    assert!(
        undone.stderr.contains("ignoring a run that cannot be read"),
        "{}",
        undone.snapshot()
    );
    assert!(!undone.stderr.contains("hunter2"), "{}", undone.snapshot());
    assert_eq!(stage.everything(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_is_private_whatever_the_umask_says() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 2, &FunctionSpec::default());
    let binary = env!("CARGO_BIN_EXE_backstop");
    let layer = stage.layers[&here()].clone();
    for arguments in [
        format!("plan --all --layer {layer} --out plan.json"),
        format!("attach --all --yes --layer {layer}"),
    ] {
        let mut command = stage.backstop(&[]);
        let inner = command
            .as_std()
            .get_envs()
            .map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned)));
        let inner: Vec<_> = inner.collect();
        command = Command::new("sh");
        command
            .args(["-c", &format!("umask 000; exec {binary} {arguments}")])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .current_dir(stage.directory.path());
        for (name, value) in inner {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        let finished = Finished::from(command.output().await.unwrap());
        assert_eq!(finished.code, Some(0), "{}", finished.snapshot());
    }
    let root = stage.directory.path().join(".local/state/backstop");
    let runs = root.join("runs");
    for directory in [&root, &runs] {
        assert_eq!(mode(directory), 0o700, "{}", directory.display());
    }
    for entry in fs::read_dir(&runs)
        .unwrap()
        .chain(fs::read_dir(&root).unwrap())
    {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.path());
        }
    }
    assert_eq!(mode(&stage.directory.path().join("plan.json")), 0o600);

    // Anyone could write a journal, and have functions changed by its undo.
    for open in [&root, &runs] {
        fs::set_permissions(open, Permissions::from_mode(0o777)).unwrap();
        let refused = stage.run(&["runs"]).await;
        assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
        assert!(
            refused.stderr.contains("chmod go-w"),
            "{}",
            refused.snapshot()
        );
        fs::set_permissions(open, Permissions::from_mode(0o770)).unwrap();
        let warned = stage.run(&["runs"]).await;
        assert_eq!(warned.code, Some(0), "{}", warned.snapshot());
        assert!(warned.stderr.contains("chmod g-w"), "{}", warned.snapshot());
        fs::set_permissions(open, Permissions::from_mode(0o700)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_or_a_pipe_is_neither_replaced_nor_read_without_end() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 2, &FunctionSpec::default());
    let layer = stage.layers[&here()].clone();
    // As a link, since only root could replace the device itself.
    let link = stage.directory.path().join("null");
    std::os::unix::fs::symlink("/dev/null", &link).unwrap();
    for out in ["/dev/null", "null"] {
        let plan = ["plan", "--all", "--layer", &layer, "--out", out];
        let planned = stage.run(&plan).await;
        assert_eq!(planned.code, Some(0), "{}", planned.snapshot());
    }
    assert!(link.is_symlink());
    let null = fs::metadata("/dev/null").unwrap();
    assert!(null.file_type().is_char_device());

    let pipe = stage.directory.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().await.unwrap();
    assert!(made.success());
    for arguments in [
        &["apply", "pipe"][..],
        &["apply", "/dev/zero"],
        &["plan", "--all", "--layers", "pipe"],
        &["plan", "--all", "--config", "pipe"],
        &[
            "plan",
            "--all",
            "--layer",
            &layer,
            "--accounts-file",
            "pipe",
        ],
        &[
            "plan",
            "--all",
            "--layer",
            &layer,
            "--token-file",
            "/dev/zero",
        ],
        &["plan", "--all", "--layer", &layer, "--token-file", "pipe"],
    ] {
        let finished = stage.run(arguments).await;
        assert_eq!(
            finished.code,
            Some(1),
            "{arguments:?} {}",
            finished.snapshot()
        );
        let reported = ["is a pipe", "is a device"];
        let is_told = reported
            .iter()
            .any(|reported| finished.stderr.contains(reported));
        assert!(is_told, "{arguments:?} {}", finished.snapshot());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_while_it_looks_says_that_nothing_was_changed() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 200, &FunctionSpec::default());
    let layer = stage.layers[&here()].clone();
    for arguments in [
        &[
            "attach",
            "--all",
            "--yes",
            "--read-rate",
            "1",
            "--layer",
            &layer,
        ][..],
        &["plan", "--all", "--read-rate", "1", "--layer", &layer],
        // It waits for whoever writes into it.
        &["plan", "--all", "--layer", &layer, "--token-file", "-"],
    ] {
        let calls = stage.plane.calls().len();
        let mut child = stage
            .backstop(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _stdin = child.stdin.take();
        while stage.plane.calls().len() == calls {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let finished = interrupted(child).await;
        assert_eq!(
            finished.code,
            Some(130),
            "{arguments:?} {}",
            finished.snapshot()
        );
        assert!(
            finished.stderr.contains("Interrupted: nothing was changed"),
            "{}",
            finished.snapshot()
        );
        assert_eq!(finished.stdout, "");
    }
    assert!(stage.plane.writes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_say_when_what_where_and_what_is_left() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 3, &FunctionSpec::default());
    let attached = stage.attach(&["--all"]).await;
    let (first, undo) = (attached.run(), ["undo", "--last", "--yes"]);
    let undone = stage.run(&undo).await;
    assert_eq!(undone.code, Some(0), "{}", undone.snapshot());
    assert!(undone.stderr.contains(&format!("The last run is {first}")));
    // Undone itself, it undoes nothing any more.
    let back = stage.run(&["undo", &undone.run(), "--yes"]).await;
    assert_eq!(back.code, Some(0), "{}", back.snapshot());
    let last = stage.run(&["undo", "--last", "--dry-run"]).await;
    assert!(last.stderr.contains(&format!("The last run is {first}")));

    // Of a run that stopped, one function is done, one may be changed, and one was not begun.
    let journal = fs::read_to_string(stage.journal(&first)).unwrap();
    let mut lines: Vec<&str> = journal.lines().collect();
    let at = |lines: &[&str], part: &str| lines.iter().rposition(|it| it.contains(part)).unwrap();
    lines.remove(at(&lines, "\"entry\":\"done\""));
    let begun = at(&lines, "\"entry\":\"begin\"");
    let unfinished = lines[begun];
    lines.retain(|line| {
        *line == unfinished || !line.contains("orders-") || line.contains("\"plan\"")
    });
    let stopped = "20260101-000000-000001";
    let text = lines.join("\n").replace(&first, stopped) + "\n";
    fs::write(stage.journal(stopped), text).unwrap();
    let shown = stage
        .run(&["runs", stopped, "--output", "json"])
        .await
        .json();
    let states: Vec<&str> = (shown["functions"].as_array().unwrap().iter())
        .map(|it| it["state"].as_str().unwrap())
        .collect();
    assert_eq!(states.iter().filter(|it| **it == "notBegun").count(), 2);
    assert_eq!(states.iter().filter(|it| **it == "mayBeChanged").count(), 1);

    let runs = stage.run(&["runs"]).await;
    assert_snapshot!("runs_of_all_kinds", stage.masked(&runs));
    let shown = stage.run(&["runs", &first]).await;
    assert_snapshot!("run_by_function", stage.masked(&shown));
    let widest = |text: &str| text.lines().map(|line| line.chars().count()).max();
    assert!(widest(&runs.stdout) <= Some(80), "{}", runs.stdout);
}
