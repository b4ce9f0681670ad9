//! The files in `/tmp`, which are the function's as well: emptied between two invocations, full when the
//! environment is reset, and what writing them costs beside a healthy primary.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backstop_simulator::traffic::Traffic;
use backstop_simulator::{Environment, Fault, ShutdownReason};
use backstop_tests::{Outcome, World, extension, invocation};

use crate::HANDLER;

const LINES: usize = 20;

/// An environment with a primary that is down, and no fallback.
async fn start(world: &World, sandbox: &Path, spool_bytes: usize) -> Environment {
    world
        .bare_environment()
        .env("BACKSTOP_PRIMARY_URL", world.intake.url())
        .env("BACKSTOP_FLUSH_STRATEGY", "end")
        .env("BACKSTOP_SPOOL_MAX_BYTES", spool_bytes.to_string())
        .temp_dir(sandbox)
        .start()
        .await
        .unwrap()
}

/// The next run, with the primary back.
async fn next_run(world: &World, sandbox: &Path, spool_bytes: usize, traffic: &Traffic) -> Outcome {
    world.intake.set_fault(None).await.unwrap();
    let environment = start(world, sandbox, spool_bytes).await;
    environment
        .invoke(invocation(&mut Traffic::new(300), 0, HANDLER))
        .await
        .unwrap();
    let outcome = world
        .settle(&environment, traffic.position())
        .await
        .unwrap();
    outcome.assert_adds_up();
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_empties_tmp_loses_no_record_that_waits() {
    for is_killed in [false, true] {
        let world = World::start().await.unwrap();
        let sandbox = tempfile::tempdir().unwrap();
        world
            .intake
            .set_fault(Some(Fault::Status(503)))
            .await
            .unwrap();
        let mut traffic = Traffic::new(300);
        let environment = start(&world, sandbox.path(), 64 << 20).await;
        for index in 0..4 {
            environment
                .invoke(invocation(&mut traffic, LINES, HANDLER))
                .await
                .unwrap();
            // After the last one the extension has no reason to look again before a kill.
            if index < 3 || !is_killed {
                fs::remove_dir_all(sandbox.path().join("backstop")).unwrap();
            }
        }
        if is_killed {
            environment.kill().await;
        } else {
            let report = environment.shutdown(ShutdownReason::Timeout).await.unwrap();
            assert_eq!(report.exit_code, Some(0));
        }
        drop(environment);
        let outcome = next_run(&world, sandbox.path(), 64 << 20, &traffic).await;
        assert_eq!(outcome.missing().len(), 0, "{}", outcome.stderr());
        assert_eq!(outcome.dropped("killed"), 0, "{}", outcome.stderr());
    }
}

/// As large as what waits: there is no room for a second copy.
#[tokio::test(flavor = "multi_thread")]
async fn a_reset_with_a_full_spool_loses_nothing_that_is_in_it() {
    let world = World::start().await.unwrap();
    let sandbox = tempfile::tempdir().unwrap();
    world
        .intake
        .set_fault(Some(Fault::Status(503)))
        .await
        .unwrap();
    let mut traffic = Traffic::new(300);
    let spool_bytes = 900 * 600;
    let environment = start(&world, sandbox.path(), spool_bytes).await;
    for _ in 0..3 {
        environment
            .invoke(invocation(&mut traffic, 300, HANDLER))
            .await
            .unwrap();
    }
    let spool = sandbox.path().join("backstop/spool");
    let length = usize::try_from(fs::metadata(&spool).unwrap().len()).unwrap();
    assert!(length > spool_bytes / 2, "{length} of {spool_bytes}");
    environment.shutdown(ShutdownReason::Timeout).await.unwrap();
    drop(environment);
    let outcome = next_run(&world, sandbox.path(), spool_bytes, &traffic).await;
    assert_eq!(outcome.missing().len(), 0, "{}", outcome.stderr());
}

/// A script that becomes the extension under `strace`, which writes what happens to open files.
fn traced(directory: &Path) -> (PathBuf, PathBuf) {
    let (path, trace) = (
        directory.join("backstop-extension"),
        directory.join("trace"),
    );
    let script = format!(
        "#!/bin/sh\nexec strace -f -y -s 0 -e trace=write,pwrite64,ftruncate -o '{}' '{}'\n",
        trace.display(),
        extension().display()
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    (path, trace)
}

/// In system calls, which are the same on a busy machine.
#[tokio::test(flavor = "multi_thread")]
async fn beside_a_healthy_primary_the_spool_is_never_cut_and_the_counts_are_rarely_written() {
    const INVOCATIONS: usize = 12;
    let world = World::start().await.unwrap();
    let sandbox = tempfile::tempdir().unwrap();
    let (script, trace) = traced(sandbox.path());
    let environment = world
        .environment()
        .extension(script)
        .env("BACKSTOP_FLUSH_STRATEGY", "periodic")
        .env("BACKSTOP_FLUSH_INTERVAL_MS", "100")
        .temp_dir(sandbox.path())
        .freeze(false)
        .start()
        .await
        .unwrap();
    let mut traffic = Traffic::new(300);
    for _ in 0..INVOCATIONS {
        let lines = invocation(&mut traffic, 500, Duration::from_millis(250));
        environment.invoke(lines).await.unwrap();
    }
    let outcome = world
        .settle(&environment, traffic.position())
        .await
        .unwrap();
    outcome.assert_nothing_lost();
    let text = fs::read_to_string(trace).unwrap();
    let count = |call: &str, file: &str| {
        let file = format!("backstop/{file}>");
        let lines = text.lines();
        lines
            .filter(|line| line.contains(call) && line.contains(&file))
            .count()
    };
    let records = count("write", "spool");
    let (cuts, counts) = (count("ftruncate", "spool"), count("write", "ledger"));
    println!("{records} writes to the spool, {cuts} cuts, {counts} writes of counts");
    assert!(
        records >= INVOCATIONS,
        "{records}: nothing was copied\n{text}"
    );
    // One where the file is made.
    assert!(cuts <= 1, "{cuts}\n{text}");
    // Some while `/next` is not called, and one when a flush ends.
    assert!(counts <= 5 * INVOCATIONS, "{counts}\n{text}");
    assert!(counts < records, "{counts} of {records}\n{text}");
}
