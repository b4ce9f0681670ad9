//! How fast calls may follow each other, in one account and region.
//!
//! Lambda's control plane grants 15 requests a second to everything but `GetFunction`, shared with
//! every deployment of the account, and nobody can have it raised
//! (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>). So calls are spread
//! evenly, well below it by default, and slow down when they are throttled all the same: someone
//! else is deploying. A limiter from the shelf has a fixed rate.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Calls that were not made in time may be made up for, up to this much time's worth.
const SLACK: Duration = Duration::from_millis(250);
/// Throttled answers to concurrent calls count once.
const SAME_MOMENT: Duration = Duration::from_secs(1);
/// Slower than this helps nobody.
const SLOWEST_PER_SECOND: f64 = 0.5;

/// One bucket of calls.
#[derive(Debug)]
pub(super) struct RateLimiter {
    most_per_second: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    per_second: f64,
    next: Instant,
    slowed: Option<Instant>,
}

impl RateLimiter {
    /// At most this many calls per second.
    pub(super) fn new(most_per_second: f64) -> Self {
        let most_per_second = most_per_second.max(SLOWEST_PER_SECOND);
        Self {
            most_per_second,
            state: Mutex::new(State {
                per_second: most_per_second,
                next: Instant::now(),
                slowed: None,
            }),
        }
    }

    /// Waits for the next call's turn.
    pub(super) async fn turn(&self) {
        let at = {
            let mut state = self.lock();
            let now = Instant::now();
            let at = state.next.max(now.checked_sub(SLACK).unwrap_or(now));
            state.next = at + Duration::from_secs_f64(1.0 / state.per_second);
            at
        };
        tokio::time::sleep_until(at).await;
    }

    /// A call was throttled: half the rate from now on, and nothing for as long as was asked.
    pub(super) fn throttled(&self, retry_after: Option<Duration>) {
        let mut state = self.lock();
        let now = Instant::now();
        let is_news = state
            .slowed
            .is_none_or(|before| now.duration_since(before) >= SAME_MOMENT);
        if is_news {
            state.slowed = Some(now);
            state.per_second = (state.per_second / 2.0).max(SLOWEST_PER_SECOND);
            let rested = now.checked_add(retry_after.unwrap_or_default());
            state.next = state.next.max(rested.unwrap_or(now));
        }
    }

    /// A call was answered: a little faster again, up to the rate that was asked for.
    pub(super) fn answered(&self) {
        let mut state = self.lock();
        if state.per_second < self.most_per_second {
            let step = self.most_per_second / 100.0;
            state.per_second = (state.per_second + step).min(self.most_per_second);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn seconds_for(rate_limit: &RateLimiter, calls: u32) -> u64 {
        let start = Instant::now();
        for _ in 0..calls {
            rate_limit.turn().await;
        }
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn calls_are_spread_evenly() {
        let rate_limit = RateLimiter::new(5.0);
        assert_eq!(seconds_for(&rate_limit, 51).await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_is_made_up_for_only_a_little() {
        let rate_limit = RateLimiter::new(4.0);
        rate_limit.turn().await;
        tokio::time::advance(Duration::from_mins(1)).await;
        // One call for the slack, and the rest in their turn.
        assert_eq!(seconds_for(&rate_limit, 42).await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_halves_the_rate_once_a_moment_and_answers_raise_it_again() {
        let rate_limit = RateLimiter::new(10.0);
        rate_limit.turn().await;
        for _ in 0..8 {
            rate_limit.throttled(Some(Duration::from_secs(3)));
        }
        // 3 s of rest, then 5 a second.
        assert_eq!(seconds_for(&rate_limit, 11).await, 5);
        for _ in 0..100 {
            rate_limit.answered();
        }
        assert_eq!(seconds_for(&rate_limit, 100).await, 10);
    }
}
