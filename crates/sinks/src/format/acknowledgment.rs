//! What receivers of lines answer. They have no protocol in common: a 2xx is a delivery, unless the answer itself
//! says that it is none.

use backstop_delivery::{Answer, Failure};
use memchr::memmem;
use serde::Deserialize;

use super::{Reply, by_status};

/// Of a longer answer the beginning is read: what is counted comes before what is listed.
pub(super) const MOST_BYTES: usize = 16 * 1024;

/// The same of an answer to an array. One that has a status for each record takes some 15 bytes for each that was
/// taken, and some 100 for each that was not.
pub(super) const MOST_BYTES_OF_STATUSES: usize = 1024 * 1024;

/// What a success means that answers an array of records: Honeycomb gives each a status, in their order
/// (<https://docs.honeycomb.io/api/events/create-events>).
pub(super) fn read_statuses(reply: &Reply<'_>) -> Answer {
    #[derive(Deserialize)]
    struct Event {
        status: u16,
    }
    let body = reply.body.trim_ascii();
    if !body.starts_with(b"[") {
        return read(reply);
    }
    match serde_json::from_slice::<Vec<Event>>(body) {
        Ok(events) if events.is_empty() => reply.by_default(),
        Ok(events) if events.len() == reply.records => {
            by_status::answer(events.into_iter().map(|event| (event.status, None)))
        }
        // Nobody knows which of the records it speaks of.
        Ok(_) => Answer::None(Failure::Unproven),
        // More than is read of it.
        Err(error) if error.is_eof() && starts_with_status(body) => Answer::None(Failure::Unproven),
        // An answer of another kind.
        Err(_) => reply.by_default(),
    }
}

/// Whether an array begins with an object of which the first member is a status in HTTP's numbers.
fn starts_with_status(array: &[u8]) -> bool {
    let mut rest = array;
    for part in [&b"["[..], b"{", b"\"status\"", b":"] {
        match rest.trim_ascii_start().strip_prefix(part) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.trim_ascii_start()
        .first()
        .is_some_and(u8::is_ascii_digit)
}

/// What a success means, by as much of its body as came.
pub(super) fn read(reply: &Reply<'_>) -> Answer {
    match failed(reply.body) {
        Some(refused) if refused > 0 => Answer::Unnamed {
            refused,
            code: reply.status,
        },
        _ => reply.by_default(),
    }
}

/// How many events Axiom refused (<https://axiom.co/docs/restapi/endpoints/ingestIntoDataset>): the answer
/// counts what was `ingested` and what `failed`, then lists failures. The list may be cut off, so that this is
/// no parser.
fn failed(body: &[u8]) -> Option<usize> {
    let body = body.trim_ascii_start();
    if !body.starts_with(b"{") {
        return None;
    }
    number(body, b"\"ingested\"")?;
    number(body, b"\"failed\"")
}

/// The number that is the value of this member.
fn number(body: &[u8], name: &[u8]) -> Option<usize> {
    let after = memmem::find(body, name)? + name.len();
    let value = body.get(after..)?.trim_ascii_start().strip_prefix(b":")?;
    let value = value.trim_ascii_start();
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit());
    let digits = value.get(..digits.count())?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
