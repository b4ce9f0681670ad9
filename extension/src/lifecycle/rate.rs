//! How often this environment is invoked, by wall time: what passes while it is frozen counts.

use std::collections::VecDeque;
use std::time::Duration;

use backstop_delivery::Wall;

/// Invocations looked back on.
const LOOK_BACK: usize = 8;
/// Below this mean gap invocations come often: what one leaves behind is soon sent by the next.
const OFTEN: Duration = Duration::from_secs(10);

/// The times of the last invocations.
#[derive(Debug, Default)]
pub(crate) struct Rate(VecDeque<Wall>);

impl Rate {
    /// An invocation began.
    pub(crate) fn record(&mut self, now: Wall) {
        if self.0.back().is_some_and(|last| now < *last) {
            // The clock was set back: what was noted before says nothing about pauses any more.
            self.0.clear();
        }
        if self.0.len() == LOOK_BACK {
            self.0.pop_front();
        }
        self.0.push_back(now);
    }

    /// Whether invocations come often: not before the second, and not after a long pause.
    pub(crate) fn is_often(&self) -> bool {
        let (Some(first), Some(last)) = (self.0.front(), self.0.back()) else {
            return false;
        };
        let gaps = u32::try_from(self.0.len() - 1).unwrap_or(u32::MAX);
        let previous = self.0.iter().rev().nth(1);
        gaps > 0
            && last.since(*first) / gaps <= OFTEN
            && previous.is_some_and(|previous| last.since(*previous) <= OFTEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invocations_are_often_from_the_second_on_until_a_long_pause() {
        let mut rate = Rate::default();
        let mut at = |seconds| {
            rate.record(Wall(Duration::from_secs(seconds)));
            rate.is_often()
        };
        assert!(!at(0), "the first says nothing");
        assert!(at(1));
        assert!(at(3));
        assert!(!at(60), "a pause of a minute");
        assert!(!at(61), "the mean gap is still long");
        let after: Vec<bool> = (62..70).map(&mut at).collect();
        assert_eq!(after.last(), Some(&true), "the pause is forgotten in time");
    }

    #[test]
    fn a_clock_set_back_is_a_new_start_and_not_a_burst() {
        let mut rate = Rate::default();
        let mut at = |seconds| {
            rate.record(Wall(Duration::from_secs(seconds)));
            rate.is_often()
        };
        assert!(!at(10_000));
        assert!(at(10_001));
        assert!(!at(50), "who knows how long ago the last one was");
        assert!(at(51));
        assert!(!at(20_000), "set forward, it is a long pause");
    }
}
