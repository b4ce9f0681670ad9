//! The headers and the token that the user adds to requests to the primary.
//!
//! Invariants: an accepted name is an RFC 9110 token and none that we or the connection set; an
//! accepted value is visible ASCII with single-line spaces. A message tells an entry by its
//! position and never shows a value, nor a name other than those that are refused: what stands
//! before an equals sign may be part of a value that holds a comma.
//!
//! Must not: fold, merge or reorder headers.

use crate::error::Invalid;
use crate::parse::{entries, pair};
use crate::secret::Secret;

/// Names that frame a request, belong to one connection, or that we set ourselves.
const REFUSED: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// `name=value,name=value` as headers, in their order.
pub(crate) fn headers(text: &str, has_token: bool) -> Result<Vec<(String, Secret)>, Invalid> {
    let mut headers = Vec::new();
    for (index, entry) in entries(text).enumerate() {
        let position = index + 1;
        let Some((name, value)) = pair(entry) else {
            return Err(Invalid(format!(
                "has no \"=\" in entry {position}: write name=value pairs, separated by commas; \
                 a value cannot hold a comma"
            )));
        };
        if !is_token(name) {
            return Err(Invalid(format!(
                "has no valid header name in entry {position}: use letters, digits and hyphens"
            )));
        }
        let lower = name.to_ascii_lowercase();
        if REFUSED.contains(&lower.as_str()) {
            return Err(Invalid(format!(
                "sets {name}, which cannot be set here: remove it"
            )));
        }
        if has_token && lower == "authorization" {
            return Err(Invalid(format!(
                "sets {name}, and so does BACKSTOP_PRIMARY_TOKEN: keep one of the two"
            )));
        }
        // From here on the name is not shown: after a comma in a value, it is a part of that value.
        if value.is_empty() {
            return Err(Invalid(format!(
                "has no value in entry {position}: give one, or remove it"
            )));
        }
        if !value
            .bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic())
        {
            return Err(Invalid(format!(
                "has a line break, a control character or one that is not ASCII in the value of \
                 entry {position}: remove it"
            )));
        }
        headers.push((name.to_owned(), Secret::new(value)));
    }
    Ok(headers)
}

/// A bare bearer token.
pub(crate) fn token(text: &str) -> Result<Secret, Invalid> {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(Secret::new(text));
    }
    Err(Invalid(
        "holds a space, a line break or a character that is not ASCII: give the bare token, \
         \"Bearer\" is added to it"
            .to_owned(),
    ))
}

/// Whether the text is a token of RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
