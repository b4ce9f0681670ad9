//! The news that the runtime is done: whether it can be expected, and which invocation it is about.
//!
//! `platform.runtimeDone` ends the hold of `/next`. An environment may send none, or send it before its
//! INVOKE, twice, late, or under an id that no INVOKE has named.
//!
//! Invariant: once `/next` was held for news that never came, it is not held for it again in this process.

use std::collections::VecDeque;

/// Invocations looked back on.
const LOOK_BACK: usize = 8;
/// Invocations after which the news of one is missing, not late.
const LATEST: usize = 2;
/// News kept for an INVOKE that is still to come.
const MOST_AHEAD: usize = 4;
/// Longer ids are none of Lambda's.
const LONGEST_ID: usize = 128;

/// What has been heard in this environment.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Platform events are being sent.
    has_platform: bool,
    is_missing: bool,
    /// `/next` was called for want of time, and the runtime's end had not been heard of.
    was_held_to_the_end: bool,
    past: VecDeque<Past>,
    ahead: VecDeque<Ahead>,
}

#[derive(Debug)]
struct Past {
    request_id: String,
    is_heard: bool,
}

/// What was heard of an invocation before its INVOKE: the platform's times of its start and its end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ahead {
    request_id: String,
    pub(crate) started: Option<String>,
    pub(crate) done: Option<String>,
}

impl News {
    /// A platform event arrived, whichever.
    pub(crate) fn platform_event(&mut self) {
        self.has_platform = true;
    }

    /// Whether the news of an invocation's end can be expected.
    pub(crate) fn is_expected(&self) -> bool {
        self.has_platform && !self.is_missing
    }

    /// `/next` was held for the news until the invocation's time was up. However soon it comes after
    /// that, it is not worth waiting for again.
    pub(crate) fn held_in_vain(&mut self) {
        self.is_missing = true;
    }

    /// `/next` is called as there is no time left for anything, perhaps while the handler still runs.
    pub(crate) fn held_to_the_end(&mut self) {
        self.was_held_to_the_end = true;
    }

    /// An invocation is over; whether its end was heard of.
    pub(crate) fn is_over(&mut self, request_id: String, is_heard: bool) {
        self.is_missing |= std::mem::take(&mut self.was_held_to_the_end) && !is_heard;
        if self.past.len() == LOOK_BACK {
            self.past.pop_front();
        }
        self.past.push_back(Past {
            request_id,
            is_heard,
        });
    }

    /// The next one has begun, and what had arrived by then is known.
    pub(crate) fn judge(&mut self) {
        let missing = self.past.iter().rev().nth(LATEST);
        self.is_missing |= missing.is_some_and(|missing| !missing.is_heard);
    }

    /// News of an earlier invocation. False where none has this id.
    pub(crate) fn is_late(&mut self, request_id: &str) -> bool {
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

    fn ahead(&mut self, request_id: &str, time: &str) -> Option<&mut Ahead> {
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
            self.ahead.push_back(Ahead {
                request_id: request_id.to_owned(),
                ..Ahead::default()
            });
        }
        match index {
            Some(index) => self.ahead.get_mut(index),
            None => self.ahead.back_mut(),
        }
    }

    /// What is known of an invocation that begins only now. What was heard of others belongs to none.
    pub(crate) fn take_ahead(&mut self, request_id: &str) -> Ahead {
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

    fn heard() -> News {
        let mut news = News::default();
        news.platform_event();
        news
    }

    fn over(news: &mut News, request_id: &str, is_heard: bool) {
        news.is_over(request_id.to_owned(), is_heard);
        news.judge();
    }

    #[test]
    fn news_is_expected_once_the_platform_speaks_and_until_it_misses_one() {
        assert!(!News::default().is_expected(), "nothing was ever heard");
        let mut news = heard();
        assert!(news.is_expected());
        over(&mut news, "a", true);
        assert!(news.is_expected());
        news.held_in_vain();
        over(&mut news, "b", true);
        over(&mut news, "c", true);
        assert!(!news.is_expected(), "held in vain once, and that is enough");
    }

    #[test]
    fn a_hold_to_the_end_is_in_vain_where_the_news_has_not_come_by_the_next_invocation() {
        for (is_heard, is_expected) in [(true, true), (false, false)] {
            let mut news = heard();
            news.held_to_the_end();
            over(&mut news, "a", is_heard);
            over(&mut news, "b", true);
            assert_eq!(news.is_expected(), is_expected);
        }
    }

    #[test]
    fn news_that_comes_an_invocation_late_is_late_and_later_than_that_is_missing() {
        let mut news = heard();
        over(&mut news, "a", false);
        over(&mut news, "b", false);
        assert!(news.is_late("a"));
        over(&mut news, "c", true);
        assert!(news.is_expected());
        over(&mut news, "d", true);
        assert!(!news.is_expected(), "b's never came");
    }

    #[test]
    fn news_from_ahead_belongs_to_the_next_invocation_or_to_none() {
        let mut news = heard();
        news.started_ahead("a", "1");
        news.done_ahead("a", "2");
        let ahead = news.take_ahead("a");
        assert_eq!(ahead.started.as_deref(), Some("1"));
        assert_eq!(ahead.done.as_deref(), Some("2"));
        assert_eq!(news.take_ahead("a"), Ahead::default());
        news.done_ahead("b", "");
        assert_eq!(news.take_ahead("a"), Ahead::default());
        assert_eq!(
            news.take_ahead("b"),
            Ahead::default(),
            "it was not the next one"
        );
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut news = heard();
        (0..100).for_each(|id| over(&mut news, &id.to_string(), true));
        assert_eq!(news.past.len(), LOOK_BACK);
        assert!(!news.is_late("91") && news.is_late("92"));
        (0..100).for_each(|id| news.done_ahead(&id.to_string(), ""));
        news.done_ahead(&"x".repeat(1_000), "");
        assert_eq!(news.ahead.len(), MOST_AHEAD);
    }
}
