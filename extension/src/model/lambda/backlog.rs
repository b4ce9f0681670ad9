//! Telemetry that Lambda has and the extension has not read yet: after a burst, or for want of its share of a core.

use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::super::steps::{Invocation, Output, RuntimeDone};
use super::Lambda;

/// A body that waits for its turn, and the output that it is of.
pub(super) struct Waiting {
    body: String,
    output: Option<Output>,
}

impl Lambda {
    /// Whether what this invocation says is read late. Sampling decides by what was read, and an event that comes
    /// before its INVOKE is not late.
    pub(super) fn is_behind(&self, invocation: &Invocation) -> bool {
        let is_ordinary = invocation.runtime_done != RuntimeDone::Before;
        let may_be = is_ordinary && !self.setup.transforms.samples;
        may_be && (invocation.backlog > 0 || !self.backlog.is_empty())
    }

    /// Posts a body, behind those that wait.
    pub(super) fn post_in_turn(
        &mut self,
        invocation: &Invocation,
        body: String,
        output: Option<&Output>,
    ) {
        if self.is_behind(invocation) {
            let output = output.cloned();
            self.backlog.push_back(Waiting { body, output });
        } else {
            self.post(body);
        }
    }

    /// Posts an event, unless there is a backlog: then it waits behind that, and this is false.
    pub(super) fn post_behind(&mut self, body: String) -> bool {
        if self.backlog.is_empty() {
            self.post(body);
            return true;
        }
        self.backlog.push_back(Waiting { body, output: None });
        false
    }

    /// One body after the other is read, each in the time that it takes, until the extension is ready, when
    /// Lambda freezes it. Says when it last read one.
    pub(super) async fn catch_up(&mut self, invocation: &Invocation) -> Instant {
        let pace = Duration::from_millis(invocation.backlog);
        let mut read = Instant::now();
        while self.life.script.ready().now_or_never().is_none()
            && let Some(waiting) = self.backlog.pop_front()
        {
            self.run_for(pace).await;
            self.post_waiting(waiting);
            self.run_for(Duration::ZERO).await;
            read = Instant::now();
        }
        read
    }

    /// Whether what is left behind may be read in the next invocation. In a short one, of which a little was read late,
    /// it is waited for as if it were not, where `/next` is held until all is sent.
    pub(super) fn is_far(&self, was_carried: bool, [invoked, done, read]: [Instant; 3]) -> bool {
        const LITTLE: Duration = Duration::from_millis(200);
        let is_little = read.max(done) < invoked + LITTLE && !was_carried;
        assert!(
            !is_little || !self.setup.leaves_nothing() || self.backlog.is_empty(),
            "{} bodies were not waited for",
            self.backlog.len()
        );
        !is_little
    }

    /// Whether an end under an id that nobody knows is left for the next invocation: it is the last of what is read.
    pub(super) fn note_unknown_end(&mut self, invocation: &Invocation) {
        let is_unknown = invocation.runtime_done == RuntimeDone::Foreign;
        self.is_old_unknown |= is_unknown && !self.backlog.is_empty();
    }

    /// What Lambda still has when the environment ends.
    pub(super) fn post_backlog(&mut self) {
        while let Some(waiting) = self.backlog.pop_front() {
            self.post_waiting(waiting);
        }
    }

    fn post_waiting(&mut self, waiting: Waiting) {
        let is_taken = self.post(waiting.body);
        if let Some(output) = waiting.output {
            self.note_output(&output, is_taken);
        }
    }

    /// How long `/next` may be held once the handler has ended and the backlog is being read.
    pub(super) fn most_behind(&self, invocation: &Invocation) -> Duration {
        // The first body that is late may be the only one.
        let least = Duration::from_millis(250 + 2 * invocation.backlog);
        self.setup.max_added().max(least)
    }
}
