//! Killed at any moment, and taken up again or undone.
//!
//! The numbers are drawn from a fixed seed: a failure is the same failure each time.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use backstop_delivery::Jitter;
use backstop_fake_aws::FunctionSpec;
use serde_json::Value;
use tokio::process::Command;

use crate::machines::Shared;
use crate::stage::{Finished, Stage, here, interrupted};

const FUNCTIONS: usize = 24;
const LIVES: u64 = 16;

struct Dice(Jitter);

impl Dice {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "small and not negative"
    )]
    fn below(&mut self, most: usize) -> usize {
        (self.0.next() * most as f64) as usize
    }
}

/// A fleet of functions that are all different.
async fn fleet(dice: &mut Dice) -> Stage {
    let stage = Stage::set().await;
    let older = stage
        .publish(&here(), "backstop-extension-x86_64-0-0-9", "older")
        .await;
    let mut theirs = Vec::new();
    for name in ["zeta", "alpha", "mid"] {
        theirs.push(stage.publish(&here(), name, "theirs").await);
    }
    for number in 0..FUNCTIONS {
        let mut layers: Vec<String> = (0..dice.below(4)).map(|at| theirs[at].clone()).collect();
        if dice.below(2) == 0 {
            layers.reverse();
        }
        if dice.below(3) == 0 {
            layers.insert(dice.below(layers.len() + 1), older.clone());
        }
        let mut environment = BTreeMap::new();
        for name in ["TABLE", "BACKSTOP_TAGS", "BACKSTOP_PRIMARY_TOKEN"] {
            if dice.below(2) == 0 {
                environment.insert(name.to_owned(), format!("{number}"));
            }
        }
        stage.plane.add_function(
            &here(),
            FunctionSpec {
                name: format!("orders-{number:03}"),
                layers,
                environment,
                ..FunctionSpec::default()
            },
        );
    }
    stage
}

/// A fleet, and where its runs are kept.
struct Scene {
    stage: Stage,
    shared: Option<Shared>,
}

impl Scene {
    fn backstop(&self, arguments: &[&str]) -> Command {
        match &self.shared {
            Some(shared) => shared.here(&self.stage, arguments),
            None => self.stage.backstop(arguments),
        }
    }
}

