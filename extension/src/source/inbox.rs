//! Bodies that are acknowledged and not yet decoded.
//!
//! The listener acknowledges once a body is here: after taking the bytes, never after parsing or
//! network work. While the buffer is well filled and a sink is taking records, it takes its time
//! over that acknowledgement: Lambda posts one body at a time, so this is back-pressure, and a burst
//! becomes slower instead of larger.
//!
//! Invariants: what is acknowledged is here, or was; what waits here is bounded; once it is closed,
//! nothing is acknowledged any more.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::timeout;

/// The longest an acknowledgement is held back. Lambda's own buffer has to hold the rest meanwhile.
const MOST_PATIENCE: Duration = Duration::from_secs(1);
/// What waits to be decoded is never more, unless it is one body. Lambda has one on its way at a time.
const MOST_WAITING_BYTES: usize = 16 * 1024 * 1024;
/// The same while the environment ends: what was taken has to be decoded before the books are closed.
const MOST_AT_THE_END_BYTES: usize = 2 * 1024 * 1024;

/// The inbox. Bounded, like the buffer it feeds, by the bytes both hold together.
#[derive(Debug)]
pub(crate) struct Inbox {
    bodies: Mutex<Bodies>,
    waiting: AtomicUsize,
    most_waiting: AtomicUsize,
    /// What the buffer holds, as it last reported.
    buffered: AtomicUsize,
    /// Whether holding back can help: a sink takes records.
    draining: AtomicBool,
    comfortable: usize,
    oversized: AtomicUsize,
    crowded: AtomicUsize,
    arrived: Notify,
    room: Notify,
}

#[derive(Debug, Default)]
struct Bodies {
    queue: VecDeque<Bytes>,
    is_closed: bool,
}

/// Bodies that were not taken, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Too large.
    pub(crate) oversized: usize,
    /// Too much waited already.
    pub(crate) crowded: usize,
}

impl Inbox {
    /// An inbox that holds back once `comfortable` bytes wait.
    pub(crate) fn new(comfortable: usize) -> Self {
        Self {
            bodies: Mutex::default(),
            waiting: AtomicUsize::new(0),
            most_waiting: AtomicUsize::new(MOST_WAITING_BYTES),
            buffered: AtomicUsize::new(0),
            draining: AtomicBool::new(true),
            comfortable,
            oversized: AtomicUsize::new(0),
            crowded: AtomicUsize::new(0),
            arrived: Notify::new(),
            room: Notify::new(),
        }
    }

    /// Takes a body in; returns when it may be acknowledged. False where it was not taken, and must not
    /// be.
    pub(crate) async fn push(&self, body: Bytes) -> bool {
        if !self.take_in(body) {
            return false;
        }
        self.arrived.notify_one();
        let comfortable = async {
            let helps = || self.draining.load(Ordering::Relaxed) && !self.bodies().is_closed;
            while helps() && self.held() > self.comfortable {
                self.room.notified().await;
            }
        };
        // Out of patience, the body still is ours: the buffer decides what to drop.
        drop(timeout(MOST_PATIENCE, comfortable).await);
        true
    }

    fn take_in(&self, body: Bytes) -> bool {
        let mut bodies = self.bodies();
        if bodies.is_closed {
            return false;
        }
        let waiting = self.waiting.load(Ordering::Relaxed);
        let most_waiting = self.most_waiting.load(Ordering::Relaxed);
        if waiting > 0 && waiting + body.len() > most_waiting {
            self.crowded.fetch_add(1, Ordering::Relaxed);
            self.arrived.notify_one();
            return false;
        }
        self.waiting.fetch_add(body.len(), Ordering::Relaxed);
        bodies.queue.push_back(body);
        true
    }

    /// The environment ends: little time is left for what waits.
    pub(crate) fn narrow(&self) {
        self.most_waiting
            .store(MOST_AT_THE_END_BYTES, Ordering::Relaxed);
    }

    /// From now on nothing is taken; what was is acknowledged at once.
    pub(crate) fn close(&self) {
        self.bodies().is_closed = true;
        self.room.notify_waiters();
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.bodies().queue.is_empty()
    }

    /// Whoever takes bodies out left some for the next turn.
    pub(crate) fn come_back(&self) {
        self.arrived.notify_one();
    }

    /// Waits for a body, or for one refused for its size.
    pub(crate) async fn arrival(&self) {
        self.arrived.notified().await;
    }

    /// Takes the oldest body out.
    pub(crate) fn pop(&self) -> Option<Bytes> {
        let body = self.bodies().queue.pop_front()?;
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
    pub(crate) fn take_refused(&self) -> Refused {
        Refused {
            oversized: self.oversized.swap(0, Ordering::Relaxed),
            crowded: self.crowded.swap(0, Ordering::Relaxed),
        }
    }

    fn held(&self) -> usize {
        self.waiting.load(Ordering::Relaxed) + self.buffered.load(Ordering::Relaxed)
    }

    fn bodies(&self) -> std::sync::MutexGuard<'_, Bodies> {
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
            "the bytes are taken in any case"
        );
        inbox.observe(90, true);
        assert!(push.now_or_never().is_some(), "there is room now");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_taken_is_acknowledged_and_nothing_once_it_is_closed() {
        let inbox = Inbox::new(10);
        let mut held_back = std::pin::pin!(inbox.push(Bytes::from_static(&[0; 20])));
        assert_eq!(held_back.as_mut().now_or_never(), None);
        inbox.close();
        assert_eq!(held_back.now_or_never(), Some(true), "it was taken before");
        let late = inbox.push(Bytes::from_static(&[0; 20])).now_or_never();
        assert_eq!(late, Some(false));
        assert_eq!(inbox.pop().map(|body| body.len()), Some(20));
        assert!(inbox.pop().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_bounded_except_for_a_single_body() {
        let inbox = Inbox::new(usize::MAX);
        let push = |bytes: usize| inbox.push(vec![0; bytes].into()).now_or_never();
        assert_eq!(push(MOST_WAITING_BYTES + 1), Some(true), "the only one");
        assert_eq!(push(1), Some(false));
        assert_eq!(push(1), Some(false));
        let refused = Refused {
            oversized: 0,
            crowded: 2,
        };
        assert_eq!(inbox.take_refused(), refused);
        assert!(inbox.pop().is_some());
        assert_eq!(push(MOST_WAITING_BYTES), Some(true));
        assert_eq!(push(1), Some(false));
        assert!(inbox.pop().is_some());
        inbox.narrow();
        assert_eq!(push(MOST_AT_THE_END_BYTES), Some(true));
        assert_eq!(push(1), Some(false));
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
