//! Bodies that are acknowledged and not yet decoded.
//!
//! The listener acknowledges once a body is here: after taking the bytes, never after parsing or
//! network work. While the buffer is well filled and a sink is taking records, it takes its time
//! over that acknowledgement: Lambda posts one body at a time, so this is back-pressure, and a burst
//! becomes slower instead of larger.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::timeout;

/// The longest an acknowledgement is held back. Lambda's own buffer has to hold the rest meanwhile.
const MOST_PATIENCE: Duration = Duration::from_secs(1);

/// The inbox. Bounded, like the buffer it feeds, by the bytes both hold together.
#[derive(Debug)]
pub(crate) struct Inbox {
    bodies: Mutex<VecDeque<Bytes>>,
    waiting: AtomicUsize,
    /// What the buffer holds, as it last told.
    buffered: AtomicUsize,
    /// Whether holding back can help: a sink takes records.
    draining: AtomicBool,
    comfortable: usize,
    oversized: AtomicUsize,
    arrived: Notify,
    room: Notify,
}

impl Inbox {
    /// An inbox that holds back once `comfortable` bytes wait.
    pub(crate) fn new(comfortable: usize) -> Self {
        Self {
            bodies: Mutex::default(),
            waiting: AtomicUsize::new(0),
            buffered: AtomicUsize::new(0),
            draining: AtomicBool::new(true),
            comfortable,
            oversized: AtomicUsize::new(0),
            arrived: Notify::new(),
            room: Notify::new(),
        }
    }

    /// Takes a body in; returns when it may be acknowledged.
    pub(crate) async fn push(&self, body: Bytes) {
        self.waiting.fetch_add(body.len(), Ordering::Relaxed);
        self.bodies().push_back(body);
        self.arrived.notify_one();
        let comfortable = async {
            while self.draining.load(Ordering::Relaxed) && self.held() > self.comfortable {
                self.room.notified().await;
            }
        };
        // Out of patience, the body still is ours: the buffer decides what to drop.
        drop(timeout(MOST_PATIENCE, comfortable).await);
    }

    /// Waits for a body, or for one refused for its size.
    pub(crate) async fn arrival(&self) {
        self.arrived.notified().await;
    }

    /// Takes the oldest body out.
    pub(crate) fn pop(&self) -> Option<Bytes> {
        let body = self.bodies().pop_front()?;
        self.waiting.fetch_sub(body.len(), Ordering::Relaxed);
        Some(body)
    }

    /// The buffer tells what it holds and whether a sink takes records.
    pub(crate) fn observe(&self, buffered: usize, draining: bool) {
        self.buffered.store(buffered, Ordering::Relaxed);
        self.draining.store(draining, Ordering::Relaxed);
        self.room.notify_waiters();
    }

    /// A body was refused for its size.
    pub(crate) fn refuse_oversized(&self) {
        self.oversized.fetch_add(1, Ordering::Relaxed);
        self.arrived.notify_one();
    }

    /// Bodies refused since the last call.
    pub(crate) fn take_oversized(&self) -> usize {
        self.oversized.swap(0, Ordering::Relaxed)
    }

    fn held(&self) -> usize {
        self.waiting.load(Ordering::Relaxed) + self.buffered.load(Ordering::Relaxed)
    }

    fn bodies(&self) -> std::sync::MutexGuard<'_, VecDeque<Bytes>> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_full_buffer_holds_back_the_acknowledgement_until_there_is_room() {
        let inbox = Arc::new(Inbox::new(100));
        inbox.observe(90, true);
        let mut push = std::pin::pin!(inbox.push(Bytes::from_static(&[0; 20])));
        assert!(
            push.as_mut().now_or_never().is_none(),
            "acknowledged at once"
        );
        assert_eq!(
            inbox.pop().map(|body| body.len()),
            Some(20),
            "the bytes are ours all the same"
        );
        inbox.observe(90, true);
        assert!(push.now_or_never().is_some(), "there is room now");
    }

    #[tokio::test(start_paused = true)]
    async fn with_every_sink_dead_or_patience_at_an_end_it_acknowledges() {
        let inbox = Inbox::new(100);
        inbox.observe(500, false);
        assert!(
            inbox
                .push(Bytes::from_static(&[0; 20]))
                .now_or_never()
                .is_some()
        );
        inbox.observe(500, true);
        // The paused clock runs ahead as soon as nothing else can.
        inbox.push(Bytes::from_static(&[0; 20])).await;
    }
}
