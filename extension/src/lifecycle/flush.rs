//! The decision when to send and when to call `/next`: a pure function, tested as a table.
//!
//! An invocation is over, and billed until, the moment we call `/next` after the runtime is done. So
//! each strategy is a different answer to: hold `/next` until everything is acknowledged (`end`), or
//! send what the last invocation left while this handler runs, and be ready early.

use std::time::Duration;

use backstop_config::FlushStrategy;

/// Sending starts at this much, at any time.
pub(crate) const HIGH_WATER: usize = 1024 * 1024;

/// When an invocation's records are sent: the strategy, and for `auto` what the rate makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FlushMode {
    /// Hold `/next` until the runtime is done and everything is sent.
    End,
    /// Send what is old enough while the handler runs; then be ready.
    Early,
    /// Be ready at once, and send by timer.
    Continuous,
}

impl FlushMode {
    /// The mode for an invocation that begins now.
    pub(crate) fn of(strategy: FlushStrategy, often: bool) -> Self {
        match (strategy, often) {
            (FlushStrategy::End, _) | (FlushStrategy::Auto, false) => Self::End,
            (FlushStrategy::Periodic, _) | (FlushStrategy::Auto, true) => Self::Early,
            (FlushStrategy::Continuous, _) => Self::Continuous,
        }
    }
}

/// Where the invocation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The handler runs, for all we know.
    Handler,
    /// The runtime is done: every further millisecond is added.
    PostRuntime,
}

/// All that the decision depends on.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, and a table that names each"
)]
pub(crate) struct FlushInputs {
    pub(crate) mode: FlushMode,
    pub(crate) stage: Stage,
    /// `/next` has been called: Lambda may freeze us at any moment.
    pub(crate) ready: bool,
    /// A flush is under way.
    pub(crate) sending: bool,
    /// A flush has been made while this invocation's handler ran.
    pub(crate) has_flushed: bool,
    /// Bytes that wait.
    pub(crate) pending: usize,
    /// How long the oldest of them has waited, by wall time.
    pub(crate) age: Duration,
    /// The flush interval.
    pub(crate) interval: Duration,
    /// The last flush left something that no sink took: another now would do no better.
    pub(crate) stuck: bool,
    /// A breaker waits for a probe.
    pub(crate) wants_probe: bool,
    /// There is time left in the window.
    pub(crate) in_time: bool,
    /// The runtime's end will not be heard of: the handler may be done already.
    pub(crate) may_be_over: bool,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Send what is pending.
    Flush,
    /// Call `/next`.
    BeReady,
    /// Wait for something to happen.
    Wait,
}

