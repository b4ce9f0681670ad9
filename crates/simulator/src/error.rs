//! What can go wrong in the simulator itself, as one type.
//!
//! Invariant: an error that concerns the extension carries its last lines on stderr, because
//! without them nobody can tell why it left. A fault that was asked for is never an error here.

use std::io;
use std::path::PathBuf;

/// An error of the simulator, as opposed to a fault that it plays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// A server could not be started, or a port not be opened again.
    #[error("{what} could not be started: {source}")]
    Start {
        what: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// The extension's executable can't be run.
    #[error("the extension {} cannot be run: {source}", path.display())]
    Executable {
        /// As it was given.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The extension did not get to its first `/next`.
    #[error("the extension did not finish its init: {reason}\n{stderr}")]
    Init {
        /// What was waited for.
        reason: String,
        /// The extension's last lines.
        stderr: String,
    },
    /// The extension's process ended when it should not have.
    #[error("the extension's process has ended ({status})\n{stderr}")]
    Exited {
        /// The exit status as text.
        status: String,
        /// The extension's last lines.
        stderr: String,
    },
    /// The environment can't take this call any more.
    #[error("the execution environment takes no more of this: {0}")]
    Over(&'static str),
    /// The kernel does not show what was asked of a process.
    #[error("a process cannot be observed: {0}")]
    Process(String),
    /// The extension has no telemetry listener that could be posted to.
    #[error("the extension's telemetry listener cannot be reached: {0}")]
    Listener(String),
    /// The certificates of a server could not be made.
    #[error("no certificate could be made: {0}")]
    Certificate(String),
    /// An object in the bucket is not what an archive object should be.
    #[error("the object {key} cannot be read: {reason}")]
    Object {
        /// The key in the bucket.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Turns an I/O error into [`SimulationError::Start`].
pub(crate) fn start(what: &'static str) -> impl FnOnce(io::Error) -> SimulationError {
    move |source| SimulationError::Start { what, source }
}
