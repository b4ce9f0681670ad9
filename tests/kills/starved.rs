//! No memory: the extension can't do its work, and its end is noticed.
//!
//! The limit is one of address space, set in a shell that becomes the extension: it holds for that one
//! process, whichever user runs it, and the simulator beside it is not touched.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backstop_simulator::traffic::Traffic;
use backstop_simulator::{Fault, SimulationError};
use backstop_tests::{World, extension, invocation};

use crate::HANDLER;

/// Beyond what the extension uses after init: some batches, but no buffer of this size.
const HEADROOM_KIB: u64 = 8 * 1024;
const BUFFER_BYTES: &str = "67108864";
const BURST: usize = 60_000;
const MOST_BURSTS: usize = 10;

/// An executable that becomes the extension, with so much address space and no more.
fn limited(directory: &Path, kib: u64) -> PathBuf {
    let path = directory.join("backstop-extension");
    let script = format!(
        "#!/bin/sh\nulimit -c 0\nulimit -v {kib}\nexec '{}'\n",
        extension().display()
    );
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn address_space_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmPeak:"))
        .unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

async fn set_faults(world: &World, fault: Option<Fault>) {
    world.intake.set_fault(fault).await.unwrap();
    world.firehose.set_fault(fault).await.unwrap();
    world.s3.set_fault(fault).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_without_memory_ends_and_the_next_one_in_its_sandbox_works() {
    let world = World::start().await.unwrap();
    let mut traffic = Traffic::new(1000);

    let usual = world.environment().start().await.unwrap();
    usual
        .invoke(invocation(&mut traffic, 20, HANDLER))
        .await
        .unwrap();
    let kib = address_space_kib(usual.pid()) + HEADROOM_KIB;
    drop(usual);

    for fault in [Fault::Refuse, Fault::Hang] {
        let sandbox = tempfile::tempdir().unwrap();
        let starved = world
            .environment()
            .extension(limited(sandbox.path(), kib))
            .temp_dir(sandbox.path())
            .timeout(Duration::from_secs(20))
            .env("BACKSTOP_BUFFER_MAX_BYTES", BUFFER_BYTES)
            .start()
            .await
            .unwrap();
        starved
            .invoke(invocation(&mut traffic, 20, HANDLER))
            .await
            .unwrap();
        set_faults(&world, Some(fault)).await;
        let mut ended = None;
        // A burst may be waiting with the platform when its invocation is over.
        for _ in 0..MOST_BURSTS {
            let burst = invocation(&mut traffic, BURST, Duration::ZERO);
            ended = starved.invoke(burst).await.err();
            if ended.is_some() {
                break;
            }
        }
        assert!(
            matches!(ended, Some(SimulationError::Exited { .. })),
            "{fault}: {ended:?}"
        );
        set_faults(&world, None).await;

        // What the first one kept is not little: with its memory the next one might end the same way.
        let from = traffic.position();
        let next = world
            .environment()
            .temp_dir(sandbox.path())
            .start()
            .await
            .unwrap();
        next.invoke(invocation(&mut traffic, 20, HANDLER))
            .await
            .unwrap();
        let outcome = world.settle(&next, traffic.position()).await.unwrap();
        outcome.assert_adds_up();
        assert_eq!(outcome.report.exit_code, Some(0));
        assert!(
            outcome.missing().iter().all(|sequence| *sequence < from),
            "what came after is complete"
        );
    }
}
