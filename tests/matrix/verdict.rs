//! What must hold in every cell, said of what is on either side of the extension and in its ledger.
//!
//! Nothing here panics: a cell that is wrong in three ways says all three.

use std::collections::HashMap;
use std::time::Duration;

use backstop_simulator::environment::TelemetryCounts;
use backstop_tests::Outcome;
use serde_json::Value;

use crate::cell::Cell;

/// However much a server answers: the extension's own size, its buffer and a few batches.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// Whatever a server sends: a few handshakes and batches, in a debug build. The flood of interim answers
/// took 3.5 s of a release build.
const MOST_CPU: Duration = Duration::from_secs(2);

/// What is known after a cell's run.
#[derive(Debug)]
pub(crate) struct Evidence {
    pub(crate) outcome: Outcome,
    /// What the platform has handed over.
    pub(crate) telemetry: TelemetryCounts,
    /// Invocations that the extension made overrun.
    pub(crate) overran: u32,
    /// The most memory it used.
    pub(crate) peak_bytes: u64,
    /// The CPU it used, but for the last milliseconds.
    pub(crate) cpu: Duration,
    /// Requests to the sink at fault since the fault began.
    pub(crate) asked: u64,
}

/// What is wrong; nothing when all holds.
pub(crate) fn verdict(cell: Cell, evidence: &Evidence) -> Vec<String> {
    let outcome = &evidence.outcome;
    let report = &outcome.report;
    let Some(ledger) = &report.ledger else {
        return vec![format!("no ledger line\n{}", outcome.stderr())];
    };
    let mut wrong = Vec::new();
    let mut must = |holds: bool, said: String| {
        if !holds {
            wrong.push(said);
        }
    };
    let (delivered, dropped) = (sum(ledger, "delivered"), sum(ledger, "dropped"));
    let own = outcome.dropped("own_log");
    let derived = outcome.ledger("derived");
    let (received, lost) = (outcome.ledger("received") + derived, dropped - own);
    let archived = outcome.delivered("firehose") + outcome.delivered("s3");
    let places = places(outcome);
    let here = places.len() as u64;
    let twice = places.values().filter(|count| **count > 1).count() as u64;
    let missing = outcome.missing().len() as u64;
    let upstream = evidence.telemetry;

    must(
        evidence.overran == 0,
        format!("{} invocations overran", evidence.overran),
    );
    must(!report.killed, "it had to be killed".to_owned());
    must(
        report.exit_code == Some(0),
        format!("it exited with {:?}", report.exit_code),
    );
    must(
        received == delivered + dropped,
        format!("the ledger does not add up: {ledger}"),
    );
    must(
        received == upstream.acknowledged + derived,
        format!("received {received} of {upstream:?}"),
    );
    must(
        outcome.primary.len() as u64 >= outcome.delivered("https"),
        format!(
            "fewer at the primary, {}, than delivered",
            outcome.primary.len()
        ),
    );
    must(
        here - outcome.primary.len() as u64 <= outcome.archived.len() as u64
            && outcome.archived.len() as u64 >= archived,
        format!(
            "fewer in the archive, {}, than delivered",
            outcome.archived.len()
        ),
    );
    // Every record that is nowhere was counted as lost, and the other way round: but for what a sink
    // has taken without saying so.
    let gone = (received - own).saturating_sub(here);
    must(
        gone == lost || (cell.may_take_unheard() && gone < lost),
        format!("{gone} records are nowhere, {lost} are counted as lost"),
    );
    must(
        missing <= lost,
        format!("{missing} lines are nowhere, {lost} are counted as lost"),
    );
    must(
        lost == 0 || cell.may_lose(),
        format!("{lost} lost with a healthy sink"),
    );
    must(
        lost == outcome.dropped("shutdown"),
        format!("lost for another reason than the environment's end: {ledger}"),
    );
    must(
        lost == 0 || outcome.stderr().contains("Lost records"),
        "no word of what was lost".to_owned(),
    );
    must(
        twice <= outcome.ledger("ambiguous"),
        format!(
            "{twice} in two places, {} by the ledger",
            outcome.ledger("ambiguous")
        ),
    );
    let (peak, cpu) = (evidence.peak_bytes, evidence.cpu);
    must(
        peak < MOST_BYTES && cpu < MOST_CPU,
        format!("{peak} bytes of memory at the peak, {cpu:?} of CPU"),
    );
    must(
        !cell.is_asked() || evidence.asked > 0,
        "the sink at fault was never asked".to_owned(),
    );
    must(
        cell.is_asked() || here < received - own || archived > 0,
        "the fault was never met".to_owned(),
    );
    wrong.extend(wrong_answers(cell, outcome));
    if !wrong.is_empty() {
        wrong.push(ledger.to_string());
        wrong.push(outcome.stderr().replace('\n', "\n  "));
    }
    wrong
}

/// What is wrong with how the extension took the sink's answers.
fn wrong_answers(cell: Cell, outcome: &Outcome) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(expected) = cell.diverted() {
        let reasons = outcome.reasons();
        let is_known =
            |reason: &String| reason == expected.reason || expected.also.contains(&reason.as_str());
        if !reasons.contains(expected.reason) || !reasons.iter().all(is_known) {
            wrong.push(format!("diverted for {reasons:?}, not for {expected:?}"));
        }
        // A bound on time or requests leaves some that are only diverted.
        let dead = outcome.ledger("dead_letters");
        if outcome.delivered("https") > 0 || (dead > 0) != expected.is_dead {
            wrong.push(format!("{dead} dead letters, not as in {expected:?}"));
        }
    }
    if cell.needs_advice() {
        let stderr = outcome.stderr();
        let said = stderr.matches("are fixed").count() + stderr.matches("is fixed").count();
        if said != 1 {
            wrong.push(format!("the log says {said} times what to fix"));
        }
    }
    if cell.takes_some() && outcome.primary.is_empty() {
        wrong.push("nothing arrived at the primary".to_owned());
    }
    if cell.is_always_unheard() && outcome.ledger("ambiguous") == 0 {
        wrong.push("nothing is ambiguous".to_owned());
    }
    wrong
}

/// In how many places each record is, by id.
fn places(outcome: &Outcome) -> HashMap<&str, u32> {
    let mut places: HashMap<&str, u32> = outcome
        .primary
        .iter()
        .map(|(id, count)| (id.as_str(), *count))
        .collect();
    for line in &outcome.archived {
        *places
            .entry(line["id"].as_str().unwrap_or_default())
            .or_default() += 1;
    }
    places
}

fn sum(ledger: &Value, member: &str) -> u64 {
    let counts = ledger[member].as_object().into_iter().flatten();
    counts.filter_map(|(_, count)| count.as_u64()).sum()
}
