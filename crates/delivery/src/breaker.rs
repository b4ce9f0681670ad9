//! The circuit breaker of one sink.
//!
//! Closed: every batch may try the sink. Open: none may, until the cooldown has passed by wall time
//! (which goes on through a freeze). Then half-open: one small batch, the probe, may try while a
//! handler runs, when it costs the invocation nothing; its answer closes or reopens the breaker.
//!
//! How long the cooldown is depends on what a failure costs:
//!
//! - A sink that answers with an error, or refuses the connection, costs one request. Its cooldown is a
//!   sixth of the time that the outage has lasted, so that the end of an outage is found at most a sixth
//!   of it too late; and at most a minute.
//! - A sink that hangs, or whose address or account is wrong, costs time or needs a person. Its cooldown
//!   is 5 s and doubles with each probe.

use std::time::Duration;

use crate::backoff::fraction;
use crate::clock::Wall;
use crate::phase::Phase;

/// Failures in a row that open the breaker.
const THRESHOLD: u32 = 3;
/// The cooldown is this part of what the outage has lasted.
const OUTAGE_SHARE: u32 = 6;
const LEAST_COOLDOWN: Duration = Duration::from_millis(50);
/// Where a failure is costly.
const FIRST_COSTLY_COOLDOWN: Duration = Duration::from_secs(5);
const LONGEST_COOLDOWN: Duration = Duration::from_mins(1);

/// Whether batches may try the sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    Closed,
    /// They may not.
    Open,
    HalfOpen,
}

/// Leave to make an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    Normal,
    /// This attempt decides whether the breaker closes.
    Probe,
}

/// A circuit breaker. Times are arguments, so that it is a pure state machine.
#[derive(Debug, Default)]
pub struct Breaker {
    failures: u32,
    open: Option<Opened>,
}

#[derive(Debug, Clone, Copy)]
struct Opened {
    /// When the outage began.
    began: Wall,
    since: Wall,
    until: Wall,
    /// The last cooldown after a costly failure, before jitter.
    costly: Option<Duration>,
    probing: bool,
}

impl Opened {
    /// A clock that was set back must not keep a breaker open for as long as it was set back by.
    fn has_cooled(self, now: Wall) -> bool {
        now >= self.until || now < self.since
    }
}

impl Breaker {
    /// The state at `now`.
    pub fn state(&self, now: Wall) -> BreakerState {
        match self.open {
            None => BreakerState::Closed,
            Some(opened) if opened.has_cooled(now) => BreakerState::HalfOpen,
            Some(_) => BreakerState::Open,
        }
    }

    /// Whether an attempt now would be a probe.
    pub fn would_probe(&self, now: Wall, phase: Phase) -> bool {
        phase == Phase::Handler
            && self
                .open
                .is_some_and(|opened| opened.has_cooled(now) && !opened.probing)
    }

    /// Leave to try the sink, where there is any.
    pub fn admit(&mut self, now: Wall, phase: Phase) -> Option<Permit> {
        if self.open.is_none() {
            return Some(Permit::Normal);
        }
        if !self.would_probe(now, phase) {
            return None;
        }
        if let Some(opened) = &mut self.open {
            opened.probing = true;
        }
        Some(Permit::Probe)
    }

    /// The sink answered, for better or worse: it is there. True where this closed the breaker.
    pub fn succeeded(&mut self) -> bool {
        self.failures = 0;
        self.open.take().is_some()
    }

    /// An attempt failed. `at_once`: it was costly, and opens the breaker whatever came before;
    /// `not_before` prolongs the cooldown, such as by the sink's own `Retry-After`; `random` in
    /// `0.0..=1.0` is the jitter. True where this opened it.
    pub fn failed(
        &mut self,
        now: Wall,
        at_once: bool,
        not_before: Option<Duration>,
        random: f64,
    ) -> bool {
        self.failures = self.failures.saturating_add(1);
        let was_open = self.open;
        if was_open.is_none() && !at_once && self.failures < THRESHOLD {
            return false;
        }
        // A straggler of the outage that opened it is nothing new.
        if was_open.is_some_and(|opened| !opened.probing) {
            return false;
        }
        let began = was_open.map_or(now, |opened| opened.began);
        let mut costly = was_open.and_then(|opened| opened.costly);
        let cooldown = if at_once {
            let next = costly.map_or(FIRST_COSTLY_COOLDOWN, |last| last.saturating_mul(2));
            *costly.insert(next.min(LONGEST_COOLDOWN))
        } else {
            (now.since(began) / OUTAGE_SHARE).clamp(LEAST_COOLDOWN, LONGEST_COOLDOWN)
        };
        // Between half and the whole of it, so that environments do not probe in step.
        let jittered = cooldown.mul_f64(0.5 + fraction(random) / 2.0);
        let wait = jittered.max(not_before.unwrap_or_default().min(LONGEST_COOLDOWN));
        self.open = Some(Opened {
            began,
            since: now,
            until: now + wait,
            costly,
            probing: false,
        });
        was_open.is_none()
    }

