//! Tracks `platform.runtimeDone`: whether it can be expected, and which invocation it is about.
//!
//! `platform.runtimeDone` ends the hold of `/next`. An environment may send none, or send it before its
//! INVOKE, twice, late, or under an id that no INVOKE has named.
//!
//! Invariant: once `/next` was held for an event that never came, it is not held for the event again in this process.

use std::collections::VecDeque;

/// Invocations looked back on.
const LOOK_BACK: usize = 8;
/// After this many more invocations the event of one is missing, not late.
const LATEST: usize = 2;
/// Events kept for an INVOKE that is still to come.
const MOST_AHEAD: usize = 4;
/// Longer ids are none of Lambda's.
const LONGEST_ID: usize = 128;

/// What has been heard in this environment.
#[derive(Debug, Default)]
pub(crate) struct RuntimeDoneTracker {
    /// Platform events are being sent.
    has_platform: bool,
    is_missing: bool,
    /// `/next` was called for want of time, and the runtime's end had not been heard of.
    was_held_until_deadline: bool,
    past: VecDeque<PastInvocation>,
    ahead: VecDeque<EarlyEvents>,
}

#[derive(Debug)]
struct PastInvocation {
    request_id: String,
    is_heard: bool,
}

/// What was heard of an invocation before its INVOKE: the platform's times of its start and its end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct EarlyEvents {
    request_id: String,
    pub(crate) started: Option<String>,
    pub(crate) done: Option<String>,
}

impl RuntimeDoneTracker {
    /// A platform event arrived, whichever.
    pub(crate) fn platform_event(&mut self) {
        self.has_platform = true;
    }

    /// Whether the event can be expected.
    pub(crate) fn is_expected(&self) -> bool {
        self.has_platform && !self.is_missing
    }

    /// `/next` was held for the event until the invocation's time was up. However soon it comes after
    /// that, it is not worth waiting for again.
    pub(crate) fn held_without_event(&mut self) {
        self.is_missing = true;
    }

    /// `/next` is called as there is no time left for anything, perhaps while the handler still runs.
    pub(crate) fn held_until_deadline(&mut self) {
        self.was_held_until_deadline = true;
    }

    /// An invocation is over. `is_heard` is whether its event arrived.
    pub(crate) fn note_end(&mut self, request_id: String, is_heard: bool) {
        self.is_missing |= std::mem::take(&mut self.was_held_until_deadline) && !is_heard;
        if self.past.len() == LOOK_BACK {
            self.past.pop_front();
        }
        self.past.push_back(PastInvocation {
            request_id,
            is_heard,
        });
    }

    /// The next invocation has begun: the event of one that ended long ago is missing now.
    pub(crate) fn note_next_invocation(&mut self) {
        let missing = self.past.iter().rev().nth(LATEST);
        self.is_missing |= missing.is_some_and(|missing| !missing.is_heard);
    }

    /// The event of an earlier invocation arrived. False if none has this id.
    pub(crate) fn note_late(&mut self, request_id: &str) -> bool {
        let mut past = self.past.iter_mut().rev();
        let Some(past) = past.find(|past| past.request_id == request_id) else {
            return false;
        };
        past.is_heard = true;
        true
    }

    /// An invocation started whose INVOKE is still to come.
    pub(crate) fn started_ahead(&mut self, request_id: &str, time: &str) {
        if let Some(ahead) = self.ahead(request_id, time) {
            ahead.started = Some(time.to_owned());
        }
    }

    /// It even ended.
    pub(crate) fn done_ahead(&mut self, request_id: &str, time: &str) {
        if let Some(ahead) = self.ahead(request_id, time) {
            ahead.done = Some(time.to_owned());
        }
    }

