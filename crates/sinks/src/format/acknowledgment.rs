//! What receivers of lines answer. They have no protocol in common: a 2xx is a delivery, unless the answer itself
//! says that it is none.

use backstop_delivery::Answer;
use serde::Deserialize;

use super::Reply;

/// Answers that are read are shorter.
pub(super) const MOST_BYTES: usize = 16 * 1024;

/// Axiom's answer (<https://axiom.co/docs/restapi/endpoints/ingestIntoDataset>): how many events were refused,
/// and not which.
#[derive(Deserialize)]
struct Counted {
    #[expect(dead_code, reason = "an answer without it is not Axiom's")]
    ingested: u64,
    failed: u64,
}

/// What a success means, by as much of its body as came.
pub(super) fn read(reply: &Reply<'_>) -> Answer {
    match serde_json::from_slice(reply.body) {
        Ok(Counted { failed, .. }) if failed > 0 => Answer::Unnamed {
            refused: usize::try_from(failed).unwrap_or(usize::MAX),
            code: reply.status,
        },
        _ => reply.by_default(),
    }
}
