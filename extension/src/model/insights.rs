//! The record of patterns as a dimension: a record that the function did not write, of which nobody knows the number
//! before it is seen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use backstop_delivery::{Record, RecordId};
use serde_json::Value;
use tempfile::TempDir;

use super::examples::SETUP;
use super::life::Life;
use super::posts;
use super::rules::Totals;
use super::steps::{Rewriting, Setup};
use super::world::{Number, World};
use crate::lifecycle::api::Event;

/// The numbers of these records are no lower, and those of all others are.
const REPORT: Number = 1 << 42;

/// Whether a record's text is such a record.
pub(super) fn is_report(text: &str) -> bool {
    text.contains(&format!(r#""type":"{}""#, backstop_archive::INSIGHTS))
}

/// The number of such a record. Below the bits that tell copies and derived records apart there is room for those
/// of every run.
pub(super) fn number_of(id: RecordId) -> Number {
    let run = id.environment.0 & 0xff_ffff;
    REPORT + (run << 16) + (id.sequence & 0xffff)
}

/// What each such record says.
#[derive(Debug, Clone, Default)]
pub(super) struct Reports(Arc<Mutex<BTreeMap<Number, Value>>>);

impl Reports {
    /// A record was seen, at a sink or in the spool.
    pub(super) fn see(&self, record: &Record) {
        let text = std::str::from_utf8(record.fragment()).unwrap();
        if !is_report(text) {
            return;
        }
        let report: Value = serde_json::from_str(&format!("{{{text}}}")).unwrap();
        let report = &report["record"];
        let patterns = report["patterns"].as_array().unwrap();
        let lines: u64 = patterns.iter().map(|it| number(&it["lines"])).sum();
        let all = number(&report["lines"]);
        assert_eq!(all, lines + number(&report["other"]["lines"]), "{text}");
        let mut reports = self.0.lock().unwrap();
        reports.insert(number_of(record.id()), report.clone());
    }

    /// All that were seen.
    pub(super) fn numbers(&self) -> Vec<Number> {
        self.0.lock().unwrap().keys().copied().collect()
    }

    fn lines(&self) -> u64 {
        let reports = self.0.lock().unwrap();
        reports.values().map(|it| number(&it["lines"])).sum()
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

/// Each line that was taken is in one of the records, whatever became of the line.
pub(super) fn every_line_is_counted(setup: &Setup, totals: &Totals, reports: &Reports) {
    if !setup.transforms.counts {
        assert_eq!(reports.numbers(), [0; 0]);
        return;
    }
    let (counted, lines) = (reports.lines(), totals.lines_taken);
    assert!(
        totals.kills > 0 || counted <= lines,
        "{counted} lines in insights, {lines} taken"
    );
    assert!(
        !totals.is_whole() || counted == lines,
        "{counted} lines in insights, {lines} taken, and nothing lost"
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_function_posts_counts_by_its_body_and_severity_though_the_filter_drops_it() {
    let setup = Setup {
        transforms: Rewriting {
            counts: true,
            filters: true,
            redacts: true,
            ..SETUP.transforms
        },
        buffer_max_bytes: 1_000_000,
        ..SETUP
    };
    let (world, tmp) = (World::new(&setup), TempDir::new().unwrap());
    let mut life = Life::start(&setup, &world, tmp.path().join("backstop"));
    let now = world.clock().wall();
    for (texts, level) in [
        (["#1# no stock for 3", "#2# no stock for 4"], "ERROR"),
        (
            [
                "#3# looked for someone@example.com",
                "#4# looked for someone@example.com",
            ],
            "DEBUG",
        ),
    ] {
        let posted = posts::logs(&texts.map(str::to_owned), level, now, 100_000).unwrap();
        life.inbox.post(posted).unwrap();
    }
    life.script.ready().await;
    life.script.send(Event::Shutdown {
        shutdown_reason: "spindown".to_owned(),
        deadline_ms: u64::try_from(now.0.as_millis()).unwrap() + 2_000,
    });
    (&mut life.task).await.unwrap();
    let reports = world.reports.0.lock().unwrap().clone();
    let reports: Vec<&Value> = reports.values().collect();
    let [report] = reports[..] else {
        panic!("{reports:?}");
    };
    assert_eq!(
        (&report["lines"], &report["errors"]),
        (&4.into(), &2.into())
    );
    let patterns = report["patterns"].as_array().unwrap();
    let shown = |it: &Value| {
        let text = |name: &str| it[name].as_str().unwrap().to_owned();
        let has_example = it["example"].is_string();
        (
            text("template"),
            text("level"),
            number(&it["lines"]),
            has_example,
        )
    };
    let mut shown: Vec<_> = patterns.iter().map(shown).collect();
    shown.sort();
    let expected = [
        ("#<n># looked for [redacted:email]", "debug", 2, false),
        ("#<n># no stock for <n>", "error", 2, true),
    ];
    let expected = expected.map(|(template, level, lines, has_example)| {
        (template.to_owned(), level.to_owned(), lines, has_example)
    });
    assert_eq!(shown, expected);
    assert_eq!(life.ledger.lock().derived(), 1);
}
