//! A fourteenth of a core, which is what a function of 128 MB has: 1.43 ms in every 20.
//!
//! A quota of the scheduler's where a cgroup can be made (version 1, as root); elsewhere a helper that
//! stops and continues the process, which is harsher: its time passes also while it waits. That one
//! would thaw a frozen process, so environments under it are never frozen.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const ON_MICROS: u32 = 1430;
const PERIOD_MICROS: u32 = 20_000;

/// A limit that ends with this value, or with the process.
#[derive(Debug)]
pub enum Throttle {
    /// By the scheduler.
    Quota(PathBuf),
    /// By signals; none yet where no process is limited.
    Helper(Option<Child>),
}

impl Throttle {
    /// A limit for one process; `name` tells it from others of this one.
    pub fn new(name: &str) -> Self {
        Self::quota(name).map_or(Self::Helper(None), Self::Quota)
    }

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

    /// Whether the process may be frozen under it.
    pub fn may_freeze(&self) -> bool {
        matches!(self, Self::Quota(_))
    }

    /// Limits the process from now on.
    ///
    /// # Errors
    ///
    /// The process has ended, or the helper cannot be started.
    pub fn limit(&mut self, pid: u32) -> std::io::Result<()> {
        match self {
            Self::Quota(group) => std::fs::write(group.join("cgroup.procs"), pid.to_string()),
            Self::Helper(helper) => {
                // A shell is too slow for periods of 20 ms: five of them together.
                let (on, off) = (5 * ON_MICROS, 5 * (PERIOD_MICROS - ON_MICROS));
                let turns = format!(
                    "while kill -CONT {pid}; do sleep 0.{on:06}; kill -STOP {pid} || exit; sleep 0.{off:06}; done"
                );
                let shell = Command::new("sh")
                    .args(["-c", &turns])
                    .stderr(Stdio::null())
                    .spawn()?;
                *helper = Some(shell);
                Ok(())
            }
        }
    }

    /// Whether the process had to wait for its share, by the scheduler's count.
    pub fn has_bitten(&self) -> bool {
        match self {
            Self::Quota(group) => {
                let counts = std::fs::read_to_string(group.join("cpu.stat"));
                counts.is_ok_and(|counts| !counts.contains("nr_throttled 0\n"))
            }
            Self::Helper(helper) => helper.is_some(),
        }
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        match self {
            // Empty, since the process in it has ended.
            Self::Quota(group) => drop(std::fs::remove_dir(group)),
            Self::Helper(helper) => {
                if let Some(mut helper) = helper.take() {
                    helper.kill().ok();
                    helper.wait().ok();
                }
            }
        }
    }
}
