//! What a replay that was interrupted leaves, and how it is resumed.

use std::process::Stdio;
use std::time::Duration;

use backstop_simulator::Fault;
use tokio::process::{Child, Command};

use crate::replay::{assert_balanced, counts, lines};
use crate::support::{DIRECT, Finished, Stage, line, run};

const LIMIT: Duration = Duration::from_secs(20);

/// Sends in batches of ten, slowly enough to be killed between.
fn slow(stage: &Stage) -> Command {
    let mut command = stage.replay();
    command.args([
        "--batch-records",
        "10",
        "--rate",
        "100",
        "--concurrency",
        "1",
    ]);
    command
}

fn spawn(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the command runs")
}

async fn signal(child: Child, name: &str) -> Finished {
    let pid = child.id().expect("it has not ended").to_string();
    let kill = Command::new("kill").args([name, &pid]).status().await;
    assert!(kill.is_ok_and(|status| status.success()));
    child.wait_with_output().await.expect("it ends").into()
}

async fn archive() -> Stage {
    let stage = Stage::set().await;
    for number in 0..4 {
        let ids = number * 25..number * 25 + 25;
        stage.put_lines(&format!("{DIRECT}/b{number}.ndjson.gz"), &lines(ids, "one"));
    }
    stage
}

/// A batch may have been taken and its acknowledgement lost, and no other is sent again.
#[tokio::test]
async fn what_was_acknowledged_before_a_kill_is_not_sent_again() {
    for name in ["-KILL", "-INT"] {
        let stage = archive().await;
        let child = spawn(&mut slow(&stage));
        assert!(stage.intake.wait_for_records(40, LIMIT).await);
        signal(child, name).await;
        let before = stage.intake.record_count();
        assert!((40..100).contains(&before), "{before}");

        let refused = run(&mut stage.replay()).await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(
            refused
                .stderr
                .contains("give --resume to send what is left"),
            "{refused:?}"
        );

        let left = run(stage.replay().args(["--resume", "--dry-run"])).await;
        assert_eq!(left.code, Some(0), "{left:?}");
        let left = counts(&left.json(), &["wouldSend"])[0];
        // A batch may be acknowledged and not noted yet.
        assert!(left <= 70, "{left}");

        let finished = run(stage.replay().arg("--resume")).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let summary = finished.json();
        assert_balanced(&summary);
        assert_eq!(counts(&summary, &["sent"]), [left]);
        assert_eq!(stage.intake.record_count(), 100);
        let twice: u32 = stage.intake.records().values().map(|count| count - 1).sum();
        let most = if name == "-KILL" { 10 } else { 0 };
        assert!(twice <= most, "{twice} were sent twice after {name}");
        // Nothing is left to resume.
        let again = run(stage.replay().arg("--resume")).await;
        assert_eq!(again.code, Some(2), "{again:?}");
        assert!(
            again.stderr.contains("there is no replay to resume"),
            "{again:?}"
        );
    }
}

#[tokio::test]
async fn a_primary_that_was_down_is_sent_what_is_left() {
    let stage = archive().await;
    let down = Fault::StatusWithRetryAfter(503, 0);
    let mut first = stage.replay();
    first.args([
        "--batch-records",
        "10",
        "--rate",
        "500",
        "--concurrency",
        "1",
    ]);
    let (finished, ()) = tokio::join!(run(&mut first), async {
        assert!(stage.intake.wait_for_records(30, LIMIT).await);
        stage.intake.set_fault(Some(down)).await.expect("it holds");
    });
    assert_eq!(finished.code, Some(3), "{finished:?}");
    let summary = finished.json();
    assert!(summary["checkpoint"].is_string(), "{summary}");
    let sent = counts(&summary, &["sent"])[0];
    stage.intake.set_fault(None).await.expect("it is cleared");
    let resumed = run(stage.replay().arg("--resume")).await;
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    assert_eq!(counts(&resumed.json(), &["sent"]), [100 - sent]);
    assert!(stage.intake.records().values().all(|count| *count == 1));
}