    fn ahead(&mut self, request_id: &str, time: &str) -> Option<&mut EarlyEvents> {
        if request_id.is_empty() || request_id.len() > LONGEST_ID || time.len() > LONGEST_ID {
            return None;
        }
        let known = self.ahead.iter();
        let known = known
            .enumerate()
            .find(|(_, ahead)| ahead.request_id == request_id);
        let index = known.map(|(index, _)| index);
        if index.is_none() {
            if self.ahead.len() == MOST_AHEAD {
                self.ahead.pop_front();
            }
            self.ahead.push_back(EarlyEvents {
                request_id: request_id.to_owned(),
                ..EarlyEvents::default()
            });
        }
        match index {
            Some(index) => self.ahead.get_mut(index),
            None => self.ahead.back_mut(),
        }
    }

    /// What is known of an invocation that begins only now. What was heard of others belongs to none.
    pub(crate) fn take_ahead(&mut self, request_id: &str) -> EarlyEvents {
        let ahead = std::mem::take(&mut self.ahead);
        let mut ahead = ahead
            .into_iter()
            .filter(|ahead| ahead.request_id == request_id);
        ahead.next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard() -> RuntimeDoneTracker {
        let mut tracker = RuntimeDoneTracker::default();
        tracker.platform_event();
        tracker
    }

    fn over(tracker: &mut RuntimeDoneTracker, request_id: &str, is_heard: bool) {
        tracker.note_end(request_id.to_owned(), is_heard);
        tracker.note_next_invocation();
    }

    #[test]
    fn news_is_expected_once_the_platform_speaks_and_until_it_misses_one() {
        assert!(
            !RuntimeDoneTracker::default().is_expected(),
            "nothing was ever heard"
        );
        let mut tracker = heard();
        assert!(tracker.is_expected());
        over(&mut tracker, "a", true);
        assert!(tracker.is_expected());
        tracker.held_without_event();
        over(&mut tracker, "b", true);
        over(&mut tracker, "c", true);
        assert!(
            !tracker.is_expected(),
            "held once without an event is enough"
        );
    }

    #[test]
    fn a_hold_to_the_end_is_useless_where_the_event_has_not_come_by_the_next_invocation() {
        for (is_heard, is_expected) in [(true, true), (false, false)] {
            let mut tracker = heard();
            tracker.held_until_deadline();
            over(&mut tracker, "a", is_heard);
            over(&mut tracker, "b", true);
            assert_eq!(tracker.is_expected(), is_expected);
        }
    }

    #[test]
    fn news_that_comes_an_invocation_late_is_late_and_later_than_that_is_missing() {
        let mut tracker = heard();
        over(&mut tracker, "a", false);
        over(&mut tracker, "b", false);
        assert!(tracker.note_late("a"));
        over(&mut tracker, "c", true);
        assert!(tracker.is_expected());
        over(&mut tracker, "d", true);
        assert!(!tracker.is_expected(), "b's never came");
    }

    #[test]
    fn news_from_ahead_belongs_to_the_next_invocation_or_to_none() {
        let mut tracker = heard();
        tracker.started_ahead("a", "1");
        tracker.done_ahead("a", "2");
        let ahead = tracker.take_ahead("a");
        assert_eq!(ahead.started.as_deref(), Some("1"));
        assert_eq!(ahead.done.as_deref(), Some("2"));
        assert_eq!(tracker.take_ahead("a"), EarlyEvents::default());
        tracker.done_ahead("b", "");
        assert_eq!(tracker.take_ahead("a"), EarlyEvents::default());
        assert_eq!(
            tracker.take_ahead("b"),
            EarlyEvents::default(),
            "it was not the next one"
        );
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut tracker = heard();
        (0..100).for_each(|id| over(&mut tracker, &id.to_string(), true));
        assert_eq!(tracker.past.len(), LOOK_BACK);
        assert!(!tracker.note_late("91") && tracker.note_late("92"));
        (0..100).for_each(|id| tracker.done_ahead(&id.to_string(), ""));
        tracker.done_ahead(&"x".repeat(1_000), "");
        assert_eq!(tracker.ahead.len(), MOST_AHEAD);
    }
}
