//! The listener's connections: few, and the least active one makes room for a new one.
//!
//! Lambda needs one. Other processes of the sandbox may open some as well, and must neither make us
//! hold them all, nor keep Lambda out by holding all there are. The function's SDKs may need many, of which each
//! is one export. Invariant: a connection whose body was taken and is not yet acknowledged is never closed, as
//! the sender would send that body again; nor is one of the function's while a request is under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::task::AbortHandle;

/// Lambda's, with a body of the largest size on each 32 MiB.
pub(super) const MOST_CONNECTIONS: usize = 8;
/// The function's. Few of them read a body at a time.
pub(super) const MOST_OF_FUNCTION: usize = 64;

/// The connections that are open.
#[derive(Debug)]
pub(super) struct Connections {
    most: usize,
    open: Vec<(AbortHandle, Activity)>,
    /// Counts what happens on any of them.
    ticks: Arc<AtomicU64>,
}

impl Connections {
    /// No connections yet, and at most `most`.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            open: Vec::new(),
            ticks: Arc::default(),
        }
    }

    /// Whether another connection would be admitted now.
    pub(super) fn have_room(&mut self) -> bool {
        self.open.retain(|(task, _)| !task.is_finished());
        let mut open = self.open.iter();
        self.open.len() < self.most || open.any(|(_, activity)| !activity.is_holding())
    }

    /// Admits a connection, which `serve` serves in a task of its own. Where every other one waits for
    /// its acknowledgement, there is no room, and `serve` is dropped with the connection in it.
    pub(super) fn admit(&mut self, serve: impl FnOnce(Activity) -> AbortHandle) {
        if !self.have_room() || (self.open.len() >= self.most && !self.make_room()) {
            return;
        }
        let activity = Activity(Arc::new(State {
            ticks: self.ticks.clone(),
            last: AtomicU64::new(0),
            holding: AtomicBool::new(false),
            is_new: AtomicBool::new(false),
        }));
        activity.touch();
        self.open.push((serve(activity.clone()), activity));
    }

    fn make_room(&mut self) -> bool {
        let idle = self.open.iter().enumerate();
        let idle = idle.filter(|(_, (_, activity))| !activity.is_holding());
        let Some((index, _)) = idle.min_by_key(|(_, (_, activity))| activity.last()) else {
            return false;
        };
        self.open.swap_remove(index).0.abort();
        true
    }
}

/// What happens on one connection.
#[derive(Debug, Clone)]
pub(super) struct Activity(Arc<State>);

#[derive(Debug)]
struct State {
    ticks: Arc<AtomicU64>,
    last: AtomicU64,
    holding: AtomicBool,
    is_new: AtomicBool,
}

impl Activity {
    pub(super) fn touch(&self) {
        let now = self.0.ticks.fetch_add(1, Ordering::Relaxed);
        self.0.last.store(now, Ordering::Relaxed);
    }

    /// Its first request is on its way: the connection stays until [`Activity::is_settled`].
    pub(super) fn is_awaited(&self) {
        self.0.is_new.store(true, Ordering::Relaxed);
    }

    /// Its first request is answered, or was long in coming.
    pub(super) fn is_settled(&self) {
        self.0.is_new.store(false, Ordering::Relaxed);
    }

    /// The connection stays until its request is answered, which is when the value is dropped.
    pub(super) fn hold(&self) -> HoldGuard {
        self.0.holding.store(true, Ordering::Relaxed);
        HoldGuard(self.clone())
    }

    fn is_holding(&self) -> bool {
        self.0.holding.load(Ordering::Relaxed) || self.0.is_new.load(Ordering::Relaxed)
    }

    fn last(&self) -> u64 {
        self.0.last.load(Ordering::Relaxed)
    }
}

/// For as long as it is there, its connection stays.
#[derive(Debug)]
pub(super) struct HoldGuard(Activity);

impl Drop for HoldGuard {
    fn drop(&mut self) {
        self.0.0.holding.store(false, Ordering::Relaxed);
    }
}
