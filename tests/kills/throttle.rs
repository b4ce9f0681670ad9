//! A fourteenth of a core, which is what a function of 128 MB has: 1.43 ms in every 20.
//!
//! A quota of the scheduler's where a cgroup can be made (version 1, as root); elsewhere a helper that
//! stops and continues the process, which is harsher: its time passes also while it waits. That one
//! would thaw a frozen process, so environments under it are never frozen.

use std::ops::Range;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use backstop_simulator::traffic::Traffic;
use backstop_simulator::{Environment, Fault};
use backstop_tests::{Outcome, World, invocation};

use crate::HANDLER;

const ON_MICROS: u32 = 1430;
const PERIOD_MICROS: u32 = 20_000;
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
            ("cpu.cfs_period_us", PERIOD_MICROS),
            ("cpu.cfs_quota_us", ON_MICROS),
        ];
        for (file, microseconds) in settings {
            let set = std::fs::write(group.join(file), microseconds.to_string());
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
        // A shell is too slow for periods of 20 ms: five of them together.
        let (on, off) = (5 * ON_MICROS, 5 * (PERIOD_MICROS - ON_MICROS));
        let turns = format!(
            "while kill -CONT {pid}; do sleep 0.{on:06}; kill -STOP {pid} || exit; sleep 0.{off:06}; done"
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

/// Nine invocations, of which the primary has the fault in those that are named.
async fn life(strategy: &str, fault: Fault, faulty: Range<u32>, handler: Duration) -> Outcome {
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
        if index == faulty.start {
            world.intake.set_fault(Some(fault)).await.unwrap();
        } else if index == faulty.end {
            world.intake.set_fault(None).await.unwrap();
        }
        let report = environment
            .invoke(invocation(&mut traffic, LINES, handler))
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
            let outcome = life(strategy, fault, 3..6, HANDLER).await;
            outcome.assert_nothing_lost();
        }
    }
}

/// It answers later than the handler ends, and each next invocation thaws the request: a healthy primary
/// is neither given up for that nor asked twice.
///
/// To the record, and in paused time, `freezes` of the delivery crate holds this. Here the clock is real, and a
/// machine that stalls for longer than a request may take diverts one batch, as it should. A primary that
/// is misjudged has most of its records repeated or diverted.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_of_300_ms_is_not_taken_for_an_outage_beside_handlers_of_50_ms() {
    let slow = Fault::Slow(Duration::from_millis(300));
    for strategy in ["auto", "end"] {
        let outcome = life(strategy, slow, 0..9, Duration::from_millis(50)).await;
        outcome.assert_nothing_lost();
        let diverted = outcome.archived.len();
        let twice = (outcome.primary.values())
            .filter(|count| **count > 1)
            .count();
        assert!(
            10 * (diverted + twice) < outcome.primary.len(),
            "{strategy}: {diverted} diverted and {twice} sent again of {}",
            outcome.primary.len()
        );
    }
}
