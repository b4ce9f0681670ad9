//! The extension's process: started with a clean environment, watched, frozen, killed.
//!
//! Invariants: it never outlives the value that holds it, not even when it is stopped; a signal is
//! never sent to a process that was already waited for. Must not interpret what the process says.

use std::fmt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::error::SimulationError;
use crate::sync::lock;

const LAST_LINES: usize = 40;
/// For a process to be seen stopped by the kernel after SIGSTOP.
const STOP_LIMIT: Duration = Duration::from_secs(1);
/// For the last lines to be read after the process has ended.
const PUMP_LIMIT: Duration = Duration::from_secs(1);

/// What a line of output is handed to, besides being kept.
pub(super) type OnLine = Arc<dyn Fn(&str) + Send + Sync>;

/// A running extension.
pub(super) struct ExtensionProcess {
    pid: u32,
    exit: watch::Receiver<Option<ExitStatus>>,
    kill: mpsc::Sender<()>,
    is_frozen: AtomicBool,
    stderr: Arc<Mutex<Vec<String>>>,
    stdout: Arc<Mutex<Vec<String>>>,
    pumps: Mutex<Vec<JoinHandle<()>>>,
    watcher: JoinHandle<()>,
}

impl fmt::Debug for ExtensionProcess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ExtensionProcess")
            .field("pid", &self.pid)
            .finish_non_exhaustive()
    }
}

impl ExtensionProcess {
    pub(super) fn start(
        executable: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
        on_line: &OnLine,
    ) -> Result<Self, SimulationError> {
        let cannot_run = |source| SimulationError::Executable {
            path: executable.to_owned(),
            source,
        };
        let mut child = Command::new(executable)
            .env_clear()
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(cannot_run)?;
        let pid = child
            .id()
            .ok_or_else(|| cannot_run(std::io::ErrorKind::NotFound.into()))?;
        let (stderr, stdout) = (Arc::default(), Arc::default());
        let pumps: Mutex<Vec<JoinHandle<()>>> = Mutex::default();
        if let Some(pipe) = child.stderr.take() {
            lock(&pumps).push(pump(pipe, Arc::clone(&stderr), Arc::clone(on_line)));
        }
        if let Some(pipe) = child.stdout.take() {
            lock(&pumps).push(pump(pipe, Arc::clone(&stdout), Arc::clone(on_line)));
        }
        let (ended, exit) = watch::channel(None);
        let (kill, orders) = mpsc::channel(1);
        let watcher = tokio::spawn(watch_over(child, orders, ended));
        Ok(Self {
            pid,
            exit,
            kill,
            is_frozen: AtomicBool::new(false),
            stderr,
            stdout,
            pumps,
            watcher,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn stderr(&self) -> Vec<String> {
        lock(&self.stderr).clone()
    }

    pub(super) fn stdout(&self) -> Vec<String> {
        lock(&self.stdout).clone()
    }

    /// The last lines on stderr, for an error.
    pub(super) fn last_lines(&self) -> String {
        let lines = lock(&self.stderr);
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }

    pub(super) fn exit_status(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    /// Waits for the process to end.
    pub(super) async fn exited(&self) -> Option<ExitStatus> {
        let mut exit = self.exit.clone();
        exit.wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|status| *status)
    }

    /// SIGKILL, and waits until it has worked.
    pub(super) async fn kill(&self) -> Option<ExitStatus> {
        // The watcher is gone only when the process is.
        self.kill.send(()).await.ok();
        self.exited().await
    }

    /// SIGSTOP, and waits until the kernel shows the process as stopped.
    pub(super) async fn freeze(&self) {
        if self.is_frozen.swap(true, Ordering::SeqCst) || !self.signal(Signal::STOP) {
            return;
        }
        let stopped = async {
            while !matches!(self.state(), Some('T' | 'Z') | None) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(STOP_LIMIT, stopped).await.ok();
    }

    /// SIGCONT, if it was frozen.
    pub(super) fn thaw(&self) {
        if self.is_frozen.swap(false, Ordering::SeqCst) {
            self.signal(Signal::CONT);
        }
    }

    /// Whether the process was there to be sent the signal.
    fn signal(&self, signal: Signal) -> bool {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let pid = pid.filter(|_| self.exit_status().is_none());
        pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.is_frozen.load(Ordering::SeqCst)
    }

    /// The state letter of the process in `/proc`: `S` sleeping, `T` stopped, `Z` ended.
    pub(super) fn state(&self) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        stat.rsplit_once(')')?.1.trim_start().chars().next()
    }

    /// A size in bytes from `/proc/PID/status`, for example `VmRSS`.
    pub(super) fn memory(&self, field: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
        let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
        Some(kilobytes * 1024)
    }

    /// The CPU it has used so far, by the kernel's count.
    pub(super) fn cpu_time(&self) -> Option<Duration> {
        // USER_HZ, which is 100 on every Linux that Lambda or these tests run on.
        const TICK: Duration = Duration::from_millis(10);
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
        let (user, system): (u32, u32) =
            (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(TICK * (user + system))
    }

    /// Waits until all that the ended process has written was read.
    pub(super) async fn drained(&self) {
        let pumps = std::mem::take(&mut *lock(&self.pumps));
        for pump in pumps {
            // A grandchild may hold the pipe open: what is there is enough.
            tokio::time::timeout(PUMP_LIMIT, pump).await.ok();
        }
    }
}

impl Drop for ExtensionProcess {
    fn drop(&mut self) {
        // Drops the child, which kills it.
        self.watcher.abort();
    }
}

async fn watch_over(
    mut child: Child,
    mut orders: mpsc::Receiver<()>,
    ended: watch::Sender<Option<ExitStatus>>,
) {
    let status = tokio::select! {
        status = child.wait() => status,
        Some(()) = orders.recv() => {
            child.start_kill().ok();
            child.wait().await
        }
    };
    // A process that can't be waited for is as good as killed.
    ended.send_replace(Some(status.unwrap_or_default()));
}

fn pump(
    pipe: impl AsyncRead + Send + Unpin + 'static,
    lines: Arc<Mutex<Vec<String>>>,
    on_line: OnLine,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut reader = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while reader
            .read_until(b'\n', &mut bytes)
            .await
            .is_ok_and(|read| read > 0)
        {
            let line = String::from_utf8_lossy(&bytes);
            let line = line.trim_end_matches(['\r', '\n']);
            on_line(line);
            lock(&lines).push(line.to_owned());
            bytes.clear();
        }
    })
}
