//! The result of a drill.
//!
//! Invariants: `ok` holds exactly if the exit code is 0; a name of the JSON, once released, keeps its meaning.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::found::{Found, Known};
use super::invoke::Invoked;
use crate::fleet::Place;
use crate::output::{Columns, Report, Style, Table, grouped, plural};
use crate::replay;

/// What a drill came to.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The account and region.
    #[serde(flatten)]
    pub place: Place,
    /// The function's name.
    pub function: String,
    /// Its unqualified ARN.
    pub arn: String,
    /// The run that changed it, for `undo` and `resume`.
    pub run: String,
    /// How the primary failed.
    pub failure: String,
    /// Where it led meanwhile.
    pub address: String,
    /// The invocations with the primary as it is.
    pub before: Phase,
    /// The invocations with the primary failing.
    pub during: Phase,
    /// Where the archive was read.
    pub archive: String,
    /// Where the stream's records were read as well, if that is elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_archive: Option<String>,
    /// Records of the drill in the archive, by the sink that took them.
    pub records: BTreeMap<&'static str, u64>,
    /// All of them, each once.
    pub archived: u64,
    /// Invocations during the failure of which the archive has nothing; none where that proves nothing.
    pub missing_invocations: Option<Vec<String>>,
    /// Records that are missing by their numbers; none where numbers do not tell.
    pub missing_records: Option<u64>,
    /// The ids of the first of them.
    pub missing_ids: Vec<String>,
    /// Whether nothing of what the drill changed is left.
    pub restored: bool,
    /// Variables, or `layers`, that somebody else changed during the drill; they are left as they are.
    pub changed_by_others: Vec<String>,
    /// What could not be read, or restored.
    pub problems: Vec<String>,
    /// What was sent to the primary afterwards; none where that was not wanted.
    pub replay: Option<replay::Summary>,
    /// The same from where the stream delivers, if that is elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_replay: Option<replay::Summary>,
    /// It was cut short by Ctrl-C.
    pub interrupted: bool,
    /// Whether everything is restored, nothing is missing, and the replay is complete.
    pub ok: bool,
}

/// Invocations under one configuration.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Phase {
    pub invocations: u64,
    /// Those that ended in an error.
    pub failed: u64,
    /// Those that started an environment; they are not in the durations.
    pub cold_starts: u64,
    /// What Lambda billed for the others; none where no log says so.
    pub billed_ms: Option<Billed>,
    /// Each of them, in order.
    pub each: Vec<Invoked>,
}

/// Billed durations, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Billed {
    /// Half of the invocations had no more.
    pub p50: f64,
    /// None had more.
    pub max: f64,
}

impl Phase {
    /// Of these invocations.
    pub fn of(each: Vec<Invoked>) -> Self {
        let count = |holds: fn(&Invoked) -> bool| each.iter().filter(|it| holds(it)).count() as u64;
        let warm = each.iter().filter(|it| !it.is_cold);
        let mut billed: Vec<f64> = warm.filter_map(|it| it.billed_ms).collect();
        billed.sort_by(f64::total_cmp);
        let middle = billed.len().div_ceil(2).saturating_sub(1);
        Self {
            invocations: each.len() as u64,
            failed: count(|it| it.failed),
            cold_starts: count(|it| it.is_cold),
            billed_ms: billed
                .get(middle)
                .zip(billed.last())
                .map(|(p50, max)| Billed {
                    p50: *p50,
                    max: *max,
                }),
            each,
        }
    }

    /// The request ids.
    pub fn requests(&self) -> Vec<String> {
        let ids = self.each.iter().map(|it| it.request_id.clone());
        ids.filter(|id| !id.is_empty()).collect()
    }
}

impl Summary {
    /// Adds what the archive has, as far as it proves anything.
    pub fn add(&mut self, found: Found, known: Known) {
        let Known {
            is_whole,
            is_numbered,
        } = known;
        let requests = self.during.requests();
        let requests = requests.into_iter().filter(|id| !found.seen.contains(id));
        self.missing_invocations = is_whole.then(|| requests.collect());
        self.records = found.by_sink;
        self.archived = found.records;
        self.missing_records = is_numbered.then_some(found.missing);
        self.missing_ids = if is_numbered {
            found.missing_ids
        } else {
            Vec::new()
        };
        self.problems.extend(found.problems);
    }

    /// Decides how it ended.
    pub fn close(&mut self) {
        self.ok = self.restored
            && self.replays().all(replay::Summary::is_complete)
            && !self.interrupted
            && self.problems.is_empty()
            && self.missing_invocations().is_empty()
            && self.missing_records.unwrap_or(0) == 0
            && self.during.failed <= self.before.failed;
    }

    fn replays(&self) -> impl Iterator<Item = &replay::Summary> {
        self.replay.iter().chain(&self.stream_replay)
    }

    fn missing_invocations(&self) -> &[String] {
        self.missing_invocations.as_deref().unwrap_or_default()
    }

    /// What happened, in a line.
    pub(super) fn story(&self) -> String {
        format!(
            "Primary failing ({}) for {}: {} in the archive.",
            self.failure,
            plural(self.during.invocations, "invocation"),
            plural(self.archived, "record"),
        )
    }

