//! Reconciliation: what was emitted against the primary, the archive and the ledger.

use std::collections::HashMap;

use backstop_simulator::traffic::sequence_of;
use backstop_simulator::{Environment, ShutdownReport};
use backstop_tests::{Result, World};
use serde_json::Value;

use super::grouped;
use super::plan::Plan;

/// What became of everything.
#[derive(Debug)]
pub(super) struct Totals {
    emitted: u64,
    /// Function records that are nowhere.
    missing: u64,
    /// Ids that are in more than one place.
    twice: u64,
    at_primary: u64,
    archived: u64,
    acknowledged: u64,
    repeated: u64,
    dropped_upstream: u64,
    ledger: Value,
    clean_end: bool,
}

impl Totals {
    pub(super) fn new(
        world: &World,
        environment: &Environment,
        plan: &Plan,
        report: &ShutdownReport,
    ) -> Result<Self> {
        let mut seen = world.intake.sequences();
        let mut places = world.intake.records();
        let at_primary = places.values().map(|count| u64::from(*count)).sum();
        let mut archived = 0;
        world.s3.for_each_archive_line(|line: Value| {
            archived += 1;
            if let Some(sequence) = sequence_of(&line["record"]) {
                *seen.entry(sequence).or_default() += 1;
            }
            let id = line["id"].as_str().unwrap_or_default();
            *places.entry(id.to_owned()).or_default() += 1;
        })?;
        let missing = (0..plan.emitted()).filter(|sequence| !seen.contains_key(sequence));
        let telemetry = environment.telemetry();
        Ok(Self {
            emitted: plan.emitted(),
            missing: missing.count() as u64,
            twice: count_above_one(&places),
            at_primary,
            archived,
            acknowledged: telemetry.acknowledged,
            repeated: telemetry.retries,
            dropped_upstream: telemetry.dropped,
            ledger: report.ledger.clone().unwrap_or_default(),
            clean_end: !report.killed && report.exit_code == Some(0),
        })
    }

    /// What does not add up.
    pub(super) fn problems(&self) -> Vec<String> {
        let dropped = self.dropped();
        let settled = self.sum("delivered") + self.sum("dropped") + self.count("pending");
        let checks = [
            (
                self.clean_end,
                "the process did not end by itself in time".to_owned(),
            ),
            (!self.ledger.is_null(), "there is no ledger line".to_owned()),
            (
                self.missing <= dropped,
                format!(
                    "{} records are nowhere, {dropped} are counted as dropped",
                    self.missing
                ),
            ),
            (
                self.twice <= self.count("ambiguous"),
                format!(
                    "{} records are in two places, the ledger knows of {}",
                    self.twice,
                    self.count("ambiguous")
                ),
            ),
            (
                self.count("received") == settled,
                format!("the ledger does not add up: {}", self.ledger),
            ),
            (
                self.repeated > 0 || self.count("received") == self.acknowledged,
                format!(
                    "the extension acknowledged {} events and counts {}",
                    self.acknowledged,
                    self.count("received")
                ),
            ),
            (
                self.dropped_upstream == 0,
                format!("Lambda dropped {} events", self.dropped_upstream),
            ),
        ];
        let broken = checks.into_iter().filter(|(holds, _)| !holds);
        broken.map(|(_, problem)| problem).collect()
    }

    pub(super) fn rows(&self) -> Vec<(String, String)> {
        let delivered = |sink: &str| self.ledger["delivered"][sink].as_u64().unwrap_or_default();
        let rows = [
            ("records received", self.count("received")),
            ("of which lines of the function", self.emitted),
            ("delivered to the primary", delivered("https")),
            ("delivered to Firehose", delivered("firehose")),
            ("delivered to S3", delivered("s3")),
            ("dead letters among them", self.count("dead_letters")),
            (
                "the extension's own lines, not sent round again",
                self.own_lines(),
            ),
            ("dropped otherwise, counted", self.dropped()),
            ("found at the primary", self.at_primary),
            ("found in the archive", self.archived),
            ("found in two places", self.twice),
            (
                "known to the ledger as perhaps in two places",
                self.count("ambiguous"),
            ),
            (
                "lines lost without being counted",
                self.missing.saturating_sub(self.dropped()),
            ),
        ];
        rows.map(|(figure, value)| (figure.to_owned(), grouped(value)))
            .into()
    }

    fn count(&self, member: &str) -> u64 {
        self.ledger[member].as_u64().unwrap_or_default()
    }

    fn own_lines(&self) -> u64 {
        self.ledger["dropped"]["own_log"]
            .as_u64()
            .unwrap_or_default()
    }

    /// Dropped, and not on purpose.
    fn dropped(&self) -> u64 {
        self.sum("dropped") - self.own_lines()
    }

    fn sum(&self, member: &str) -> u64 {
        let counts = self.ledger[member].as_object();
        let counts = counts.into_iter().flatten();
        counts.filter_map(|(_, count)| count.as_u64()).sum()
    }
}

fn count_above_one(places: &HashMap<String, u32>) -> u64 {
    places.values().filter(|count| **count > 1).count() as u64
}
