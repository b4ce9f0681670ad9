//! Killed at each step of a drill, and restored to the byte by `resume` or by `undo`.

use std::process::Stdio;

use backstop_fake_aws::Moment;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::stage::{Stage, here};

/// A call at which it is killed: its operation, which of them it is, and when.
const POINTS: [(&str, usize, Moment); 8] = [
    ("Invoke", 2, Moment::BeforeItIsDone),
    ("UpdateFunctionConfiguration", 1, Moment::BeforeItIsDone),
    ("UpdateFunctionConfiguration", 1, Moment::BeforeItIsAnswered),
    ("Invoke", 3, Moment::BeforeItIsDone),
    ("Invoke", 4, Moment::BeforeItIsAnswered),
    ("UpdateFunctionConfiguration", 2, Moment::BeforeItIsDone),
    ("UpdateFunctionConfiguration", 2, Moment::BeforeItIsAnswered),
    ("GetMetricData", 1, Moment::BeforeItIsDone),
];

async fn killed(by: &str) {
    for (operation, number, moment) in POINTS {
        let what = format!("{by} after a kill at {operation} {number} {moment:?}");
        let stage = Stage::set().await;
        let before = stage.plane.snapshot();
        let held = stage.plane.hold(operation, number, moment);
        let mut drill = stage.begin(&["--yes", "--invocations", "2"]);
        held.reached().await;
        drill.kill().await.unwrap();
        held.release();
        // The server may have had the request.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;

        let runs = stage.run(&["runs", "--output", "json"]).await.json();
        let runs = runs["runs"].as_array().unwrap().clone();
        let Some(run) = runs.iter().find(|run| run["action"] == "drill") else {
            assert!(
                operation != "UpdateFunctionConfiguration" && number < 3,
                "{what}"
            );
            assert_eq!(stage.plane.snapshot(), before, "{what}");
            continue;
        };
        let run = run["run"].as_str().unwrap().to_owned();
        if stage.plane.snapshot() != before {
            // Nobody drills what a drill left.
            let refused = stage.drill(&["--yes"]).output().await.unwrap();
            assert_eq!(refused.status.code(), Some(5), "{what}: {refused:?}");
            let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert!(
                stderr.contains(&format!("backstop undo {run}")),
                "{what}: {stderr}"
            );
            let shown = stage.run(&["runs"]).await.stdout;
            assert!(
                shown.contains(&format!("not restored: backstop undo {run}")),
                "{shown}"
            );
        }
        let mut arguments = vec![by, &run];
        if by == "undo" {
            arguments.push("--yes");
        }
        let restored = stage.run(&arguments).await;
        assert_eq!(restored.code, Some(0), "{what}: {restored:?}");
        assert_eq!(stage.plane.snapshot(), before, "{what}");
        // What comes next is as after a drill that ended well.
        let again = stage.drill(&["--yes", "--invocations", "1", "--output", "json"]);
        drilled(again, &what).await;
        assert_eq!(stage.plane.snapshot(), before, "{what}");
    }
}

