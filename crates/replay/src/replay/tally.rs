//! What became of the records of a batch, before it is written down.
//!
//! Invariant: a record is in one count. Must not: send or write anything.

use backstop_delivery::{Answer, Cause, PartAnswer, Unfit};

use super::batch::Record;
use super::dead_letters::Refusal;
use super::summary::{Problem, Summary};

/// What became of a batch, and what of that is not yet written down.
#[derive(Default)]
pub(super) struct Tally<'a> {
    pub(super) summary: Summary,
    /// They need not be sent again.
    pub(super) settled: Vec<&'a Record>,
    pub(super) refused: Vec<(&'a Record, Refusal)>,
}

impl<'a> Tally<'a> {
    pub(super) fn taken(&mut self, record: &'a Record) {
        self.summary.sent += 1;
        self.summary.sent_bytes += record.line.len() as u64 + 1;
        self.settled.push(record);
    }

    pub(super) fn failed(&mut self, records: &[&Record]) {
        self.summary.failed += records.len() as u64;
        for record in records {
            record.origin.leave();
        }
    }

    /// A batch of which every attempt failed: the caller counts its records.
    pub(super) fn exhausted(&mut self, records: &[&Record], why: &str) {
        self.summary.problem(Problem::exhausted(records, why));
        self.summary.failure = Some(why.to_owned());
    }

    pub(super) fn rejected(&mut self, records: &[&'a Record], cause: Cause) {
        self.summary.problem(Problem::rejected(records, cause));
        for record in records {
            let refusal = Refusal {
                reason: cause.reason,
                status: cause.status,
                answer: cause.to_string(),
            };
            self.refuse(record, refusal);
        }
    }

    pub(super) fn unfit(&mut self, record: &'a Record, unfit: Unfit) {
        self.summary.problem(Problem::unfit(record, unfit));
        let reason = match unfit {
            Unfit::TooLarge => "too_large",
            Unfit::TooOld => "too_old",
            Unfit::NoIntake => "no_intake",
        };
        let refusal = Refusal {
            reason,
            status: None,
            answer: format!("never sent: {}", Problem::unfit_why(unfit)),
        };
        self.refuse(record, refusal);
    }

    fn refuse(&mut self, record: &'a Record, refusal: Refusal) {
        self.summary.rejected += 1;
        record.origin.partial();
        self.refused.push((record, refusal));
    }
}

/// Counts what an answer says of single records, and leaves those that are to be sent again. Whether those are
/// fewer than before. It speaks of all of them: the sink takes no other answer for one.
pub(super) fn take_answered<'a>(
    records: &mut Vec<&'a Record>,
    answer: &Answer,
    tally: &mut Tally<'a>,
) -> bool {
    let Answer::Records {
        records: answers,
        refused: cause,
        ..
    } = answer
    else {
        return false;
    };
    let cause = cause.as_deref().copied();
    let cause = cause.unwrap_or_else(|| answer.cause());
    let before = records.len();
    let mut answers = answers.iter();
    let mut refused = Vec::new();
    records.retain(|record| match answers.next() {
        Some(PartAnswer::Taken) => {
            tally.taken(record);
            false
        }
        Some(PartAnswer::Refused) => {
            refused.push(*record);
            false
        }
        Some(PartAnswer::Retry | PartAnswer::Unheard) | None => true,
    });
    if !refused.is_empty() {
        tally.rejected(&refused, cause);
    }
    records.len() < before
}
