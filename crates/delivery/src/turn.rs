//! What is done with a piece of a batch when a sink's turn comes: the whole decision, from a view of the chain.
//!
//! Pure: it neither asks nor counts, so that every case is a line of a table.

use std::time::Duration;

use crate::breaker::BreakerState;
use crate::cause::Cause;
use crate::phase::Phase;
use crate::role::Role;
use crate::share;

/// A probe is no larger.
const PROBE_RECORDS: usize = 64;

/// A sink, as far as the decision needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LinkView {
    pub(crate) role: Role,
    pub(crate) breaker: BreakerState,
    /// An attempt would be a probe: the breaker is half-open, a handler runs, and no other probe is under way.
    pub(crate) would_probe: bool,
    /// It took something when it was last asked.
    pub(crate) took_last: bool,
    /// With less time an attempt would only count against a healthy sink.
    pub(crate) needs: Duration,
    /// What it is kept while others are asked.
    pub(crate) reserve: Duration,
}

impl LinkView {
    fn is_closed(&self) -> bool {
        self.breaker == BreakerState::Closed
    }
}

/// What the decision depends on beside the sinks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TurnInputs {
    pub(crate) phase: Phase,
    /// Until the end of the window.
    pub(crate) left: Duration,
    /// For how many rounds of batches the sinks after this one are kept time.
    pub(crate) rounds: u32,
    /// In the piece.
    pub(crate) records: usize,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Ask the sink, as usual.
    Ask {
        /// What the sinks after it are left.
        reserve: Duration,
    },
    /// Ask it whether it is healthy again.
    Probe {
        /// What the sinks after it are left.
        reserve: Duration,
    },
    /// Cut the piece here first: it is too large for a probe.
    Cut(usize),
    /// The next sink's turn, for this reason.
    Skip(Cause),
    /// Nobody's turn: the piece waits for the next flush.
    Wait,
}