async fn drilled(mut drill: Command, what: &str) {
    let output = drill.output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{what}: {output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn resume_restores_a_drill_that_was_killed_anywhere() {
    killed("resume").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_restores_a_drill_that_was_killed_anywhere() {
    killed("undo").await;
}

/// Ctrl-C and SIGTERM end the invocations, and the function is restored at once.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_drill_restores_the_function_itself() {
    for (operation, number, signal) in [
        ("Invoke", 3, "-INT"),
        ("Invoke", 3, "-TERM"),
        ("UpdateFunctionConfiguration", 1, "-TERM"),
    ] {
        let what = format!("{signal} at {operation}");
        let stage = Stage::set().await;
        let before = stage.plane.snapshot();
        let held = stage.plane.hold(operation, number, Moment::BeforeItIsDone);
        let drill = stage.begin(&["--yes", "--invocations", "2", "--output", "json"]);
        held.reached().await;
        signalled(&drill, signal).await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        held.release();
        let drilled = crate::Finished::from(drill.wait_with_output().await.unwrap());
        assert_eq!(drilled.code, Some(130), "{what}: {drilled:?}");
        assert_eq!(stage.plane.snapshot(), before, "{what}: {drilled:?}");
        let result = drilled.json();
        assert_eq!(result["restored"], true, "{what}: {result:#}");
        assert_eq!(
            stage.last_run().await["action"]["undo"]["run"],
            result["run"],
            "{what}"
        );
    }
}

async fn signalled(child: &tokio::process::Child, signal: &str) {
    let pid = child.id().unwrap().to_string();
    let kill = Command::new("kill").args([signal, &pid]).status().await;
    assert!(kill.unwrap().success());
    // It has had the signal when the next one comes: two at once are one.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
}

/// The second signal says what to run and goes on restoring; the third one ends the drill.
#[tokio::test(flavor = "multi_thread")]
async fn a_drill_that_is_interrupted_again_says_what_to_run() {
    for signals in [2, 3] {
        let stage = Stage::set().await;
        let before = stage.plane.snapshot();
        let invoking = stage.plane.hold("Invoke", 3, Moment::BeforeItIsDone);
        let update = "UpdateFunctionConfiguration";
        let mut restoring = Some(stage.plane.hold(update, 2, Moment::BeforeItIsDone));
        let drill = stage.begin(&["--yes", "--invocations", "2", "--output", "json"]);
        invoking.reached().await;
        signalled(&drill, "-INT").await;
        invoking.release();
        restoring.as_ref().unwrap().reached().await;
        for _ in 1..signals {
            signalled(&drill, "-TERM").await;
        }
        let go_on = |held: Option<backstop_fake_aws::Held>| held.unwrap().release();
        if signals == 2 {
            go_on(restoring.take());
        }
        let drilled = crate::Finished::from(drill.wait_with_output().await.unwrap());
        assert_eq!(drilled.code, Some(130), "{drilled:?}");
        let result = drilled.json();
        let run = result["run"].as_str().unwrap();
        let advice = format!(
            "Still restoring orders. Press Ctrl-C again to stop at once, and then \
                              restore it with: backstop undo {run}"
        );
        assert!(drilled.stderr.contains(&advice), "{drilled:?}");
        assert_eq!(result["restored"], signals == 2, "{result:#}");
        if signals == 3 {
            let problem = format!("run backstop undo {run}");
            assert!(
                result["problems"].to_string().contains(&problem),
                "{result:#}"
            );
            assert_ne!(stage.plane.snapshot(), before);
            go_on(restoring.take());
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            let undone = stage.run(&["undo", run, "--yes"]).await;
            assert_eq!(undone.code, Some(0), "{undone:?}");
        }
        assert_eq!(stage.plane.snapshot(), before, "{drilled:?}");
    }
}

/// Of a token that an attach set, the journal has a digest only. A drill that takes it away can still put it
/// back, whatever became of its source, and what the attach did can be undone after that.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_from_stdin_is_put_back_and_the_attach_can_still_be_undone() {
    let stage = Stage::set().await;
    let plane = &stage.plane;
    let own = ["BACKSTOP_PRIMARY_URL", "BACKSTOP_PRIMARY_TOKEN"];
    let url = stage.intake.url();
    let mut layer = String::new();
    plane.change(&here(), "orders", |spec| {
        spec.environment
            .retain(|name, _| !own.contains(&name.as_str()));
        layer = spec.layers.drain(..).next().unwrap();
    });
    let bare = plane.snapshot();
    let address = format!("BACKSTOP_PRIMARY_URL={url}");
    let mut attach = stage.backstop(&[
        "attach",
        "orders",
        "--yes",
        "--layer",
        &layer,
        "--set",
        &address,
        "--token-file",
        "-",
    ]);
    let piped = attach
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut attach = piped.spawn().unwrap();
    let mut stdin = attach.stdin.take().unwrap();
    stdin.write_all(b"hunter2").await.unwrap();
    drop(stdin);
    let attached = crate::Finished::from(attach.wait_with_output().await.unwrap());
    assert_eq!(attached.code, Some(0), "{attached:?}");
    let before = plane.snapshot();

    let held = plane.hold("Invoke", 2, Moment::BeforeItIsDone);
    let failing = [
        "--yes",
        "--invocations",
        "1",
        "--primary-url",
        "http://127.0.0.1:9/own",
    ];
    let mut drill = stage.begin(&failing);
    held.reached().await;
    assert_ne!(plane.snapshot(), before);
    drill.kill().await.unwrap();
    held.release();
    let run = stage.last_run().await["run"].as_str().unwrap().to_owned();
    let undone = stage.run(&["undo", &run, "--yes"]).await;
    assert_eq!(undone.code, Some(0), "{undone:?}");
    assert_eq!(plane.snapshot(), before);

    let detached = stage.run(&["detach", "orders", "--yes"]).await;
    assert_eq!(detached.code, Some(0), "{detached:?}");
    assert_eq!(plane.snapshot(), bare);
}
