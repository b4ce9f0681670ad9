//! The ledger's counts as metrics, for the operator's alarms and dashboards.
//!
//! A publication holds what was counted since the last one, so that sums over all publications are the
//! counts of a run's ledger line. What is zero is left out: `CloudWatch` bills the metrics that it gets.
//!
//! Invariants: off, it reads nothing; a publication comes at most once a minute, and at shutdown; the
//! counts that a run inherits from one that was killed are not published again; Backstop's own lines and
//! points alone make no publication.
//!
//! Must not: know how points are sent; `emf` writes lines, the pipeline sends the rest.

mod emf;

use std::time::Duration;

use backstop_config::MetricsTarget;
use backstop_delivery::{BreakerState, DropReason, Ledger, SinkName, Wall};

/// The least time between two publications.
const INTERVAL: Duration = Duration::from_mins(1);

/// How values of a metric add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To their sum.
    Count,
    /// To the sum of milliseconds.
    Milliseconds,
    /// Not at all: each is a state at its time.
    Level,
}

/// What a value is of, apart from the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The whole function.
    Whole,
    Sink(&'static str),
    /// A reason for which records were dropped.
    Reason(&'static str),
}

/// A value that was not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    /// In words joined by `_`, as members of the ledger line are named.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) part: Part,
    pub(crate) value: u64,
}

/// What one target has been given so far.
#[derive(Debug, Clone, Default)]
struct Published {
    ledger: Ledger,
    /// The time that invocations were held for since, which is not in the ledger.
    held: Duration,
}

/// Where publications go, and what they have said.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    target: MetricsTarget,
    function_name: String,
    lines: Published,
    points: Published,
    last: Wall,
    /// Records that the last publication made itself.
    own: u64,
}

/// The sums of a ledger that are metrics of the whole function, by their names in the ledger line.
fn sums(ledger: &Ledger) -> [(&'static str, u64); 9] {
    let lost = ledger
        .drops()
        .filter(|(reason, _)| !reason.is_intentional());
    [
        ("received", ledger.received()),
        ("derived", ledger.derived()),
        ("mirrored", ledger.mirrored()),
        ("diverted", ledger.diverted()),
        ("dropped", total(lost.map(|(_, count)| count))),
        ("dead_letters", ledger.dead_letters()),
        ("lost_upstream", ledger.lost_upstream()),
        ("ambiguous", ledger.ambiguous()),
        ("recovered", ledger.recovered()),
    ]
}

fn total(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

/// What a user's records have done, without Backstop's own lines.
fn activity(ledger: &Ledger) -> u64 {
    let drops = ledger.drops().map(|(_, count)| count);
    let all = total(
        [ledger.received(), ledger.delivered_in_all()]
            .into_iter()
            .chain(drops),
    );
    // Each of them was received, and dropped.
    all.saturating_sub(ledger.dropped(DropReason::OwnLog).saturating_mul(2))
}

impl Published {
    /// What was counted since, and how things stand. From here on that is published.
    fn points(&mut self, ledger: &Ledger, breakers: &[(SinkName, BreakerState)]) -> Vec<Point> {
        let before = std::mem::replace(&mut self.ledger, ledger.clone());
        let count = |name, part, value| Point {
            name,
            kind: Kind::Count,
            part,
            value,
        };
        let level = |name, part, value| Point {
            kind: Kind::Level,
            ..count(name, part, value)
        };
        let since = sums(ledger).into_iter().zip(sums(&before));
        let mut points: Vec<Point> = since
            .map(|((name, now), (_, then))| count(name, Part::Whole, now.saturating_sub(then)))
            .collect();
        points.push(level("pending", Part::Whole, ledger.pending()));
        let held = u64::try_from(self.held.as_millis()).unwrap_or(u64::MAX);
        // The rest of a millisecond is the next publication's.
        self.held = self.held.saturating_sub(Duration::from_millis(held));
        points.push(Point {
            kind: Kind::Milliseconds,
            ..count("added_milliseconds", Part::Whole, held)
        });
        for (sink, now) in ledger.deliveries() {
            let value = now.saturating_sub(before.delivered(sink));
            points.push(count("delivered", Part::Sink(sink.as_str()), value));
        }
        let mut open: Vec<SinkName> = Vec::new();
        for (sink, state) in breakers {
            // A primary has a breaker for each signal.
            if *state != BreakerState::Closed && !open.contains(sink) {
                open.push(*sink);
                points.push(level("breaker_open", Part::Sink(sink.as_str()), 1));
            }
        }
        for (reason, now) in ledger.drops() {
            let value = now.saturating_sub(before.dropped(reason));
            let name = if reason.is_intentional() {
                "dropped_intentionally"
            } else {
                "dropped"
            };
            points.push(count(name, Part::Reason(reason.as_str()), value));
        }
        points.retain(|point| point.value > 0);
        points
    }
}

impl Metrics {
    pub(crate) fn new(target: MetricsTarget, function_name: String) -> Self {
        Self {
            target,
            function_name,
            ..Self::default()
        }
    }

    fn is_off(&self) -> bool {
        self.target == MetricsTarget::Off
    }

    /// A run begins, with these counts of one that was killed.
    pub(crate) fn begin(&mut self, inherited: &Ledger, now: Wall) {
        if !self.is_off() {
            self.lines.ledger = inherited.clone();
            self.points.ledger = inherited.clone();
            self.last = now;
        }
    }

    /// An invocation was held for this long after its runtime was done.
    pub(crate) fn held(&mut self, time: Duration) {
        if !self.is_off() {
            self.lines.held += time;
            self.points.held += time;
        }
    }

    /// When the next publication may come, if that is not yet.
    pub(crate) fn due_in(&self, now: Wall) -> Option<Duration> {
        if self.is_off() || now < self.last {
            return None;
        }
        let wait = INTERVAL.saturating_sub(now.since(self.last));
        (wait > Duration::ZERO).then_some(wait)
    }

    /// Whether a publication may come. A clock that was set back does not delay it.
    pub(crate) fn is_due(&self, now: Wall) -> bool {
        !self.is_off() && self.due_in(now).is_none()
    }

    /// Whether there is more to say than what became of the last publication.
    pub(crate) fn has_news(&self, ledger: &Ledger) -> bool {
        let published = if self.target.has_emf() {
            &self.lines
        } else {
            &self.points
        };
        let since = activity(ledger).saturating_sub(activity(&published.ledger));
        since > self.own
    }

    /// The publication begins.
    pub(crate) fn published(&mut self, now: Wall) {
        self.last = now;
        self.own = 0;
    }

    /// The lines in the embedded metric format, each with its end; empty where none are wanted.
    pub(crate) fn lines(
        &mut self,
        ledger: &Ledger,
        breakers: &[(SinkName, BreakerState)],
        now: Wall,
    ) -> String {
        if !self.target.has_emf() {
            return String::new();
        }
        let points = self.lines.points(ledger, breakers);
        emf::lines(&self.function_name, now, &points)
    }

    /// The points for the primary; none where none are wanted.
    pub(crate) fn points(
        &mut self,
        ledger: &Ledger,
        breakers: &[(SinkName, BreakerState)],
    ) -> Vec<Point> {
        if !self.target.has_otlp() {
            return Vec::new();
        }
        let points = self.points.points(ledger, breakers);
        self.own += u64::from(!points.is_empty());
        points
    }
}

#[cfg(test)]
mod tests;
