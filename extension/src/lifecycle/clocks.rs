//! Lambda's clock beside ours: what a deadline or a time of the platform means on our own clock.
//!
//! Lambda gives deadlines and times as wall time of its clock. Ours can differ from it by any amount,
//! and can be set at any moment. Two things are compared safely: times of the platform with each
//! other, and instants of our monotonic clock with each other. INVOKE ties the two together.
//!
//! Invariant: no difference between the clocks takes away the time to send. Pure; must not read a
//! clock.

use std::time::Duration;

use backstop_delivery::Wall;
use tokio::time::Instant;

/// The longest that a function may run, and some.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(15 * 60 + 5);
/// Lambda's shortest timeout is a second. An INVOKE that seems to leave less than this comes from
/// another clock.
const LEAST_LEFT: Duration = Duration::from_millis(500);
/// The longest that it may take until we hear of an INVOKE. Clocks that differ by less count as one.
const LONGEST_LAG: Duration = Duration::from_millis(500);
/// What a runtime may finish ahead of our hearing of its INVOKE.
const HEAD_START: Duration = Duration::from_millis(100);
/// Before an invocation's deadline, what is left for calling `/next`.
const DEADLINE_MARGIN: Duration = Duration::from_millis(50);

/// Of Lambda's 2 s at shutdown, what is left for writing the ledger and ending the process.
const SHUTDOWN_MARGIN: Duration = Duration::from_millis(300);
/// The longest we send at shutdown, whatever Lambda's deadline says.
const LONGEST_SHUTDOWN: Duration = Duration::from_millis(1700);
/// A SHUTDOWN that seems to leave less than half of Lambda's 2 s comes from another clock.
const LEAST_AT_SHUTDOWN: Duration = Duration::from_secs(1);

/// The function's timeout, as far as invocations have shown it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Timeout {
    /// From a deadline and the platform's own time of the start: independent of our clock.
    exact: Option<Duration>,
    /// The shortest that a deadline left by our clock.
    least: Option<Duration>,
}

/// When an invocation began, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InvocationStart {
    /// INVOKE reached us.
    at: Instant,
    /// The same by our wall clock.
    wall: Wall,
    /// Lambda's deadline, by its clock.
    deadline: Wall,
    /// The time in `platform.start`, by the platform's clock.
    started: Option<Wall>,
}

impl InvocationStart {
    pub(crate) fn new(at: Instant, wall: Wall, deadline_ms: u64) -> Self {
        Self {
            at,
            wall,
            deadline: Wall(Duration::from_millis(deadline_ms)),
            started: None,
        }
    }

    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    pub(crate) fn wall(&self) -> Wall {
        self.wall
    }

    /// `platform.start` has this time.
    pub(crate) fn started(&mut self, time: Option<Wall>) {
        self.started = self.started.or(time);
    }

    /// When `/next` has to be called; `None` where nothing plausible is known of the deadline.
    pub(crate) fn ends(&self, timeout: Timeout) -> Option<Instant> {
        let left = match (
            self.by_own_clock(),
            self.by_platform_clock().or(timeout.exact),
        ) {
            (Some(left), Some(exact)) if left.abs_diff(exact) <= LONGEST_LAG => {
                Some(left.min(exact))
            }
            (_, Some(exact)) => Some(exact),
            (left, None) => [left, timeout.least].into_iter().flatten().min(),
        };
        left.map(|left| self.at + left.saturating_sub(DEADLINE_MARGIN))
    }

    /// What the invocation has shown of the function's timeout, once it is over.
    pub(crate) fn update_timeout(&self, timeout: &mut Timeout) {
        timeout.exact = self.by_platform_clock().or(timeout.exact);
        let least = [self.by_own_clock(), timeout.least].into_iter().flatten();
        timeout.least = least.min();
    }

    /// The time to the deadline from INVOKE, by our clock. What cannot be a deadline by the platform's own
    /// clock is none by ours either.
    fn by_own_clock(&self) -> Option<Duration> {
        let is_none = self.started.is_some() && self.by_platform_clock().is_none();
        self.until_deadline(self.wall).filter(|_| !is_none)
    }

    /// The time to the deadline from the start, by the platform's clock.
    fn by_platform_clock(&self) -> Option<Duration> {
        self.until_deadline(self.started?)
    }

    fn until_deadline(&self, from: Wall) -> Option<Duration> {
        let left = self.deadline.0.checked_sub(from.0);
        left.filter(|left| (LEAST_LEFT..=LONGEST_TIMEOUT).contains(left))
    }