#[tokio::test]
async fn a_checkpoint_is_of_one_target_and_one_selection_and_one_process() {
    let stage = archive().await;
    let file = stage.state().join("mine");
    let child = spawn(slow(&stage).arg("--checkpoint").arg(&file));
    assert!(stage.intake.wait_for_records(10, LIMIT).await);
    let beside = run(stage.replay().args(["--resume", "--checkpoint"]).arg(&file)).await;
    assert_eq!(beside.code, Some(1), "{beside:?}");
    assert!(
        beside
            .stderr
            .contains("another replay is using the checkpoint"),
        "{beside:?}"
    );
    signal(child, "-KILL").await;
    for (options, expected) in [
        (
            ["--function", "checkout"],
            "is of another selection, s3://backstop-archive/backstop/v1/:",
        ),
        (
            ["--format", "json"],
            "is of a replay to another target, https://127.0.0.1:",
        ),
    ] {
        for more in ["--resume", "--restart"] {
            let mut command = stage.replay();
            command
                .args(options)
                .args([more, "--checkpoint"])
                .arg(&file);
            let refused = run(&mut command).await;
            assert_eq!(refused.code, Some(2), "{refused:?}");
            assert!(refused.stderr.contains(expected), "{refused:?}");
        }
    }
    // It is a log of this program's, and says neither records nor secrets.
    let text = std::fs::read_to_string(&file).expect("it is there");
    assert!(
        text.starts_with("{\"schemaVersion\":1,") && !text.contains("e-1"),
        "{text}"
    );
    let all = run(stage
        .replay()
        .args(["--restart", "--checkpoint"])
        .arg(&file))
    .await;
    assert_eq!(
        counts(&all.json(), &["sent", "objectsReplayed"])[1],
        0,
        "{all:?}"
    );
    assert!(!file.exists(), "nothing is left");
}

#[tokio::test]
async fn what_is_not_a_checkpoint_is_neither_read_nor_emptied() {
    let stage = archive().await;
    let file = stage.state().join("notes.txt");
    std::fs::create_dir_all(stage.state()).expect("the directory is ours");
    std::fs::write(&file, "my notes").expect("it is written");
    for more in [&[][..], &["--restart"], &["--resume"]] {
        let refused = run(stage.replay().args(more).arg("--checkpoint").arg(&file)).await;
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(
            refused.stderr.contains("it is not a checkpoint"),
            "{refused:?}"
        );
        let text = std::fs::read_to_string(&file).expect("it is there");
        assert_eq!(text, "my notes");
    }
    let refused = run(stage.replay().args(["--checkpoint", "/dev/null"])).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stderr.contains("give another --checkpoint"),
        "{refused:?}"
    );
    assert_eq!(stage.intake.record_count(), 0);
}

/// The disk that holds the checkpoint has no room.
#[tokio::test]
async fn a_full_disk_under_the_checkpoint_ends_the_run_and_says_what_to_do() {
    let stage = archive().await;
    let file = stage.state().join("full");
    let command = stage.replay();
    let words: Vec<_> = (command.as_std().get_args())
        .map(ToOwned::to_owned)
        .collect();
    let mut limited = Command::new("sh");
    // A file may have one block of 512 bytes: the header fits.
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "sh"])
        .arg(command.as_std().get_program())
        .args(words)
        .args([
            "--batch-records",
            "10",
            "--concurrency",
            "1",
            "--checkpoint",
        ])
        .arg(&file)
        .env_clear()
        .envs((command.as_std().get_envs()).filter_map(|(name, value)| Some((name, value?))));
    let finished = run(&mut limited).await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    let summary = finished.json();
    assert_balanced(&summary);
    let halted = summary["halted"].as_str().unwrap_or_default();
    assert!(
        halted.contains("cannot be written, so nothing more is sent: free space"),
        "{halted}"
    );
    assert!(stage.intake.record_count() < 100);
    let resumed = run(stage.replay().args(["--resume", "--checkpoint"]).arg(&file)).await;
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    assert_eq!(stage.intake.record_count(), 100);
}

