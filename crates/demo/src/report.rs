//! The result of a demo, as numbers.
//!
//! Invariants: `ok` holds exactly if the exit code is 0; a name of the JSON, once released, keeps its
//! meaning. Must not: word anything, which is `story`'s.

use std::collections::BTreeMap;
use std::time::Duration;

use backstop_simulator::ShutdownReport;
use serde::Serialize;

use crate::reconcile::{Findings, LedgerLine};
use crate::stage::Stage;
use crate::{Options, Sample, Simulation};

/// What a demo came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts of one run, as the JSON has them"
)]
pub struct Summary {
    /// How the primary failed.
    pub fault: String,
    /// The invocations in which it did, from 1, both ends included.
    pub outage: Option<[u32; 2]>,
    /// Invocations that were run.
    pub invocations: u32,
    /// Lines the function logged.
    pub emitted: u64,
    /// Events of any kind that the platform emitted for the extension.
    pub emitted_events: u64,
    /// Events that the platform dropped before the extension had them.
    pub dropped_upstream: u64,
    /// The extension's ledger, when it wrote one.
    pub ledger: Option<LedgerLine>,
    /// Whether it adds up.
    pub ledger_adds_up: bool,
    /// Records that went to a fallback.
    pub diverted: u64,
    /// Where the records were found.
    #[serde(flatten)]
    pub findings: Findings,
    /// Requests to the primary before the replay, by the status they were answered with; 0 stands
    /// for those that never were.
    pub primary_requests: BTreeMap<u16, u64>,
    /// Records that the replay put back.
    pub replayed: u64,
    /// The whole replay.
    pub replay: backstop_replay::Summary,
    /// What sending added while the primary was up.
    pub added_ms: AddedTime,
    /// The same while it was down.
    pub added_in_outage_ms: AddedTime,
    /// The bound, in milliseconds.
    pub max_added_ms: u64,
    /// Invocations to which sending added more than the bound.
    pub over_bound: u64,
    /// An invocation was not over before its timeout because of the extension.
    pub overran: bool,
    /// From SHUTDOWN to the end of the process, in milliseconds.
    pub shutdown_ms: f64,
    /// Whether the process had to be killed.
    pub killed: bool,
    /// The most memory the extension used, in bytes.
    pub peak_rss_bytes: u64,
    /// From the start of the process to its first `/next`, in milliseconds.
    pub start_up_ms: f64,
    /// What was so after invocations, 400 at most.
    pub timeline: Vec<Sample>,
    /// Whether every record is at the primary, the ledger adds up, and nobody had to wait for it.
    pub ok: bool,
}

/// The distribution of added time, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct AddedTime {
    /// Half of the invocations had no more.
    pub p50: f64,
    /// 99 of 100 had no more.
    pub p99: f64,
    /// None had more.
    pub max: f64,
}

impl AddedTime {
    fn of(durations: impl Iterator<Item = Duration>) -> Self {
        let mut sorted: Vec<Duration> = durations.collect();
        sorted.sort_unstable();
        // The nearest rank: a value that was measured, never one between two.
        let rank = |percent: usize| {
            let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            sorted.get(index).copied().map_or(0.0, milliseconds)
        };
        Self {
            p50: rank(50),
            p99: rank(99),
            max: rank(100),
        }
    }
}

/// What a summary is made of.
pub(super) struct Parts<'a> {
    pub(super) options: &'a Options,
    pub(super) run: Simulation,
    pub(super) stage: &'a Stage,
    pub(super) shutdown: &'a ShutdownReport,
    pub(super) ledger: Option<LedgerLine>,
    pub(super) findings: Findings,
    pub(super) primary_requests: BTreeMap<u16, u64>,
    pub(super) replayed: backstop_replay::Summary,
}

impl Summary {
    pub(super) fn new(parts: Parts<'_>) -> Self {
        let Parts {
            options,
            run,
            stage,
            shutdown,
            ledger,
            findings,
            primary_requests,
            replayed,
        } = parts;
        let outage = options.outage.invocations(options.invocations);
        let added = |down: bool| {
            let chosen = run
                .added
                .iter()
                .filter(move |(is_down, _)| *is_down == down);
            AddedTime::of(chosen.map(|(_, added)| *added))
        };
        let ledger_adds_up = ledger
            .as_ref()
            .is_some_and(|ledger| ledger.adds_up() && ledger.pending == 0);
        let diverted = ledger.as_ref().map_or(0, |ledger| {
            ledger.delivered("firehose") + ledger.delivered("s3")
        });
        let telemetry = stage.environment.telemetry();
        Self {
            fault: options.fault.to_string(),
            outage: (!outage.is_empty()).then_some([outage.start + 1, outage.end]),
            invocations: u32::try_from(run.added.len()).unwrap_or(u32::MAX),
            emitted: run.emitted_lines,
            emitted_events: telemetry.emitted,
            dropped_upstream: telemetry.dropped,
            ledger_adds_up,
            diverted,
            primary_requests,
            replayed: replayed.sent,
            added_ms: added(false),
            added_in_outage_ms: added(true),
            max_added_ms: u64::try_from(options.max_added.as_millis()).unwrap_or(u64::MAX),
            over_bound: run
                .added
                .iter()
                .filter(|(_, added)| *added > options.max_added)
                .count() as u64,
            overran: run.overran,
            timeline: run.timeline,
            shutdown_ms: milliseconds(shutdown.duration),
            killed: shutdown.killed,
            peak_rss_bytes: stage.environment.peak_rss_bytes(),
            start_up_ms: milliseconds(stage.environment.start_timings().first_next),
            ok: findings.is_complete()
                && telemetry.dropped == 0
                && ledger_adds_up
                && replayed.is_complete()
                && !run.overran
                && !shutdown.killed,
            ledger,
            findings,
            replay: replayed,
        }
    }
}

/// With a resolution of a tenth.
pub(super) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_values_that_were_measured() {
        let of = |values: std::ops::RangeInclusive<u64>| {
            let added = AddedTime::of(values.map(Duration::from_millis));
            [added.p50, added.p99, added.max].map(|value| value.to_string())
        };
        assert_eq!(of(1..=100), ["50", "99", "100"]);
        assert_eq!(of(1..=3), ["2", "3", "3"]);
        #[expect(clippy::reversed_empty_ranges, reason = "nothing was measured")]
        let none = of(1..=0);
        assert_eq!(none, ["0", "0", "0"]);
    }
}