    /// How long ago the runtime was done, when the platform gives that time: after a burst the event
    /// comes late, behind all the output before it.
    pub(crate) fn since_done(&self, done: Option<Wall>, now: Instant, wall: Wall) -> Duration {
        let Some(done) = done else {
            return Duration::ZERO;
        };
        let elapsed = now.saturating_duration_since(self.at);
        let Some(started) = self.started else {
            let by_own_clock = wall.since(done);
            // The runtime was not done long before we heard that it began: that is another clock.
            let is_plausible = by_own_clock <= elapsed + HEAD_START;
            return if is_plausible {
                by_own_clock
            } else {
                Duration::ZERO
            };
        };
        // What passed until we heard of INVOKE; a longer time is what the clocks differ by.
        let lag = self.wall.since(started);
        let lag = if lag <= LONGEST_LAG {
            lag
        } else {
            Duration::ZERO
        };
        let ran = done.0.checked_sub(started.0);
        ran.map_or(Duration::ZERO, |ran| (elapsed + lag).saturating_sub(ran))
    }

    /// How long ago the handler may have ended, once telemetry up to this time was read and its end was not
    /// among it: since that time, or since INVOKE where that is later. What INVOKE itself took does not count: a
    /// difference between the clocks looks the same.
    pub(crate) fn since_read(&self, read: Wall, now: Instant, wall: Wall) -> Duration {
        let elapsed = now.saturating_duration_since(self.at);
        let Some(started) = self.started else {
            // What is older than the invocation is of the one before.
            return wall.since(read).min(elapsed);
        };
        elapsed.saturating_sub(read.since(started))
    }
}

