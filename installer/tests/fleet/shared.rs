//! Runs that many machines share in S3: the same promises as on one machine.

use std::process::Stdio;
use std::time::Duration;

use backstop_fake_aws::FunctionSpec;
use backstop_simulator::Fault;
use tokio::process::Command;

use crate::machines::{STATE, Shared, finished};
use crate::stage::{Finished, Stage, here};

fn attach<'a>(stage: &'a Stage, more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["attach", "--all", "--yes", "--read-rate", "500", "--layer"];
    all.push(&stage.layers[&here()]);
    all.extend(["--set", "BACKSTOP_PRIMARY_URL=https://intake.example.com/"]);
    all.extend(more);
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn another_machine_undoes_to_the_byte_what_this_one_did() {
    let (stage, shared) = (Stage::set().await, Shared::set().await);
    // So many that a journal has several segments.
    stage.add(&here(), "orders", 150, &FunctionSpec::default());
    let before = stage.everything();
    let attached = finished(shared.here(&stage, &attach(&stage, &["--rate", "100"]))).await;
    assert_eq!(attached.code, Some(0), "{}", attached.snapshot());
    let run = attached.run();

    // Nothing of the run is on the machine.
    assert!(!stage.journal(&run).exists());
    let shown = finished(shared.elsewhere(&stage, &["runs", &run])).await;
    assert!(
        shown
            .stdout
            .contains("150 of 150 functions done, 0 not done"),
        "{}",
        shown.snapshot()
    );
    let undo = ["undo", "--last", "--yes", "--rate", "100"];
    let undone = finished(shared.elsewhere(&stage, &undo)).await;
    assert_eq!(undone.code, Some(0), "{}", undone.snapshot());
    assert_eq!(stage.everything(), before);

    let runs = finished(shared.here(&stage, &["runs", "--output", "json"])).await;
    let runs = runs.json();
    assert_eq!(runs["state"], STATE, "{runs}");
    assert_eq!(runs["runs"][1]["run"], run.as_str(), "{runs}");
    assert_eq!(runs["runs"][1]["undoneBy"], undone.run().as_str(), "{runs}");
    assert_eq!(runs["runs"][1]["isUndone"], true, "{runs}");
    // Nothing is left that --last could mean.
    let again = finished(shared.here(&stage, &undo)).await;
    assert_eq!(again.code, Some(1), "{}", again.snapshot());
    assert!(again.stderr.contains("has no run to undo"));

    // Every write had a condition, and few requests were made for many functions.
    let puts = (shared.s3.heads().into_iter()).filter(|(method, _)| method.as_str() == "PUT");
    let mut count = 0;
    for (_, headers) in puts {
        assert!(headers.contains_key("if-match") || headers.contains_key("if-none-match"));
        count += 1;
    }
    assert!(
        count <= 4 * 150,
        "{count} writes for 150 functions, there and back"
    );
    let keys = shared.s3.object_keys().unwrap();
    let segments = keys.iter().filter(|key| key.contains(".jsonl")).count();
    assert!(segments >= 6, "{keys:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_three_that_go_on_with_a_run_one_does() {
    let (stage, shared) = (Stage::set().await, Shared::set().await);
    stage.add(&here(), "orders", 20, &FunctionSpec::default());
    let before = stage.everything();
    // Three runs at once are three journals.
    let arguments = attach(&stage, &["--rate", "100"]);
    let runs = tokio::join!(
        finished(shared.here(&stage, &arguments)),
        finished(shared.elsewhere(&stage, &arguments)),
        finished(shared.here(&stage, &arguments)),
    );
    let mut runs: Vec<Finished> = vec![runs.0, runs.1, runs.2];
    runs.retain(|run| run.stderr.contains("Run "));
    for run in &runs {
        assert_eq!(run.code, Some(0), "{}", run.snapshot());
    }
    let all = finished(shared.here(&stage, &["runs", "--output", "json"])).await;
    assert_eq!(
        all.json()["runs"].as_array().map(Vec::len),
        Some(runs.len())
    );
    // The same run, undone by three at once: one works, and the others are told who does.
    stage.plane.set_update_time(Duration::from_millis(200));
    let mut ids: Vec<String> = runs.iter().map(Finished::run).collect();
    ids.sort();
    for id in ids.iter().rev() {
        let undo = ["undo", id.as_str(), "--yes", "--rate", "100"];
        let undone = tokio::join!(
            finished(shared.here(&stage, &undo)),
            finished(shared.elsewhere(&stage, &undo)),
            finished(shared.elsewhere(&stage, &undo)),
        );
        for one in [&undone.0, &undone.1, &undone.2] {
            let is_told = ["is in progress", "several processes are resuming"]
                .iter()
                .any(|reported| one.stderr.contains(reported));
            let is_refused = one.code == Some(1) && is_told;
            assert!(one.code == Some(0) || is_refused, "{}", one.snapshot());
        }
    }
    assert_eq!(stage.everything(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_held_until_it_expires_and_who_lost_it_changes_nothing_more() {
    let (stage, shared) = (Stage::set().await, Shared::set().await);
    stage.add(&here(), "orders", 10, &FunctionSpec::default());
    let before = stage.everything();
    // Slow: what the others do is done between two of its writes.
    let child = shared
        .here(&stage, &attach(&stage, &["--rate", "0.5"]))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    written(&stage, 1).await;
    let runs = finished(shared.elsewhere(&stage, &["runs", "--output", "json"])).await;
    let run = runs.json()["runs"][0]["run"].as_str().unwrap().to_owned();
    let undo = ["undo", &run, "--yes", "--rate", "100"];
    for arguments in [&undo[..], &["resume", &run]] {
        let held = finished(shared.elsewhere(&stage, arguments)).await;
        assert_eq!(held.code, Some(1), "{}", held.snapshot());
        for part in ["is in progress: alice@", "holds its lock until"] {
            assert!(held.stderr.contains(part), "{}", held.snapshot());
        }
    }
    // To look needs no lock.
    let looked = finished(shared.elsewhere(&stage, &["undo", &run, "--dry-run"])).await;
    assert_eq!(looked.code, Some(0), "{}", looked.snapshot());

    // Its owner sleeps, and does not renew it: another one may undo the run, and the owner must not go
    // on when it wakes.
    written(&stage, stage.plane.writes().len() + 1).await;
    shared.expire(&run).await;
    let undone = finished(shared.elsewhere(&stage, &undo)).await;
    assert_eq!(undone.code, Some(0), "{}", undone.snapshot());
    let lost: Finished = child.wait_with_output().await.unwrap().into();
    assert_eq!(lost.code, Some(1), "{}", lost.snapshot());
    let reported = "another process has taken over run";
    assert!(lost.stderr.contains(reported), "{}", lost.snapshot());
    assert_eq!(stage.everything(), before);
    assert!(shared.journal(&run).contains(r#""entry":"taken""#));
}

/// Waits until so many functions were written.
async fn written(stage: &Stage, functions: usize) {
    while stage.plane.writes().len() < functions {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bucket_may_be_elsewhere_and_encrypt_with_a_key_of_its_own() {
    let (stage, shared) = (Stage::set().await, Shared::set().await);
    stage.add(&here(), "orders", 2, &FunctionSpec::default());
    shared.s3.set_region("ap-southeast-2");
    let key = ["--state-kms-key-id", "alias/state"];
    let attached = finished(shared.here(&stage, &attach(&stage, &key))).await;
    assert_eq!(attached.code, Some(0), "{}", attached.snapshot());
    let heads = shared.s3.heads();
    let puts = heads.iter().filter(|(method, _)| method.as_str() == "PUT");
    let mut count = 0;
    for (_, headers) in puts {
        assert_eq!(headers["x-amz-server-side-encryption"], "aws:kms");
        let key = &headers["x-amz-server-side-encryption-aws-kms-key-id"];
        assert_eq!(key, "alias/state");
        count += 1;
    }
    assert!(count > 4, "{count}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_no_lost_lock() {
    let (stage, shared) = (Stage::set().await, Shared::set().await);
    stage.add(&here(), "orders", 8, &FunctionSpec::default());
    let child = shared
        .here(&stage, &attach(&stage, &["--rate", "5"]))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    written(&stage, 2).await;
    // S3 does what is asked, and nobody hears of it.
    let fault = Some(Fault::ResetAfterBody);
    shared.s3.set_fault(fault).await.unwrap();
    while !shared.s3.puts().contains_key(&0) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    shared.s3.set_fault(None).await.unwrap();
    let attached: Finished = child.wait_with_output().await.unwrap().into();
    assert_eq!(attached.code, Some(0), "{}", attached.snapshot());
    assert!(shared.s3.puts().contains_key(&412));
    let journal = shared.journal(&attached.run());
    let count = |what: &str| journal.matches(&format!(r#""entry":"{what}""#)).count();
    assert_eq!((count("begin"), count("done")), (8, 8), "{journal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_to_write_the_state_nothing_is_changed() {
    let (stage, shared) = (Stage::set().await, Shared::set().await);
    stage.add(&here(), "orders", 3, &FunctionSpec::default());
    let before = stage.everything();
    let arguments = attach(&stage, &[]);

    shared.s3.set_read_only(true);
    let denied = finished(shared.here(&stage, &arguments)).await;
    assert_eq!(denied.code, Some(1), "{}", denied.snapshot());
    for part in [
        "AccessDenied",
        "s3:PutObject",
        "lock.json cannot be written",
    ] {
        assert!(denied.stderr.contains(part), "{}", denied.snapshot());
    }
    shared.s3.set_read_only(false);
    let key = backstop_fake_aws::ControlPlane::access_key("444455556666");
    let mut stranger = shared.here(&stage, &arguments);
    stranger.env("AWS_ACCESS_KEY_ID", key);
    let denied = finished(stranger).await;
    assert_eq!(denied.code, Some(1), "{}", denied.snapshot());
    assert!(
        denied
            .stderr
            .contains("s3://backstop-archive cannot be reached"),
        "{}",
        denied.snapshot()
    );
    for (state, part) in [
        ("s3://no-such-bucket/state", "NoSuchBucket"),
        ("https://bucket/state", "s3://BUCKET/PREFIX"),
        ("", "s3://BUCKET/PREFIX"),
    ] {
        let mut elsewhere = shared.here(&stage, &arguments);
        elsewhere.env("BACKSTOP_STATE", state);
        let refused = finished(elsewhere).await;
        assert_ne!(refused.code, Some(0), "{state}");
        assert!(refused.stderr.contains(part), "{}", refused.snapshot());
    }
    assert_eq!(stage.everything(), before);

    // It is taken away in the middle of a run: nothing more is changed, and the run goes on later.
    let child = shared
        .here(&stage, &attach(&stage, &["--rate", "2"]))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    written(&stage, 1).await;
    shared.s3.set_read_only(true);
    let stopped: Finished = child.wait_with_output().await.unwrap().into();
    assert_eq!(stopped.code, Some(1), "{}", stopped.snapshot());
    for part in [
        "so nothing more was changed",
        "AccessDenied",
        "`backstop resume",
    ] {
        assert!(stopped.stderr.contains(part), "{}", stopped.snapshot());
    }
    assert!(stage.plane.writes().len() < 3, "{:?}", stage.plane.writes());
    shared.s3.set_read_only(false);
    let resumed = finished(shared.here(&stage, &["resume", &stopped.run(), "--rate", "100"])).await;
    assert_eq!(resumed.code, Some(0), "{}", resumed.snapshot());
    let writes = stage.plane.writes();
    assert!(writes.values().all(|writes| *writes == 1), "{writes:?}");
    let undone = finished(shared.here(&stage, &["undo", "--last", "--yes"])).await;
    assert_eq!(undone.code, Some(0), "{}", undone.snapshot());
    assert_eq!(stage.everything(), before);

    // A write that conflicts with another one is made again.
    shared.s3.conflict(3);
    let attached = finished(shared.here(&stage, &arguments)).await;
    assert_eq!(attached.code, Some(0), "{}", attached.snapshot());
    let undone = finished(shared.here(&stage, &["undo", "--last", "--yes"])).await;
    assert_eq!(undone.code, Some(0), "{}", undone.snapshot());
    assert_eq!(stage.everything(), before);

    // A service that knows no conditions keeps nobody from overwriting.
    shared.s3.ignore_conditions();
    let unsafe_ = finished(shared.here(&stage, &arguments)).await;
    assert_eq!(unsafe_.code, Some(1), "{}", unsafe_.snapshot());
    assert!(
        unsafe_.stderr.contains("ignores If-None-Match"),
        "{}",
        unsafe_.snapshot()
    );
    assert_eq!(stage.everything(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_without_its_state_does_not_turn_green() {
    let (stage, shared) = (Stage::set().await, Shared::set().await);
    stage.add(&here(), "orders", 3, &FunctionSpec::default());
    std::fs::write(
        stage.directory.path().join("backstop.toml"),
        format!("state = \"{STATE}\"\n[select]\nall = true\n"),
    )
    .unwrap();
    let first = ["--set", "BACKSTOP_MAX_ADDED_MS=300"];
    let second = ["--set", "BACKSTOP_MAX_ADDED_MS=400"];
    let pipeline = |command: &mut Command| {
        command.env_remove("BACKSTOP_STATE").env("CI", "true");
    };
    // The state that the file names.
    let mut job = shared.here(&stage, &attach(&stage, &first));
    pipeline(&mut job);
    let attached = finished(job).await;
    assert_eq!(attached.code, Some(0), "{}", attached.snapshot());
    assert!(
        !attached.stderr.contains("Warning"),
        "{}",
        attached.snapshot()
    );

    // A job on a fresh machine that was not told of it would keep the old value.
    let mut job = shared.elsewhere(&stage, &attach(&stage, &second));
    pipeline(&mut job);
    job.env("BACKSTOP_STATE", "local");
    let blind = finished(job).await;
    assert_eq!(blind.code, Some(3), "{}", blind.snapshot());
    for part in [
        "3 functions got the layer from runs",
        "BACKSTOP_MAX_ADDED_MS",
    ] {
        assert!(blind.stderr.contains(part), "{}", blind.snapshot());
    }
    // The same with the state does its work.
    let mut job = shared.elsewhere(&stage, &attach(&stage, &second));
    pipeline(&mut job);
    let attached = finished(job).await;
    assert_eq!(attached.code, Some(0), "{}", attached.snapshot());
    let configuration = stage.plane.configuration(&here(), "orders-001").unwrap();
    let variables = &configuration["Environment"]["Variables"];
    assert_eq!(variables["BACKSTOP_MAX_ADDED_MS"], "400");
}