#[tokio::test]
async fn a_checkpoint_in_s3_is_resumed_from_another_machine() {
    let stage = archive().await;
    let place = format!("s3://{}/checkpoints/outage", stage.s3.bucket());
    let child = spawn(slow(&stage).args(["--checkpoint", &place]));
    assert!(stage.intake.wait_for_records(40, LIMIT).await);
    let beside = run(stage.replay().args(["--resume", "--checkpoint", &place])).await;
    assert_eq!(beside.code, Some(1), "{beside:?}");
    assert!(
        beside.stderr.contains("the replay is in progress: "),
        "{beside:?}"
    );
    signal(child, "-KILL").await;
    let resumed = run(stage.replay().args(["--resume", "--checkpoint", &place])).await;
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    assert_eq!(stage.intake.record_count(), 100);
    let twice: u32 = stage.intake.records().values().map(|count| count - 1).sum();
    assert!(twice <= 10, "{twice}");
    let keys = stage.s3.object_keys().expect("the bucket can be read");
    let segments = keys.iter().filter(|key| key.contains("/segment-")).count();
    assert_eq!(segments, 0, "{keys:?}");
}

/// What the primary refuses is in a file with its answer, which is an archive of its own.
#[tokio::test]
async fn rejected_records_are_in_a_file_that_can_be_replayed() {
    let stage = Stage::set().await;
    stage.intake.refuse_lines_with(Some((400, "poison")));
    let mut text = lines(0..50, "good");
    text[20] = line("e-20", "poison");
    stage.put_lines(&format!("{DIRECT}/b1.ndjson.gz"), &text);
    let finished = run(&mut stage.replay()).await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    let summary = finished.json();
    assert_balanced(&summary);
    assert_eq!(
        counts(&summary, &["sent", "rejected", "objectsMarked"]),
        [49, 1, 0]
    );
    let file = summary["deadLetters"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let cat =
        run(crate::support::backstop().args(["archive", "cat", &file, "--dead-letters"])).await;
    assert_eq!(cat.code, Some(0), "{cat:?}");
    assert_eq!(cat.stdout.lines().count(), 1, "{cat:?}");
    let expected = r#""diverted":{"answer":"rejected (status 400)","reason":"rejected","sink":"https","status":400}"#;
    assert!(cat.stdout.contains(expected), "{cat:?}");

    stage.intake.refuse_lines_with(None);
    let mut command = stage.replay();
    let words: Vec<_> = (command.as_std().get_args())
        .map(ToOwned::to_owned)
        .collect();
    command = {
        let mut again = crate::support::backstop();
        again.env_remove("HOME");
        let from = words
            .iter()
            .position(|word| word == "--from")
            .expect("it is there");
        again
            .args(&words[..=from])
            .arg(&file)
            .args(&words[from + 2..]);
        again.envs((command.as_std().get_envs()).filter_map(|(name, value)| Some((name, value?))));
        again
    };
    let finished = run(&mut command).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(stage.accepted("e-20"), 1);
    assert!(
        stage
            .intake
            .lines()
            .contains(&crate::support::sent("e-20", "poison"))
    );
}

#[tokio::test]
async fn a_rate_is_kept() {
    let stage = archive().await;
    let started = tokio::time::Instant::now();
    let finished = run(stage.replay().args(["--rate", "40"])).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    // The first 40 at once, 35 more after one second, and the rest after that.
    assert!(
        started.elapsed() >= Duration::from_millis(1_900),
        "{:?}",
        started.elapsed()
    );
    for (rate, expected) in [
        ("0", "a rate is more than 0"),
        ("quick", "write records a second as"),
    ] {
        let refused = run(stage.replay().args(["--rate", rate])).await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains(expected), "{refused:?}");
    }
}