/// How long we send at a shutdown that is heard of now.
pub(crate) fn shutdown_budget(deadline_ms: u64, now: Wall) -> Duration {
    match Duration::from_millis(deadline_ms).checked_sub(now.0) {
        Some(left) if left >= LEAST_AT_SHUTDOWN => {
            left.saturating_sub(SHUTDOWN_MARGIN).min(LONGEST_SHUTDOWN)
        }
        // Missing, past, or almost: an attempt is always made, in the time that Lambda always gives.
        _ => LONGEST_SHUTDOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    /// Our wall time when INVOKE reaches us, in ms.
    const NOW: i64 = 1_700_000_000_000;

    fn wall(ms: i64) -> Wall {
        Wall(Duration::from_millis(u64::try_from(ms).unwrap()))
    }

    fn began(deadline: i64, started: Option<i64>) -> InvocationStart {
        let deadline = u64::try_from(deadline).unwrap();
        let mut began = InvocationStart::new(Instant::now(), wall(NOW), deadline);
        began.started(started.map(wall));
        began
    }

    fn left(began: &InvocationStart, timeout: Timeout) -> Option<u128> {
        let ends = began.ends(timeout)?;
        Some((ends - began.at() + DEADLINE_MARGIN).as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_counts_by_our_clock_unless_that_is_another() {
        const HOUR: i64 = 3_600_000;
        // The deadline and the platform's start (ms from our now), the timeout known before, what is left.
        type Row = (
            &'static str,
            i64,
            Option<i64>,
            [Option<u64>; 2],
            Option<u128>,
        );
        let table: [Row; 17] = [
            ("one clock", 3_000, None, [None, None], Some(3_000)),
            (
                "one clock, started",
                2_950,
                Some(-50),
                [None, None],
                Some(2_950),
            ),
            ("ours is 2 s ahead", 1_000, None, [None, None], Some(1_000)),
            (
                "2 s ahead, started",
                1_000,
                Some(-2_000),
                [None, None],
                Some(3_000),
            ),
            (
                "2 s behind, started",
                5_000,
                Some(2_000),
                [None, None],
                Some(3_000),
            ),
            ("past", -1, None, [None, None], None),
            ("almost past", 499, None, [None, None], None),
            ("an hour ahead", 3_000 - HOUR, None, [None, None], None),
            ("an hour behind", 3_000 + HOUR, None, [None, None], None),
            (
                "an hour ahead, started",
                3_000 - HOUR,
                Some(-HOUR),
                [None, None],
                Some(3_000),
            ),
            (
                "past by the platform's clock",
                3_000,
                Some(6_000),
                [None, None],
                None,
            ),
            ("past, learnt", -1, None, [Some(3_000), None], Some(3_000)),
            (
                "past, learnt by our clock",
                -1,
                None,
                [None, Some(2_900)],
                Some(2_900),
            ),
            (
                "longer than learnt by our clock",
                9_000,
                None,
                [None, Some(3_000)],
                Some(3_000),
            ),
            (
                "other than learnt",
                1_000,
                None,
                [Some(3_000), None],
                Some(3_000),
            ),
            (
                "a little longer than learnt",
                3_400,
                None,
                [Some(3_000), None],
                Some(3_000),
            ),
            ("heard late", 2_600, None, [Some(3_000), None], Some(2_600)),
        ];
        for (name, deadline, started, [exact, least], expected) in table {
            let known = |known: Option<u64>| known.map(Duration::from_millis);
            let timeout = Timeout {
                exact: known(exact),
                least: known(least),
            };
            let began = began(NOW + deadline, started.map(|started| NOW + started));
            assert_eq!(left(&began, timeout), expected, "{name}");
        }
        assert_eq!(left(&began(0, None), Timeout::default()), None, "missing");
        assert_eq!(
            left(&began(i64::MAX, None), Timeout::default()),
            None,
            "absurd"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_timeout_is_learnt_from_earlier_invocations() {
        let mut timeout = Timeout::default();
        for (deadline, started, expected) in [
            (5_000, None, Some(5_000)),
            (3_000, None, Some(3_000)),
            (-9_000, None, Some(3_000)),
            (-9_000, Some(-13_000), Some(4_000)),
            (-9_000, None, Some(4_000)),
            (3_000, Some(6_000), Some(4_000)),
            (9_000, None, Some(4_000)),
        ] {
            let began = began(NOW + deadline, started.map(|started| NOW + started));
            assert_eq!(left(&began, timeout), expected, "{deadline}, {started:?}");
            began.update_timeout(&mut timeout);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_runtimes_end_is_as_long_ago_as_both_clocks_allow() {
        // Our clock's lead over the platform's, and whether there was a start.
        for (lead, is_started, expected) in [
            (0, true, 30),
            (0, false, 30),
            (2_000, true, 30),
            (2_000, false, 0),
            (-2_000, true, 30),
            (-2_000, false, 0),
            (86_400_000, true, 30),
            (86_400_000, false, 0),
        ] {
            let started = is_started.then_some(NOW - lead);
            let began = began(NOW + 3_000 - lead, started);
            // The handler ran for 200 ms, and the event took 30 more.
            let (done, heard) = (NOW - lead + 200, NOW + 230);
            let late = began.since_done(Some(wall(done)), began.at() + 230 * MS, wall(heard));
            assert_eq!(late.as_millis(), expected, "{lead} ahead, {is_started}");
            let unknown = began.since_done(None, began.at() + 230 * MS, wall(heard));
            assert_eq!(unknown, Duration::ZERO);
        }
        let began = began(NOW + 3_000, Some(NOW));
        let jumped = began.since_done(
            Some(wall(NOW + 200)),
            began.at() + 230 * MS,
            wall(NOW + 90_000),
        );
        assert_eq!(jumped, 30 * MS, "our clock was set while the handler ran");
        let before = began.since_done(
            Some(wall(NOW - 9_000)),
            began.at() + 230 * MS,
            wall(NOW + 230),
        );
        assert_eq!(before, Duration::ZERO, "done before it began");
        let started = self::began(NOW + 3_000, Some(NOW - 80));
        let heard_late = started.since_done(
            Some(wall(NOW + 200)),
            started.at() + 230 * MS,
            wall(NOW + 230),
        );
        assert_eq!(heard_late, 30 * MS, "INVOKE took 80 ms to reach us");
    }

    #[tokio::test(start_paused = true)]
    async fn telemetry_is_behind_by_no_more_than_the_invocation_has_run() {
        // Our clock's lead over the platform's, whether there was a start, the time that was read in ms
        // from INVOKE, and how far behind that is 700 ms after it.
        for (lead, is_started, read, expected) in [
            (0, true, 100, 600),
            (0, false, 100, 600),
            (0, true, 700, 0),
            (0, true, 900, 0),
            (300, true, 100, 600),
            (300, true, 700, 0),
            (-300, true, 700, 0),
            // Of the invocation before.
            (0, true, -60_000, 700),
            (0, false, -60_000, 700),
            (5_000, true, 100, 600),
            (-5_000, true, 100, 600),
            (5_000, true, -60_000, 700),
            // Without a start, a clock that is ahead of the extension's makes telemetry look new.
            (-5_000, false, 100, 0),
        ] {
            let started = is_started.then_some(NOW - lead);
            let began = began(NOW + 3_000 - lead, started);
            let read = wall(NOW - lead + read);
            let behind = began.since_read(read, began.at() + 700 * MS, wall(NOW + 700));
            assert_eq!(
                behind.as_millis(),
                expected,
                "{lead} ahead, {is_started}, {read:?}",
            );
        }
    }

    #[test]
    fn an_attempt_is_made_at_shutdown_whatever_the_deadline_says() {
        for (name, deadline, expected) in [
            ("as Lambda gives it", NOW + 2_000, 1_700),
            ("heard of late", NOW + 1_500, 1_200),
            ("missing", 0, 1_700),
            ("past", NOW - 1, 1_700),
            ("ours is 2 s ahead", NOW, 1_700),
            ("ours is 1.5 s ahead", NOW + 500, 1_700),
            ("ours is an hour behind", NOW + 3_602_000, 1_700),
            ("absurd", i64::MAX, 1_700),
        ] {
            let budget = shutdown_budget(u64::try_from(deadline).unwrap(), wall(NOW));
            assert_eq!(budget.as_millis(), expected, "{name}");
        }
    }
}