    /// A probe that ended without telling anything: another may be made.
    pub fn forget_probe(&mut self) {
        if let Some(opened) = &mut self.open {
            opened.probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JITTER: f64 = 1.0;

    fn at(seconds: u64) -> Wall {
        Wall(Duration::from_secs(seconds))
    }

    fn opened(now: Wall) -> Breaker {
        let mut breaker = Breaker::default();
        assert!(breaker.failed(now, true, None, JITTER));
        breaker
    }

    #[test]
    fn three_failures_in_a_row_open_it_and_a_success_between_does_not() {
        let mut breaker = Breaker::default();
        for _ in 0..2 {
            assert!(!breaker.failed(at(0), false, None, JITTER));
        }
        breaker.succeeded();
        for _ in 0..2 {
            assert!(!breaker.failed(at(0), false, None, JITTER));
        }
        assert!(breaker.failed(at(0), false, None, JITTER));
        assert_eq!(breaker.state(at(0)), BreakerState::Open);
        assert_eq!(breaker.admit(at(0), Phase::Handler), None);
    }

    #[test]
    fn it_half_opens_after_its_cooldown_for_one_probe_in_a_handlers_run() {
        let mut breaker = opened(at(0));
        assert_eq!(breaker.state(at(5)), BreakerState::HalfOpen);
        assert_eq!(breaker.admit(at(5), Phase::PostRuntime), None);
        assert_eq!(breaker.admit(at(5), Phase::Shutdown), None);
        assert_eq!(breaker.admit(at(5), Phase::Handler), Some(Permit::Probe));
        assert_eq!(breaker.admit(at(5), Phase::Handler), None, "one at a time");
        assert!(breaker.succeeded());
        assert_eq!(
            breaker.admit(at(5), Phase::PostRuntime),
            Some(Permit::Normal)
        );
    }

    #[test]
    fn costly_probes_double_the_cooldown_up_to_a_minute() {
        let mut breaker = opened(at(0));
        let mut now = at(5);
        for cooldown in [10, 20, 40, 60, 60] {
            assert_eq!(breaker.admit(now, Phase::Handler), Some(Permit::Probe));
            assert!(
                !breaker.failed(now, true, None, JITTER),
                "it was open already"
            );
            let last = now + Duration::from_secs(cooldown - 1);
            assert_eq!(breaker.state(last), BreakerState::Open, "{cooldown}");
            now = now + Duration::from_secs(cooldown);
            assert_eq!(breaker.state(now), BreakerState::HalfOpen, "{cooldown}");
        }
    }

    #[test]
    fn a_cheap_failure_cools_for_a_sixth_of_what_the_outage_has_lasted() {
        let ms = |milliseconds| Wall(Duration::from_millis(milliseconds));
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            breaker.failed(ms(0), false, None, JITTER);
        }
        // The outage has lasted so long, and then it cools for so long.
        for (lasted, cooldown) in [
            (0, 50),
            (50, 50),
            (300, 50),
            (1200, 200),
            (30_000, 5000),
            (360_000, 60_000),
            (9_000_000, 60_000),
        ] {
            if lasted > 0 {
                let permit = breaker.admit(ms(lasted), Phase::Handler);
                assert_eq!(permit, Some(Permit::Probe), "{lasted}");
                breaker.failed(ms(lasted), false, None, JITTER);
            }
            let (before, after) = (ms(lasted + cooldown - 1), ms(lasted + cooldown));
            assert_eq!(breaker.state(before), BreakerState::Open, "{lasted}");
            assert_eq!(breaker.state(after), BreakerState::HalfOpen, "{lasted}");
        }
        assert!(breaker.succeeded());
        // The next outage begins from the least again.
        for _ in 0..3 {
            breaker.failed(ms(10_000_000), false, None, JITTER);
        }
        assert_eq!(breaker.state(ms(10_000_050)), BreakerState::HalfOpen);
    }

    #[test]
    fn a_sink_that_hangs_again_goes_on_where_its_cooldown_was() {
        let mut breaker = opened(at(0));
        for (now, at_once, cooldown) in [
            (6, false, 1),
            (12, true, 10),
            (24, false, 4),
            (30, true, 20),
        ] {
            assert_eq!(breaker.admit(at(now), Phase::Handler), Some(Permit::Probe));
            breaker.failed(at(now), at_once, None, JITTER);
            assert_eq!(breaker.state(at(now + cooldown)), BreakerState::HalfOpen);
            assert_eq!(breaker.state(at(now + cooldown - 1)), BreakerState::Open);
        }
    }

    #[test]
    fn stragglers_of_the_same_outage_do_not_prolong_it() {
        let mut breaker = opened(at(0));
        assert!(!breaker.failed(at(3), false, None, JITTER));
        assert_eq!(breaker.state(at(5)), BreakerState::HalfOpen);
    }

    #[test]
    fn retry_after_prolongs_the_cooldown_but_never_beyond_a_minute() {
        let mut breaker = Breaker::default();
        breaker.failed(at(0), true, Some(Duration::from_secs(30)), JITTER);
        assert_eq!(breaker.state(at(29)), BreakerState::Open);
        assert_eq!(breaker.state(at(30)), BreakerState::HalfOpen);
        let mut breaker = Breaker::default();
        breaker.failed(at(0), true, Some(Duration::from_hours(1)), JITTER);
        assert_eq!(breaker.state(at(60)), BreakerState::HalfOpen);
    }

    #[test]
    fn a_clock_set_back_does_not_keep_it_open() {
        let mut breaker = opened(at(10_000));
        assert_eq!(breaker.admit(at(50), Phase::Handler), Some(Permit::Probe));
    }
}
