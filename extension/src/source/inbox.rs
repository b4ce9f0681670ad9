//! Bodies that are acknowledged and not yet decoded.
//!
//! The listener acknowledges once a body is here: after taking the bytes, never after parsing or
//! network work. While the buffer is well filled and a sink is taking records, it takes its time
//! over that acknowledgement: Lambda posts one body at a time, so this is back-pressure, and a burst
//! becomes slower instead of larger.
//!
//! What the function posts by OTLP is never held back: it is taken while there is room below the mark at which
//! Lambda's is, and refused above it. The sender has memory of its own, and waits as long as the answer says.
//!
//! Invariants: what is acknowledged is here, or was; what waits here is bounded; once it is closed,
//! nothing is acknowledged any more.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use backstop_sinks::otlp::Received;
use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::timeout;

/// The longest an acknowledgement is held back. Lambda's own buffer has to hold the rest meanwhile.
const LONGEST_HOLD: Duration = Duration::from_secs(1);
/// What waits to be decoded is never more, unless it is one body. Lambda has one on its way at a time.
const MOST_WAITING_BYTES: usize = 16 * 1024 * 1024;
/// The same while the environment ends: what was taken must be decoded before the ledger is closed.
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
    /// Requests of the function's that have begun, and are waited for.
    posting: Mutex<Posting>,
    /// Those that were refused until there is room.
    turned_away: AtomicUsize,
    arrived: Notify,
    room: Notify,
}

#[derive(Debug, Default)]
struct Bodies {
    queue: VecDeque<Bytes>,
    posted: VecDeque<Received>,
    is_closed: bool,
}

/// Requests under way of one period. The next period begins when these were waited for long enough.
#[derive(Debug, Default)]
struct Posting {
    period: u64,
    requests: usize,
}

/// Bodies that were not taken, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) oversized: usize,
    /// Too much waited already.
    pub(crate) crowded: usize,
    /// Too much waited already for a request of the function's.
    pub(crate) turned_away: usize,
}

/// Why what the function posted was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// There is no room for now.
    Full,
    /// The environment ends.
    Closed,
}

/// A request of the function's, from its beginning to its answer.
#[derive(Debug)]
pub(crate) struct PostGuard<'a> {
    inbox: &'a Inbox,
    period: u64,
}

impl Drop for PostGuard<'_> {
    fn drop(&mut self) {
        let mut posting = self.inbox.posting();
        if posting.period == self.period {
            posting.requests -= 1;
        }
        drop(posting);
        // Somebody may wait for its end.
        self.inbox.arrived.notify_one();
    }
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
            posting: Mutex::default(),
            turned_away: AtomicUsize::new(0),
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
        drop(timeout(LONGEST_HOLD, comfortable).await);
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

    /// A request of the function's begins.
    pub(crate) fn begin_post(&self) -> PostGuard<'_> {
        let mut posting = self.posting();
        posting.requests += 1;
        PostGuard {
            inbox: self,
            period: posting.period,
        }
    }

    /// The most that one request of the function's may become.
    pub(crate) fn most_posted(&self) -> usize {
        self.comfortable
    }

    /// Takes in what the function posted, or refuses it at once.
    pub(crate) fn post(&self, received: Received) -> Result<(), NotTaken> {
        let mut bodies = self.bodies();
        if bodies.is_closed {
            return Err(NotTaken::Closed);
        }
        let cost = received.cost();
        let most_waiting = self.most_waiting.load(Ordering::Relaxed);
        let is_much = self.waiting.load(Ordering::Relaxed) + cost > most_waiting;
        if is_much || self.held() + cost > self.comfortable {
            self.turned_away.fetch_add(1, Ordering::Relaxed);
            return Err(NotTaken::Full);
        }
        self.waiting.fetch_add(cost, Ordering::Relaxed);
        bodies.posted.push_back(received);
        drop(bodies);
        self.arrived.notify_one();
        Ok(())
    }

    /// Takes out what the function posted first.
    pub(crate) fn pop_posted(&self) -> Option<Received> {
        let received = self.bodies().posted.pop_front()?;
        self.waiting.fetch_sub(received.cost(), Ordering::Relaxed);
        Some(received)
    }

    /// Whether a request of the function's is under way, and worth waiting for.
    pub(crate) fn is_posting(&self) -> bool {
        self.posting().requests > 0
    }

    /// The requests under way have had their time: what becomes of them, nobody waits for it again.
    pub(crate) fn give_up_posts(&self) {
        let mut posting = self.posting();
        posting.period += 1;
        posting.requests = 0;
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
        let bodies = self.bodies();
        bodies.queue.is_empty() && bodies.posted.is_empty()
    }

    /// The pipeline left bodies for the next turn.
    pub(crate) fn wake(&self) {
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

    /// The buffer reports what it holds and whether a sink takes records.
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
            turned_away: self.turned_away.swap(0, Ordering::Relaxed),
        }
    }

    fn held(&self) -> usize {
        self.waiting.load(Ordering::Relaxed) + self.buffered.load(Ordering::Relaxed)
    }

    fn posting(&self) -> std::sync::MutexGuard<'_, Posting> {
        self.posting.lock().unwrap_or_else(PoisonError::into_inner)
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
            turned_away: 0,
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
    async fn what_the_function_posts_is_refused_at_the_mark_and_never_held_back() {
        let received = |bytes: usize| Received {
            signal: backstop_delivery::Signal::Span,
            fragments: vec![vec![0; bytes].into()],
            rejected: 0,
        };
        let inbox = Inbox::new(1_000);
        inbox.observe(500, true);
        assert_eq!(inbox.post(received(200)), Ok(()));
        assert_eq!(inbox.post(received(200)), Err(NotTaken::Full));
        assert_eq!(inbox.take_refused().turned_away, 1);
        assert!(!inbox.is_empty());
        assert_eq!(inbox.pop_posted(), Some(received(200)));
        assert!(inbox.is_empty() && inbox.pop_posted().is_none());
        assert_eq!(inbox.post(received(200)), Ok(()), "there is room again");
        inbox.close();
        assert_eq!(inbox.post(received(1)), Err(NotTaken::Closed));
        let posting = inbox.begin_post();
        assert!(inbox.is_posting());
        drop(posting);
        assert!(!inbox.is_posting());
    }

    #[test]
    fn a_post_that_was_given_up_is_not_waited_for_and_ends_no_other() {
        let inbox = Inbox::new(1_000);
        let first = inbox.begin_post();
        inbox.give_up_posts();
        assert!(!inbox.is_posting());
        let second = inbox.begin_post();
        assert!(inbox.is_posting());
        drop(first);
        assert!(inbox.is_posting());
        drop(second);
        assert!(!inbox.is_posting());
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
