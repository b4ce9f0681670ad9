//! Whether anything of a request has left, which a sink alone can see and which still counts when the sink is not waited
//! for any longer.
//!
//! It goes beside the call, by the task: between the chain and the connection are the AWS SDK's clients, whose calls
//! cannot carry it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

tokio::task_local! {
    static CURRENT: Departure;
}

/// Of one request. A sink gets it while it sends.
#[derive(Debug, Clone, Default)]
pub struct Departure(Arc<AtomicBool>);

impl Departure {
    /// That of the request which is being sent here; one that nobody looks at where none is.
    pub fn current() -> Self {
        CURRENT.try_with(Clone::clone).unwrap_or_default()
    }

    /// From now on the sink may have something of the request.
    pub fn leave(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn has_left(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Runs `sending`, where this is the current one.
    pub fn around<F: Future>(&self, sending: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self.clone(), sending)
    }
}
