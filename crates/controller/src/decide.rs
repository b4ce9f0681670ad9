//! Which planned changes are written.
//!
//! A pure function of the plan, the mode, and what the journal says of each function. Invariants: nothing
//! is written that the plan does not change; the mode only takes away; the controller's own functions are
//! never written.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use aws_smithy_types::date_time::{DateTime, Format};
use backstop_fleet::journal::{History, Outline, Run, Step};
use backstop_fleet::plan::{Planned, Reason, Verdict};
use serde::{Deserialize, Serialize};

use crate::settings::Mode;

/// The time for which writes are counted.
pub const WINDOW: Duration = Duration::from_hours(1);

/// What becomes of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Decision {
    /// It is as wanted.
    Unchanged,
    /// It gets the layer for the first time.
    Attach,
    /// It gets back what it had, or the new release or settings.
    Repair,
    /// It gets back what it had before the layer.
    Detach,
    /// It lacks the layer, and the mode writes nothing.
    ReportNew,
    /// It differs from what it was given, and the mode leaves that.
    ReportDrift,
    /// The plan refuses it; the reason says why.
    Refused,
    /// Too little is known of it to write it.
    Unreadable,
    /// It was written too often within the hour.
    Limited,
    /// It is the controller, or was named as one to leave alone.
    Own,
}

impl Decision {
    /// Whether something is written.
    pub fn writes(self) -> bool {
        matches!(self, Self::Attach | Self::Repair | Self::Detach)
    }
}

/// What decides besides the plan.
#[derive(Debug)]
pub struct Rules<'a> {
    /// What may be done; [`Mode::Report`] while the switch is set.
    pub mode: Mode,
    /// Functions that have the layer from this state.
    pub known: &'a BTreeSet<String>,
    /// Writes of the last hour, by function.
    pub writes: &'a BTreeMap<String, usize>,
    /// The most of them.
    pub max_writes: usize,
}

impl Rules<'_> {
    /// For a plan to attach. `is_own` knows the functions to leave alone.
    pub fn decide(&self, planned: &Planned, is_own: bool) -> Decision {
        if is_own {
            return Decision::Own;
        }
        match planned.verdict {
            Verdict::Same => return Decision::Unchanged,
            Verdict::Refused => return refused(planned),
            Verdict::Change => {}
        }
        // Without a layer now, and with one from here before: somebody took it off.
        let is_drift = planned.reason == Reason::Outdated || self.known.contains(&planned.arn);
        let decision = match (is_drift, self.mode) {
            (false, Mode::Report) => return Decision::ReportNew,
            (true, Mode::Report | Mode::Attach) => return Decision::ReportDrift,
            (false, Mode::Attach | Mode::Enforce) => Decision::Attach,
            (true, Mode::Enforce) => Decision::Repair,
        };
        self.limited(&planned.arn, decision)
    }

    /// For a resource, which says itself what it wants.
    pub fn asked(&self, planned: &Planned, is_own: bool, decision: Decision) -> Decision {
        match planned.verdict {
            _ if is_own => Decision::Own,
            Verdict::Same => Decision::Unchanged,
            Verdict::Refused => refused(planned),
            Verdict::Change => decision,
        }
    }

    fn limited(&self, arn: &str, decision: Decision) -> Decision {
        if self.writes.get(arn).copied().unwrap_or_default() >= self.max_writes {
            Decision::Limited
        } else {
            decision
        }
    }
}

fn refused(planned: &Planned) -> Decision {
    if planned.reason == Reason::Unreadable {
        Decision::Unreadable
    } else {
        Decision::Refused
    }
}

/// Functions that have the layer from these runs. A write that was begun and never heard of does not count:
/// where it was not made, the function is as new as before.
pub fn known(runs: Vec<Run<Outline>>) -> BTreeSet<String> {
    let steps = runs.iter().flat_map(|run| &run.progress.steps);
    let done: BTreeSet<String> = steps
        .filter(|state| state.is_done)
        .filter_map(|state| match &state.step {
            Some(Step::Function { arn, .. }) => Some(arn.clone()),
            _ => None,
        })
        .collect();
    let changes = History::of_all(runs).changes.into_keys();
    changes.filter(|arn| done.contains(arn)).collect()
}

/// How often each function was written within [`WINDOW`], or may have been: the journal holds every write
/// before it is made, so no crash hides one.
pub fn writes(runs: &[Run<Outline>], now: SystemTime) -> BTreeMap<String, usize> {
    let since = now.checked_sub(WINDOW).unwrap_or(SystemTime::UNIX_EPOCH);
    let since = DateTime::from(since).secs();
    let is_recent = |run: &&Run<Outline>| {
        let started = DateTime::from_str(&run.header.started_at, Format::DateTime).ok();
        // A time that cannot be read counts: the limit must not depend on it.
        started.is_none_or(|at| at.secs() >= since)
    };
    let mut writes = BTreeMap::new();
    for run in runs.iter().filter(is_recent) {
        for state in &run.progress.steps {
            if let Some(Step::Function { arn, .. }) = &state.step {
                *writes.entry(arn.clone()).or_default() += 1;
            }
        }
    }
    writes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(verdict: Verdict, reason: Reason) -> Planned {
        let json = serde_json::json!({
            "account": "111122223333", "region": "eu-west-1", "name": "orders", "arn": "orders",
            "role": "", "verdict": verdict, "reason": reason.code(), "revision": "",
        });
        serde_json::from_value(json).expect("it is a planned function")
    }

    #[test]
    fn the_mode_decides_what_is_written() {
        use Decision::{Attach, Refused, Repair, ReportDrift, ReportNew, Unchanged};
        use Mode::{Enforce, Report};
        let new = || planned(Verdict::Change, Reason::Ok);
        let outdated = || planned(Verdict::Change, Reason::Outdated);
        let known: BTreeSet<String> = ["orders".to_owned()].into();
        let none = BTreeSet::new();
        for (mode, planned, known, expected) in [
            (Report, new(), &none, ReportNew),
            (Report, outdated(), &none, ReportDrift),
            (Mode::Attach, new(), &none, Attach),
            (Mode::Attach, outdated(), &none, ReportDrift),
            // Somebody took the layer off.
            (Mode::Attach, new(), &known, ReportDrift),
            (Enforce, new(), &none, Attach),
            (Enforce, new(), &known, Repair),
            (Enforce, outdated(), &none, Repair),
            (
                Enforce,
                planned(Verdict::Same, Reason::Already),
                &known,
                Unchanged,
            ),
            (
                Enforce,
                planned(Verdict::Refused, Reason::ManagedByCfn),
                &none,
                Refused,
            ),
            (
                Enforce,
                planned(Verdict::Refused, Reason::Unreadable),
                &none,
                Decision::Unreadable,
            ),
        ] {
            let rules = Rules {
                mode,
                known,
                writes: &BTreeMap::new(),
                max_writes: 1,
            };
            assert_eq!(
                rules.decide(&planned, false),
                expected,
                "{mode:?} {planned:?}"
            );
            assert_eq!(rules.decide(&planned, true), Decision::Own);
        }
    }

    #[test]
    fn a_function_that_was_written_often_is_left() {
        let writes = BTreeMap::from([("orders".to_owned(), 3)]);
        for (max_writes, expected) in [(4, Decision::Repair), (3, Decision::Limited)] {
            let rules = Rules {
                mode: Mode::Enforce,
                known: &BTreeSet::new(),
                writes: &writes,
                max_writes,
            };
            let planned = planned(Verdict::Change, Reason::Outdated);
            assert_eq!(rules.decide(&planned, false), expected);
        }
    }
}
