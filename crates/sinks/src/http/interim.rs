//! Interim answers (1xx): a request that gets more than a few of them is given up.
//!
//! hyper reads past them without an end and without a pause: a server that sends nothing else would
//! have the whole thread, timers included. Invariant: a request hears at most [`MOST`] of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use http::Request;
use tokio::sync::Notify;

/// A server that means well sends one, rarely two.
const MOST: u32 = 16;

/// Counts the interim answers to one request.
#[derive(Debug, Default)]
pub(super) struct Interim {
    heard: AtomicU32,
    too_many: Notify,
}

impl Interim {
    /// Counts for `request` from now on.
    pub(super) fn watch<B>(request: &mut Request<B>) -> Arc<Self> {
        let interim = Arc::new(Self::default());
        let counting = interim.clone();
        hyper::ext::on_informational(request, move |_| counting.hear());
        interim
    }

    fn hear(&self) {
        if self.heard.fetch_add(1, Ordering::Relaxed) == MOST {
            self.too_many.notify_one();
        }
    }

    /// Waits until there were more than a few.
    pub(super) async fn too_many(&self) {
        self.too_many.notified().await;
    }
}
