//! A fourteenth of a core, which is what a function of 128 MB has: 7 ms in 100.
//!
//! A quota of the scheduler's where a cgroup can be made (version 1, as root); elsewhere a helper that
//! stops and continues the process, which is harsher: its time passes also while it waits. That one
//! would thaw a frozen process, so environments under it are never frozen.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use backstop_testkit::traffic::Traffic;
use backstop_testkit::{Environment, Fault};
use backstop_tests::{Outcome, World, invocation};

use crate::HANDLER;

const ON_MS: u32 = 7;
const PERIOD_MS: u32 = 100;
/// Enough for a period's share to be used up.
const LINES: usize = 1000;

/// A limit that ends with this value, or with the process.
enum Throttle {
    Quota(PathBuf),
    Helper(Child),
}

impl Throttle {
    /// A cgroup with the quota, where one can be made.
    fn quota(name: &str) -> Option<PathBuf> {
        let group = PathBuf::from(format!(
            "/sys/fs/cgroup/cpu/backstop-tests-{name}-{}",
            std::process::id()
        ));
        std::fs::create_dir(&group).ok()?;
        let settings = [
            ("cpu.cfs_period_us", PERIOD_MS),
            ("cpu.cfs_quota_us", ON_MS),
        ];
        for (file, milliseconds) in settings {
            let set = std::fs::write(group.join(file), (milliseconds * 1000).to_string());
            if set.is_err() {
                std::fs::remove_dir(&group).ok();
                return None;
            }
        }
        Some(group)
    }

    fn of(pid: u32, quota: Option<PathBuf>) -> Self {
        if let Some(group) = quota {
            std::fs::write(group.join("cgroup.procs"), pid.to_string()).unwrap();
            return Self::Quota(group);
        }
        let (on, off) = (ON_MS, PERIOD_MS - ON_MS);
        let turns = format!(
            "while kill -CONT {pid}; do sleep 0.{on:03}; kill -STOP {pid} || exit; sleep 0.{off:03}; done"
        );
        let helper = Command::new("sh")
            .args(["-c", &turns])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self::Helper(helper)
    }

    /// Whether the process had to wait for its share, by the scheduler's count.
    fn has_bitten(&self) -> bool {
        match self {
            Self::Quota(group) => {
                let counts = std::fs::read_to_string(group.join("cpu.stat")).unwrap();
                !counts.contains("nr_throttled 0\n")
            }
            Self::Helper(_) => true,
        }
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        match self {
            // Empty, since the process in it has ended.
            Self::Quota(group) => drop(std::fs::remove_dir(group)),
            Self::Helper(helper) => {
                helper.kill().ok();
                helper.wait().ok();
            }
        }
    }
}

async fn outage(strategy: &str, fault: Fault) -> Outcome {
    let world = World::start().await.unwrap();
    let quota = Throttle::quota(&format!("{strategy}-{fault}"));
    let environment: Environment = world
        .environment()
        .freeze(quota.is_some())
        .env("BACKSTOP_FLUSH_STRATEGY", strategy)
        .start()
        .await
        .unwrap();
    let throttle = Throttle::of(environment.pid(), quota);
    let mut traffic = Traffic::new(300);
    for index in 0..9 {
        match index {
            3 => world.intake.set_fault(Some(fault)).await.unwrap(),
            6 => world.intake.set_fault(None).await.unwrap(),
            _ => {}
        }
        let report = environment
            .invoke(invocation(&mut traffic, LINES, HANDLER))
            .await
            .unwrap();
        assert!(!report.overran, "{strategy}, {fault}");
    }
    let outcome = world
        .settle(&environment, traffic.position())
        .await
        .unwrap();
    assert!(
        throttle.has_bitten(),
        "{strategy}, {fault}: it never waited for its share"
    );
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_fourteenth_of_a_core_an_outage_loses_nothing() {
    for strategy in ["auto", "end"] {
        for fault in [Fault::Status(503), Fault::Hang, Fault::Refuse] {
            outage(strategy, fault).await.assert_nothing_lost();
        }
    }
}