/// Runs it, and kills it at the given number of writes, if it comes so far.
async fn killed(scene: &Scene, arguments: &[&str], writes: usize) {
    let stage = &scene.stage;
    let before = stage.plane.count("UpdateFunctionConfiguration");
    let mut command = scene.backstop(arguments);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    loop {
        let done = stage.plane.count("UpdateFunctionConfiguration") - before;
        if done >= writes || child.try_wait().unwrap().is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    child.kill().await.unwrap();
    child.wait().await.unwrap();
}

/// The newest run, if there is one.
async fn newest(scene: &Scene) -> Option<String> {
    let mut runs = scene.backstop(&["runs", "--output", "json"]);
    let runs = Finished::from(runs.output().await.unwrap()).json();
    runs["runs"][0]["run"].as_str().map(str::to_owned)
}

/// Until nothing stands against it any more: exit code 0.
async fn finish(scene: &Scene, arguments: &[&str]) {
    let finished = Finished::from(scene.backstop(arguments).output().await.unwrap());
    assert_eq!(finished.code, Some(0), "{}", finished.snapshot());
}

async fn life(seed: u64, shared: Option<Shared>) {
    let mut dice = Dice(Jitter::seeded(seed));
    let scene = &Scene {
        stage: fleet(&mut dice).await,
        shared,
    };
    let stage = &scene.stage;
    std::fs::write(stage.directory.path().join("token"), "hunter2").unwrap();
    let before = stage.everything();
    let layer = stage.layers[&here()].clone();
    let attach = [
        "attach",
        "--all",
        "--yes",
        "--rate",
        "200",
        "--read-rate",
        "500",
        "--layer",
        &layer,
        "--set",
        "BACKSTOP_PRIMARY_URL=https://intake.example.com/",
        "--set",
        "BACKSTOP_TAGS=a=b",
        "--overwrite",
        "BACKSTOP_TAGS",
        "--token-file",
        "token",
    ];
    killed(scene, &attach, dice.below(FUNCTIONS + 4)).await;
    let Some(run) = newest(scene).await else {
        assert_eq!(
            stage.everything(),
            before,
            "nothing is changed without a run"
        );
        return;
    };
    let resume = ["resume", &run, "--yes"];
    let undo = ["undo", &run, "--yes"];
    if dice.below(2) == 0 {
        killed(scene, &resume, dice.below(FUNCTIONS)).await;
        finish(scene, &resume).await;
        let everything = stage.everything();
        let has_layer = |it: &Value| it["Configuration"]["Layers"].to_string().contains(&layer);
        assert!(everything.values().all(has_layer), "{seed}");
        // Each function was written once, and those that may have been are not written blindly.
        assert_eq!(accepted(stage), FUNCTIONS, "{seed}");
        finish(scene, &resume).await;
        assert_eq!(accepted(stage), FUNCTIONS, "{seed}");
    }
    if dice.below(2) == 0 {
        killed(scene, &undo, dice.below(FUNCTIONS)).await;
    }
    match &scene.shared {
        // On another machine, once the lock of the process that was killed has expired.
        Some(shared) if seed.is_multiple_of(2) => {
            shared.expire(&run).await;
            let undone = shared.elsewhere(stage, &undo).output().await.unwrap();
            let undone = Finished::from(undone);
            assert_eq!(undone.code, Some(0), "{seed}: {}", undone.snapshot());
        }
        _ => finish(scene, &undo).await,
    }
    let after = stage.everything();
    for (name, configuration) in &before {
        assert_eq!(Some(configuration), after.get(name), "life {seed}: {name}");
    }
}

/// Writes that were made.
fn accepted(stage: &Stage) -> usize {
    let calls = stage.plane.calls();
    let is_write = |operation: &str| operation == "UpdateFunctionConfiguration";
    (calls.iter())
        .filter(|call| is_write(call.operation) && call.status == 200)
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_interrupted_is_undone_to_the_byte() {
    for seed in 0..LIVES {
        life(seed, None).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_interrupted_is_undone_to_the_byte_with_runs_in_s3() {
    for seed in 0..LIVES {
        life(seed, Some(Shared::set().await)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_finishes_what_is_under_way_and_goes_on_later() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 60, &FunctionSpec::default());
    stage.plane.set_update_time(Duration::from_millis(100));
    let layer = stage.layers[&here()].clone();
    // Slow enough that most have not begun when it is interrupted.
    let attach = [
        "attach",
        "--all",
        "--yes",
        "--rate",
        "10",
        "--read-rate",
        "500",
        "--layer",
        &layer,
    ];
    let mut command = stage.backstop(&attach);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while stage.plane.writes().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let finished = interrupted(child).await;
    assert_eq!(finished.code, Some(130), "{}", finished.snapshot());
    for part in ["not started", "To continue: backstop resume"] {
        assert!(finished.stdout.contains(part), "{}", finished.snapshot());
    }
    // What was begun has ended: nothing is left in between.
    let run = finished.run();
    let journal = std::fs::read_to_string(stage.journal(&run)).unwrap();
    let count = |what: &str| journal.matches(&format!(r#""entry":"{what}""#)).count();
    assert_eq!(count("begin"), count("done"), "{journal}");
    let scene = Scene {
        stage,
        shared: None,
    };
    finish(&scene, &["resume", &run, "--rate", "100"]).await;
    let stage = scene.stage;
    let writes = stage.plane.writes();
    assert_eq!(writes.len(), 60);
    assert!(writes.values().all(|writes| *writes == 1), "{writes:?}");
}
