//! How far the extension has come, as seen from its calls.
//!
//! One value behind a watch channel: the local API writes it, everyone else waits for it. Invariant:
//! `at_next` is set exactly while the extension waits in `/next`. Must not be polled.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// What the extension said when it registered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registration {
    /// Its name, from the header `Lambda-Extension-Name`.
    pub name: String,
    /// The lifecycle events it asked for.
    pub events: Vec<String>,
    /// All headers of its request that have a text value, by their lower-case names.
    pub headers: Vec<(String, String)>,
    /// The identifier it was given.
    pub identifier: String,
}

/// How long the extension took to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartTimings {
    /// From the start of the process to its register call.
    pub register: Duration,
    /// From the start of the process to its first `/next`.
    pub first_next: Duration,
}

/// The state of the conversation with the extension.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    pub(super) registration: Option<Registration>,
    pub(super) registered_at: Option<Instant>,
    pub(super) first_next_at: Option<Instant>,
    pub(super) at_next: Option<Instant>,
    pub(super) delivered_request: Option<String>,
    pub(super) shutdown_at: Option<Instant>,
    pub(super) reported_error: Option<String>,
    pub(super) init_done: bool,
}

impl Progress {
    /// When the extension came back from this invocation, if it has.
    pub(super) fn back_from(&self, request_id: &str) -> Option<Instant> {
        self.at_next
            .filter(|_| self.delivered_request.as_deref() == Some(request_id))
    }
}

/// Progress that can be changed and waited for.
#[derive(Debug, Default)]
pub(super) struct Tracker(watch::Sender<Progress>);

impl Tracker {
    pub(super) fn read<T>(&self, look: impl FnOnce(&Progress) -> T) -> T {
        look(&self.0.borrow())
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Progress)) {
        self.0.send_modify(change);
    }

    /// Waits until the function finds what it looks for.
    pub(super) async fn find<T>(&self, mut look: impl FnMut(&Progress) -> Option<T>) -> T {
        let mut changes = self.0.subscribe();
        loop {
            if let Some(found) = look(&changes.borrow_and_update()) {
                return found;
            }
            if changes.changed().await.is_err() {
                // The sender is borrowed for as long as this future lives.
                std::future::pending::<()>().await;
            }
        }
    }
}
