//! The headers and the token that the user adds to requests to the primary.
//!
//! Invariants: an accepted name is an RFC 9110 token and none that we or the connection set; an
//! accepted value is visible ASCII with single-line spaces. A text that was meant otherwise than it
//! would be read (another separator, quotes, a name in two spellings) is an error. A message tells an entry by its
//! position and never shows a value, nor a name other than those that are refused: what stands
//! before an equals sign may be part of a value that holds a comma.
//!
//! Must not: fold, merge or reorder headers.

use crate::error::Invalid;
use crate::parse::{entries, is_quoted, pair};
use crate::reference::Template;
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

/// What a header or the token holds.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// The text itself.
    Plain(Secret),
    /// A text with a reference in it.
    Kept(Template),
}

impl Value {
    fn read(text: &str, here: Option<&str>) -> Result<Self, Invalid> {
        match Template::parse(text, here) {
            Some(template) => template.map(Self::Kept),
            None => Ok(Self::Plain(Secret::new(text))),
        }
    }

    /// The text, unless it is kept elsewhere.
    pub(crate) fn plain(self) -> Option<Secret> {
        match self {
            Self::Plain(text) => Some(text),
            Self::Kept(_) => None,
        }
    }

    /// Where it is kept, if not here.
    pub(crate) fn kept(&self) -> Option<&Template> {
        match self {
            Self::Plain(_) => None,
            Self::Kept(template) => Some(template),
        }
    }
}

/// `name=value,name=value` as headers, in their order; `of_token` is the variable of the token, and the
/// header that it is sent in. `here` is the function's region, where it is known.
pub(crate) fn headers(
    text: &str,
    of_token: Option<(&str, &str)>,
    here: Option<&str>,
) -> Result<Vec<(String, Value)>, Invalid> {
    let mut headers: Vec<(String, Value)> = Vec::new();
    for (index, entry) in entries(text).enumerate() {
        let position = index + 1;
        let Some((name, value)) = pair(entry) else {
            return Err(Invalid::new(format!(
                "has no \"=\" in entry {position}: write name=value pairs, separated by commas; \
                 a value cannot hold a comma"
            )));
        };
        if !is_token(name) {
            return Err(Invalid::new(format!(
                "has no valid header name in entry {position}: use letters, digits and hyphens"
            )));
        }
        let lower = name.to_ascii_lowercase();
        if REFUSED.contains(&lower.as_str()) {
            return Err(Invalid::new(format!(
                "sets {name}, which cannot be set here: remove it"
            )));
        }
        if let Some((variable, _)) = of_token.filter(|(_, header)| *header == lower) {
            return Err(Invalid::new(format!(
                "sets {name}, and so does {variable}: keep one of the two"
            )));
        }
        // From here on the name is not shown: after a comma in a value, it is a part of that value.
        if value.is_empty() {
            return Err(Invalid::new(format!(
                "has no value in entry {position}: give one, or remove it"
            )));
        }
        if !value
            .bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic())
        {
            return Err(Invalid::new(format!(
                "has a line break, a control character or one that is not ASCII in the value of \
                 entry {position}: remove it"
            )));
        }
        if is_quoted(name) || is_quoted(value) {
            return Err(Invalid::new(format!(
                "has a quote at an end of entry {position}, which would be sent: write k=v,k2=v2 \
                 without quotes"
            )));
        }
        if lower != "cookie" && has_another_header(value) {
            return Err(Invalid::new(format!(
                "has more than one header in entry {position}: separate headers by commas, as in \
                 k=v,k2=v2"
            )));
        }
        let same = |(known, _): &(String, Value)| known.eq_ignore_ascii_case(name);
        if let Some(index) = headers.iter().position(same) {
            return Err(Invalid::new(format!(
                "sets the header of entry {} again in entry {position} (case does not matter): set \
                 it once",
                index + 1
            )));
        }
        let value = Value::read(value, here)
            .map_err(|problem| Invalid::new(format!("{problem} (entry {position})")))?;
        headers.push((name.to_owned(), value));
    }
    Ok(headers)
}

/// Whether a value goes on with a separator and what only is a header's name: one with a hyphen, or
/// after a semicolon with a capital. Parameters (`application/json;q=1`), queries and the padding of
/// Base64 (`Basic QQ==`) look alike and are none.
fn has_another_header(value: &str) -> bool {
    let is_separator = |char: char| matches!(char, ' ' | ';' | '|' | '&');
    let begins_header = |separator: &str, rest: &str| {
        let rest = rest.trim_start();
        let Some((name, value)) = rest.split_once('=') else {
            return false;
        };
        let name = name.trim_end();
        let is_name = name.contains('-')
            || separator == ";" && name.starts_with(|char: char| char.is_ascii_uppercase());
        let is_padding = value.is_empty() || value.starts_with('=');
        is_name && !is_padding && is_token(name) && !name.contains(is_separator)
    };
    let mut parts = value.match_indices(is_separator);
    // A backslash and an n are what is left of a line break that nothing put in.
    let mut lines = ["\\n", "\\r"].iter().flat_map(|it| value.match_indices(it));
    parts.any(|(at, separator)| begins_header(separator, &value[at + 1..]))
        || lines.any(|(at, line)| begins_header(line, &value[at + line.len()..]))
}

/// A bare token. `here` is the function's region, where it is known.
pub(crate) fn token(text: &str, here: Option<&str>) -> Result<Value, Invalid> {
    if is_quoted(text) {
        return Err(Invalid::new(
            "has a quote at an end, which would be sent: give the bare token, without quotes",
        ));
    }
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Value::read(text, here);
    }
    Err(Invalid::new(
        "holds a space, a line break or a character that is not ASCII: give the bare token, \
         without a word such as \"Bearer\" before it"
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