pub(crate) fn decide(flush_inputs: &FlushInputs) -> Action {
    let FlushInputs {
        mode,
        stage,
        ready,
        pending,
        age,
        interval,
        ..
    } = *flush_inputs;
    if flush_inputs.sending {
        // Only `continuous` leaves a flush to itself.
        return if mode == FlushMode::Continuous && !ready {
            Action::BeReady
        } else {
            Action::Wait
        };
    }
    let can_send = pending > 0 && !flush_inputs.stuck;
    let is_much = can_send && pending >= HIGH_WATER;
    let is_due = can_send && (age >= interval || pending >= HIGH_WATER);
    let probes = pending > 0 && flush_inputs.wants_probe;
    if ready {
        // By choice nothing is in flight when Lambda freezes us; but memory comes first.
        let by_timer = mode == FlushMode::Continuous && is_due;
        return if is_much || by_timer {
            Action::Flush
        } else {
            Action::Wait
        };
    }
    let flush_if = |wanted: bool, otherwise| if wanted { Action::Flush } else { otherwise };
    match (mode, stage) {
        (FlushMode::Continuous, _) | (FlushMode::Early, Stage::PostRuntime) => Action::BeReady,
        (FlushMode::End, Stage::Handler) if !flush_inputs.in_time => Action::BeReady,
        (FlushMode::End, Stage::Handler) => {
            let left_over = can_send && (!flush_inputs.has_flushed || flush_inputs.may_be_over);
            flush_if(
                left_over || is_much || (probes && !flush_inputs.has_flushed),
                Action::Wait,
            )
        }
        (FlushMode::End, Stage::PostRuntime) => {
            flush_if(can_send && flush_inputs.in_time, Action::BeReady)
        }
        (FlushMode::Early, Stage::Handler) => flush_if(
            (is_due || probes) && !flush_inputs.has_flushed,
            Action::BeReady,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Action::{BeReady, Flush, Wait};

    /// A handler runs, we hold `/next`, a little is pending since just now.
    fn flush_inputs(mode: FlushMode) -> FlushInputs {
        FlushInputs {
            mode,
            stage: Stage::Handler,
            ready: false,
            sending: false,
            has_flushed: false,
            pending: 100,
            age: Duration::ZERO,
            interval: Duration::from_secs(1),
            stuck: false,
            wants_probe: false,
            in_time: true,
            may_be_over: false,
        }
    }

    type Change = fn(&mut FlushInputs);

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn the_decision_follows_its_table() {
        let done: Change = |s| s.stage = Stage::PostRuntime;
        let flushed: Change = |s| s.has_flushed = true;
        let nothing: Change = |s| s.pending = 0;
        let much: Change = |s| s.pending = HIGH_WATER;
        let old: Change = |s| s.age = s.interval;
        let ready: Change = |s| s.ready = true;
        let sending: Change = |s| s.sending = true;
        let stuck: Change = |s| s.stuck = true;
        let probe: Change = |s| s.wants_probe = true;
        let late: Change = |s| s.in_time = false;
        let unheard: Change = |s| s.may_be_over = true;
        // What each manner does: end, early, continuous.
        let table: [(&str, &[Change], [Action; 3]); 23] = [
            ("a little, young", &[], [Flush, BeReady, BeReady]),
            ("nothing", &[nothing], [Wait, BeReady, BeReady]),
            ("a little, old", &[old], [Flush, Flush, BeReady]),
            ("much", &[much], [Flush, Flush, BeReady]),
            (
                "sent once, then a little",
                &[flushed, old],
                [Wait, BeReady, BeReady],
            ),
            (
                "sent once, then much",
                &[flushed, much],
                [Flush, BeReady, BeReady],
            ),
            ("under way", &[sending, much, old], [Wait, Wait, BeReady]),
            (
                "a probe is wanted",
                &[probe, stuck],
                [Flush, Flush, BeReady],
            ),
            (
                "a probe is wanted, nothing to send",
                &[probe, nothing],
                [Wait, BeReady, BeReady],
            ),
            ("no sink takes it", &[stuck, old], [Wait, BeReady, BeReady]),
            (
                "the invocation's time is up",
                &[late],
                [BeReady, BeReady, BeReady],
            ),
            (
                "sent once, then a little, and the end is never heard of",
                &[flushed, old, unheard],
                [Flush, BeReady, BeReady],
            ),
            (
                "no sink takes it, and the end is never heard of",
                &[flushed, stuck, probe, unheard],
                [Wait, BeReady, BeReady],
            ),
            (
                "the time is up, and the end is never heard of",
                &[late, unheard],
                [BeReady, BeReady, BeReady],
            ),
            (
                "runtime done, something left",
                &[done],
                [Flush, BeReady, BeReady],
            ),
            (
                "runtime done, something old",
                &[done, old],
                [Flush, BeReady, BeReady],
            ),
            (
                "runtime done, nothing left",
                &[done, nothing],
                [BeReady, BeReady, BeReady],
            ),
            (
                "runtime done, no sink takes it",
                &[done, stuck],
                [BeReady, BeReady, BeReady],
            ),
            (
                "runtime done, no time",
                &[done, late],
                [BeReady, BeReady, BeReady],
            ),
            (
                "runtime done, under way",
                &[done, sending],
                [Wait, Wait, BeReady],
            ),
            ("ready, a little, old", &[ready, old], [Wait, Wait, Flush]),
            ("ready, much", &[ready, much], [Flush, Flush, Flush]),
            (
                "ready, much, no sink takes it",
                &[ready, much, stuck],
                [Wait, Wait, Wait],
            ),
        ];
        for (name, changes, expected) in table {
            let actual = [FlushMode::End, FlushMode::Early, FlushMode::Continuous].map(|mode| {
                let mut flush_inputs = flush_inputs(mode);
                for change in changes {
                    change(&mut flush_inputs);
                }
                decide(&flush_inputs)
            });
            assert_eq!(actual, expected, "{name}");
        }
    }

    #[test]
    fn auto_is_end_when_invocations_are_rare_and_early_when_they_are_not() {
        assert_eq!(FlushMode::of(FlushStrategy::Auto, false), FlushMode::End);
        assert_eq!(FlushMode::of(FlushStrategy::Auto, true), FlushMode::Early);
        assert_eq!(FlushMode::of(FlushStrategy::End, true), FlushMode::End);
        assert_eq!(
            FlushMode::of(FlushStrategy::Periodic, false),
            FlushMode::Early
        );
        assert_eq!(
            FlushMode::of(FlushStrategy::Continuous, false),
            FlushMode::Continuous
        );
    }
}