    /// How it ended, in a line.
    pub(super) fn verdict(&self) -> String {
        let mut parts = Vec::new();
        if !self.restored {
            parts.push(format!("not restored: backstop undo {}", self.run));
        }
        if self.interrupted {
            parts.push("interrupted".to_owned());
        }
        let invocations = self.missing_invocations().len() as u64;
        if invocations > 0 {
            parts.push(format!("{} missing", plural(invocations, "invocation")));
        }
        let missing = self.missing_records.unwrap_or(0);
        if missing > 0 || parts.is_empty() {
            parts.push(format!("{} missing", plural(missing, "record")));
        }
        if self.during.failed > self.before.failed {
            parts.push("more invocations failed than before".to_owned());
        }
        if let Some(replay) = self.replays().find(|it| !it.is_complete()) {
            let why = replay.halted.as_ref().or(replay.failure.as_ref());
            let why = why.map_or_else(String::new, |why| format!(": {why}"));
            parts.push(format!("the replay is not complete{why}"));
        }
        if self.restored && self.changed_by_others.is_empty() {
            parts.push("configuration restored".to_owned());
        } else if self.restored {
            let others = self.changed_by_others.join(", ");
            parts.push(format!(
                "restored what the drill changed; somebody else changed {others}, which is left"
            ));
        }
        parts.join("; ")
    }
}

impl Report for Summary {
    fn text(&self, style: Style) -> String {
        let mut phases = Columns::new(&[self.function.as_str(), ">before", ">during"]);
        let mut row = |label: &str, value: &dyn Fn(&Phase) -> String| {
            phases.row([label.to_owned(), value(&self.before), value(&self.during)]);
        };
        row("invocations", &|it| grouped(it.invocations));
        row("  failed", &|it| grouped(it.failed));
        row("  cold starts", &|it| grouped(it.cold_starts));
        let billed = |value: fn(Billed) -> f64| {
            move |it: &Phase| {
                it.billed_ms
                    .map_or_else(|| "-".to_owned(), |all| value(all).to_string())
            }
        };
        row("billed ms, warm, median", &billed(|it| it.p50));
        row("billed ms, warm, max", &billed(|it| it.max));
        let mut text = phases.text(style);

        let mut table = Table::default();
        table.count("records in the archive", self.archived);
        for (sink, count) in &self.records {
            table.count(&format!("  by {sink}"), *count);
        }
        let known = |count: Option<u64>| count.map_or_else(|| "not known".to_owned(), grouped);
        let invocations = self.missing_invocations.as_ref().map(|it| it.len() as u64);
        table.row("invocations missing", known(invocations), "");
        table.row("records missing", known(self.missing_records), "");
        if self.replay.is_some() {
            let sum = |count: fn(&replay::Summary) -> u64| self.replays().map(count).sum();
            table.count("replayed to the primary", sum(|it| it.sent));
            table.count_if("  rejected", sum(|it| it.rejected));
            table.count_if("  failed", sum(|it| it.failed));
        }
        // Writing to a String cannot fail.
        write!(text, "\n{table}").unwrap_or_default();
        for id in self.missing_invocations().iter().chain(&self.missing_ids) {
            writeln!(text, "  missing: {id}").unwrap_or_default();
        }
        for problem in &self.problems {
            writeln!(text, "  ! {problem}").unwrap_or_default();
        }
        let verdict = style.verdict(self.ok, &self.verdict());
        writeln!(text, "\n{}\n{verdict}", self.story()).unwrap_or_default();
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invoked(billed_ms: f64, is_cold: bool) -> Invoked {
        Invoked {
            request_id: billed_ms.to_string(),
            billed_ms: Some(billed_ms),
            is_cold,
            failed: false,
        }
    }

    #[test]
    fn cold_starts_are_not_in_the_durations() {
        let phase = Phase::of(vec![
            invoked(900.0, true),
            invoked(30.0, false),
            invoked(10.0, false),
            invoked(20.0, false),
        ]);
        let billed = phase.billed_ms.expect("three are warm");
        assert_eq!((billed.p50, billed.max), (20.0, 30.0));
        assert_eq!((phase.invocations, phase.cold_starts), (4, 1));
        assert_eq!(Phase::of(vec![invoked(900.0, true)]).billed_ms, None);
    }

    #[test]
    fn what_somebody_else_changed_is_said_and_is_no_failure_of_the_drill() {
        let mut summary = Summary {
            restored: true,
            changed_by_others: vec!["TABLE".to_owned(), "layers".to_owned()],
            missing_records: Some(0),
            ..Summary::default()
        };
        summary.close();
        assert!(summary.ok);
        assert_eq!(
            summary.verdict(),
            "0 records missing; restored what the drill changed; somebody else changed TABLE, \
             layers, which is left"
        );
    }

    type Spoil = fn(&mut Summary);

    #[test]
    fn each_thing_that_is_wrong_fails_it_and_is_named() {
        let good = || {
            let mut summary = Summary {
                run: "RUN".to_owned(),
                restored: true,
                missing_records: Some(0),
                ..Summary::default()
            };
            summary.close();
            summary
        };
        assert!(good().ok);
        assert_eq!(
            good().verdict(),
            "0 records missing; configuration restored"
        );
        let cases: [(Spoil, &str); 6] = [
            (|it| it.restored = false, "not restored: backstop undo RUN"),
            (|it| it.missing_records = Some(2), "2 records missing"),
            (
                |it| it.missing_invocations = Some(vec!["a".to_owned()]),
                "1 invocation missing",
            ),
            (|it| it.during.failed = 1, "more invocations failed"),
            (|it| it.interrupted = true, "interrupted"),
            (
                |it| {
                    let replay = it.replay.insert(replay::Summary::default());
                    replay.failed = 1;
                    replay.failure = Some("server_error (status 503)".to_owned());
                },
                "the replay is not complete: server_error (status 503)",
            ),
        ];
        for (spoil, part) in cases {
            let mut summary = good();
            spoil(&mut summary);
            summary.close();
            assert!(!summary.ok, "{part}");
            assert!(summary.verdict().contains(part), "{}", summary.verdict());
        }
    }
}