/// Decides. `later` are the sinks that are still to be asked after this one, in order.
pub(crate) fn turn(link: LinkView, later: &[LinkView], inputs: TurnInputs) -> Turn {
    let TurnInputs {
        phase,
        left,
        rounds,
        records,
    } = inputs;
    if link.would_probe && records > PROBE_RECORDS {
        return Turn::Cut(PROBE_RECORDS);
    }
    // At shutdown breakers only decide who is asked first, and the last sink that may be healthy gets what
    // little time there is.
    let is_last_chance = phase == Phase::Shutdown && !later.iter().any(LinkView::is_closed);
    let needs = later.iter().map(|it| (it.reserve, it.is_closed()));
    let reserve = share::reserve(phase, link.role, needs).saturating_mul(rounds);
    let mut reserve = share::kept(reserve, left);
    // With too little time for two fallbacks, one that has just taken something is worth more than one that may.
    let is_best_chance = phase == Phase::Shutdown
        && link.role == Role::Fallback
        && link.took_last
        && left >= link.needs;
    // It is kept twice its usual time. One that usually takes longer than what is left does not take the share of
    // the others, while one of them still has time.
    let is_in_time = left >= link.reserve / 2 || later.iter().all(|it| left < it.needs);
    if link.is_closed() && is_in_time && (is_last_chance || is_best_chance) {
        reserve = reserve.min(left.saturating_sub(link.needs));
    }
    let own = left.saturating_sub(reserve);
    let has_time = own >= link.needs || (is_last_chance && !own.is_zero());
    match (link.is_closed(), phase) {
        (true, _) if has_time => Turn::Ask { reserve },
        (true, Phase::Shutdown) => Turn::Skip(Cause::NO_BUDGET),
        // A healthy sink is not passed over for want of time: the next handler's run has plenty.
        (true, Phase::Handler | Phase::PostRuntime) => Turn::Wait,
        // A probe is not spent where it could only fail.
        (false, _) if !has_time => Turn::Skip(Cause::BREAKER_OPEN),
        (false, _) if link.would_probe => Turn::Probe { reserve },
        (false, Phase::Shutdown) => Turn::Ask { reserve },
        (false, Phase::Handler | Phase::PostRuntime) => Turn::Skip(Cause::BREAKER_OPEN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    const CLOSED: LinkView = LinkView {
        role: Role::Primary,
        breaker: BreakerState::Closed,
        would_probe: false,
        took_last: false,
        needs: ms(100),
        reserve: ms(150),
    };
    const OPEN: LinkView = LinkView {
        breaker: BreakerState::Open,
        ..CLOSED
    };
    const HALF_OPEN: LinkView = LinkView {
        breaker: BreakerState::HalfOpen,
        would_probe: true,
        ..CLOSED
    };
    const WELL: LinkView = LinkView {
        took_last: true,
        ..CLOSED
    };
    const fn fallback(link: LinkView) -> LinkView {
        LinkView {
            role: Role::Fallback,
            ..link
        }
    }

    const fn ask(reserve: u64) -> Turn {
        Turn::Ask {
            reserve: ms(reserve),
        }
    }

    /// Whose turn it is, who comes after it, the phase, the time left in milliseconds, rounds, records, and what
    /// is done.
    type Case<'a> = (LinkView, &'a [LinkView], Phase, u64, u32, usize, Turn);

    #[test]
    fn every_turn_is_decided_by_the_table() {
        use Phase::{Handler, PostRuntime, Shutdown};
        let closed = fallback(CLOSED);
        let well = fallback(WELL);
        let open = fallback(OPEN);
        // Its usual time is 851 ms.
        let slow = LinkView {
            needs: ms(1000),
            reserve: ms(1702),
            ..well
        };
        let skip = Turn::Skip(Cause::BREAKER_OPEN);
        let no_budget = Turn::Skip(Cause::NO_BUDGET);
        let probe = Turn::Probe { reserve: ms(150) };
        let cases: &[Case<'_>] = &[
            // The first fallback that may be healthy is kept time, for each round, and at most half of it all.
            (CLOSED, &[], PostRuntime, 500, 1, 9, ask(0)),
            (CLOSED, &[closed, closed], PostRuntime, 500, 1, 9, ask(150)),
            (CLOSED, &[open, closed], PostRuntime, 500, 1, 9, ask(150)),
            (CLOSED, &[open], PostRuntime, 500, 1, 9, ask(0)),
            (CLOSED, &[closed], Handler, 500, 2, 9, ask(250)),
            (closed, &[closed], PostRuntime, 500, 1, 9, ask(0)),
            // Without the time that a healthy sink needs the piece waits.
            (CLOSED, &[], PostRuntime, 99, 1, 9, Turn::Wait),
            (CLOSED, &[closed], PostRuntime, 199, 1, 9, Turn::Wait),
            (CLOSED, &[closed], PostRuntime, 200, 1, 9, ask(100)),
            // A failing one is skipped, and probed by a small piece where a handler runs and there is time.
            (OPEN, &[closed], PostRuntime, 500, 1, 9, skip),
            (HALF_OPEN, &[closed], Handler, 500, 1, 64, probe),
            (HALF_OPEN, &[closed], Handler, 500, 1, 65, Turn::Cut(64)),
            (HALF_OPEN, &[closed], Handler, 199, 1, 9, skip),
            // At shutdown each sink is kept its time, and each is asked.
            (CLOSED, &[closed, open], Shutdown, 1700, 1, 9, ask(300)),
            (CLOSED, &[closed, open], Shutdown, 1700, 9, 9, ask(850)),
            (CLOSED, &[closed], Shutdown, 199, 1, 9, no_budget),
            (OPEN, &[], Shutdown, 500, 1, 9, ask(0)),
            // A fallback that has just taken something is not passed over for one that may take it.
            (well, &[closed, open], Shutdown, 1700, 9, 9, ask(850)),
            (well, &[closed], Shutdown, 199, 2, 9, ask(99)),
            (well, &[closed], Shutdown, 99, 1, 9, no_budget),
            (WELL, &[closed], Shutdown, 199, 2, 9, no_budget),
            (OPEN, &[closed], Shutdown, 199, 1, 9, skip),
            // The last one that may be healthy gets all of it, however little.
            (CLOSED, &[open], Shutdown, 199, 1, 9, ask(99)),
            (CLOSED, &[open], Shutdown, 120, 1, 9, ask(20)),
            (CLOSED, &[open], Shutdown, 1, 1, 9, ask(0)),
            (CLOSED, &[], Shutdown, 0, 1, 9, no_budget),
            // Unless that is less than it usually takes, and enough for another.
            (slow, &[open], Shutdown, 849, 2, 9, ask(300)),
            (slow, &[open], Shutdown, 851, 2, 9, ask(0)),
            (slow, &[open], Shutdown, 99, 2, 9, ask(0)),
            (slow, &[], Shutdown, 849, 2, 9, ask(0)),
            (OPEN, &[open], Shutdown, 2, 1, 9, ask(1)),
        ];
        for (link, later, phase, left, rounds, records, expected) in cases {
            let inputs = TurnInputs {
                phase: *phase,
                left: ms(*left),
                rounds: *rounds,
                records: *records,
            };
            let decided = turn(*link, later, inputs);
            assert_eq!(decided, *expected, "{link:?} {later:?} {inputs:?}");
        }
    }
}
