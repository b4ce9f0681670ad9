//! What receivers of lines answer. They have no protocol in common: a 2xx is a delivery, unless the answer itself
//! says that it is none.

use backstop_delivery::Answer;
use memchr::memmem;

use super::Reply;

/// Of a longer answer the beginning is read: what is counted comes before what is listed.
pub(super) const MOST_BYTES: usize = 16 * 1024;

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
