//! Answers that give each record a status, as Elasticsearch's bulk API and Honeycomb's batch API do.

use backstop_delivery::{Answer, Cause, Detail, PartAnswer};

/// What follows from the status of each record, in their order, and what is known beyond it.
pub(super) fn answer(statuses: impl Iterator<Item = (u16, Option<Detail>)>) -> Answer {
    let mut refused = None;
    let mut waiting: Option<Cause> = None;
    let mut place = None;
    let records: Vec<PartAnswer> = statuses
        .map(|(status, detail)| {
            let cause = || Cause::of_status(status, detail);
            match status {
                // What is there already was delivered before: by a retry, or by a replay.
                200..=299 | 409 => PartAnswer::Taken,
                400 | 413 => {
                    refused.get_or_insert_with(cause);
                    PartAnswer::Refused
                }
                // The place, or the right to write to it, is missing: that is no record's fault.
                401 | 403 | 404 => {
                    place.get_or_insert_with(cause);
                    PartAnswer::Retry
                }
                _ => {
                    waiting.get_or_insert_with(cause);
                    PartAnswer::Retry
                }
            }
        })
        .collect();
    match place {
        // It takes nothing until you fix it.
        Some(place) if records.iter().all(|it| *it == PartAnswer::Retry) && waiting.is_none() => {
            Answer::refused(place.status.unwrap_or(404), place.detail)
        }
        _ => Answer::Records {
            records,
            refused: refused.map(Box::new),
            waiting: waiting.or(place).map(Box::new),
        },
    }
}
