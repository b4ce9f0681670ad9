//! Ctrl-C and SIGTERM in every command: they end a command that only reads, and let a change in
//! progress finish. Both count as one signal: where "Ctrl-C" is said here, either is meant.
//!
//! Invariants: the program says that it was interrupted, and exits with 130; what changes something
//! is never ended by the first Ctrl-C; also while the program waits for an answer, or reads a file that
//! does not end, Ctrl-C ends it.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};

use super::INTERRUPTED;
use crate::output::Output;

/// Commands that see to Ctrl-C themselves at this moment. Signals are the process's, and so is this.
static HANDLED: AtomicUsize = AtomicUsize::new(0);
/// How often that was so: whether something may have been changed.
static BEGUN: AtomicUsize = AtomicUsize::new(0);

/// Tells the command that sees to it. One listener decides for whom a signal is: with two, a command that
/// ends at once would leave the signal to the other.
static TOLD: Notify = Notify::const_new();

/// As long as it is there the command sees to Ctrl-C itself.
struct Handled(());

impl Handled {
    fn by_the_command() -> Self {
        HANDLED.fetch_add(1, Ordering::SeqCst);
        BEGUN.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Handled {
    fn drop(&mut self) {
        HANDLED.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Ends the program at Ctrl-C, unless the command sees to it.
#[expect(
    clippy::exit,
    reason = "the command may wait for stdin or a pipe, and would not hear of anything else"
)]
pub(super) async fn end_while_looking(output: Output) {
    let (Ok(mut ctrl_c), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        // Without handlers a signal ends the process, as it does by default.
        return;
    };
    loop {
        tokio::select! {
            _ = ctrl_c.recv() => {}
            _ = terminate.recv() => {}
        }
        if HANDLED.load(Ordering::SeqCst) > 0 {
            TOLD.notify_one();
            continue;
        }
        output.progress(if BEGUN.load(Ordering::SeqCst) == 0 {
            "Interrupted: nothing was changed"
        } else {
            "Interrupted: only the steps reported above were done"
        });
        std::process::exit(INTERRUPTED.into());
    }
}

/// As long as it is there no Ctrl-C ends the program: the next one that waits for it gets it.
pub(super) fn kept() -> impl Drop {
    Handled::by_the_command()
}

/// Resolves at Ctrl-C; the caller then drops its work.
pub(super) async fn interrupted() {
    let _handled = Handled::by_the_command();
    TOLD.notified().await;
}

/// Tells of the first Ctrl-C, and resolves at the second one.
pub(super) async fn interrupted_twice(interrupt: &watch::Sender<bool>, output: Output) {
    let _handled = Handled::by_the_command();
    TOLD.notified().await;
    output.progress("Interrupted: finishing the current calls; press Ctrl-C again to stop at once");
    interrupt.send_replace(true);
    TOLD.notified().await;
}

/// Tells of the next Ctrl-C what to do where the work in progress is not waited for, and resolves at the one
/// after it.
pub(super) async fn impatient(advice: &str) {
    let _handled = Handled::by_the_command();
    TOLD.notified().await;
    Output::message(advice);
    TOLD.notified().await;
}
